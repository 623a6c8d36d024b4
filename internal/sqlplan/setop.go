package sqlplan

import (
	"cmp"
	"slices"
)

// setOutput is what UNION, INTERSECT or EXCEPT returns.
type setOutput struct {
	a           *analysis
	op          *SetOp
	left, right output
	pairs       map[[2]*row]*row
	// partners are rows of the branches that a column pairs, by either.
	partners map[*row]*row
	// beside are the rows of a branch whose protected values stand beside NULL.
	beside map[*row]bool
	zipped map[[2]*column]*column
	// list are the columns as of the last refresh, and known says whether they are all.
	list  []*column
	known bool
}

// setOperation analyses both branches. def is the recursive CTE that the
// operation is the body of, if any.
func (a *analysis) setOperation(op *SetOp, sc *scope, def *cteDef) output {
	o := &setOutput{a: a, op: op, pairs: map[[2]*row]*row{}, partners: map[*row]*row{}, beside: map[*row]bool{}, zipped: map[[2]*column]*column{}}
	o.left = a.query(op.Left, sc)
	var around *recursion
	if def != nil && def.recursive && def.out == nil {
		around = a.recursion(def, o.left)
		def.out = around
	}
	o.right = a.query(op.Right, sc)
	if around != nil {
		o.checkRecursion(around)
	}
	if op.Kind != SetUnion || !op.All {
		a.comparable(o, op.Span, "a set operation that compares a protected column")
	}
	o.refresh() // refuses branches that do not fit
	return o
}

func (o *setOutput) columns() ([]*column, bool) {
	if inner, ok := o.left.(*setOutput); ok {
		inner.columns()
	}
	o.refresh()
	return o.list, o.known
}

// refresh brings the columns up to date with the branches. A left branch that is a
// set operation too is up to date: a chain of them takes a walk through all
// only where columns is called.
func (o *setOutput) refresh() {
	o.a.tick()
	var left []*column
	var knownLeft bool
	if inner, ok := o.left.(*setOutput); ok {
		left, knownLeft = inner.list, inner.known
	} else {
		left, knownLeft = o.left.columns()
	}
	right, knownRight := o.right.columns()
	o.known = knownLeft && knownRight
	if !o.known && (anyProtected(left) || anyProtected(right)) {
		o.a.refuse(o.op.Span, "", "a set operation over a star whose columns are not known", "list the columns")
	}
	list := make([]*column, min(len(left), len(right)))
	for i := range list {
		o.notePartners(left[i].value, right[i].value)
	}
	for i := range list {
		list[i] = o.zip(left[i], right[i])
	}
	o.list = list
}

// notePartners notes which rows a column pairs, before any is merged: the row of a value
// beside NULL is the one that the other columns say.
func (o *setOutput) notePartners(l, r value) {
	switch {
	case l.kind == valueStored && o.sameSource(l, r):
		if o.partners[l.row] == nil && o.partners[r.row] == nil {
			o.partners[l.row], o.partners[r.row] = r.row, l.row
		}
	case l.kind == valueStored && l.protected() && r.kind == valueNull:
		o.beside[l.row] = true
	case r.kind == valueStored && r.protected() && l.kind == valueNull:
		o.beside[r.row] = true
	}
}

func (o *setOutput) zip(l, r *column) *column {
	if c, ok := o.zipped[[2]*column{l, r}]; ok {
		return c
	}
	if l.hidden != r.hidden {
		o.a.refuse(o.op.Span, "", "a set operation whose branches need hidden columns in different places", "list the columns instead of *")
	}
	c := &column{name: l.name, hidden: l.hidden, shown: l.shown, value: o.merge(l.value, r.value)}
	o.zipped[[2]*column{l, r}] = c
	return c
}

// join appends the cells of another branch. A chain of branches shares one array
// that grows: the value whose cells reach its end may append in place.
func (v *value) join(r value) {
	if v.grown == nil || *v.grown != len(v.cells) {
		own := make([]Expr, len(v.cells), 2*(len(v.cells)+len(r.cells)))
		copy(own, v.cells)
		v.cells, v.grown = own, new(int)
	}
	v.cells = append(v.cells, r.cells...)
	*v.grown = len(v.cells)
}

// merge combines the lineage of both branches' values.
func (o *setOutput) merge(l, r value) value {
	switch {
	case l.kind == valueNull && r.kind == valueNull:
		l.nulls = slices.Concat(l.nulls, r.nulls)
		return l
	case l.protected() || r.protected():
		return o.mergeProtected(l, r)
	case l.term != nil || r.term != nil:
		return o.mergeTerms(l, r)
	case l.kind == valueGiven && r.kind == valueGiven && o.op.All && o.op.Kind == SetUnion:
		l.join(r)
		l.row = o.pair(l.row, r.row)
		return l
	case l.kind == valueStored && (r.kind == valueNull || o.sameSource(l, r)), l.kind == valueNull && r.kind == valueStored:
		return o.stored(l, r)
	}
	o.a.usePlainly(l, o.op.Span)
	o.a.usePlainly(r, o.op.Span)
	// Where one branch has NULL in the place of the other's protected values, that other
	// branch alone says which row a value is of.
	switch {
	case l.kind == valueStored && o.beside[l.row]:
		l.row = o.pair(l.row, nil)
		return l
	case r.kind == valueStored && o.beside[r.row]:
		r.row = o.pair(nil, r.row)
		return r
	}
	return value{}
}

func (o *setOutput) sameSource(l, r value) bool {
	return r.kind == valueStored && l.table == r.table && o.a.d.SameColumn(l.name, r.name)
}

func (o *setOutput) stored(l, r value) value {
	v := l
	if l.kind == valueNull {
		v = r
	}
	v.row = o.pair(l.row, r.row)
	return v
}

