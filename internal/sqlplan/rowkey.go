package sqlplan

import (
	"slices"
	"strings"
)

// checkRowKeys refuses a plan that seals a value for a row of a table whose row key, by
// the live catalog, is not unique: the value would open in several rows. Reads are not
// refused.
func (a *analysis) checkRowKeys() {
	checked := map[*Table]bool{}
	for s := range a.allSeals() {
		if checked[s.Table] || s.Value.Kind == OperandNull {
			continue
		}
		checked[s.Table] = true
		schema := s.Table.Schema
		if schema == "" {
			schema = a.schemas[s.Table]
		}
		rel := a.describe(schema, s.Table.Name)
		if rel == nil || !rel.KeysKnown || a.err != nil {
			continue
		}
		if why := a.severalRows(s.Table, rel); why != "" {
			a.refuse(Span{-1, -1}, s.Table.Name, "a protected value is written to a table whose row key may be that of several rows: "+why,
				"add a unique index on ("+strings.Join(s.Table.RowKey, ", ")+"), or name the columns of one as row_key in the policy")
		}
	}
}

// severalRows says why several rows may have one row key, by the catalog's evidence; empty
// if they may not. Rows whose key is NULL take no value.
func (a *analysis) severalRows(t *Table, rel *Relation) string {
	if rel.Children != "" {
		return "the table " + rel.Children + " inherits from it, and unique keys do not hold for both"
	}
	var keys []string
	for _, k := range rel.UniqueKeys {
		within := len(k.Columns) > 0 && !slices.ContainsFunc(k.Columns, func(c string) bool {
			return c == "" || !slices.ContainsFunc(t.RowKey, func(name string) bool { return a.d.SameColumn(c, name) })
		})
		if within && !k.Partial && !k.Exclusion {
			return ""
		}
		keys = append(keys, k.String())
	}
	if len(keys) == 0 {
		return "it has no unique key"
	}
	return "its unique keys are " + strings.Join(keys, ", ")
}

// String describes the key for a person.
func (k UniqueKey) String() string {
	columns := slices.Clone(k.Columns)
	for i, c := range columns {
		if c == "" {
			columns[i] = "an expression"
		}
	}
	text := k.Name + " (" + strings.Join(columns, ", ") + ")"
	switch {
	case k.Exclusion:
		text += " as an exclusion constraint"
	case k.Partial:
		text += " of some rows"
	}
	return text
}
