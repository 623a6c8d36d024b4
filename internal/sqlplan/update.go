package sqlplan

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
	a.checkAll(s.OrderBy, sc, "ORDER BY on a protected column")
	a.checkAll(s.Limits, sc, "LIMIT")
	out := a.returningOutput(s.Returning, sc)
	a.assign(s, sc, targets, alone)
	return out
}

// updated are the protected tables among the statement's targets. Postgres
// updates the first entry only.
func (a *analysis) updated(s *Update, sc *scope) []*target {
	var list []*target
	sc.each(func(it *item) bool {
		if it.table != nil && !it.excluded {
			list = append(list, a.newTarget(it, sc))
		}
		return true
	})
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
	for _, w := range todo {
		if a.err != nil {
			return
		}
		u := &updating{a: a, s: s, t: w.t, set: w.set, alone: alone && len(todo) == 1}
		u.run()
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

	pinned  pins
	final   pins         // the sources after the statement
	changed map[int]bool // the sources that it changes
}

// cellWork is one leaf that must be sealed.
type cellWork struct {
	column *Column
	leaf   written
}

func (u *updating) run() {
	a := u.a
	u.pinned = a.pinsOf(u.t, u.s.Where)
	if !u.sources() {
		return
	}
	var work []cellWork
	keeps := map[*Column]bool{}
	for _, c := range u.t.table.Columns {
		s, ok := u.set.protected[c]
		if !ok {
			keeps[c] = affected(c, u.changed)
			continue
		}
		a.leaves(u.t, c, s.Value, func(w written) {
			switch w.kind {
			case leafGiven, leafCells:
				work = append(work, cellWork{c, w})
			case leafSame:
				keeps[c] = keeps[c] || affected(c, u.changed)
			case leafExcluded:
				a.refuse(s.Span, c.object(), "a reference to a proposed row outside an upsert", "")
			}
		})
	}
	if a.err != nil {
		return
	}
	var old []*Column
	for _, c := range u.t.table.Columns {
		if keeps[c] {
			old = append(old, c)
		}
	}
	if len(old) == 0 && u.direct(work) {
		return
	}
	u.rowByRow(work, old)
}

// sources finds what the statement makes of the context sources.
func (u *updating) sources() bool {
	a := u.a
	u.final, u.changed = pins{}, map[int]bool{}
	for i, v := range u.pinned {
		u.final[i] = v
	}
	for i, s := range u.set.sources {
		object := u.t.table.Name + "." + u.t.table.Sources[i]
		if c, ok := s.Value.(*ColumnRef); ok && !c.Star {
			v := a.lookup(c, u.t.scope)
			if v.kind == valueStored && v.row == u.t.item.row && a.d.SameColumn(v.name, u.t.table.Sources[i]) {
				continue
			}
		}
		if isNull(s.Value) {
			u.changed[i], u.final[i] = true, value{kind: valueNull}
			continue
		}
		v, ok := a.pinValue(u.t, s.Value, a.sourceType(u.t, i))
		if !ok {
			if u.bound(i) {
				a.refuse(s.Span, object, "a column that protected values are bound to is set to something that the server computes", "set it to a parameter or a literal")
				return false
			}
			continue
		}
		u.changed[i], u.final[i] = true, v
	}
	return true
}

func (u *updating) bound(i int) bool {
	for _, c := range u.t.table.Columns {
		if affected(c, map[int]bool{i: true}) {
			return true
		}
	}
	return false
}

// direct seals every leaf in place, if the statement itself says which row
// each belongs to. Nothing is changed otherwise.
func (u *updating) direct(work []cellWork) bool {
	a := u.a
	type ready struct {
		cell   cellOf
		seal   Seal
		direct bool
	}
	var list []ready
	for _, w := range work {
		given := u.final.with(w.leaf.guards)
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
			operands, _, ok := a.sources(u.t, w.column, cell, given)
			if !ok {
				return false
			}
			list = append(list, ready{cell, Seal{Table: u.t.table, Column: w.column, Value: v, Sources: operands}, w.leaf.direct && w.leaf.kind == leafGiven})
		}
	}
	if len(list) > 0 && u.s.CurrentOf {
		return false
	}
	for _, r := range list {
		a.sealCell(r.cell.expr, r.seal, r.direct)
	}
	return true
}
