package postgres

import (
	"strings"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// checkDo refuses DO whose program runs SQL text that it computes: no name
// would show in it.
func checkDo(text string) error {
	folded := lower(text)
	if !strings.Contains(folded, "execute") || !strings.Contains(folded, "do") {
		return nil
	}
	tokens, err := lex(text)
	if err != nil {
		return nil // the planner reads the text, or not
	}
	begins, do := true, false
	for _, t := range tokens {
		switch {
		case begins:
			do = t.kind == kindWord && t.text == "do"
		case do && t.kind == kindString && runsComputed(folded[t.start:t.end]):
			return sqlplan.Refuse(text, t.start, "", "DO whose program runs SQL text that is computed", "write it as one string, or send the statement itself")
		}
		begins = t.kind == kindOp && t.text == ";"
	}
	return nil
}

// runsComputed reports whether program text, in lower case, has an EXECUTE of anything but one
// string.
func runsComputed(body string) bool {
	for {
		i := strings.Index(body, "execute")
		if i < 0 {
			return false
		}
		whole := i == 0 || !wordStart(body[i-1])
		body = strings.TrimLeft(body[i+len("execute"):], " \t\r\n")
		if !whole || body == "" || strings.HasPrefix(body, "function") || strings.HasPrefix(body, "procedure") {
			continue
		}
		if body[0] != '\'' {
			return true
		}
		end := 1
		for end < len(body) && (body[end] != '\'' || end+1 < len(body) && body[end+1] == '\'') {
			if body[end] == '\'' {
				end++
			}
			end++
		}
		rest := strings.TrimLeft(body[min(end+1, len(body)):], " \t\r\n")
		if rest != "" && rest[0] != ';' && !strings.HasPrefix(rest, "into") && !strings.HasPrefix(rest, "using") {
			return true
		}
	}
}
