package mysql

import (
	"strings"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/sqlplan/ddl"
)

const (
	refuseRows = "a protected table cannot be made from a query"
)

func upper(s string) string { return strings.ToUpper(s) }

// define translates CREATE and ALTER of tables, views and indexes. Other kinds
// hold no rows and no columns.
func (p *translator) define(i, end int) unit {
	u := unit{start: i, end: end}
	at := p.seekWord(i+1, end, "TABLE", "VIEW", "INDEX", "SEQUENCE", "DATABASE", "SCHEMA", "USER", "ROLE", "SERVER",
		"TABLESPACE", "LOGFILE", "INSTANCE", "RESOURCE", "SPATIAL")
	if p.word(at, "SPATIAL") && p.word(at+1, "INDEX") {
		at++
	}
	name := p.objectName(at+1, end)
	switch kind := p.anyWord(at, "TABLE", "VIEW", "INDEX"); {
	case at >= end:
		u.done = p.utility(i, end, sqlplan.UtilityUnknown, p.verb(i))
	case kind == "":
		u.done = p.utility(i, end, sqlplan.UtilityHarmless, p.verb(i)+" "+p.verb(at))
	case name >= end:
		fail("a definition without a name")
	case kind != "VIEW" && p.holdsQuery(at, p.tableQuery(i, name, end)):
		// No server takes a query there, and each writes the text to its log.
		u.done = p.utility(i, end, sqlplan.UtilityUnknown, p.verb(i)+" "+kind)
	case kind == "VIEW":
		u.store = p.storeUtility(i, end, name, p.verb(i)+" VIEW")
		p.hideDefinition(&u, name)
	case kind == "INDEX":
		u.done = p.createIndex(i, at, end)
	default:
		p.defineTable(&u, at, name)
	}
	return u
}

// tableQuery returns where the query of CREATE TABLE … SELECT begins, or the end.
func (p *translator) tableQuery(i, name, end int) int {
	if !p.word(i, "CREATE") || p.seekWord(i, name, "TABLE") == name {
		return end
	}
	return p.queryStart(p.nameEnd(name), end)
}

// holdsQuery reports whether a query stands among the tokens [i, end).
func (p *translator) holdsQuery(i, end int) bool {
	for ; i < end; i++ {
		if p.word(i, "SELECT") || p.op(i-1, "(") && p.anyWord(i, "TABLE", "VALUES", "WITH") != "" {
			return true
		}
	}
	return false
}

// objectName skips IF [NOT] EXISTS.
func (p *translator) objectName(i, end int) int {
	for i < end && p.anyWord(i, "IF", "NOT", "EXISTS") != "" {
		i++
	}
	return i
}

// storeUtility is a statement that keeps what a query returns.
func (p *translator) storeUtility(i, end, name int, what string) *sqlplan.Utility {
	return &sqlplan.Utility{
		Span: p.span(i, end), Kind: sqlplan.UtilityStore, What: what,
		Relations: []*sqlplan.TableRef{p.refAt(name)}, Refuse: refuseRows,
	}
}

// hideDefinition leaves the parser only the query of a definition.
func (p *translator) hideDefinition(u *unit, from int) {
	q := p.queryStart(from, u.end)
	if q == u.end {
		fail("a definition without its query")
	}
	p.shadow.blank(p.tokens[u.start].start, p.tokens[q].start)
	u.start = q
	for k := q; k < u.end; k++ {
		if p.word(k, "CHECK") && p.word(k+1, "OPTION") && k+2 == u.end {
			stop := k
			for p.anyWord(stop-1, "WITH", "CASCADED", "LOCAL") != "" {
				stop--
			}
			p.shadow.blank(p.tokens[stop].start, p.endOf(u.end))
			u.end = stop
		}
	}
}

// queryStart returns the index where a query begins, outside parentheses of
// other things.
func (p *translator) queryStart(i, end int) int {
	return p.seek(i, end, func(k int) bool {
		if p.anyWord(k, "SELECT", "VALUES") != "" || p.anyWord(k, "TABLE", "WITH") != "" && p.word(k-1, "AS") {
			return true
		}
		inner := k
		for p.op(inner, "(") {
			inner++
		}
		return inner > k && p.anyWord(inner, "SELECT", "VALUES", "WITH") != ""
	})
}

