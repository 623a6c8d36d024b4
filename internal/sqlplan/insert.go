package sqlplan

import "slices"

// insertion is the state of planning one INSERT into a protected table.
type insertion struct {
	a     *analysis
	s     *Insert
	t     *target
	alone bool
	// names are the columns written, in order; index finds one.
	names []string
	// more are the columns that were added: see writeList.
	more []string
	// server are the context sources that the server makes.
	server *serverColumns
	// rowSeals are the seals of each row of Rows, or of branches.
	rowSeals sealsOfRows
	// rowTerms are the seals of each row's terms that depend on other columns of it.
	rowTerms sealsOfRows
	selection
	// chosen is a column of which an expression chooses the value.
	chosen *Column
	checking
	// targets are the columns of ON CONFLICT's target, "" for an expression.
	targets []string
	// proposed are, for a statement of one row, the row's sources.
	proposed pins
	// constants are the defaults that the rows get of columns which they do not write.
	constants map[*Column]string
}

// selection is what INSERT … SELECT takes its rows out of, as far as it is known.
type selection struct {
	// branches are the SELECTs, if each yields one row or none.
	branches []*Select
	// arrays are set if it is arrays alone.
	arrays *arrayRows
}

// sealsOfRows are the indexes of seals of each row.
type sealsOfRows [][]int

func (l *sealsOfRows) add(n int, seals ...int) {
	for len(*l) <= n {
		*l = append(*l, nil)
	}
	(*l)[n] = append((*l)[n], seals...)
}

func (l sealsOfRows) of(n int) []int {
	if n >= len(l) {
		return nil
	}
	return l[n]
}

// insert analyses INSERT and REPLACE. alone is true if it is the text's only
// statement.
func (a *analysis) insert(s *Insert, parent *scope, alone bool) output {
	a.writes = true
	sc := &scope{parent: parent, ctes: a.with(s.With, parent)}
	it := a.targetItem(s.Target)
	within := &scope{parent: parent, ctes: sc.ctes, nodes: []node{it}}
	for _, c := range s.Columns {
		a.checkAll(c.Subscripts, sc, "a subscript")
	}
	if s.Conflict != nil {
		a.checkSubscripts(s.Conflict.Set, within)
	}
	if it.table == nil {
		a.insertPlain(s, it, sc, within)
		return a.returningOutput(s.Returning, it, within)
	}
	in := &insertion{a: a, s: s, t: a.newTarget(it, within), alone: alone, constants: map[*Column]string{}}
	in.run(sc)
	out := a.returningOutput(s.Returning, it, within)
	if in.server != nil && out != nil {
		in.server.returned(out)
	}
	return out
}

// insertPlain analyses an INSERT into a table that the policy does not name.
func (a *analysis) insertPlain(s *Insert, it *item, sc, within *scope) {
	for _, r := range s.Rows {
		for _, e := range r.Values {
			a.plainValue(e, sc)
		}
	}
	if s.Query != nil {
		a.noProtected(a.query(s.Query, sc), s.Query.Span, "INSERT … SELECT stores a protected value out of its row", "select other columns")
	}
	if s.Conflict == nil {
		return
	}
	conflict := a.conflictScope(s, it, within, nil)
	for _, x := range s.Conflict.Set {
		a.plainValue(x.Value, conflict)
	}
	a.checkAll(s.Conflict.ColumnExprs, conflict, "a conflict target")
	a.checkAll(s.Conflict.Exprs, conflict, "a conflict target")
	a.check(s.Conflict.Where, conflict, "a WHERE clause")
}

// conflictScope is what the SET of an upsert sees: the target, and the row
// that was proposed.
// names are the columns that the INSERT writes, if they are known.
func (a *analysis) conflictScope(s *Insert, it *item, within *scope, names []string) *scope {
	sc := &scope{parent: within.parent, ctes: within.ctes, nodes: []node{it}}
	name := s.RowAlias
	if s.Conflict.Kind == ConflictDoUpdate {
		name = "excluded"
	}
	if name == "" {
		return sc
	}
	sc.nodes = append(sc.nodes, a.proposedItem(s, it, name, names))
	return sc
}

