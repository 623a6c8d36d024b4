package sqlplan

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Filled is an INSERT whose row keys the server counts up and that may change rows which
// are there already (ODKU, REPLACE, IGNORE), that shows them, or that gives some of them. Main has fillers in the
// place of values. They tell which value each cell got: the rows are read, and each
// filler is replaced by the value, sealed for its row.
type Filled struct {
	// Columns are the protected columns that the statement may write.
	Columns []FilledColumn
	// Key is the index in Table.Sources of the column that the server counts up.
	Key int
	// Mixed is true if the statement gives the keys of some rows. Their values are sealed
	// at once.
	Mixed bool
	// Rows are the rows of the statement, in order. It is empty if no row is changed that
	// was there already.
	Rows []FilledRow
	// Find are texts that together read the rows that Rows may have changed. They return
	// the number of the row of the statement, Table.Sources and Columns.
	Find []Template
	// Moves is true if the statement may give a unique key another value: each row of the
	// statement must then be found by those that it gives.
	Moves bool
	// From reads the rows whose key is not less than the ArgServer value of row 0, ByKey
	// that whose key is that value. They return what Find returns, with row -1.
	From, ByKey Template
	// Update returns the text that sets the columns of those indexes, as ArgRowSeal
	// arguments, of the row whose key is the ArgServer value of row 0.
	Update func(columns []int) Template
}

// All are the indexes of Columns.
func (f *Filled) All() []int {
	list := make([]int, len(f.Columns))
	for i := range list {
		list[i] = i
	}
	return list
}

// FilledColumn is a protected column that is filled first.
type FilledColumn struct {
	Column *Column
	// Size is the length of a filler, in bytes as the column stores it.
	Size int
}

// Filler returns a filler for a seal's value that no other statement has. It begins as a
// message does, for the CHECK constraint of a guard; that of an empty value has an
// [EmptyShape].
func (c FilledColumn) Filler(seal int, empty bool) []byte {
	size := c.Size
	if c.Column.Base64 {
		size = size / 4 * 3
	}
	if c.Column.Paths != nil { // a document in every server's own spelling
		filler := make([]byte, 16)
		rand.Read(filler)
		return fmt.Appendf(nil, `"sealsql %x"`, filler)
	}
	filler := make([]byte, max(size, 24))
	copy(filler, "\x02\x04\x78")
	rand.Read(filler[3:19])
	binary.BigEndian.PutUint32(filler[19:], uint32(seal))
	for _, shape := range c.Column.Empty {
		if empty && shape.Tail != nil {
			filler = append(append(filler, shape.Tail...), make([]byte, shape.Before-len(shape.Tail))...)
			break
		}
	}
	if c.Column.Base64 {
		return base64.StdEncoding.AppendEncode(nil, filler)
	}
	return filler
}

// FilledRow has the arguments of each unique key that a row of the statement gives. A key
// with a NULL among them is that of no row yet.
type FilledRow struct{ Keys [][]Arg }

// filledRows bounds the rows that one text of Filled.Find looks for.
const filledRows = 64

// mixed reports whether some rows leave the key to the server and others give it, as a value
// or as an expression.
func (k *serverColumns) mixed() bool {
	made := 0
	for n := range k.in.s.Rows {
		if e, ok := k.rows[[2]int{n, k.sources[0]}]; ok && !computed(e) {
			made++
		}
	}
	return made > 0 && made < len(k.in.s.Rows)
}

// counts reports whether the server counts up a source of the rows.
func (k *serverColumns) counts() bool {
	return slices.ContainsFunc(k.sources, func(i int) bool {
		rc := k.column(i)
		return rc != nil && rc.AutoIncrement
	})
}

// countedKeys are the unique keys by which a row that an upsert changed can be found. ok is
// false if one may fire whose columns the statement does not give.
func (in *insertion) countedKeys() (keys [][]string, ok bool) {
	if in.t.rel == nil || in.s.Conflict == nil {
		return nil, in.t.rel != nil
	}
	for _, k := range in.t.rel.UniqueKeys {
		switch {
		case in.cannotFire(k) || in.madeByServer(k):
		case !in.gives(k.Columns) || slices.ContainsFunc(k.Columns, in.moves):
			return nil, false
		default:
			keys = append(keys, k.Columns)
		}
	}
	return keys, true
}

