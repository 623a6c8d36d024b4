package sqlplan

import (
	"slices"
	"strings"
)

// This file decides which rows of a result are held to the terms by which they were
// found, and filters the rows that a short term finds.

// found is a row of a query that was found by the term of a column.
type found struct {
	row    *row
	column *Column
	// filter are the seals of the values that the column must hold one of: the term is
	// short and finds others too.
	filter []int
}

// finds lists the rows of a SELECT that its conditions find by terms. It is empty for a
// SELECT whose rows are not rows of its tables.
func (a *analysis) finds(q *Query, s *Select, out *selectOutput) {
	if len(a.matches) == 0 {
		return
	}
	plain := !s.Distinct && len(s.DistinctOn) == 0 && len(s.GroupBy) == 0 && s.Having == nil && !s.Into && !s.mayAggregate()
	if out.merged = !plain; out.merged {
		return
	}
	filtered := s == a.top && a.nested == 0 && out.end >= 0 && !s.windowed() && (!q.Limited || a.canPage(q))
	conjuncts(s.Where, true, func(x Expr, all bool) { a.find(x, out, filtered && all) })
	for _, e := range innerConditions(s.From) {
		conjuncts(e, true, func(x Expr, _ bool) { a.find(x, out, false) })
	}
	if q.Limited && slices.ContainsFunc(out.found, func(f found) bool { return f.filter != nil }) {
		a.pageRows(q)
	}
}

// canPage reports whether the driver can count the rows that stay in the server's place.
// Rows that are passed over would be locked.
func (a *analysis) canPage(q *Query) bool {
	for _, e := range []Expr{q.Count, q.Offset} {
		if _, ok := a.pageOperand(e); !ok {
			return false
		}
	}
	return q.Pages && !q.Locking
}

// pageOperand is the operand of LIMIT or OFFSET; it is NULL for none.
func (a *analysis) pageOperand(e Expr) (Operand, bool) {
	switch x := e.(type) {
	case nil:
		return Operand{Kind: OperandNull}, true
	case *Cast:
		if _, ok := x.Expr.(*Param); ok && x.Plain && (a.d.SameType(x.Type, "bigint") || a.d.SameType(x.Type, "integer")) {
			return a.pageOperand(x.Expr)
		}
	case *Param:
		return a.operand(x, "")
	case *Constant:
		return Operand{Kind: OperandLiteral, Literal: x.Value}, x.Value.Kind == LiteralInteger
	}
	return Operand{}, false
}

// pageRows has the server return all rows that a short term finds: which of them LIMIT and
// OFFSET mean is known once the others are dropped.
func (a *analysis) pageRows(q *Query) {
	all := strings.TrimPrefix(a.d.AllRows(), " LIMIT ")
	if all == "" {
		all = "NULL"
	}
	a.page = &Page{}
	a.page.Count, _ = a.pageOperand(q.Count)
	a.page.Offset, _ = a.pageOperand(q.Offset)
	if q.Count != nil {
		a.replace(q.Count.At(), textPart(all))
	}
	if q.Offset != nil {
		a.replace(q.Offset.At(), textPart("0"))
	}
}

// find notes the rows that one comparison finds. filters says whether those of a short
// term can be filtered.
func (a *analysis) find(e Expr, out *selectOutput, filters bool) {
	for _, m := range a.matches[e] {
		switch {
		case !m.finds || !out.reads(m.row):
		case m.column.Term.Exact:
			out.found = append(out.found, found{row: m.row, column: m.column})
		case filters && m.given && m.row.item.out == nil:
			m.used = true
			out.found = append(out.found, found{row: m.row, column: m.column, filter: m.seals})
		}
	}
}

// reads reports whether the row is one of an entry of FROM.
func (o *selectOutput) reads(r *row) bool {
	return r != nil && slices.ContainsFunc(o.nodes, func(n node) bool { return slices.Contains(n.items(), r.item) })
}

// conjuncts yields what AND and OR join; all is true for what holds for every row.
func conjuncts(e Expr, all bool, yield func(e Expr, all bool)) {
	op, ok := e.(*Op)
	if !ok || op.What != OpAnd && op.What != OpOr {
		if e != nil {
			yield(e, all)
		}
		return
	}
	for _, x := range op.Operands {
		conjuncts(x, all && op.What == OpAnd, yield)
	}
}

