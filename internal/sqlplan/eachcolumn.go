package sqlplan

import "strings"

// This file takes apart $1 IN (email, phone): one value is compared with several
// searchable columns. Columns that share no terms have a term each for the value, and the
// list becomes (… = email_eq OR … = phone_eq).

// compareEach plans the comparison of a given value with a list of searchable columns that
// share no terms. It reports false for every other comparison.
func (a *analysis) compareEach(e Expr, c *comparison, s *scope) bool {
	op, ok := e.(*Op)
	if !ok || op.What != OpIn && op.What != OpNotIn || len(c.left) != 1 || len(c.right) < 2 || !leaf(c.left[0]) || isNull(c.left[0]) {
		return false
	}
	columns := make([]value, len(c.right))
	shared := true
	for k, r := range c.right {
		if columns[k] = a.searchable(r[0], s); columns[k].column == nil {
			return false
		}
		shared = shared && columns[k].column.Term.Scope == columns[0].column.Term.Scope
	}
	gaps, not, ok := a.listGaps(c)
	if shared || !ok {
		return false
	}
	o, ok := a.operand(c.left[0], "")
	if !ok {
		return false
	}
	equals, join := " = ", " OR "
	if not {
		equals, join = " <> ", " AND "
	}
	for k, v := range columns {
		x := &searching{a: a, s: s, column: v.column, row: v.row}
		x.match = &match{row: v.row, column: v.column, finds: !not, expr: e, at: e.At()}
		sources, ok := x.sources(nil, 0, false)
		if !ok {
			return true
		}
		index := a.addSeal(Seal{Table: v.column.Table, Column: v.column, Value: o, Sources: sources, Term: TermValue, Compared: true})
		x.match.seals = append(x.match.seals, index)
		before := join
		if k == 0 {
			a.claimSpan(c.left[0].At(), index, v.column)
			before = "("
		}
		a.replace(gaps[k], textPart(before), a.searchHole(index), textPart(equals))
		x.columnRef(a.peel(c.right[k][0]), v)
		a.matched(x.match)
	}
	return true
}

// listGaps are the parts of the text before each column of a list: the value, [NOT] IN and
// the parenthesis before the first, a comma before each other. It reports false where more
// stands there.
func (a *analysis) listGaps(c *comparison) (gaps []Span, not, ok bool) {
	at := c.left[0].At()
	for k, r := range c.right {
		to := r[0].At()
		if to.Start < at.End {
			return nil, false, false
		}
		between := strings.Join(strings.Fields(strings.ToUpper(a.text[at.End:to.Start])), " ")
		if k == 0 {
			between, not = strings.CutPrefix(between, "NOT ")
		}
		switch {
		case k == 0 && (between == "IN (" || between == "IN("):
			gaps = append(gaps, Span{at.Start, to.Start})
		case k > 0 && between == ",":
			gaps = append(gaps, Span{at.End, to.Start})
		default:
			return nil, false, false
		}
		at = to
	}
	return gaps, not, true
}
