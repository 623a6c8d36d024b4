package sqlplan

// valueKind says what is known of a value's origin.
type valueKind uint8

const (
	valuePlain  valueKind = iota // nothing that matters
	valueStored                  // a column of a row of a protected table
	valueGiven                   // parameters and literals of the text
	valueNull                    // the constant NULL
	valueLoose                   // a protected value whose row is not in reach
	valueWhole                   // a whole row of an item
)

// value is the lineage of one value.
type value struct {
	kind valueKind
	// row is which row of the FROM item the value belongs to. Two values with
	// the same row stand in the same row.
	row *row
	// For valueStored and valueLoose: the table, the column's name there, and
	// the protected column, or nil for another column of the table.
	table  *Table
	name   string
	column *Column
	// term is the protected column whose terms the value is of.
	term *Column
	// For valueGiven: the expression for each row of the source.
	cells []Expr
	grown *int // the length of the array that cells begins, if they may be appended to
	// For valueNull: the expressions in the text, as far as it has them.
	nulls []Expr
	// For valueWhole.
	item *item
}

func (v value) protected() bool { return v.column != nil }

// row identifies a row of one item of one FROM clause. A row of a derived
// table, a CTE or a set operation refers to the rows within it.
type row struct {
	table *Table
	item  *item // where it can be named; nil for rows that are only compared
	inner *row
	// left and right are the branches of a set operation; nil where the
	// branch gives NULL.
	set         bool
	left, right *row
}

// column is one column of an item or of a query's output.
type column struct {
	name   string
	value  value
	hidden bool
	// shown is the name that the driver shows, if the server is given another.
	shown string
	// inPlace is what the driver shows in place of NULL, if it is not nil.
	inPlace *Literal
	// measure is what the driver shows of the value.
	measure Measure
}

// output is what a query or a RETURNING clause returns.
type output interface {
	// columns lists the columns; known is false if a star stands for columns
	// that the catalog does not know.
	columns() (list []*column, known bool)
	// expose returns a column that shows the source column of the row, adding
	// a hidden one if there is none, or nil if that cannot be done. With
	// fresh, an existing column does not do.
	expose(r *row, source string, fresh bool) *column
	// pad adds a hidden column of NULLs of a type, as a branch of a set
	// operation needs, or returns nil.
	pad(columnType string) *column
}

// item is an entry of a FROM clause.
type item struct {
	a      *analysis
	name   string // the alias, or the relation's name
	schema string // set for a relation without alias
	span   Span
	// aliases rename the first columns.
	aliases []string
	self    [1]*item // see items
	stored
	derived
}

// stored is the part of an item that is a relation: its rows lie in the database.
type stored struct {
	ref      *TableRef
	table    *Table // protected
	rel      *Relation
	asked    bool // the catalog was asked for rel
	row      *row
	cols     []*column
	closed   bool // cols lists every column
	excluded bool // EXCLUDED or MySQL's row alias
	function bool // a function: names of its columns must be qualified, unless cols has them
	// unnesting is set for rows of arrays.
	unnesting *unnesting
}

// derived is the part of an item that is a derived table, a CTE or a join with an alias.
type derived struct {
	out   output
	inner node // the join behind out
	rows  map[*row]*row
	outer map[*column]*column
}

// node is an entry of a FROM tree: an *item or a *joined.
type node interface {
	position() Span
	columns() (list []*column, known bool)
	find(name string, into []*column) []*column
	items() []*item
}

// columns lists the item's columns as SELECT * shows them.
func (it *item) columns() ([]*column, bool) {
	if it.out == nil {
		it.load()
		return it.visible(), it.closed
	}
	list, known := it.out.columns()
	mapped := make([]*column, 0, len(list)+2)
	for _, c := range list {
		mapped = append(mapped, it.mapped(c))
	}
	return mapped, known
}

// visible leaves out what SELECT * leaves out.
func (it *item) visible() []*column {
	if it.rel == nil {
		return it.cols
	}
	shown := it.cols[:0:0]
	for i, c := range it.cols {
		if i < len(it.rel.Columns) && it.rel.Columns[i].Invisible {
			continue
		}
		shown = append(shown, c)
	}
	return shown
}

// mapped returns the item's view of a column of its query.
func (it *item) mapped(c *column) *column {
	if m, ok := it.outer[c]; ok {
		return m
	}
	m := &column{name: c.name, value: c.value, hidden: c.hidden, shown: c.shown}
	m.value.row = it.rowFor(c.value.row)
	if it.outer == nil {
		it.outer = map[*column]*column{}
	}
	it.outer[c] = m
	return m
}

// rowFor returns the row that stands, in this item, for a row of its query.
func (it *item) rowFor(inner *row) *row {
	if inner == nil {
		return nil
	}
	if r, ok := it.rows[inner]; ok {
		return r
	}
	r := &row{table: inner.table, item: it, inner: inner}
	if it.rows == nil {
		it.rows = map[*row]*row{}
	}
	it.rows[inner] = r
	return r
}

