package postgres

import (
	"strings"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sqlc-dev/oliphant"
)

// checkDo refuses DO whose program runs SQL text that it computes: no name
// would show in it.
func checkDo(text string) error {
	if start := computedDo(text); start >= 0 {
		return sqlplan.Refuse(text, start, "", "DO whose program runs SQL text that is computed", "write it as one string, or send the statement itself")
	}
	return nil
}

// is reports whether the token is an operator or a bracket.
func (t token) is(op string) bool { return t.kind == kindOp && t.text == op }

// computedDo finds such a program's start, or returns -1.
func computedDo(text string) int {
	folded := lower(text)
	if !strings.Contains(folded, "execute") || !strings.Contains(folded, "do") {
		return -1
	}
	tokens, err := lex(text)
	if err != nil {
		return -1 // the planner reads the text, or not
	}
	for i := 0; i < len(tokens); i++ {
		begin := i
		for i < len(tokens) && !tokens[i].is(";") {
			i++
		}
		if tokens[begin].text != "do" || tokens[begin].kind != kindWord {
			continue
		}
		for _, t := range tokens[begin:i] {
			if t.kind == kindString && runsComputed(text[t.start:t.end], plpgsql(text, tokens[begin:i])) {
				return t.start
			}
		}
	}
	return -1
}

// plpgsql reports whether a DO statement's program is in PL/pgSQL.
func plpgsql(text string, do []token) bool {
	for i, t := range do[:len(do)-1] {
		if t.kind == kindWord && t.text == "language" {
			n := do[i+1]
			return strings.Trim(lower(text[n.start:n.end]), `"'`) == "plpgsql"
		}
	}
	return true
}

// runsComputed reports whether a program, in its quotes, has an EXECUTE of
// anything but one string, or of a text that lacks nothing but names. A program
// whose tokens are not known has if the word occurs in it.
func runsComputed(quoted string, known bool) bool {
	body, plain := constant(quoted)
	if !strings.Contains(lower(quoted), "execute") {
		return false
	}
	tokens, err := lex(body)
	if err != nil || !plain || !known {
		return true
	}
	for i, t := range tokens {
		if t.kind != kindWord || t.text != "execute" || grantsOrTriggers(tokens[i+1:]) {
			continue
		}
		if !showsText(body, tokens, i+1, operandEnd(tokens, i+1)) {
			return true
		}
	}
	return false
}

// grantsOrTriggers reports whether EXECUTE is GRANT's, or CREATE TRIGGER's, by
// what comes after it.
func grantsOrTriggers(rest []token) bool {
	if len(rest) < 2 || rest[0].kind != kindWord {
		return false
	}
	switch rest[0].text {
	case "on":
		return true
	case "function", "procedure": // also good names of variables
		return rest[1].kind == kindQuoted || rest[1].kind == kindWord && rest[1].text != "into" && rest[1].text != "using"
	}
	return false
}

// operandEnd is where the expression that begins at token i ends.
func operandEnd(tokens []token, i int) int {
	for ; i < len(tokens); i++ {
		t := tokens[i]
		switch {
		case t.is("(") || t.is("["):
			i = t.mate
		case t.is(";"):
			return i
		case t.kind == kindWord && (t.text == "into" || t.text == "using" || t.text == "loop"):
			return i
		}
	}
	return i
}

// showsText reports whether the expression of the tokens [i, end) shows the
// text that it computes, or all of it but names.
func showsText(body string, tokens []token, i, end int) bool {
	if i < end && tokens[i].is("(") && tokens[i].mate == end-1 {
		return showsText(body, tokens, i+1, end-1)
	}
	if i+1 == end && tokens[i].kind == kindString {
		text, plain := constant(body[tokens[i].start:tokens[i].end])
		return plain && computedDo(text) < 0
	}
	return lacksNames(body, tokens, i, end)
}

// lacksNames reports whether the tokens [i, end) put a text together from
// constants and quoted names only, and it is of statements that hold no value:
// DROP and TRUNCATE of what a loop finds, for the most part.
func lacksNames(body string, tokens []token, i, end int) bool {
	var text strings.Builder
	for {
		next, ok := piece(&text, body, tokens, i, end)
		if !ok {
			return false
		}
		if next == end {
			return harmlessText(text.String())
		}
		if next+2 >= end || body[tokens[next].start:tokens[next+1].end] != "||" {
			return false
		}
		i = next + 2
	}
}

// aName stands for a name that quote_ident or %I gives. It is quoted, so that
// the text is only read if the name has a place of its own.
const aName = `"a"`

// piece writes a constant, quote_ident(…) or format('…', …), and returns the
// token after it.
func piece(text *strings.Builder, body string, tokens []token, i, end int) (int, bool) {
	if i >= end {
		return i, false
	}
	t := tokens[i]
	if t.kind == kindString {
		s, plain := constant(body[t.start:t.end])
		text.WriteString(s)
		return i + 1, plain && wordsOnly(s)
	}
	if t.kind != kindWord || i+3 >= end || !tokens[i+1].is("(") {
		return i, false
	}
	after := tokens[i+1].mate + 1
	switch t.text {
	case "quote_ident":
		text.WriteString(aName)
		return after, true
	case "format":
		first := tokens[i+2]
		if first.kind != kindString || !tokens[i+3].is(",") && i+3 != after-1 {
			return i, false
		}
		s, plain := constant(body[first.start:first.end])
		return after, plain && formatted(text, s)
	}
	return i, false
}

// formatted writes what format makes of a pattern whose every directive is a name.
func formatted(text *strings.Builder, pattern string) bool {
	parts := strings.Split(pattern, "%")
	for n, part := range parts {
		if n > 0 {
			directive := strings.TrimPrefix(strings.TrimLeft(part, "0123456789"), "$")
			name, ok := strings.CutPrefix(directive, "I")
			if !ok {
				return false
			}
			text.WriteString(aName)
			part = name
		}
		if !wordsOnly(part) {
			return false
		}
		text.WriteString(part)
	}
	return true
}

// wordsOnly reports whether text can neither begin nor end a string, a quoted
// name or a comment.
func wordsOnly(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || !wordStart(c) && !(c >= '0' && c <= '9') && strings.IndexByte(" \t\r\n.,;()", c) < 0 {
			return false
		}
	}
	return true
}

// harmlessText reports whether a text is of statements that hold no value.
func harmlessText(text string) (yes bool) {
	defer func() {
		if recover() != nil {
			yes = false // the parser panics on some inputs
		}
	}()
	tree, err := oliphant.Parse(text)
	if err != nil {
		return false
	}
	for _, s := range tree.Stmts {
		if !harmless(s.Stmt) {
			return false
		}
	}
	return len(tree.Stmts) > 0
}

// constant takes a string constant out of its quotes. It is plain if it is one
// constant without escapes.
func constant(quoted string) (string, bool) {
	if s, ok := strings.CutPrefix(quoted, "'"); ok {
		s = strings.TrimSuffix(s, "'")
		return strings.ReplaceAll(s, "''", "'"), !strings.Contains(strings.ReplaceAll(s, "''", ""), "'")
	}
	if !strings.HasPrefix(quoted, "$") {
		return quoted, false
	}
	quote := quoted[:strings.IndexByte(quoted[1:], '$')+2]
	s := strings.TrimPrefix(quoted, quote)
	return strings.TrimSuffix(s, quote), strings.Index(s, quote)+len(quote) == len(s)
}
