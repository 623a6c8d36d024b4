package sqlplan

import "slices"

// inPlaceTypes are the literals that COALESCE may show in place of NULL, by the policy's
// type of the column.
var inPlaceTypes = map[string][]LiteralKind{"string": {LiteralString}, "int64": {LiteralInteger}}

// orElse plans COALESCE of a protected column, or of a path of a document as text, and a literal in the select list of the
// statement itself: the server shows the column, and the driver the literal in place of
// NULL. It reports false for every other expression.
func (a *analysis) orElse(c *column, t Target, sc *scope) bool {
	args := coalesced(t.Expr)
	if len(args) != 2 {
		return false
	}
	call := t.Expr.(*Call)
	other, isConstant := args[1].(*Constant)
	if !isConstant || call.ArgsEnd == 0 {
		return false
	}
	v := a.traced(args[0], sc)
	if !v.protected() || v.kind != valueStored || !slices.Contains(inPlaceTypes[v.column.Type], other.Value.Kind) {
		return false
	}
	ref, ok := args[0].(*ColumnRef)
	if !ok { // a part of a document
		a.replace(other.Span, textPart("NULL"))
		c.value, c.inPlace = v, &other.Value
		return true
	}
	a.replace(Span{call.Start, call.ArgsEnd + 1}, textPart(a.text[ref.Start:ref.End]))
	if t.Alias == "" && t.Name != "" { // else the name is the text, see keepName
		a.insertText(call.ArgsEnd+1, " AS "+a.d.Quote(t.Name))
	}
	c.value, c.inPlace = v, &other.Value
	return true
}
