// Package ddl takes apart CREATE TABLE, ALTER TABLE and CREATE INDEX, in the grammar
// that the servers share, by their tokens.
//
// It reads for certain or not at all: a clause that it does not know makes the
// definition's Unknown, and the rules refuse it for a protected column.
package ddl

import (
	"strconv"
	"strings"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Kind is the kind of a [Token].
type Kind uint8

// The kinds.
const (
	Word   Kind = iota + 1 // an unquoted identifier or keyword
	Quoted                 // a quoted identifier; Text is without quotes
	String
	Number
	Op
	Other
)

// Token is a run of bytes [Start, End) of the text.
type Token struct {
	Kind       Kind
	Text       string
	Start, End int
	Mate       int // of a parenthesis: the token that it pairs with
}

// Reader reads the tokens of one text.
type Reader struct {
	Tokens []Token
	// Indexes is true for the grammar in which the list of CREATE TABLE may hold indexes,
	// and columns have comments and places.
	Indexes bool
	// Value returns the value of a string constant; ok is false if it is uncertain.
	Value func(t Token) (value string, ok bool)
	// Names returns the columns that the server works with in the tokens [i, end).
	Names func(i, end int) []string
}

func (r *Reader) word(i, end int, words ...string) bool {
	if i < 0 || i >= end || r.Tokens[i].Kind != Word {
		return false
	}
	for _, w := range words {
		if strings.EqualFold(r.Tokens[i].Text, w) {
			return true
		}
	}
	return false
}

func (r *Reader) op(i, end int, text string) bool {
	return i >= 0 && i < end && r.Tokens[i].Kind == Op && r.Tokens[i].Text == text
}

func (r *Reader) name(i, end int) bool {
	return i < end && (r.Tokens[i].Kind == Word || r.Tokens[i].Kind == Quoted)
}

func (r *Reader) span(i, end int) sqlplan.Span {
	return sqlplan.Span{Start: r.Tokens[i].Start, End: r.Tokens[end-1].End}
}

// mate returns the token that closes the parenthesis at i, or the last before the end if
// none does: what follows a parenthesis lies behind it.
func (r *Reader) mate(i, end int) int {
	if m := r.Tokens[i].Mate; m > i && m < end {
		return m
	}
	return end - 1
}

// unknown names the token at k, which begins a clause that is not known.
func (r *Reader) unknown(k int) string {
	if t := r.Tokens[k]; t.Text != "" && t.Kind != String {
		return strings.ToUpper(t.Text)
	}
	return "a constant"
}

// parts splits the tokens [i, end) at the commas outside parentheses.
func (r *Reader) parts(i, end int) (list [][2]int) {
	from := i
	for ; i < end; i++ {
		switch {
		case r.op(i, end, "("):
			i = r.mate(i, end)
		case r.op(i, end, ","):
			list = append(list, [2]int{from, i})
			from = i + 1
		}
	}
	return append(list, [2]int{from, end})
}

// Elements reads the list of CREATE TABLE between its parentheses.
func (r *Reader) Elements(i, end int) (out []*sqlplan.Definition) {
	for _, p := range r.parts(i, end) {
		if p[0] >= p[1] {
			return nil
		}
		out = append(out, r.element(p[0], p[1], ""))
	}
	return out
}

// Actions reads the actions of ALTER TABLE.
func (r *Reader) Actions(i, end int) (out []*sqlplan.Definition) {
	for _, p := range r.parts(i, end) {
		if p[0] >= p[1] {
			return nil
		}
		from := p[0] + 1
		if r.word(from, p[1], "COLUMN") {
			from++
		}
		if r.Indexes && r.word(p[0], p[1], "ADD") && r.op(from, p[1], "(") && r.Tokens[from].Mate == p[1]-1 {
			out = append(out, r.Elements(from+1, p[1]-1)...)
			continue
		}
		out = append(out, r.action(p[0], p[1]))
	}
	return out
}

func (r *Reader) other(i, end int) *sqlplan.Definition {
	return &sqlplan.Definition{Span: r.span(i, end), Names: r.Names(i, end)}
}

// conditional skips IF [NOT] EXISTS, and returns it as it is written.
func (r *Reader) conditional(i, end int) (next int, text string) {
	if !r.word(i, end, "IF") {
		return i, ""
	}
	if r.word(i+1, end, "NOT") && r.word(i+2, end, "EXISTS") {
		return i + 3, "IF NOT EXISTS "
	}
	if r.word(i+1, end, "EXISTS") {
		return i + 2, "IF EXISTS "
	}
	return i, ""
}

// element reads an element of a table's list, or what follows ADD.
func (r *Reader) element(i, end int, verb string) *sqlplan.Definition {
	words := []string{"CONSTRAINT", "UNIQUE", "PRIMARY", "FOREIGN", "CHECK", "EXCLUDE", "LIKE"}
	if r.Indexes {
		words = []string{"CONSTRAINT", "UNIQUE", "PRIMARY", "FOREIGN", "CHECK", "LIKE", "INDEX", "KEY", "FULLTEXT", "SPATIAL", "PERIOD"}
	}
	switch {
	case r.word(i, end, words...):
		return r.constraint(i, i, end)
	case r.name(i, end):
		return r.column(i, i, end, verb)
	}
	return r.other(i, end)
}

// action reads one action of ALTER TABLE.
func (r *Reader) action(i, end int) *sqlplan.Definition {
	at, column := i+1, ""
	if r.word(at, end, "COLUMN") {
		at, column = at+1, "COLUMN "
	}
	at, cond := r.conditional(at, end)
	switch {
	case r.word(i, end, "ADD") && column+cond == "":
		d := r.element(at, end, "ADD ")
		d.Start = r.Tokens[i].Start
		return d
	case !r.name(at, end):
	case r.word(i, end, "ADD"):
		return r.column(i, at, end, "ADD "+column+cond)
	case r.Indexes && r.word(i, end, "MODIFY"):
		d := r.column(i, at, end, "ADD ")
		d.Kind = sqlplan.DefineChange
		return d
	case r.Indexes && r.word(i, end, "CHANGE") && at+1 < end && strings.EqualFold(r.Tokens[at].Text, r.Tokens[at+1].Text):
		d := r.column(i, at+1, end, "ADD ")
		d.Kind = sqlplan.DefineChange
		return d
	case r.word(i, end, "ALTER"):
		return r.alter(i, at, end)
	case r.word(i, end, "DROP"):
		return r.drop(i, at, end, column+cond)
	}
	return r.renames(i, at, end, column != "")
}

// renames reads the new name of the column at, or another action.
func (r *Reader) renames(i, at, end int, column bool) *sqlplan.Definition {
	d, now := r.other(i, end), at+1
	switch {
	case r.Indexes && r.word(i, end, "CHANGE"):
	case column && r.word(i, end, "RENAME") && r.word(now, end, "TO"):
		now++
	default:
		return d
	}
	if r.name(at, end) && r.name(now, end) {
		d.Renamed = []string{r.Tokens[at].Text, r.Tokens[now].Text}
	}
	return d
}

// drop reads DROP; words stand between it and the token at.
func (r *Reader) drop(i, at, end int, words string) *sqlplan.Definition {
	d := r.other(i, end)
	switch {
	case r.Indexes && words == "" && r.word(at, end, "INDEX", "KEY") && at+2 == end:
		d.Kind, d.Key = sqlplan.DefineDropKey, r.Tokens[at+1].Text
	case strings.HasPrefix(words, "COLUMN") || !r.word(at, end, "CONSTRAINT", "INDEX", "KEY", "PRIMARY", "FOREIGN", "CHECK", "PARTITION", "SYSTEM", "PERIOD"):
		d.Kind, d.Column, d.Verb = sqlplan.DefineDrop, r.Tokens[at].Text, "DROP "+words
	}
	return d
}

// alter reads ALTER COLUMN of the column at.
func (r *Reader) alter(i, at, end int) *sqlplan.Definition {
	d := r.other(i, end)
	k := at + 1
	switch {
	case r.word(k, end, "SET") && r.word(k+1, end, "DEFAULT"):
		d.Kind, d.Column = sqlplan.DefineDefault, r.Tokens[at].Text
		if k = r.value(d, k+2, end); k < end {
			d.Unknown = r.unknown(k)
		}
		return d
	case r.word(k, end, "SET") && r.word(k+1, end, "DATA") && r.word(k+2, end, "TYPE"):
		k += 3
	case r.word(k, end, "TYPE"):
		k++
	default:
		return d
	}
	d.Kind, d.Column = sqlplan.DefineChange, r.Tokens[at].Text
	if k = r.columnType(d, k, end); r.word(k, end, "COLLATE") {
		next := r.dotted(k+1, end)
		d.OfType, k = append(d.OfType, r.span(k, next)), next
	}
	if r.word(k, end, "USING") && r.castOf(d.Column, k+1, end) {
		d.OfType, k = append(d.OfType, r.span(k, end)), end
	}
	if k < end {
		d.Unknown = r.unknown(k)
	}
	return d
}

// castOf reports whether the tokens are the column, or casts of it: the value stays.
func (r *Reader) castOf(column string, i, end int) bool {
	for k := i; k < end; k++ {
		if named := r.name(k, end); !named && r.op(k, end, "(") && k > i && r.Tokens[k+1].Kind == Number {
			k = r.mate(k, end)
		} else if k == i != (named && strings.EqualFold(r.Tokens[k].Text, column)) || !named && !r.op(k, end, "::") {
			return false
		}
	}
	return i < end
}

// dotted returns the end of a name with its qualifiers.
func (r *Reader) dotted(i, end int) int {
	for i++; r.op(i, end, ".") && i+1 < end; {
		i += 2
	}
	return min(i, end)
}

// columnType reads the type that begins at i.
func (r *Reader) columnType(d *sqlplan.Definition, i, end int) int {
	from := i
	var words []string
	for i < end {
		switch t := r.Tokens[i]; {
		case r.op(i, end, "("):
			if n, err := strconv.Atoi(r.Tokens[i+1].Text); err == nil && d.Size == 0 {
				d.Size = n
			}
			i = r.mate(i, end)
		case r.op(i, end, "["), r.op(i, end, "]"), r.op(i, end, "."), t.Kind == Number && r.op(i-1, end, "["):
			words = append(words, t.Text)
		case i > from && r.startsClause(i, end):
			return r.ofType(d, from, i, words)
		case t.Kind == Word || t.Kind == Quoted:
			words = append(words, strings.ToLower(t.Text))
		default:
			return r.ofType(d, from, i, words)
		}
		i++
	}
	return r.ofType(d, from, i, words)
}

func (r *Reader) ofType(d *sqlplan.Definition, from, i int, words []string) int {
	if i == from {
		d.Unknown = "a column without a type"
		return i
	}
	d.Type, d.TypeName = r.span(from, i), strings.Join(words, " ")
	return i
}

// startsClause reports whether a clause of a column's definition begins at i.
func (r *Reader) startsClause(i, end int) bool {
	if r.word(i, end, "NOT", "NULL", "DEFAULT", "UNIQUE", "PRIMARY", "CHECK", "REFERENCES", "COLLATE", "CONSTRAINT", "GENERATED", "USING") {
		return true
	}
	if !r.Indexes {
		return r.word(i, end, "STORAGE", "COMPRESSION", "DEFERRABLE", "INITIALLY", "OPTIONS")
	}
	return r.word(i, end, "AUTO_INCREMENT", "COMMENT", "ON", "KEY", "AS", "VIRTUAL", "STORED", "PERSISTENT", "INVISIBLE", "VISIBLE", "CHARSET", "FIRST", "AFTER",
		"COLUMN_FORMAT", "WITH", "WITHOUT", "SERIAL", "REF_SYSTEM_ID", "ENGINE_ATTRIBUTE", "COMPRESSED") || r.word(i, end, "CHARACTER", "CHAR") && r.word(i+1, end, "SET")
}

// value reads the value of a DEFAULT that begins at i.
func (r *Reader) value(d *sqlplan.Definition, i, end int) int {
	from, v := i, &sqlplan.DefinedDefault{}
	d.Default = v
	stop := i
	for stop < end && (stop == i || !r.startsClause(stop, end)) {
		if r.op(stop, end, "(") {
			stop = r.mate(stop, end)
		}
		stop++
	}
	if from >= stop {
		d.Unknown = "DEFAULT"
		return stop
	}
	v.Span = r.span(from, stop)
	last := stop
	for r.op(i, last, "(") && r.Tokens[i].Mate == last-1 {
		i, last = i+1, last-1
	}
	i = r.constant(v, i, last)
	for r.op(i, last, "::") && !r.Indexes { // a cast of a constant to a type
		for i++; i < last && !r.op(i, last, "::"); i++ {
			if r.op(i, last, "(") {
				i = r.mate(i, last)
			} else if !r.name(i, last) && !r.op(i, last, ".") {
				v.Constant, v.Null = false, false
				return stop
			}
		}
	}
	if i != last {
		v.Constant, v.Null = false, false
	}
	return stop
}

// constant reads a constant at i.
func (r *Reader) constant(v *sqlplan.DefinedDefault, i, end int) int {
	if i >= end {
		return i
	}
	sign := ""
	if r.op(i, end, "-") {
		sign, i = "-", i+1
	}
	set := func(kind sqlplan.LiteralKind, text string) int {
		v.Constant, v.Literal = true, sqlplan.Literal{Kind: kind, Text: text}
		return i + 1
	}
	switch {
	case i < end && r.Tokens[i].Kind == Number:
		kind := sqlplan.LiteralInteger
		if strings.ContainsAny(r.Tokens[i].Text, ".eExX") {
			kind = sqlplan.LiteralDecimal
		}
		return set(kind, sign+r.Tokens[i].Text)
	case sign != "":
	case r.word(i, end, "NULL"):
		v.Null = true
		return i + 1
	case r.word(i, end, "TRUE", "FALSE"):
		return set(sqlplan.LiteralBool, strings.ToLower(r.Tokens[i].Text))
	case i < end && r.Tokens[i].Kind == String:
		if text, ok := r.Value(r.Tokens[i]); ok {
			return set(sqlplan.LiteralString, text)
		}
	}
	return i
}
