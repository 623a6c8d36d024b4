package sqlplan

import (
	"slices"
	"strings"
)

// This file follows the elements of arrays that arguments give, into the rows that unnest
// makes of them. The elements are given values of a row whose number is not known: each
// array is sent as one of ciphertexts, or of equality terms.

// eachOf stands for the elements of an array that an argument gives; nil for any other
// expression.
func eachOf(array Expr) *Each {
	e := array
	if c, ok := e.(*Cast); ok && c.Array {
		e = c.Expr
	}
	if _, ok := e.(*Param); !ok {
		return nil
	}
	return &Each{Span: array.At(), Array: array}
}

// unnested returns the elements of the array that a call of unnest makes rows of.
func (a *analysis) unnested(e Expr) *Each {
	c, ok := e.(*Call)
	if !ok || len(c.Args) != 1 || len(c.Rest) > 0 || !a.unnests(c) {
		return nil
	}
	return eachOf(c.Args[0])
}

func (a *analysis) unnests(c *Call) bool {
	return strings.EqualFold(c.Name, "unnest") && (c.Schema == "" || a.d.BuiltinSchema(c.Schema))
}

// givenOperand is operand for a given value that may be each element of an array.
func (a *analysis) givenOperand(e Expr, columnType string) (Operand, bool) {
	each, ok := e.(*Each)
	if !ok {
		return a.operand(e, columnType)
	}
	array := each.Array
	if c, ok := array.(*Cast); ok {
		if columnType != "" && !a.d.SameType(c.Type, columnType) {
			return Operand{}, false
		}
		array = c.Expr
	}
	p, ok := array.(*Param)
	if !ok {
		return Operand{}, false
	}
	return Operand{Kind: OperandEach, Param: p.Index}, true
}

// eachSource returns the operand of a source that is each element of an array: it belongs to
// a value of the same rows.
func (a *analysis) eachSource(t *target, i int, cell cellOf, v value, e *Each) (Operand, bool) {
	if _, each := cell.expr.(*Each); !each || cell.row == nil || v.row != cell.row {
		return Operand{}, false
	}
	o, ok := a.givenOperand(e, a.sourceType(t, i))
	o.Of = t.table.termOf(t.table.Sources[i])
	return o, ok
}

// eachCell returns cell n of a value, if it is each element of an array; else nil.
func eachCell(v value, n int) *Each {
	if n = min(n, len(v.cells)-1); n < 0 {
		return nil
	}
	e, _ := v.cells[n].(*Each)
	return e
}

// isEach reports whether a value is each element of an array.
func isEach(e Expr) bool {
	_, ok := e.(*Each)
	return ok
}

// arrayCast has the casts around a hole be those of an array, where the value is each
// element of an array.
func (a *analysis) arrayCast(o Operand, open, cast string) *casts {
	if o.Kind == OperandEach && cast != "" {
		cast += "[]"
	}
	return a.around(open, cast)
}

// unnesting is an entry of FROM whose rows are those of arrays.
type unnesting struct {
	it    *item
	call  *TableFunction
	grown int
}

// unnestItem gives the columns of unnest in FROM their values.
func (a *analysis) unnestItem(t *TableFunction, it *item) {
	if len(t.Arrays) == 0 || len(t.Arrays) > len(it.cols) {
		return
	}
	r := &row{item: it}
	for i, array := range t.Arrays {
		if e := eachOf(array); e != nil {
			it.cols[i].value = value{kind: valueGiven, row: r, cells: []Expr{e}}
		}
	}
	it.unnesting = &unnesting{it: it, call: t}
}

// grow adds a column: a further array.
func (u *unnesting) grow(p part) *column {
	it, a := u.it, u.it.a
	if u.call.ArraysEnd == 0 || it.name == "" {
		return nil
	}
	c := &column{name: a.hiddenName(), hidden: true}
	at := len(u.call.Arrays) + u.grown
	it.cols = slices.Insert(it.cols, at, c)
	if u.grown++; u.grown == 1 {
		a.unnestings = append(a.unnestings, u)
	}
	a.insertParts(u.call.ArraysEnd, textPart(", "), p)
	return c
}

// complete names every column, once all are known.
func (u *unnesting) complete() {
	a := u.it.a
	names := make([]string, len(u.it.cols))
	for i, c := range u.it.cols {
		names[i] = a.d.Quote(c.name)
	}
	a.replace(u.call.AliasSpan, textPart(" AS "+a.d.Quote(u.it.name)+"("+strings.Join(names, ", ")+")"))
}

// returnsRows reports whether a function of the server's returns rows, not a value.
func (c *Call) returnsRows() bool { return rowFunctions[strings.ToLower(c.Name)] }

