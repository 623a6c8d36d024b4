package sqlplan

import "slices"

// merge analyses MERGE. Its source may give the values, or none of the
// branches may write a protected column.
func (a *analysis) merge(s *Merge, parent *scope) output {
	a.writes = true
	sc := &scope{parent: parent, ctes: a.with(s.With, parent)}
	it := a.targetItem(s.Target)
	around := &scope{parent: parent, ctes: sc.ctes}
	source := a.from(s.Source, around)
	a.namedAlike(it.table, source)
	both := &scope{parent: parent, ctes: sc.ctes, nodes: []node{it, source}}
	a.check(s.On, both, "the condition of MERGE")
	for _, w := range s.Whens {
		a.check(w.Cond, both, "the condition of a MERGE branch")
		a.checkSubscripts(w.Set, both)
		if it.table == nil {
			a.mergePlain(w, both)
			continue
		}
		a.mergeBranch(s, w, a.newTarget(it, both))
	}
	// RETURNING * shows the source's columns before the target's.
	return a.returningOutput(s.Returning, it, &scope{parent: parent, ctes: sc.ctes, nodes: []node{source, it}})
}

func (a *analysis) mergePlain(w MergeWhen, sc *scope) {
	for _, x := range w.Set {
		a.plainValue(x.Value, sc)
	}
	if w.Row != nil {
		for _, e := range w.Row.Values {
			a.plainValue(e, sc)
		}
	}
}

func (a *analysis) mergeBranch(s *Merge, w MergeWhen, t *target) {
	switch w.Action {
	case MergeUpdate:
		a.mergeUpdate(s, w, t)
	case MergeInsert:
		a.mergeInsert(s, w, t)
	}
}

// mergeUpdate plans WHEN MATCHED THEN UPDATE: the condition must name the row.
func (a *analysis) mergeUpdate(s *Merge, w MergeWhen, t *target) {
	set := a.sortAssignments(t, w.Set, func(AssignTarget) bool { return true })
	special := map[Span]bool{}
	for _, x := range set.protected {
		special[x.Span] = true
	}
	for i, x := range set.sources {
		a.refuse(x.Span, t.table.Name+"."+t.table.Sources[i], "MERGE changes a column that protected values are bound to", "use a separate UPDATE")
	}
	a.plainAssignments(w.Set, t.scope, func(x Assignment) bool { return special[x.Span] })
	t.edits = true
	given := a.pinsOf(t, w.Cond)
	if !w.BySource { // else the rows are those for which ON did not hold
		given = a.pinsOf(t, s.On).with(given)
	}
	for _, c := range t.table.Columns {
		x, ok := set.protected[c]
		if !ok {
			continue
		}
		if i := a.termSource(c); i >= 0 {
			a.refuse(x.Span, t.table.sourceName(i), "MERGE changes a column that protected values are bound to", "use a separate UPDATE")
		}
		mirrors := a.leaves(t, c, x.Value, func(l written) {
			switch l.kind {
			case leafGiven, leafCells:
				a.mergeSeal(t, c, l, given.with(l.guards), false)
			case leafPart:
				a.mergePart(t, l, given.with(l.guards))
			case leafExcluded:
				a.refuse(x.Span, c.object(), "a reference to a proposed row outside an upsert", "")
			}
		})
		for _, m := range mirrors {
			m.given = func(w written) part { return m.givenTerms(w, a.mergeTerm(m, given.with(w.guards), false)) }
			a.mirrorBeside(m, x, a.d.Quote(m.term.Column))
		}
	}
}

// mergePart seals a value that a branch puts into the row's document.
func (a *analysis) mergePart(t *target, l written, given pins) {
	l.kind = leafGiven
	a.mergeSeal(t, l.part, l, given, false)
	if a.err != nil || l.part.beside() == nil || l.set.by == nil {
		return
	}
	if s, missing, ok := a.termSeal(t, l.part, l.cells()[0], given); ok {
		a.setTerm(l.part, l.set, a.termHole(s, TermValue, false))
	} else if missing >= 0 {
		a.refuseMergeSource(l.expr, t, l.part, missing)
	}
}

// mergeTerm writes the term of a value that a branch writes.
func (a *analysis) mergeTerm(m *mirror, given pins, inserts bool) func(cell cellOf, direct bool) part {
	return func(cell cellOf, _ bool) part {
		s, missing, ok := a.termSeal(m.t, m.column, cell, given)
		if !ok {
			if missing >= 0 {
				a.refuseMergeSource(cell.expr, m.t, m.column, missing)
			}
			return textPart("NULL")
		}
		for i := range s.Sources {
			s.Sources[i].Written = inserts
		}
		return a.termHole(s, m.use, false)
	}
}

// termSource returns the index of the source that is the column's term, or -1.
func (a *analysis) termSource(c *Column) int {
	if c.Term == nil {
		return -1
	}
	return a.sourceIndex(c.Table, c.Term.Column)
}

