package sqlplan

import "slices"

// This file decides where a parameter that is sealed, or searched with, may stand
// besides.

// nullTest is a test of a parameter for NULL, which the parameter's term answers too.
type nullTest struct {
	param int
	at    Span
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
	plain := false
	for _, o := range e.Operands {
		for _, x := range items(o) {
			if c, ok := a.peel(x).expr.(*ColumnRef); ok && !c.Star {
				v := a.lookup(c, s)
				plain = plain || !v.protected() && v.kind != valueWhole && v.kind != valueGiven
			}
		}
	}
	if !plain {
		return
	}
	for _, o := range e.Operands {
		walk(o, func(x Expr) bool {
			switch x := x.(type) {
			case *Param:
				a.inClear = append(a.inClear, x.Span)
			case *Call:
				return a.peel(x).expr != x
			case *Op:
				return x.What == "||" || x.What == OpArray
			}
			return true
		})
	}
}

// tested notes a parameter that is tested for NULL.
func (a *analysis) tested(e *IsNull) {
	if a.p.searches {
		if o, ok := a.operand(e.Expr, ""); ok && o.Kind == OperandParam {
			a.nullTests = append(a.nullTests, nullTest{o.Param, e.Expr.At()})
		}
	}
}

// settle has the terms of parameters tested for NULL in their place.
func (a *analysis) settle() {
	if len(a.nullTests) == 0 || a.err != nil {
		return
	}
	terms := map[int]int{}
	for i := range a.seals {
		if s := &a.seals[i]; s.Term != TermUnused && s.Value.Kind == OperandParam {
			if _, known := terms[s.Value.Param]; !known {
				terms[s.Value.Param] = i
			}
		}
	}
	left := a.nullTests[:0]
	for _, t := range a.nullTests {
		i, searched := terms[t.param]
		if !searched {
			left = append(left, t)
			continue
		}
		if a.claimSpan(t.at, i, a.seals[i].Column) {
			a.replace(t.at, a.searchHole(i))
		}
	}
	a.nullTests = left
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
			a.refuse(u.at, a.sealed(c.seal).object(), "a value for a protected column is also used elsewhere", "pass it twice")
		}
	}
	a.settle()
	sealed, searched := map[int]*Column{}, map[int]*Column{}
	for _, list := range [][]Seal{a.withheld, a.seals} {
		for i := range list {
			v := &list[i].Value
			switch {
			case v.Kind != OperandParam:
			case list[i].Term == TermUnused:
				sealed[v.Param] = list[i].Column
			default:
				searched[v.Param] = list[i].Column
			}
		}
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
		if c, ok := searched[site.Index]; ok && !slices.Contains(a.inClear, site.Span) {
			a.refuse(site.Span, c.object(), "a parameter that a protected column is compared with also stands where it would be sent unencrypted", "pass the value as two parameters, or compare it with a column")
			return
		}
	}
}
