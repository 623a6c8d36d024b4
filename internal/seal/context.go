package seal

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// The pairs that bind a value to its column, unless bind_location is false.
const (
	contextTable  = "sealsql:table"
	contextColumn = "sealsql:column"
)

// Row holds the canonical texts of a row's sources, in the order of Table.Sources.
type Row struct {
	Sources []string
	// Known tells which sources are known; nil means all that the column's
	// context draws on.
	Known []bool
	// Digits, if it is not nil, holds the texts of integers that the row shows.
	Digits *Digits
}

// MakeRow returns a row of n sources, none of them known.
func MakeRow(n int) Row { return Row{Sources: make([]string, n), Known: make([]bool, n)} }

// Origin says where a source's value comes from. The zero value is [Absent].
type Origin uint8

// The origins.
const (
	// Absent: the statement does not show the source.
	Absent Origin = iota
	// Given: an argument or a literal, as it is sent.
	Given
	// Shown: read from the column.
	Shown
)

// Source is the value of a source and where it comes from.
type Source struct {
	Value any
	From  Origin
	// Written is set for a value that the statement puts into the column: a value
	// that the server would store as another is an error.
	Written bool
	// NotZero is set for a column for which the server makes a value of its
	// own in place of 0.
	NotZero bool
	// Sought is set for a value that the column must equal in the row that is written.
	Sought bool
}

// ErrNoRow says that the statement writes no row: the value of a source that its row is found
// by is NULL.
var ErrNoRow = errors.New("no row has NULL equal to its own")

// text returns the source's canonical text. Texts of integers lie in digits, unless that
// is nil.
func (s Source) text(values server.Values, c *server.Column, digits *Digits) (text string, err error) {
	if n, ok := s.Value.(int64); ok && s.From == Shown && c.Key == server.KeyInteger && digits != nil {
		return digits.text(n), nil
	}
	if s.From == Shown {
		text, err = values.Shown(c, s.Value)
	} else {
		text, err = values.Given(c, s.Value)
	}
	if err == server.ErrNull && s.Sought {
		return "", ErrNoRow
	}
	if err == nil && s.Written {
		err = values.CheckExact(c, s.Value, text)
	}
	if err == server.ErrNull && s.NotZero {
		err = errors.New("the server makes a key of its own in place of NULL; leave the column out, or send the row by itself with a key")
	}
	if err == nil && s.NotZero && text == "0" {
		err = errors.New("the server makes a key of its own in place of 0; leave the column out or give another value")
	}
	return text, err
}

// Bind fills in a row for the column from the values of its sources. It is the only
// maker of rows: what a value is sealed for and what it is opened for go through it.
// legacy adds the sources that only values from before sealsql draw on; those may be
// missing. An error wraps a [*SourceError].
func (c *Column) Bind(row Row, shape *Shape, values server.Values, legacy bool, source func(i int) (Source, error)) error {
	if err := c.bindSources(c.Context, row, shape, values, source); err != nil {
		return err
	}
	if !legacy || row.Known == nil {
		return nil
	}
	for _, i := range c.Legacy {
		if s, err := source(i); err == nil && s.From != Absent {
			row.Sources[i], err = s.text(values, &shape.Sources[i], row.Digits)
			row.Known[i] = err == nil
		}
	}
	return nil
}

// bindSources fills in the given sources of a row.
func (c *Column) bindSources(indexes []int, row Row, shape *Shape, values server.Values, source func(i int) (Source, error)) error {
	for _, i := range indexes {
		s, err := source(i)
		if err == nil {
			if s.From == Absent {
				continue
			}
			row.Sources[i], err = s.text(values, &shape.Sources[i], row.Digits)
		}
		if err != nil {
			name := c.Table.Sources[i]
			if key := c.Table.KeyOf(i); key != nil {
				name = key.Name // the application does not know the column of terms
			}
			return &SourceError{c.Table.Name, name, err}
		}
		if row.Known != nil {
			row.Known[i] = true
		}
	}
	return nil
}

