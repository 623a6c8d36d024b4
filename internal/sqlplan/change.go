package sqlplan

import "slices"

// This file holds what INSERT, UPDATE, DELETE and MERGE share.

// targetItem builds the item for the relation that a statement writes to. It
// is never a CTE.
func (a *analysis) targetItem(t *TableRef) *item {
	it := &item{a: a, name: t.Alias, span: t.Span}
	if it.name == "" {
		it.name, it.schema = t.Name, t.Schema
	}
	a.bind(it, t)
	return it
}

// returningOutput analyses RETURNING.
func (a *analysis) returningOutput(r *Returning, target *item, sc *scope) output {
	if r == nil {
		return nil
	}
	for _, name := range []string{r.Old, r.New} {
		if name != "" && target != nil {
			sc.versions = append(sc.versions, target.version(name))
		}
	}
	out := &selectOutput{a: a, end: r.TargetsEnd, first: len(r.Targets) == 0, direct: a.nested == 0}
	a.targets(out, r.Targets, sc, a.nested == 0, nil)
	return out
}

// version is the target's row as RETURNING's old and new name it.
func (it *item) version(name string) *item {
	v := &item{a: it.a, name: name, span: it.span, stored: stored{ref: it.ref, rel: it.rel, asked: it.asked, table: it.table, excluded: true}}
	if it.table != nil {
		v.row = &row{table: it.table, item: v}
	}
	if it.asked {
		v.fill()
	}
	return v
}

// checkSubscripts checks the subscripts of assigned columns.
func (a *analysis) checkSubscripts(set []Assignment, sc *scope) {
	for _, s := range set {
		for _, c := range s.Columns {
			a.checkAll(c.Subscripts, sc, "a subscript")
		}
	}
}

// namedAlike notes the values that a source of rows gives under the name of a
// protected column: each is to be sealed.
func (a *analysis) namedAlike(t *Table, source node) {
	if t == nil {
		return
	}
	list, _ := source.columns()
	for _, c := range list {
		if c.value.kind != valueGiven {
			continue
		}
		for _, p := range t.Columns {
			if !a.d.SameColumn(p.Name, c.name) {
				continue
			}
			for _, e := range c.value.cells {
				if isNull(e) {
					continue
				}
				a.alike = append(a.alike, alike{e.At(), p})
			}
		}
	}
}

// plainValue checks a value that is written to a column that the policy does
// not name.
func (a *analysis) plainValue(e Expr, sc *scope) {
	if e == nil || leaf(e) {
		return
	}
	if _, ok := e.(*Default); ok {
		return
	}
	if r, ok := e.(*ValuesRef); ok {
		e = &ColumnRef{Span: r.Span, Name: r.Column}
	}
	if c, ok := e.(*ColumnRef); ok && !c.Star {
		v := a.lookup(c, sc)
		if v.protected() {
			a.refuse(c.Span, v.column.object(), "a protected value is stored outside its column", "read it and seal it where it belongs")
			return
		}
		a.useValue(v, c.Span, use{})
		return
	}
	a.check(e, sc, "a value that is written")
}

// cellOf is one given value that a leaf stands for, and which row of its
// source it is in.
type cellOf struct {
	expr Expr
	row  *row // nil for a value that stands by itself
	n    int  // its place among the cells of row
	only bool // the source has one row
}

// cells lists the values that a leaf stands for.
func (w written) cells() []cellOf {
	if w.kind == leafGiven {
		return []cellOf{{expr: w.expr, only: true}}
	}
	list := make([]cellOf, len(w.value.cells))
	for i, e := range w.value.cells {
		list[i] = cellOf{expr: e, row: w.value.row, n: i, only: len(w.value.cells) == 1}
	}
	return list
}

// sources returns the operands of the sources that one cell of the column draws on. given
// says what the statement gives for each source; missing is the first source
// for which there is nothing.
func (a *analysis) sources(t *target, c *Column, use TermUse, cell cellOf, given pins) (operands []Operand, missing int, ok bool) {
	operands = make([]Operand, len(t.table.Sources))
	for _, i := range c.draws(use) {
		o, ok := a.givenSource(t, i, cell, given)
		if !ok {
			return nil, i, false
		}
		operands[i] = o
	}
	return operands, 0, true
}

// givenSource returns the operand of one source for the row of a cell.
func (a *analysis) givenSource(t *target, i int, cell cellOf, given pins) (Operand, bool) {
	v, known := given.get(i)
	if !known || len(v.cells) > 1 && (cell.row == nil || v.row != cell.row) {
		return Operand{}, false
	}
	if e := eachCell(v, cell.n); e != nil {
		return a.eachSource(t, i, cell, v, e)
	}
	return a.sourceOperand(t, i, v, cell.n)
}

// sealValue returns the operand of a value that is to be sealed.
func (a *analysis) sealValue(c *Column, e Expr) (Operand, bool) {
	o, ok := a.givenOperand(e, "")
	if !ok {
		a.refuse(e.At(), c.object(), "a protected column is set to a value under a cast that may change it", "leave the cast out")
	}
	if o.Kind == OperandLiteral {
		if o.Literal, ok = o.Literal.stored(c.Type, a.d.LooseLiterals()); !ok {
			a.refuse(e.At(), c.object(), "a protected column is set to a number that the server writes in its own way", "pass the value as a parameter")
		}
	}
	o.NullIf = a.nullIfs[e]
	return o, ok
}

