package integration

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// Arrays scan through pgtype beside a protected value, in every version of Go.
func TestArraysBesideAProtectedValue(t *testing.T) {
	s := newSite(t, testdb.Postgres(t))
	if _, err := s.sealed.ExecContext(t.Context(), "INSERT INTO accounts (account_number, name, ssn) VALUES ($1, $2, $3)", "1", "Ada", "900-12-3456"); err != nil {
		t.Fatal(err)
	}
	var (
		tags []string
		ssn  string
	)
	err := s.sealed.QueryRowContext(t.Context(), "SELECT ARRAY[name, 'b'], ssn FROM accounts WHERE account_number = $1", "1").
		Scan(pgtype.NewMap().SQLScanner(&tags), &ssn)
	if err != nil || !slices.Equal(tags, []string{"Ada", "b"}) || ssn != "900-12-3456" {
		t.Errorf("got %q, %q, %v", tags, ssn, err)
	}
}
