package sqlplan

import "slices"

// This file carries over the predicate of a partial index. Comparisons of searchable columns
// with literals become comparisons of terms, which stay the same as long as the column of the
// terms does. Tests of ciphertexts would not.

// readByPredicate returns a protected column that the predicate of CREATE INDEX reads,
// other than to test it for NULL.
func (d *defining) readByPredicate(k *DefinedKey) (read *Column) {
	inKey := func(s Span) bool {
		return slices.ContainsFunc(k.Parts, func(p KeyPart) bool { return p.Start <= s.Start && s.End <= p.End })
	}
	for _, e := range d.u.Exprs {
		d.a.worksWith(d.t, e, d.u.Span, func(ref *ColumnRef, c *Column) {
			if c != nil && !inKey(ref.Span) {
				read = c
			}
		})
	}
	return read
}

// predicate turns the comparisons of the index's predicate into comparisons of terms. It
// reports whether it reads protected columns in no other way.
func (d *defining) predicate(k *DefinedKey) bool {
	if d.a.p.rules.DDL != DDLRewrite || !slices.ContainsFunc(d.u.Exprs, d.comparesTerms) {
		return false
	}
	sc := &scope{nodes: []node{d.a.targetItem(d.u.Relations[0])}}
	for _, e := range d.u.Exprs {
		if d.comparesTerms(e) {
			d.compare(e, sc)
		}
	}
	return d.a.err == nil
}

// comparesTerms reports whether an expression reads protected columns, and compares each with
// literals by terms that stand for one value.
func (d *defining) comparesTerms(e Expr) bool {
	found := false
	var fits func(e Expr) bool
	fits = func(e Expr) bool {
		op, ok := e.(*Op)
		if ok && op.logical() {
			return !slices.ContainsFunc(op.Operands, func(x Expr) bool { return !fits(x) })
		}
		var read []*Column
		d.a.worksWith(d.t, e, d.u.Span, func(_ *ColumnRef, c *Column) {
			if c != nil {
				read = append(read, c)
			}
		})
		if len(read) == 0 {
			return true
		}
		found = true
		return ok && len(read) == 1 && read[0].Term != nil && read[0].Term.Exact && len(read[0].Term.Sources) == 0 && d.withLiterals(op, read[0].Term)
	}
	return fits(e) && found
}

// withLiterals reports whether the operation compares the column of the term with literals.
func (d *defining) withLiterals(op *Op, term *Term) bool {
	c, ok := operatorOf(op)
	if !ok || c.array || len(c.left) != 1 {
		return false
	}
	left := d.a.peel(c.left[0])
	if _, ok := left.expr.(*ColumnRef); !ok || left.folded && !term.Folds || left.trim && !term.Trims {
		return false
	}
	return !slices.ContainsFunc(c.right, func(r []Expr) bool { return !literal(r[0]) })
}

// logical reports whether the operands are conditions themselves.
func (o *Op) logical() bool { return o.What == OpAnd || o.What == OpOr || o.What == OpNot }

// literal reports whether an expression is a constant, under casts that keep it or none.
func literal(e Expr) bool {
	if c, ok := e.(*Cast); ok {
		return c.Plain && literal(c.Expr)
	}
	_, ok := e.(*Constant)
	return ok
}

// compare plans the comparisons of an expression that comparesTerms.
func (d *defining) compare(e Expr, sc *scope) {
	op, ok := e.(*Op)
	switch {
	case ok && op.logical():
		for _, x := range op.Operands {
			d.compare(x, sc)
		}
	case ok:
		d.a.compare(op, sc)
	}
}
