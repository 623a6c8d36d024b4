package sqlplan

import "strings"

// This file writes equality terms. Whatever sets a searchable column sets its term
// column too, in the same statement and to the term of the same value: the term's
// expression mirrors the value's.

// mirror is the expression that a searchable column is set to, on its way to being
// written a second time for the term. The statement is refused if that does not happen.
type mirror struct {
	a      *analysis
	t      *target
	column *Column
	term   *Term
	use    TermUse
	value  Expr
	leaves map[Expr]written
	// given writes the term of a value that the statement gives; kept writes what the
	// column's own term becomes, if it does not stay.
	given func(w written) part
	kept  func() part
	// reads is set if the mirrored text reads the value's column, searches if it reads the
	// term's.
	reads, searches bool
	placed          bool
}

// termOf returns the protected column whose terms the column of that name holds, or nil.
func (t *Table) termOf(name string) *Column {
	for _, c := range t.Columns {
		if c.Term != nil && c.Term.Column == name {
			return c
		}
	}
	return nil
}

// kept yields the terms that every write of the column writes, and the use that asks for
// each: two while the key of the terms is changed.
func (c *Column) kept(yield func(t *Term, use TermUse) bool) {
	if c.Term != nil && yield(c.Term, TermValue) && c.Other != nil {
		yield(c.Other, TermOther)
	}
}

// comparedAs is the name of the column that stands for another where values are compared:
// the term's for a searchable column, the column itself for every other.
func (a *analysis) comparedAs(t *Table, name string) string {
	for _, c := range t.Columns {
		if c.Term != nil && c.Term.Exact && a.d.SameColumn(c.Name, name) {
			return c.Term.Column
		}
	}
	return name
}

// draws lists the sources that decide what is sent for a value: those that it is bound
// to, or those that its term depends on. A source that is a term has sources itself.
func (c *Column) draws(use TermUse) []int {
	list := c.Context
	if use != TermUnused {
		list = c.beside().Sources
	}
	all := list[:len(list):len(list)]
	for _, i := range list {
		if of := c.Table.termOf(c.Table.Sources[i]); of != nil && use == TermUnused {
			all = append(all, of.Term.Sources...)
		}
	}
	return all
}

// newMirrors notes that the column is written. It returns a mirror for each of its terms.
func (a *analysis) newMirrors(t *target, c *Column, value Expr) (list []*mirror) {
	leaves := map[Expr]written{}
	for term, use := range c.kept {
		m := &mirror{a: a, t: t, column: c, term: term, use: use, value: value, leaves: leaves}
		list = append(list, m)
	}
	a.mirrors = append(a.mirrors, list...)
	return list
}

// checkMirrors refuses a text that writes a value and not its term.
func (a *analysis) checkMirrors() {
	for _, m := range a.mirrors {
		if !m.placed {
			at := Span{}
			if m.value != nil {
				at = m.value.At()
			}
			a.refuse(at, m.column.object(), "a searchable column is written where its equality term cannot be", "write it by a separate statement")
		}
	}
}

// writable reports whether the table, or the view that the statement names, has the
// column of the terms, and refuses the statement where it does not.
func (m *mirror) writable() bool {
	a, c := m.a, m.column
	for _, rel := range []*Relation{m.t.rel, m.t.item.rel} {
		switch {
		case rel == nil || rel.Incomplete || a.relationColumn(rel, m.term.Column) != nil:
		case rel.View:
			a.refuse(m.t.item.span, c.object(), "a searchable column is written through a view that lacks the column of its equality terms", "add "+m.term.Column+" to the view, or write to the table")
		default:
			a.refuse(m.t.item.span, c.object(), "the table lacks the column of a searchable column's equality terms", "add "+m.term.Column+" to the table")
		}
	}
	return a.err == nil
}

// parts writes the expression for the term.
func (m *mirror) parts() []part {
	if m.placed = true; !m.writable() {
		return nil
	}
	return m.of(m.value)
}

// of writes one part of the expression.
func (m *mirror) of(e Expr) []part {
	if w, ok := m.leaves[e]; ok {
		return []part{m.leaf(w)}
	}
	switch e := e.(type) {
	case *Call: // COALESCE and NULLIF: see leavesOf
		if isNullIf(e) {
			return m.of(e.Args[0])
		}
		return m.coalesce(e)
	case *Case:
		return m.caseOf(e, m.of)
	}
	return []part{textPart(m.null())}
}

