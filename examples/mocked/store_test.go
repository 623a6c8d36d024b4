package mocked

import (
	"errors"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/mysql"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/sealtest"
)

// The policy that production uses; read the file in its place with os.ReadFile.
// Its KMS keys are never called: the kit puts a key in memory in their place.
const policyText = `
version: 1
keyrings:
  customer-pii:
    kms:
      keys: [arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab]
tables:
  accounts:
    row_key: [account_number]
    columns:
      ssn: {keyring: customer-pii, type: string}
`

// stores are the store and a mock of its database, for each server.
func stores(t *testing.T, test func(t *testing.T, kit *sealtest.Kit, s *Store, mock sqlmock.Sqlmock)) {
	for _, c := range []struct {
		dialect      driver.Dialect
		insert, find string
	}{
		{postgres.Dialect, "INSERT INTO accounts (account_number, name, ssn) VALUES ($1, $2, $3)", "SELECT name, ssn FROM accounts WHERE account_number = $1"},
		{mysql.Dialect, "INSERT INTO accounts (account_number, name, ssn) VALUES (?, ?, ?)", "SELECT name, ssn FROM accounts WHERE account_number = ?"},
	} {
		t.Run(string(c.dialect), func(t *testing.T) {
			kit := sealtest.New(t, sealtest.Config{Dialect: c.dialect, Policy: policyText})
			// Expectations are the store's own texts, not what sealsql makes of them.
			mockDB, mock, err := sqlmock.New(sqlmock.QueryMatcherOption(kit.QueryMatcher()))
			if err != nil {
				t.Fatal(err)
			}
			test(t, kit, &Store{DB: kit.OpenDB(t, mockDB), InsertSQL: c.insert, FindSQL: c.find}, mock)
			if err := mock.ExpectationsWereMet(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAddSealsTheSSNForItsRow(t *testing.T) {
	stores(t, func(t *testing.T, kit *sealtest.Kit, s *Store, mock sqlmock.Sqlmock) {
		mock.ExpectExec(s.InsertSQL).
			WithArgs("4000000001", "Ada", kit.Sealed("900-12-3456").In("accounts", "ssn").Row("4000000001")).
			WillReturnResult(sqlmock.NewResult(0, 1))
		if err := s.Add(t.Context(), Account{"4000000001", "Ada", "900-12-3456"}); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFindOpensTheSSN(t *testing.T) {
	stores(t, func(t *testing.T, kit *sealtest.Kit, s *Store, mock sqlmock.Sqlmock) {
		columns, rows := kit.Rows(s.FindSQL, sealtest.Row{"account_number": "4000000001", "name": "Ada", "ssn": "900-12-3456"})
		mock.ExpectQuery(s.FindSQL).WithArgs("4000000001").WillReturnRows(sqlmock.NewRows(columns).AddRows(rows...))
		got, err := s.Find(t.Context(), "4000000001")
		if err != nil || got.SSN != "900-12-3456" {
			t.Errorf("the account was not read as it was written: %v", err)
		}
	})
}

func TestAnotherCustomersSSNIsNotHandedOut(t *testing.T) {
	stores(t, func(t *testing.T, kit *sealtest.Kit, s *Store, mock sqlmock.Sqlmock) {
		// What the row of 4000000002 holds turns up in the row of 4000000001.
		other := kit.Row("accounts", sealtest.Row{"account_number": "4000000002", "ssn": "900-65-4321"})
		columns, rows := kit.Rows(s.FindSQL, sealtest.Row{"account_number": "4000000001", "name": "Ada", "ssn": nil})
		rows[0][1] = other["ssn"]
		mock.ExpectQuery(s.FindSQL).WillReturnRows(sqlmock.NewRows(columns).AddRows(rows...))
		if _, err := s.Find(t.Context(), "4000000001"); !errors.Is(err, driver.ErrMismatch) {
			t.Errorf("the value of another row: %v", err)
		}
		event := kit.Alerts.Want(t, alert.Mismatch)
		if event.RowKeyDigest != alert.RowKeyDigest("accounts", "4000000001") {
			t.Error("the alert names another row")
		}
	})
}
