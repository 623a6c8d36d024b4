package sqlplan

import "slices"

// claim says which seal replaces a value of the text.
type claim struct {
	span Span
	seal int
}

// plainUse is a use of a given value where it is not sealed.
type plainUse struct{ cell, at Span }

// alike is a given value that the text names like a protected column.
type alike struct {
	cell   Span
	column *Column
}

// operand converts a parameter or literal. Casts are looked through if they
// cannot change the value: for columnType "" every plain one, else those that
// keep a value of that type what it is.
func (a *analysis) operand(e Expr, columnType string) (Operand, bool) {
	switch e := e.(type) {
	case *Param:
		return Operand{Kind: OperandParam, Param: e.Index, Span: e.Span}, true
	case *Constant:
		return Operand{Kind: OperandLiteral, Literal: e.Value, Span: e.Span}, true
	case *Null:
		return Operand{Kind: OperandNull, Span: e.Span}, true
	case *Cast:
		if !e.Plain || columnType != "" && !a.d.SameType(e.Type, columnType) {
			return Operand{}, false
		}
		o, ok := a.operand(e.Expr, columnType)
		o.Span = e.Span
		return o, ok
	}
	return Operand{}, false
}

func sameOperand(x, y Operand) bool {
	return x.Kind == y.Kind && x.Param == y.Param && x.Row == y.Row && x.Literal == y.Literal
}

// addSeal returns the index of the seal, sharing an equal one.
func (a *analysis) addSeal(s Seal) int {
	for i, x := range a.seals {
		if x.Column == s.Column && sameOperand(x.Value, s.Value) && slices.EqualFunc(x.Sources, s.Sources, sameOperand) {
			return i
		}
	}
	a.seals = append(a.seals, s)
	return len(a.seals) - 1
}

// sealCell replaces a value of the text by the seal.
func (a *analysis) sealCell(e Expr, s Seal, direct bool) int {
	index := a.addSeal(s)
	span := e.At()
	if !a.claimSpan(span, index, s.Column) {
		return index
	}
	p := argPart(Arg{Kind: ArgSeal, Index: index})
	if !direct {
		p.open, p.cast = a.d.SealCast(s.Column)
	}
	p.literal = s.Value.Kind == OperandLiteral
	if s.Value.Kind == OperandParam {
		p.hint = s.Value.Param + 1
	}
	a.replace(span, p)
	return index
}

// claimSpan notes that a value of the text is sealed. It returns false if it
// is already.
func (a *analysis) claimSpan(span Span, seal int, c *Column) bool {
	if old, ok := a.claims[span.Start]; ok {
		if old.seal != seal || old.span != span {
			a.refuse(span, c.object(), "one value that stands for two rows or columns", "pass it twice")
		}
		return false
	}
	if a.claims == nil {
		a.claims = map[int]claim{}
	}
	a.claims[span.Start] = claim{span, seal}
	return true
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
	for _, site := range a.script.Params {
		if a.claimed(site.Span) {
			continue
		}
		for _, s := range slices.Concat(a.seals, a.withheld) {
			if v := s.Value; v.Kind == OperandParam && v.Param == site.Index {
				a.refuse(site.Span, s.Column.object(), "a parameter for a protected column also stands where it would be sent unencrypted", "pass the value as two parameters")
			}
		}
	}
}

func (a *analysis) sealed(index int) *Column {
	return a.seals[index].Column
}

func (a *analysis) claimed(span Span) bool {
	for _, c := range a.claims {
		if c.span.Start <= span.Start && span.End <= c.span.End {
			return true
		}
	}
	return false
}
