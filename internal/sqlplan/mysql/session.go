package mysql

import (
	"slices"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// changesSession reports whether a text may change how later texts and arguments
// are read, or which relation a name means in them.
func (g *guard) changesSession(src string) bool {
	if containsAny(src, "sql_mode", "auto_increment_increment") {
		return true
	}
	if !containsAny(src, sessionWords...) {
		return false
	}
	t, err := read(src, g.modes, sqlplan.DefaultMaxDepth)
	if err != nil {
		return true
	}
	for _, c := range t.comments {
		if c.executable && containsAny(c.body(src), sessionWords...) {
			return true
		}
	}
	program := false
	for k := range t.tokens {
		program = program || t.anyWord(k, "PREPARE", "EXECUTE") != ""
		switch {
		case t.word(k, "USE") && t.anyWord(k+1, "INDEX", "KEY") == "": // else an index hint
			return true
		case program && t.tokens[k].kind == kindString && containsAny(t.plainValue(k), sessionWords...):
			return true
		}
	}
	for _, s := range t.segments() {
		if g.sets(t, s[0]) && containsAny(src[t.tokens[s[0]].start:t.endOf(s[1])], sessionWords[1:]...) {
			return true
		}
	}
	return false
}

// steady are the verbs of statements that leave the session's settings as they are.
// What stored functions and triggers set is not among them: the servers take back
// character_set_client, character_set_connection and sql_mode when a stored program
// ends, which are what texts are read by.
var steady = []string{"SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "WITH", "TABLE", "VALUES", "SHOW", "EXPLAIN", "DESC", "DESCRIBE",
	"START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "TRUNCATE", "CREATE", "ALTER", "OPTIMIZE", "ANALYZE", "CHECK", "CHECKSUM", "REPAIR",
	"LOCK", "UNLOCK", "FLUSH", "KILL", "GRANT", "REVOKE", "RENAME", "LOAD", "PREPARE", "XA"}

// effect returns what a text may do to its session. It leaves the settings as they are
// only if that is certain.
func (g *guard) effect(src string) (e sqlplan.Effect) {
	if sqlplan.OneStatement(src) {
		return sqlplan.Effect{}
	}
	t, err := read(src, g.modes, sqlplan.DefaultMaxDepth)
	if err != nil {
		return sqlplan.Effect{Doubt: true, Locks: true}
	}
	for _, c := range t.comments {
		e.Doubt = e.Doubt || c.executable
	}
	for _, s := range t.segments() {
		i := s[0]
		for t.op(i, "(") {
			i++
		}
		begin := t.word(i, "BEGIN") && (i+1 == s[1] || t.word(i+1, "WORK"))
		once := t.word(i, "SET") && t.word(i+1, "TRANSACTION")
		e.Once = e.Once || once
		e.Locks = e.Locks || t.anyWord(i, "LOCK", "FLUSH", "PREPARE") != ""
		e.Unlocks = t.word(i, "UNLOCK") || begin || t.word(i, "START")
		e.Doubt = e.Doubt || !begin && !once && t.anyWord(i, steady...) == "" && !g.setsTransaction(t, i)
	}
	e.Locks = e.Locks || e.Doubt
	e.Locks = e.Locks && containsAny(src, "lock", "flush", "execute")
	return e
}

// setsTransaction reports whether the statement at token i is SET SESSION TRANSACTION.
func (g *guard) setsTransaction(t *text, i int) bool {
	return t.word(i, "SET") && t.anyWord(i+1, "SESSION", "LOCAL") != "" && t.word(i+2, "TRANSACTION")
}

// sessionWords occur in texts that change the database or the character sets.
var sessionWords = []string{"use", "names", "character", "charset", "collation"}

func containsAny(text string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return containsFold(text, w) })
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