// scalars are functions that are certain to be no aggregates.
var scalars = map[string]bool{"abs": true, "btrim": true, "ceil": true, "char_length": true, "coalesce": true, "concat": true, "concat_ws": true,
	"current_date": true, "current_timestamp": true, "date": true, "date_format": true, "date_part": true, "date_trunc": true, "extract": true,
	"floor": true, "greatest": true, "if": true, "ifnull": true, "json_extract": true, "json_extract_path": true, "json_extract_path_text": true,
	"json_unquote": true, "json_value": true, "jsonb_extract_path": true, "jsonb_extract_path_text": true, "least": true, "left": true, "length": true, "lower": true, "ltrim": true,
	"now": true, "nullif": true, "octet_length": true, "replace": true, "right": true, "round": true, "rtrim": true, "substr": true,
	"substring": true, "timestampdiff": true, "to_char": true, "trim": true, "unix_timestamp": true, "upper": true, "year": true}

// mayAggregate reports whether the select list may hold an aggregate: no column can
// then be added.
func (s *Select) mayAggregate() bool {
	found := false
	for _, t := range s.Targets {
		walk(t.Expr, func(e Expr) bool {
			switch e := e.(type) {
			case *Call:
				found = found || !e.Windowed && !scalars[strings.ToLower(e.Name)]
			case *Op:
				found = found || e.What == "function"
			case *Unknown:
				found = true
			case *Sub:
				return false
			}
			return !found
		})
	}
	return found
}

// windowed reports whether the select list has a window function.
func (s *Select) windowed() bool {
	calls := false
	for _, t := range s.Targets {
		walk(t.Expr, func(e Expr) bool {
			c, ok := e.(*Call)
			calls = calls || ok && c.Windowed
			return !calls
		})
	}
	return calls
}

// checkShort refuses comparisons by short terms whose rows are not filtered.
func (a *analysis) checkShort() {
	var first *match
	for _, list := range a.matches {
		for _, m := range list {
			if !m.column.Term.Exact && !m.used && (first == nil || m.at.Start < first.at.Start) {
				first = m
			}
		}
	}
	if first != nil {
		a.refuse(first.at, first.column.object(), "a comparison of a protected column whose terms are short, in a form whose rows cannot be filtered", hintShort)
	}
}

// foundRows lists the rows of an output that terms found, those of derived tables among
// them.
func foundRows(out output) (list []found) {
	switch o := out.(type) {
	case *renamed:
		return foundRows(o.out)
	case *selectOutput:
		switch {
		case len(o.stands) > 0:
			return o.foundStands()
		case o.merged:
			return nil
		}
		list = slices.Clone(o.found)
		for _, n := range o.nodes {
			for _, it := range n.items() {
				for _, f := range foundRows(it.out) {
					f.row = it.rowFor(f.row)
					list = append(list, f)
				}
			}
		}
	}
	return list
}

// hold has the result show what the rows found by terms are held to: their values, also
// where the statement does not show them, and their terms.
func (a *analysis) hold(out output, set *held) {
	for _, f := range foundRows(out) {
		if f.column.Term.Always || f.filter != nil || set.shows(out, f) {
			set.rows = append(set.rows, f)
		}
	}
	for i := range set.rows {
		f := &set.rows[i]
		if slices.ContainsFunc(set.list, func(h heldValue) bool { return h.row == f.row && (h.column == f.column || h.column == f.column.Of) }) {
			continue
		}
		shows, term := f.column, f.column.Term.Column
		if f.column.Of != nil { // the term lies in the document
			shows, term = f.column.Of, f.column.Of.Name
		}
		h := heldValue{row: f.row, column: shows, shown: out.expose(f.row, term, false)}
		if value := out.expose(f.row, shows.Name, false); value != nil && h.shown != nil {
			value.value.column = shows
			h.value = value
			set.list = append(set.list, h)
		}
	}
}

// held are the rows of a result that terms found, and what they are held to.
type held struct {
	rows []found
	list []heldValue
}

// heldValue is a value of a result, and the column that shows its stored term.
type heldValue struct {
	row          *row
	column       *Column
	value, shown *column
}

func (h *held) shows(out output, f found) bool {
	list, _ := out.columns()
	return slices.ContainsFunc(list, func(c *column) bool {
		return c.value.kind == valueStored && c.value.row == f.row && c.value.column == f.column
	})
}

// term returns the column that shows the stored term of a value, or nil.
func (h *held) term(v value) *column {
	for _, x := range h.list {
		if v.kind == valueStored && x.row == v.row && x.column == v.column {
			return x.shown
		}
	}
	return nil
}

// filters lists the filters of the result.
func (h *held) filters(index map[*column]int) (list []Filter) {
	for _, f := range h.rows {
		for _, x := range h.list {
			if f.filter != nil && x.row == f.row && x.column == f.column {
				list = append(list, Filter{Column: index[x.value], Seals: f.filter})
			}
		}
	}
	return list
}
