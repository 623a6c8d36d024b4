package mysql

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// literalAt reads the literal that starts at token i and ends before token
// end. It reports false for anything else, and for a literal whose value
// depends on what this package does not know, such as a character set other
// than UTF-8.
func (t *text) literalAt(i, end int) (sqlplan.Literal, bool) {
	none := sqlplan.Literal{}
	switch tok := t.tokens[i]; tok.kind {
	case kindString:
		return t.strings(i, end)
	case kindNumber:
		if i+1 != end {
			return none, false
		}
		return number(tok.text, false), true
	case kindOp:
		if i+2 != end || t.tokens[i+1].kind != kindNumber {
			return none, false
		}
		switch tok.text {
		case "-":
			return number(t.tokens[i+1].text, true), true
		case "+":
			return number(t.tokens[i+1].text, false), true
		}
	case kindHex, kindBit:
		if i+1 != end {
			return none, false
		}
		kind := sqlplan.LiteralBytes
		if tok.kind == kindBit || tok.text[0] == '0' { // MariaDB takes x'1F' for no number
			kind = sqlplan.LiteralBits
		}
		return sqlplan.Literal{Kind: kind, Text: binaryValue(tok)}, true
	case kindWord:
		return t.wordLiteral(i, end)
	}
	return none, false
}

// wordLiteral reads a literal that a word is or introduces.
func (t *text) wordLiteral(i, end int) (sqlplan.Literal, bool) {
	word := t.tokens[i].text
	if i+1 == end {
		switch {
		case strings.EqualFold(word, "TRUE"):
			return sqlplan.Literal{Kind: sqlplan.LiteralBool, Text: "true"}, true
		case strings.EqualFold(word, "FALSE"):
			return sqlplan.Literal{Kind: sqlplan.LiteralBool, Text: "false"}, true
		}
		return sqlplan.Literal{}, false
	}
	tok := t.tokens[i+1]
	if tok.kind == kindHex || tok.kind == kindBit {
		lit := introduced(word, binaryValue(tok))
		return lit, i+2 == end && lit.Kind != 0 && (lit.Kind == sqlplan.LiteralBytes || utf8.ValidString(lit.Text))
	}
	if tok.kind != kindString {
		return sqlplan.Literal{}, false
	}
	switch strings.ToUpper(word) {
	case "_UTF8MB4", "_UTF8MB3", "_UTF8", "N", "DATE", "TIME", "TIMESTAMP":
		return t.strings(i+1, end)
	case "_ASCII", "_LATIN1":
		lit, ok := t.strings(i+1, end)
		return lit, ok && isASCII(lit.Text)
	case "_BINARY":
		lit, _ := t.strings(i+1, end)
		lit.Kind = sqlplan.LiteralBytes
		return lit, t.stringRun(i+1) == end
	}
	return sqlplan.Literal{}, false
}

// introduced is a literal of bytes behind the name of a character set.
func introduced(word, value string) sqlplan.Literal {
	switch strings.ToUpper(word) {
	case "_UTF8MB4", "_UTF8MB3", "_UTF8":
		return sqlplan.Literal{Kind: sqlplan.LiteralString, Text: value}
	case "_BINARY":
		return sqlplan.Literal{Kind: sqlplan.LiteralBytes, Text: value}
	}
	return sqlplan.Literal{}
}

// stringRun returns the index after the run of adjacent strings at token i.
func (t *text) stringRun(i int) int {
	for t.tokens[i].kind == kindString {
		i++
	}
	return i
}

// strings reads a run of adjacent strings, which are one value.
func (t *text) strings(i, end int) (sqlplan.Literal, bool) {
	var b strings.Builder
	for ; i < end; i++ {
		if t.tokens[i].kind != kindString {
			return sqlplan.Literal{}, false
		}
		b.WriteString(unquote(t.src[t.tokens[i].start:t.tokens[i].end], t.modes.noBackslashEscapes))
	}
	s := b.String()
	return sqlplan.Literal{Kind: sqlplan.LiteralString, Text: s}, utf8.ValidString(s)
}

// unquote returns the value of one quoted string.
func unquote(s string, noBackslashEscapes bool) string {
	quote, body := s[0], s[1:len(s)-1]
	if strings.IndexByte(body, quote) < 0 && (noBackslashEscapes || strings.IndexByte(body, '\\') < 0) {
		return body
	}
	var b strings.Builder
	b.Grow(len(body))
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case c == quote:
			i++ // doubled
			b.WriteByte(quote)
		case c == '\\' && !noBackslashEscapes && i+1 < len(body):
			i++
			writeEscape(&b, body[i])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// writeEscape writes what \c stands for.
func writeEscape(b *strings.Builder, c byte) {
	switch c {
	case '0':
		b.WriteByte(0)
	case 'b':
		b.WriteByte('\b')
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 't':
		b.WriteByte('\t')
	case 'Z':
		b.WriteByte(0x1a)
	case '%', '_':
		b.WriteByte('\\')
		b.WriteByte(c)
	default:
		b.WriteByte(c)
	}
}

// number returns a numeric literal; the lexer has checked its form.
func number(s string, minus bool) sqlplan.Literal {
	sign := ""
	if minus {
		sign = "-"
	}
	switch {
	case strings.ContainsAny(s, "eE"):
		return sqlplan.Literal{Kind: sqlplan.LiteralFloat, Text: sign + s}
	case strings.Contains(s, "."):
		return sqlplan.Literal{Kind: sqlplan.LiteralDecimal, Text: sign + s}
	}
	s = strings.TrimLeft(s, "0")
	if s == "" {
		s, sign = "0", ""
	}
	return sqlplan.Literal{Kind: sqlplan.LiteralInteger, Text: sign + s}
}

// binaryValue returns the bytes of x'4D', 0x4D, b'01' or 0b01; a number of
// digits that fills no whole byte is padded with zeros on the left.
func binaryValue(tok token) string {
	digits := strings.TrimSuffix(tok.text[2:], "'")
	if tok.kind == kindBit {
		for len(digits)%8 != 0 {
			digits = "0" + digits
		}
		out := make([]byte, 0, len(digits)/8)
		for i := 0; i < len(digits); i += 8 {
			var c byte
			for _, d := range []byte(digits[i : i+8]) {
				c = c<<1 | (d - '0')
			}
			out = append(out, c)
		}
		return string(out)
	}
	if len(digits)%2 != 0 {
		digits = "0" + digits
	}
	out, err := hex.DecodeString(digits)
	if err != nil {
		return "" // the lexer admits hexadecimal digits only
	}
	return string(out)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func containsFold(s, lower string) bool {
	for i := 0; i+len(lower) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(lower)], lower) {
			return true
		}
	}
	return false
}
