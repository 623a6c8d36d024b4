package sqlplan

import (
	"fmt"
	"slices"
	"strings"
)

// insertCounted plans an INSERT whose key the server counts up (AUTO_INCREMENT): it
// tells the key of a row once the row is inserted.
func (k *serverColumns) insertCounted(key *ServerKey, columns []RelationColumn) {
	in, rel := k.in, k.in.t.rel
	upsert := in.s.Ignore || in.s.Replace || in.s.Conflict != nil
	key.MayInsertNone = upsert || len(in.branches) == 1 && in.branches[0].Where != nil
	k.refuseCounted(columns)
	if in.a.err != nil {
		return
	}
	if k.mixed() || upsert && (key.Rows != 1 || in.s.Returning != nil || in.chosen != nil || in.s.Conflict != nil && slices.ContainsFunc(in.s.Conflict.Set, in.needsSealed)) {
		k.fillThenSeal(key, columns)
		return
	}
	once := rel.Witness != "" || rel.InsertTrigger || in.s.Returning != nil || in.chosen != nil
	if once && rel.Lasting == "" && !in.a.readsInserts() {
		key.Mode, key.rel = ServerKeyReserve, rel
		k.insertEvaluated(columns)
		k.sameRows()
		return
	}
	k.insertThenSeal(key, columns)
}

// refuseCounted refuses inserts whose rows cannot be told by the keys that the server
// made.
func (k *serverColumns) refuseCounted(columns []RelationColumn) {
	a, in := k.in.a, k.in
	switch {
	case len(columns) != 1 || !columns[0].AutoIncrement || a.explain:
		a.refuse(in.s.Span, in.t.table.Name, "a value is bound to a column whose default the server computes", "give that column's value in the statement")
	case k.inTerms():
		a.refuse(in.s.Span, in.t.table.Name, "an equality term that depends on a row key that the server makes", "give the row key")
	case containsFold(a.text, "auto_increment_increment"), containsFold(a.text, "auto_increment_offset"):
		a.refuse(in.s.Span, in.t.table.Name, "a statement that changes how the server counts up the row keys of its rows", "set auto_increment_increment for the session, or give the row key")
	case k.mixed() && k.computesAny():
		a.refuse(in.s.Span, in.t.table.Name, "some rows give their row key as an expression and others leave it to the server", "give it as a value, or insert them by two statements")
	case len(in.branches) > 1:
		a.refuse(in.s.Span, in.t.table.Name, "INSERT … SELECT of several rows whose row keys the server makes", "use VALUES, or give the row key")
	}
}

// insertThenSeal inserts fillers, and seals the values once the keys are known.
func (k *serverColumns) insertThenSeal(key *ServerKey, columns []RelationColumn) {
	a, in, rel := k.in.a, k.in, k.in.t.rel
	seen := rel.Witness
	if in.s.Returning != nil {
		seen = "a RETURNING clause"
	}
	if in.chosen != nil {
		seen = "an expression that chooses a value"
	}
	if seen != "" {
		lasting := rel.Lasting
		if lasting == "" {
			lasting = "the text reads what the last statement left in the session"
		}
		a.refuse(in.s.Span, in.t.table.Name, "a row key that the server makes, with "+seen+" that would show a second write, and no insert can be undone to learn the key: "+lasting, "give the row key")
		return
	}
	k.sameRows()
	key.Mode = ServerKeyInsertThenSeal
	for i, p := range a.parts {
		if p.arg.Kind == ArgSeal && a.seals[p.arg.Index].Term == TermUnused {
			a.parts[i] = textPart(a.filler(rel, int(p.arg.Index)))
		}
	}
	for n := range key.Rows {
		if len(in.rowSeals.of(n)) > 0 {
			key.Update = append(key.Update, k.sealRow(n, columns[0].Name))
			key.UpdateRow = append(key.UpdateRow, n)
		}
	}
}

