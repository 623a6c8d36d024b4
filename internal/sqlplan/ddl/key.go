package ddl

import "github.com/sealsql/sealsql/internal/sqlplan"

// Index reads CREATE INDEX of the tokens [i, end); on is the token of ON, table the one
// after the table's name.
func (r *Reader) Index(i, on, table, end int) *sqlplan.Definition {
	d := r.other(i, end)
	d.Names = r.Names(table, end)
	key := sqlplan.DefinedKey{Span: r.span(i, end), NameAt: r.Tokens[on].Start, Alone: true}
	k := i + 1
	for ; k < on && !r.word(k, on, "INDEX"); k++ {
		key.Unique = key.Unique || r.word(k, on, "UNIQUE")
		key.Special = key.Special || r.word(k, on, "FULLTEXT", "SPATIAL")
	}
	if k++; r.word(k, on, "CONCURRENTLY") {
		k++
	}
	if k, _ = r.conditional(k, on); r.name(k, on) {
		key.Name = r.Tokens[k].Text
	}
	k = table
	if r.word(k, end, "USING") && k+2 <= end {
		key.Special = key.Special || !r.word(k+1, end, "btree", "hash")
		k += 2
	}
	if r.indexParts(&key, k, end) {
		d.Kind, d.Keys = sqlplan.DefineKey, []sqlplan.DefinedKey{key}
	}
	return d
}

// indexParts reads the list in parentheses at k, and INCLUDE behind it.
func (r *Reader) indexParts(key *sqlplan.DefinedKey, k, end int) bool {
	if !r.op(k, end, "(") || r.Tokens[k].Mate <= k+1 {
		return false
	}
	for _, p := range r.parts(k+1, r.Tokens[k].Mate) {
		if p[0] >= p[1] {
			return false
		}
		key.Parts = append(key.Parts, r.keyPart(p[0], p[1]))
	}
	if k = r.Tokens[k].Mate + 1; r.word(k, end, "INCLUDE") && r.op(k+1, end, "(") {
		for i := k + 2; i < r.Tokens[k+1].Mate; i++ {
			if r.name(i, end) {
				key.Included = append(key.Included, r.Tokens[i].Text)
			}
		}
	}
	return true
}

// direction returns the token of ASC, DESC or NULLS FIRST, or the end.
func (r *Reader) direction(k, end int) int {
	for ; k < end; k++ {
		if r.op(k, end, "(") {
			k = r.mate(k, end)
		} else if r.word(k, end, "ASC", "DESC", "NULLS") {
			return k
		}
	}
	return end
}

// keyPart reads a column, with a length, a collation or an operator class, or an
// expression.
func (r *Reader) keyPart(i, end int) sqlplan.KeyPart {
	stop := r.direction(i+1, end)
	part := sqlplan.KeyPart{Span: r.span(i, stop)}
	for k := i; k < stop; k++ {
		if r.name(k, stop) {
			part.Reads = append(part.Reads, r.Tokens[k].Text)
		}
	}
	for r.op(i, stop, "(") && r.Tokens[i].Mate == stop-1 {
		i, stop = i+1, stop-1
	}
	switch {
	case r.word(i, stop, "LOWER") && r.op(i+1, stop, "(") && r.Tokens[i+1].Mate == i+3 && r.name(i+2, stop) && stop == i+4:
		part.Column, part.Lowered = r.Tokens[i+2].Text, true
	case r.name(i, stop) && !r.op(i+1, stop, ".") && (!r.op(i+1, stop, "(") || r.Indexes):
		part.Column = r.Tokens[i].Text
		if r.Indexes && r.op(i+1, stop, "(") && (r.Tokens[i+1].Mate != i+3 || r.Tokens[i+2].Kind != Number) {
			part.Column = ""
		}
	}
	return part
}
