package sqlplan

import "slices"

// This file carries what a statement does to a table's columns on to the statements behind it
// in the same text: a migration adds a column, fills it and makes an index. The catalog shows
// the table as it is before the text.

// alter notes the columns that a statement adds to its first relation, renames or drops.
func (a *analysis) alter(u *Utility) {
	if len(u.Relations) == 0 || u.Temporary || a.err != nil || len(a.script.Statements) < 2 {
		return
	}
	ref := u.Relations[0]
	if len(u.Moves) == 0 && !slices.ContainsFunc(u.Definitions, func(d *Definition) bool { return d.Kind == DefineColumn }) {
		return
	}
	rel := a.describe(ref.Schema, ref.Name)
	if rel == nil || rel.View {
		return
	}
	next := *rel
	next.Columns = slices.Clone(rel.Columns)
	a.renameColumns(u, &next)
	for _, d := range u.Definitions {
		switch d.Kind {
		case DefineColumn:
			a.addColumn(u, &next, d)
		case DefineDrop:
			next.Columns = slices.DeleteFunc(next.Columns, func(c RelationColumn) bool { return a.d.SameColumn(c.Name, d.Column) })
		}
	}
	if a.altered == nil {
		a.altered = map[string]*Relation{}
	}
	a.altered[next.Schema+"\x00"+next.Name] = &next
}

// asAltered is the relation as earlier statements of the text leave it.
func (a *analysis) asAltered(rel *Relation) *Relation {
	if rel == nil {
		return nil
	}
	if next := a.altered[rel.Schema+"\x00"+rel.Name]; next != nil {
		return next
	}
	return rel
}

// addColumn adds what the definition makes, unless the table has it. A column that values are
// bound to stays unknown, and so does a protected column with a default: the statements that
// need to know more of it are refused.
func (a *analysis) addColumn(u *Utility, rel *Relation, def *Definition) {
	if a.relationColumn(rel, def.Column) != nil {
		return
	}
	kind, t := a.relation(u.Relations[0])
	if kind != relationProtected {
		rel.Columns = append(rel.Columns, RelationColumn{Name: def.Column, Type: def.TypeName})
		return
	}
	c := a.protectedColumn(t, def.Column, def.Span)
	switch {
	case a.sourceIndex(t, def.Column) >= 0:
	case c == nil:
		rel.Columns = append(rel.Columns, RelationColumn{Name: def.Column, Type: def.TypeName})
	case a.p.rules.DDL == DDLRewrite && (def.Default == nil || def.Default.Null):
		rel.Columns = append(rel.Columns, RelationColumn{Name: def.Column, Type: a.d.StorageType(c)})
		for term := range c.kept {
			if a.relationColumn(rel, term.Column) == nil {
				rel.Columns = append(rel.Columns, RelationColumn{Name: term.Column, Type: a.d.TermType(term)})
			}
		}
	}
}

// renameColumns gives the columns that the statement renames their new names. On Postgres a
// column is renamed by a statement that names no other.
func (a *analysis) renameColumns(u *Utility, rel *Relation) {
	lists := [][]string{u.Columns}
	for _, d := range u.Definitions {
		lists = append(lists, d.Renamed)
	}
	for _, names := range lists {
		if len(names) == 2 && slices.ContainsFunc(u.Moves, func(moved string) bool { return a.d.SameColumn(moved, names[0]) }) {
			if c := a.relationColumn(rel, names[0]); c != nil {
				c.Name = names[1]
			}
		}
	}
}

// imply notes that the statement takes the table's columns from the catalog.
func (a *analysis) imply(rel *Relation, at Span) {
	if a.altered[rel.Schema+"\x00"+rel.Name] == rel {
		a.refuse(at, rel.Name, "the columns of a protected table that an earlier statement of the text alters", "list the columns, or send the statement by itself")
		return
	}
	a.implied = append(a.implied, rel)
}
