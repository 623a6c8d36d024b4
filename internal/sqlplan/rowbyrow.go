package sqlplan

import (
	"slices"
	"strings"
)

// maxRows is the policy's limit for a table.
func (t *Table) maxRows() int {
	if t.MaxRows > 0 {
		return t.MaxRows
	}
	return DefaultMaxRows
}

// updateRowByRow plans an UPDATE whose rows are known only after they were
// read, of one protected table or of several.
func (a *analysis) updateRowByRow(all []*updating) {
	if a.explain && !a.executes {
		for _, u := range all {
			u.explained()
		}
		return
	}
	var tables []*LockedTable
	for _, u := range all {
		if !u.allowed() {
			return
		}
		tables = append(tables, &LockedTable{Table: u.t.table, Old: u.old, MaxRows: u.t.table.maxRows(), Lock: a.finish(u.lock()),
			Count: u.rows().count(a.d), Rekeys: u.rekeys()})
	}
	guarded := a.guarded(all, tables[0])
	for _, u := range all {
		if !u.seals() {
			return
		}
	}
	a.narrow(all)
	if a.err != nil {
		return
	}
	a.take(&RowByRow{Tables: tables, writes: all, Guarded: guarded, Counted: !a.explain && len(all) == 1 && !all[0].within() && all[0].counted(), CountsChanges: a.d.SetsInOrder()}, all[0].s.Span) // its text is built when every change of it is known
}

// counted reports whether each row that is written is reported, once.
func (u *updating) counted() bool {
	if _, single := u.s.Targets[0].(*TableRef); !single || len(u.s.From) > 0 || u.s.Ignore {
		return false // a join may repeat rows, IGNORE may pass over one
	}
	if !u.a.d.SetsInOrder() {
		return true
	}
	if u.t.rel.Witness != "" {
		return false // a trigger may leave a row as it was
	}
	for _, w := range u.work {
		if !w.leaf.direct {
			return false // a row may keep what it has
		}
	}
	return true
}

// seals plans what is sealed for each row of one table.
func (u *updating) seals() bool {
	a := u.a
	for _, w := range u.work {
		v, ok := a.sealValue(w.column, w.leaf.expr)
		if !ok {
			return false
		}
		n := u.rowSeal(Seal{Column: w.column, Value: v})
		a.perRow++
		a.claimSpan(w.leaf.expr.At(), -a.perRow, w.column)
		u.replaceCell(n, w)
	}
	u.partTerms(func(w cellWork) part { return u.rowTerm(w.column, w.leaf, TermValue) })
	for _, m := range u.mirrors {
		u.rowTerms(m)
	}
	for i, c := range u.old {
		n := u.rowSeal(Seal{Column: c, Value: Operand{Kind: OperandStored, Param: i}})
		if !u.replaceOld(n, c) {
			return false
		}
		if !u.changesTerm(c) || u.set.protected[c].Value != nil {
			continue
		}
		for term, use := range c.kept {
			updateSite{u}.add(term.Column, func(int, bool) []part { return []part{u.oldTerm(i, c, use)} })
		}
	}
	return a.err == nil
}

// rowSeal adds a seal that differs from row to row and returns its index.
func (u *updating) rowSeal(s Seal) int {
	u.a.tick()
	if u.stored == nil {
		u.stored = u.rowSources()
	}
	s.Table, s.Sources = u.t.table, u.stored
	u.perRow = append(u.perRow, s)
	return len(u.perRow) - 1
}

// rowTerms writes the terms beside the values. A term that depends on its value alone is
// one for all rows.
func (u *updating) rowTerms(m *mirror) {
	a, c := u.a, m.column
	m.given = func(w written) part { return u.rowTerm(c, w, m.use) }
	if i := slices.Index(u.old, c); i >= 0 && u.changesTerm(c) {
		m.kept = func() part { return u.oldTerm(i, c, m.use) }
	}
	a.mirrorBeside(m, u.set.protected[c], u.assigned(m.term.Column))
}

// rowTerm writes the term of a given value.
func (u *updating) rowTerm(c *Column, w written, use TermUse) part {
	a := u.a
	if len(c.beside().Sources) == 0 {
		s, _, _ := a.termSeal(u.t, c, w.cells()[0], nil)
		return a.termHole(s, use, false)
	}
	v, _ := a.sealValue(c, w.expr)
	return u.choose(u.rowSeal(Seal{Column: c, Value: v, Term: use}), a.around(a.termCast(c)))
}

