package sqlplan

import (
	"slices"
	"strings"
)

// This file decides where a parameter that is sealed, or searched with, may stand
// besides.

// givenTest is a test of a parameter that its term answers too: for NULL, or for equality
// with literals.
type givenTest struct {
	// params are the parameters tested, and leaves all that is replaced.
	params []int
	leaves []Expr
	null   bool // a test for NULL
}

// likes are the operators, beside those for equality, by which a value that is searched
// with may be compared with a column that is not protected.
var likes = []string{"LIKE", "operator ~~", "operator ~~*", "operator !~~", "operator !~~*"}

// compared notes the parameters that an operator compares with a column that is not
// protected: there they are sent as they are, as the user says.
func (a *analysis) compared(e *Op, s *scope) {
	if !a.p.searches || len(a.script.Params) == 0 || !a.d.NumberedPlaceholders() {
		return
	}
	if _, equality := operatorOf(e); !equality && !slices.Contains(likes, e.What) {
		return
	}
	if !a.hasPlain(e, s) {
		return
	}
	for _, o := range e.Operands {
		walk(o, func(x Expr) bool {
			switch x := x.(type) {
			case *Param:
				a.inClear = append(a.inClear, x.Span)
			case *Cast, *Row:
				return true
			case *Call:
				if joinsText(x) {
					a.typeless(x.Args)
				}
				return len(coalesced(x)) > 0 || joinsText(x) || a.peel(x).expr != x
			case *Op:
				return x.What == "||" || x.What == OpArray
			}
			return false
		})
	}
}

// typeless notes the parameters whose type the function does not tell the server. Bare,
// the comparison with the searchable column tells it.
func (a *analysis) typeless(args []Expr) {
	for _, e := range args {
		if p, ok := e.(*Param); ok {
			a.untold = append(a.untold, p.Span)
		}
	}
}

// joinsText reports whether a call does what || does.
func joinsText(c *Call) bool {
	return strings.EqualFold(c.Name, "concat") && c.Schema == "" && len(c.Rest) == 0
}

// hasPlain reports whether an operand is a column that is not protected.
func (a *analysis) hasPlain(e *Op, s *scope) bool {
	for _, o := range e.Operands {
		for _, x := range items(o) {
			c, ok := a.peel(x).expr.(*ColumnRef)
			if !ok || c.Star {
				continue
			}
			if v := a.lookup(c, s); !v.protected() && v.kind != valueWhole && v.kind != valueGiven {
				return true
			}
		}
	}
	return false
}

// testOf takes a test of parameters apart.
func (a *analysis) testOf(e Expr) (t givenTest, ok bool) {
	switch e := e.(type) {
	case *IsNull:
		ok, t.null = t.add(a, e.Expr), true
	case *Case:
		ok = e.Arg != nil && t.add(a, e.Arg)
		for _, w := range e.Whens {
			ok = ok && t.add(a, w.Cond)
		}
	case *Op:
		c, compares := operatorOf(e)
		if !compares || c.array || len(c.left) != 1 {
			return t, false
		}
		ok = true
		c.operands(0, func(x Expr) bool {
			ok = ok && t.add(a, x)
			return ok
		})
	}
	return t, ok && len(t.params) > 0
}

// add adds an operand; it reports false if that is not given.
func (t *givenTest) add(a *analysis, e Expr) bool {
	if args := coalesced(e); len(args) > 0 {
		for _, arg := range args {
			if !t.add(a, arg) {
				return false
			}
		}
		return true
	}
	o, ok := a.operand(e, "")
	if o.Kind == OperandParam {
		t.params = append(t.params, o.Param)
	}
	t.leaves = append(t.leaves, e)
	return ok
}

// tested notes an expression that may be a test of parameters.
func (a *analysis) tested(e Expr) {
	if !a.p.searches {
		return
	}
	if t, ok := a.testOf(e); ok {
		a.tests = append(a.tests, t)
	}
}

// settle has the terms of parameters that are tested in their place.
func (a *analysis) settle() {
	if len(a.tests) == 0 || a.err != nil {
		return
	}
	terms := map[int]int{}
	for i := range a.seals {
		s := &a.seals[i]
		n, ok := s.Value.Argument()
		if _, known := terms[n]; ok && !known && s.Term != TermUnused {
			terms[n] = i
		}
	}
	left := a.tests[:0]
	for _, t := range a.tests {
		like, ok := a.likeOf(t, terms)
		if !ok || !a.answer(t, like) {
			left = append(left, t)
		}
	}
	a.tests = left
}

// likeOf finds the seal of a value that is searched for and that a test belongs to. Where
// each placeholder is a parameter of its own (MySQL), a test of text may be of any of them.
func (a *analysis) likeOf(t givenTest, terms map[int]int) (like int, ok bool) {
	if k := slices.IndexFunc(t.params, func(p int) bool { _, ok := terms[p]; return ok }); k >= 0 {
		return terms[t.params[k]], true
	}
	if a.d.NumberedPlaceholders() || !a.textual(t) || !t.null && !a.hasText(t) {
		return 0, false
	}
	first := -1
	for p := range terms {
		if first < 0 || p < first {
			first = p
		}
	}
	return terms[first], first >= 0
}

// hasText reports whether a test compares with a literal of text.
func (a *analysis) hasText(t givenTest) bool {
	return slices.ContainsFunc(t.leaves, func(e Expr) bool {
		o, _ := a.operand(e, "")
		return o.Kind == OperandLiteral && o.Literal.Kind == LiteralString
	})
}

