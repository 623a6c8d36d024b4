package sqlplan

import "slices"

// This file has an INSERT write the constant defaults of protected columns that it leaves out:
// sealed, where the server would fill them in clear.

const (
	refuseDefault = "a protected column would get its default in clear"
	hintDefault   = "give the row key as parameters, literals or a list of VALUES, with which the default is written sealed, or drop the default"
)

// omitted refuses the statement if the server would fill a protected column
// that it does not write. Columns in skip are written. given are the sources that a SELECT gives
// for its rows.
func (in *insertion) omitted(skip map[*Column]bool, given pins) {
	for _, c := range in.t.table.Columns {
		if skip[c] || in.t.item.rel != nil && in.t.item.rel.View && in.a.relationColumn(in.t.item.rel, c.Name) == nil {
			continue
		}
		text, ok := in.a.constantDefault(in.t, c)
		if ok && (len(in.s.Rows) > 0 && (len(in.names) > 0 || in.s.DefaultValues) || len(in.branches) > 0) {
			in.constants[c] = text
			continue
		}
		if _, keyed := in.a.rowsOf(c, given); ok && keyed {
			in.constants[c] = text
			continue
		}
		if ok {
			in.a.refuse(in.s.Target.Span, c.object(), refuseDefault, hintDefault)
			continue
		}
		in.a.defaultIsNull(in.t, c, in.s.Target.Span, c.Name)
		for term := range c.kept {
			in.a.defaultIsNull(in.t, c, in.s.Target.Span, term.Column)
		}
	}
}

// rowOfDefaults has DEFAULT VALUES count as a row that gives nothing, if a protected column
// has a constant default, which the row gets sealed.
func (in *insertion) rowOfDefaults() {
	if !in.s.DefaultValues || !slices.ContainsFunc(in.t.table.Columns, func(c *Column) bool { _, ok := in.a.constantDefault(in.t, c); return ok }) {
		return
	}
	s := *in.s
	s.Rows = []ValuesRow{{Span: s.DefaultValuesSpan, End: s.DefaultValuesSpan.End}}
	in.s = &s
}

// writeDefaults has each row write the constants that the server would fill in clear.
// given are the rows' sources.
func (in *insertion) writeDefaults(given []pins) {
	for _, c := range in.t.table.Columns {
		text, ok := in.constants[c]
		if !ok || in.a.err != nil {
			continue
		}
		write := func(use TermUse) func(n int, alone bool) []part {
			return func(n int, _ bool) []part { return in.constant(c, use, text, given[n], n) }
		}
		insertSite{in}.add(c.Name, write(TermUnused))
		for term, use := range c.kept {
			insertSite{in}.add(term.Column, write(use))
		}
	}
}

// constant writes a constant for row n: sealed, or its term.
func (in *insertion) constant(c *Column, use TermUse, text string, given pins, n int) []part {
	cell := cellOf{expr: &Constant{Value: Literal{LiteralString, text}}, only: true}
	s, ok := in.seal(c, use, cell, given, n)
	if !ok {
		return []part{textPart("NULL")} // refused
	}
	index := in.a.addSeal(s)
	if use == TermUnused {
		in.rowSeals.add(n, index)
	} else if len(c.Term.Sources) > 0 {
		in.rowTerms.add(n, index)
	}
	p := argPart(argOf(ArgSeal, index))
	p.literal = true
	return []part{p}
}

// rowsOf returns the given value that tells rows apart to which a value of the column is bound:
// that of a source, which has an entry for each row, or one for all. It reports false if a
// source is not given.
func (a *analysis) rowsOf(c *Column, given pins) (rows value, ok bool) {
	list := c.draws(TermUnused)
	if c.Term != nil {
		list = slices.Concat(list, c.Term.Sources)
	}
	for _, i := range list {
		v, known := given.get(i)
		switch {
		case !known || v.kind != valueGiven || slices.ContainsFunc(v.cells, isEach):
			return value{}, false
		case len(rows.cells) < 2:
			rows = v
		case len(v.cells) > 1 && v.row != rows.row:
			return value{}, false
		}
	}
	return rows, len(rows.cells) > 0
}

// selectDefaults has a SELECT show the constants that the server would fill in clear.
func (in *insertion) selectDefaults(given pins, out output) {
	for _, c := range in.t.table.Columns {
		text, ok := in.constants[c]
		if !ok || in.a.err != nil {
			continue
		}
		in.selectDefault(c, TermUnused, c.Name, text, given, out)
		for term, use := range c.kept {
			in.selectDefault(c, use, term.Column, text, given, out)
		}
	}
}

// selectDefault adds a constant, or its term, to each row of a SELECT.
func (in *insertion) selectDefault(c *Column, use TermUse, name, text string, given pins, out output) {
	a := in.a
	rows, _ := a.rowsOf(c, given)
	added := in.grows(out, rows, func(n int) part {
		p, ok := a.constantPart(in.t, c, use, text, cellOf{row: rows.row, n: n}, given, true)
		if !ok {
			in.a.refuse(in.s.Target.Span, c.object(), refuseDefault, hintDefault)
		}
		return p
	})
	if !added {
		a.refuse(in.s.Target.Span, c.object(), refuseDefault, "list the columns instead of *, and give the list of values a name, so that it can get a column more")
		return
	}
	in.aliased(name)
	in.more = append(in.more, name)
}

// constantPart seals a constant for a row, or makes its term. written says that the statement
// writes the sources, too.
func (a *analysis) constantPart(t *target, c *Column, use TermUse, text string, cell cellOf, given pins, written bool) (part, bool) {
	operands, _, ok := a.sources(t, c, use, cell, given)
	if !ok {
		return textPart("NULL"), false
	}
	for _, i := range c.draws(use) {
		operands[i].Written = written
	}
	s := Seal{Table: t.table, Column: c, Value: Operand{Kind: OperandLiteral, Literal: Literal{LiteralString, text}}, Sources: operands, Term: use}
	p := argPart(argOf(ArgSeal, a.addSeal(s)))
	before, after := a.sealCast(c)
	if use != TermUnused {
		before, after = a.termCast(c)
	}
	p.around, p.literal = a.around(before, after), true
	return p, true
}
