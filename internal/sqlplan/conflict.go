package sqlplan

import (
	"slices"
	"strings"
)

// conflict plans ON CONFLICT … DO UPDATE and ON DUPLICATE KEY UPDATE. The updated
// row is another row than the proposed row: a value that is sealed for the proposed row
// fits it only if both have the same context sources.
func (in *insertion) conflict() {
	a, c := in.a, in.s.Conflict
	sc := a.conflictScope(in.s, in.t.item, in.t.scope, in.names)
	if len(sc.nodes) > 1 {
		in.t.proposed = sc.nodes[1].(*item)
	}
	in.t.scope = sc
	in.conflictTarget(c, sc)
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

// conflictTarget checks ON CONFLICT's target. The unique key of a searchable column is on
// its term, which has no collation and stands for what the normalisers fold.
func (in *insertion) conflictTarget(c *Conflict, sc *scope) {
	a, t := in.a, in.t.table
	in.targets = slices.Clone(c.Columns)
	for i, name := range c.Columns {
		at := c.ColumnSpans[i]
		var p peeled
		if e := c.ColumnExprs[i]; e != nil {
			p = a.peel(e)
			ref, ok := p.expr.(*ColumnRef)
			if !ok || ref.Star || a.protectedColumn(t, ref.Name, ref.Span) == nil {
				a.check(e, sc, "a conflict target")
				continue
			}
			name, at = ref.Name, e.At()
		}
		a.namesTerm(t, name, at)
		column := a.protectedColumn(t, name, at)
		if column == nil {
			continue
		}
		switch term := column.Term; {
		case term == nil || !term.Exact:
			a.refuse(at, column.object(), "a conflict target", hintCompare)
		case p.folded && !term.Folds:
			a.refuse(at, column.object(), "a conflict target without case, of a protected column whose terms tell case", hintFold)
		case p.trim && !term.Trims:
			a.refuse(at, column.object(), "a conflict target without white space at the ends, of a protected column whose terms tell it", hintTrim)
		default:
			in.targets[i] = name
			a.replace(c.ColumnSpans[i], textPart(a.d.Quote(term.Column)))
		}
	}
	sealed := len(a.seals)
	a.checkAll(c.Exprs, sc, "a conflict target")
	if len(a.seals) > sealed {
		// The server finds the index by constants. A term is a parameter, whose value it looks
		// at in the first executions of a prepared statement only.
		a.refuse(c.Span, a.sealed(sealed).object(), "a conflict target whose predicate compares a protected column", "leave the target out where nothing is to be done, or INSERT and UPDATE by themselves")
	}
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
	assigned := func(i int, s Assignment, object string) {
		switch in.sourceBecomes(i, s.Value) {
		case leafSame:
		case leafExcluded:
			if !in.keyed(i) {
				changed[i] = true
			}
		default:
			a.refuse(s.Span, object, "an upsert changes a column that values are bound to", "set it to the proposed value, or leave it")
		}
	}
	for i, s := range set.sources {
		assigned(i, s, in.t.table.Name+"."+in.t.table.Sources[i])
	}
	for c, s := range set.protected {
		if i := a.termSource(c); i >= 0 {
			assigned(i, s, c.object())
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
		if in.a.d.SameColumn(in.a.comparedAs(in.t.table, e.Column), name) {
			return leafExcluded
		}
	case *Call:
		if in.a.remembers(e) {
			return in.sourceBecomes(i, e.Args[0])
		}
	case *ColumnRef:
		if e.Star {
			return leafGiven
		}
		v := in.a.lookup(e, in.t.scope)
		if v.kind != valueStored || !in.a.d.SameColumn(in.a.comparedAs(in.t.table, v.name), name) {
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

// remembers reports whether a call returns its argument, which the session remembers:
// LAST_INSERT_ID(id).
func (a *analysis) remembers(e *Call) bool {
	return !a.d.NumberedPlaceholders() && e.Schema == "" && strings.EqualFold(e.Name, "last_insert_id") && len(e.Args) == 1 && len(e.Rest) == 0
}

// keyed reports whether the source is a column of the unique key that the
// statement's conflict is about.
func (in *insertion) keyed(i int) bool {
	if in.s.Conflict.Kind == ConflictDuplicateKeyUpdate {
		return i < len(in.t.table.RowKey) && !in.countsUp(i)
	}
	for _, c := range in.conflictColumns() {
		if c != "" && in.a.d.SameColumn(c, in.t.table.Sources[i]) {
			return true
		}
	}
	return false
}

// countsUp reports whether the server counts up the source, in every row anew.
func (in *insertion) countsUp(i int) bool {
	rc := in.server.column(i)
	return slices.Contains(in.server.sources, i) && rc != nil && rc.AutoIncrement
}

// conflictColumns are the columns of ON CONFLICT's target, as the unique key has them.
func (in *insertion) conflictColumns() []string {
	c := in.s.Conflict
	if c.Constraint == "" {
		list := make([]string, len(in.targets))
		for i, name := range in.targets {
			list[i] = in.a.comparedAs(in.t.table, name)
		}
		return list
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

// proven reports whether the statement can update no row but that with the proposed row
// key.
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
		switch j := in.giving(name); {
		case j < 0 && rc.AutoIncrement, j < 0 && rc.Default == "" && !rc.NotNull && !rc.Generated, j >= 0 && in.givesNull(j, rc):
			return true
		}
	}
	return false
}

// givesNull reports whether every row gives NULL for the j-th column written, or a DEFAULT
// that is NULL.
func (in *insertion) givesNull(j int, rc *RelationColumn) bool {
	return len(in.s.Rows) > 0 && !rc.AutoIncrement && !rc.NotNull && !slices.ContainsFunc(in.s.Rows, func(r ValuesRow) bool {
		if j >= len(r.Values) {
			return true
		}
		_, def := r.Values[j].(*Default)
		return !isNull(r.Values[j]) && !(def && rc.Default == "" && !rc.Generated)
	})
}

// conflictValues plans the protected columns that SET writes.
func (in *insertion) conflictValues(set assignments, changed map[int]bool) {
	a := in.a
	check := false
	in.t.edits = true
	for _, c := range in.t.table.Columns {
		s, ok := set.protected[c]
		if !ok {
			continue
		}
		mirrors := a.leaves(in.t, c, s.Value, func(w written) {
			switch w.kind {
			case leafNull:
				return
			case leafSame, leafEdited:
				if affected(c, changed) {
					a.refuse(s.Span, c.object(), "an upsert keeps a value but changes a column that it is bound to", "set the value to a new one")
				}
				return
			}
			switch {
			case in.server.counts() && w.kind == leafPart:
				a.refuse(w.expr.At(), w.part.object(), "a protected value of a document is set by itself in an upsert under a row key that the server counts up", hintEdit)
				return
			case in.server.counts():
				in.termFits(c, s, set)
			case in.mayDiffer(c, set):
				check = true
				in.findable(s, c)
			}
			if w.kind == leafExcluded {
				return // sealed where it was proposed
			}
			if w.kind == leafPart {
				in.conflictPart(w)
				return
			}
			in.conflictGiven(c, w)
		})
		for _, m := range mirrors {
			m.given = func(w written) part { return m.givenTerms(w, in.termHole(m, in.proposed, 0)) }
			a.mirrorBeside(m, s, a.d.Quote(m.term.Column))
		}
	}
	if a.err == nil && check {
		in.keyCheck()
	}
}

// findable refuses an upsert whose row cannot be found by the keys that it gives.
func (in *insertion) findable(s Assignment, c *Column) {
	if in.proven() || len(in.conflictKeys()) > 0 {
		return
	}
	in.a.refuse(s.Span, c.object(), "an upsert may update a row with another row key than the proposed row", "make the row key the conflict target, or INSERT and UPDATE by themselves")
}

// conflictKeys are the unique keys by which the row that is updated can be found; nil if
// there is one whose columns the statement does not give.
func (in *insertion) conflictKeys() [][]string {
	if in.s.Conflict.Kind == ConflictDoUpdate {
		key := in.conflictColumns()
		if in.s.Conflict.Partial || !in.gives(key) || slices.ContainsFunc(key, in.moves) {
			return nil
		}
		return [][]string{key}
	}
	if in.t.rel == nil {
		return nil
	}
	keys := [][]string{in.t.table.RowKey}
	if !in.gives(keys[0]) {
		return nil
	}
	for _, k := range in.t.rel.UniqueKeys {
		switch {
		case in.cannotFire(k) || in.covers(k) && len(k.Columns) == len(in.t.table.RowKey):
		case !in.gives(k.Columns) || slices.ContainsFunc(k.Columns, in.moves):
			return nil
		default:
			keys = append(keys, k.Columns)
		}
	}
	return keys
}

// moves reports whether SET may give a column of a unique key another value than the one
// by which the row is found: afterwards it would not be found by it.
func (in *insertion) moves(name string) bool {
	if of := in.a.searched(in.t.table, name); of != nil {
		name = of.Name
	}
	return slices.ContainsFunc(in.s.Conflict.Set, func(s Assignment) bool {
		return slices.ContainsFunc(s.Columns, func(c AssignTarget) bool { return in.a.d.SameColumn(c.Name, name) }) && !in.keeps(s.Value, name)
	})
}

// keeps reports whether an expression is the value of the column that the row holds, or
// that was proposed for it.
func (in *insertion) keeps(e Expr, name string) bool {
	a := in.a
	switch e := e.(type) {
	case *ValuesRef:
		return a.d.SameColumn(e.Column, name)
	case *ColumnRef:
		if e.Star {
			return false
		}
		v := a.lookup(e, in.t.scope)
		if v.protected() {
			return a.d.SameColumn(v.column.Name, name)
		}
		return v.kind == valueStored && a.d.SameColumn(v.name, name)
	case *Param:
		if !a.d.NumberedPlaceholders() {
			return true // it may be what was proposed, passed again: the row is looked for
		}
		return !slices.ContainsFunc(in.s.Rows, func(r ValuesRow) bool {
			j := in.columnIndex(name)
			proposed, ok := r.Values[j].(*Param)
			return !ok || proposed.Index != e.Index
		})
	case *Call:
		args := coalesced(e)
		return len(args) > 0 && !slices.ContainsFunc(args, func(x Expr) bool { return !in.keeps(x, name) })
	case *Case:
		return e.Else != nil && in.keeps(e.Else, name) && !slices.ContainsFunc(e.Whens, func(w When) bool { return !in.keeps(w.Result, name) })
	}
	return false
}

// gives reports whether every row gives each column of the key as a parameter or a
// literal, and a row is found by values that equal them. Ranges of one key overlap.
func (in *insertion) gives(key []string) bool {
	for _, name := range key {
		j := in.giving(name)
		rc := in.a.relationColumn(in.t.rel, name)
		if j < 0 || rc == nil || strings.HasSuffix(rc.Type, "range") {
			return false
		}
		for n, r := range in.s.Rows {
			if j >= len(r.Values) || !leaf(r.Values[j]) && !in.madeFor(n, name) {
				return false
			}
		}
	}
	return len(key) > 0
}

// madeFor reports whether the server makes what row n gives for a source.
func (in *insertion) madeFor(n int, name string) bool {
	i := in.a.sourceIndex(in.t.table, name)
	_, made := in.server.operand(n, i)
	return i >= 0 && made
}

// giving returns where, among the columns written, a column of the table gets its value:
// a searchable column gives its term. It returns -1 if none gives it.
func (in *insertion) giving(name string) int {
	if of := in.a.searched(in.t.table, name); of != nil {
		name = of.Name
	}
	return in.columnIndex(name)
}

// conflictGiven seals a parameter or literal of SET.
func (in *insertion) conflictGiven(c *Column, w written) {
	a := in.a
	if in.proposed == nil || len(in.s.Rows) > 1 {
		a.refuse(w.expr.At(), c.object(), "an upsert of several rows sets a protected column to one value for all", "set it to the proposed value, or upsert the rows one by one")
		return
	}
	for _, cell := range w.cells() {
		if s, ok := in.seal(c, TermUnused, cell, in.proposed, 0); ok {
			in.rowSeals.add(0, a.sealCell(cell.expr, s, w.direct))
		}
	}
}

// conflictPart seals a value that SET puts into the document of the row that is there.
func (in *insertion) conflictPart(w written) {
	w.kind = leafGiven
	in.conflictGiven(w.part, w)
	if in.a.err != nil || w.part.beside() == nil || w.set.by == nil {
		return
	}
	s, ok := in.seal(w.part, TermValue, w.cells()[0], in.proposed, 0)
	if !ok {
		return // refused
	}
	p := in.a.termHole(s, TermValue, false)
	if len(w.part.beside().Sources) > 0 {
		in.rowTerms.add(0, int(p.arg.Index))
	}
	in.a.setTerm(w.part, w.set, p)
}

// mayDiffer reports whether the row found may hold other context sources than
// the ones proposed: another spelling of the key, or columns beside it.
func (in *insertion) mayDiffer(c *Column, set assignments) bool {
	drawn := c.draws(TermUnused)
	if c.Term != nil {
		drawn = append(drawn, c.draws(TermValue)...)
	}
	return slices.ContainsFunc(drawn, func(i int) bool {
		if in.fixed(i) {
			return false
		}
		s, ok := set.sources[i]
		if of := in.t.table.termOf(in.t.table.Sources[i]); of != nil {
			s, ok = set.protected[of]
		}
		return !ok || in.keyed(i) || in.sourceBecomes(i, s.Value) != leafExcluded
	})
}

// fixed reports whether the row that is updated holds just the proposed source.
func (in *insertion) fixed(i int) bool {
	rc := in.a.relationColumn(in.t.rel, in.t.table.Sources[i])
	return in.keyed(i) && rc != nil && !rc.Inexact && (in.s.Conflict.Kind == ConflictDoUpdate || in.proven())
}

// keyCheck has the driver read, before the statement is sent, what the rows
// that it would update hold.
func (in *insertion) keyCheck() {
	a := in.a
	if a.explain && !a.executes {
		return // nothing is written
	}
	if in.s.Query != nil || !in.alone || a.nested > 0 {
		a.refuseWithin(in.s.Conflict.Span, in.t.table.Name, "an upsert whose rows must be read first, in this form", "send INSERT … VALUES by itself")
		return
	}
	if slices.ContainsFunc(in.conflictChanged(), in.keyed) { // what else changes becomes what is proposed: see conflictSources
		a.refuse(in.s.Conflict.Span, in.t.table.Name, "an upsert that changes the row key or its spelling", "UPDATE the row by itself")
		return
	}
	checks := &KeyChecks{table: in.t.table}
	for n, r := range in.s.Rows {
		if len(in.rowSeals.of(n))+len(in.rowTerms.of(n)) > 0 {
			in.addCheck(checks, n, r)
		}
	}
	if checks.Len() > 0 {
		in.checks = checks
		in.guard()
	}
}

// conflictChanged lists the sources that SET assigns to.
func (in *insertion) conflictChanged() (list []int) {
	for i, name := range in.t.table.Sources {
		for _, s := range in.s.Conflict.Set {
			for _, c := range s.Columns {
				if !in.a.d.SameColumn(in.a.comparedAs(in.t.table, c.Name), name) {
					continue
				}
				if as := in.sourceBecomes(i, s.Value); as != leafSame && !(as == leafExcluded && in.fixed(i)) {
					list = append(list, i)
				}
			}
		}
	}
	return list
}

// foundBy writes the condition for the row that row n of the statement inserted or updated.
func (in *insertion) foundBy(n int, r ValuesRow) []part {
	key := in.t.table.RowKey
	if in.proven() {
		return in.keyIs(n, r, key)
	}
	keys := in.conflictKeys()
	if in.s.Conflict.Kind != ConflictDoUpdate {
		var parts []part
		for i, k := range keys {
			if i > 0 {
				parts = append(parts, textPart(" OR "))
			}
			parts = append(parts, in.keyIs(n, r, k)...)
		}
		return parts
	}
	parts := in.keyIs(n, r, keys[0])
	for _, name := range keys[0] {
		// A row with NULL in a unique key is inserted, whatever the table holds.
		_, literal := r.Values[in.giving(name)].(*Constant)
		if rc := in.a.relationColumn(in.t.rel, name); !literal && (rc == nil || !rc.NotNull) {
			parts = append(append(parts, textPart(" OR ")), in.keyValue(n, r, name)...)
			parts = append(append(parts, textPart(" IS NULL AND ")), in.keyIs(n, r, key)...)
		}
	}
	return parts
}

// keyIs writes "k1 = ? AND k2 = ?" for what row n gives.
func (in *insertion) keyIs(n int, r ValuesRow, key []string) []part {
	var parts []part
	for i, name := range key {
		if i > 0 {
			parts = append(parts, textPart(" AND "))
		}
		parts = append(append(parts, textPart(in.a.d.Quote(name)+" = ")), in.keyValue(n, r, name)...)
	}
	return parts
}

// keyValue writes what row n gives for a column.
func (in *insertion) keyValue(n int, r ValuesRow, name string) []part {
	a, t := in.a, in.t.table
	if i := a.sourceIndex(t, name); i >= 0 {
		if o, made := in.server.operand(n, i); made {
			return []part{{arg: argOfRow(ArgServer, o.Param, o.Row, 0)}}
		}
	}
	j := in.giving(name)
	if j < 0 || !leaf(r.Values[j]) {
		if i := a.sourceIndex(t, name); i >= 0 {
			in.refuseSource(t.Columns[0], i, r)
		} else {
			a.refuse(r.Span, t.Name+"."+name, "an upsert whose row is found by a column that the statement does not give as a parameter or a literal", "give that column's value in the statement")
		}
		return nil
	}
	if of := a.searched(t, name); of != nil {
		use := TermValue
		if !a.d.SameColumn(of.Term.Column, name) {
			use = TermOther
		}
		s, ok := in.seal(of, use, cellOf{expr: r.Values[j], only: true}, in.given(n, r), n)
		if !ok {
			return []part{textPart("NULL")}
		}
		return []part{a.termHole(s, use, false)}
	}
	before, after := a.d.StoredAs(a.columnType(t, name))
	return append(a.plainParts([]part{textPart(before)}, r.Values[j].At()), textPart(after))
}