// changesTerm reports whether the statement changes what the column's terms depend on.
func (u *updating) changesTerm(c *Column) bool {
	return c.Term != nil && slices.ContainsFunc(c.Term.Sources, func(i int) bool { return u.changed[i] })
}

// oldTerm writes the term, computed anew, of the value that a row holds: entry i of old.
func (u *updating) oldTerm(i int, c *Column, use TermUse) part {
	return u.choose(u.rowSeal(Seal{Column: c, Value: Operand{Kind: OperandStored, Param: i}, Term: use}), u.a.around(u.a.termCast(c)))
}

// explained puts NULL for the values of a statement that is not carried out.
func (u *updating) explained() {
	a := u.a
	for _, m := range u.mirrors {
		m.placed = true // nothing is written
	}
	for _, w := range u.work {
		for _, cell := range w.leaf.cells() {
			v, ok := a.sealValue(w.column, cell.expr)
			if !ok {
				return
			}
			a.withheld = append(a.withheld, Seal{Table: u.t.table, Column: w.column, Value: v})
			a.seals = append(a.seals, Seal{Table: u.t.table, Column: w.column, Value: Operand{Kind: OperandNull}, Sources: make([]Operand, len(u.t.table.Sources))})
			if !a.claimSpan(cell.expr.At(), len(a.seals)-1, w.column) {
				continue
			}
			p := argPart(argOf(ArgSeal, len(a.seals)-1))
			open, cast := a.sealCast(w.column)
			p.around, p.literal = a.arrayCast(v, open, cast), v.Kind == OperandLiteral
			a.replace(cell.expr.At(), p)
		}
	}
}

// asksLastKey reports whether WHERE tests the column that the server counts up for NULL.
func (u *updating) asksLastKey() (asks bool) {
	walk(u.s.Where, func(e Expr) bool {
		of, _ := e.(*Call)
		var tested Expr
		if n, ok := e.(*IsNull); ok {
			tested = n.Expr
		} else if of != nil && len(of.Args) == 1 && strings.EqualFold(of.Name, "isnull") {
			tested = of.Args[0]
		}
		if ref, ok := tested.(*ColumnRef); ok && !ref.Star {
			rc := u.a.relationColumn(u.t.rel, ref.Name)
			asks = asks || rc != nil && rc.AutoIncrement
		}
		return true
	})
	return asks
}

// allowed refuses the forms that cannot be carried out row by row.
func (u *updating) allowed() bool {
	a, s, work := u.a, u.s, u.work
	var c *Column
	if len(work) > 0 {
		c = work[0].column
	}
	object := u.t.table.Name
	if c != nil {
		object = c.object()
	}
	const pin = "name the row key by equality in WHERE"
	switch {
	case u.t.rel == nil:
		a.refuse(s.Span, object, "an UPDATE whose rows must be read first, of a table that the catalog does not know", pin)
	case u.within() && !u.readsAlone():
		a.refuseWithin(s.Span, object, "an UPDATE of a protected column, within a larger statement or text, that does not name its row", pin+", or send it by itself")
	case a.explain && a.d.SetsInOrder():
		a.refuse(s.Span, object, "ANALYZE of an UPDATE that is carried out row by row", pin)
	case s.CurrentOf:
		a.refuse(s.Span, object, "WHERE CURRENT OF with a protected column", pin)
	case s.With != nil && !readOnlyWith(s.With):
		a.refuse(s.Span, object, "an UPDATE that does not name its row, with a WITH clause that writes", pin)
	case u.t.item.rel != nil && u.t.item.rel.View && !u.viewShows():
		a.refuse(s.Span, object, "an UPDATE that must read its rows first, through a view without the columns that values are bound to", pin)
	case s.Ignore && u.rekeys():
		a.refuse(s.Span, object, "UPDATE IGNORE of a row key that protected values are bound to", "leave IGNORE out")
	case a.d.NullIsLastKey() && u.asksLastKey():
		a.refuse(s.Span, object, "an UPDATE that must read its rows first, of the row whose key IS NULL under sql_auto_is_null: the server finds it once", "compare the key with LAST_INSERT_ID()")
	}
	for _, w := range work {
		if w.leaf.kind == leafCells {
			a.refuse(w.leaf.expr.At(), w.column.object(), "a protected column is set from a list of values that does not name the row", u.hintOfList())
		}
	}
	return a.err == nil
}

