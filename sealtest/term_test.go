package sealtest_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/mysql"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/sealtest"
)

const searchPolicy = `
version: 1
keyrings:
  pii:
    kms: {keys: ["arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"]}
    data_key: {per: branch, store: sql, ttl: 15m, branch_key: users}
tables:
  users:
    row_key: [id]
    columns:
      email:
        keyring: pii
        type: string
        search: {equality: {column: email_eq, normalise: [nfkc, casefold, trim], key: [{}, {branch_key: new, column: email_new}]}}
      token: {keyring: pii, type: string, storage: base64, search: {equality: {column: token_eq}}}
      code: {keyring: pii, type: int64, search: {equality: {column: code_eq, per: tenant}}}
      note: {keyring: pii, type: string}
`

func TestAMockSeesTerms(t *testing.T) {
	onEachUnder(t, searchPolicy, func(t *testing.T, kit *sealtest.Kit, db *sql.DB, mock sqlmock.Sqlmock) {
		find := q(kit, "SELECT id, email FROM users WHERE email = ?")
		columns, rows := kit.Rows(find, sealtest.Row{"id": "7", "email": "Ada@example.org"})
		mock.ExpectQuery(find).WithArgs(kit.Term("ADA@example.org").In("users", "email")).WillReturnRows(sqlmock.NewRows(columns).AddRows(rows...))
		var id, email string
		if err := db.QueryRow(find, " ada@Example.org ").Scan(&id, &email); err != nil || id != "7" || email != "Ada@example.org" {
			t.Fatalf("%s, %s, %v", id, email, err)
		}

		hidden := q(kit, "SELECT id FROM users WHERE token = ?")
		columns, rows = kit.Rows(hidden, sealtest.Row{"id": "7", "token": "t-1"})
		mock.ExpectQuery(hidden).WithArgs(kit.Term("t-1").In("users", "token")).WillReturnRows(sqlmock.NewRows(columns).AddRows(rows...))
		if err := db.QueryRow(hidden, "t-1").Scan(&id); err != nil || id != "7" {
			t.Fatalf("%s, %v", id, err)
		}

		per := q(kit, "DELETE FROM users WHERE code = ? AND tenant = ?")
		mock.ExpectExec(per).WithArgs(kit.Term(4711).In("users", "code").Of(sealtest.Row{"tenant": "blue"}), "blue").WillReturnResult(sqlmock.NewResult(0, 1))
		if _, err := db.Exec(per, 4711, "blue"); err != nil {
			t.Fatal(err)
		}

		insert := q(kit, "INSERT INTO users (id, email) VALUES (?, ?)")
		term := kit.Term("ada@example.org").In("users", "email")
		mock.ExpectExec(insert).WithArgs("7", kit.Sealed("ada@example.org").In("users", "email").Row("7"), term, term.Second()).WillReturnResult(sqlmock.NewResult(0, 1))
		if _, err := db.Exec(insert, "7", "ada@example.org"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestARowWithAnotherTermIsAMismatchInAMock(t *testing.T) {
	onEachUnder(t, searchPolicy, func(t *testing.T, kit *sealtest.Kit, db *sql.DB, mock sqlmock.Sqlmock) {
		find := q(kit, "SELECT id, token FROM users WHERE token = ?")
		columns, rows := kit.Rows(find, sealtest.Row{"id": "7", "token": "t-1"})
		_, other := kit.Rows(find, sealtest.Row{"id": "8", "token": "t-2"})
		for i := range columns {
			if _, isTerm := rows[0][i].(string); isTerm && strings.HasPrefix(columns[i], "sealsql_") && kit.Term("t-1").In("users", "token").Match(rows[0][i]) {
				rows[0][i] = other[0][i]
			}
		}
		mock.ExpectQuery(find).WillReturnRows(sqlmock.NewRows(columns).AddRows(rows...))
		var id, token string
		if err := db.QueryRow(find, "t-1").Scan(&id, &token); err == nil || !strings.Contains(err.Error(), driver.ErrIndexMismatch.Error()) {
			t.Errorf("%v", err)
		}
	})
}

func TestTermMatchesNothingElse(t *testing.T) {
	kit := sealtest.New(t, sealtest.Config{Dialect: postgres.Dialect, Policy: searchPolicy})
	email := kit.Term("ada@example.org").In("users", "email")
	term, err := sealer(t).Term(t.Context(), "users", "email", nil, "ada@example.org")
	if err != nil {
		t.Fatal(err)
	}
	ciphertext := kit.Seal("users", "email", sealtest.Row{"id": "7"}, "ada@example.org")
	for name, test := range map[string]struct {
		argument sealtest.TermArgument
		value    any
		want     bool
	}{
		"its term":                {email, term, true},
		"another spelling":        {kit.Term("ADA@EXAMPLE.ORG ").In("users", "email"), term, true},
		"another value":           {kit.Term("ben@example.org").In("users", "email"), term, false},
		"the second key":          {email.Second(), term, false},
		"no column":               {kit.Term("ada@example.org"), term, false},
		"a column without terms":  {kit.Term("ada@example.org").In("users", "note"), term, false},
		"another column":          {kit.Term("ada@example.org").In("users", "token"), term, false},
		"a column that needs per": {kit.Term(1).In("users", "code"), term, false},
		"the plaintext":           {email, "ada@example.org", false},
		"the ciphertext":          {email, ciphertext, false},
		"NULL":                    {email, nil, false},
		"NULL for NULL":           {kit.Term(nil).In("users", "email"), nil, true},
		"a term for NULL":         {kit.Term(nil).In("users", "email"), term, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.argument.Check(test.value)
			if (err == nil) != test.want || test.argument.Match(test.value) != test.want {
				t.Errorf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), "ada@") {
				t.Errorf("the error quotes the value: %v", err)
			}
		})
	}
	if s := fmt.Sprintf("%v %#v %s %d", email, email, email, email); strings.Contains(s, "ada") {
		t.Error(s)
	}
}

// sealer makes terms as the kits do.
func sealer(t *testing.T) *driver.ValueSealer {
	t.Helper()
	kit := sealtest.New(t, sealtest.Config{Dialect: mysql.Dialect, Policy: searchPolicy})
	s, err := driver.NewSealer(nil, kit.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
