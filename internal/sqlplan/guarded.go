package sqlplan

import (
	"slices"
	"strings"
)

// Guarded carries out the UPDATE of a [RowByRow] without locks: Read is sent, and then the
// text of Build. That text writes every row that the statement's own condition finds. It
// fails, and nothing is written, if one of these rows is not among those that were read, or
// holds another row key or other sources by now. The rows must then be locked first.
//
// What the statement writes, reports and locks is what it would without sealsql: it is one
// statement of the server's, which sees what that sees, in every isolation level.
//
// Where the condition compares the row key with values that the statement gives, Read may be
// left out: the row is taken for one that holds them as they are given.
type Guarded struct {
	// Given is the row that the statement gives, as far as values are bound to it: texts, in
	// the order of what Read returns. It is nil if the statement does not give it.
	Given []Operand
	// Read returns the text that returns what the table's Lock returns.
	Read func() Template
	// Build returns the text for a number of rows that were read.
	Build func(rows int) Template
}

// guard is how a text makes sure that a row holds what its values were sealed for.
type guard struct {
	columns []guarded
	fails   string // see [Dialect.Fails]
}

// guarded is a column that is compared, as the statement names it.
type guarded struct {
	at            int // the index among what Lock returns
	text          string
	before, after string
}

// guarded decides whether the statement may be carried out without locks.
func (a *analysis) guarded(all []*updating, t *LockedTable) *Guarded {
	u := all[0]
	if len(all) != 1 || a.explain || u.rows().guard == nil {
		return nil
	}
	lock, length, rest := t.Lock, len(strings.TrimSuffix(t.Lock.Text, u.lockEnd())), a.d.AllRows()
	return &Guarded{Given: u.givenRow(), Read: func() Template {
		read := lock // plans of large texts are cached: one text is kept for both
		read.Text = lock.Text[:length] + rest
		return read
	}}
}

// guard returns what compares the rows' sources; nil if they cannot be compared exactly, or
// if the statement is no other than the rows that were read: it passes over errors, changes
// what values are bound to, or stops at a number of rows. Undoing it must leave nothing.
func (u *updating) guard() *guard {
	a, s, t := u.a, u.s, u.t
	if !t.undone() || s.Ignore || len(u.old) > 0 || len(u.changed) > 0 ||
		s.OrderSpan.End > s.OrderSpan.Start || s.LimitSpan.End > s.LimitSpan.Start {
		return nil
	}
	g := &guard{fails: a.d.Fails(t.item.text(t.table.RowKey[0]))}
	add := func(name string, at int) bool {
		rc := a.relationColumn(t.rel, name)
		if rc == nil {
			return false
		}
		before, after, ok := a.d.Exactly(*rc)
		g.columns = append(g.columns, guarded{at, t.item.text(name), before, after})
		return ok
	}
	for i, name := range t.table.RowKey {
		if !add(name, i) {
			return nil
		}
	}
	for i, name := range t.table.Sources[len(t.table.RowKey):] {
		at := len(t.table.RowKey) + i
		draws := func(w cellWork) bool { return affected(w.column, map[int]bool{at: true}) }
		if slices.ContainsFunc(u.work, draws) && !add(name, len(t.table.RowKey)+at) {
			return nil
		}
	}
	return g
}

// givenRow is what the statement's condition compares the rows' sources with; nil if it does not
// fix one, or if one is no text: only texts are compared so that the column's type does not
// matter, which may have changed.
func (u *updating) givenRow() []Operand {
	a, t := u.a, u.t
	a.inexact = true
	pinned := a.pinsOf(t, u.s.Where)
	a.inexact = false
	row := make([]Operand, len(t.table.RowKey)+len(t.table.Sources))
	for _, c := range u.rows().guard.columns {
		i := t.table.Source(c.at)
		v, ok := pinned.get(i)
		if !ok || c.before == "" || v.kind != valueGiven || len(v.cells) != 1 {
			return nil
		}
		o, ok := a.operand(v.cells[0], "")
		if !ok || o.NullIf != nil || o.Kind != OperandParam && o.Kind != OperandLiteral {
			return nil
		}
		row[c.at] = o
		row[len(t.table.RowKey)+i] = o
	}
	return row
}