var rowFunctions = map[string]bool{"unnest": true, "generate_series": true, "generate_subscripts": true, "string_to_table": true, "regexp_matches": true,
	"regexp_split_to_table": true, "json_array_elements": true, "jsonb_array_elements": true, "json_array_elements_text": true, "jsonb_array_elements_text": true,
	"json_each": true, "jsonb_each": true, "json_each_text": true, "jsonb_each_text": true, "json_object_keys": true, "jsonb_object_keys": true,
	"json_populate_recordset": true, "jsonb_populate_recordset": true, "json_to_recordset": true, "jsonb_to_recordset": true, "jsonb_path_query": true}

// growsRows reports whether a target makes several rows of one.
func growsRows(t Target) (found bool) {
	walk(t.Expr, func(e Expr) bool {
		c, ok := e.(*Call)
		found = found || ok && c.returnsRows()
		return !found
	})
	return found
}

// arrayRows are the rows of an INSERT … SELECT that takes them out of arrays and does
// nothing else: it inserts as many as the longest array has elements, in their order.
type arrayRows struct {
	params []int // the arrays
	out    output
	of     value // one of the columns
}

// rowsOfArrays finds the arrays that a query takes its rows out of; nil if it joins, sorts or
// leaves out rows, or takes rows out of anything else.
func (a *analysis) rowsOfArrays(q *Query, out output) *arrayRows {
	s, ok := q.Body.(*Select)
	if !ok || !q.everyRow(s) {
		return nil
	}
	arrays, ok := a.arraysOf(s)
	if !ok {
		return nil
	}
	r := &arrayRows{out: out}
	for _, e := range arrays {
		o, _ := a.givenOperand(e, "")
		r.params = append(r.params, o.Param)
	}
	list, _ := out.columns()
	for _, c := range list {
		if c.value.kind == valueGiven && len(c.value.cells) == 1 && isEach(c.value.cells[0]) {
			r.of = c.value
		}
	}
	if r.of.kind == 0 {
		return nil
	}
	return r
}

// everyRow reports whether a query, which is the SELECT, returns each row of FROM once, in its
// order.
func (q *Query) everyRow(s *Select) bool {
	changed := q.With != nil || len(q.OrderBy) > 0 || q.Limited || q.Locking
	merged := s.Distinct || len(s.DistinctOn) > 0 || len(s.GroupBy) > 0 || s.Having != nil || s.aggregates()
	return !changed && !merged && s.Where == nil
}

// arraysOf lists the arrays that a SELECT takes rows out of; ok is false if it takes rows out
// of anything else.
func (a *analysis) arraysOf(s *Select) (arrays []*Each, ok bool) {
	for _, from := range s.From {
		f, ok := from.(*TableFunction)
		if !ok || len(f.Arrays) == 0 || len(s.From) > 1 || slices.ContainsFunc(s.Targets, growsRows) {
			return nil, false
		}
		for _, array := range f.Arrays {
			e := eachOf(array)
			if e == nil {
				return nil, false
			}
			arrays = append(arrays, e)
		}
	}
	for _, t := range s.Targets {
		if e := a.unnested(t.Expr); e != nil {
			arrays = append(arrays, e)
		} else if growsRows(t) {
			return nil, false
		}
	}
	return arrays, s.TargetsEnd >= 0
}

// evaluationOfArrays is the text by which the server makes the sources' values, as many as the
// arrays have rows.
func (k *serverColumns) evaluationOfArrays(columns []RelationColumn) []part {
	parts := []part{textPart("SELECT ")}
	for i, c := range columns {
		if i > 0 {
			parts = append(parts, textPart(", "))
		}
		parts = append(parts, textPart(k.in.a.d.DefaultOf(k.in.t.rel, c)))
	}
	count := RelationColumn{Type: "integer"}
	return append(parts, textPart(" FROM generate_series(1, "), part{arg: argOf(ArgRows, 0), around: k.in.a.around("", k.in.a.d.KeyCast(count))}, textPart(")"))
}

// insertArrays has the statement insert the evaluated values: a further array for each source.
func (k *serverColumns) insertArrays(columns []RelationColumn) {
	in, a := k.in, k.in.a
	always := false
	for at, c := range columns {
		always = always || c.Identity == "always"
		p := argPart(argOf(ArgServerEach, at))
		p.around = a.around("", a.d.KeyCast(c)+"[]")
		if !in.grows(in.arrays.out, in.arrays.of, func(int) part { return p }) {
			a.refuse(in.s.Query.Span, in.t.table.Name, "the server makes the row key of rows out of arrays, which can get no array of keys", "give the row key as an array, or list the columns instead of *")
			return
		}
		in.more = append(in.more, c.Name)
	}
	if always && in.s.Overriding == "" {
		a.insertText(in.s.SourceStart, "OVERRIDING SYSTEM VALUE ")
	}
}

// grows has a query show a further column, as its last.
func (in *insertion) grows(out output, v value, cells func(n int) part) bool {
	added := in.a.grow(out, v, cells)
	list, _ := out.columns()
	return added != nil && len(list) > 0 && list[len(list)-1] == added
}
