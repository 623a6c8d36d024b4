package sqlplan

import (
	"slices"
	"strings"
)

// KeyChecks sends Main, an upsert, and reads the rows that it wrote. They may stand in
// the table under another spelling of the given row key, which compares equal but is
// not the same text (case-insensitive collations), or with other values in further
// columns that the values are bound to. Main is then undone and sent again.
type KeyChecks struct {
	// Guarded is Main, but it fails and nothing is written if a row that it would update
	// holds another row key or other sources than were proposed. It is empty if there is no
	// such text.
	Guarded Template

	table *Table
	// texts are the different ones: mostly all rows have one.
	texts []checkText
	rows  []checkedRow
	args  []Arg
	seals []int32
}

type checkText struct {
	text  string
	holes []hole
}

// checkedRow has the entries of args and seals up to the given ones, beginning where the
// row before it ends.
type checkedRow struct{ text, args, seals int32 }

// KeyCheck reads what the row that a statement names really holds.
type KeyCheck struct {
	Table *Table
	// Text returns the values of Table.Sources of the rows that the
	// statement's row key compares equal to, locked for update.
	Text Template
	// Seals are the plan's seals of that row. What it holds replaces the sources that
	// the statement gives them.
	Seals []int32
}

// Len is the number of rows that are read.
func (k *KeyChecks) Len() int { return len(k.rows) }

// At returns the i-th check.
func (k *KeyChecks) At(i int) KeyCheck {
	row, before := k.rows[i], checkedRow{}
	if i > 0 {
		before = k.rows[i-1]
	}
	t := k.texts[row.text]
	return KeyCheck{Table: k.table, Text: Template{Text: t.text, holes: t.holes, Args: k.args[before.args:row.args]}, Seals: k.seals[before.seals:row.seals]}
}

func (k *KeyChecks) add(t Template, seals ...[]int) {
	n := slices.IndexFunc(k.texts, func(x checkText) bool { return x.text == t.Text && slices.Equal(x.holes, t.holes) })
	if n < 0 {
		n = len(k.texts)
		k.texts = append(k.texts, checkText{t.Text, t.holes})
	}
	k.args = append(k.args, t.Args...)
	for _, list := range seals {
		for _, i := range list {
			k.seals = append(k.seals, int32(i))
		}
	}
	k.rows = append(k.rows, checkedRow{int32(n), int32(len(k.args)), int32(len(k.seals))})
}

// checking is the state of planning key checks.
type checking struct {
	// checks reads the rows that an upsert wrote.
	checks *KeyChecks
	// checkStart and checkEnd are what its texts have in common.
	checkStart, checkEnd string
}

// addCheck has the driver read the row that row n of the statement wrote.
func (in *insertion) addCheck(checks *KeyChecks, n int, r ValuesRow) {
	a := in.a
	a.tick()
	if in.checkStart == "" {
		in.checkStart, in.checkEnd = in.aroundCheck()
	}
	parts := append([]part{textPart(in.checkStart)}, in.foundBy(n, r)...)
	if parts = append(parts, textPart(in.checkEnd)); a.err == nil {
		checks.add(a.finish(parts), in.rowSeals.of(n), in.rowTerms.of(n))
	}
}

// aroundCheck returns what comes before and after the condition for the row.
func (in *insertion) aroundCheck() (start, end string) {
	a, t := in.a, in.t.table
	list := make([]string, len(t.Sources))
	for i, s := range t.Sources {
		list[i] = a.exactText(t, s, a.d.Quote(s))
	}
	end = a.d.AllRows()
	if in.s.Conflict.Kind == ConflictDoUpdate || in.proven() {
		end += a.d.LockClause("", false)
	} // else one of the keys may be in no row: a lock would be on the gap where it belongs
	return "SELECT " + strings.Join(list, ", ") + " FROM " + a.nameOf(in.s.Target) + " WHERE ", end
}
