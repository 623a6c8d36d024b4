package sealing

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec/reading"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
)

// termKey is the index of the key that a use of terms means.
func termKey(use sqlplan.TermUse) int {
	if use == sqlplan.TermOther {
		return 1
	}
	return 0
}

// term returns the term of a value as its column stores it.
func (b *Binding) term(ctx context.Context, u *Unsealed) (any, error) {
	key := termKey(u.Use)
	term, err := b.engine.Funnel().Term(ctx, seal.TermRequest{Column: u.Column, Key: key, Plaintext: u.Plaintext, Row: u.Row, Statement: b.text})
	if err != nil {
		return nil, err
	}
	shape, err := b.engine.Shape(ctx, u.Column.Table, u.Schema)
	if err != nil {
		return nil, err
	}
	return term, u.Column.TermFits(key, term, shape)
}

// sameKind fails for a number that a column of text is compared with: MySQL compares
// both as numbers, so that '007' equals 7, and Postgres fails.
func sameKind(c *seal.Column, o sqlplan.Operand, v any) error {
	if c.Type != policy.TypeString {
		return nil
	}
	number := o.Kind == sqlplan.OperandLiteral && o.Literal.Kind < sqlplan.LiteralBytes && o.Literal.Kind != sqlplan.LiteralString
	switch v, _ := server.Plain(v); v.(type) {
	case int64, uint64:
		number = true
	}
	if number {
		return errors.New("the column holds text, and is compared with a number")
	}
	return nil
}

// notNull stands for every value that is not NULL, in the type of the column's terms.
func notNull(c *seal.Column) any {
	if c.Base64() {
		return ""
	}
	return []byte{0}
}

// spell sets the plaintext of a value that a test compares and that does not fit the
// column: the test may be of another column's value.
func (b *Binding) spell(u *Unsealed, v any) error {
	plain, err := server.Plain(v)
	switch v := plain.(type) {
	case nil:
		u.Null = err == nil
	case []byte:
		u.Plaintext = bytes.Clone(v)
	default:
		u.Plaintext = fmt.Append(nil, v)
	}
	return err
}

// alike returns what is sent in the place of a given value that a test compares with
// another: a hash under a key of this run alone, in the type of the column's terms. It is
// spelled so that every collation tells two of them apart.
func (b *Binding) alike(u *Unsealed) any {
	b.alikeMade.Do(func() { rand.Read(b.alikeKey[:]) })
	value := u.Plaintext
	if u.Use == sqlplan.TermTestLoose {
		value = bytes.ToLower(bytes.TrimRight(value, " "))
	}
	mac := hmac.New(sha256.New, b.alikeKey[:])
	mac.Write(value)
	hash := hex.AppendEncode(nil, mac.Sum(nil))
	if u.Column.Base64() {
		return string(hash)
	}
	return hash
}

// termSource returns the term of a value that the statement gives for a protected
// column of the row key.
func (b *Binding) termSource(ctx context.Context, s *sqlplan.Seal, o sqlplan.Operand, v any, element int) (any, error) {
	u := Unsealed{Column: b.engine.Column(o.Of), Schema: s.Schema, Use: sqlplan.TermValue}
	if o.Kind == sqlplan.OperandNull {
		return nil, nil
	}
	err := b.encode(&u, v)
	defer clear(u.Plaintext)
	if err != nil || u.Null {
		return nil, err
	}
	if u.Row, err = b.termRow(ctx, s, u.Column, nil, element); err != nil {
		return nil, err
	}
	return b.term(ctx, &u)
}

// termRow binds the terms of a column to the row of a seal. The column is the seal's,
// or one of the same row. stored is as in row.
func (b *Binding) termRow(ctx context.Context, s *sqlplan.Seal, c *seal.Column, stored []any, element int) (seal.Row, error) {
	row := seal.Row{Sources: make([]string, len(s.Table.Sources))}
	if len(c.Search().Sources) == 0 {
		return row, nil
	}
	shape, err := b.engine.Shape(ctx, c.Table, s.Schema)
	if err == nil {
		err = c.BindTerm(row, shape, b.Values, b.sources(ctx, s, stored, element))
	}
	if errors.Is(err, seal.ErrNoRow) {
		return row, seal.ErrNoRow
	}
	if err != nil {
		return row, c.Error(fault.ErrValue, "", "give the column that the term depends on a value of its type", err)
	}
	return row, nil
}

// rowSources are the indexes in Table.Sources that what is sealed depends on.
func (u *Unsealed) rowSources() []int {
	if u.Use != sqlplan.TermUnused {
		return u.Column.Search().Sources
	}
	return u.Column.Context
}

// SameRow reports whether two rows have the same sources as far as what is sealed
// depends on them.
func (u *Unsealed) SameRow(other seal.Row) bool {
	return !slices.ContainsFunc(u.rowSources(), func(i int) bool { return u.Row.Sources[i] != other.Sources[i] })
}

// Wanted are the values that a statement searches for by short terms.
func (b *Binding) Wanted(results []sqlplan.ResultSet, todo []Unsealed) (list []reading.Wanted, err error) {
	for i := range results {
		page, err := b.page(results[i].Page)
		if err != nil {
			return nil, err
		}
		for _, f := range results[i].Filters {
			w := reading.Wanted{Set: i, Column: f.Column, Page: page}
			for _, at := range f.Seals {
				for _, u := range todo[at].values() {
					w.Values = u.Column.Normalised(w.Values, u.Plaintext)
				}
			}
			list = append(list, w)
		}
	}
	return list, nil
}

// page reads LIMIT and OFFSET of a result whose rows are filtered.
func (b *Binding) page(p *sqlplan.Page) (*reading.Page, error) {
	if p == nil {
		return nil, nil
	}
	count, limited, err := b.rowCount(p.Count)
	if err != nil {
		return nil, err
	}
	offset, _, err := b.rowCount(p.Offset)
	if err != nil {
		return nil, err
	}
	return &reading.Page{Skip: offset, Most: count, Limited: limited}, nil
}

// rowCount is the number that LIMIT or OFFSET gives; given is false if it is NULL.
func (b *Binding) rowCount(o sqlplan.Operand) (n uint64, given bool, err error) {
	v, err := b.value(o)
	if err == nil {
		v, err = server.Plain(v)
	}
	if err != nil || v == nil {
		return 0, false, err
	}
	digits, err := server.Integer(v)
	if err == nil {
		n, err = strconv.ParseUint(digits, 10, 64)
	}
	if err != nil {
		return 0, false, fmt.Errorf("%w: LIMIT and OFFSET beside a search by short terms must be whole numbers from 0", fault.ErrValue)
	}
	return n, true, nil
}

// values are the values that are not NULL: that of u, or an array's.
func (u *Unsealed) values() (list []*Unsealed) {
	for i := range u.each {
		list = append(list, u.each[i].values()...)
	}
	if !u.isArray && !u.Null {
		list = append(list, u)
	}
	return list
}