// within reports whether the UPDATE stands within a larger statement or text.
func (u *updating) within() bool { return !u.alone || u.a.nested > 0 }

// readsAlone reports whether the rows of an UPDATE in a CTE can be read by themselves: what
// it writes does not depend on the rest of the statement.
func (u *updating) readsAlone() bool {
	a, s := u.a, u.s
	alone := len(a.script.Statements) == 1 && !a.explain && !a.d.SetsInOrder() && s.With == nil && len(s.From) == 0
	walk(s.Where, func(e Expr) bool {
		_, isSub := e.(*Sub)
		alone = alone && !isSub
		return alone
	})
	return alone
}

// hintOfList says how a list of values names the rows.
func (u *updating) hintOfList() string {
	for _, name := range u.t.table.RowKey {
		if rc := u.a.relationColumn(u.t.rel, name); rc != nil && rc.Inexact {
			return "send an UPDATE for each row: " + name + " takes texts for equal that differ, by its collation, so that an entry of the list may mean another text than the row's"
		}
	}
	return "join the list on the row key by equality"
}

// viewShows reports whether the view has every column that is read first.
func (u *updating) viewShows() bool {
	needed := slices.Clone(u.t.table.RowKey)
	columns := slices.Clone(u.old)
	for _, w := range u.work {
		columns = append(columns, w.column)
	}
	for _, c := range columns {
		needed = append(needed, c.Name)
		for _, i := range c.Reads() {
			needed = append(needed, u.t.table.Sources[i])
		}
	}
	return !slices.ContainsFunc(needed, func(name string) bool { return u.a.relationColumn(u.t.item.rel, name) == nil })
}

func readOnlyWith(w *With) bool {
	for _, c := range w.CTEs {
		if _, ok := c.Body.(*Query); !ok {
			return false
		}
	}
	return true
}

// rowSources are the sources of a locked row after the statement.
func (u *updating) rowSources() []Operand {
	operands := make([]Operand, len(u.t.table.Sources))
	for i := range operands {
		operands[i] = Operand{Kind: OperandStored, Param: i}
		if !u.changed[i] {
			continue
		}
		if o, ok := u.a.sourceOperand(u.t, i, u.final[i], 0); ok && len(u.final[i].cells) <= 1 {
			operands[i] = o
			operands[i].Written = true
		} else {
			u.a.refuse(u.s.SetSpan, u.t.table.sourceName(i), "the new row key differs from row to row", "UPDATE the rows one by one")
		}
	}
	return operands
}

// lock is the SELECT that locks the rows and reads what the seals need.
func (u *updating) lock() []part {
	a, s, it := u.a, u.s, u.t.item
	var parts []part
	if s.With != nil {
		parts = append(a.render(s.With.Span), textPart(" "))
	}
	parts = append(parts, textPart("SELECT "))
	sep := ""
	add := func(text string) {
		parts = append(parts, textPart(sep+text))
		sep = ", "
	}
	for _, k := range u.t.table.RowKey {
		add(a.exactText(u.t.table, k, it.text(k)))
	}
	for _, k := range u.t.table.Sources {
		if it.rel != nil && it.rel.View && a.relationColumn(it.rel, k) == nil {
			parts = append(parts, textPart(sep+"NULL")) // nothing is bound to it: see viewShows
			continue
		}
		add(a.exactText(u.t.table, k, it.text(k)))
	}
	for _, c := range u.old {
		add(it.text(c.Name))
	}
	parts = append(append(parts, textPart(" FROM ")), a.render(s.TargetSpan)...)
	if len(s.From) > 0 {
		parts = append(append(parts, textPart(", ")), a.render(s.FromSpan)...)
	}
	if s.Where != nil {
		parts = append(append(parts, textPart(" WHERE ")), a.render(s.WhereSpan)...)
	}
	for _, span := range []Span{s.OrderSpan, s.LimitSpan} {
		if span.End > span.Start {
			parts = append(append(parts, textPart(" ")), a.render(span)...)
		}
	}
	return append(parts, textPart(u.lockEnd()))
}

