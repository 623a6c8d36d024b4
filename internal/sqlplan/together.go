package sqlplan

import (
	"slices"
	"strings"
)

// This file has rows that share a searchable column's value put together by its term:
// COUNT(DISTINCT …), GROUP BY where the value is not shown, and PARTITION BY.

// counted replaces the columns of COUNT(DISTINCT …) by their terms.
func (a *analysis) counted(c *Call, s *scope) bool {
	if !a.p.searches || !c.Distinct || !strings.EqualFold(c.Name, "count") {
		return false
	}
	if !slices.ContainsFunc(c.Args, func(e Expr) bool { return a.searchable(e, s).column != nil }) {
		return false
	}
	for _, e := range c.Args {
		v := a.searchable(e, s)
		if v.column == nil || !a.groups(e, v, s, nil) {
			a.checkUse(e, s, use{"an aggregate over a protected column", hintCompute})
			continue
		}
		a.replaceByTerm(peeled{expr: e, at: e.At()}, v, s)
	}
	return true
}

// partition checks PARTITION BY: rows that share a searchable column's value share its
// term.
func (a *analysis) partition(c *Call, s *scope) {
	var plain []value
	for _, e := range c.Partition {
		if ref, ok := e.(*ColumnRef); ok && !ref.Star {
			plain = append(plain, a.lookup(ref, s))
		}
	}
	for _, e := range c.Partition {
		p := a.peel(e)
		v := value{}
		if a.p.searches && !p.folded && !p.trim {
			v = a.searchable(p.expr, s)
		}
		if v.column != nil && v.kind == valueStored && a.groups(e, v, s, plain) {
			a.replaceByTerm(p, v, s)
			continue
		}
		a.checkUse(e, s, use{"a clause of a function over a protected column", hintCompute})
	}
}

// groups reports whether equal terms are equal values among the rows that are grouped.
func (a *analysis) groups(e Expr, v value, s *scope, grouped []value) bool {
	x := &searching{a: a, s: s, column: v.column, row: v.row}
	if !v.column.Term.Exact {
		return false
	}
	for _, i := range v.column.Term.Sources {
		together := slices.ContainsFunc(grouped, func(g value) bool {
			return g.kind == valueStored && g.row == v.row && a.d.SameColumn(g.name, v.column.Table.Sources[i])
		})
		if _, ok := x.pin(i); !ok && !together {
			return false
		}
	}
	return true
}

// havingNull has HAVING test the term, which rows are grouped by, in the place of the column.
func (a *analysis) havingNull(having, grouped Expr, sc *scope) {
	of := a.searchable(a.peel(grouped).expr, sc)
	walk(having, func(x Expr) bool {
		test, ok := x.(*IsNull)
		if !ok {
			_, sub := x.(*Sub)
			return !sub
		}
		if v := a.searchable(test.Expr, sc); v.column != nil && v.column == of.column && v.row == of.row {
			a.replaceByTerm(peeled{expr: test.Expr, at: test.Expr.At()}, v, sc)
		}
		return true
	})
}

// groupTerm groups by the term of a searchable column that the SELECT does not show.
func (a *analysis) groupTerm(e Expr, s *Select, out *selectOutput, sc *scope) (value, bool) {
	if !a.p.searches {
		return value{}, false
	}
	p := a.peel(e)
	v := a.searchable(p.expr, sc)
	if v.column == nil || p.folded || p.trim || v.kind != valueStored {
		return value{}, false
	}
	list, _ := out.columns()
	for _, c := range list {
		if c.value.row == v.row && c.value.column == v.column {
			return value{}, false
		}
	}
	if !a.groups(e, v, sc, a.groupedPlainly(s, e, sc)) {
		return value{}, false
	}
	a.replaceByTerm(p, v, sc)
	return value{kind: valueStored, row: v.row, table: v.table, name: v.column.Term.Column, term: v.column}, true
}

// groupedNulls has tests for NULL of a column by whose terms rows are put together test the
// terms: the column itself is not the group's.
func (a *analysis) groupedNulls(exprs []Expr, out *selectOutput, sc *scope) {
	if len(out.grouped) == 0 {
		return
	}
	for _, e := range exprs {
		walk(e, func(x Expr) bool {
			test, ok := x.(*IsNull)
			if !ok {
				return true
			}
			ref, ok := test.Expr.(*ColumnRef)
			if !ok || ref.Star {
				return true
			}
			v := a.lookup(ref, sc)
			if v.kind == valueStored && v.protected() && v.column.Term != nil && out.groupsTerms(v) {
				a.replace(ref.Span, textPart(a.reachText(v.row, v.column.Term.Column)))
			}
			return false
		})
	}
}

// groupsTerms reports whether rows are put together by the terms of the value, shown or not.
func (o *selectOutput) groupsTerms(v value) bool {
	return o.groupsBy(v) || slices.ContainsFunc(o.grouped, func(g value) bool { return g.row == v.row && g.term == v.column })
}

// groupScope is the scope, if rows are put together by the terms of every protected value that
// is shown. It is nil otherwise: some servers find in HAVING what is shown alone.
func (o *selectOutput) groupScope(sc *scope) *scope {
	list, _ := o.columns()
	if slices.ContainsFunc(list, func(c *column) bool { return c.value.protected() && !o.groupsTerms(c.value) }) {
		return nil
	}
	return sc
}