// load asks the catalog for a relation's columns.
func (it *item) load() {
	if it.asked || it.ref == nil {
		return
	}
	it.asked = true
	it.rel = it.a.describe(it.ref.Schema, it.ref.Name)
	it.fill()
}

// fill builds the columns of a relation from the catalog and the policy.
func (it *item) fill() {
	it.cols, it.closed = nil, it.rel != nil && !it.rel.Incomplete
	if it.rel != nil {
		for _, rc := range it.rel.Columns {
			it.cols = append(it.cols, it.relationColumn(rc.Name))
		}
	}
	if it.table != nil {
		for _, c := range it.table.Columns {
			it.ensure(c.Name)
		}
		if it.rel == nil {
			for _, s := range it.table.Sources {
				it.ensure(s)
			}
		}
	}
	for i, alias := range it.aliases {
		if i < len(it.cols) && it.rel != nil {
			it.cols[i].name = alias
		}
	}
	if it.table != nil && it.rel != nil && len(it.aliases) > 0 {
		it.a.imply(it.rel, it.span)
	}
	if it.table != nil && it.rel == nil && len(it.aliases) > 0 {
		it.a.refuse(it.span, it.table.Name, "column aliases on a protected table that the catalog does not know", "leave out the column aliases")
	}
}

func (it *item) relationColumn(name string) *column {
	c := &column{name: name}
	if it.table != nil {
		c.value = value{kind: valueStored, row: it.row, table: it.table, name: name,
			column: it.a.protectedColumn(it.table, name, it.span), term: it.a.searched(it.table, name)}
		c.hidden = c.value.term != nil
	}
	return c
}

// ensure adds a column that the policy names and the catalog does not show.
// Views may lack columns.
func (it *item) ensure(name string) {
	for _, c := range it.cols {
		if it.a.d.SameColumn(c.value.name, name) {
			return
		}
	}
	if it.rel != nil && it.rel.View {
		return
	}
	it.cols = append(it.cols, it.relationColumn(name))
	it.closed = false
}

// find collects the columns of that name.
func (it *item) find(name string, into []*column) []*column {
	if it.out == nil && it.table == nil && !it.asked {
		return into // asked for only if it matters: see analysis.lookup
	}
	list := it.cols
	if it.out != nil {
		list, _ = it.columns()
	}
	for _, c := range list {
		if it.a.d.SameColumn(c.name, name) {
			into = append(into, c)
		}
	}
	return into
}

func (it *item) position() Span { return it.span }

func (j *joined) position() Span { return j.left.position() }

func (it *item) items() []*item {
	it.self[0] = it
	return it.self[:]
}

// text writes a reference to a column of the item.
func (it *item) text(name string) string {
	d := it.a.d
	switch {
	case it.name == "":
		return d.Quote(name)
	case it.schema != "":
		return d.Quote(it.schema) + "." + d.Quote(it.name) + "." + d.Quote(name)
	}
	return d.Quote(it.name) + "." + d.Quote(name)
}

// reach writes an expression, valid where the row's item is visible, for a
// source column of the row. It is empty if there is none.
func (a *analysis) reachText(r *row, source string) string {
	if r == nil || r.item == nil {
		return ""
	}
	it := r.item
	if it.out == nil {
		for _, c := range it.cols {
			if c.value.row == r && a.d.SameColumn(c.value.name, source) {
				return it.text(c.name)
			}
		}
		return ""
	}
	c := it.expose(r.inner, source)
	if c == nil {
		return ""
	}
	return it.text(c.name)
}

// expose returns the item's column that shows a source, under a name that is
// unique among the item's columns.
func (it *item) expose(inner *row, source string) *column {
	for _, fresh := range []bool{false, true} {
		c := it.out.expose(inner, source, fresh)
		if c == nil {
			return nil
		}
		if m := it.mapped(c); it.unique(m.name) && (it.name != "" || m.hidden) {
			return m
		}
	}
	return nil
}

// unique reports whether one column of the item has the name.
func (it *item) unique(name string) bool {
	return name != "" && len(it.find(name, nil)) == 1
}

// joined is a join of two nodes.
type joined struct {
	a           *analysis
	kind        JoinKind
	left, right node
	using       []string
	merged      map[string]*column
	list        []*item // see items
}

// columns lists merged columns first, then the rest of both sides.
func (j *joined) columns() ([]*column, bool) {
	first, knownFirst := j.left.columns()
	second, knownSecond := j.right.columns()
	known := knownFirst && knownSecond
	var list []*column
	switch {
	case len(j.using) == 0:
		return append(first[:len(first):len(first)], second...), known
	case j.a.d.PreservedSideFirst():
		if j.kind == JoinRight {
			first, second = second, first
		}
		for _, c := range first {
			if name, ok := j.mergedName(c.name); ok {
				list = append(list, j.merge(name))
			}
		}
		// MySQL swaps the sides of a RIGHT JOIN within a join with USING;
		// MariaDB does not.
		known = known && !swapped(j.left) && !swapped(j.right)
	default:
		for _, name := range j.using {
			list = append(list, j.merge(name))
		}
	}
	for _, side := range [][]*column{first, second} {
		for _, c := range side {
			if !j.isMerged(c.name) {
				list = append(list, c)
			}
		}
	}
	return list, known
}

