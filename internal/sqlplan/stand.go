package sqlplan

import (
	"slices"
	"strings"
)

// This file shows searchable columns under DISTINCT and GROUP BY. Ciphertexts are never
// equal, so that rows are put together by their terms, and the row with the least key
// stands for the rows that share a term: the value that is shown is that row's, and so are
// the row key and the term beside it.

// hintGroup is for searchable columns that no row can stand for.
const hintGroup = "show the column by its name alone, in a plain SELECT from its table with GROUP BY on that name, or leave it out of the select list"

// stand is how an output reads the row that stands for others.
type stand struct {
	// read writes a column of the row.
	read func(source string) string
	// columns are the protected columns that are shown, and what was shown beside them.
	columns []*Column
	beside  map[string]*column
}

// groupsBy reports whether rows are put together by the terms of the value.
func (o *selectOutput) groupsBy(v value) bool {
	st := o.stands[v.row]
	return st != nil && v.kind == valueStored && v.protected() && slices.Contains(st.columns, v.column)
}

// exposeStand shows a column of the row that stands for others.
func (o *selectOutput) exposeStand(st *stand, r *row, source string) *column {
	for _, e := range o.entries {
		if c := e.single; c != nil && c.value.protected() && c.value.row == r && o.a.d.SameColumn(c.value.column.Name, source) {
			return c
		}
	}
	if c := st.beside[source]; c != nil {
		return c
	}
	text := st.read(source)
	if text == "" || o.end < 0 {
		return nil
	}
	c := o.add(o.a.exactText(r.table, source, text), value{kind: valueStored, row: r, table: r.table, name: source})
	st.beside[source] = c
	return c
}

// foundStands are the values that are held to the term by which rows were put together.
func (o *selectOutput) foundStands() (list []found) {
	for _, e := range o.entries {
		if e.single == nil {
			continue
		}
		if v := e.single.value; o.groupsBy(v) {
			list = append(list, found{row: v.row, column: v.column})
		}
	}
	return list
}

// canStand reports whether a row of the SELECT can stand for others that share its value v.
func (a *analysis) canStand(s *Select, out *selectOutput, v value) bool {
	if s != a.top || a.nested > 0 || out.end < 0 || s.Into || len(s.DistinctOn) > 0 || !a.p.searches || v.kind != valueStored || !v.protected() ||
		v.column.Term == nil || !v.column.Term.Exact || v.row == nil || v.row.item.out != nil || len(s.Targets) != len(out.entries) {
		return false
	}
	return a.reachText(v.row, v.column.Term.Column) != "" && !slices.ContainsFunc(v.table.RowKey, func(k string) bool { return a.reachText(v.row, k) == "" })
}

// showStand writes the columns of a select list that show v as the row has them that
// stands for others.
func (a *analysis) showStand(s *Select, out *selectOutput, st *stand, v value) bool {
	ok := false
	for j, t := range s.Targets {
		c := out.entries[j].single
		if c == nil || c.value.row != v.row || c.value.column != v.column || !c.value.protected() {
			continue
		}
		ref, plain := t.Expr.(*ColumnRef)
		if !plain {
			return false
		}
		ok = true
		name := ""
		if t.Alias == "" {
			name = " AS " + a.d.Quote(c.name)
		}
		a.replace(ref.Span, textPart(st.read(v.column.Name)+name))
	}
	st.columns = append(st.columns, v.column)
	return ok
}

// standFor notes that a row of the output stands for others.
func (o *selectOutput) standFor(r *row, st *stand) {
	if o.stands == nil {
		o.stands = map[*row]*stand{}
	}
	st.beside = map[string]*column{}
	o.stands[r] = st
}

// standDistinct shows searchable columns of a SELECT DISTINCT.
func (a *analysis) standDistinct(s *Select, out *selectOutput, sc *scope) {
	if len(s.GroupBy) > 0 || s.Having != nil || s.mayAggregate() || s.windowed() {
		return
	}
	list, _ := out.columns()
	var all []value
	for _, c := range list {
		all = append(all, c.value)
	}
	var rows []*row
	values := map[*row][]value{}
	for _, v := range all {
		if !v.protected() || a.keyIn(v.row, all) {
			continue
		}
		if !a.canStand(s, out, v) || !a.groups(nil, v, sc, all) {
			return
		}
		if values[v.row] == nil {
			rows = append(rows, v.row)
		}
		values[v.row] = append(values[v.row], v)
	}
	for _, r := range rows {
		st := a.firstOf(r, values[r])
		out.standFor(r, st)
		for _, v := range values[r] {
			if !slices.Contains(st.columns, v.column) && !a.showStand(s, out, st, v) {
				delete(out.stands, r)
				return
			}
		}
	}
}

