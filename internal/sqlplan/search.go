package sqlplan

import (
	"slices"
	"strings"
)

// This file turns comparisons of protected columns into comparisons of their equality
// terms. A reference to the column becomes a reference to the term's column, and a
// given value becomes its term. Each place of a parameter is a hole of its own.

const (
	hintSearch = "its equality terms answer =, <>, IN and = ANY with a parameter, a literal, or a column of the same search group; do other work in the application"
	hintFold   = "add casefold to the normalisers of the column's search, or leave the function out"
	hintTrim   = "add trim to the normalisers of the column's search, or leave the function out"
	hintShort  = "give the column's search 128 bits or more, or find the rows by a plain SELECT that ANDs = or IN of the column in its WHERE, and count them, or write by their row keys, in the application"
)

// match is a comparison of a row's protected column that was turned into one of terms.
type match struct {
	row    *row
	column *Column
	// seals are the values that the column is compared with, given reports that it is
	// compared with nothing else.
	seals []int
	given bool
	finds bool
	// used is set where the rows found by a term that is not exact are filtered.
	used bool
	expr Expr
	at   Span
}

// searching is one position of a comparison on its way to terms.
type searching struct {
	a      *analysis
	s      *scope
	column *Column
	row    *row
	folded bool      // a column of the comparison is
	beside [][2]Expr // what is compared together with the operand at hand
	match  *match
}

// compare plans a comparison for equality that a searchable column takes part in. It
// reports false for every other expression.
func (a *analysis) compare(e Expr, s *scope) bool {
	if !a.p.searches {
		return false
	}
	c, ok := comparisonOf(e)
	if !ok {
		return false
	}
	if a.compareEach(e, &c, s) {
		return true
	}
	leads := make([]*searching, len(c.left))
	found := false
	for j := range c.left {
		leads[j] = a.lead(&c, j, s)
		found = found || leads[j] != nil
	}
	if !found {
		return false
	}
	for j, x := range leads {
		if x == nil {
			c.operands(j, func(o Expr) bool {
				a.checkUse(o, s, useOf(&Op{What: OpEqual}, use{}))
				return true
			})
			continue
		}
		x.match = &match{row: x.row, column: x.column, given: x.plainly(&c, j), finds: c.finds, expr: e, at: e.At()}
		x.position(&c, j)
		a.matched(x.match)
	}
	return true
}

// plainly reports whether a position compares the column itself with given values, any of
// which it may equal: a row that a short term finds stays if its value is one of them. The
// row of a list that a row value equals, and the argument that COALESCE returns, are the
// server's to choose.
func (x *searching) plainly(c *comparison, j int) bool {
	isColumn := func(e Expr) bool { return x.a.searchable(x.a.peel(e).expr, x.s).column != nil }
	isGiven := func(e Expr) bool {
		if list, ok := e.(*Cast); ok && list.Array {
			e = list.Expr
		}
		if isArray(e) {
			return !slices.ContainsFunc(e.(*Op).Operands, func(o Expr) bool { return !leaf(x.a.peel(o).expr) })
		}
		return leaf(x.a.peel(e).expr) || nulledIf(e)
	}
	if !isColumn(c.left[j]) {
		return len(c.right) == 1 && isGiven(c.left[j]) && isColumn(c.right[0][j])
	}
	return (len(c.left) == 1 || len(c.right) == 1) && !slices.ContainsFunc(c.right, func(r []Expr) bool { return !isGiven(r[j]) })
}

// nulledIf reports whether an expression is NULLIF of a given value.
func nulledIf(e Expr) bool {
	c, ok := e.(*Call)
	return ok && isNullIf(c) && leaf(c.Args[0])
}

// matched notes a comparison.
func (a *analysis) matched(m *match) {
	if a.matches == nil {
		a.matches = map[Expr][]*match{}
	}
	a.matches[m.expr] = append(a.matches[m.expr], m)
}