// SourceError says that the value of a source cannot be used. It holds no value.
type SourceError struct {
	Table, Source string
	Cause         error
}

// Error implements error.
func (e *SourceError) Error() string {
	return fmt.Sprintf("%s.%s, which the value is bound to, cannot be used: %v", e.Table, e.Source, e.Cause)
}

// Unwrap returns the cause.
func (e *SourceError) Unwrap() error { return e.Cause }

// Digest is the [alert.RowKeyDigest] of a row, or empty if its key is not known.
func (t *Table) Digest(row Row) string {
	if row.Sources == nil {
		return ""
	}
	n := len(t.RowKey)
	for i := range n {
		if row.Known != nil && !row.Known[i] {
			return ""
		}
	}
	return alert.RowKeyDigest(t.Label, row.Sources[:n]...)
}

// KeyColumn returns a column that stands for the table's row key alone, for digests.
func (t *Table) KeyColumn() *Column {
	c := &Column{Table: t}
	for i := range t.RowKey {
		c.Context = append(c.Context, i)
	}
	return c
}

// binding says what a column's values are bound to.
type binding struct {
	static   codec.Context
	pairs    []pair
	required []string  // context keys that messages do not store
	contexts sync.Pool // of codec.Context
}

// pair is a context pair that draws on a source.
type pair struct {
	key    string
	source int // index into Table.Sources
}

// bind reads the context of a column from the policy.
func (c *Column) bind(p policy.Column) {
	b := &c.bound
	b.static = codec.Context{}
	for _, x := range p.Context {
		if !x.Stored {
			b.required = append(b.required, x.Key)
		}
		if x.Source == "" {
			b.static[x.Key] = x.Value
			continue
		}
		i := c.Table.source(c.Table.inClear(x.Source))
		b.pairs = append(b.pairs, pair{x.Key, i})
		c.Context = append(c.Context, i)
	}
	if p.BindLocation {
		b.static[contextTable], b.static[contextColumn] = c.Table.Label, p.Name
	}
}

// context returns the encryption context of a value of a row.
func (b *binding) context(sources []string) codec.Context {
	ec := make(codec.Context, len(b.static)+len(b.pairs))
	maps.Copy(ec, b.static)
	for _, p := range b.pairs {
		ec[p.key] = sources[p.source]
	}
	return ec
}

// borrow is context, in a map that was given back if there is one.
func (b *binding) borrow(sources []string) codec.Context {
	ec, ok := b.contexts.Get().(codec.Context)
	if !ok {
		return b.context(sources)
	}
	for _, p := range b.pairs {
		ec[p.key] = sources[p.source]
	}
	return ec
}

// giveBack returns a context that is no longer used and whose static pairs are as
// they were. A keyring that is not local may still refer to it.
func (c *Column) giveBack(ec codec.Context) {
	if c.local {
		c.bound.contexts.Put(ec)
	}
}

// hides reports whether an unknown source belongs to a pair that messages do not
// store: they do not open without it.
func (b *binding) hides(known []bool) bool {
	for _, p := range b.pairs {
		if !known[p.source] && slices.Contains(b.required, p.key) {
			return true
		}
	}
	return false
}

// forgetUnknown drops the pairs whose source is unknown, and reports whether none
// was dropped.
func (b *binding) forgetUnknown(ec codec.Context, known []bool) bool {
	complete := true
	for _, p := range b.pairs {
		if !known[p.source] {
			delete(ec, p.key)
			complete = false
		}
	}
	return complete
}

// writes reports whether the column would store this context for the row. Without a row the fixed pairs and the keys are compared.
func (b *binding) writes(stored codec.Context, sources []string, n int) bool {
	known := sources != nil
	if !known {
		sources = make([]string, n)
	}
	want := b.context(sources)
	for _, k := range b.required {
		delete(want, k)
	}
	same := 0
	for k, v := range stored {
		if strings.HasPrefix(k, "aws-crypto-") {
			continue
		}
		w, ok := want[k]
		if _, static := b.static[k]; !ok || w != v && (known || static) {
			return false
		}
		same++
	}
	return same == len(want)
}
