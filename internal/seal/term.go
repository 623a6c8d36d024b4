package seal

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/jsondoc"
	"github.com/sealsql/sealsql/internal/seal/equality"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// Search is what makes a column searchable.
type Search struct {
	*policy.Equality
	// Terms make the column's terms. Statements ask for the first; writes fill all.
	Terms []*Term
	// Sources lists the indexes in Table.Sources that terms depend on beside the
	// value.
	Sources []int
	// Scope is equal for columns whose values share terms.
	Scope string
}

// Term makes the terms of a column under one key.
type Term struct {
	// Column is the column of the table that holds the terms.
	Column string

	derivation any // a derivation
	normalise  equality.Normalisers
	beacons    codec.Beacons
	id         string // of the branch key
	from, per  int    // indexes in Table.Sources of the id and of per; -1 for none
}

// derivation tells keys apart that are derived from one beacon key.
type derivation struct {
	scope      equality.Scope
	normalises string
	bits       int
}

// addSearch makes a column searchable.
func (f *Funnel) addSearch(col *Column, c policy.Column) error {
	if c.Equality == nil {
		return nil
	}
	fail := func(err error) error {
		return fmt.Errorf("%w: %s.%s: search: %w", fault.ErrPolicy, col.Table.Label, c.Name, err)
	}
	beacons, id, from, err := f.keys.Beacons(f.policy, c.Keyring)
	if err != nil {
		return err
	}
	d := derivation{equality.Scope{Group: c.Equality.Group, Table: col.Table.Label, Column: c.Name}, "", c.Equality.Bits}
	s := &Search{Equality: c.Equality, Scope: d.scope.String()}
	source := func(name string) int {
		if name == "" {
			return -1
		}
		i := col.Table.source(name)
		if !slices.Contains(s.Sources, i) {
			s.Sources = append(s.Sources, i)
		}
		return i
	}
	for _, k := range c.Equality.Keys {
		t := &Term{Column: k.Column, beacons: beacons, id: id, per: source(c.Equality.Per), from: -1}
		if t.normalise, err = equality.Parse(c.Equality.Normalise); err != nil {
			return fail(err)
		}
		if k.BranchKey != "" {
			t.id = k.BranchKey
		} else {
			t.from = source(from)
		}
		d.normalises = t.normalise.String()
		t.derivation = d
		s.Terms = append(s.Terms, t)
	}
	col.search = s
	return nil
}

// Search returns what makes the column searchable, or nil.
func (c *Column) Search() *Search { return c.search }

// TermSources are the sources that the column's terms draw on beside the value; nil for a
// document, whose terms draw on what its values are bound to.
func (c *Column) TermSources() []int {
	if c.search == nil {
		return nil
	}
	return c.search.Sources
}

// Searches reports whether a column of the table is searchable.
func (t *Table) Searches() bool {
	return slices.ContainsFunc(t.Columns, func(c *Column) bool { return c.search != nil })
}

// Holding returns the protected column whose terms, under whichever key, the column of
// that name holds, or nil.
func (t *Table) Holding(name string) *Column {
	for _, c := range t.Columns {
		if c.search != nil && slices.ContainsFunc(c.search.Terms, func(x *Term) bool { return strings.EqualFold(x.Column, name) }) {
			return c
		}
	}
	return nil
}

// BindTerm fills in a row for the column's terms, as [Column.Bind] does for its value.
func (c *Column) BindTerm(row Row, shape *Shape, values server.Values, source func(i int) (Source, error)) error {
	return c.bindSources(c.TermSources(), row, shape, values, source)
}

// TermRequest asks for the equality term of a value.
type TermRequest struct {
	Column *Column
	// Key is the index in Search.Terms.
	Key int
	// Plaintext is the value's plain text form. It is the caller's.
	Plaintext []byte
	// Row holds the sources of Search.Sources.
	Row       Row
	Statement string
}

// Term returns the equality term of a value as the term's column stores it: a []byte, or
// a string of base64. That of a value that stands in a document as JSON is JSON. It is the
// only maker of terms.
func (f *Funnel) Term(ctx context.Context, r TermRequest) (any, error) {
	col := r.Column
	if col.search == nil {
		return nil, col.Error(fault.ErrPolicy, "", "give the column search: {equality: …}", nil)
	}
	t := col.search.Terms[r.Key]
	term, err := t.of(ctx, r.Row, col.searched(r.Plaintext))
	if err != nil {
		return nil, f.sealFailed(ctx, Value{Column: col, Row: r.Row, Statement: r.Statement}, err)
	}
	if col.layout.Element == elementJSON {
		if string(bytes.TrimSpace(r.Plaintext)) == "null" {
			return "null", nil
		}
		return jsondoc.Quote(base64.StdEncoding.EncodeToString(term)), nil
	}
	if col.layout.Base64 {
		return base64.StdEncoding.EncodeToString(term), nil
	}
	return term, nil
}

