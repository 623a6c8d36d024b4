package sqlplan

// from builds the node for an entry of FROM. lat is the level being built:
// what LATERAL sees.
func (a *analysis) from(t TableExpr, lat *scope) node {
	switch t := t.(type) {
	case *TableRef:
		return a.tableItem(t, lat)
	case *Derived:
		around := lat
		if !t.Lateral {
			around = &scope{parent: lat.parent, ctes: lat.ctes}
		}
		a.nested++
		out := a.query(t.Query, around)
		a.nested--
		return &item{a: a, name: t.Alias, span: t.Span, derived: derived{out: a.rename(out, t.ColumnAliases, t.ColumnAliasesEnd)}}
	case *Join:
		return a.join(t, lat)
	case *TableFunction:
		return a.tableFunction(t, lat)
	}
	a.refuse(t.At(), "", "a table expression of an unknown form", "")
	return &item{a: a}
}

// tableItem builds the item for a named relation or CTE.
func (a *analysis) tableItem(t *TableRef, lat *scope) *item {
	it := &item{a: a, name: t.Alias, span: t.Span}
	if it.name == "" {
		it.name, it.schema = t.Name, t.Schema
	}
	if def := a.cte(lat, t.Name); def != nil && t.Schema == "" {
		it.out = a.rename(a.cteOutput(def, t), t.ColumnAliases, t.ColumnAliasesEnd)
		return it
	}
	a.bind(it, t)
	return it
}

// bind makes the item stand for a relation of the database.
func (a *analysis) bind(it *item, t *TableRef) {
	it.ref, it.aliases = t, t.ColumnAliases
	kind, table := a.relation(t)
	if kind == relationPlain {
		return
	}
	if t.Unsupported != "" {
		a.refuse(t.Span, table.Name, t.Unsupported+" on a protected table", "leave it out")
	}
	it.table = table
	it.row = &row{table: table, item: it}
	it.load()
	if it.rel == nil {
		it.fill()
	}
	a.checkView(it, t.Span)
}

// join builds a join and checks its conditions.
func (a *analysis) join(t *Join, lat *scope) node {
	left := a.from(t.Left, lat)
	seen := &scope{parent: lat.parent, ctes: lat.ctes, nodes: append(lat.nodes[:len(lat.nodes):len(lat.nodes)], left)}
	right := a.from(t.Right, seen)
	j := &joined{a: a, kind: t.Kind, left: left, right: right, using: t.Using}
	if t.Natural {
		j.using = a.common(t, left, right)
	}
	for _, name := range j.using {
		a.checkUsing(t, name, left, right)
	}
	if t.On != nil {
		a.check(t.On, &scope{parent: lat, ctes: lat.ctes, nodes: []node{left, right}}, "a join condition")
	}
	if t.Alias == "" {
		if t.UsingAlias != "" {
			j.nameMerged(t.UsingAlias)
		}
		return j
	}
	return &item{a: a, name: t.Alias, span: t.Span, derived: derived{out: a.rename(&joinOutput{j}, t.ColumnAliases, 0), inner: j}}
}

// common lists the columns that NATURAL joins on.
func (a *analysis) common(t *Join, left, right node) []string {
	l, knownLeft := left.columns()
	r, knownRight := right.columns()
	if (!knownLeft || !knownRight) && a.inReach(&scope{nodes: []node{left, right}}) {
		a.refuse(t.Span, "", "a NATURAL join of a protected table with one whose columns are not known", "join with ON or USING")
	}
	a.checkNatural(t, l, r)
	var names []string
	for _, x := range l {
		for _, y := range r {
			if a.d.SameColumn(x.name, y.name) && !x.hidden && !y.hidden {
				names = append(names, x.name)
				break
			}
		}
	}
	return names
}

// checkUsing refuses to join on a protected column.
func (a *analysis) checkUsing(t *Join, name string, left, right node) {
	for _, n := range []node{left, right} {
		for _, c := range n.find(name, nil) {
			if v := c.value; v.protected() && v.column.Term != nil {
				a.refuse(t.Span, v.column.object(), "a join with USING on a protected column", "write ON a."+name+" = b."+name)
			}
			a.forbid(c.value, t.Span, "a join on a protected column")
		}
	}
}