// leaf writes the term for a leaf.
func (m *mirror) leaf(w written) part {
	switch w.kind {
	case leafGiven, leafCells:
		return m.given(w)
	case leafSame:
		if m.kept != nil {
			return m.kept()
		}
		return textPart(m.t.item.text(m.term.Column))
	case leafExcluded:
		return textPart(m.excluded(w.expr, m.term.Column))
	}
	if _, ok := w.expr.(*Default); ok {
		m.a.defaultIsNull(m.t, m.column, w.expr.At(), m.term.Column)
		return textPart("DEFAULT")
	}
	return textPart(m.null())
}

// null is a NULL of the term's type.
func (m *mirror) null() string {
	open, cast := m.a.termCast(m.column)
	return open + "NULL" + cast
}

// excluded names a column of the row that INSERT proposed.
func (m *mirror) excluded(e Expr, name string) string {
	if _, ok := e.(*ValuesRef); ok {
		return "VALUES(" + m.a.d.Quote(name) + ")"
	}
	if alias, ok := m.t.aliases[name]; ok {
		name = alias
	}
	return m.t.proposed.text(name)
}

// coalesce writes COALESCE as CASE: which argument counts is a matter of the values. A
// row from before the column was searchable has a value and no term.
func (m *mirror) coalesce(e *Call) []part {
	parts := []part{textPart("CASE")}
	for i, arg := range e.Args {
		if i == len(e.Args)-1 {
			parts = append(append(parts, textPart(" ELSE ")), m.of(arg)...)
			break
		}
		parts = append(append(parts, textPart(" WHEN ")), m.test(arg)...)
		parts = append(append(parts, textPart(" IS NOT NULL THEN ")), m.of(arg)...)
	}
	return append(parts, textPart(" END"))
}

// test writes what is NULL if and only if the value is.
func (m *mirror) test(e Expr) []part {
	if w, ok := m.leaves[e]; ok {
		switch w.kind {
		case leafSame:
			m.reads = true
			return []part{textPart(m.t.item.text(m.column.Name))}
		case leafNull:
			return []part{textPart(m.null())}
		}
		return []part{m.leaf(w)}
	}
	switch e := e.(type) {
	case *Call:
		if isNullIf(e) {
			return m.test(e.Args[0])
		}
		parts := []part{textPart("COALESCE(")}
		for i, arg := range e.Args {
			if i > 0 {
				parts = append(parts, textPart(", "))
			}
			parts = append(parts, m.test(arg)...)
		}
		return append(parts, textPart(")"))
	case *Case:
		return append(append([]part{textPart("(")}, m.caseOf(e, m.test)...), textPart(")"))
	}
	return []part{textPart(m.null())}
}

// caseOf writes CASE with its conditions as they are.
func (m *mirror) caseOf(e *Case, result func(Expr) []part) []part {
	parts := []part{textPart("CASE")}
	if e.Arg != nil {
		m.condition(e.Arg)
		parts = append(parts, textPart(" "), copyPart(e.ArgSpan))
	}
	for _, w := range e.Whens {
		m.condition(w.Cond)
		parts = append(parts, textPart(" WHEN "), copyPart(w.CondSpan), textPart(" THEN "))
		parts = append(parts, result(w.Result)...)
	}
	if e.Else != nil {
		parts = append(append(parts, textPart(" ELSE ")), result(e.Else)...)
	}
	return append(parts, textPart(" END"))
}

// condition refuses a condition that may hold for the value and not for the term: one
// that the server may answer in two ways within one statement.
func (m *mirror) condition(e Expr) {
	walk(e, func(x Expr) bool {
		switch x := x.(type) {
		case *Call:
			if x.Schema != "" || len(x.Rest) > 0 || !steadyFunctions[strings.ToLower(x.Name)] {
				m.refuseCondition(x, "calls a function")
			}
		case *Op:
			if strings.Contains(x.What, "variable") || x.What == "function" || x.What == "a function" {
				m.refuseCondition(x, "calls a function")
			}
		case *Sub, *Unknown:
			m.refuseCondition(x, "is a query")
		case *ColumnRef:
			if m.t.given {
				m.refuseCondition(x, "names a column of the row that is inserted")
			}
			if v := m.a.lookup(x, m.t.scope); v.column == m.column && v.row == m.t.item.row {
				m.searches = true
			}
		case *IsNull:
			if c, ok := x.Expr.(*ColumnRef); ok && m.a.lookup(c, m.t.scope).column == m.column {
				m.reads = true
				return false
			}
		}
		return m.a.err == nil
	})
}

