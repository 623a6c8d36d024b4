package sealtest

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/exec"
)

// TermArgument matches a parameter that is the equality term of a value: it is a
// sqlmock.Argument. Its methods return changed copies.
//
// It never matches the value itself, nor its ciphertext, nor a NULL unless the value is
// nil.
type TermArgument struct {
	argument
	key int
}

// Term matches the term that sealsql sends for a value of a searchable column under the
// kit's policy: that of the value as the column's normalisers leave it. In names the
// column. Why a parameter did not match goes to the test's log, without any value.
//
//	mock.ExpectQuery("SELECT id FROM users WHERE email = $1").
//		WithArgs(kit.Term("ada@example.org").In("users", "email"))
func (k *Kit) Term(value any) TermArgument {
	return TermArgument{argument: argument{kit: k, what: "a term", value: value}}
}

// In says which column the value is compared with or written to, by the names that the
// policy uses.
func (a TermArgument) In(table, column string) TermArgument {
	a.table, a.column = table, column
	return a
}

// Of gives the columns that the term depends on beside the value (per), by column name.
func (a TermArgument) Of(columns Row) TermArgument {
	a.sources = maps.Clone(columns)
	return a
}

// Second says that the term is that of the column's second key, which every write fills
// while terms move to another key. No statement asks for it.
func (a TermArgument) Second() TermArgument {
	a.key = 1
	return a
}

// Match implements sqlmock.Argument.
func (a TermArgument) Match(v sqldriver.Value) bool { return a.kit.matches(a.Check(v)) }

// Check is Match that says what is wrong. Its error holds no value.
func (a TermArgument) Check(v sqldriver.Value) error {
	if a.column == "" {
		return errors.New("it does not say which column it belongs to; name the column with In")
	}
	want, err := a.kit.termUnder(a.key, a.table, a.column, a.sources, a.value)
	switch {
	case err != nil:
		return fmt.Errorf("the expected term cannot be made: %w", err)
	case want == nil:
		return onlyNull(v)
	}
	if same(v, want) {
		return nil
	}
	if fmt.Sprintf("%T", v) != fmt.Sprintf("%T", want) {
		return fmt.Errorf("a term is a Go %T here, and the parameter is a Go %T", want, v)
	}
	return errors.New("it is not the term of the value")
}

func same(v sqldriver.Value, term any) bool {
	switch term := term.(type) {
	case []byte:
		b, ok := v.([]byte)
		return ok && slices.Equal(b, term)
	case string:
		return v == term
	}
	return false
}

// term is the term of a value that statements ask for.
func (k *Kit) term(table, column string, row Row, value any) (any, error) {
	return k.termUnder(0, table, column, row, value)
}

func (k *Kit) termUnder(key int, table, column string, row Row, value any) (any, error) {
	e := exec.EngineOf(k.sealer)
	c, err := e.Find(table, column)
	if err != nil {
		return nil, err
	}
	if c.Search() == nil || key >= len(c.Search().Terms) {
		return nil, fmt.Errorf("%s.%s has no such terms in the policy", table, column)
	}
	if err := e.Start(context.Background()); err != nil {
		return nil, err
	}
	return e.Term(context.Background(), c, key, driver.Row(row), value)
}