// proposedItem is EXCLUDED or MySQL's row alias.
func (a *analysis) proposedItem(s *Insert, it *item, name string, names []string) *item {
	p := &item{a: a, name: name, span: s.Conflict.Span, stored: stored{ref: s.Target, rel: it.rel, asked: it.asked, excluded: true}}
	if it.table != nil {
		p.table = it.table
		p.row = &row{table: it.table, item: p}
		p.fill()
	}
	if len(s.RowColumns) > 0 {
		p.aliased(s, names)
	}
	return p
}

// aliased gives the proposed row the columns that the statement writes, under
// the names that its list of aliases gives them, and no others.
func (p *item) aliased(s *Insert, names []string) {
	if p.table != nil && len(names) != len(s.RowColumns) {
		p.a.refuse(s.Conflict.Span, p.table.Name, "a list of column aliases for another number of columns than the row has", "name each column")
	}
	p.cols, p.closed, p.asked = nil, true, true
	for j, alias := range s.RowColumns {
		c := &column{name: alias}
		if j < len(names) {
			c.value = p.relationColumn(names[j]).value
		}
		p.cols = append(p.cols, c)
	}
}

func (in *insertion) run(sc *scope) {
	if !in.columns() {
		return
	}
	in.rowOfDefaults()
	in.rowOfSelect()
	in.server = newServerColumns(in)
	switch {
	case in.s.DefaultValues && len(in.s.Rows) == 0:
		in.omitted(nil, nil)
	case in.s.Query != nil:
		in.query(sc)
	default:
		in.rows(sc)
	}
	if in.a.err == nil && in.s.Conflict != nil {
		in.conflict()
	}
	in.server.finish()
	if in.a.err == nil && in.checks != nil && in.server.key == nil {
		in.a.take(in.checks, in.s.Span)
	}
	in.writeList()
}

// columns finds the columns that are written, and writes them into the text
// where it has no list: the table's shape may change before it is sent.
func (in *insertion) columns() bool {
	a, s := in.a, in.s
	for _, c := range s.Columns {
		if !c.Plain && (a.protectedColumn(in.t.table, c.Name, c.Span) != nil || a.sourceIndex(in.t.table, c.Name) >= 0) {
			a.refuse(c.Span, in.t.table.Name+"."+c.Name, "a part of a column that matters to the encryption is written", "write the column as a whole")
		}
		a.written(in.t.item, c.Name, c.Span)
		in.names = append(in.names, c.Name)
	}
	if len(s.Columns) > 0 || s.DefaultValues {
		return a.err == nil
	}
	width := in.width()
	if width == 0 {
		return a.err == nil // VALUES (): every column gets its default
	}
	rel := in.t.item.rel
	if rel == nil {
		a.refuse(s.Span, in.t.table.Name, "INSERT without a column list into a protected table that the catalog does not know", "list the columns")
		return false
	}
	for _, c := range rel.Columns {
		if !c.Invisible && a.searched(in.t.table, c.Name) == nil {
			in.names = append(in.names, c.Name)
		}
	}
	if width < 0 || width > len(in.names) {
		a.refuse(s.Span, in.t.table.Name, "INSERT into a protected table with more values than it has columns, or an unknown number", "list the columns")
		return false
	}
	a.imply(rel, s.Span)
	if width < len(in.names) && !a.d.NumberedPlaceholders() {
		a.refuse(s.Span, in.t.table.Name, "INSERT into a protected table with fewer values than it has columns, which the server rejects", "list the columns")
	}
	in.names = in.names[:width]
	return true
}