// tableFunction builds the item for a function in FROM.
func (a *analysis) tableFunction(t *TableFunction, lat *scope) node {
	a.checkRunsSQL(t.Name, t.Args, t.Span)
	for _, e := range t.Args {
		a.check(e, lat, "an argument of a function")
	}
	it := &item{a: a, name: t.Alias, span: t.Span, stored: stored{asked: true, function: true}}
	if it.name == "" {
		it.name = t.Name
	}
	names := t.ColumnAliases
	if len(t.Columns) > 0 {
		it.closed = true
		names = append(append([]string(nil), names...), t.Columns[min(len(names), len(t.Columns)):]...)
	}
	for _, name := range names {
		it.cols = append(it.cols, &column{name: name})
	}
	a.unnestItem(t, it)
	return it
}

// with puts the CTEs of a WITH clause in sight.
func (a *analysis) with(w *With, around *scope) *cteEnv {
	env := around.env()
	if w == nil {
		return env
	}
	defs := make([]*cteDef, len(w.CTEs))
	for i, c := range w.CTEs {
		defs[i] = &cteDef{cte: c, recursive: w.Recursive, around: around, ctes: env}
		env = &cteEnv{next: env, def: defs[i]}
	}
	for _, d := range defs {
		if w.Recursive {
			d.ctes = env // every CTE of the clause, itself included
		}
	}
	for _, d := range defs {
		a.defineCTE(d)
	}
	return env
}

// cteOutput returns what a reference to the CTE sees.
func (a *analysis) cteOutput(d *cteDef, at *TableRef) output {
	a.defineCTE(d)
	if d.out == nil {
		a.refuse(at.Span, "", "a CTE that refers to itself in an unknown way", "put its UNION outermost")
		return &fixedOutput{}
	}
	return d.out
}

// defineCTE analyses a CTE once. A reference to it from within finds what its
// non-recursive part returns.
func (a *analysis) defineCTE(d *cteDef) {
	if d.begun {
		return
	}
	d.begun = true
	sc := &scope{parent: d.around, ctes: d.ctes}
	a.nested++
	defer func() { a.nested-- }()
	var out output
	switch body := d.cte.Body.(type) {
	case *Query:
		out = a.queryOf(body, sc, d)
	case *Insert:
		out = a.insert(body, sc, false)
	case *Update:
		out = a.update(body, sc, false)
	case *Delete:
		out = a.delete(body, sc)
	case *Merge:
		out = a.merge(body, sc)
	default:
		a.refuse(d.cte.Span, "", "a CTE of an unknown form", "")
	}
	for _, e := range d.cte.Extra {
		a.checkNames(e, out, "a SEARCH or CYCLE clause")
	}
	d.out = a.cteColumns(d, out)
}

// cteColumns applies the CTE's column names and adds those of SEARCH and CYCLE.
func (a *analysis) cteColumns(d *cteDef, out output) output {
	if out == nil {
		out = &fixedOutput{}
	}
	out = a.rename(out, d.cte.Columns, d.cte.ColumnsEnd)
	if len(d.cte.ExtraColumns) == 0 {
		return out
	}
	extra := &extended{output: out}
	for _, name := range d.cte.ExtraColumns {
		extra.more = append(extra.more, &column{name: name})
	}
	return extra
}

// extended is an output with further plain columns at the end.
type extended struct {
	output
	more []*column
}

func (o *extended) columns() ([]*column, bool) {
	list, known := o.output.columns()
	return append(list[:len(list):len(list)], o.more...), known
}

// fixedOutput is an output to which no column of a row can be added. rows are those of
// a VALUES list.
type fixedOutput struct {
	list    []*column
	rows    []ValuesRow
	unnamed bool // see [Values]
}

func (o *fixedOutput) columns() ([]*column, bool)        { return o.list, true }
func (o *fixedOutput) expose(*row, string, bool) *column { return nil }
func (o *fixedOutput) pad(string) *column                { return nil }
