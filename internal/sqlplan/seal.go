package sqlplan

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"iter"
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
		return Operand{Kind: OperandParam, Param: e.Index}, true
	case *Constant:
		return Operand{Kind: OperandLiteral, Literal: e.Value, At: literalAt(e.Span)}, true
	case *Null:
		return Operand{Kind: OperandNull}, true
	case *Default:
		if e.Constant != nil {
			return Operand{Kind: OperandLiteral, Literal: *e.Constant, At: literalAt(e.Span)}, true
		}
	case *Cast:
		if !e.Plain && !(e.Typed && columnType == "") || columnType != "" && !a.d.SameType(e.Type, columnType) {
			return Operand{}, false
		}
		o, ok := a.operand(e.Expr, columnType)
		if o.At > 0 {
			o.At = literalAt(e.Span)
		}
		return o, ok
	}
	return Operand{}, false
}

// literalAt is where a literal begins, from 1; 0 for an empty span at the beginning.
func literalAt(s Span) int32 {
	if s.End == 0 {
		return 0
	}
	return int32(s.Start + 1)
}

// addSeal returns the index of the seal, sharing an equal one.
func (a *analysis) addSeal(s Seal) int {
	a.tick()
	if i := a.sealIndex.find(a.seals, &s); i >= 0 {
		return i
	}
	a.seals = append(a.seals, s)
	return len(a.seals) - 1
}

// sealIndex finds seals by a hash of what they seal.
type sealIndex struct {
	seed   maphash.Seed
	byHash map[uint64]int32
	key    []byte
}

// find returns the index of an equal seal. If there is none it returns -1, and has the
// seal be the next.
func (x *sealIndex) find(seals []Seal, s *Seal) int {
	if x.byHash == nil {
		x.byHash, x.seed = map[uint64]int32{}, maphash.MakeSeed()
	}
	x.key = s.appendKey(x.key[:0])
	hash := maphash.Bytes(x.seed, x.key)
	i, ok := x.byHash[hash]
	if !ok {
		x.byHash[hash] = int32(len(seals))
		return -1
	}
	if !bytes.Equal(seals[i].appendKey(nil), x.key) {
		return -1
	}
	return int(i)
}

// allSeals lists the seals so far, on whatever route.
func (a *analysis) allSeals() iter.Seq[*Seal] {
	return func(yield func(*Seal) bool) {
		lists := [][]Seal{a.seals}
		if r, ok := a.route.(*RowByRow); ok {
			for _, u := range r.writes {
				lists = append(lists, u.perRow)
			}
		}
		for _, list := range lists {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
			}
		}
	}
}

// keepSeals puts the seals into the plan.
func (a *analysis) keepSeals(p *Plan) {
	p.Seals = packSeals(a.seals)
	r, ok := p.Route.(*RowByRow)
	if !ok {
		return
	}
	for i, u := range r.writes {
		r.Tables[i].Seals = packSeals(u.perRow)
	}
	r.writes = nil
}

// appendKey appends bytes that are equal for seals of one value for one row.
func (s *Seal) appendKey(b []byte) []byte {
	b = append(b, s.Table.Schema...)
	b = append(append(b, 0), s.Table.Name...)
	b = append(append(b, 0), s.Column.Name...)
	b = append(b, 0, byte(s.Term), bit(s.Compared, 0)|s.Column.shownAs())
	b = s.Value.appendKey(b)
	for _, o := range s.Sources {
		b = o.appendKey(b)
	}
	return b
}

// shownAs tells apart columns of one name: a document, and its parts as JSON and as text.
func (c *Column) shownAs() byte { return bit(c.Of != nil, 6) | bit(c.Text, 7) }

func (o *Operand) appendKey(b []byte) []byte {
	b = append(b, 0, byte(o.Kind), byte(o.Literal.Kind))
	b = binary.AppendVarint(binary.AppendVarint(b, int64(o.Param)), int64(o.Row))
	b = binary.AppendVarint(b, int64(len(o.Literal.Text)))
	b = append(b, o.Literal.Text...)
	if o.NullIf != nil {
		b = append(append(b, 0, byte(o.NullIf.Literal.Kind)), o.NullIf.Literal.Text...)
	}
	return b
}

// sealCell replaces a value of the text by the seal.
func (a *analysis) sealCell(e Expr, s Seal, direct bool) int {
	index := a.addSeal(s)
	span := e.At()
	if !a.claimSpan(span, index, s.Column) {
		return index
	}
	p := argPart(argOf(ArgSeal, index))
	if open, cast := a.sealCast(s.Column); !direct {
		p.around = a.arrayCast(s.Value, open, cast)
	}
	p.literal = s.Value.Kind == OperandLiteral
	if n, ok := s.Value.Argument(); ok {
		p.hint = int32(n + 1)
	}
	a.replace(span, p)
	return index
}

// claimSpan notes that a value of the text is sealed. It returns false if it
// is already.
func (a *analysis) claimSpan(span Span, seal int, c *Column) bool {
	if slices.ContainsFunc(a.rowLists, func(list Span) bool { return list.Start <= span.Start && span.End <= list.End }) {
		a.refuse(span, c.object(), "a protected value in a VALUES list of MariaDB's, which stores NULL for values of prepared statements", "use SELECT … UNION ALL SELECT …")
		return false
	}
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
