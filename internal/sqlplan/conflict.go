package sqlplan

// conflict plans ON CONFLICT … DO UPDATE and ON DUPLICATE KEY UPDATE. The row
// that is updated is another than the one that was proposed; what is sealed
// for the proposal fits it only if both have the same context sources.
func (in *insertion) conflict() {
	a, c := in.a, in.s.Conflict
	sc := a.conflictScope(in.s, in.t.item, in.t.scope, in.names)
	if len(sc.nodes) > 1 {
		in.t.proposed = sc.nodes[1].(*item)
	}
	in.t.scope = sc
	a.checkAll(c.Exprs, sc, "a conflict target")
	a.check(c.Where, sc, "a WHERE clause")
	if c.Kind == ConflictDoNothing {
		return
	}
	set := a.sortAssignments(in.t, c.Set, func(AssignTarget) bool { return true })
	a.plainAssignments(c.Set, sc, func(s Assignment) bool { return in.special(set, s) })
	if a.err != nil || len(set.protected)+len(set.sources) == 0 {
		return
	}
	changed := in.conflictSources(set)
	in.conflictValues(set, changed)
}

func (in *insertion) special(set assignments, s Assignment) bool {
	for _, x := range set.protected {
		if x.Span == s.Span {
			return true
		}
	}
	for _, x := range set.sources {
		if x.Span == s.Span {
			return true
		}
	}
	return false
}

// conflictSources checks the context sources that SET changes: each may only
// become the proposed value, or stay. It returns the sources that may change.
func (in *insertion) conflictSources(set assignments) map[int]bool {
	a, changed := in.a, map[int]bool{}
	for i, s := range set.sources {
		switch in.sourceBecomes(i, s.Value) {
		case leafSame:
		case leafExcluded:
			if !in.keyed(i) {
				changed[i] = true
			}
		default:
			a.refuse(s.Span, in.t.table.Name+"."+in.t.table.Sources[i], "an upsert changes a column that values are bound to", "set it to the proposed value, or leave it")
		}
	}
	for _, c := range in.t.table.Columns {
		if _, ok := set.protected[c]; !ok && affected(c, changed) {
			a.refuse(in.s.Conflict.Span, c.object(), "an upsert changes a column that the value is bound to, but not the value", "set the value as well")
		}
	}
	return changed
}

// sourceBecomes says whether an expression is the source's own or its proposed value.
func (in *insertion) sourceBecomes(i int, e Expr) leafKind {
	name := in.t.table.Sources[i]
	switch e := e.(type) {
	case *ValuesRef:
		if in.a.d.SameColumn(e.Column, name) {
			return leafExcluded
		}
	case *ColumnRef:
		if e.Star {
			return leafGiven
		}
		v := in.a.lookup(e, in.t.scope)
		if v.kind != valueStored || !in.a.d.SameColumn(v.name, name) {
			return leafGiven
		}
		if v.row == in.t.item.row {
			return leafSame
		}
		if in.t.proposed != nil && v.row == in.t.proposed.row {
			return leafExcluded
		}
	}
	return leafGiven
}

// keyed reports whether the source is a column of the unique key that the
// statement's conflict is about.
func (in *insertion) keyed(i int) bool {
	if in.s.Conflict.Kind == ConflictDuplicateKeyUpdate {
		return i < len(in.t.table.RowKey)
	}
	for _, c := range in.conflictColumns() {
		if c != "" && in.a.d.SameColumn(c, in.t.table.Sources[i]) {
			return true
		}
	}
	return false
}

// conflictColumns are the columns of ON CONFLICT's target.
func (in *insertion) conflictColumns() []string {
	c := in.s.Conflict
	if c.Constraint == "" {
		return c.Columns
	}
	if in.t.rel != nil {
		for _, k := range in.t.rel.UniqueKeys {
			if in.a.d.SameColumn(k.Name, c.Constraint) {
				return k.Columns
			}
		}
	}
	return nil
}

// proven reports whether only the row that has the proposed row key can be the
// one that is updated.
func (in *insertion) proven() bool {
	if in.s.Conflict.Kind == ConflictDoUpdate {
		for i := range in.t.table.RowKey {
			if !in.keyed(i) {
				return false
			}
		}
		return true
	}
	if in.t.rel == nil || len(in.t.rel.UniqueKeys) == 0 {
		return false
	}
	for _, k := range in.t.rel.UniqueKeys {
		if !in.covers(k) && !in.cannotFire(k) {
			return false
		}
	}
	return true
}

// covers reports whether the unique key holds the whole row key.
func (in *insertion) covers(k UniqueKey) bool {
	for _, name := range in.t.table.RowKey {
		found := false
		for _, c := range k.Columns {
			found = found || c != "" && in.a.d.SameColumn(c, name)
		}
		if !found {
			return false
		}
	}
	return true
}

// cannotFire reports whether one of the key's columns is made by the server, or
// NULL, in every row that is proposed.
func (in *insertion) cannotFire(k UniqueKey) bool {
	for _, name := range k.Columns {
		rc := in.a.relationColumn(in.t.rel, name)
		if rc == nil || name == "" {
			continue
		}
		if in.columnIndex(name) < 0 && (rc.AutoIncrement || rc.Default == "" && !rc.NotNull && !rc.Generated) {
			return true
		}
	}
	return false
}