// lead finds the first searchable column at a position of a comparison.
func (a *analysis) lead(c *comparison, position int, s *scope) *searching {
	var x *searching
	var look func(e Expr) bool
	look = func(e Expr) bool {
		p := a.peel(e)
		if args := coalesced(p.expr); len(args) > 0 {
			for _, arg := range args {
				look(arg)
			}
			return true
		}
		v := a.searchable(p.expr, s)
		if v.column == nil {
			return true
		}
		if x == nil {
			x = &searching{a: a, s: s, column: v.column, row: v.row}
		}
		x.folded = x.folded || p.folded
		return true
	}
	c.operands(position, look)
	return x
}

// coalesced are the arguments of COALESCE.
func coalesced(e Expr) []Expr {
	if c, ok := e.(*Call); ok && strings.EqualFold(c.Name, "coalesce") && c.Schema == "" && len(c.Rest) == 0 {
		return c.Args
	}
	return nil
}

// searchable returns the protected value that a reference to a searchable column stands
// for.
func (a *analysis) searchable(e Expr, s *scope) value {
	var v value
	switch e := e.(type) {
	case *ColumnRef:
		if !e.Star {
			v = a.lookup(e, s)
		}
	case *ValuesRef:
		v = a.lookup(&ColumnRef{Span: e.Span, Name: e.Column}, s)
	default:
		_, v = a.searchedPart(e, s)
	}
	if !v.protected() || v.column.Term == nil {
		return value{}
	}
	return v
}

// position turns the operands at one position into terms.
func (x *searching) position(c *comparison, j int) {
	for k := -1; k < len(c.right); k++ {
		e := c.left[j]
		x.beside = nil
		if k >= 0 {
			e = c.right[k][j]
		}
		if k >= 0 || len(c.right) == 1 {
			r := c.right[max(k, 0)]
			for i := range c.left {
				if i != j {
					x.beside = append(x.beside, [2]Expr{c.left[i], r[i]})
				}
			}
		}
		if c.array && k >= 0 {
			x.array(e)
			continue
		}
		x.operand(e)
	}
}

// refuse refuses the comparison.
func (x *searching) refuse(at Span, what, hint string) {
	x.a.refuse(at, x.column.object(), what, hint)
}

// operand makes an operand a term.
func (x *searching) operand(e Expr) {
	a := x.a
	a.tick()
	p := a.peel(e)
	if !x.folds(p) {
		return
	}
	if leaf(p.expr) {
		x.given(p)
		return
	}
	switch o := p.expr.(type) {
	case *ColumnRef:
		if !o.Star {
			x.columnRef(p, a.lookup(o, x.s))
			return
		}
	case *ValuesRef:
		if v := a.searchable(o, x.s); v.column != nil {
			x.columnRef(p, v)
			return
		}
	case *Sub:
		if o.Kind == SubScalar && p.expr == e {
			x.scalar(o)
			return
		}
	case *Call:
		if args := coalesced(o); len(args) > 0 && p.expr == e {
			for _, arg := range args {
				x.operand(arg)
			}
			return
		}
		if value, ok := a.nullIf(o); ok && p.expr == e {
			x.given(a.peel(value))
			return
		}
	case *Case:
		if p.expr == e {
			x.cases(o)
			return
		}
	}
	if _, v := a.searchedPart(p.expr, x.s); v.column != nil {
		x.columnRef(p, v)
		return
	}
	x.refuse(e.At(), "a comparison of a protected column with an expression that the server computes", hintSearch)
}

// cases makes what CASE returns terms.
func (x *searching) cases(o *Case) {
	x.a.checkConditions(&Case{Span: o.Span, Arg: o.Arg, Whens: conditions(o)}, x.s)
	for _, w := range o.Whens {
		x.operand(w.Result)
	}
	if o.Else != nil {
		x.operand(o.Else)
	}
}

// conditions are the branches of CASE without their results.
func conditions(c *Case) []When {
	list := make([]When, len(c.Whens))
	for i, w := range c.Whens {
		list[i].Cond = w.Cond
	}
	return list
}

// folds refuses functions that the normalisers do not stand for.
func (x *searching) folds(p peeled) bool {
	term := x.column.Term
	switch {
	case (p.folded || x.folded) && !term.Folds:
		x.refuse(p.at, "a comparison without case, of a protected column whose terms tell case", hintFold)
	case p.trim && !term.Trims:
		x.refuse(p.at, "a comparison without white space at the ends, of a protected column whose terms tell it", hintTrim)
	default:
		return true
	}
	return false
}

