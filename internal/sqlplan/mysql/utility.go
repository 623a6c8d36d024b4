package mysql

import (
	"slices"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// harmlessVerbs begin statements that move no row of a table to the client or
// into a table, whatever names occur in them, unless a query is in them too.
var harmlessVerbs = []string{"BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SHOW", "KILL", "FLUSH",
	"LOCK", "UNLOCK", "GRANT", "REVOKE", "TRUNCATE", "DROP", "OPTIMIZE", "CHECK", "REPAIR", "CHECKSUM", "XA", "USE",
	"RESET", "PURGE", "CHANGE", "HELP", "SHUTDOWN", "RESTART", "BACKUP", "GET", "SIGNAL", "RESIGNAL", "DEALLOCATE",
	"CACHE", "INSTALL", "UNINSTALL", "STOP", "SET", "DO", "EXECUTE", "CALL"}

// parsedVerbs begin statements that the parser reads.
var parsedVerbs = []string{"SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "WITH", "TABLE", "VALUES", "EXPLAIN",
	"DESCRIBE", "DESC"}

// units parts the text into statements. Those that the parser is not needed
// for are translated here.
func (p *translator) units() []unit {
	var out []unit
	segments := p.segments()
	for k := 0; k < len(segments); k++ {
		i, end := segments[k][0], segments[k][1]
		if p.compound(i) {
			// Semicolons belong to its body; what follows cannot be told apart.
			out = append(out, unit{start: i, end: segments[len(segments)-1][1], done: p.body(i, segments[len(segments)-1][1])})
			break
		}
		out = append(out, p.newUnit(i, end))
	}
	return out
}

// newUnit looks at the statement's first words.
func (p *translator) newUnit(i, end int) unit {
	u := unit{start: i, end: end}
	switch verb := p.anyWord(i, harmlessVerbs...); {
	case p.op(i, "(") || p.anyWord(i, parsedVerbs...) != "":
	case verb == "DROP" && p.word(i+1, "INDEX"):
		u.done = p.dropIndex(i, end)
	case verb == "SET" && p.word(i+1, "STATEMENT"):
		u = p.setStatement(i, end)
	case verb != "":
		u.done = p.plainStatement(verb, i, end)
	case p.word(i, "ANALYZE"):
		if p.anyWord(i+1, "TABLE", "LOCAL", "NO_WRITE_TO_BINLOG") != "" {
			u.done = p.analyzeTable(i, end)
		}
	case p.word(i, "CREATE"), p.word(i, "ALTER"):
		u = p.define(i, end)
	case p.word(i, "RENAME"):
		u.done = p.rename(i, end)
	case p.word(i, "LOAD"):
		u.done = p.load(i, end)
	case p.word(i, "PREPARE"):
		u.done = p.prepare(i, end)
	default:
		u.done = p.utility(i, end, sqlplan.UtilityUnknown, p.verb(i))
	}
	return u
}

// analyzeTable translates ANALYZE TABLE. A histogram keeps values of its columns,
// and USING DATA takes them from the text.
func (p *translator) analyzeTable(i, end int) []sqlplan.Statement {
	at := p.seekWord(i, end, "HISTOGRAM")
	if at == end || !p.word(at-1, "UPDATE") {
		return p.utility(i, end, sqlplan.UtilityHarmless, "ANALYZE TABLE")
	}
	table := p.seekWord(i, end, "TABLE") + 1
	if table > at {
		fail("a histogram without its table")
	}
	return []sqlplan.Statement{&sqlplan.Utility{
		Span: p.span(i, end), Kind: sqlplan.UtilityDefine, What: "UPDATE HISTOGRAM",
		Relations: []*sqlplan.TableRef{p.refAt(table)}, Columns: p.namesIn(at+1, end),
	}}
}

// verb names a statement for messages.
func (p *translator) verb(i int) string {
	if p.tokens[i].kind == kindWord && len(p.tokens[i].text) < 20 {
		return upper(p.tokens[i].text)
	}
	return "a statement"
}

func (p *translator) utility(i, end int, kind sqlplan.UtilityKind, what string) []sqlplan.Statement {
	return []sqlplan.Statement{&sqlplan.Utility{Span: p.span(i, end), Kind: kind, What: what}}
}

// setStatement is SET STATEMENT … FOR statement: the statement decides.
func (p *translator) setStatement(i, end int) unit {
	at := p.seekWord(i, end, "FOR")
	if at+1 >= end {
		fail("SET STATEMENT without a statement")
	}
	inner := p.newUnit(at+1, end)
	if inner.done == nil {
		inner.start = i // adapted by skipPrefix
	}
	return inner
}

// namesTables are verbs of harmless statements in which TABLE is a word of the grammar
// and begins no query.
var namesTables = []string{"LOCK", "UNLOCK", "FLUSH", "DROP", "TRUNCATE", "SHOW", "OPTIMIZE", "CHECK", "REPAIR", "CHECKSUM", "GRANT", "REVOKE"}

// plainStatement translates a statement that begins with a harmless verb.
func (p *translator) plainStatement(verb string, i, end int) []sqlplan.Statement {
	has := func(words ...string) bool {
		for k := i; k < end; k++ {
			if p.anyWord(k, words...) != "" {
				return true
			}
		}
		return false
	}
	switch {
	case verb == "EXECUTE" && p.word(i+1, "IMMEDIATE"):
		return p.programText(i, i+2, end, "EXECUTE IMMEDIATE")
	case verb == "CALL":
		if !has("SELECT", "TABLE", "VALUES") {
			return p.stringsOf(i, end, "CALL")
		}
	case !has("SELECT", "VALUES") && (slices.Contains(namesTables, verb) || !has("TABLE")):
		return p.utility(i, end, sqlplan.UtilityHarmless, verb)
	case verb == "GRANT", verb == "REVOKE", verb == "SHOW" && !has("WHERE"), verb == "FLUSH", verb == "LOCK":
		return p.utility(i, end, sqlplan.UtilityHarmless, verb) // privileges and options are spelled like verbs
	}
	return p.utility(i, end, sqlplan.UtilityUnknown, verb)
}

// prepare translates PREPARE name FROM 'text'.
func (p *translator) prepare(i, end int) []sqlplan.Statement {
	from := p.seekWord(i, end, "FROM")
	return p.programText(i, from+1, end, "PREPARE")
}

// programText is a statement whose SQL text is the one string at token at.
func (p *translator) programText(i, at, end int, what string) []sqlplan.Statement {
	if at >= end || p.tokens[at].kind != kindString {
		return p.utility(i, end, sqlplan.UtilityUnknown, what)
	}
	return p.stringsOf(i, end, what)
}

// stringsOf is a statement whose strings may be run as SQL.
func (p *translator) stringsOf(i, end int, what string) []sqlplan.Statement {
	u := &sqlplan.Utility{Span: p.span(i, end), Kind: sqlplan.UtilityBody, What: what}
	for k := i; k < end; k++ {
		if p.tokens[k].kind == kindString {
			u.Strings = append(u.Strings, unquote(p.src[p.tokens[k].start:p.tokens[k].end], p.modes.noBackslashEscapes))
		}
	}
	return []sqlplan.Statement{u}
}

// compound reports whether the statement at token i may hold semicolons.
func (p *translator) compound(i int) bool {
	if i = p.labelled(i); p.word(i, "BEGIN") {
		return p.word(i+1, "NOT")
	}
	if p.anyWord(i, "IF", "LOOP", "REPEAT", "WHILE", "CASE", "FOR", "DECLARE") != "" {
		return true
	}
	if p.anyWord(i, "CREATE", "ALTER") == "" {
		return false
	}
	for i++; ; i++ {
		switch {
		case p.anyWord(i, "PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE") != "":
			return true
		case p.anyWord(i, "OR", "REPLACE", "AGGREGATE", "DEFINER", "CURRENT_USER", "CURRENT_ROLE") != "":
		case p.tokens[i].kind == kindOp && slices.Contains([]string{"=", "(", ")", "@"}, p.tokens[i].text):
		case p.tokens[i].kind == kindVar, p.tokens[i].kind == kindQuoted, p.tokens[i].kind == kindString:
		case p.op(i-1, "=") && p.tokens[i].kind == kindWord: // DEFINER=user
		default:
			return false
		}
	}
}

// body is a statement with a program in it. A trigger on a protected table
// reads and writes its columns as NEW.x and OLD.x.
func (p *translator) body(i, end int) []sqlplan.Statement {
	at := i
	for at < end && p.anyWord(at, "PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE", "BEGIN") == "" {
		at++
	}
	what := "CREATE " + p.verb(min(at, end-1))
	if p.anyWord(i, "CREATE", "ALTER") == "" {
		at, what = i, p.verb(i) // a program that runs at once: all of it counts
	}
	u := &sqlplan.Utility{Span: p.span(i, end), Kind: sqlplan.UtilityBody, What: what}
	out := []sqlplan.Statement{u}
	if p.word(at, "TRIGGER") {
		on := p.seekWord(at, end, "ON")
		if on+1 >= end {
			fail("a trigger without its table")
		}
		out = append(out, p.triggerColumns(i, on+1, end))
		at = p.nameEnd(on + 1)
	}
	u.Strings = []string{p.src[p.tokens[min(at, end-1)].start:p.endOf(end)]}
	return out
}

// triggerColumns lists the columns of the trigger's table that its body uses.
func (p *translator) triggerColumns(i, table, end int) *sqlplan.Utility {
	d := &sqlplan.Utility{
		Span: p.span(i, end), Kind: sqlplan.UtilityDefine, What: "CREATE TRIGGER", Relations: []*sqlplan.TableRef{p.refAt(table)},
	}
	d.Columns = []string{}
	for k := table; k < end; k++ {
		if p.op(k, ".") && k+1 < end {
			d.Columns = append(d.Columns, p.tokens[k+1].text)
		}
	}
	return d
}

// refAt reads a table's name at token i.
func (p *translator) refAt(i int) *sqlplan.TableRef {
	end := p.nameEnd(i)
	last := p.tokens[end-1]
	if last.kind != kindWord && last.kind != kindQuoted {
		fail("a table's name is none")
	}
	r := &sqlplan.TableRef{Span: p.span(i, end), NameSpan: p.span(i, end), Name: last.text}
	if end-i >= 3 {
		r.Schema = p.tokens[end-3].text
	}
	return r
}

// load translates LOAD DATA and LOAD XML.
func (p *translator) load(i, end int) []sqlplan.Statement {
	u := &sqlplan.Utility{Span: p.span(i, end), Kind: sqlplan.UtilityCopy, What: "LOAD DATA"}
	at := p.seekWord(i, end, "INTO")
	if p.anyWord(i+1, "DATA", "XML") == "" || !p.word(at+1, "TABLE") {
		return p.utility(i, end, sqlplan.UtilityUnknown, "LOAD")
	}
	u.Relations = []*sqlplan.TableRef{p.refAt(at + 2)}
	set := p.seekWord(at, end, "SET")
	for set < end && p.anyWord(set-1, "CHARACTER", "CHAR") != "" {
		set = p.seekWord(set+1, end, "SET")
	}
	for k := p.nameEnd(at + 2); k < set; k++ {
		if !p.op(k, "(") {
			continue
		}
		if !p.word(k-1, "PARTITION") && p.tokens[k].mate > k+1 {
			u.Columns = p.namesIn(k+1, p.tokens[k].mate)
		}
		k = p.tokens[k].mate
	}
	if u.Columns != nil {
		// What SET assigns, and what it computes with.
		u.Columns = append(u.Columns, p.namesIn(set, end)...)
	}
	for k := set; k < end; k++ {
		if p.word(k, "SELECT") {
			return p.utility(i, end, sqlplan.UtilityUnknown, "LOAD DATA")
		}
	}
	return []sqlplan.Statement{u}
}

// namesIn returns the names among the tokens [i, end).
func (p *translator) namesIn(i, end int) []string {
	out := []string{}
	for ; i < end; i++ {
		if k := p.tokens[i].kind; k == kindWord || k == kindQuoted {
			out = append(out, p.tokens[i].text)
		}
	}
	return out
}
