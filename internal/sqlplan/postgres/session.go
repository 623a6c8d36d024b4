package postgres

import "strings"

// changesSession reports whether a text may change which relation a name means
// in later texts: the search path, the role, temporary relations.
func changesSession(text string) bool {
	folded := lower(text)
	found := false
	for _, w := range [...]string{"search_path", "set_config", "temp", "role", "schema", "authorization", "discard", "reset"} {
		found = found || strings.Contains(folded, w)
	}
	if !found {
		return false
	}
	if strings.Contains(folded, "search_path") || strings.Contains(folded, "set_config") {
		return true
	}
	tokens, err := lex(text)
	if err != nil {
		return true
	}
	first := true
	for _, t := range tokens {
		if t.kind != kindWord && t.kind != kindQuoted {
			first = t.kind == kindOp && t.text == ";"
			continue
		}
		switch {
		case first && t.kind == kindWord && (t.text == "discard" || t.text == "reset" || t.text == "set"), t.text == "temp", t.text == "temporary", t.text == "pg_temp":
			return true
		}
		first = false
	}
	return false
}

// countStatements counts a text's statements; 0 if that is not certain.
func countStatements(text string) int {
	tokens, err := lex(text)
	if err != nil {
		return 0
	}
	n, open := 0, false
	for _, t := range tokens {
		if t.kind == kindOp && t.text == ";" {
			open = false
		} else if !open {
			open = true
			n++
		}
	}
	return n
}