// given replaces a parameter or literal by its term.
func (x *searching) given(p peeled) {
	a := x.a
	if isNull(p.expr) {
		if _, cast := p.expr.(*Cast); cast || p.at != p.expr.At() {
			a.replace(p.at, textPart("NULL"))
		}
		return
	}
	v, ok := a.operand(p.expr, "")
	if !ok {
		x.refuse(p.expr.At(), "a protected column is compared with a value under a cast that may change it", "leave the cast out")
		return
	}
	v.NullIf = a.nullIfs[p.expr]
	if sources, ok := x.sources(nil, 0, false); ok {
		x.hole(p.at, Seal{Table: x.column.Table, Column: x.column, Value: v, Sources: sources, Term: TermValue})
	}
}

// hole puts a term in the place of a part of the text.
func (x *searching) hole(at Span, s Seal) {
	a := x.a
	s.Compared = true
	index := a.addSeal(s)
	x.match.seals = append(x.match.seals, index)
	if !a.claimSpan(at, index, s.Column) {
		return
	}
	a.replace(at, a.searchHole(index))
}

// searchHole is where the term of a value that is searched for goes.
func (a *analysis) searchHole(index int) part {
	s := &a.seals[index]
	p := argPart(argOf(ArgSeal, index))
	open, cast := a.termCast(s.Column)
	p.around = a.arrayCast(s.Value, open, cast)
	p.literal = s.Value.Kind == OperandLiteral
	if n, ok := s.Value.Argument(); ok {
		p.hint = int32(n + 1)
	}
	return p
}

// columnRef replaces a column by its term, and the values of a list by theirs.
func (x *searching) columnRef(p peeled, v value) {
	a := x.a
	switch {
	case v.protected() && v.column.Term != nil:
		if v.row != x.row || v.column != x.column {
			x.match.given = false
			if !x.joins(p.at, v) {
				return
			}
			if x.match.expr != nil && v.column.Term.Exact {
				a.matched(&match{expr: x.match.expr, row: v.row, column: v.column, finds: x.match.finds, at: p.at})
			}
		}
		a.replaceByTerm(p, v, x.s)
	case v.protected():
		a.useValue(v, p.at, use{"a comparison of a protected column, or an operator on it", hintCompare})
	case v.kind == valueGiven:
		x.cells(p, v)
	case v.kind == valueNull:
	default:
		x.refuse(p.at, "a comparison of a protected column with a column that has no equality terms", "protect that column too, with the same search group, or compare in the application")
	}
}

// joins reports whether two columns have terms that can be compared, and refuses where
// they do not.
func (x *searching) joins(at Span, v value) bool {
	switch {
	case v.column.Term.Scope != x.column.Term.Scope:
		x.refuse(at, "a comparison of two protected columns that share no equality terms", "give both the same search group and normalisers")
	case v.column.Term.Base64 != x.column.Term.Base64:
		x.refuse(at, "a comparison of two protected columns whose equality terms are stored differently", "give both columns the same storage")
	case !x.column.Term.Exact:
		x.refuse(at, "a comparison of two protected columns whose terms are short", hintShort)
	case !x.sameSources(v):
		x.refuse(at, "a comparison of two protected columns whose terms depend on a further column", "compare that column by equality in the same condition")
	default:
		return true
	}
	return false
}

// replaceByTerm puts the term's column in the place of the column.
func (a *analysis) replaceByTerm(p peeled, v value, s *scope) {
	if _, named := p.expr.(*ColumnRef); !named && v.column.Of != nil {
		a.replacePart(p, s)
		return
	}
	if text := a.termText(p.expr, v, s); text != "" {
		a.replace(p.at, textPart(text))
	}
}

