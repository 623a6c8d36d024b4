package sqlplan

// checkView refuses a view of the policy that shows a protected column under
// another name, or another value under a protected column's name: what is written
// through it would go in clear.
func (a *analysis) checkView(it *item, at Span) {
	if it.rel == nil || !it.rel.View || it.rel.Definition == "" || a.err != nil {
		return
	}
	shown, ok := a.viewColumns(it.rel)
	if !ok {
		return // its columns count by their names
	}
	for i, v := range shown {
		named := a.protectedColumn(it.table, it.rel.Columns[i].Name, at)
		switch {
		case v.kind == valueNull:
		case v.protected() && named != nil && named.Name == v.column.Name && v.table == it.table:
		case v.protected():
			a.refuse(at, v.column.object(), "a view of the policy shows a protected column under another name", "make the view with the column's own name")
		case named != nil:
			a.refuse(at, named.object(), "a view of the policy shows another value under a protected column's name", "make the view with the column itself")
		}
	}
}

// viewColumns traces the columns of a view through its definition. It reports false
// where they cannot be told.
func (a *analysis) viewColumns(rel *Relation) ([]value, bool) {
	script, err := a.p.parse(rel.Definition)
	if err != nil || len(script.Statements) != 1 {
		return nil, false
	}
	q, ok := script.Statements[0].(*Query)
	if !ok {
		return nil, false
	}
	inner := &analysis{ctx: a.ctx, surroundings: surroundings{view: true}, p: a.p, d: a.d, reach: &reaching{}, text: rel.Definition, script: script}
	list, known := inner.query(q, nil).columns()
	if inner.err != nil || !known || len(list) != len(rel.Columns) {
		return nil, false
	}
	values := make([]value, len(list))
	for i, c := range list {
		values[i] = c.value
	}
	return values, true
}
