package sqlplan

import (
	"fmt"
	"reflect"
	"testing"
)

// TestPackedSealsKeepEveryField packs seals that differ in one field each, those of
// operands among them: a field that packing does not know would be that of another seal.
func TestPackedSealsKeepEveryField(t *testing.T) {
	table, other := &Table{Name: "t", Sources: []string{"k", "l"}}, &Table{Name: "u"}
	columns := []*Column{{Table: table, Name: "a"}, {Table: other, Name: "b"}}
	base := Seal{Table: table, Column: columns[0], Value: Operand{Kind: OperandParam, Param: 3}, Sources: []Operand{{Kind: OperandParam, Param: 4}, {Kind: OperandLiteral, Literal: Literal{LiteralString, "x"}, At: 7}}}
	list := []Seal{base}
	fields := 0
	vary := func(of func(s *Seal) reflect.Value) {
		v := of(&base)
		for i := range v.NumField() {
			fields++
			s := base
			s.Sources = append([]Operand(nil), base.Sources...)
			change(t, of(&s).Field(i), table, other, columns)
			list = append(list, s)
		}
	}
	vary(func(s *Seal) reflect.Value { return reflect.ValueOf(s).Elem() })
	vary(func(s *Seal) reflect.Value { return reflect.ValueOf(&s.Value).Elem() })
	for i := range base.Sources {
		vary(func(s *Seal) reflect.Value { return reflect.ValueOf(&s.Sources[i]).Elem() })
		vary(func(s *Seal) reflect.Value { return reflect.ValueOf(&s.Sources[i].Literal).Elem() })
	}
	for len(list) <= fewSeals {
		list = append(list, list...)
	}
	packed := packSeals(list)
	if len(packed.packed) != len(list) || fields < 30 {
		t.Fatalf("%d of %d seals are packed, %d fields", len(packed.packed), len(list), fields)
	}
	for i, s := range packed.All() {
		// What a parameter has no use for is not kept: a literal's text, a place.
		if got, want := fmt.Sprintf("%+v", meaning(*s)), fmt.Sprintf("%+v", meaning(list[i])); got != want {
			t.Errorf("seal %d\n got %s\nwant %s", i, got, want)
		}
	}
}

// change gives a field another value.
func change(t *testing.T, f reflect.Value, table, other *Table, columns []*Column) {
	t.Helper()
	switch v := f.Addr().Interface().(type) {
	case *OperandKind:
		*v = OperandServer
	case *Literal:
		*v = Literal{LiteralInteger, "9"}
	case *Operand:
		*v = Operand{Kind: OperandNull}
	case *[]Operand:
		*v = []Operand{{Kind: OperandStored, Param: 1}, {Kind: OperandStored, Param: 0}}
	case **NullIf:
		*v = &NullIf{Literal: Literal{LiteralString, "none"}}
	case **Table:
		*v = other
	case **Column:
		if *v == columns[0] {
			*v = columns[1]
		} else {
			*v = columns[0]
		}
	case *bool:
		*v = !*v
	case *string:
		*v = "changed"
	default:
		switch f.Kind() {
		case reflect.Int, reflect.Int32:
			f.SetInt(f.Int() + 5)
		case reflect.Uint8:
			f.SetUint(f.Uint() + 1)
		default:
			t.Fatalf("a field of a type that the test does not know: %s", f.Type())
		}
	}
}

// meaning leaves out what an operand of its kind has no use for.
func meaning(s Seal) Seal {
	s.Value = s.Value.meaning()
	s.Sources = append([]Operand(nil), s.Sources...)
	for i, o := range s.Sources {
		s.Sources[i] = o.meaning()
	}
	return s
}

func (o Operand) meaning() Operand {
	if o.Kind != OperandLiteral {
		o.Literal, o.At = Literal{}, 0
	}
	return o
}
