package mysql

import (
	"strings"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// changesSession reports whether a text may change how later texts are read, or
// which relation a name means in them.
func changesSession(text string) bool {
	for _, w := range [...]string{"sql_mode", "auto_increment_increment"} {
		if containsFold(text, w) {
			return true
		}
	}
	return usesDatabase(text)
}

// usesDatabase looks for USE at the start of a statement.
func usesDatabase(text string) bool {
	if !containsFold(text, "use") {
		return false
	}
	for s := range strings.SplitSeq(text, ";") {
		fields := strings.Fields(s)
		for _, f := range fields {
			if strings.EqualFold(f, "use") || strings.HasPrefix(strings.ToLower(f), "use`") || strings.HasSuffix(strings.ToLower(f), "*/use") {
				return true
			}
			if !strings.HasPrefix(f, "/*") && !strings.HasPrefix(f, "--") && !strings.HasPrefix(f, "#") {
				break
			}
		}
	}
	return false
}

// setsAlone reports whether the text is one SET statement that changes the
// session's sql_mode and nothing else that matters: the driver reads the
// session's settings again before it plans the next text.
func (g *guard) setsAlone(src string) bool {
	t, err := read(src, g.modes, sqlplan.DefaultMaxDepth)
	if err != nil {
		return false
	}
	segments := t.segments()
	if len(segments) != 1 {
		return false
	}
	i, end := segments[0][0], segments[0][1]
	if !t.word(i, "SET") || t.word(i+1, "STATEMENT") {
		return false
	}
	for k := i; k < end; k++ {
		tok := t.tokens[k]
		if t.anyWord(k, "GLOBAL", "PERSIST", "PERSIST_ONLY") != "" || tok.kind == kindVar && containsFold(tok.text, "@@global") || tok.kind == kindVar && containsFold(tok.text, "@@persist") {
			return false
		}
	}
	for _, c := range t.comments {
		if c.executable {
			return false
		}
	}
	free := guard{modes: g.modes, modeFree: true}
	return free.check(src) == nil
}

// statements counts a text's statements; 0 if that is not certain.
func (g *guard) statements(src string) int {
	t, err := read(src, g.modes, sqlplan.DefaultMaxDepth)
	if err != nil {
		return 0
	}
	return len(t.segments())
}
