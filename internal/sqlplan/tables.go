package sqlplan

import "slices"

// relationKind says what a name in FROM stands for.
type relationKind uint8

const (
	relationPlain relationKind = iota
	relationProtected
	relationView // a view of the policy
)

// relation decides what a table name stands for, CTEs aside. It refuses names
// that it cannot tell from a protected table's.
func (a *analysis) relation(t *TableRef) (relationKind, *Table) {
	if found := a.policyTable(t); found != nil {
		a.touched = true
		a.means(t, found)
		return relationProtected, found
	}
	if a.err != nil {
		return relationPlain, nil
	}
	for i := range a.p.rules.Views {
		v := &a.p.rules.Views[i]
		if a.sameRelation(t, v.Schema, v.Name) {
			a.touched = true
			a.resolveView(t, v)
			return relationView, v.Table
		}
	}
	for _, v := range a.p.rules.Views {
		if mayMean(t, v.Schema, v.Name) && !a.sameRelation(t, v.Schema, v.Name) {
			a.refuse(t.Span, v.Name, "a view whose name differs from one of the policy's only in case", "use the policy's spelling, or correct the policy")
			return relationPlain, nil
		}
	}
	for _, r := range a.reach.relations {
		if !mayMean(t, r.Schema, r.Name) {
			continue
		}
		a.touched = true
		if !r.View && slices.ContainsFunc(a.attaching, func(x Attachment) bool { return x.Child == t }) {
			continue // the statement was planned before: it makes the partition
		}
		if !r.View {
			a.refuse(t.Span, r.ReadsProtected, "a partition of a protected table, named directly", "name the table itself")
			return relationPlain, nil
		}
		if r.ReadsProtected == Unseen {
			a.refuse(t.Span, r.Name, "a view that could read a protected column: the account may not see its definition", "grant the account SHOW VIEW on it, or list it under views")
			return relationPlain, nil
		}
		a.refuse(t.Span, r.ReadsProtected, "a view that the policy does not list reads a protected column", "list it under views, or read the table")
		return relationPlain, nil
	}
	return relationPlain, nil
}

// sameRelation reports whether the reference may mean schema.name; an empty
// schema on either side means any.
func (a *analysis) sameRelation(t *TableRef, schema, name string) bool {
	if !a.d.SameTable(t.Name, name) {
		return false
	}
	return t.Schema == "" || schema == "" || a.d.SameTable(t.Schema, schema)
}

// mayMean is sameRelation in any server's folding.
func mayMean(t *TableRef, schema, name string) bool {
	return inDoubt(t.Name, name) && (t.Schema == "" || schema == "" || inDoubt(t.Schema, schema))
}

// policyTable returns the protected table that the name means.
func (a *analysis) policyTable(t *TableRef) *Table {
	var anywhere, exact *Table
	var elsewhere bool
	for _, c := range a.p.rules.Tables {
		if !a.d.SameTable(t.Name, c.Name) {
			if inDoubt(t.Name, c.Name) {
				a.refuse(t.Span, c.Name, "a table whose name differs from a protected table's only in case", "use the policy's spelling, or correct the policy")
				return nil
			}
			continue
		}
		switch {
		case c.Schema == "":
			anywhere = c
		case t.Schema == "":
			elsewhere = true
		case a.d.SameTable(t.Schema, c.Schema):
			exact = c
		case inDoubt(t.Schema, c.Schema):
			a.refuse(t.Span, c.Name, "a schema whose name differs from a protected table's schema only in case", "use the policy's spelling, or correct the policy")
			return nil
		}
	}
	if exact == nil && elsewhere {
		exact = a.inSearchPath(t, anywhere)
	}
	if exact == nil {
		return anywhere
	}
	return exact
}

// inSearchPath finds the schema-qualified table of the policy that an
// unqualified name means. A name that the catalog resolves to a schema without
// such a table is refused, since the connection's search path may have changed.
func (a *analysis) inSearchPath(t *TableRef, anywhere *Table) *Table {
	rel := a.describe("", t.Name)
	if a.err != nil {
		return nil
	}
	if rel != nil {
		for _, c := range a.p.rules.Tables {
			if a.d.SameTable(c.Name, t.Name) && c.Schema != "" && a.d.SameTable(c.Schema, rel.Schema) {
				a.resolve(t, rel.Schema)
				return c
			}
		}
		if anywhere != nil {
			a.resolve(t, rel.Schema) // it must not come to mean the table of the other schema
		}
	}
	if anywhere == nil {
		a.refuse(t.Span, t.Name, "an unqualified table name that the policy protects in another schema", "write schema.table")
	}
	return nil
}

// describe asks the catalog, once for each name of the text.
func (a *analysis) describe(schema, name string) *Relation {
	key := schema + "\x00" + name
	if rel, ok := a.relations[key]; ok {
		return a.asAltered(rel)
	}
	rel, err := a.p.catalog.Relation(a.ctx, schema, name)
	if err != nil && a.err == nil {
		a.err = err
	}
	if a.relations == nil {
		a.relations = map[string]*Relation{}
	}
	a.relations[key] = rel
	a.asked = append(a.asked, Asked{schema, name, rel})
	return a.asAltered(rel)
}

// object is the name of a protected column in messages.
func (c *Column) object() string { return c.Table.Name + "." + c.Name }

// protectedColumn returns the table's protected column of that name, or nil. A
// name that differs only in case is refused.
func (a *analysis) protectedColumn(t *Table, name string, at Span) *Column {
	for _, c := range t.Columns {
		if a.d.SameColumn(c.Name, name) {
			return c
		}
	}
	for _, c := range t.Columns {
		if inDoubt(c.Name, name) {
			a.refuse(at, c.object(), "a column whose name differs from a protected column's only in case", "use the policy's spelling, or correct the policy")
		}
	}
	return nil
}

// sourceIndex returns the place of a column in Table.Sources, or -1.
func (a *analysis) sourceIndex(t *Table, name string) int {
	for i, s := range t.Sources {
		if a.d.SameColumn(s, name) {
			return i
		}
	}
	return -1
}

// relationColumn returns the catalog's description of a column, or nil.
func (a *analysis) relationColumn(rel *Relation, name string) *RelationColumn {
	if rel == nil {
		return nil
	}
	for i := range rel.Columns {
		if a.d.SameColumn(rel.Columns[i].Name, name) {
			return &rel.Columns[i]
		}
	}
	return nil
}