// assignments are the SET entries of one protected table.
type assignments struct {
	protected map[*Column]Assignment
	sources   map[int]Assignment
}

// sortAssignments tells which entries of SET write protected columns and
// context sources of the target, and checks the others.
func (a *analysis) sortAssignments(t *target, set []Assignment, owns func(AssignTarget) bool) assignments {
	out := assignments{protected: map[*Column]Assignment{}, sources: map[int]Assignment{}}
	for _, s := range set {
		for _, c := range s.Columns {
			if !owns(c) {
				continue
			}
			p := a.protectedColumn(t.table, c.Name, c.Span)
			i := a.sourceIndex(t.table, c.Name)
			if p == nil {
				a.computes(t, c)
				a.namesTerm(t.table, c.Name, c.Span)
			}
			if p == nil && i < 0 {
				a.written(t.item, c.Name, c.Span)
				continue
			}
			object := t.table.Name + "." + c.Name
			switch {
			case !c.Plain:
				a.refuse(c.Span, object, "a part of a column that matters to the encryption is set", "set the column as a whole")
			case len(s.Columns) > 1:
				a.refuse(c.Span, object, "a row assignment that cannot be taken apart sets a protected column or its row key", "assign each column by itself")
			case p != nil:
				if _, twice := out.protected[p]; twice {
					a.refuse(c.Span, object, "a protected column is set twice", "set it once")
				}
				out.protected[p] = s
			default:
				if _, twice := out.sources[i]; twice {
					a.refuse(c.Span, object, "a column of the row key is set twice", "set it once")
				}
				out.sources[i] = s
			}
		}
	}
	return out
}

// computes refuses assignments to a column that a generated context source depends
// on: the stored values would not open in their row afterwards.
func (a *analysis) computes(t *target, c AssignTarget) {
	rel := t.item.rel
	if rel != nil && rel.View {
		rel = a.describe(t.table.Schema, t.table.Name)
	}
	for _, s := range t.table.Sources {
		rc := a.relationColumn(rel, s)
		if rc != nil && rc.Generated && (rc.Expression == "" || rc.names(c.Name)) {
			a.refuse(c.Span, t.table.Name+"."+s, "a generated column that protected values are bound to would change", "delete the row and insert it anew, or bind the values to a column that is not generated")
		}
	}
}

// written refuses to write a column that a protected table does not have: its
// value may be meant for a protected column.
func (a *analysis) written(it *item, name string, at Span) {
	if it.table != nil {
		a.namesTerm(it.table, name, at)
	}
	if it.table != nil && it.rel != nil && !it.rel.Incomplete && a.relationColumn(it.rel, name) == nil {
		a.refuseAbsent(at, it.table.Name)
	}
}

// namesTerm refuses to write a column that holds equality terms.
func (a *analysis) namesTerm(t *Table, name string, at Span) {
	if c := a.searched(t, name); c != nil {
		a.refuse(at, c.object(), "a column that holds the equality terms of a protected column is named", hintTerm)
	}
}

// plainAssignments checks the entries of SET that are not in one of the maps.
func (a *analysis) plainAssignments(set []Assignment, sc *scope, special func(Assignment) bool) {
	for _, s := range set {
		if !special(s) {
			a.plainValue(s.Value, sc)
		}
	}
}

// affected reports whether the column's context, or its term, draws on a changed source.
func affected(c *Column, changed map[int]bool) bool {
	drawn := c.Reads()
	if c.Term != nil {
		drawn = append(drawn, c.Term.Sources...)
	}
	return slices.ContainsFunc(drawn, func(i int) bool { return changed[i] })
}

// delete analyses DELETE.
func (a *analysis) delete(s *Delete, parent *scope) output {
	a.writes = true
	sc := &scope{parent: parent, ctes: a.with(s.With, parent)}
	if !s.TargetsInFrom {
		for _, t := range s.Targets {
			sc.nodes = append(sc.nodes, a.targetItem(t))
		}
	}
	for _, t := range s.From {
		sc.nodes = append(sc.nodes, a.from(t, sc))
	}
	for _, n := range sc.nodes {
		if it, ok := n.(*item); ok && it.table != nil {
			for _, source := range sc.nodes {
				a.namedAlike(it.table, source)
			}
		}
	}
	if s.TargetsInFrom {
		for _, t := range s.Targets {
			if a.itemNamed(sc, qualifier(t)) == nil {
				a.refuse(t.Span, "", "DELETE from a table that FROM does not name", "name it in FROM")
			}
		}
	}
	a.check(s.Where, sc, "a WHERE clause")
	a.checkAll(s.OrderBy, sc, orderBy)
	a.checkAll(s.Limits, sc, "LIMIT")
	var target *item
	if !s.TargetsInFrom && len(s.Targets) == 1 {
		target, _ = sc.nodes[0].(*item)
	}
	return a.returningOutput(s.Returning, target, sc)
}

func qualifier(t *TableRef) []string {
	if t.Schema == "" {
		return []string{t.Name}
	}
	return []string{t.Schema, t.Name}
}