// answer has a test compare terms like the one of a seal.
func (a *analysis) answer(t givenTest, like int) bool {
	s := a.seals[like]
	each := s.Value.Kind == OperandEach
	if each && len(t.leaves) > 1 {
		return false
	}
	for _, e := range t.leaves {
		o, ok := a.operand(e, "")
		if !ok {
			return false
		}
		if o.Kind == OperandNull {
			a.replace(e.At(), textPart("NULL"))
			continue
		}
		if each && o.Kind == OperandParam {
			o.Kind = OperandEach
		}
		same := o.Kind == s.Value.Kind && o.Param == s.Value.Param
		switch {
		case !t.null:
			s.Term, s.Sources = a.testUse(), nil // a term is of the normalised value: 'ALL' is not 'all'
		case !same && !each:
			s.Term, s.Sources = TermNull, nil // the parameter may be another column's: see answerBeside
		}
		s.Value = o
		if i := a.addSeal(s); a.claimSpan(e.At(), i, s.Column) {
			a.replace(e.At(), a.searchHole(i))
		}
	}
	return true
}

// testUse is how given values are compared with each other: as the server would compare
// them, in the collation that texts without a column have.
func (a *analysis) testUse() TermUse {
	if a.d.NumberedPlaceholders() {
		return TermTest
	}
	return TermTestLoose
}

// alternatives checks what OR joins.
func (a *analysis) alternatives(e *Op, s *scope, u use) {
	list := disjuncts(nil, e)
	for _, x := range list {
		a.checkUse(x, s, u)
	}
	a.answerBeside(list)
}

// answerBeside answers tests of parameters that stand beside a comparison with another
// parameter: the application passes one value twice, and the test must not send it.
func (a *analysis) answerBeside(list []Expr) {
	for i, x := range list {
		t, ok := a.testOf(x)
		if !ok || !a.textual(t) || a.searchedWith(t) {
			continue
		}
		if like := a.searchedNear(list, i); like >= 0 && a.answer(t, like) {
			a.tests = slices.DeleteFunc(a.tests, func(o givenTest) bool { return o.leaves[0] == t.leaves[0] })
		}
	}
}

// textual reports whether a test is one of text.
func (a *analysis) textual(t givenTest) bool {
	for _, e := range t.leaves {
		if o, _ := a.operand(e, ""); o.Kind == OperandLiteral && o.Literal.Kind != LiteralString {
			return false
		}
		if c, ok := e.(*Cast); ok && !a.d.SameType(c.Type, "text") {
			return false
		}
	}
	return true
}

// searchedWith reports whether a searchable column is compared with a parameter of the
// test itself.
func (a *analysis) searchedWith(t givenTest) bool {
	return slices.ContainsFunc(a.seals, func(s Seal) bool {
		n, ok := s.Value.Argument()
		return ok && s.Term != TermUnused && slices.Contains(t.params, n)
	})
}

func disjuncts(list []Expr, e Expr) []Expr {
	if op, ok := e.(*Op); ok && op.What == OpOr {
		for _, x := range op.Operands {
			list = disjuncts(list, x)
		}
		return list
	}
	return append(list, e)
}

// searchedNear finds the seal of a parameter that a searchable column is compared with
// in an alternative after the i-th one, or before it.
func (a *analysis) searchedNear(list []Expr, i int) int {
	near := append(slices.Clone(list[i+1:]), list[:i]...)
	for _, e := range near {
		for _, m := range a.matches[e] {
			for _, k := range m.seals {
				if _, ok := a.seals[k].Value.Argument(); ok {
					return k
				}
			}
		}
	}
	return -1
}

// checkParams refuses a text in which a value that is sealed also stands where
// it would be sent as it is.
func (a *analysis) checkParams() {
	for _, x := range a.alike {
		if c, ok := a.claims[x.cell.Start]; !ok || c.span != x.cell {
			a.refuse(x.cell, x.column.object(), "a value that is named like a protected column is not written to that column", "leave it out, or give it another name")
		}
	}
	for _, u := range a.plain {
		if c, ok := a.claims[u.cell.Start]; ok && c.span == u.cell {
			a.refuse(u.at, c.column.object(), "a value for a protected column is also used elsewhere", "pass it twice")
		}
	}
	a.settle()
	sealed, searched := map[int]*Column{}, map[int]*Column{}
	note := func(s *Seal) {
		n, ok := s.Value.Argument()
		switch {
		case !ok:
		case s.Term == TermUnused:
			sealed[n] = s.Column
		default:
			searched[n] = s.Column
		}
	}
	for i := range a.withheld {
		note(&a.withheld[i])
	}
	for s := range a.allSeals() {
		note(s)
	}
	claimed := a.claimedSpans()
	for _, site := range a.script.Params {
		if claimed(site.Span) {
			continue
		}
		if c, ok := sealed[site.Index]; ok {
			a.refuse(site.Span, c.object(), "a parameter for a protected column also stands where it would be sent unencrypted", "pass the value as two parameters")
			return
		}
		c, ok := searched[site.Index]
		switch {
		case ok && !slices.Contains(a.inClear, site.Span):
			a.refuse(site.Span, c.object(), "a parameter that a protected column is compared with also stands where it would be sent unencrypted", "pass the value as two parameters, or compare it with a column")
			return
		case ok && slices.Contains(a.untold, site.Span):
			a.insertText(site.Span.End, "::text")
		}
	}
}
