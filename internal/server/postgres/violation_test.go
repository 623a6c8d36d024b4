package postgres

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestColumnsOfAViolatedKeyAreThoseThatTheServerNames(t *testing.T) {
	for detail, want := range map[string][]string{
		`Key (email_eq)=(\x0102) already exists.`:                 {"email_eq"},
		`Key (tenant, "Email ""eq""")=(1, a)=(b) already exists.`: {"tenant", `Email "eq"`},
		`Schlüssel »(email_eq, n)=(\x01, 2)« existiert bereits.`:  {"email_eq", "n"},
		`Key (lower(email))=(a) already exists.`:                  {"lower(email)"},
		`Key already exists.`:                                     nil,
		``:                                                        nil,
	} {
		v, ok := Server{}.Violation(&pgconn.PgError{Code: uniqueViolation, TableName: "users", ConstraintName: "users_email", Detail: detail})
		if !ok || !slices.Equal(v.Columns, want) {
			t.Errorf("%s: %q, %v", detail, v.Columns, ok)
		}
	}
}