// mergeSeal seals what a branch writes; inserts is true if the branch also writes
// the columns that the value is bound to.
func (a *analysis) mergeSeal(t *target, c *Column, l written, given pins, inserts bool) {
	cells := l.cells()
	seals := make([]Seal, len(cells))
	for n, cell := range cells {
		if isNull(cell.expr) {
			continue
		}
		v, ok := a.sealValue(c, cell.expr)
		if !ok {
			return
		}
		operands, missing, ok := a.sources(t, c, TermUnused, cell, given)
		if !ok {
			a.refuseMergeSource(l.expr, t, c, missing)
			return
		}
		for _, i := range c.Context {
			operands[i].Written = inserts
		}
		seals[n] = Seal{Table: t.table, Column: c, Value: v, Sources: operands}
	}
	if l.kind == leafCells && a.searchedFor(cells) && a.sealBeside(l, cells, seals) {
		return
	}
	for n, cell := range cells {
		if seals[n].Column != nil {
			a.sealCell(cell.expr, seals[n], false)
		}
	}
}

// searchedFor reports whether a condition compares the cells of a list with a searchable
// column: their terms are in their places.
func (a *analysis) searchedFor(cells []cellOf) bool {
	return slices.ContainsFunc(cells, func(c cellOf) bool {
		claim, ok := a.claims[c.expr.At().Start]
		return ok && a.seals[claim.seal].Compared
	})
}

// sealBeside seals the cells as a further column of their list.
func (a *analysis) sealBeside(l written, cells []cellOf, seals []Seal) bool {
	before, after := a.d.SealCast(seals[0].Column)
	text := a.growReach(*l.value, func(n int) part {
		if seals[n].Column == nil {
			return textPart(before + "NULL" + after)
		}
		p := argPart(argOf(ArgSeal, a.addSeal(seals[n])))
		p.around, p.literal = a.arrayCast(seals[n].Value, before, after), seals[n].Value.Kind == OperandLiteral
		return p
	})
	if text != "" {
		a.replace(l.expr.At(), textPart(text))
	}
	return text != ""
}

func (a *analysis) refuseMergeSource(at Expr, t *target, c *Column, missing int) {
	a.refuse(at.At(), c.object(), "MERGE writes a protected value without naming "+t.table.sourceName(missing)+" by equality",
		"compare it with the source's column in ON, or UPDATE by a statement of its own")
}

// mergeInsert plans WHEN NOT MATCHED THEN INSERT.
func (a *analysis) mergeInsert(s *Merge, w MergeWhen, t *target) {
	if w.Row == nil || len(w.Columns) == 0 || len(w.Columns) != len(w.Row.Values) {
		a.refuse(s.Span, t.table.Name, "a MERGE that inserts into a protected table without a full column list", "list the columns, and give each a value")
		return
	}
	if w.Overriding == "user" {
		a.refuse(s.Span, t.table.Name, "OVERRIDING USER VALUE in a MERGE that inserts into a protected table", "leave the clause out")
		return
	}
	given, filled := newPins(t), map[*Column]bool{}
	for j, col := range w.Columns {
		if i := a.sourceIndex(t.table, a.comparedAs(t.table, col.Name)); i >= 0 {
			if v, ok := a.pinValue(t, w.Row.Values[j], a.sourceType(t, i)); ok {
				given[i] = v
			}
		}
	}
	for j, col := range w.Columns {
		a.written(t.item, col.Name, col.Span)
		e := w.Row.Values[j]
		c := a.protectedColumn(t.table, col.Name, col.Span)
		if c == nil {
			a.plainValue(e, t.scope)
			continue
		}
		filled[c] = true
		mirrors := a.leaves(t, c, e, func(l written) { a.mergeInserted(t, c, l, given) })
		for _, m := range mirrors {
			m.given = func(w written) part { return m.givenTerms(w, a.mergeTerm(m, given, true)) }
			mergeSite{a, w}.add(m.term.Column, func(int, bool) []part { return m.parts() })
		}
	}
	for _, c := range t.table.Columns {
		if text, ok := a.constantDefault(t, c); ok && !filled[c] {
			a.mergeDefault(w, t, c, text, given)
			continue
		}
		if !filled[c] {
			a.defaultIsNull(t, c, s.Span, c.Name)
			for term := range c.kept {
				a.defaultIsNull(t, c, s.Span, term.Column)
			}
		}
	}
}

// mergeDefault has a branch insert a constant that the server would fill in clear.
func (a *analysis) mergeDefault(w MergeWhen, t *target, c *Column, text string, given pins) {
	rows, ok := a.rowsOf(c, given)
	add := func(name string, use TermUse) {
		var p part
		sealed := func(cell cellOf) (p part) {
			if ok {
				p, ok = a.constantPart(t, c, use, text, cell, given, true)
			}
			return p
		}
		if len(rows.cells) == 1 {
			p = sealed(cellOf{only: true})
		} else if ok {
			p = textPart(a.growReach(rows, func(n int) part { return sealed(cellOf{row: rows.row, n: n}) }))
			ok = ok && p.text != ""
		}
		if !ok {
			a.refuse(w.Row.Span, c.object(), refuseDefault, hintDefault)
			return
		}
		mergeSite{a, w}.add(name, func(int, bool) []part { return []part{p} })
	}
	add(c.Name, TermUnused)
	for term, use := range c.kept {
		add(term.Column, use)
	}
}

func (a *analysis) mergeInserted(t *target, c *Column, l written, given pins) {
	switch l.kind {
	case leafGiven, leafCells:
		a.mergeSeal(t, c, l, given, true)
	case leafSame, leafExcluded, leafEdited:
		a.refuse(l.expr.At(), c.object(), "MERGE inserts a protected value of another row", "set it to a parameter, a literal or NULL")
	}
}
