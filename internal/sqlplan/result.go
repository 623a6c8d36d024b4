package sqlplan

import (
	"slices"
	"strings"
)

// result describes the result set of a top-level statement; out is nil if it
// has none.
func (a *analysis) result(out output) {
	if a.err != nil || out == nil {
		return
	}
	type shown struct {
		column  *column
		sources []*column
	}
	var values []shown
	exact := map[exposed]*column{}
	found := &held{}
	a.hold(out, found)
	list, _ := out.columns()
	for _, c := range list {
		a.usePlainly(c.value, Span{})
		if c.value.protected() {
			values = append(values, shown{c, a.exposeSources(out, c.value, exact)})
		}
	}
	list, known := out.columns()
	index := make(map[*column]int, len(list)) // a star that is repeated repeats its columns
	set := ResultSet{Columns: make([]ResultColumn, len(list)), AnyCase: a.d.SameColumn("a", "A")}
	for i, c := range list {
		if _, seen := index[c]; !seen {
			index[c] = i
		}
		set.Columns[i] = ResultColumn{Name: c.name, Hidden: c.hidden, Shown: c.shown}
		set.Protected = set.Protected || c.hidden || c.shown != ""
	}
	for _, v := range values {
		set.Protected = true
		p := a.resultProtected(v.column.value, v.sources, index)
		if term := found.term(v.column.value); term != nil {
			p.Term = index[term]
		}
		for i, c := range list {
			if c == v.column {
				p.InPlace, p.Measure = c.inPlace, c.measure
				set.Columns[i].Protected = p
			}
		}
	}
	set.Filters, set.Page, a.page = found.filters(index), a.page, nil
	if k, ok := a.route.(*ServerKey); ok && k.shows != nil {
		k.Returned = index[k.shows]
		if !known {
			a.refuse(Span{}, k.Table.Name, "a RETURNING clause whose columns are not known, with a row key that the server makes", "list the columns")
			return
		}
	}
	if !known {
		if set.Protected {
			a.refuse(Span{}, "", "a star over a table whose columns are not known stands beside a protected value", "list the columns")
			return
		}
		set.Columns = nil
	}
	a.returning = a.returning || set.Protected
	a.results = append(a.results, set)
}

// exposed is a source of a row.
type exposed struct {
	row    *row
	source int
}

// exposeSources makes the output show what the value's context draws on.
// Entries are nil where it cannot. exact holds the hidden columns that were added
// beside columns which the base driver may not read as they are.
func (a *analysis) exposeSources(out output, v value, exact map[exposed]*column) []*column {
	sources := make([]*column, len(v.table.Sources))
	if v.kind == valueLoose || v.row == nil {
		return sources
	}
	reads := v.column.Reads()
	if v.column.Term != nil {
		reads = slices.Concat(reads, v.column.Term.Sources)
	}
	for _, i := range reads {
		name, key := v.table.Sources[i], exposed{v.row, i}
		if a.readsInexactly(v.table, name) {
			if exact[key] == nil {
				exact[key] = out.expose(v.row, name, true)
			}
			sources[i] = exact[key]
		}
		if sources[i] == nil {
			sources[i] = out.expose(v.row, name, false)
		}
	}
	return sources
}

func (a *analysis) resultProtected(v value, sources []*column, index map[*column]int) *ResultProtected {
	p := &ResultProtected{Table: v.table, Column: v.column, Sources: make([]int, len(sources)), Term: -1}
	for i, c := range sources {
		p.Sources[i] = -1
		if c == nil {
			continue
		}
		if at, ok := index[c]; ok {
			p.Sources[i] = at
		}
	}
	for _, i := range v.column.Context {
		if p.Sources[i] < 0 {
			p.Unverifiable = true
		}
	}
	return p
}

// Fits reports whether the columns that the server returned are those that the plan
// expects.
func (s *ResultSet) Fits(names []string) bool {
	if len(s.Columns) == 0 {
		return true
	}
	if len(names) != len(s.Columns) {
		return false
	}
	for i, c := range s.Columns {
		if c.Name != "" && !s.named(names[i], c.Name) {
			return false
		}
	}
	return true
}

// named reports whether the server's name of a result column is that of a column.
// go-sql-driver puts the table's name before it under columnsWithAlias.
func (s *ResultSet) named(shown, name string) bool {
	if before := len(shown) - len(name); before > 0 && shown[before-1] == '.' {
		shown = shown[before:]
	}
	return shown == name || s.AnyCase && strings.EqualFold(shown, name)
}