func (o *setOutput) mergeProtected(l, r value) value {
	c := l.column
	if c == nil {
		c = r.column
	}
	if l.kind != valueNull && r.kind != valueNull && l.column != r.column {
		o.a.refuse(o.op.Span, c.object(), "a set operation that mixes a protected column with other values", "select the same column in every branch")
		return value{}
	}
	o.typeNulls(c, l.nulls, true)
	o.typeNulls(c, r.nulls, false)
	v := o.stored(l, r)
	if l.kind == valueLoose || r.kind == valueLoose {
		v.kind, v.row = valueLoose, nil
	}
	return v
}

// typeNulls gives NULLs the type of the ciphertexts that they stand beside, where the
// server does not find it in the other branch: several NULLs that were merged are text,
// and a cast says another type. The first names the column, and is left alone if a cast
// would name it otherwise.
func (o *setOutput) typeNulls(c *Column, nulls []Expr, naming bool) {
	typed := o.a.d.TypedNull(o.a.shownType(c))
	for i, e := range nulls {
		span, text := e.At(), typed
		_, bare := e.(*Null)
		switch {
		case typed == "NULL", o.a.typed[span], span.Start == span.End, bare && len(nulls) == 1, !bare && naming && i == 0:
			continue
		case naming && i == 0:
			text = "NULL || " + typed // has no name, as NULL has none
		}
		if o.a.typed == nil {
			o.a.typed = map[Span]bool{}
		}
		o.a.typed[span] = true
		o.a.replace(span, textPart(text))
	}
}

// shownType is the server's type of a protected column as a result shows it.
func (a *analysis) shownType(c *Column) string {
	switch {
	case c.Of == nil && c.Paths == nil:
		return a.d.StorageType(c)
	case c.Text:
		return "text"
	case c.Of != nil:
		c = c.Of
	}
	return a.columnType(c.Table, c.Name)
}

// pair returns the row that stands for a row of each branch. A branch that gives NULL
// has the row that other columns pair.
func (o *setOutput) pair(l, r *row) *row {
	switch {
	case r == nil && l != nil:
		r = o.partners[l]
	case l == nil && r != nil:
		l = o.partners[r]
	}
	key := [2]*row{l, r}
	if p, ok := o.pairs[key]; ok {
		return p
	}
	p := &row{set: true, left: l, right: r}
	for _, x := range key {
		if x != nil {
			p.table = x.table
		}
	}
	o.pairs[key] = p
	return p
}

func (o *setOutput) expose(r *row, source string, fresh bool) *column {
	if !r.set {
		return nil
	}
	if !fresh {
		for _, c := range o.list {
			if c.value.kind == valueStored && c.value.row == r && o.a.d.SameColumn(c.value.name, source) {
				return c
			}
		}
	}
	left := o.branch(o.left, r.left, r.table, source)
	if left == nil {
		return nil
	}
	return o.zippedWith(left, o.branch(o.right, r.right, r.table, source))
}

// branch adds a hidden column to one side.
func (o *setOutput) branch(out output, r *row, t *Table, source string) *column {
	if r == nil {
		return out.pad(o.a.columnType(t, source))
	}
	return out.expose(r, source, true)
}

func (o *setOutput) pad(columnType string) *column {
	left := o.left.pad(columnType)
	if left == nil {
		return nil
	}
	return o.zippedWith(left, o.right.pad(columnType))
}

func (o *setOutput) zippedWith(left, right *column) *column {
	if right == nil {
		o.a.refuse(o.op.Span, "", "a set operation whose branches cannot show the row key", "select the row key in every branch")
		return nil
	}
	o.refresh()
	c := o.zipped[[2]*column{left, right}]
	if c == nil {
		o.a.refuse(o.op.Span, "", "a set operation whose branches need hidden columns in different places", "list the columns instead of *")
	}
	return c
}

// columnType is the catalog's type of a table's column, or "".
func (a *analysis) columnType(t *Table, name string) string {
	if t == nil {
		return ""
	}
	if rc := a.relationColumn(a.describe(cmp.Or(t.Schema, a.schemas[t]), t.Name), name); rc != nil {
		return rc.Type
	}
	return ""
}

// values analyses VALUES as a query.
func (a *analysis) values(v *Values, sc *scope) output {
	out := &fixedOutput{rows: v.Rows, unnamed: v.Unnamed}
	if len(v.Rows) == 0 {
		return out
	}
	if v.Unnamed {
		a.rowLists = append(a.rowLists, Span{v.Rows[0].Start, v.Rows[len(v.Rows)-1].Span.End})
	}
	r := &row{}
	for j := range v.Rows[0].Values {
		c := &column{value: value{kind: valueGiven, row: r}}
		if !v.Unnamed {
			c.name = a.d.ValuesColumn(j)
		}
		for _, given := range v.Rows {
			if j < len(given.Values) {
				c.value.cells = append(c.value.cells, given.Values[j])
			}
		}
		out.list = append(out.list, c)
	}
	for _, given := range v.Rows {
		for _, e := range given.Values {
			if !leaf(e) {
				a.check(e, sc, "a VALUES list")
			}
		}
	}
	return out
}

// mergeTerms combines the lineage of terms that a set operation returns.
func (o *setOutput) mergeTerms(l, r value) value {
	c := l.term
	if c == nil {
		c = r.term
	}
	x := &searching{a: o.a, column: c, match: &match{at: o.op.Span}, s: &scope{}}
	for _, v := range []value{l, r} {
		if v.term != c {
			x.returned(o.op.Span, v)
		}
	}
	v := l
	if l.term == nil {
		v = r
	}
	v.row = o.pair(l.row, r.row)
	return v
}
