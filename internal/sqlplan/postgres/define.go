package postgres

import (
	"encoding/hex"
	"strings"

	pg "github.com/sqlc-dev/oliphant/ast"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/sqlplan/ddl"
)

// TermType is the type of a column of equality terms. Text is true for base64.
func TermType(text bool) string {
	if text {
		return "text"
	}
	return "bytea"
}

// StorageType implements [sqlplan.DefiningDialect].
func (d *dialect) StorageType(c *sqlplan.Column) string {
	if c.Base64 {
		return "text"
	}
	return "bytea"
}

// Stores implements [sqlplan.DefiningDialect].
func (d *dialect) Stores(c *sqlplan.Column, typeName string, size int) bool {
	if !c.Base64 {
		return typeName == "bytea"
	}
	return typeName == "text" || size == 0 && (typeName == "varchar" || typeName == "character varying")
}

// Converts implements [sqlplan.DefiningDialect].
func (d *dialect) Converts(c *sqlplan.Column, typeName string) bool {
	return typeName == "bytea" == !c.Base64 && (!c.Base64 || typeName == "text" || typeName == "character varying")
}

// TermType implements [sqlplan.DefiningDialect].
func (d *dialect) TermType(t *sqlplan.Term) string { return TermType(t.Base64) }

// ClearDefault implements [sqlplan.DefiningDialect].
func (d *dialect) ClearDefault(c *sqlplan.Column, text string, _ bool) string {
	if c.Base64 || text == "" {
		return quoteText(text)
	}
	return `'\x` + hex.EncodeToString([]byte(text)) + `'::bytea`
}

// ClearText implements [sqlplan.DefiningDialect].
func (d *dialect) ClearText(def string) (string, bool) { return ClearText(def) }

// ClearText reads a default of the catalog that is a constant: Postgres writes a literal
// and its type.
func ClearText(def string) (text string, ok bool) {
	at := strings.LastIndex(def, "'::")
	if at < 1 || def[0] != '\'' {
		return "", false
	}
	text = def[1:at]
	switch kind := def[at+3:]; {
	case kind == "bytea":
		b, err := hex.DecodeString(strings.TrimPrefix(text, `\x`))
		return string(b), err == nil && strings.HasPrefix(text, `\x`)
	case kind == "text" || kind == "json" || kind == "jsonb" || strings.HasPrefix(kind, "character varying"):
		return strings.ReplaceAll(text, "''", "'"), true
	}
	return "", false
}

func quoteText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// KeyName implements [sqlplan.DefiningDialect]. The server cuts longer names.
func (d *dialect) KeyName(table string, columns []string, constraint bool) string {
	name := table + "_" + strings.Join(columns, "_") + "_idx"
	if constraint {
		name = table + "_" + strings.Join(columns, "_") + "_key"
	}
	if len(name) > maxName {
		return ""
	}
	return name
}

// NameKey implements [sqlplan.DefiningDialect].
func (d *dialect) NameKey(key *sqlplan.DefinedKey, name string) string {
	if key.Alone {
		return d.Quote(name) + " "
	}
	return "CONSTRAINT " + d.Quote(name) + " "
}

// KeyClause implements [sqlplan.DefiningDialect].
func (d *dialect) KeyClause(name string, primary bool, column string) string {
	kind := "UNIQUE"
	if primary {
		kind = "PRIMARY KEY"
	}
	if name != "" {
		kind = "CONSTRAINT " + d.Quote(name) + " " + kind
	}
	return kind + " (" + d.Quote(column) + ")"
}

// Nothing implements [sqlplan.DefiningDialect].
func (d *dialect) Nothing() string { return "DO 'BEGIN END'" }

// definitions takes a statement apart. nodes are the tree's parts in the order of the
// text.
func (p *translator) definitions(u *sqlplan.Utility, read func(r *ddl.Reader, from int) []*sqlplan.Definition, names func(n *pg.Node) []string, nodes []*pg.Node) {
	var defs []*sqlplan.Definition
	if !p.inGroup {
		defs = read(p.reader(), p.afterName(u))
	}
	if len(defs) == len(nodes) && len(defs) > 0 {
		for i, def := range defs {
			def.Names = names(nodes[i])
		}
		u.Definitions = defs
		return
	}
	for _, n := range nodes {
		u.Columns = append(u.Columns, names(n)...)
	}
}

