package sqlplan

import "slices"

// update analyses UPDATE.
func (a *analysis) update(s *Update, parent *scope, alone bool) output {
	a.writes = true
	sc := &scope{parent: parent, ctes: a.with(s.With, parent)}
	for _, t := range s.Targets {
		if ref, ok := t.(*TableRef); ok && len(s.Targets) == 1 {
			sc.nodes = append(sc.nodes, a.targetItem(ref))
			continue
		}
		sc.nodes = append(sc.nodes, a.from(t, sc))
	}
	targets := a.updated(s, sc)
	for _, t := range s.From {
		sc.nodes = append(sc.nodes, a.from(t, sc))
	}
	a.check(s.Where, sc, "a WHERE clause")
	a.checkAll(s.OrderBy, sc, orderBy)
	a.checkAll(s.Limits, sc, "LIMIT")
	var target *item
	if len(sc.nodes) > 0 {
		target, _ = sc.nodes[0].(*item)
	}
	for _, t := range targets {
		for _, n := range sc.nodes {
			a.namedAlike(t.table, n)
		}
	}
	// What RETURNING sees, SET does not.
	out := a.returningOutput(s.Returning, target, &scope{parent: sc.parent, ctes: sc.ctes, nodes: sc.nodes})
	a.checkSubscripts(s.Set, sc)
	a.assign(s, sc, targets, alone)
	return out
}

// updated are the protected tables among the statement's targets. Postgres
// updates the first entry only.
func (a *analysis) updated(s *Update, sc *scope) []*target {
	var list []*target
	for it := range sc.items() {
		if it.table != nil && !it.excluded {
			t := a.newTarget(it, sc)
			t.edits = true
			list = append(list, t)
		}
	}
	return list
}

// assign plans the SET clause for every protected table it writes to.
func (a *analysis) assign(s *Update, sc *scope, targets []*target, alone bool) {
	type work struct {
		t   *target
		set assignments
	}
	var todo []work
	special := map[Span]bool{}
	for _, t := range targets {
		set := a.sortAssignments(t, s.Set, func(c AssignTarget) bool { return a.owns(t, sc, targets, c) })
		if len(set.protected)+len(set.sources) == 0 {
			continue
		}
		for _, x := range set.protected {
			special[x.Span] = true
		}
		for _, x := range set.sources {
			special[x.Span] = true
		}
		todo = append(todo, work{t, set})
	}
	a.plainAssignments(s.Set, sc, func(x Assignment) bool { return special[x.Span] })
	var all []*updating
	for _, w := range todo {
		u := &updating{a: a, s: s, t: w.t, set: w.set, alone: alone, group: len(all)}
		if a.err != nil || !u.sources() || !u.collect() {
			return
		}
		all = append(all, u)
	}
	a.write(all)
}

// write seals in place what the statement does to its protected tables, if it
// says of each value which row it belongs to; else all is done row by row.
func (a *analysis) write(all []*updating) {
	direct := true
	for _, u := range all {
		direct = direct && u.direct()
	}
	switch {
	case a.err != nil || len(all) == 0:
	case direct:
		for _, u := range all {
			u.seal()
		}
	default:
		a.updateRowByRow(all)
	}
}

// owns reports whether an assignment's left side means a column of the target.
func (a *analysis) owns(t *target, sc *scope, targets []*target, c AssignTarget) bool {
	if len(c.Qualifier) > 0 {
		return a.itemNamed(sc, c.Qualifier) == t.item
	}
	if len(targets) == 1 {
		return true
	}
	for _, col := range sc.find(c.Name) {
		if col.value.row == t.item.row {
			return true
		}
	}
	return false
}

// updating is the state of planning what one UPDATE does to one protected table.
type updating struct {
	a     *analysis
	s     *Update
	t     *target
	set   assignments
	alone bool

	group      int // among the protected tables that the statement writes
	pinned     pins
	final      pins         // the sources after the statement
	changed    map[int]bool // the sources that it changes
	work       []cellWork
	old        []*Column // columns whose stored value is sealed again
	ready      []readySeal
	mirrors    []*mirror
	readyTerms map[Expr]Seal // by the cell
	rowByRow
}

// rowByRow is what an UPDATE that is carried out row by row seals for each row.
type rowByRow struct {
	perRow []Seal
	stored []Operand // the sources of each
	locked *lockedRows
}

// readySeal is a value that can be sealed in place.
type readySeal struct {
	cell   cellOf
	seal   Seal
	direct bool
}

// cellWork is one leaf that must be sealed.
type cellWork struct {
	column *Column
	leaf   written
}

// collect lists the values that must be sealed.
func (u *updating) collect() bool {
	a := u.a
	keeps := map[*Column]bool{}
	for _, c := range u.t.table.Columns {
		s, ok := u.set.protected[c]
		if !ok {
			keeps[c] = affected(c, u.changed)
			continue
		}
		mirrors := a.leaves(u.t, c, s.Value, func(w written) {
			switch w.kind {
			case leafGiven, leafCells:
				u.work = append(u.work, cellWork{c, w})
			case leafSame:
				keeps[c] = keeps[c] || affected(c, u.changed)
			case leafPart:
				w.kind = leafGiven
				u.work = append(u.work, cellWork{w.part, w})
			case leafEdited:
				u.edited(c, s)
			case leafExcluded:
				a.refuse(s.Span, c.object(), "a reference to a proposed row outside an upsert", "")
			}
		})
		u.mirrors = append(u.mirrors, mirrors...)
	}
	for _, c := range u.t.table.Columns {
		if keeps[c] {
			u.old = append(u.old, c)
		}
	}
	return a.err == nil
}