// defineTable translates CREATE TABLE and ALTER TABLE; at is TABLE, name the
// table's name.
func (p *translator) defineTable(u *unit, at, name int) {
	d := &sqlplan.Utility{
		Span: p.span(u.start, u.end), Kind: sqlplan.UtilityDefine, What: p.verb(u.start) + " TABLE",
		Relations: []*sqlplan.TableRef{p.refAt(name)}, Columns: []string{},
		Temporary: p.seekWord(u.start, at, "TEMPORARY") < at,
	}
	if d.Temporary {
		// The catalog does not show temporary tables: what the name means
		// could not be told.
		d.Temporary, d.Refuse = false, "a temporary table would hide the table of that name"
	}
	from := p.nameEnd(name)
	q := u.end
	d.Altered = p.word(u.start, "ALTER")
	switch {
	case !d.Altered:
		q = p.queryStart(from, u.end)
		if p.op(from, "(") && q > from {
			d.Definitions = p.reader().Elements(from+1, p.tokens[from].mate)
			from = p.tokens[from].mate + 1
		}
	default:
		if other, ok := p.renames(from, u.end); ok {
			d.Refuse, d.Relations = sqlplan.RefuseRename, append(d.Relations, other...)
		}
	}
	if d.Altered {
		d.Moves = p.movedColumns(from, q)
		d.Definitions = p.reader().Actions(from, q)
	} else {
		d.Columns = append(d.Columns, p.workedWith(from, q)...)
	}
	if q == u.end {
		u.done = []sqlplan.Statement{d}
		return
	}
	u.before = []sqlplan.Statement{d}
	u.store = p.storeUtility(u.start, u.end, name, "CREATE TABLE … SELECT")
	u.store.Temporary = d.Temporary
	p.hideDefinition(u, from)
}

// workedWith returns the columns that the tokens [i, end) of DDL have the server work
// with.
func (p *translator) workedWith(i, end int) []string {
	return append(append([]string{}, p.specColumns(i, end)...), p.defaults(i, end)...)
}

// reader reads the text's tokens as DDL.
func (p *translator) reader() *ddl.Reader {
	kinds := map[kind]ddl.Kind{kindWord: ddl.Word, kindQuoted: ddl.Quoted, kindString: ddl.String, kindNumber: ddl.Number, kindOp: ddl.Op}
	r := &ddl.Reader{Indexes: true, Tokens: make([]ddl.Token, len(p.tokens)), Names: p.workedWith, Value: func(t ddl.Token) (string, bool) {
		text := p.src[t.Start:t.End]
		if text[0] != '\'' && text[0] != '"' {
			return "", false
		}
		return unquote(text, p.modes.noBackslashEscapes), true
	}}
	for i, t := range p.tokens {
		kind := kinds[t.kind]
		if kind == 0 {
			kind = ddl.Other
		}
		r.Tokens[i] = ddl.Token{Kind: kind, Text: t.text, Start: t.start, End: t.end, Mate: t.mate}
	}
	return r
}

// renames reports whether an ALTER TABLE moves the table or its rows to another name, or
// rows of another table into it, and returns that table.
func (p *translator) renames(i, end int) (other []*sqlplan.TableRef, ok bool) {
	at := p.seek(i, end, func(k int) bool {
		return p.word(k, "RENAME") && p.anyWord(k+1, "COLUMN", "INDEX", "KEY") == "" ||
			p.word(k, "EXCHANGE") || p.word(k, "CONVERT") && p.anyWord(k+1, "PARTITION", "TABLE") != ""
	})
	if at >= end {
		return nil, false
	}
	name := at + 1
	switch {
	case !p.word(at, "RENAME"):
		name = 1 + p.seek(at, end, func(k int) bool { return p.word(k, "TABLE") })
	case p.anyWord(name, "TO", "AS") != "" || p.op(name, "="):
		name++
	}
	if name < end {
		other = append(other, p.refAt(name))
	}
	return other, true
}

// specColumns returns the columns that the clauses [i, end) read: names in
// parentheses, and the ones that CHANGE and RENAME COLUMN name.
func (p *translator) specColumns(i, end int) []string {
	var out []string
	for ; i < end; i++ {
		switch {
		case p.op(i, "("):
			out = append(out, p.computedIn(i+1, p.tokens[i].mate)...)
			i = p.tokens[i].mate
		case p.word(i, "RENAME") && p.word(i+1, "COLUMN"):
			out = append(out, p.namesIn(i+2, min(i+7, end))...)
		case p.word(i, "CHANGE"):
			out = append(out, p.namesIn(i+1, min(i+6, end))...)
		}
	}
	return out
}

