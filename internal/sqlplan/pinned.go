package sqlplan

import "cmp"

// This file finds what a comparison's condition fixes for the columns that a term
// depends on beside the value (per, and the branch key's column).

// holds is a condition that holds for every row that matters to what is looked at.
type holds struct {
	cond Expr
	s    *scope
	// whole is true once the scope has every entry of FROM.
	whole *bool
}

// assume adds the conditions that AND joins. The result undoes it.
func (a *analysis) assume(s *scope, whole *bool, conds ...Expr) func() {
	n := len(a.held)
	for _, c := range conds {
		a.held = flatten(a.held, c, s, whole)
	}
	return func() { a.held = a.held[:n] }
}

func flatten(list []holds, e Expr, s *scope, whole *bool) []holds {
	if e == nil {
		return list
	}
	if op, ok := e.(*Op); ok && op.What == OpAnd {
		for _, x := range op.Operands {
			list = flatten(list, x, s, whole)
		}
		return list
	}
	return append(list, holds{e, s, whole})
}

// innerConditions lists the conditions of the inner joins in FROM.
func innerConditions(list []TableExpr) (conds []Expr) {
	for _, t := range list {
		if j, ok := t.(*Join); ok && j.Kind == JoinInner {
			conds = append(conds, innerConditions([]TableExpr{j.Left, j.Right})...)
			if j.On != nil {
				conds = append(conds, j.On)
			}
		}
	}
	return conds
}

// equals yields the pairs that the conditions in force make equal, with the scope that
// they are read in.
func (x *searching) equals(yield func(l, r Expr, s *scope) bool) {
	for _, p := range x.beside {
		if !yield(p[0], p[1], x.s) {
			return
		}
	}
	for i := len(x.a.held) - 1; i >= 0; i-- {
		h := x.a.held[i]
		if h.whole != nil && !*h.whole {
			continue
		}
		op, ok := h.cond.(*Op)
		if !ok || op.What != OpEqual && (op.What != OpIn || len(op.Operands) != 2) {
			continue
		}
		l, r := items(op.Operands[0]), items(op.Operands[1])
		if len(l) != len(r) {
			continue
		}
		for k := range l {
			if !yield(l[k], r[k], h.s) {
				return
			}
		}
	}
}

// sourceOf is a column that a condition may fix: of a row of a protected table, or of an
// entry of FROM that is not protected.
type sourceOf struct {
	row  *row
	item *item
	name string
}

// meant resolves a reference to a column of a protected table's row.
func (a *analysis) meant(e Expr, s *scope) (sourceOf, bool) {
	c, ok := e.(*ColumnRef)
	if !ok || c.Star {
		return sourceOf{}, false
	}
	unresolved, err := a.unresolved, a.err
	v := a.lookup(c, s)
	a.unresolved, a.err = unresolved, err // what is wrong with it is said where it is checked
	if v.kind == valueStored && v.row != nil && !v.protected() {
		return sourceOf{row: v.row, name: v.name}, true
	}
	if v.kind == valuePlain && len(c.Qualifier) > 0 {
		if it := a.itemNamed(s, c.Qualifier); it != nil && it.ref != nil && it.table == nil && it.out == nil {
			return sourceOf{item: it, name: c.Name}, true
		}
	}
	return sourceOf{}, false
}

// pin finds what fixes source i of the searched row.
func (x *searching) pin(i int) (value, bool) {
	seen := map[sourceOf]bool{}
	return x.pinOf(sourceOf{row: x.row, name: x.column.Table.Sources[i]}, seen)
}

