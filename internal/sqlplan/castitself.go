package sqlplan

// itselfTypes are the types to which a cast keeps a value as the driver shows it, by the
// policy's type of the column.
var itselfTypes = map[string]string{"string": "text", "int64": "bigint", "float64": "double precision", "bool": "boolean", "bytes": "bytea", "uuid": "uuid", "decimal": "numeric"}

// castToItself plans a cast of a protected column to its own type in a select list: the
// server shows the column. It reports false for every other expression, and for what a
// view stores, which holds ciphertexts as text.
func (a *analysis) castToItself(c *column, t Target, sc *scope) bool {
	cast, ok := t.Expr.(*Cast)
	if !ok || !cast.Plain || a.view {
		return false
	}
	ref, ok := cast.Expr.(*ColumnRef)
	if !ok || ref.Star {
		return false
	}
	v := a.lookup(ref, sc)
	if !v.protected() || v.kind != valueStored || v.column.Paths != nil {
		return false
	}
	if to := itselfTypes[v.column.Type]; cast.Type != to && (to != "text" || cast.Type == "binary" || !a.d.SameType(cast.Type, to)) {
		return false
	}
	a.replace(cast.Span, textPart(a.text[ref.Start:ref.End]))
	c.value = v
	if c.name == "" {
		byText := false
		if c.name, byText = a.d.NameByText(a.text[t.Span.Start:t.Span.End]); !byText {
			c.name = ref.Name
		}
	}
	return true
}
