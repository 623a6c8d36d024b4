package sqlplan

import (
	"slices"
	"strings"
)

// Measure is what the driver shows of an opened value in the place of the value itself.
type Measure uint8

// The measures.
const (
	MeasureNone  Measure = iota // the value itself
	MeasureChars                // how many characters it has
	MeasureBytes                // how many bytes it has in UTF-8
	MeasureBits                 // eight times its bytes
)

// measured plans a length of a protected column in the select list of the statement
// itself, or COALESCE of such a length and a whole number: the server shows the column, and
// the driver the length of its value. It reports false for every other expression.
func (a *analysis) measured(c *column, t Target, sc *scope) bool {
	call, ok := t.Expr.(*Call)
	if !ok || call.ArgsEnd == 0 {
		return false
	}
	var inPlace *Literal
	length := call
	if args := coalesced(call); len(args) == 2 {
		number, ok := args[1].(*Constant)
		if length, _ = args[0].(*Call); length == nil || !ok || number.Value.Kind != LiteralInteger {
			return false
		}
		inPlace = &number.Value
	}
	if !plainCall(length) || len(length.Args) != 1 || !slices.Contains(lengths, strings.ToLower(length.Name)) {
		return false
	}
	ref, ok := length.Args[0].(*ColumnRef)
	if !ok || ref.Star {
		return false
	}
	v := a.lookup(ref, sc)
	if !v.protected() || v.kind != valueStored || !emptyTypes[v.column.Type] {
		return false
	}
	m := a.d.Measure(strings.ToLower(length.Name), v.column.Type == "bytes")
	if m == MeasureNone {
		return false
	}
	a.replace(Span{call.Start, call.ArgsEnd + 1}, textPart(a.text[ref.Start:ref.End]))
	if t.Alias == "" && t.Name != "" { // else the name is the text, see keepName
		a.insertText(call.ArgsEnd+1, " AS "+a.d.Quote(t.Name))
	}
	c.value, c.inPlace, c.measure = v, inPlace, m
	return true
}

// lengths are the functions that measure a value.
var lengths = []string{"length", "char_length", "character_length", "octet_length", "bit_length"}