// width is how many values a row has, -1 if that is not known.
func (in *insertion) width() int {
	if in.s.Query == nil {
		if len(in.s.Rows) == 0 {
			return 0
		}
		return len(in.s.Rows[0].Values)
	}
	return queryWidth(in.s.Query)
}

// queryWidth counts a query's columns, -1 if a star is among them.
func queryWidth(q *Query) int {
	switch b := q.Body.(type) {
	case *Query:
		return queryWidth(b)
	case *SetOp:
		return queryWidth(b.Left)
	case *Values:
		if len(b.Rows) > 0 {
			return len(b.Rows[0].Values)
		}
	case *Select:
		for _, t := range b.Targets {
			switch e := t.Expr.(type) {
			case *ColumnRef:
				if e.Star {
					return -1
				}
			case *Field:
				if e.Star {
					return -1
				}
			}
		}
		return len(b.Targets)
	}
	return -1
}

// columnIndex returns the place of a column among those written, or -1.
func (in *insertion) columnIndex(name string) int {
	for i, n := range in.names {
		if in.a.d.SameColumn(n, name) {
			return i
		}
	}
	return -1
}

// rowOfSelect takes an upsert by a SELECT of parameters and literals for the row that it
// selects, where the texts of the two are alike (MySQL). Columns that neither values nor
// unique keys depend on may be computed of them.
func (in *insertion) rowOfSelect() {
	q := in.s.Query
	if q == nil || in.s.Conflict == nil || !in.a.d.ValuesSeeRow() || q.Parens {
		return
	}
	body, ok := q.Body.(*Select)
	if !ok || !q.everyRow(body) || len(body.From) > 0 || body.Into || body.TargetsEnd < 0 {
		return
	}
	row := ValuesRow{Span: body.Span, End: body.TargetsEnd, Selected: true}
	for j, t := range body.Targets {
		if !leaf(t.Expr) && !(in.unbound(j) && alone(t.Expr)) {
			return
		}
		row.Values = append(row.Values, t.Expr)
	}
	s := *in.s
	s.Query, s.Rows = nil, []ValuesRow{row}
	in.s = &s
}

// unbound reports whether the j-th column is not protected, no value is bound to it, and no
// unique key holds it.
func (in *insertion) unbound(j int) bool {
	if j >= len(in.names) || in.t.rel == nil {
		return false
	}
	name := in.names[j]
	is := func(column string) bool { return in.a.d.SameColumn(column, name) }
	return in.a.protectedColumn(in.t.table, name, in.s.Span) == nil && in.a.sourceIndex(in.t.table, name) < 0 && in.t.table.termOf(name) == nil &&
		!slices.ContainsFunc(in.t.rel.UniqueKeys, func(k UniqueKey) bool { return slices.ContainsFunc(k.Columns, is) })
}

// keyedBy reports whether the column's term is in the row key.
func (t *Table) keyedBy(c *Column) bool {
	return c.Term != nil && slices.Contains(t.RowKey, c.Term.Column)
}

// ignoresNull refuses an INSERT IGNORE without a value for a protected column of the row
// key: MySQL would store an empty term.
func (in *insertion) ignoresNull() {
	if !in.s.Ignore {
		return
	}
	for _, c := range in.t.table.Columns {
		if !in.t.table.keyedBy(c) {
			continue
		}
		j := in.columnIndex(c.Name)
		for _, r := range in.s.Rows {
			if j < 0 || j < len(r.Values) && isNull(r.Values[j]) {
				in.a.refuse(r.Span, c.object(), "INSERT IGNORE without a value for a protected column of the row key, in the place of which the server would store an empty term", "give it a value, or leave IGNORE out")
				return
			}
		}
	}
}

// written tells which protected columns the statement writes.
func (in *insertion) written() map[*Column]bool {
	w := map[*Column]bool{}
	for _, c := range in.t.table.Columns {
		if in.columnIndex(c.Name) >= 0 {
			w[c] = true
		}
	}
	return w
}

