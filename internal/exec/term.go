package exec

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

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec/reading"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
)

// termOf describes the terms of a column under one of its keys to the planner; nil if
// there are none.
func termOf(c *seal.Column, key int) *sqlplan.Term {
	s := c.Search()
	if s == nil || key >= len(s.Terms) {
		return nil
	}
	return &sqlplan.Term{Column: s.Terms[key].Column, Base64: c.Base64(), Size: storageOf(c).Stored(s.TermSize()), Exact: s.Exact(), Folds: s.Normalises("casefold"), Trims: s.Normalises("trim"),
		Scope: s.Scope, Sources: s.Sources, Always: !s.ShownOnly}
}

func storageOf(c *seal.Column) policy.Storage {
	if c.Base64() {
		return policy.Base64
	}
	return policy.Binary
}

// termKey is the index of the key that a use of terms means.
func termKey(use sqlplan.TermUse) int {
	if use == sqlplan.TermOther {
		return 1
	}
	return 0
}

// unsealEach returns the plaintexts of an array's elements.
func (b *binding) unsealEach(ctx context.Context, s *sqlplan.Seal, u *unsealed, value any) error {
	elements, null, err := b.values.Elements(u.column.InClear(), value)
	if err != nil {
		return u.column.Error(fault.ErrValue, "", "pass a slice of values of the column's type", fmt.Errorf("the array given cannot be read: %w", err))
	}
	if u.null = null; null {
		return nil
	}
	row, err := b.termRow(ctx, s, u.column, nil)
	if err != nil {
		return err
	}
	u.each = make([]unsealed, len(elements))
	for i, v := range elements {
		e := &u.each[i]
		e.column, e.schema, e.use, e.row = u.column, u.schema, sqlplan.TermValue, row
		if err := sameKind(u.column, sqlplan.Operand{}, v); err != nil {
			return e.unfit(err)
		}
		if e.plaintext, e.null, err = e.column.Encode(b.values, v); err != nil {
			return e.unfit(err)
		}
	}
	return nil
}

// term returns the term of a value as its column stores it.
func (b *binding) term(ctx context.Context, u *unsealed) (any, error) {
	if u.use == sqlplan.TermEach {
		return b.termEach(ctx, u)
	}
	key := termKey(u.use)
	term, err := b.engine.funnel.Term(ctx, seal.TermRequest{Column: u.column, Key: key, Plaintext: u.plaintext, Row: u.row, Statement: b.text})
	if err != nil {
		return nil, err
	}
	shape, err := b.engine.Shape(ctx, u.column.Table, u.schema)
	if err != nil {
		return nil, err
	}
	return term, u.column.TermFits(key, term, shape)
}

// sameKind fails for a number that a column of text is compared with: MySQL compares
// both as numbers, so that '007' equals 7, and Postgres fails.
func sameKind(c *seal.Column, o sqlplan.Operand, v any) error {
	if c.Type != policy.TypeString {
		return nil
	}
	number := o.Kind == sqlplan.OperandLiteral && o.Literal.Kind != sqlplan.LiteralString && o.Literal.Kind != sqlplan.LiteralBytes
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
func (b *binding) spell(u *unsealed, v any) error {
	plain, err := server.Plain(v)
	switch v := plain.(type) {
	case nil:
		u.null = err == nil
	case []byte:
		u.plaintext = bytes.Clone(v)
	default:
		u.plaintext = fmt.Append(nil, v)
	}
	return err
}

// alike returns what is sent in the place of a given value that a test compares with
// another: a hash under a key of this run alone, in the type of the column's terms. It is
// spelled so that every collation tells two of them apart.
func (b *binding) alike(u *unsealed) any {
	b.alikeMade.Do(func() { rand.Read(b.alikeKey[:]) })
	value := u.plaintext
	if u.use == sqlplan.TermTestLoose {
		value = bytes.ToLower(bytes.TrimRight(value, " "))
	}
	mac := hmac.New(sha256.New, b.alikeKey[:])
	mac.Write(value)
	hash := hex.AppendEncode(nil, mac.Sum(nil))
	if u.column.Base64() {
		return string(hash)
	}
	return hash
}

// termEach returns an array of the terms of an array's elements.
func (b *binding) termEach(ctx context.Context, u *unsealed) (any, error) {
	bytes, texts := make([][]byte, len(u.each)), make([]*string, len(u.each))
	for i := range u.each {
		e := &u.each[i]
		if e.null {
			continue
		}
		term, err := b.term(ctx, e)
		if err != nil {
			return nil, err
		}
		switch t := term.(type) {
		case []byte:
			bytes[i] = t
		case string:
			texts[i] = &t
		}
	}
	if u.column.Base64() {
		return texts, nil
	}
	return bytes, nil
}

// termSource returns the term of a value that the statement gives for a protected
// column of the row key.
func (b *binding) termSource(ctx context.Context, s *sqlplan.Seal, o sqlplan.Operand, v any) (any, error) {
	u := unsealed{column: b.engine.columns[o.Of], schema: s.Schema, use: sqlplan.TermValue}
	if o.Kind == sqlplan.OperandNull {
		return nil, nil
	}
	err := b.encode(&u, v)
	defer clear(u.plaintext)
	if err != nil || u.null {
		return nil, err
	}
	if u.row, err = b.termRow(ctx, s, u.column, nil); err != nil {
		return nil, err
	}
	return b.term(ctx, &u)
}

// termRow binds the terms of a column to the row of a seal. The column is the seal's,
// or one of the same row. stored is as in row.
func (b *binding) termRow(ctx context.Context, s *sqlplan.Seal, c *seal.Column, stored []any) (seal.Row, error) {
	row := seal.Row{Sources: make([]string, len(s.Table.Sources))}
	if len(c.Search().Sources) == 0 {
		return row, nil
	}
	shape, err := b.engine.Shape(ctx, c.Table, s.Schema)
	if err == nil {
		err = c.BindTerm(row, shape, b.values, b.sources(ctx, s, stored))
	}
	if err != nil {
		return row, c.Error(fault.ErrValue, "", "give the column that the term depends on a value of its type", err)
	}
	return row, nil
}

// rowSources are the indexes in Table.Sources that what is sealed depends on.
func (u *unsealed) rowSources() []int {
	if u.use != sqlplan.TermUnused {
		return u.column.Search().Sources
	}
	return u.column.Context
}

// sameRow reports whether two rows have the same sources as far as what is sealed
// depends on them.
func (u *unsealed) sameRow(other seal.Row) bool {
	return !slices.ContainsFunc(u.rowSources(), func(i int) bool { return u.row.Sources[i] != other.Sources[i] })
}

// wanted are the values that a statement searches for by short terms.
func wanted(results []sqlplan.ResultSet, todo []unsealed) (list []reading.Wanted) {
	for i := range results {
		for _, f := range results[i].Filters {
			w := reading.Wanted{Set: i, Column: f.Column}
			for _, at := range f.Seals {
				for _, u := range todo[at].values() {
					w.Values = u.column.Normalised(w.Values, u.plaintext)
				}
			}
			list = append(list, w)
		}
	}
	return list
}

// values are the values that are not NULL: that of u, or an array's.
func (u *unsealed) values() (list []*unsealed) {
	for i := range u.each {
		list = append(list, u.each[i].values()...)
	}
	if u.use != sqlplan.TermEach && !u.null {
		list = append(list, u)
	}
	return list
}
