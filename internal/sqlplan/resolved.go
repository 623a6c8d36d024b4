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
