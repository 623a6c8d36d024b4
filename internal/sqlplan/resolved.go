package sqlplan

// This file makes the server mean the relation that was planned. An unqualified
// name means whatever the session's search path, temporary tables or database in use
// say when the server reads it: they may change after the text was planned, by
// another session too.

// resolve writes the schema that a name was found in into the text.
func (a *analysis) resolve(t *TableRef, schema string) {
	if t.Schema != "" || t.NameSpan.End <= t.NameSpan.Start || schema == "" {
		return
	}
	at := t.NameSpan.Start
	if _, done := a.resolved[at]; done {
		return
	}
	if a.resolved == nil {
		a.resolved = map[int]string{}
	}
	a.resolved[at] = a.d.Quote(schema) + "."
	a.insertText(at, a.resolved[at])
}

// resolveView is resolve for a view that the policy names with its schema. The view of
// that name in another schema is another relation.
func (a *analysis) resolveView(t *TableRef, v *View) {
	if t.Schema != "" || v.Schema == "" {
		return
	}
	switch rel := a.describe("", t.Name); {
	case rel == nil:
	case a.d.SameTable(rel.Schema, v.Schema):
		a.resolve(t, rel.Schema)
	default:
		a.refuse(t.Span, v.Name, "an unqualified name of a view that the policy means in another schema", "write schema.view")
	}
}

// nameOf returns a relation's name as the sent text writes it, for a text of
// sealsql's own about the same relation.
func (a *analysis) nameOf(t *TableRef) string {
	return a.resolved[t.NameSpan.Start] + a.text[t.NameSpan.Start:t.NameSpan.End]
}

// means notes which schema a text names for a table that the policy means in every
// schema: the types of its row key are those of that schema's table. Two schemas of one
// text are refused where those types differ.
func (a *analysis) means(t *TableRef, table *Table) {
	if table.Schema != "" {
		return
	}
	before, known := a.schemas[table]
	switch {
	case !known:
		if a.schemas == nil {
			a.schemas = map[*Table]string{}
		}
		a.schemas[table] = t.Schema
	case before != t.Schema && !a.sameSources(table, before, t.Schema):
		a.refuse(t.Span, table.Name, "two schemas whose tables have row keys of different types", "send a statement for each schema, or name each table with its schema in the policy")
	}
}

// sameSources reports whether the columns that a table's values are bound to have
// equal types in two schemas.
func (a *analysis) sameSources(t *Table, one, other string) bool {
	x, y := a.describe(one, t.Name), a.describe(other, t.Name)
	if x == nil || y == nil {
		return false
	}
	for _, s := range t.Sources {
		p, q := a.relationColumn(x, s), a.relationColumn(y, s)
		if p == nil || q == nil || p.Type != q.Type || p.Full != q.Full || p.Charset != q.Charset {
			return false
		}
	}
	return true
}

// writeSchemas puts the schemas that a text names into a plan.
func (a *analysis) writeSchemas(p *Plan) {
	for s := range a.allSeals() {
		s.Schema = a.schemas[s.Table]
	}
	for _, set := range p.Results {
		for _, c := range set.Columns {
			if c.Protected != nil {
				c.Protected.Schema = a.schemas[c.Protected.Table]
			}
		}
	}
}
