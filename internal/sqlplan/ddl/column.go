package ddl

import (
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// column reads the definition of the column at. It begins at i with what comes before.
func (r *Reader) column(i, at, end int, verb string) *sqlplan.Definition {
	d := r.other(i, end)
	d.Kind, d.Column, d.Verb = sqlplan.DefineColumn, r.Tokens[at].Text, verb
	k := r.columnType(d, at+1, end)
	for k < end && d.Unknown == "" {
		next := r.clause(d, k, end)
		if next <= k {
			d.Unknown = r.unknown(k)
		}
		k = next
	}
	return d
}

// clause reads one clause of a column's definition; it returns k for a clause that it
// does not know.
func (r *Reader) clause(d *sqlplan.Definition, k, end int) int {
	from, name := k, ""
	if r.word(k, end, "CONSTRAINT") && r.name(k+1, end) {
		name, k = r.Tokens[k+1].Text, k+2
	}
	switch {
	case r.word(k, end, "NOT") && r.word(k+1, end, "NULL"):
		return k + 2
	case r.word(k, end, "NULL"):
		return k + 1
	case r.word(k, end, "DEFAULT"):
		return r.value(d, k+1, end)
	case r.word(k, end, "UNIQUE", "PRIMARY", "KEY"):
		return r.inlineKey(d, name, from, k, end)
	case r.word(k, end, "CHECK") && r.op(k+1, end, "("):
		if !r.testsNull(k+2, r.mate(k+1, end)) {
			return from
		}
		if k = r.mate(k+1, end) + 1; r.word(k, end, "NO") && r.word(k+1, end, "INHERIT") {
			k += 2
		}
		return k
	case name != "":
		return from
	case r.word(k, end, "COLLATE"):
		next := r.dotted(k+1, end)
		d.OfType = append(d.OfType, r.span(k, next))
		return next
	}
	return r.option(d, k, end)
}

// option reads a clause that is no constraint.
func (r *Reader) option(d *sqlplan.Definition, k, end int) int {
	switch {
	case !r.Indexes:
		if r.word(k, end, "STORAGE", "COMPRESSION") && k+2 <= end {
			return k + 2
		}
	case r.word(k, end, "CHARSET") && k+2 <= end:
		d.OfType = append(d.OfType, r.span(k, k+2))
		return k + 2
	case r.word(k, end, "CHARACTER", "CHAR") && r.word(k+1, end, "SET") && k+3 <= end:
		d.OfType = append(d.OfType, r.span(k, k+3))
		return k + 3
	case r.word(k, end, "COMMENT") && k+2 <= end:
		return k + 2
	case r.word(k, end, "INVISIBLE", "VISIBLE", "FIRST"):
		return k + 1
	case r.word(k, end, "AFTER") && k+2 <= end:
		return k + 2
	}
	return k
}

// testsNull reports whether the tokens hold nothing but tests of columns for NULL, with
// AND, OR and NOT.
func (r *Reader) testsNull(i, end int) bool {
	if i >= end {
		return false
	}
	for i < end {
		switch {
		case r.op(i, end, "("), r.op(i, end, ")"), r.word(i, end, "AND", "OR", "NOT"):
			i++
		case r.name(i, end) && r.word(i+1, end, "IS"):
			if i += 2; r.word(i, end, "NOT") {
				i++
			}
			if !r.word(i, end, "NULL") {
				return false
			}
			i++
		default:
			return false
		}
	}
	return true
}

// inlineKey reads UNIQUE and PRIMARY KEY of a column.
func (r *Reader) inlineKey(d *sqlplan.Definition, name string, from, k, end int) int {
	key := sqlplan.DefinedKey{Name: name, NameAt: -1, Unique: true, Primary: !r.word(k, end, "UNIQUE")}
	switch {
	case r.word(k, end, "PRIMARY") && !r.word(k+1, end, "KEY"), r.word(k, end, "KEY") && !r.Indexes:
		return from
	case r.word(k, end, "PRIMARY"), r.word(k, end, "UNIQUE") && r.Indexes && r.word(k+1, end, "KEY"):
		k++
	}
	key.Span = r.span(from, k+1)
	key.Parts = []sqlplan.KeyPart{{Column: d.Column, Reads: []string{d.Column}}}
	d.Keys = append(d.Keys, key)
	return k + 1
}

// constraint reads a constraint or an index of a table. It begins at i.
func (r *Reader) constraint(i, k, end int) *sqlplan.Definition {
	d := r.other(i, end)
	key := sqlplan.DefinedKey{Span: r.span(k, end), NameAt: -1}
	if r.word(k, end, "CONSTRAINT") {
		if k++; r.name(k, end) && !r.word(k, end, "UNIQUE", "PRIMARY", "FOREIGN", "CHECK") {
			key.Name = r.Tokens[k].Text
			k++
		}
	}
	start := k
	switch {
	case r.word(k, end, "PRIMARY") && r.word(k+1, end, "KEY"):
		key.Unique, key.Primary, k = true, true, k+2
	case r.word(k, end, "UNIQUE"):
		key.Unique, k = true, k+1
	case r.Indexes && r.word(k, end, "FULLTEXT", "SPATIAL"):
		key.Special, k = true, k+1
	case r.Indexes && r.word(k, end, "INDEX", "KEY"):
	default:
		return d
	}
	if key.Name == "" && !key.Primary {
		key.NameAt = r.Tokens[start].Start // CONSTRAINT name goes there
	}
	if r.Indexes {
		k = r.indexName(&key, k, end)
	}
	if r.indexParts(&key, k, end) {
		d.Kind, d.Keys = sqlplan.DefineKey, []sqlplan.DefinedKey{key}
	}
	return d
}

// indexName reads [INDEX | KEY] [IF NOT EXISTS] [name] [USING type].
func (r *Reader) indexName(key *sqlplan.DefinedKey, k, end int) int {
	if r.word(k, end, "INDEX", "KEY") {
		k++
	}
	k, _ = r.conditional(k, end)
	key.NameAt = -1
	if !key.Primary {
		key.NameAt = r.Tokens[k-1].End
	}
	if r.name(k, end) && !r.word(k, end, "USING") {
		key.Name, k = r.Tokens[k].Text, k+1
	}
	if r.word(k, end, "USING") && k+2 <= end {
		k += 2
	}
	return k
}