// rows plans INSERT … VALUES and INSERT … SET.
func (in *insertion) rows(sc *scope) {
	a := in.a
	written := in.written()
	in.omitted(written, nil)
	in.ignoresNull()
	terms := map[*Term][]*mirror{}
	sources := make([]pins, len(in.s.Rows))
	in.t.given = a.d.ValuesSeeRow()
	plain := in.valueScope(sc)
	for n, r := range in.s.Rows {
		if len(r.Values) != len(in.names) {
			a.refuse(r.Span, in.t.table.Name, "a row with another number of values than there are columns", "give each column a value")
			return
		}
		given := in.given(n, r)
		sources[n] = given
		if len(in.s.Rows) == 1 {
			in.proposed = given
		}
		for j, e := range r.Values {
			c := a.protectedColumn(in.t.table, in.names[j], e.At())
			if c == nil {
				a.plainValue(e, plain)
				continue
			}
			seals, mirrors := in.cell(n, c, e, given)
			in.rowSeals.add(n, seals...)
			for _, m := range mirrors {
				terms[m.term] = append(terms[m.term], m)
			}
		}
	}
	for _, c := range in.t.table.Columns {
		for term := range c.kept {
			if list := terms[term]; a.err == nil && len(list) == len(in.s.Rows) && len(list) > 0 {
				insertSite{in}.add(term.Column, func(n int, _ bool) []part { return list[n].parts() })
			}
		}
	}
	in.writeDefaults(sources)
	in.t.given = false
}

// valueScope is what an expression of VALUES sees: MySQL lets it refer to the
// row's other columns.
func (in *insertion) valueScope(sc *scope) *scope {
	if in.a.d.ValuesSeeRow() {
		return in.t.scope
	}
	return &scope{parent: sc.parent, ctes: sc.ctes, nodes: sc.nodes, writes: true}
}

// given lists what one row gives for the context sources.
func (in *insertion) given(n int, r ValuesRow) pins {
	a, p := in.a, newPins(in.t)
	for i := range in.t.table.Sources {
		j := in.sourceColumn(i)
		if j < 0 {
			in.server.omitted(p, n, i)
			continue
		}
		e := r.Values[j]
		if rc := in.server.column(i); rc != nil && rc.Generated && isDefault(e) {
			in.server.omitted(p, n, i)
			continue
		}
		if in.server.makes(e, i) {
			in.server.note(n, i, e)
			continue
		}
		if isNull(e) {
			p[i] = value{kind: valueNull}
			continue
		}
		if _, ok := a.operand(e, a.sourceType(in.t, i)); ok {
			p[i] = value{kind: valueGiven, cells: []Expr{e}}
		} else if in.server.computes(r, j, i) {
			in.server.note(n, i, e)
		}
	}
	return p
}

// sourceColumn returns where, among the columns written, a source gets its value: the
// index of the source itself, or of the protected column whose term it is; or -1.
func (in *insertion) sourceColumn(i int) int {
	name := in.t.table.Sources[i]
	if of := in.t.table.termOf(name); of != nil {
		name = of.Name
	}
	return in.columnIndex(name)
}

// cell seals one value of VALUES and returns the seals' indexes, and what its term will be.
func (in *insertion) cell(n int, c *Column, e Expr, given pins) (seals []int, mirrors []*mirror) {
	a := in.a
	mirrors = a.leaves(in.t, c, e, func(w written) {
		switch w.kind {
		case leafGiven, leafCells:
		case leafNull:
			return
		default:
			a.refuse(e.At(), c.object(), "a protected column is set from the row being inserted", "set it to a parameter, a literal or NULL")
			return
		}
		if !w.direct {
			in.chosen = c
		}
		for _, cell := range w.cells() {
			if s, ok := in.seal(c, TermUnused, cell, given, n); ok {
				seals = append(seals, a.sealCell(cell.expr, s, w.direct && !in.s.Rows[n].Selected))
			}
		}
	})
	for _, m := range mirrors {
		m.given = func(w written) part { return m.givenTerms(w, in.termHole(m, given, n)) }
	}
	return seals, mirrors
}

