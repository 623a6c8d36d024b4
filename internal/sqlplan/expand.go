package sqlplan

import (
	"math"
	"slices"
	"strings"
	"sync/atomic"
)

// This file writes the statements of the route [*RowByRow] for a number of rows. What it
// keeps of the analysis is small: the plans of large statements are cached.

// lockedRows is what tells the rows of one locked table apart.
type lockedRows struct {
	group         int
	keys, columns []string // the row key's, as the statement names them, and by themselves
	stable        []int    // of keys: those by which SET finds the row
	operator      string   // see [Dialect.LockedKeyIs]
	from, all     string   // the table, and [Dialect.AllRows]
	outer         bool     // an outer join may find no row
	lists         bool     // the key is one column, and IN compares it as equality does
	guard         *guard   // see [Guarded]
}

// manyRows is from how many rows on a text has lists of keys: a server compares a key with
// those of a chain of conditions one by one.
const manyRows = 64

// expansion is a place that differs with the number of rows: what is sealed for each, or
// the condition that a row was locked, after a text.
type expansion struct {
	of      *lockedRows
	seal    int32
	around  *casts
	text    string
	narrows []*lockedRows
	guards  string // stands in the guarded text of an upsert alone: see [KeyChecks.Guarded]
}

// parts writes the place for a number of rows of each table.
func (e *expansion) parts(counts []int, guarded bool) []part {
	switch {
	case e.of != nil && guarded:
		return e.of.chooseGuarded(counts[e.of.group], int(e.seal), e.around)
	case e.of != nil:
		return e.of.choose(counts[e.of.group], int(e.seal), e.around)
	case guarded:
		return nil // the statement's own condition stands alone
	}
	parts := []part{textPart(e.text)}
	for i, r := range e.narrows {
		if i > 0 {
			parts = append(parts, textPart(" AND "))
		}
		parts = append(parts, r.locked(counts[r.group])...)
	}
	return parts
}

// choose writes the CASE that picks what is sealed for a row.
func (r *lockedRows) choose(rows, seal int, around *casts) []part {
	first := part{arg: argOfRow(ArgRowSeal, seal, 0, r.group), around: around, added: true}
	switch {
	case rows == 0:
		around := first.casts()
		return []part{textPart(around.open + "NULL" + around.cast)}
	case rows == 1:
		return []part{first}
	case len(r.stable) == 0:
		// Several rows would get one row key, which the server refuses.
		return []part{first}
	}
	return r.chooseListed(rows, seal, around, "")
}

// chooseListed writes a CASE in which the server looks for the key of a row in lists if
// there are many. otherwise ends each CASE.
func (r *lockedRows) chooseListed(rows, seal int, around *casts, otherwise string) []part {
	parts := make([]part, 0, 2+rows*(3+2*len(r.stable)))
	key := guarded{text: r.keys[0]}
	lists := r.lists
	if otherwise != "" {
		key = r.guard.columns[0]
		lists = lists || len(r.keys) == 1 && key.before != "" // bytes are compared, whatever the list
	}
	if !lists || rows < manyRows {
		return r.chooseAmong(parts, 0, rows, seal, around, otherwise)
	}
	// The key is looked for in lists of about as many keys as there are lists.
	size := int(math.Sqrt(float64(rows)))
	parts = append(parts, textPart("CASE"))
	for from := 0; from < rows; from += size {
		to := min(from+size, rows)
		parts = append(parts, textPart(" WHEN "))
		parts = append(r.keyIn(parts, key, from, to), textPart(" THEN "))
		parts = r.chooseAmong(parts, from, to, seal, around, otherwise)
	}
	return append(parts, textPart(otherwise+" END"))
}

// chooseAmong writes the CASE that picks what is sealed for the rows [from, to).
func (r *lockedRows) chooseAmong(parts []part, from, to, seal int, around *casts, otherwise string) []part {
	parts = append(parts, textPart("CASE"))
	for n := from; n < to; n++ {
		parts = append(parts, textPart(" WHEN "))
		if otherwise != "" {
			parts = r.guard.held(parts, n, r.group)
		} else {
			for i, k := range r.stable {
				parts = r.keyIs(parts, i, k, n, " = ")
			}
		}
		parts = append(parts, textPart(" THEN "), part{arg: argOfRow(ArgRowSeal, seal, n, r.group), around: around})
	}
	return append(parts, textPart(otherwise+" END"))
}

// keyIn writes "k IN (?, …)" for the keys of the rows [from, to).
func (r *lockedRows) keyIn(parts []part, key guarded, from, to int) []part {
	parts = append(parts, textPart(key.before+key.text+key.after+" IN ("))
	for n := from; n < to; n++ {
		sep := key.before
		if n > from {
			sep = key.after + ", " + key.before
		}
		if sep != "" {
			parts = append(parts, textPart(sep))
		}
		parts = append(parts, part{arg: argOfRow(ArgKey, 0, n, r.group)})
	}
	return append(parts, textPart(key.after+")"))
}

// keyIs writes "AND k = ?" for column k of the key of a locked row, without the AND for
// the first.
func (r *lockedRows) keyIs(parts []part, i, k, n int, operator string) []part {
	if i > 0 {
		parts = append(parts, textPart(" AND "))
	}
	return append(parts, textPart(r.keys[k]), textPart(operator), part{arg: argOfRow(ArgKey, k, n, r.group)})
}