func (x *searching) pinOf(src sourceOf, seen map[sourceOf]bool) (found value, ok bool) {
	a := x.a
	seen[src] = true
	columnType, exact := a.exactType(src)
	if !exact {
		return value{}, false
	}
	x.equals(func(l, r Expr, s *scope) bool {
		for _, pair := range [2][2]Expr{{l, r}, {r, l}} {
			is, known := a.meant(pair[0], s)
			if !known || is.row != src.row || is.item != src.item || !a.d.SameColumn(is.name, src.name) {
				continue
			}
			if found, ok = a.pinValue(&target{scope: s}, pair[1], columnType); ok {
				return false
			}
			if other, known := a.meant(pair[1], s); known && !seen[other] && len(seen) < 8 {
				if found, ok = x.pinOf(other, seen); ok {
					return false
				}
			}
		}
		return true
	})
	return found, ok
}

// exactType is the type of a source, if what compares equal to it is equal.
func (a *analysis) exactType(src sourceOf) (string, bool) {
	var rel *Relation
	switch {
	case src.item != nil:
		src.item.load()
		rel = src.item.rel
	case src.row != nil && src.row.table != nil:
		rel = a.describe(a.schemaOf(src.row.table), src.row.table.Name)
	}
	rc := a.relationColumn(rel, src.name)
	if rc == nil || rc.Inexact {
		return "", false
	}
	return rc.Type, true
}

// schemaOf is the schema of a protected table, as far as the text or the policy names it.
func (a *analysis) schemaOf(t *Table) string { return cmp.Or(t.Schema, a.schemas[t]) }

// sources are the operands that a term depends on beside the value: those of cell n of a
// list, if the value is a cell of its row. each is true if the value is each element of an
// array.
func (x *searching) sources(cell *row, n int, each bool) ([]Operand, bool) {
	a, t := x.a, x.column.Table
	operands := make([]Operand, len(t.Sources))
	for _, i := range x.column.Term.Sources {
		v, ok := x.pin(i)
		if ok && len(v.cells) > 1 && (cell == nil || v.row != cell) {
			ok = false
		}
		if ok {
			columnType, _ := a.exactType(sourceOf{row: x.row, name: t.Sources[i]})
			if e := eachCell(v, n); e == nil {
				operands[i], ok = a.source(v, n, columnType)
			} else if ok = each && v.row == cell; ok {
				operands[i], ok = a.givenOperand(e, columnType)
			}
		}
		if !ok {
			x.refuse(x.match.at, "a comparison of a protected column whose terms depend on "+t.Sources[i]+", which the condition does not fix", "compare "+t.Sources[i]+" by equality in the same condition")
			return nil, false
		}
	}
	return operands, true
}

// sameSources reports whether the terms of another column depend on the same values.
func (x *searching) sameSources(v value) bool {
	c := v.column
	if len(c.Term.Sources) != len(x.column.Term.Sources) {
		return false
	}
	other := &searching{a: x.a, s: x.s, column: c, row: v.row, beside: x.beside}
	for k, i := range x.column.Term.Sources {
		j := c.Term.Sources[k]
		if !x.linked(sourceOf{row: x.row, name: x.column.Table.Sources[i]}, sourceOf{row: v.row, name: c.Table.Sources[j]}) && !x.pinnedAlike(i, other, j) {
			return false
		}
	}
	return true
}

// linked reports whether the condition makes two sources equal.
func (x *searching) linked(one, two sourceOf) (found bool) {
	if one == two {
		return true
	}
	_, exact := x.a.exactType(one)
	_, same := x.a.exactType(two)
	if !exact || !same {
		return false
	}
	x.equals(func(l, r Expr, s *scope) bool {
		p, known := x.a.meant(l, s)
		q, also := x.a.meant(r, s)
		found = known && also && (p == one && q == two || p == two && q == one)
		return !found
	})
	return found
}

// pinnedAlike reports whether both sources are fixed to one parameter or literal.
func (x *searching) pinnedAlike(i int, other *searching, j int) bool {
	v, ok := x.pin(i)
	w, also := other.pin(j)
	if !ok || !also || len(v.cells) != 1 || len(w.cells) != 1 {
		return false
	}
	p, ok := x.a.operand(v.cells[0], "")
	q, also := x.a.operand(w.cells[0], "")
	return ok && also && string(p.appendKey(nil)) == string(q.appendKey(nil))
}
