// Package mocked is a small store with a protected column, and the test that
// goes with it: store_test.go mocks the database with sqlmock and sealsql with
// package sealtest. Copy it and put your own statements in.
package mocked

import (
	"context"
	"database/sql"
)

// Store keeps accounts. It knows nothing of sealsql.
type Store struct {
	DB *sql.DB
	// The statements, which are written for one server or the other.
	InsertSQL, FindSQL string
}

// Account is a row of accounts.
type Account struct{ Number, Name, SSN string }

// Add adds an account.
func (s *Store) Add(ctx context.Context, a Account) error {
	_, err := s.DB.ExecContext(ctx, s.InsertSQL, a.Number, a.Name, a.SSN)
	return err
}

// Find returns the account of a number.
func (s *Store) Find(ctx context.Context, number string) (Account, error) {
	a := Account{Number: number}
	err := s.DB.QueryRowContext(ctx, s.FindSQL, number).Scan(&a.Name, &a.SSN)
	return a, err
}
