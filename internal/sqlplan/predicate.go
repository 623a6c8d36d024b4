package sqlplan

import "strings"

// This file recognises comparisons for equality: it is the one place that knows how
// they are spelled. What becomes of a comparison is in search.go.

// comparison is an expression that compares values for equality. Each entry of right is
// compared with left, position by position: a row comparison has several positions.
type comparison struct {
	left  []Expr
	right [][]Expr
	// finds is true if the comparison holds only where the values are equal.
	finds bool
	// array is true if right holds an array whose elements are compared.
	array bool
}

// comparisonOf takes a comparison apart. It reports false for every other expression.
func comparisonOf(e Expr) (comparison, bool) {
	switch e := e.(type) {
	case *Op:
		return operatorOf(e)
	case *Case:
		if e.Arg == nil {
			return comparison{}, false
		}
		c := comparison{left: []Expr{e.Arg}}
		for _, w := range e.Whens {
			c.right = append(c.right, []Expr{w.Cond})
		}
		return c, true
	}
	return comparison{}, false
}

func operatorOf(e *Op) (comparison, bool) {
	c := comparison{}
	switch e.What {
	case OpEqual, OpSame, OpIn, OpAny:
		c.finds = true
	case OpUnequal, OpDistinct, OpNotIn, OpAll:
	default:
		return c, false
	}
	c.array = e.What == OpAny || e.What == OpAll
	list := e.What == OpIn || e.What == OpNotIn
	if len(e.Operands) < 2 || len(e.Operands) > 2 && !list {
		return c, false
	}
	c.left = items(e.Operands[0])
	for _, x := range e.Operands[1:] {
		right := items(x)
		if len(right) != len(c.left) || c.array && len(c.left) > 1 {
			return comparison{}, false
		}
		c.right = append(c.right, right)
	}
	return c, true
}

// items are the parts of a row value; any other expression is its only part.
func items(e Expr) []Expr {
	if r, ok := e.(*Row); ok {
		return r.Items
	}
	return []Expr{e}
}

// operands yields what stands at one position, the left side first.
func (c *comparison) operands(position int, yield func(e Expr) bool) {
	if !yield(c.left[position]) {
		return
	}
	for _, r := range c.right {
		if !yield(r[position]) {
			return
		}
	}
}

// peeled is an operand without what the normalisers of a term do too.
type peeled struct {
	expr Expr
	at   Span // of the operand as a whole
	// folded and trim tell what was taken off.
	folded, trim bool
	calls        int // how many functions were
}

// peel takes off LOWER, UPPER, TRIM and casts between types of text.
func (a *analysis) peel(e Expr) peeled {
	p := peeled{expr: e, at: e.At()}
	for {
		switch x := p.expr.(type) {
		case *Call:
			if len(x.Args) != 1 || len(x.Rest) > 0 || x.Distinct || x.ArgsEnd == 0 || x.Schema != "" && !a.d.BuiltinSchema(x.Schema) {
				return p
			}
			switch strings.ToLower(x.Name) {
			case "lower", "lcase", "upper", "ucase":
				p.folded = true
			case "trim", "btrim":
				p.trim = true
			default:
				return p
			}
			p.calls++
			if p.expr == e {
				p.at = Span{x.Start, x.ArgsEnd + 1}
			}
			p.expr = x.Args[0]
		case *Cast:
			if leaf(x) || !x.Plain || x.Type == "binary" || x.Type == "bytea" || !a.d.SameType(x.Type, "text") {
				return p
			}
			p.expr = x.Expr
		default:
			return p
		}
	}
}