// locked writes the condition that a row of the table was locked, or that an outer
// join found no row.
func (r *lockedRows) locked(rows int) []part {
	parts := make([]part, 0, 4+rows*(2+4*len(r.keys)))
	parts = append(parts, textPart("("))
	if r.lists && rows >= manyRows {
		parts, rows = r.keyIn(parts, guarded{text: r.keys[0]}, 0, rows), 0
	}
	for n := range rows {
		sep := "("
		if n > 0 {
			sep = " OR ("
		}
		parts = append(parts, textPart(sep))
		for k := range r.keys {
			parts = r.keyIs(parts, k, k, n, r.operator)
		}
		parts = append(parts, textPart(")"))
	}
	if r.outer {
		if len(parts) > 1 {
			parts = append(parts, textPart(" OR "))
		}
		parts = append(parts, textPart(r.keys[0]+" IS NULL"))
	}
	if len(parts) == 1 {
		return []part{textPart("1 = 0")}
	}
	return append(parts, textPart(")"))
}

// count returns what writes the SELECT that counts the rows that have the locked keys.
func (r *lockedRows) count(d Dialect) func(rows int) Template {
	return func(rows int) Template {
		parts := []part{textPart("SELECT COUNT(*) FROM " + r.from)}
		for n := range rows {
			for i, k := range r.columns {
				sep := " OR "
				switch {
				case i > 0:
					sep = " AND "
				case n == 0:
					sep = " WHERE "
				}
				parts = append(parts, textPart(sep+k+" = "), part{arg: argOfRow(ArgKey, i, n, r.group)})
			}
		}
		return finish(d, nil, append(parts, textPart(r.all)))
	}
}

// draftText is a rendered text that is not finished: some of its places differ with the
// number of rows.
type draftText struct {
	text    string
	places  []place
	expands []*expansion
	casts   []*casts
}

// place is a hole or an expansion at an offset of the text.
type place struct {
	at  int32
	arg Arg
	// hint is that of the hole, or the inverted index of an expansion.
	hint           int32
	around         uint8 // an index, from 1
	literal, added bool
}

func newDraft(parts []part) *draftText {
	d := &draftText{}
	var b strings.Builder
	size, places := 0, 0
	for i := range parts {
		if size += len(parts[i].text); parts[i].hole() || parts[i].expand != nil {
			places++
		}
	}
	b.Grow(size)
	d.places = make([]place, 0, places)
	for i := range parts {
		p := &parts[i]
		x := place{at: int32(b.Len()), arg: p.arg, hint: p.hint, literal: p.literal, added: p.added}
		switch {
		case p.expand != nil:
			d.expands = append(d.expands, p.expand)
			x.hint = ^int32(len(d.expands) - 1)
		case p.hole():
			x.around = d.aroundIndex(p.around)
		default:
			b.WriteString(p.text)
			continue
		}
		d.places = append(d.places, x)
	}
	d.text = b.String()
	return d
}

// aroundIndex returns the index of casts, from 1; parts share equal ones.
func (d *draftText) aroundIndex(c *casts) uint8 {
	if c == nil {
		return 0
	}
	for i, known := range d.casts {
		if known == c {
			return uint8(i + 1)
		}
	}
	d.casts = append(d.casts, c)
	return uint8(len(d.casts))
}

// parts returns the parts for a number of rows of each table.
func (d *draftText) parts(counts []int, guarded bool) []part {
	parts := make([]part, 0, 2*len(d.places)+1)
	at := int32(0)
	for i := range d.places {
		x := &d.places[i]
		if x.at > at {
			parts = append(parts, textPart(d.text[at:x.at]))
			at = x.at
		}
		if x.hint < 0 {
			parts = append(parts, d.expands[^x.hint].parts(counts, guarded)...)
			continue
		}
		p := part{arg: x.arg, hint: x.hint, literal: x.literal, added: x.added}
		if x.around > 0 {
			p.around = d.casts[x.around-1]
		}
		parts = append(parts, p)
	}
	if int(at) < len(d.text) {
		parts = append(parts, textPart(d.text[at:]))
	}
	return parts
}

// buildRows sets what writes the rows.
func (a *analysis) buildRows(r *RowByRow) {
	text := newDraft(a.render(Span{0, len(a.text)}))
	r.text = text
	d, of, groups := a.d, a.placeholders(), len(r.Tables)
	builder := func(guarded bool) func(rows ...int) Template {
		var last atomic.Pointer[built]
		return func(rows ...int) Template {
			counts := make([]int, groups)
			copy(counts, rows)
			if b := last.Load(); b != nil && slices.Equal(b.counts, counts) {
				return b.template
			}
			t := finish(d, of, text.parts(counts, guarded))
			if t.size() <= text.builtBytes() {
				last.Store(&built{counts, t})
			}
			return t
		}
	}
	r.Build = builder(false)
	if r.Guarded != nil {
		guarded := builder(true)
		r.Guarded.Build = func(rows int) Template { return guarded(rows) }
	}
}

// built is the template of a number of rows that was asked for last. A statement mostly
// finds as many rows as it did before.
type built struct {
	counts   []int
	template Template
}

// builtBytes is about how many bytes of memory a template may take that is kept.
func (d *draftText) builtBytes() int { return min(4*d.size(), 4<<10) }