// termText writes a reference to the term of a protected value, and refuses where that
// cannot be reached.
func (a *analysis) termText(e Expr, v value, s *scope) string {
	c := v.column
	if c.Of != nil {
		return a.partTerm(e, v, s)
	}
	rc := a.relationColumn(a.describe(a.schemaOf(c.Table), c.Table.Name), c.Term.Column)
	switch {
	case rc == nil:
		a.refuse(e.At(), c.object(), "the table lacks the column of a searchable column's equality terms", "add "+c.Term.Column+" to the table")
		return ""
	case rc.Folded:
		a.refuse(e.At(), c.object(), "the column of equality terms takes different terms for equal", "make "+c.Term.Column+" binary, or give it a binary collation")
		return ""
	}
	if ref, ok := e.(*ValuesRef); ok {
		keyword, _, _ := strings.Cut(a.text[ref.Start:ref.End], "(") // VALUES, or VALUE on MariaDB
		return strings.TrimSpace(keyword) + "(" + a.d.Quote(c.Term.Column) + ")"
	}
	text := ""
	if v.kind == valueStored {
		text = a.reachText(v.row, c.Term.Column)
	}
	if text == "" || a.hides(s, v.row) {
		a.refuse(e.At(), c.object(), "a comparison of a protected column whose equality term is not in reach", "compare it where the table itself is read; a view must show "+c.Term.Column)
		return ""
	}
	return text
}

// hides reports whether the name of the row's item means another item in the scope.
func (a *analysis) hides(s *scope, r *row) bool {
	it := r.item
	if it.name == "" {
		return false
	}
	name := []string{it.name}
	if it.schema != "" {
		name = []string{it.schema, it.name}
	}
	found := a.itemNamed(s, name)
	return found != nil && found != it
}

// cells replaces the values of a VALUES list, or of a query's constants, by their terms.
func (x *searching) cells(p peeled, v value) {
	a := x.a
	for n, e := range v.cells {
		if isNull(e) {
			if _, cast := e.(*Cast); cast {
				a.replace(e.At(), textPart("NULL"))
			}
			continue
		}
		o, ok := a.givenOperand(e, "")
		if !ok || !leaf(e) && !isEach(e) {
			x.refuse(e.At(), "a protected column is compared with a value that the server computes, or under a cast that may change it", "pass it as a parameter")
			return
		}
		sources, ok := x.sources(v.row, n, isEach(e))
		if !ok {
			return
		}
		x.hole(e.At(), Seal{Table: x.column.Table, Column: x.column, Value: o, Sources: sources, Term: TermValue})
	}
	if ref, ok := p.expr.(*ColumnRef); ok && p.at != ref.Span {
		a.replace(p.at, textPart(a.text[ref.Start:ref.End]))
	}
}

// array makes the elements of an array terms.
func (x *searching) array(e Expr) {
	a := x.a
	if c, ok := e.(*Cast); ok && c.Array && isArray(c.Expr) {
		x.elements(c.Expr.(*Op))
		x.retype(c)
		return
	}
	if isArray(e) {
		x.elements(e.(*Op))
		return
	}
	inner, at := e, e.At()
	if c, ok := e.(*Cast); ok && c.Array {
		inner = c.Expr
	}
	switch o := inner.(type) {
	case *Param:
		if sources, ok := x.sources(nil, 0, false); ok {
			v := Operand{Kind: OperandEach, Param: o.Index}
			x.hole(at, Seal{Table: x.column.Table, Column: x.column, Value: v, Sources: sources, Term: TermValue})
		}
	case *Null:
		_, after := a.termCast(x.column)
		a.replace(at, textPart("NULL"+after+"[]"))
	default:
		x.refuse(at, "a comparison of a protected column with an array that is not a parameter", "pass the array as a parameter, or write ARRAY[…] or IN (…)")
	}
}

func isArray(e Expr) bool {
	o, ok := e.(*Op)
	return ok && o.What == OpArray
}

// retype makes the cast of an array whose elements have become terms one to terms.
func (x *searching) retype(c *Cast) {
	list, text := c.Expr.(*Op), x.a.text
	from := list.Start
	if n := len(list.Operands); n > 0 {
		from = list.Operands[n-1].At().End
	}
	i := strings.IndexByte(text[from:c.End], ']')
	if i < 0 {
		x.refuse(c.Span, "a cast of an array that is compared with a protected column", "leave the cast out")
		return
	}
	_, after := x.a.termCast(x.column)
	x.a.replace(Span{c.Start, list.Start}, textPart(""))
	x.a.replace(Span{from + i + 1, c.End}, textPart(after+"[]"))
}

func (x *searching) elements(list *Op) {
	for _, e := range list.Operands {
		x.operand(e)
	}
}

