package mysql

import (
	"strings"
	"testing"
)

// spell renders tokens compactly: the kind's letter and the text.
func spell(l *lexer) string {
	letters := map[kind]string{kindWord: "w", kindQuoted: "q", kindString: "s", kindNumber: "n", kindHex: "x",
		kindBit: "b", kindParam: "p", kindVar: "v", kindOp: "o"}
	var out []string
	for _, t := range l.tokens {
		if t.kind == kindEnd {
			break
		}
		text := t.text
		if t.kind == kindString {
			text = unquote(l.src[t.start:t.end], l.modes.noBackslashEscapes)
		}
		out = append(out, letters[t.kind]+":"+text)
	}
	return strings.Join(out, " ")
}

func TestTokensEndWhereTheServersEndThem(t *testing.T) {
	tests := []struct{ name, mode, text, want string }{
		{"words and operators", "", "SELECT a<=>b", "w:SELECT w:a o:<=> w:b"},
		{"a comment after two dashes needs a space", "", "1 --1", "n:1 o:- o:- n:1"},
		{"two dashes and a space begin a comment", "", "1 -- ? '\n2", "n:1 n:2"},
		{"two dashes and a control character do too", "", "1 --\x01 '\n2", "n:1 n:2"},
		{"two dashes at the end", "", "1 --", "n:1"},
		{"a hash begins a comment", "", "1 # ? '\n2", "n:1 n:2"},
		{"block comments do not nest", "", "1 /* /* ? */ 2", "n:1 n:2"},
		{"a placeholder in a string is none", "", "'?' ?", "s:? p:?"},
		{"a placeholder in a name is none", "", "`?` ?", "q:? p:?"},
		{"doubled quotes", "", "'it''s' \"a\"\"b\" `c``d`", "s:it's s:a\"b q:c`d"},
		{"backslash escapes", "", `'\'' '\\' 'a\nb'`, "s:' s:\\ s:a\nb"},
		{"a backslash is a character", "NO_BACKSLASH_ESCAPES", `'\' ?`, `s:\ p:?`},
		{"escaped wildcards keep their backslash", "", `'\%\_\d'`, `s:\%\_d`},
		{"double quotes hold strings", "", `"a b"`, "s:a b"},
		{"double quotes hold names under ANSI_QUOTES", "ANSI_QUOTES", `"a b"`, "q:a b"},
		{"ANSI includes ANSI_QUOTES", "REAL_AS_FLOAT,ANSI", `"a"`, "q:a"},
		{"a backslash in a quoted name is a character", "ANSI_QUOTES", `"a\" ?`, `q:a\ p:?`},
		{"hexadecimal and bit literals", "", "x'4D' X'4d' 0x4D b'01' 0b01", "x:x'4D' x:X'4d' x:0x4D b:b'01' b:0b01"},
		{"numbers", "", "1 1.5 .5 1e5 1.5e-3", "n:1 n:1.5 n:.5 n:1e5 n:1.5e-3"},
		{"a name that begins with a digit", "", "2fa", "w:2fa"},
		{"a name that is a digit after a dot", "", "t.1", "w:t o:. w:1"},
		{"a name that looks like a float after a dot", "", "t.1e5", "w:t o:. w:1e5"},
		{"variables", "", "@a @'b c' @@session.sql_mode @`d`", "v:@a v:@'b c' v:@@session.sql_mode v:@`d`"},
		{"letters beyond ASCII belong to names", "", "naïve名", "w:naïve名"},
		{"a no-break space belongs to a name", "", "a\u00a0b", "w:a\u00a0b"},
		{"vertical tabs separate", "", "a\v\fb", "w:a w:b"},
		{"a hint is no token", "", "SELECT /*+ NO_INDEX(`a`) */ a", "w:SELECT w:a"},
		{"assignment", "", "@a:=?", "v:@a o::= p:?"},
		{"JSON arrows", "", "a->'$.b'->>'$'", "w:a o:-> s:$.b o:->> s:$"},
		{"introducers are words", "", "_utf8'a' N'b'", "w:_utf8 s:a w:N s:b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := lex(tt.text, parseModes(tt.mode), nil)
			if err != nil {
				t.Fatalf("lex(%q): %v", tt.text, err)
			}
			if got := spell(l); got != tt.want {
				t.Errorf("lex(%q) = %s, want %s", tt.text, got, tt.want)
			}
		})
	}
}

