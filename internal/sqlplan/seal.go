package sqlplan

import (
	"encoding/binary"
	"slices"
	"sort"
)

// claim says which seal replaces a value of the text.
type claim struct {
	span   Span
	seal   int // negative for a seal of each row
	column *Column
}

// plainUse is a use of a given value where it is not sealed.
type plainUse struct{ cell, at Span }

// alike is a given value that the text names like a protected column.
type alike struct {
	cell   Span
	column *Column
}

// operand converts a parameter or literal. It looks through casts that cannot
// change the value: plain casts for columnType "", else casts that keep a value of
// the column's type.
func (a *analysis) operand(e Expr, columnType string) (Operand, bool) {
	switch e := e.(type) {
	case *Param:
		return Operand{Kind: OperandParam, Param: e.Index, Span: e.Span}, true
	case *Constant:
		return Operand{Kind: OperandLiteral, Literal: e.Value, Span: e.Span}, true
	case *Null:
		return Operand{Kind: OperandNull, Span: e.Span}, true
	case *Default:
		if e.Constant != nil {
			return Operand{Kind: OperandLiteral, Literal: *e.Constant, Span: e.Span}, true
		}
	case *Cast:
		if !e.Plain && !(e.Typed && columnType == "") || columnType != "" && !a.d.SameType(e.Type, columnType) {
			return Operand{}, false
		}
		o, ok := a.operand(e.Expr, columnType)
		o.Span = e.Span
		return o, ok
	}
	return Operand{}, false
}

// addSeal returns the index of the seal, sharing an equal one.
func (a *analysis) addSeal(s Seal) int {
	a.tick()
	key := s.key()
	if i, ok := a.sealIndex[key]; ok {
		return i
	}
	if a.sealIndex == nil {
		a.sealIndex = map[string]int{}
	}
	a.seals = append(a.seals, s)
	a.sealIndex[key] = len(a.seals) - 1
	return len(a.seals) - 1
}

// key is equal for seals of one value for one row.
func (s *Seal) key() string {
	b := make([]byte, 0, 64)
	b = append(b, s.Table.Schema...)
	b = append(append(b, 0), s.Table.Name...)
	b = append(append(b, 0), s.Column.Name...)
	b = append(b, 0, byte(s.Term), 0)
	if s.Compared {
		b[len(b)-1] = 1
	}
	b = s.Value.appendKey(b)
	for _, o := range s.Sources {
		b = o.appendKey(b)
	}
	return string(b)
}

func (o *Operand) appendKey(b []byte) []byte {
	b = append(b, 0, byte(o.Kind), byte(o.Literal.Kind))
	b = binary.AppendVarint(binary.AppendVarint(b, int64(o.Param)), int64(o.Row))
	b = binary.AppendVarint(b, int64(len(o.Literal.Text)))
	return append(b, o.Literal.Text...)
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
			a.refuse(span, c.object(), "one value for two rows or columns", "pass it twice")
		}
		return false
	}
	if a.claims == nil {
		a.claims = map[int]claim{}
	}
	a.claims[span.Start] = claim{span, seal, c}
	return true
}

func (a *analysis) sealed(index int) *Column {
	return a.seals[index].Column
}

// claimedSpans returns a test of whether a span lies within a value that is sealed.
func (a *analysis) claimedSpans() func(Span) bool {
	spans := make([]Span, 0, len(a.claims))
	for _, c := range a.claims {
		spans = append(spans, c.span)
	}
	slices.SortFunc(spans, func(x, y Span) int { return x.Start - y.Start })
	return func(s Span) bool {
		// Claims do not overlap: the last that begins at or before s may hold it.
		i := sort.Search(len(spans), func(i int) bool { return spans[i].Start > s.Start })
		return i > 0 && s.End <= spans[i-1].End
	}
}