func (m *mirror) refuseCondition(e Expr, what string) {
	m.a.refuse(e.At(), m.column.object(), "a searchable column is set by a condition that "+what+": its value and its equality term might differ", "decide in the application, or give the condition's outcome as a parameter")
}

// steadyFunctions answer alike whenever they are called within one statement.
var steadyFunctions = map[string]bool{"coalesce": true, "ifnull": true, "nullif": true, "lower": true, "upper": true, "trim": true, "btrim": true, "ltrim": true,
	"rtrim": true, "length": true, "char_length": true, "octet_length": true, "abs": true, "greatest": true, "least": true, "now": true, "current_timestamp": true,
	"substring": true, "substr": true, "left": true, "right": true, "concat": true, "date": true, "year": true, "month": true, "mod": true, "floor": true,
	"ceil": true, "ceiling": true, "round": true, "md5": true, "replace": true, "position": true, "strpos": true, "starts_with": true}

// after reports whether the term's assignment stands after the value's. Where each
// assignment sees those before it, neither may change what the other reads.
func (m *mirror) after() bool {
	if !m.a.d.SetsInOrder() {
		return false
	}
	if m.reads && m.searches {
		at := Span{}
		if m.value != nil {
			at = m.value.At()
		}
		m.a.refuse(at, m.column.object(), "a searchable column is set by conditions that test it for NULL and compare it", "UPDATE by two statements")
	}
	return m.searches
}

// copyPart stands for a span of the text with the edits within it.
func copyPart(span Span) part { return part{copied: &span} }

// termCast is SealCast for the term of a column. The term of a value that is shown as JSON is
// JSON as well.
func (a *analysis) termCast(c *Column) (before, after string) {
	if c.Term == nil {
		return a.sealCast(c)
	}
	return a.d.SealCast(&Column{Base64: c.Term.Base64})
}

// termHole is where a value's term goes; use says under which key. direct is true if the
// server knows the column that the term goes to.
func (a *analysis) termHole(s Seal, use TermUse, direct bool) part {
	s.Term = use
	p := argPart(argOf(ArgSeal, a.addSeal(s)))
	if open, cast := a.termCast(s.Column); !direct {
		p.around = a.arrayCast(s.Value, open, cast)
	}
	p.literal = s.Value.Kind == OperandLiteral
	return p
}

// termSeal returns the seal of a given value's term; given says what the statement gives
// for each source.
func (a *analysis) termSeal(t *target, c *Column, cell cellOf, given pins) (s Seal, missing int, ok bool) {
	v, ok := a.sealValue(c, cell.expr)
	if !ok {
		return Seal{}, -1, false
	}
	operands, missing, ok := a.sources(t, c, TermValue, cell, given)
	return Seal{Table: t.table, Column: c, Value: v, Sources: operands, Term: TermValue}, missing, ok
}

// givenTerms writes the terms of what a leaf stands for: in its place, or as a further
// column of the list that it comes from.
func (m *mirror) givenTerms(w written, hole func(cell cellOf, direct bool) part) part {
	if w.kind == leafGiven {
		return hole(w.cells()[0], w.direct)
	}
	cells := w.cells()
	text := m.a.growReach(*w.value, func(n int) part { return m.cellTerm(cells[n], hole) })
	if text == "" {
		m.refuseGrowth(w.expr)
	}
	return textPart(text)
}

func (m *mirror) cellTerm(cell cellOf, hole func(cell cellOf, direct bool) part) part {
	if isNull(cell.expr) {
		return textPart(m.null())
	}
	return hole(cell, false)
}

func (m *mirror) refuseGrowth(at interface{ At() Span }) {
	m.a.refuse(at.At(), m.column.object(), "a searchable column is set from a list of values that can get no column of equality terms", "give the list as VALUES with a name, or list the columns instead of *")
}
