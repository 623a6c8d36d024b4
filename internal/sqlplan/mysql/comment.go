package mysql

import "strings"

// neutralise checks the executable comments of a text. Whether a server runs
// one depends on its kind and version, so only those pass that mean the same to
// the rules when they are run and when they are not.
func (t *text) neutralise() error {
	for _, c := range t.comments {
		if c.executable && !t.harmless(c) {
			return errExecutableComment
		}
	}
	return nil
}

// harmless is true for an executable comment that holds options of SELECT in
// the place for them, or index hints.
func (t *text) harmless(c comment) bool {
	body := c.body(t.src)
	if strings.Contains(body, "/*") || strings.Contains(body, "--") || strings.Contains(body, "#") {
		return false
	}
	l, err := lex(body, t.modes, nil)
	if err != nil {
		return false
	}
	b := &text{src: body, modes: t.modes, tokens: l.tokens}
	options := c.next > 0 && (t.word(c.next-1, "SELECT") || t.selectOption(c.next-1))
	for i := 0; i < len(b.tokens)-1; {
		switch {
		case options && b.selectOption(i):
			i++
		case b.anyWord(i, "USE", "FORCE", "IGNORE") != "" && b.anyWord(i+1, "INDEX", "KEY") != "":
			if i = b.indexHint(i + 2); i < 0 {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// indexHint returns the index after the rest of an index hint at token i, or -1.
func (t *text) indexHint(i int) int {
	if t.word(i, "FOR") {
		for i++; !t.op(i, "("); i++ {
			if t.anyWord(i, "JOIN", "ORDER", "GROUP", "BY") == "" {
				return -1
			}
		}
	}
	if !t.op(i, "(") {
		return -1
	}
	for i++; !t.op(i, ")"); i++ {
		if k := t.tokens[i].kind; k != kindWord && k != kindQuoted && !t.op(i, ",") {
			return -1
		}
	}
	return i + 1
}

// selectOption reports whether token i is a reserved option of SELECT. Those
// that could be an alias elsewhere are judged by their place.
func (t *text) selectOption(i int) bool {
	return t.anyWord(i, "SQL_NO_CACHE", "SQL_CACHE", "SQL_CALC_FOUND_ROWS", "SQL_BIG_RESULT",
		"SQL_SMALL_RESULT", "SQL_BUFFER_RESULT", "HIGH_PRIORITY", "STRAIGHT_JOIN") != ""
}
