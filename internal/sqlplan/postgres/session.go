package postgres

import "strings"

// changesSession reports whether a text may change which relation a name means
// in later texts: the search path, the role, temporary relations.
func changesSession(text string) bool {
	folded := lower(text)
	if !namesSession(folded) {
		return false
	}
	if strings.Contains(folded, "search_path") || strings.Contains(folded, "set_config") {
		return true
	}
	tokens, err := lex(text)
	if err != nil {
		return true
	}
	first, do := true, false
	for _, t := range tokens {
		if do && t.kind == kindString && namesSession(folded[t.start:t.end]) {
			return true
		}
		if t.kind != kindWord && t.kind != kindQuoted {
			first = t.kind == kindOp && t.text == ";"
			continue
		}
		switch {
		case first && t.kind == kindWord && (t.text == "discard" || t.text == "reset" || t.text == "set"), t.text == "temp", t.text == "temporary", t.text == "pg_temp":
			return true
		}
		do = do && !first || first && t.kind == kindWord && t.text == "do"
		first = false
	}
	return false
}

// namesSession looks for the words by which such a change is spelt, in text in lower
// case; a name between U&" and " may be any of them.
func namesSession(folded string) bool {
	for _, w := range [...]string{"search_path", "set_config", "temp", "role", "schema", "authorization", "discard", "reset", `u&"`} {
		if strings.Contains(folded, w) {
			return true
		}
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