// searched is the plain text form that terms are made of: that of a JSON string is its text.
func (c *Column) searched(plaintext []byte) []byte {
	if c.layout.Element == 0 {
		return plaintext
	}
	text, _ := jsondoc.Text(bytes.TrimSpace(plaintext))
	return []byte(text)
}

// of returns the term of a value of a row.
func (t *Term) of(ctx context.Context, row Row, plaintext []byte) (term []byte, err error) {
	id, per := t.id, ""
	if t.from >= 0 {
		id = row.Sources[t.from]
	}
	if t.per >= 0 {
		per = row.Sources[t.per]
	}
	err = t.beacons.Beacon(ctx, id, func(k *codec.BeaconKey) error {
		d, err := k.Derive(t.derivation, t.hasher)
		if err == nil {
			term, err = d.(*equality.Hasher).Append(nil, per, plaintext)
		}
		return err
	})
	return term, err
}

func (t *Term) hasher(beacon []byte) (codec.Derived, error) {
	d := t.derivation.(derivation)
	return equality.NewHasher(beacon, d.scope, t.normalise, d.bits)
}

// holdsTerm compares the term that a row was found by with that of its value. null is
// true if the policy has NULL in the place of the value. While a backfill runs, as the
// policy says, a row may have no term yet.
func (f *Funnel) holdsTerm(ctx context.Context, found finding, plaintext []byte) (null bool, err error) {
	col := found.Column
	stored, none, ok := col.storedTerm(found.Term)
	if none && found.readsPlaintexts() {
		return false, nil
	}
	for _, i := range col.search.Sources {
		if k := found.Row.Known; k != nil && !k[i] {
			found.kind = alert.Unverifiable
			return true, f.failed(ctx, found)
		}
	}
	own, err := col.search.Terms[0].of(ctx, found.Row, col.searched(plaintext))
	if err != nil {
		found.kind, found.cause = kindOf(err), err
		return true, f.failed(ctx, found)
	}
	if ok && subtle.ConstantTimeCompare(own, stored) == 1 {
		return false, nil
	}
	found.kind = alert.IndexMismatch
	handed := !found.Strict && col.policy.onMismatch == policy.MismatchAlertOnly
	if !handed {
		return true, f.failed(ctx, found)
	}
	f.raise(ctx, found, true)
	col.Failed(found.kind)
	return false, nil
}

// TermFits fails if the column of terms would cut off a term.
func (c *Column) TermFits(key int, term any, shape *Shape) error {
	size := 0
	switch t := term.(type) {
	case []byte:
		size = len(t)
	case string:
		size = len(t)
	}
	name := c.search.Terms[key].Column
	if c.layout.Element != 0 {
		return nil // it lies in a document
	}
	if capacity := shape.Capacity[name]; capacity > 0 && size > capacity {
		return c.Error(fault.ErrValue, "", "make the column wider", &CapacityError{fmt.Sprintf("the term takes %d bytes, and the column %s holds %d", size, name, capacity)})
	}
	return nil
}

// storedTerm returns the bytes of a term as its column holds it; null is true for NULL,
// ok false for what cannot be a term.
func (c *Column) storedTerm(stored any) (term []byte, null, ok bool) {
	if IsNull(stored) {
		return nil, true, true
	}
	h := Layout{Base64: c.layout.Base64}.read(stored)
	return h.raw, false, h.err == nil
}

// ErrNotAmong is returned for a value that is not one of those searched for: several
// values share a short term.
var ErrNotAmong = errors.New("the value is not one of those searched for")

// Among are normalised values that are searched for.
type Among [][]byte

// Normalised appends a value to those searched for.
func (c *Column) Normalised(a Among, plaintext []byte) Among {
	return append(a, bytes.Clone(c.search.Terms[0].normalise.Apply(plaintext)))
}

// among reports whether a value is one of each list.
func (c *Column) among(all []Among, plaintext []byte) bool {
	if len(all) == 0 {
		return true
	}
	own := c.search.Terms[0].normalise.Apply(plaintext)
	return !slices.ContainsFunc(all, func(a Among) bool {
		return !slices.ContainsFunc(a, func(v []byte) bool { return bytes.Equal(v, own) })
	})
}