// termFits refuses an upsert that sets a column whose terms depend on another column, of
// a row that may hold another value there than was proposed: the term is made before the
// row is known.
func (in *insertion) termFits(c *Column, s Assignment, set assignments) {
	if c.Term == nil {
		return
	}
	keys, _ := in.countedKeys()
	for _, i := range c.Term.Sources {
		source := in.t.table.Sources[i]
		if x, ok := set.sources[i]; ok && in.sourceBecomes(i, x.Value) == leafExcluded {
			continue
		}
		if slices.ContainsFunc(keys, func(key []string) bool {
			return !slices.ContainsFunc(key, func(name string) bool { return in.a.d.SameColumn(name, source) || in.a.searched(in.t.table, name) == c })
		}) {
			in.a.refuse(s.Span, c.object(), "an upsert of a row that may hold another "+source+", which the equality term depends on", "set that column too, or INSERT and UPDATE by themselves")
		}
	}
}

// madeByServer reports whether the server makes a column of the key new for every row.
func (in *insertion) madeByServer(k UniqueKey) bool {
	return slices.ContainsFunc(k.Columns, func(name string) bool {
		i := in.a.sourceIndex(in.t.table, name)
		return i >= 0 && slices.Contains(in.server.sources, i) && in.server.column(i).AutoIncrement
	})
}

// fillThenSeal plans the statement with fillers.
func (k *serverColumns) fillThenSeal(key *ServerKey, columns []RelationColumn) {
	a, in := k.in.a, k.in
	rel := in.t.rel
	if rel.Witness != "" || rel.InsertTrigger {
		seen := rel.Witness
		if seen == "" {
			seen = "an INSERT trigger"
		}
		what, hint := "an upsert whose row key the server makes", "give the row key, or INSERT and UPDATE by themselves"
		if in.s.Conflict == nil && k.mixed() {
			what, hint = "some rows give their row key and others leave it to the server", "insert them by two statements"
		}
		a.refuse(in.s.Span, in.t.table.Name, what+", with "+seen+" that would show a second write", hint)
		return
	}
	keys, ok := in.countedKeys()
	if !ok || in.s.Query != nil && in.s.Conflict != nil {
		a.refuse(in.s.Span, in.t.table.Name, "an upsert that may update a row by a unique key that it does not give, or sets to another value", "give the columns of every unique key in VALUES, or INSERT and UPDATE by themselves")
		return
	}
	if in.s.Ignore || in.s.Conflict != nil {
		k.sameRows() // a row may be another than its key says, or none
	}
	f := &Filled{Key: a.sourceIndex(in.t.table, columns[0].Name), Mixed: k.mixed()}
	for _, s := range a.seals {
		if s.Term == TermUnused && !slices.ContainsFunc(f.Columns, func(c FilledColumn) bool { return c.Column == s.Column }) {
			f.Columns = append(f.Columns, FilledColumn{s.Column, a.fillerSize(rel, s.Column)})
		}
	}
	k.find(f, keys)
	k.fillUpdate(f, columns[0].Name)
	key.Mode, key.Filled = ServerKeyFillThenSeal, f
}

// needsSealed reports whether what an upsert assigns depends on protected values of the
// row that was proposed, or changes what is sealed.
func (in *insertion) needsSealed(s Assignment) bool {
	proposed := false
	walk(s.Value, func(e Expr) bool {
		switch e := e.(type) {
		case *ValuesRef:
			proposed = proposed || in.a.protectedColumn(in.t.table, e.Column, e.Span) != nil
		case *ColumnRef:
			if !e.Star {
				v := in.a.lookup(e, in.t.scope)
				proposed = proposed || v.protected() && v.row != in.t.item.row
			}
		}
		return true
	})
	return proposed || in.changesSealed(s)
}

// changesSealed reports whether an upsert's assignment changes a protected column, or a
// column that values are bound to.
func (in *insertion) changesSealed(s Assignment) bool {
	return slices.ContainsFunc(s.Columns, func(c AssignTarget) bool {
		if p := in.a.protectedColumn(in.t.table, c.Name, c.Span); p != nil {
			ref, ok := s.Value.(*ColumnRef)
			if !ok || ref.Star {
				return true
			}
			v := in.a.lookup(ref, in.t.scope)
			return v.row != in.t.item.row || v.column != p
		}
		i := in.a.sourceIndex(in.t.table, c.Name)
		return i >= 0 && in.sourceBecomes(i, s.Value) != leafSame
	})
}