// scalar makes a sub-select return the term of the value that it returned.
func (x *searching) scalar(sub *Sub) {
	a := x.a
	a.nested++
	a.returnTerms(sub.Query, []*searching{x})
	out := a.query(sub.Query, x.s)
	a.nested--
	list, known := out.columns()
	if !known || len(list) != 1 {
		x.refuse(sub.Span, "a comparison of a protected column with a sub-select of several columns", hintSearch)
		return
	}
	x.returned(sub.Span, list[0].value)
}

// returned checks what a sub-select returns for the comparison.
func (x *searching) returned(at Span, v value) {
	switch {
	case v.term != nil:
		x.match.given = false
		v.column, v.term = v.term, nil
		x.joins(at, v)
	case v.kind == valueGiven:
		x.match.given = false
		x.cells(peeled{}, v)
	case v.kind == valueNull:
	default:
		x.refuse(at, "a comparison of a protected column with a sub-select that returns other values", "let it return the same column, or a column of the same search group")
	}
}

// returnTerms has the query's searchable columns returned as their terms. leads are what
// its columns are compared with.
func (a *analysis) returnTerms(q *Query, leads []*searching) {
	if !a.p.searches {
		return
	}
	switch b := q.Body.(type) {
	case *Select:
		if a.termLists == nil {
			a.termLists = map[*Select][]*searching{}
		}
		a.termLists[b] = leads
	case *SetOp:
		a.returnTerms(b.Left, leads)
		a.returnTerms(b.Right, leads)
	case *Query:
		a.returnTerms(b, leads)
	}
}

// termTarget returns a searchable column of a select list as its term, and the elements
// of a parameter as theirs. lead is what the column is compared with.
func (a *analysis) termTarget(e Expr, s *scope, lead *searching) (value, bool) {
	if c, ok := e.(*Call); ok && lead != nil && strings.EqualFold(c.Name, "unnest") && len(c.Args) == 1 && c.Schema == "" {
		lead.array(c.Args[0])
		return value{kind: valueStored, table: lead.column.Table, name: lead.column.Term.Column, term: lead.column}, true
	}
	p := a.peel(e)
	v := a.searchable(p.expr, s)
	if v.column == nil || !v.column.Term.Exact || p.folded && !v.column.Term.Folds || p.trim && !v.column.Term.Trims {
		return value{}, false
	}
	a.replaceByTerm(p, v, s)
	return value{kind: valueStored, row: v.row, table: v.table, name: v.column.Term.Column, term: v.column}, true
}

// inQuery plans a comparison of Test with what a sub-select returns. It reports false if
// no searchable column takes part.
func (a *analysis) inQuery(x *Sub, s *scope) bool {
	if !a.p.searches || x.Kind != SubIn || !x.Equal {
		return false
	}
	tests := items(x.Test)
	c := comparison{left: tests, finds: x.Found}
	leads := make([]*searching, len(tests))
	for j := range tests {
		if leads[j] = a.lead(&c, j, s); leads[j] != nil {
			leads[j].match = &match{row: leads[j].row, column: leads[j].column, finds: x.Found, expr: x, at: x.Span}
		}
	}
	a.returnTerms(x.Query, leads)
	list, known := a.query(x.Query, s).columns()
	for j, e := range tests {
		lead := leads[j]
		var v value
		if j < len(list) {
			v = list[j].value
		}
		switch {
		case lead == nil && v.term == nil:
			a.checkUse(e, s, use{"a comparison of a protected column with a sub-select", hintCompare})
			if v.protected() {
				a.useValue(v, x.Span, use{"a sub-select that hands a protected column to a comparison", hintCompare})
			}
			a.usePlainly(v, x.Span)
			continue
		case !known || len(list) != len(tests):
			a.refuse(x.Span, "", "a comparison of a protected column with a star whose columns are not known, or with another number of columns", "list the columns")
			return true
		case lead == nil:
			lead = &searching{a: a, s: s, column: v.term, row: v.row, match: &match{column: v.term, expr: x, at: x.Span}}
		}
		lead.operand(e)
		lead.returned(x.Span, v)
		a.matched(lead.match)
	}
	return true
}