// firstOf reads the row with the least key among those that share the terms of values.
func (a *analysis) firstOf(r *row, values []value) *stand {
	var terms, keys []string
	for _, v := range values {
		terms = append(terms, a.reachText(r, v.column.Term.Column))
	}
	for _, k := range r.table.RowKey {
		keys = append(keys, a.reachText(r, k))
	}
	over := ") OVER (PARTITION BY " + strings.Join(terms, ", ") + " ORDER BY " + strings.Join(keys, ", ") + ")"
	return &stand{read: func(source string) string {
		text := a.reachText(r, source)
		if text == "" || slices.Contains(terms, text) {
			return text
		}
		return "FIRST_VALUE(" + text + over
	}}
}

// groupShown groups by the term of a searchable column that the SELECT shows.
func (a *analysis) groupShown(e Expr, s *Select, out *selectOutput, sc *scope) (value, bool) {
	p := a.peel(e)
	v := a.searchable(p.expr, sc)
	if v.column == nil {
		v, _ = a.orderTarget(e, out, sc, true)
	}
	if !a.spelled(e) || p.folded || p.trim || len(s.Regrouped) > 0 || len(v.tableKey()) != 1 || !a.canStand(s, out, v) || !a.groups(nil, v, sc, a.groupedPlainly(s, e, sc)) {
		return value{}, false
	}
	r, key := v.row, v.table.RowKey[0]
	st := out.stands[r]
	if st == nil {
		least := a.least(r.table, key, a.reachText(r, key))
		other, from := a.hiddenName(), a.nameOf(r.item.ref)
		st = &stand{read: func(source string) string {
			switch {
			case a.d.SameColumn(source, key):
				return least
			case r.table.termOf(source) != nil && slices.Contains(out.stands[r].columns, r.table.termOf(source)):
				return a.reachText(r, source)
			}
			of := a.d.Quote(other) + "."
			return "(SELECT " + of + a.d.Quote(source) + " FROM " + from + " " + a.d.Quote(other) + " WHERE " + of + a.d.Quote(key) + " = " + least + ")"
		}}
		out.standFor(r, st)
	}
	if !a.showStand(s, out, st, v) {
		delete(out.stands, r)
		return value{}, false
	}
	a.replace(e.At(), textPart(a.reachText(r, v.column.Term.Column)))
	return value{kind: valueStored, row: r, table: v.table, name: v.column.Term.Column, term: v.column}, true
}

// refuseGroup refuses GROUP BY on a searchable column, and says which form works.
func (a *analysis) refuseGroup(e Expr, v value) {
	if !v.protected() || v.column.Term == nil {
		return
	}
	hint := hintGroup
	switch {
	case !v.column.Term.Exact:
		hint = "give the column's search 128 bits or more, or group in the application"
	case len(v.column.Term.Sources) > 0:
		hint = "group also by " + v.table.Sources[v.column.Term.Sources[0]] + ", which the equality terms depend on, or fix it by equality; " + hint
	}
	a.refuse(e.At(), v.column.object(), "GROUP BY on a protected column", hint)
}

// spelled reports whether the place of an ordinal in the text is known.
func (a *analysis) spelled(e Expr) bool {
	c, ok := e.(*Constant)
	return !ok || a.text[c.Start:c.End] == c.Value.Text
}

// tableKey is the row key of a value's table.
func (v value) tableKey() []string {
	if v.table == nil {
		return nil
	}
	return v.table.RowKey
}

// groupedPlainly are the further columns that a SELECT groups by.
func (a *analysis) groupedPlainly(s *Select, but Expr, sc *scope) (list []value) {
	for _, g := range s.GroupBy {
		if c, ok := g.(*ColumnRef); ok && !c.Star && g != but {
			list = append(list, a.lookup(c, sc))
		}
	}
	return list
}

// least writes the least key of a group. Postgres has no MIN of some types that it orders.
func (a *analysis) least(t *Table, key, text string) string {
	if !a.d.NumberedPlaceholders() {
		return "MIN(" + text + ")"
	}
	base, _, _ := strings.Cut(a.columnType(t, key), "(")
	if slices.Contains([]string{"int", "integer", "bigint", "smallint", "int2", "int4", "int8", "text", "character varying", "varchar", "numeric", "date"}, base) {
		return "MIN(" + text + ")"
	}
	return "(ARRAY_AGG(" + text + " ORDER BY " + text + "))[1]"
}