// find plans the texts that read the rows.
func (k *serverColumns) find(f *Filled, keys [][]string) {
	a, in := k.in.a, k.in
	read := in.readFilled(f)
	from := func(compare string) Template {
		return a.finish([]part{textPart("SELECT -1, " + read + a.d.Quote(in.t.table.Sources[f.Key]) + compare), {arg: argOf(ArgServer, 0)}})
	}
	f.From, f.ByKey = from(" >= "), from(" = ")
	if len(keys) == 0 {
		return
	}
	f.Moves = slices.ContainsFunc(keys, func(key []string) bool { return slices.ContainsFunc(key, in.givesAgain) })
	var parts []part
	found := 0
	for n, r := range in.s.Rows {
		var row FilledRow
		var where []part
		for _, key := range keys {
			if slices.ContainsFunc(key, func(name string) bool { return isNull(r.Values[in.giving(name)]) }) {
				continue
			}
			if len(row.Keys) > 0 {
				where = append(where, textPart(" OR "))
			}
			is := in.keyIs(n, r, key)
			row.Keys = append(row.Keys, arguments(is))
			where = append(where, is...)
		}
		f.Rows = append(f.Rows, row)
		if len(row.Keys) > 0 {
			if found > 0 {
				parts = append(parts, textPart(" UNION ALL "))
			}
			parts = append(append(parts, textPart("SELECT "+strconv.Itoa(n)+", "+read)), where...)
			found++
		}
		if found == filledRows || n == len(in.s.Rows)-1 && found > 0 {
			f.Find = append(f.Find, a.finish(parts))
			parts, found = nil, 0
		}
	}
}

// arguments are the arguments of parts.
func arguments(parts []part) (list []Arg) {
	for _, p := range parts {
		if p.hole() {
			list = append(list, p.arg)
		}
	}
	return list
}

// readFilled writes the columns that are read of a row, up to the WHERE clause.
func (in *insertion) readFilled(f *Filled) string {
	a, t := in.a, in.t.table
	var list []string
	for _, s := range t.Sources {
		list = append(list, a.exactText(t, s, a.d.Quote(s)))
	}
	for _, c := range f.Columns {
		list = append(list, a.d.Quote(c.Column.Name))
	}
	return strings.Join(list, ", ") + " FROM " + a.nameOf(in.s.Target) + " WHERE "
}

// givesAgain reports whether SET gives a column of a unique key a parameter: it may be
// another value than the one that is proposed.
func (in *insertion) givesAgain(name string) bool {
	if of := in.a.searched(in.t.table, name); of != nil {
		name = of.Name
	}
	return slices.ContainsFunc(in.s.Conflict.Set, func(s Assignment) bool {
		given := false
		walk(s.Value, func(e Expr) bool {
			_, param := e.(*Param)
			given = given || param
			return true
		})
		return given && slices.ContainsFunc(s.Columns, func(c AssignTarget) bool { return in.a.d.SameColumn(c.Name, name) })
	})
}

// fillUpdate plans the text that replaces the fillers of a row.
func (k *serverColumns) fillUpdate(f *Filled, keyColumn string) {
	a, in := k.in.a, k.in
	d, of := a.d, a.placeholders()
	begin, end := "UPDATE "+a.nameOf(in.s.Target)+" SET ", " WHERE "+d.Quote(keyColumn)+" = "
	for _, c := range in.t.rel.Columns {
		if c.OnUpdate {
			end = ", " + d.Quote(c.Name) + " = " + d.Quote(c.Name) + end
		}
	}
	f.Update = func(columns []int) Template {
		parts := []part{textPart(begin)}
		for i, at := range columns {
			if i > 0 {
				parts = append(parts, textPart(", "))
			}
			parts = append(parts, textPart(d.Quote(f.Columns[at].Column.Name)+" = "), part{arg: argOf(ArgRowSeal, at)})
		}
		return finish(d, of, append(parts, textPart(end), part{arg: argOf(ArgServer, 0)}))
	}
}

// fillerSize is the length of a filler of the column: that of the shortest value that a
// guard takes, or less in a column that has less room.
func (a *analysis) fillerSize(rel *Relation, c *Column) int {
	length := fillerLength(c)
	if rc := a.relationColumn(rel, c.Name); rc != nil {
		if room := room(rc.Full); room > 0 {
			return min(room, length)
		}
	}
	return length
}