// movedColumns returns the columns that the clauses [i, end) of ALTER TABLE rename or drop.
// A column that CHANGE gives its own name stays.
func (p *translator) movedColumns(i, end int) []string {
	var out []string
	for ; i < end; i++ {
		verb := p.anyWord(i, "RENAME", "CHANGE", "DROP")
		if verb == "" || verb == "RENAME" && !p.word(i+1, "COLUMN") ||
			p.anyWord(i+1, "PRIMARY", "INDEX", "KEY", "FOREIGN", "CONSTRAINT", "CHECK", "PARTITION", "DEFAULT", "SYSTEM", "PERIOD") != "" {
			continue
		}
		at := i + 1
		if p.word(at, "COLUMN") {
			at++
		}
		at = p.objectName(at, end)
		if old := p.namesIn(at, min(at+1, end)); len(old) == 1 {
			if now := p.namesIn(at+1, min(at+2, end)); verb != "CHANGE" || len(now) != 1 || !sameName(old[0], now[0]) {
				out = append(out, old[0])
			}
		}
	}
	return out
}

// computedIn is namesIn without the names that are only tested for NULL.
func (p *translator) computedIn(i, end int) (out []string) {
	for ; i < end; i++ {
		null := i + 2
		if p.word(null, "NOT") {
			null++
		}
		if p.word(i+1, "IS") && p.word(null, "NULL") && null < end && (p.op(i-1, "(") || p.anyWord(i-1, "AND", "OR", "NOT") != "") {
			i = null
			continue
		}
		out = append(out, p.namesIn(i, i+1)...)
	}
	return out
}

// createIndex translates CREATE INDEX … ON table (columns).
func (p *translator) createIndex(i, at, end int) []sqlplan.Statement {
	on := p.seekWord(at, end, "ON")
	if on+1 >= end {
		fail("an index without its table")
	}
	return []sqlplan.Statement{&sqlplan.Utility{
		Span: p.span(i, end), Kind: sqlplan.UtilityDefine, What: "CREATE INDEX",
		Relations: []*sqlplan.TableRef{p.refAt(on + 1)}, Columns: []string{},
		Defining: sqlplan.Defining{Altered: true, Definitions: []*sqlplan.Definition{p.reader().Index(i, on, p.nameEnd(on+1), end)}},
	}}
}

// dropIndex translates DROP INDEX name ON table.
func (p *translator) dropIndex(i, end int) []sqlplan.Statement {
	on := p.seekWord(i, end, "ON")
	if !p.word(i+1, "INDEX") || on != i+3 || on+1 >= end {
		return p.utility(i, end, sqlplan.UtilityHarmless, "DROP") // IF EXISTS, ONLINE
	}
	def := &sqlplan.Definition{Span: p.span(i, end), Kind: sqlplan.DefineDropKey, Key: p.tokens[i+2].text}
	return []sqlplan.Statement{&sqlplan.Utility{
		Span: p.span(i, end), Kind: sqlplan.UtilityDefine, What: "DROP INDEX", Relations: []*sqlplan.TableRef{p.refAt(on + 1)},
		Columns: []string{}, Defining: sqlplan.Defining{Altered: true, Definitions: []*sqlplan.Definition{def}},
	}}
}

// rename translates RENAME TABLE; RENAME USER concerns no table.
func (p *translator) rename(i, end int) []sqlplan.Statement {
	if p.word(i+1, "USER") {
		return p.utility(i, end, sqlplan.UtilityHarmless, "RENAME USER")
	}
	var out []sqlplan.Statement
	for k := p.objectName(i+2, end); k < end; k = p.nameEnd(k) + 1 {
		if p.anyWord(k, "WAIT", "NOWAIT") != "" || p.tokens[k].kind == kindNumber {
			continue
		}
		out = append(out, &sqlplan.Utility{
			Span: p.span(i, end), Kind: sqlplan.UtilityDefine, What: "RENAME TABLE",
			Relations: []*sqlplan.TableRef{p.refAt(k)}, Columns: []string{}, Refuse: sqlplan.RefuseRename,
		})
	}
	return out
}

// defaults lists the names before each DEFAULT that is not NULL, up to the
// comma or parenthesis that begins the definition: the server would hold the
// value in clear.
func (p *translator) defaults(i, end int) []string {
	var out []string
	for k := i; k < end; k++ {
		if !p.word(k, "DEFAULT") || p.word(k-1, "DROP") || p.word(k+1, "NULL") || p.anyWord(k+1, "CHARSET", "CHARACTER", "COLLATE") != "" {
			continue
		}
		for j := k - 1; j >= i && !p.op(j, ",") && !p.op(j, "("); j-- {
			if p.op(j, ")") {
				j = p.tokens[j].mate
				continue
			}
			if kind := p.tokens[j].kind; kind == kindWord || kind == kindQuoted {
				out = append(out, p.tokens[j].text)
			}
		}
	}
	return out
}