// lockEnd ends the SELECT of lock.
func (u *updating) lockEnd() string {
	a, s, it := u.a, u.s, u.t.item
	end := ""
	if s.OrderSpan.End <= s.OrderSpan.Start && s.LimitSpan.End <= s.LimitSpan.Start {
		// Statements that lock the same rows do so in one order, or they
		// would wait for each other.
		for i, k := range u.t.table.RowKey {
			sep := ", "
			if i == 0 {
				sep = " ORDER BY "
			}
			end += sep + it.text(k)
		}
	}
	if s.LimitSpan.End <= s.LimitSpan.Start {
		end += a.d.AllRows()
	}
	name := it.name
	if it.ref != nil && it.ref.Alias == "" {
		name = it.ref.Name
	}
	return end + a.d.LockClause(name, u.rekeys())
}

func (u *updating) rekeys() bool {
	for i := range u.t.table.RowKey {
		if u.changed[i] {
			return true
		}
	}
	return false
}

// chooseValue is choose for the column's value.
func (u *updating) chooseValue(seal int, c *Column) part {
	return u.choose(seal, u.a.around(u.a.sealCast(c)))
}

// choose writes what is sealed for a row.
func (u *updating) choose(seal int, around *casts) part {
	return part{expand: &expansion{of: u.rows(), seal: int32(seal), around: around}}
}

// rows returns what tells the rows of the table apart.
func (u *updating) rows() *lockedRows {
	if u.locked != nil {
		return u.locked
	}
	a, t := u.a, u.t
	r := &lockedRows{group: u.group, operator: a.d.LockedKeyIs(), from: a.nameOf(t.item.ref), all: a.d.AllRows(), outer: slices.ContainsFunc(u.s.Targets, outerJoin)}
	for i, k := range t.table.RowKey {
		r.columns, r.keys = append(r.columns, a.d.Quote(k)), append(r.keys, t.item.text(k))
		// On a server whose assignments see earlier ones, a column that the statement
		// changes is the same for all of its rows.
		if !a.d.SetsInOrder() || !u.changed[i] {
			r.stable = append(r.stable, i)
		}
	}
	if rc := a.relationColumn(t.rel, t.table.RowKey[0]); len(r.keys) == 1 && rc != nil {
		r.lists = a.d.InIsEqual(rc.Type)
	}
	r.guard = u.guard()
	u.locked = r
	return r
}

func (u *updating) replaceCell(seal int, w cellWork) {
	u.a.replace(w.leaf.expr.At(), u.chooseValue(seal, w.column))
}

// replaceOld sets a column that the statement leaves alone, or that it sets to
// itself, to its value sealed for the new context.
func (u *updating) replaceOld(seal int, c *Column) bool {
	a := u.a
	if s, ok := u.set.protected[c]; ok {
		if ref, same := s.Value.(*ColumnRef); same {
			a.replace(ref.Span, u.chooseValue(seal, c))
			return true
		}
		a.refuse(s.Span, c.object(), "an UPDATE keeps a value for some rows and changes a column that it is bound to", "change the row key and the value by two statements")
		return false
	}
	return updateSite{u}.add(c.Name, func(int, bool) []part { return []part{u.chooseValue(seal, c)} })
}

// narrow restricts the statement to the locked rows.
func (a *analysis) narrow(all []*updating) {
	s := all[0].s
	keys := part{expand: &expansion{text: ") AND "}}
	for _, u := range all {
		keys.expand.narrows = append(keys.expand.narrows, u.rows())
	}
	for _, span := range []Span{s.OrderSpan, s.LimitSpan} {
		if span.End > span.Start {
			a.edits = slices.DeleteFunc(a.edits, func(e edit) bool { return span.Start <= e.span.Start && e.span.End <= span.End })
			a.replace(span, textPart(""))
		}
	}
	if s.Where == nil {
		keys.expand.text = " WHERE "
		a.insertParts(s.WhereAt, keys)
		return
	}
	// The condition stays: the row key may not be unique among the rows that
	// the statement sees, and what the server says of a condition (a value
	// that is cut, the table in a sub-select) depends on the statement.
	a.insertParts(s.WhereSpan.Start, part{expand: &expansion{text: "("}})
	a.insertParts(s.WhereSpan.End, keys)
}

func outerJoin(t TableExpr) bool {
	j, ok := t.(*Join)
	return ok && (j.Kind != JoinInner || outerJoin(j.Left) || outerJoin(j.Right))
}