// swapped reports whether a RIGHT JOIN without shared columns is in the tree.
func swapped(n node) bool {
	j, ok := n.(*joined)
	return ok && (j.kind == JoinRight && len(j.using) == 0 || swapped(j.left) || swapped(j.right))
}

// mergedName is the name, as USING writes it, of a column that is merged.
func (j *joined) mergedName(name string) (string, bool) {
	for _, u := range j.using {
		if j.a.d.SameColumn(u, name) {
			return u, true
		}
	}
	return "", false
}

func (j *joined) isMerged(name string) bool {
	_, ok := j.mergedName(name)
	return ok
}

// merge returns the column that USING makes of two.
func (j *joined) merge(name string) *column {
	if c, ok := j.merged[name]; ok {
		return c
	}
	c := &column{name: name}
	from := j.left
	if j.kind == JoinRight {
		from = j.right
	}
	if found := from.find(name, nil); len(found) == 1 && j.kind != JoinFull {
		c.value = found[0].value
	}
	if j.merged == nil {
		j.merged = map[string]*column{}
	}
	j.merged[name] = c
	return c
}

func (j *joined) find(name string, into []*column) []*column {
	if j.isMerged(name) {
		return append(into, j.merge(name))
	}
	return j.right.find(name, j.left.find(name, into))
}

func (j *joined) items() []*item {
	if j.list == nil {
		j.list = append(j.left.items(), j.right.items()...)
	}
	return j.list
}

// nameMerged gives the merged columns the alias of the USING clause. Stars without a
// qualifier do not repeat them.
func (j *joined) nameMerged(alias string) {
	it := &item{a: j.a, name: alias, span: j.position(), stored: stored{asked: true, function: true, closed: true}}
	for _, name := range j.using {
		it.cols = append(it.cols, j.merge(name))
	}
	j.list = append(j.items(), it)
}

// joinOutput is a join with an alias, seen as a query.
type joinOutput struct{ node node }

func (o *joinOutput) columns() ([]*column, bool) { return o.node.columns() }

// expose finds the source among the join's columns; none can be added.
func (o *joinOutput) expose(r *row, source string, fresh bool) *column {
	list, _ := o.node.columns()
	for _, c := range list {
		if !fresh && c.value.kind == valueStored && c.value.row == r && c.value.name == source {
			return c
		}
	}
	return nil
}

func (o *joinOutput) pad(string) *column { return nil }

// renamed gives the first columns of an output other names.
type renamed struct {
	a      *analysis
	out    output
	names  []string
	end    int // where the list of names ends
	mapped map[*column]*renaming
	walks  int
}

// renaming is what a column of the output became: one view for each place that it has,
// since a star that stands twice repeats its columns and each place has its own name.
type renaming struct {
	views []*column
	walk  int // the walk in which next counts
	next  int // of views
}

func (a *analysis) rename(out output, names []string, end int) output {
	if len(names) == 0 {
		return out
	}
	o := &renamed{a: a, out: out, names: names, end: end, mapped: map[*column]*renaming{}}
	a.renames = append(a.renames, o)
	return o
}

func (o *renamed) columns() ([]*column, bool) {
	list, known := o.out.columns()
	shown := make([]*column, len(list))
	o.walks++
	for i, c := range list {
		shown[i] = o.column(c, i)
	}
	return shown, known
}

// column returns the view of a column at its next place in this walk, which is i.
func (o *renamed) column(c *column, i int) *column {
	r := o.mapped[c]
	if r == nil {
		r = &renaming{}
		o.mapped[c] = r
	}
	if r.walk != o.walks {
		r.walk, r.next = o.walks, 0
	}
	if r.next == len(r.views) {
		view := *c
		if i < len(o.names) {
			view.name = o.names[i]
		}
		r.views = append(r.views, &view)
	}
	r.next++
	return r.views[r.next-1]
}

func (o *renamed) expose(r *row, source string, fresh bool) *column {
	return o.added(o.out.expose(r, source, fresh))
}

func (o *renamed) pad(columnType string) *column { return o.added(o.out.pad(columnType)) }

// added returns the renamed view of a column, and lengthens a list of names
// that must be complete.
func (o *renamed) added(c *column) *column {
	if c == nil {
		return nil
	}
	list, _ := o.out.columns()
	for i, x := range list {
		if x == c {
			return o.column(c, i)
		}
	}
	return nil
}

// complete lists the hidden columns that the query has got, where a list must name
// every column. One among those that the list names would shift the names.
func (o *renamed) complete() {
	list, _ := o.out.columns()
	for i, c := range list {
		switch {
		case !c.hidden:
		case i < len(o.names):
			o.a.refuse(Span{o.end, o.end}, "", "a list of column names over a star that needs hidden columns", "list the columns instead of *")
		case o.a.d.ExactAliasLists():
			o.a.insertText(o.end, ", "+o.a.d.Quote(c.name))
		}
	}
}