// held writes the condition that a row is row n of those that were read, and holds the same.
func (g *guard) held(parts []part, n, group int) []part {
	for i, c := range g.columns {
		sep := ""
		if i > 0 {
			sep = " AND "
		}
		parts = append(parts, textPart(sep+c.before+c.text+c.after+" = "+c.before), part{arg: argOfRow(ArgKey, c.at, n, group)}, textPart(c.after))
	}
	return parts
}

// chooseGuarded writes the CASE that picks what is sealed for a row that was read.
func (r *lockedRows) chooseGuarded(rows, seal int, around *casts) []part {
	fails := " WHEN " + r.guard.fails + " THEN "
	if rows == 0 {
		p := part{around: around}
		return []part{textPart("CASE" + fails + p.casts().open + "NULL" + p.casts().cast + " END")}
	}
	return r.chooseListed(rows, seal, around, fails+"NULL")
}

// undone reports whether nothing is left of an UPDATE of the table that failed. The
// statement names the table itself, not a view of it.
func (t *target) undone() bool {
	return t.rel != nil && t.item.rel != nil && !t.item.rel.View && t.rel.Lasting == "" && t.rel.Witness == ""
}

// guard has the guarded text of an upsert compare what each row that it updates holds with
// what was proposed. The text stays as it is where that cannot be written.
func (in *insertion) guard() {
	t, s := in.t, in.s
	if !t.undone() || t.rel.InsertTrigger || s.Ignore || s.Replace || len(s.RowColumns) > 0 || len(s.Rows) >= manyRows ||
		len(in.conflictChanged()) > 0 || slices.ContainsFunc(t.table.Columns, func(c *Column) bool { return c.Term != nil }) {
		return
	}
	var guarded []part
	var places []Span
	for _, x := range s.Conflict.Set {
		for _, target := range x.Columns {
			c := in.a.protectedColumn(t.table, target.Name, target.Span)
			if c == nil {
				continue
			}
			condition, ok := in.holdsProposed(c)
			if !ok || len(x.Columns) > 1 || !in.proposes(x.Value) {
				return
			}
			guarded = append(guarded, part{expand: &expansion{guards: "CASE WHEN " + condition + " THEN "}})
			places = append(places, x.Value.At())
		}
	}
	end := part{expand: &expansion{guards: " WHEN " + in.a.d.Fails(t.item.text(t.table.RowKey[0])) + " THEN NULL END"}}
	for i, at := range places {
		in.a.insertParts(at.Start, guarded[i])
		in.a.insertParts(at.End, end)
	}
}

// proposes reports whether an expression is a column of the proposed row, and nothing else.
func (in *insertion) proposes(e Expr) bool {
	if in.t.proposed == nil {
		_, ok := e.(*ValuesRef)
		return ok
	}
	c, ok := e.(*ColumnRef)
	return ok && !c.Star && in.a.lookup(c, in.t.scope).row == in.t.proposed.row
}

// holdsProposed is the condition that the row holds the sources that were proposed, as far
// as values of the column draw on them.
func (in *insertion) holdsProposed(c *Column) (condition string, ok bool) {
	a, t := in.a, in.t
	var parts []string
	for _, i := range c.draws(TermUnused) {
		name := t.table.Sources[i]
		rc := a.relationColumn(t.rel, name)
		if rc == nil {
			return "", false
		}
		before, after, ok := a.d.Exactly(*rc)
		if !ok {
			return "", false
		}
		proposed := "VALUES(" + a.d.Quote(name) + ")"
		if t.proposed != nil {
			proposed = t.proposed.text(name)
		}
		parts = append(parts, before+t.item.text(name)+after+" = "+before+proposed+after)
	}
	return strings.Join(parts, " AND "), len(parts) > 0
}

// guardedUpsert is the text with the guards in it; empty if it has none.
func (a *analysis) guardedUpsert(parts []part) Template {
	guarded := slices.Clone(parts)
	found := false
	for i, p := range parts {
		if p.expand != nil && p.expand.guards != "" {
			guarded[i], found = textPart(p.expand.guards), true
		}
	}
	if !found {
		return Template{}
	}
	return a.finish(guarded)
}