// termHole writes the term of a value of row n.
func (in *insertion) termHole(m *mirror, given pins, n int) func(cell cellOf, direct bool) part {
	return func(cell cellOf, direct bool) part {
		s, ok := in.seal(m.column, m.use, cell, given, n)
		if !ok {
			return textPart("NULL") // refused
		}
		s.NotNull = in.s.Ignore && direct && in.t.table.keyedBy(m.column)
		p := in.a.termHole(s, m.use, direct && !in.s.Rows[n].Selected)
		if len(m.term.Sources) > 0 {
			in.rowTerms.add(n, int(p.arg.Index))
		}
		return p
	}
}

// seal builds the seal of one cell of row n: of the value, or of its term.
func (in *insertion) seal(c *Column, use TermUse, cell cellOf, given pins, n int) (Seal, bool) {
	a := in.a
	v, ok := a.sealValue(c, cell.expr)
	if !ok || v.Kind == OperandNull {
		return Seal{}, false
	}
	operands := make([]Operand, len(in.t.table.Sources))
	for _, i := range c.draws(use) {
		if o, made := in.server.operand(n, i); made {
			operands[i] = o
			continue
		}
		o, ok := a.givenSource(in.t, i, cell, given)
		if !ok {
			in.refuseSource(c, i, cell.expr)
			return Seal{}, false
		}
		operands[i] = o
		operands[i].Written = true
		in.markAuto(&operands[i], i)
	}
	return Seal{Table: in.t.table, Column: c, Value: v, Sources: operands, Term: use}, true
}

// markAuto notes where the server would replace a value by one of its own.
func (in *insertion) markAuto(o *Operand, source int) {
	if rc := in.a.relationColumn(in.t.rel, in.t.table.Sources[source]); rc != nil && rc.AutoIncrement && !in.a.d.ZeroIsGiven() {
		o.NotZero = true
	}
}

func (in *insertion) refuseSource(c *Column, i int, at interface{ At() Span }) {
	hint := "give that column's value in the statement"
	if rc := in.server.column(i); rc != nil && rc.Generated {
		hint = "the server computes that column: insert the row with NULL and UPDATE it, or bind the values to the columns that it is computed of (row_key, context)"
	}
	if _, ok := at.(*Each); ok {
		hint = "take both out of arrays in one unnest, cast to the types of the columns: unnest($1::bigint[], $2::text[])"
	}
	in.a.refuse(at.At(), c.object(), "the value is bound to "+in.t.table.sourceName(i)+", which the statement does not give as a parameter or a literal", hint)
}

// sourceName is the name of a source in messages: a term is never named.
func (t *Table) sourceName(i int) string {
	if of := t.termOf(t.Sources[i]); of != nil {
		return of.object()
	}
	return t.Name + "." + t.Sources[i]
}

// query plans INSERT … SELECT: the protected values must be given ones.
func (in *insertion) query(sc *scope) {
	a := in.a
	out := a.query(in.s.Query, sc)
	if a.err != nil {
		return
	}
	written := in.written()
	in.branches, in.arrays = singleRows(in.s.Query), a.rowsOfArrays(in.s.Query, out)
	list, known := out.columns()
	if !known || len(list) != len(in.names) {
		a.refuse(in.s.Query.Span, in.t.table.Name, "INSERT … SELECT with another number of columns than the list, or an unknown one", "list the columns on both sides")
		return
	}
	given := in.givenColumns(list)
	in.omitted(written, given)
	if in.s.Conflict != nil {
		in.proposed = given
	}
	for j, col := range list {
		c := a.protectedColumn(in.t.table, in.names[j], in.s.Query.Span)
		if c == nil {
			if col.value.protected() {
				a.refuse(in.s.Query.Span, col.value.column.object(), "INSERT … SELECT stores a protected value out of its column", "read it and write it as a parameter")
			}
			a.usePlainly(col.value, in.s.Query.Span)
			continue
		}
		in.selected(c, col.value, given, out)
	}
	if len(in.branches) > 0 {
		in.writeDefaults(slices.Repeat([]pins{given}, len(in.branches)))
	} else {
		in.selectDefaults(given, out)
	}
}