// afterName is the token after the name of the statement's table.
func (p *translator) afterName(u *sqlplan.Utility) int {
	i := p.tokenAt(int32(u.Relations[0].NameSpan.Start)) + 1
	for p.op(i, ".") {
		i += 2
	}
	return i
}

// reader reads the text's tokens as DDL.
func (p *translator) reader() *ddl.Reader {
	kinds := map[tokenKind]ddl.Kind{kindWord: ddl.Word, kindQuoted: ddl.Quoted, kindString: ddl.String, kindNumber: ddl.Number, kindOp: ddl.Op}
	r := &ddl.Reader{Tokens: make([]ddl.Token, len(p.tokens)), Names: func(int, int) []string { return nil }, Value: func(t ddl.Token) (string, bool) {
		text := p.src[t.Start:t.End]
		return strings.ReplaceAll(text[1:len(text)-1], "''", "'"), text[0] == '\'' && !strings.Contains(text, "\n")
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

// createdColumns takes the list of CREATE TABLE apart.
func (p *translator) createdColumns(u *sqlplan.Utility, c *pg.CreateStmt) {
	p.definitions(u, func(r *ddl.Reader, from int) []*sqlplan.Definition {
		if !p.op(from, "(") || p.tokens[from].mate > p.end {
			return nil
		}
		return r.Elements(from+1, p.tokens[from].mate)
	}, func(n *pg.Node) []string { return defaults([]*pg.Node{n}) }, c.TableElts)
}

// alteredColumns takes the actions of ALTER TABLE apart.
func (p *translator) alteredColumns(u *sqlplan.Utility, x *pg.AlterTableStmt) {
	u.Altered = true
	p.definitions(u, func(r *ddl.Reader, from int) []*sqlplan.Definition {
		if p.op(from, "*") {
			from++
		}
		return r.Actions(from, p.end)
	}, func(n *pg.Node) []string { return actionNames(n.GetAlterTableCmd()) }, x.Cmds)
}

// actionNames lists the columns that an action has the server work with.
func actionNames(c *pg.AlterTableCmd) (out []string) {
	switch c.GetSubtype() {
	case pg.AlterTableType_AT_ColumnDefault:
		if c.Def != nil && !c.Def.GetAConst().GetIsnull() {
			out = append(out, c.Name)
		}
	case pg.AlterTableType_AT_AlterColumnType:
		if c.Def.GetColumnDef().GetRawDefault() != nil {
			out = append(out, c.Name) // USING
		}
	}
	return append(out, defaults(list(c.GetDef()))...)
}

// createdIndex takes CREATE INDEX apart.
func (p *translator) createdIndex(u *sqlplan.Utility, x *pg.IndexStmt) {
	u.Altered = true
	var names []string
	for _, e := range append(append([]*pg.Node(nil), x.IndexParams...), x.IndexIncludingParams...) {
		if name := e.GetIndexElem().GetName(); name != "" {
			names = append(names, name)
		}
	}
	if p.inGroup {
		u.Columns = append(u.Columns, names...)
		return
	}
	def := p.reader().Index(p.begin, p.seek(p.begin, false, "on"), p.afterName(u), p.end)
	def.Names = names
	u.Definitions = []*sqlplan.Definition{def}
}

// droppedIndexes notes what DROP INDEX names.
func (p *translator) droppedIndexes(u *sqlplan.Utility, x *pg.DropStmt) {
	at := p.begin + 1
	if !p.word(at, "index") {
		return
	}
	if p.word(at+1, "concurrently") {
		at++
	}
	u.IfExistsAt = p.tokens[at].end
	for _, o := range x.Objects {
		if list := names(o.GetList().GetItems()); len(list) > 0 {
			u.Indexes = append(u.Indexes, list[len(list)-1])
		}
	}
}
