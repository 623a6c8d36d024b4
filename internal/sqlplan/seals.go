package sqlplan

import "encoding/binary"

// fewSeals is how many seals are kept as they are.
const fewSeals = 64

// Seals are the values that a text seals, in their order. Many of them are kept by what
// they have in common: the rows of one statement differ in the numbers of their parameters
// and in their literals. Seals are immutable and safe for concurrent use; the zero value
// has none.
type Seals struct {
	few []Seal
	// shapes are seals without what differs, and packed tells what each seal adds to which.
	shapes []Seal
	packed []packedSeal
	// numbers are, for each operand of a packed seal that has any: the parameter, the row,
	// or the index of the literal in texts and its place.
	numbers []int32
	texts   []string
}

type packedSeal struct{ shape, numbers int32 }

// ListedSeals are seals that are kept as they are.
func ListedSeals(list []Seal) Seals { return Seals{few: list} }

// packSeals keeps what carrying out a plan takes of seals.
func packSeals(list []Seal) Seals {
	if len(list) <= fewSeals {
		return ListedSeals(list[:len(list):len(list)])
	}
	l := Seals{packed: make([]packedSeal, 0, len(list)), numbers: make([]int32, 0, len(list)*(1+len(list[0].Sources)))}
	known := map[string]int32{}
	var key []byte
	for i := range list {
		s := &list[i]
		key = s.appendShape(key[:0])
		shape, ok := known[string(key)]
		if !ok {
			shape = int32(len(l.shapes))
			known[string(key)] = shape
			l.shapes = append(l.shapes, s.shape())
		}
		l.packed = append(l.packed, packedSeal{shape, int32(len(l.numbers))})
		l.pack(s.Value)
		for _, o := range s.Sources {
			l.pack(o)
		}
	}
	return l
}

// pack keeps what an operand does not share with others of its shape.
func (l *Seals) pack(o Operand) {
	switch o.Kind {
	case OperandParam, OperandEach:
		l.numbers = append(l.numbers, int32(o.Param))
	case OperandServer:
		l.numbers = append(l.numbers, int32(o.Row))
	case OperandLiteral:
		l.numbers = append(l.numbers, int32(len(l.texts)), o.At)
		l.texts = append(l.texts, o.Literal.Text)
	}
}

// unpack puts back what pack kept, and returns the numbers that are left.
func (l *Seals) unpack(o *Operand, numbers []int32) []int32 {
	switch o.Kind {
	case OperandParam, OperandEach:
		o.Param = int(numbers[0])
	case OperandServer:
		o.Row = int(numbers[0])
	case OperandLiteral:
		o.Literal.Text, o.At = l.texts[numbers[0]], numbers[1]
		return numbers[2:]
	default:
		return numbers
	}
	return numbers[1:]
}

// Len is the number of seals.
func (l *Seals) Len() int { return len(l.few) + len(l.packed) }

// At returns the i-th seal. It may be written into room, which At may be given again when
// the seal is not used any more. The seal must not be changed.
func (l *Seals) At(i int, room *Seal) *Seal {
	if i < len(l.few) {
		return &l.few[i]
	}
	p := l.packed[i]
	sources := room.Sources[:0]
	*room = l.shapes[p.shape]
	room.Sources = append(sources, room.Sources...)
	numbers := l.unpack(&room.Value, l.numbers[p.numbers:])
	for j := range room.Sources {
		numbers = l.unpack(&room.Sources[j], numbers)
	}
	return room
}

// All yields every seal with its index. A seal must not be kept beyond the iteration.
func (l *Seals) All() func(yield func(int, *Seal) bool) {
	return func(yield func(int, *Seal) bool) {
		for i := range l.few {
			if !yield(i, &l.few[i]) {
				return
			}
		}
		if len(l.packed) == 0 {
			return
		}
		var room Seal
		for i := range l.packed {
			if !yield(i, l.At(i, &room)) {
				return
			}
		}
	}
}

// List returns the seals for the caller to change. Those of one shape may share Sources.
func (l *Seals) List() []Seal {
	list := make([]Seal, l.Len())
	for i := range list {
		var room Seal
		list[i] = *l.At(i, &room)
	}
	return list
}

// shape is the seal without what pack keeps.
func (s *Seal) shape() Seal {
	out := *s
	out.Value = s.Value.shape()
	out.Sources = make([]Operand, len(s.Sources))
	for i, o := range s.Sources {
		out.Sources[i] = o.shape()
	}
	return out
}

func (o Operand) shape() Operand {
	switch o.Kind {
	case OperandParam, OperandEach:
		o.Param = 0
	case OperandServer:
		o.Row = 0
	case OperandLiteral:
		o.Literal.Text, o.At = "", 0
	}
	return o
}

// appendShape appends bytes that are equal for seals of one shape.
func (s *Seal) appendShape(b []byte) []byte {
	b = append(append(b, s.Schema...), 0)
	b = append(append(b, s.Table.Schema...), 0)
	b = append(append(b, s.Table.Name...), 0)
	b = append(append(b, s.Column.Name...), 0, byte(s.Term), bit(s.Compared, 0)|bit(s.NotNull, 1)|s.Column.shownAs())
	b = s.Value.appendShape(b)
	for _, o := range s.Sources {
		b = o.appendShape(b)
	}
	return b
}

func (o *Operand) appendShape(b []byte) []byte {
	b = append(b, byte(o.Kind), byte(o.Literal.Kind), bit(o.NotZero, 0)|bit(o.Written, 1)|bit(o.Of != nil, 2)|bit(o.NullIf != nil, 3)|bit(o.Sought, 4))
	if o.Of != nil {
		b = append(append(b, o.Of.Name...), 0)
	}
	if n := o.NullIf; n != nil {
		b = binary.AppendVarint(append(b, byte(n.Literal.Kind), bit(n.Loose, 0)), int64(len(n.Literal.Text)))
		b = append(b, n.Literal.Text...)
	}
	if _, ok := o.Argument(); !ok {
		b = binary.AppendVarint(b, int64(o.Param))
	}
	if o.Kind != OperandServer {
		b = binary.AppendVarint(b, int64(o.Row))
	}
	return b
}

func bit(set bool, n int) byte {
	if set {
		return 1 << n
	}
	return 0
}