func TestTextsThatReadersReadDifferentlyAreRejected(t *testing.T) {
	tests := []struct{ name, text string }{
		{"an open string", "SELECT 'a"},
		{"an open string after an escape", `SELECT 'a\'`},
		{"an open name", "SELECT `a"},
		{"an empty name", "SELECT ``"},
		{"an open comment", "SELECT /* a"},
		{"a NUL byte", "SELECT 1\x00"},
		{"a NUL byte that ends a line comment for the server", "SELECT 1 -- a\x00 FROM accounts"},
		{"a control character", "SELECT \x01 1"},
		{"a backslash outside strings", `SELECT \N`},
		{"bytes that are no UTF-8 in a name", "SELECT a\xff"},
		{"bytes that are no UTF-8 in a quoted name", "SELECT `a\xff`"},
		{"a dollar-quoted string", "SELECT $a$ ? $a$"},
		{"a capital hexadecimal prefix", "SELECT 0X4D"},
		{"an unfinished hexadecimal literal", "SELECT 0x"},
		{"an odd hexadecimal string", "SELECT x'4'"},
		{"a number that runs into a name", "SELECT 1.5abc"},
		{"an exponent without digits", "SELECT 1e"},
		{"a number that ends in a dot", "SELECT 1. FROM a"},
		{"a hint with an open quote", "SELECT /*+ QB_NAME(`*/`) */ 1"},
		{"a hint that sets sql_mode", "SELECT /*+ SET_VAR(SQL_MODE='') */ 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if l, err := lex(tt.text, modes{}, nil); err == nil {
				t.Errorf("lex(%q) = %s, want an error", tt.text, spell(l))
			}
		})
	}
}

func TestShadowsKeepEveryTokenInPlace(t *testing.T) {
	tests := []struct{ name, mode, text, want string }{
		{"a plain text is its own shadow", "", "SELECT 'a' FROM `b`", "SELECT 'a' FROM `b`"},
		{"comments become spaces", "", "a /*?*/ b -- c", "a       b     "},
		{"strings lose what needs decoding", "", `'it\'s' "ü"`, `'xxxxx' "xx"`},
		{"a string of one character keeps one", "", `'\\' ''''`, `'x'  'x' `},
		{"quoted names", "ANSI_QUOTES", `"a" 'b'`, "`a` 'b'"},
		{"quoted variables", "", "@'a b' @@`x`", "@qqqqq @@qqq"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x, err := read(tt.text, parseModes(tt.mode), 100)
			if err != nil {
				t.Fatal(err)
			}
			s, err := newShadow(x)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.String(); got != tt.want {
				t.Errorf("shadow of %q is %q, want %q", tt.text, got, tt.want)
			}
			if got := s.String(); len(got) != len(tt.text) {
				t.Errorf("the shadow has %d bytes, the text %d", len(got), len(tt.text))
			}
		})
	}
}

func TestNestingIsBounded(t *testing.T) {
	tests := []struct{ name, text string }{
		{"parentheses", strings.Repeat("(", 300) + strings.Repeat(")", 300)},
		{"CASE", strings.Repeat("CASE ", 300)},
		{"NOT", strings.Repeat("NOT ", maxChain+1)},
		{"signs", strings.Repeat("- ", maxChain+1) + "1"},
		{"constructs that the parser tries twice", strings.Repeat("INTERVAL(", 20) + strings.Repeat(")", 20)},
		{"a parenthesis that nothing opens", ")"},
		{"a parenthesis that nothing closes", "("},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := read(tt.text, modes{}, 200); err == nil {
				t.Error("accepted")
			}
		})
	}
	rows := "INSERT INTO a VALUES " + strings.TrimSuffix(strings.Repeat("(1, NOW() + INTERVAL ? DAY, -1),", 20_000), ",")
	if _, err := read(rows, modes{}, 200); err != nil {
		t.Errorf("a long text that is not deep: %v", err)
	}
}