// edited refuses to change parts of a document whose values are to be sealed anew.
func (u *updating) edited(c *Column, s Assignment) {
	if affected(c, u.changed) {
		u.a.refuse(s.Span, c.object(), "parts of a document are changed together with a column that its values are bound to", "change them in a statement of its own")
	}
}

// sources finds what the statement makes of the context sources.
func (u *updating) sources() bool {
	a := u.a
	u.pinned = a.pinsOf(u.t, u.s.Where)
	for _, list := range [][]TableExpr{u.s.Targets, u.s.From} {
		for _, t := range list {
			a.joinPins(u.t, t, u.pinned)
		}
	}
	u.final, u.changed = slices.Clone(u.pinned), map[int]bool{}
	for i, s := range u.set.sources {
		if !u.source(i, s) {
			return false
		}
	}
	for c, s := range u.set.protected {
		if c.Term == nil {
			continue
		}
		if i := a.sourceIndex(u.t.table, c.Term.Column); i >= 0 && !u.source(i, s) {
			return false
		}
	}
	return u.keyTerms()
}

// source notes what the statement makes of one source.
func (u *updating) source(i int, s Assignment) bool {
	a := u.a
	if c, ok := s.Value.(*ColumnRef); ok && !c.Star {
		v := a.lookup(c, u.t.scope)
		if v.kind == valueStored && v.row == u.t.item.row && a.d.SameColumn(a.comparedAs(u.t.table, v.name), u.t.table.Sources[i]) {
			return true
		}
	}
	if isNull(s.Value) {
		u.changed[i], u.final[i] = true, value{kind: valueNull}
		return true
	}
	v, ok := a.pinValue(u.t, s.Value, a.sourceType(u.t, i))
	if !ok {
		if u.bound(i) {
			a.refuse(s.Span, u.t.table.sourceName(i), "a column that protected values are bound to is set to something that the server computes", "set it to a parameter or a literal")
			return false
		}
		return true
	}
	u.changed[i], u.final[i] = true, v
	return true
}

// keyTerms refuses to change a column that a term of the row key depends on.
func (u *updating) keyTerms() bool {
	for i := range u.t.table.Sources {
		of := u.t.table.termOf(u.t.table.Sources[i])
		if of == nil {
			continue
		}
		for _, k := range of.Term.Sources {
			if u.changed[k] && !u.changed[i] {
				u.a.refuse(u.s.SetSpan, u.t.table.sourceName(k), "a column that the equality terms of a row key depend on is changed", "delete the row and insert it anew, or set the row key as well")
				return false
			}
		}
	}
	return true
}

// joinPins collects what the conditions of inner joins fix in every row.
func (a *analysis) joinPins(t *target, e TableExpr, p pins) {
	j, ok := e.(*Join)
	if !ok || j.Kind != JoinInner {
		return
	}
	a.joinPins(t, j.Left, p)
	a.joinPins(t, j.Right, p)
	if j.On != nil {
		a.collectPins(t, j.On, p)
	}
}

func (u *updating) bound(i int) bool {
	for _, c := range u.t.table.Columns {
		if affected(c, map[int]bool{i: true}) {
			return true
		}
	}
	return false
}

// direct reports whether the statement itself says which row each value belongs
// to, and makes the seals ready.
func (u *updating) direct() bool {
	a := u.a
	u.readyTerms = map[Expr]Seal{}
	if len(u.old) > 0 {
		return false
	}
	u.ready = make([]readySeal, 0, len(u.work))
	for _, w := range u.work {
		given := u.final.with(w.leaf.guards)
		if len(u.changed) > 0 {
			given = slices.Clone(given)
		}
		for i := range u.changed {
			given[i] = u.final[i]
		}
		for _, cell := range w.leaf.cells() {
			if isNull(cell.expr) {
				continue
			}
			v, ok := a.sealValue(w.column, cell.expr)
			if !ok {
				return true // refused
			}
			operands, _, ok := a.sources(u.t, w.column, TermUnused, cell, given)
			if !ok {
				return false
			}
			if w.column.beside() != nil {
				term, _, ok := a.termSeal(u.t, w.column, cell, given)
				if !ok {
					return false
				}
				u.written(term.Sources)
				u.readyTerms[cell.expr] = term
			}
			u.written(operands)
			u.ready = append(u.ready, readySeal{cell, Seal{Table: u.t.table, Column: w.column, Value: v, Sources: operands}, w.leaf.direct && w.leaf.kind == leafGiven})
		}
	}
	return len(u.ready) == 0 || !u.s.CurrentOf
}

// written marks the sources that the statement itself writes, and those by which it finds
// its rows.
func (u *updating) written(operands []Operand) {
	for i := range operands {
		operands[i].Written, operands[i].Sought = u.changed[i], !u.changed[i]
	}
}

// seal replaces what is ready, and writes the terms.
func (u *updating) seal() {
	for _, r := range u.ready {
		u.a.sealCell(r.cell.expr, r.seal, r.direct)
	}
	u.partTerms(u.readyTerm)
	for _, m := range u.mirrors {
		m.given = func(w written) part {
			return m.givenTerms(w, func(cell cellOf, direct bool) part { return u.a.termHole(u.readyTerms[cell.expr], m.use, direct) })
		}
		u.a.mirrorBeside(m, u.set.protected[m.column], u.assigned(m.term.Column))
	}
}
