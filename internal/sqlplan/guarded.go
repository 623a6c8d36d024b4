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
type Guarded struct {
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
	return &Guarded{Read: func() Template {
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
	if t.rel == nil || t.item.rel == nil || t.item.rel.View || t.rel.Lasting != "" || t.rel.Witness != "" || s.Ignore || len(u.old) > 0 || len(u.changed) > 0 ||
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