// inTerms reports whether a term depends on a value that the server makes.
func (k *serverColumns) inTerms() bool {
	return slices.ContainsFunc(k.in.a.seals, func(s Seal) bool {
		return s.Term != TermUnused && s.AwaitsKey()
	})
}

// sealRow is the statement that sets the sealed values of an inserted row, which it finds
// by the key that the server made. It sets no other row: the row's values are fillers.
func (k *serverColumns) sealRow(n int, keyColumn string) Template {
	a, in := k.in.a, k.in
	parts := []part{textPart("UPDATE " + a.nameOf(in.s.Target) + " SET ")}
	for i, seal := range in.rowSeals.of(n) {
		if i > 0 {
			parts = append(parts, textPart(", "))
		}
		parts = append(parts, textPart(a.d.Quote(a.sealed(seal).Name)+" = "), part{arg: argOf(ArgRowSeal, seal)})
	}
	for _, c := range in.t.rel.Columns {
		if c.OnUpdate {
			parts = append(parts, textPart(", "+a.d.Quote(c.Name)+" = "+a.d.Quote(c.Name)))
		}
	}
	first := in.rowSeals.of(n)[0]
	parts = append(parts, textPart(" WHERE "+a.d.Quote(keyColumn)+" = "), part{arg: argOfRow(ArgServer, 0, n, 0)},
		textPart(" AND "+a.fillable(a.sealed(first))+" = "+a.filler(in.t.rel, first))) // no other row is hit
	return finish(a.d, nil, parts)
}

// fillable writes a column so that it compares equal with its filler.
func (a *analysis) fillable(c *Column) string {
	if c.Paths != nil { // MySQL's JSON equals no text
		return "CAST(" + a.d.Quote(c.Name) + " AS CHAR)"
	}
	return a.d.Quote(c.Name)
}

// reserving turns the parts of a statement that gives its keys into those of the
// statement that has the server make them.
func (a *analysis) reserving(rel *Relation, parts []part) []part {
	out := slices.Clone(parts)
	for i, p := range parts {
		switch {
		case p.arg.Kind == ArgSeal && a.seals[p.arg.Index].Term == TermUnused:
			out[i] = textPart(a.filler(rel, int(p.arg.Index)))
		case p.arg.Kind == ArgServer:
			out[i] = textPart("NULL")
		}
	}
	return out
}

// fillerBytes is the length of the shortest value that a guard takes.
const fillerBytes = 104

// filler is a text that stands for a value until its row's key is known. It is not NULL,
// begins as a message does, and is as long as the shortest: a CHECK constraint that keeps
// clear text out takes it. A narrower column has no such constraint.
func (a *analysis) filler(rel *Relation, seal int) string {
	c := a.sealed(seal)
	if c.Paths != nil {
		return "'{}'"
	}
	length, first, rest := fillerLength(c), "x'020478'", "x'00'"
	if c.Base64 {
		first, rest = "'AgR4'", "'A'"
	}
	if a.relationColumn(rel, c.Name) == nil || a.fillerSize(rel, c) < length {
		return "''"
	}
	return fmt.Sprintf("RPAD(%s, %d, %s)", first, length, rest)
}

// fillerLength is the length of a filler, as the column stores it.
func fillerLength(c *Column) int {
	if c.Base64 {
		return (fillerBytes + 2) / 3 * 4
	}
	return fillerBytes
}

// room is how much a type, as the server writes it, holds; 0 if that is more than any
// filler.
func room(full string) (n int) {
	if strings.HasPrefix(full, "tiny") {
		return 255
	}
	_, after, _ := strings.Cut(full, "(")
	if _, err := fmt.Sscanf(after, "%d", &n); err != nil {
		return 0
	}
	return n
}

// readsInserts reports whether the text may mean another thing after an INSERT that was
// undone: it reads what the last statement left in the session, or sets variables.
func (a *analysis) readsInserts() bool {
	for _, word := range []string{"last_insert_id", "row_count", "found_rows", ":=", "setval", "nextval"} {
		if containsFold(a.text, word) {
			return true
		}
	}
	return false
}