// conflictValues plans the protected columns that SET writes.
func (in *insertion) conflictValues(set assignments, changed map[int]bool) {
	a := in.a
	check := false
	for _, c := range in.t.table.Columns {
		s, ok := set.protected[c]
		if !ok {
			continue
		}
		a.leaves(in.t, c, s.Value, func(w written) {
			switch w.kind {
			case leafNull:
				return
			case leafSame:
				if affected(c, changed) {
					a.refuse(s.Span, c.object(), "an upsert keeps a value but changes a column that it is bound to", "set the value to a new one")
				}
				return
			}
			if !in.proven() {
				a.refuse(s.Span, c.object(), "an upsert may update a row whose row key is another than the one proposed", "make the row key the conflict target, or INSERT and UPDATE by themselves")
				return
			}
			check = check || in.mayDiffer(c, set)
			if w.kind == leafExcluded {
				return // sealed where it was proposed
			}
			in.conflictGiven(c, w)
		})
	}
	if a.err == nil && check {
		in.keyCheck()
	}
}

// conflictGiven seals a parameter or literal of SET.
func (in *insertion) conflictGiven(c *Column, w written) {
	a := in.a
	if in.proposed == nil || len(in.s.Rows) > 1 {
		a.refuse(w.expr.At(), c.object(), "an upsert of several rows sets a protected column to one value for all", "set it to the proposed value, or upsert the rows one by one")
		return
	}
	for _, cell := range w.cells() {
		if s, ok := in.seal(c, cell, in.proposed, 0); ok {
			in.rowSeals[0] = append(in.rowSeals[0], a.sealCell(cell.expr, s, w.direct))
		}
	}
}

// mayDiffer reports whether the row found may hold other context sources than
// the ones proposed: another spelling of the key, or columns beside it.
func (in *insertion) mayDiffer(c *Column, set assignments) bool {
	for _, i := range c.Context {
		rc := in.a.relationColumn(in.t.rel, in.t.table.Sources[i])
		if in.keyed(i) && rc != nil && !rc.Inexact {
			continue
		}
		if s, ok := set.sources[i]; ok && in.sourceBecomes(i, s.Value) == leafExcluded && !in.keyed(i) {
			continue
		}
		return true
	}
	return false
}

// keyCheck has the driver read, before the statement is sent, what the rows
// that it would update hold.
func (in *insertion) keyCheck() {
	a := in.a
	if a.explain && !a.executes {
		return // nothing is written
	}
	if in.s.Query != nil || !in.alone || a.nested > 0 || in.server.used() {
		a.refuse(in.s.Conflict.Span, in.t.table.Name, "an upsert whose rows must be read first, in this form", "send INSERT … VALUES by itself")
		return
	}
	if len(in.conflictChanged()) > 0 {
		a.refuse(in.s.Conflict.Span, in.t.table.Name, "an upsert that changes the row key's spelling or a column that values are bound to", "UPDATE the row by itself")
		return
	}
	checks := &KeyChecks{}
	for n, r := range in.s.Rows {
		if len(in.rowSeals[n]) > 0 {
			in.keyCheckRow(checks, n, r)
		}
	}
	if len(checks.Rows) > 0 {
		a.take(checks, in.s.Span)
	}
}

// conflictChanged lists the sources that SET assigns to.
func (in *insertion) conflictChanged() (list []int) {
	for i, name := range in.t.table.Sources {
		for _, s := range in.s.Conflict.Set {
			for _, c := range s.Columns {
				if in.a.d.SameColumn(c.Name, name) && in.sourceBecomes(i, s.Value) != leafSame {
					list = append(list, i)
				}
			}
		}
	}
	return list
}

func (in *insertion) keyCheckRow(checks *KeyChecks, n int, r ValuesRow) {
	a, t := in.a, in.t.table
	parts := []part{textPart("SELECT ")}
	for i, s := range t.Sources {
		if i > 0 {
			parts = append(parts, textPart(", "))
		}
		parts = append(parts, textPart(a.exactText(t, s, a.d.Quote(s))))
	}
	name := a.nameOf(in.s.Target)
	parts = append(parts, textPart(" FROM "+name+" WHERE "))
	for i, key := range t.RowKey {
		j := in.columnIndex(key)
		if j < 0 || !leaf(r.Values[j]) {
			in.refuseSource(t.Columns[0], i, r.Span)
			return
		}
		if i > 0 {
			parts = append(parts, textPart(" AND "))
		}
		before, after := a.d.StoredAs(a.columnType(t, key))
		parts = append(parts, textPart(a.d.Quote(key)+" = "+before))
		parts = append(a.plainParts(parts, r.Values[j].At()), textPart(after))
	}
	parts = append(parts, textPart(a.d.AllRows()+a.d.LockClause("", false)))
	checks.Rows = append(checks.Rows, KeyCheck{Table: t, Text: finish(a.d, a.script, parts), Seals: in.rowSeals[n]})
}