// count is how many rows the statement inserts at the most, as far as the text
// shows.
func (in *insertion) count() int { return len(in.s.Rows) + len(in.branches) }

// singleRows lists the SELECTs of a query each of which yields one row or none,
// in the order of the rows; nil if one may yield more.
func singleRows(q *Query) []*Select {
	switch b := q.Body.(type) {
	case *Query:
		return singleRows(b)
	case *SetOp:
		left, right := singleRows(b.Left), singleRows(b.Right)
		if b.Kind != SetUnion || !b.All || left == nil || right == nil {
			return nil
		}
		return append(left, right...)
	case *Select:
		if len(b.From) == 0 && len(b.GroupBy) == 0 && b.Having == nil && b.TargetsEnd >= 0 && len(b.Targets) > 0 && !slices.ContainsFunc(b.Targets, growsRows) {
			return []*Select{b}
		}
	}
	return nil
}

func (in *insertion) givenColumns(list []*column) pins {
	given := newPins(in.t)
	for i := range in.t.table.Sources {
		j := in.sourceColumn(i)
		if j < 0 {
			for n := range in.branches {
				in.server.omitted(given, n, i)
			}
			if in.arrays != nil {
				in.server.omitted(given, 0, i)
			}
			continue
		}
		if in.s.Overriding == "user" && in.server.column(i) != nil && in.server.column(i).Identity != "" {
			continue // the server ignores what is given
		}
		v := list[j].value
		if v.kind == valueGiven || v.kind == valueNull {
			given[i] = v
		}
	}
	return given
}

// selected seals the values of one column of a SELECT.
func (in *insertion) selected(c *Column, v value, given pins, out output) {
	a := in.a
	mirrors := a.newMirrors(in.t, c, nil)
	switch v.kind {
	case valueNull:
		for _, m := range mirrors {
			m.placed = true // the term's default is NULL
			a.defaultIsNull(in.t, c, in.s.Query.Span, m.term.Column)
		}
		return
	case valueGiven:
	default:
		a.refuse(in.s.Query.Span, c.object(), "INSERT … SELECT fills a protected column with values that the server holds", "read the rows and insert them with parameters")
		return
	}
	w := written{kind: leafCells, value: &v}
	for _, cell := range w.cells() {
		if isNull(cell.expr) {
			continue
		}
		if !leaf(cell.expr) && !isEach(cell.expr) {
			a.refuse(cell.expr.At(), c.object(), "a protected column is set to something that the server computes", "set it to a parameter, a literal or NULL")
			return
		}
		s, ok := in.seal(c, TermUnused, cell, given, cell.n)
		if !ok {
			return
		}
		in.rowSeals.add(cell.n, a.sealCell(cell.expr, s, false))
	}
	for _, m := range mirrors {
		in.selectedTerms(m, v, given, out)
	}
}

// selectedTerms adds a column of terms to the SELECT.
func (in *insertion) selectedTerms(m *mirror, v value, given pins, out output) {
	if m.placed = true; !m.writable() {
		return
	}
	cells := written{kind: leafCells, value: &v}.cells()
	if !in.grows(out, v, func(n int) part { return m.cellTerm(cells[n], in.termHole(m, given, n)) }) {
		m.refuseGrowth(in.s.Query)
		return
	}
	in.aliased(m.term.Column)
	in.more = append(in.more, m.term.Column)
}
