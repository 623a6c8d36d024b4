package sealtest_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/DATA-DOG/go-sqlmock"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/mysql"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/sealtest"
)

const kitPolicy = `
version: 1
keyrings:
  pii:
    kms: {keys: ["arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"]}
  signed:
    suite: "0578"
    kms: {keys: ["arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555556"]}
tables:
  accounts:
    row_key: [account_number]
    columns:
      ssn: {keyring: pii, type: string, plaintext_reads: allow, on_mismatch: alert_only}
      note: {keyring: pii, type: string, storage: base64}
      balance: {keyring: signed, type: int64, context: {account_number: account_number, tenant: tenant_id}}
      secret: {keyring: pii, type: string, context: {n: {from: account_number, stored: false}}}
      born: {keyring: pii, type: date, bind_location: false}
  cards:
    row_key: [customer, card]
    columns:
      iban: {keyring: pii, type: string, unbound: true, context: {purpose: {value: payout}}}
`

var dialects = map[string]driver.Dialect{"postgres": postgres.Dialect, "mysql": mysql.Dialect}

// onEach runs a test with a kit and a mock of each dialect.
func onEach(t *testing.T, f func(t *testing.T, kit *sealtest.Kit, db *sql.DB, mock sqlmock.Sqlmock)) {
	onEachUnder(t, kitPolicy, f)
}

// onEachUnder is onEach under another policy.
func onEachUnder(t *testing.T, policy string, f func(t *testing.T, kit *sealtest.Kit, db *sql.DB, mock sqlmock.Sqlmock)) {
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			kit := sealtest.New(t, sealtest.Config{Dialect: d, Policy: policy})
			mockDB, mock, err := sqlmock.New(sqlmock.QueryMatcherOption(kit.QueryMatcher()))
			if err != nil {
				t.Fatal(err)
			}
			f(t, kit, kit.OpenDB(t, mockDB), mock)
			if err := mock.ExpectationsWereMet(); err != nil {
				t.Error(err)
			}
		})
	}
}

// q writes ? as the kit's dialect wants it.
func q(kit *sealtest.Kit, text string) string {
	if kit.Dialect() == "mysql" {
		return text
	}
	for n := 1; strings.Contains(text, "?"); n++ {
		text = strings.Replace(text, "?", fmt.Sprintf("$%d", n), 1)
	}
	return text
}

func TestAMockSeesSealedArgumentsAndAnswersSealedRows(t *testing.T) {
	onEach(t, func(t *testing.T, kit *sealtest.Kit, db *sql.DB, mock sqlmock.Sqlmock) {
		insert := q(kit, "INSERT INTO accounts (account_number, tenant_id, ssn, note, balance, secret, born) VALUES (?, ?, ?, ?, ?, ?, ?)")
		born := time.Date(1980, 2, 29, 0, 0, 0, 0, time.UTC)
		mock.ExpectExec(insert).WithArgs("a1", 7, kit.Sealed("900-12-3456"), kit.Sealed("a note").In("accounts", "note").Row("a1"),
			kit.Sealed(12).In("accounts", "balance").Row("a1").Of(sealtest.Row{"tenant_id": 7}), kit.Sealed("hidden").In("accounts", "secret").Row("a1"),
			kit.Sealed("1980-02-29").In("accounts", "born").Row([]byte("a1"))).WillReturnResult(sqlmock.NewResult(0, 1))
		if _, err := db.Exec(insert, "a1", 7, "900-12-3456", "a note", int64(12), "hidden", born); err != nil {
			t.Fatal(err)
		}

		query := q(kit, "SELECT ssn, a.balance AS money, secret FROM accounts a WHERE account_number = ?")
		columns, values := kit.Rows(query,
			sealtest.Row{"ssn": "900-12-3456", "money": 12, "secret": nil, "account_number": "a1", "tenant_id": 7},
			sealtest.Row{"ssn": "", "money": nil, "secret": "x", "account_number": "a2", "tenant_id": "8"})
		mock.ExpectQuery(query).WithArgs("a1").WillReturnRows(sqlmock.NewRows(columns).AddRows(values...))
		rows, err := db.Query(query, "a1")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for rows.Next() {
			var ssn, secret sql.NullString
			var money sql.NullInt64
			if err := rows.Scan(&ssn, &money, &secret); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(ssn, money, secret))
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		if want := "{900-12-3456 true} {12 true} { false}\n{ true} {0 false} {x true}"; strings.Join(got, "\n") != want {
			t.Errorf("read %q", got)
		}
	})
}

// TestSealedRejects is what makes the matcher worth having.
func TestSealedRejects(t *testing.T) {
	const ssn = "900-12-3456"
	for name, d := range dialects {
		kit := sealtest.New(t, sealtest.Config{Dialect: d, Policy: kitPolicy})
		a1 := kit.Row("accounts", sealtest.Row{"account_number": "a1", "tenant_id": 7, "ssn": ssn, "note": ssn, "balance": 12, "secret": ssn, "born": "1980-02-29"})
		foreign := sealtest.New(t, sealtest.Config{Dialect: d, Policy: kitPolicy, Keyrings: map[string]codec.Keyring{"pii": sealtest.RandomKeyring()}}).
			Row("accounts", sealtest.Row{"account_number": "a1", "ssn": ssn})
		iban := kit.Row("cards", sealtest.Row{"iban": "DE02120300000000202051"})["iban"]
		tampered := append([]byte(nil), a1["ssn"].([]byte)...)
		tampered[len(tampered)-1] ^= 1
		is := kit.Sealed(ssn).In("accounts", "ssn")
		money := kit.Sealed(12).In("accounts", "balance")
		cases := []struct {
			name string
			arg  sealtest.Argument
			v    sqldriver.Value
			want bool
		}{
			{"the value itself", is, a1["ssn"], true},
			{"its row named", is.Row("a1"), a1["ssn"], true},
			{"without the column", kit.Sealed(ssn), a1["ssn"], true},
			{"base64", kit.Sealed(ssn).In("accounts", "note").Row("a1"), a1["note"], true},
			{"a number", money.Row("a1").Of(sealtest.Row{"tenant_id": "7"}), a1["balance"], true},
			{"what is not stored", kit.Sealed(ssn).In("accounts", "secret").Row("a1"), a1["secret"], true},
			{"NULL", kit.Sealed(nil), nil, true},
			{"the matcher without a policy", sealtest.Sealed(ssn).In("accounts", "ssn").Row("a1"), a1["ssn"], true},
			{"without a policy, not stored", sealtest.Sealed(ssn).In("accounts", "secret").Context("n", "a1"), a1["secret"], true},
			{"without a policy, pairs", sealtest.Sealed(12).Context("tenant", "7").Row("a1"), a1["balance"], true},

			{"a value bound to no row", kit.Sealed("DE02120300000000202051").In("cards", "iban"), iban, true},
			{"a value bound to no row, without a policy", sealtest.Sealed("DE02120300000000202051").Context("purpose", "payout").Row(), iban, true},

			{"the plaintext, where plaintexts may be read", is, ssn, false},
			{"the plaintext as bytes", is, []byte(ssn), false},
			{"the plaintext without a policy", sealtest.Sealed(ssn), ssn, false},
			{"nothing", is, nil, false},
			{"no bytes", is, []byte{}, false},
			{"an integer", is, int64(5), false},
			{"another value", kit.Sealed("900-12-3457").In("accounts", "ssn"), a1["ssn"], false},
			{"another value without a policy", sealtest.Sealed("900-12-3457"), a1["ssn"], false},
			{"another row, where mismatches are handed out", is.Row("a2"), a1["ssn"], false},
			{"another row without a policy", sealtest.Sealed(ssn).Row("a2"), a1["ssn"], false},
			{"no row where there is one", sealtest.Sealed(ssn).Row(), a1["ssn"], false},
			{"more row than there is", sealtest.Sealed(ssn).Row("a1", "a1"), a1["ssn"], false},
			{"another table", sealtest.Sealed(ssn).In("people", "ssn"), a1["ssn"], false},
			{"another column", sealtest.Sealed(ssn).In("accounts", "name"), a1["ssn"], false},
			{"another column under the policy", kit.Sealed(ssn).In("accounts", "note"), a1["ssn"], false},
			{"a column that is not protected", kit.Sealed(ssn).In("accounts", "name"), a1["ssn"], false},
			{"another tenant", money.Row("a1").Of(sealtest.Row{"tenant_id": 8}), a1["balance"], false},
			{"not stored, another row", kit.Sealed(ssn).In("accounts", "secret").Row("a2"), a1["secret"], false},
			{"not stored, no row given", kit.Sealed(ssn).In("accounts", "secret"), a1["secret"], false},
			{"not stored, another pair", sealtest.Sealed(ssn).Context("n", "a2"), a1["secret"], false},
			{"a pair that is not there", sealtest.Sealed(ssn).Context("x", "y"), a1["ssn"], false},
			{"another key", is, foreign["ssn"], false},
			{"another key without a policy", sealtest.Sealed(ssn), foreign["ssn"], false},
			{"a changed byte", is, tampered, false},
			{"a byte too much", is, append(append([]byte(nil), a1["ssn"].([]byte)...), 0), false},
			{"base64 in a column of bytes", is, base64.StdEncoding.EncodeToString(a1["ssn"].([]byte)), false},
			{"a message where NULL is expected", kit.Sealed(nil), a1["ssn"], false},
			{"too many keys", is.Row("a1", "a2"), a1["ssn"], false},
			{"a value of another type", kit.Sealed("twelve").In("accounts", "balance"), a1["balance"], false},
		}
		for _, c := range cases {
			if got := c.arg.Match(c.v); got != c.want {
				t.Errorf("%s: %s: matched %v: %v", name, c.name, got, c.arg.Check(c.v))
			}
			if text := fmt.Sprintf("%v %+v %#v %s", c.arg, c.arg, c.arg, fmt.Sprint(c.arg.Check(c.v))); strings.Contains(text, "900-12") {
				t.Errorf("%s: %s: the value is in %q", name, c.name, text)
			}
		}
		if len(cases) != 41 {
			t.Errorf("%d cases", len(cases))
		}
		if e := kit.Alerts.Events(); len(e) != 0 {
			t.Errorf("matching raised %v", e)
		}
	}
}

func TestQueryMatcherKnowsTheTextsAndNoOthers(t *testing.T) {
	onEach(t, func(t *testing.T, kit *sealtest.Kit, db *sql.DB, mock sqlmock.Sqlmock) {
		m := kit.QueryMatcher()
		query := q(kit, "SELECT ssn FROM accounts WHERE account_number = ?")
		steps := kit.Explain(query).Steps
		if len(steps) != 1 || steps[0].SQL == query {
			t.Fatalf("%q", steps)
		}
		sent := steps[0].SQL
		if err := m.Match(q(kit, "SELECT  ssn\n FROM accounts WHERE account_number = ?"), sent); err != nil {
			t.Error(err)
		}
		for _, other := range []string{query, sent + " ", sent[1:], strings.Replace(sent, "account_number =", "account_number <", 1)} {
			if err := m.Match(query, other); (err == nil) != (strings.TrimSpace(other) == sent) {
				t.Errorf("%s: %v", other, err)
			}
		}
		// Literals go in the text sealed, row by row takes several texts.
		insert := "INSERT INTO accounts (account_number, ssn) VALUES ('a1', '900-12-3456')"
		mock.ExpectExec(insert).WillReturnResult(sqlmock.NewResult(0, 1))
		if _, err := db.Exec(insert); err != nil {
			t.Fatal(err)
		}
		if m.Match(insert, insert) == nil {
			t.Error("the plaintext itself matches")
		}
		update := "UPDATE accounts SET ssn = '900-12-3456' WHERE tenant_id = 7"
		columns, values := kit.LockedRows(update, locked("a1"), locked("a2"), locked("a3"))
		mock.ExpectBegin()
		mock.ExpectExec("SAVEPOINT sealsql_statement").WillReturnResult(sqlmock.NewResult(0, 0))
		mock.ExpectQuery(update).WillReturnRows(sqlmock.NewRows(columns).AddRows(values...))
		mock.ExpectExec(update).WithArgs(updateArgs(kit)...).WillReturnResult(sqlmock.NewResult(0, 3))
		mock.ExpectExec("RELEASE SAVEPOINT sealsql_statement").WillReturnResult(sqlmock.NewResult(0, 0))
		mock.ExpectCommit()
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(update); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		// A mock that answers with other columns is an error, not a crash.
		mock.ExpectBegin()
		mock.ExpectExec("SAVEPOINT sealsql_statement").WillReturnResult(sqlmock.NewResult(0, 0))
		mock.ExpectQuery(update).WillReturnRows(sqlmock.NewRows([]string{"account_number"}).AddRow("a1"))
		mock.ExpectExec("ROLLBACK TO SAVEPOINT sealsql_statement").WillReturnResult(sqlmock.NewResult(0, 0))
		mock.ExpectRollback()
		if tx, err = db.Begin(); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(update); !errors.Is(err, driver.ErrTableChanged) {
			t.Errorf("a row of other columns: %v", err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		// What is refused is never sent.
		if m.Match("SELECT upper(ssn) FROM accounts", "SELECT upper(ssn) FROM accounts") == nil {
			t.Error("a refused statement matches")
		}
		// What touches nothing protected stays as it is.
		if m.Match("SELECT 1", "SELECT 1") != nil || m.Match("SELECT 1", "SELECT 2") == nil {
			t.Error("an unprotected text is not compared as it is")
		}
	})
}

func locked(account string) sealtest.Row {
	return sealtest.Row{"account_number": account, "tenant_id": 7}
}

func updateArgs(kit *sealtest.Kit) (args []sqldriver.Value) {
	accounts := []string{"a1", "a2", "a3"}
	for _, account := range accounts {
		args = append(args, account, kit.Sealed("900-12-3456").In("accounts", "ssn").Row(account))
	}
	for _, account := range accounts {
		if kit.Dialect() == "mysql" { // each key stands in its WHERE too
			args = append(args, account)
		}
	}
	return args
}

func TestAMovedValueIsAlerted(t *testing.T) {
	onEach(t, func(t *testing.T, kit *sealtest.Kit, db *sql.DB, mock sqlmock.Sqlmock) {
		query := "SELECT account_number, note FROM accounts"
		other := kit.Row("accounts", sealtest.Row{"account_number": "a2", "note": "900-65-4321"})
		mock.ExpectQuery(query).WillReturnRows(sqlmock.NewRows([]string{"account_number", "note"}).AddRow("a1", other["note"]))
		if err := db.QueryRow(query).Scan(new(string), new(string)); !errors.Is(err, driver.ErrMismatch) {
			t.Errorf("the value of another row: %v", err)
		}
		if e := kit.Alerts.Want(t, alert.Mismatch); e.RowKeyDigest != alert.RowKeyDigest("accounts", "a1") {
			t.Errorf("%v", e.LogValue())
		}
		mock.ExpectClose()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		kit.Alerts.WantNone(t)
	})
}

func TestRecorderLosesNothing(t *testing.T) {
	var r sealtest.Recorder
	const each = 200
	done := make(chan error, 2)
	for _, kind := range []alert.Kind{alert.Mismatch, alert.Tampered} {
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			for range each {
				if _, err := r.WaitFor(ctx, kind); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range each {
		_ = r.Alert(t.Context(), alert.Event{Kind: alert.Mismatch})
		_ = r.Alert(t.Context(), alert.Event{Kind: alert.Tampered})
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if r.Count(alert.Mismatch) != each || len(r.Events()) != 2*each {
		t.Errorf("recorded %d of %d", len(r.Events()), 2*each)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.WaitFor(ctx, alert.Mismatch); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "mismatch") {
		t.Errorf("an event was waited for twice: %v", err)
	}
}

func TestKeyringsAreDistinctAndTheSeedDecides(t *testing.T) {
	c := func(k codec.Keyring) *codec.Codec {
		c, err := codec.New(codec.Config{Keyring: k})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	raw, err := c(sealtest.KeyringFrom("a")).Encrypt(t.Context(), nil, []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := codec.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	opens := func(k codec.Keyring) bool {
		_, err := c(k).Decrypt(t.Context(), nil, m, nil)
		return err == nil
	}
	if !opens(sealtest.KeyringFrom("a")) || opens(sealtest.KeyringFrom("b")) || opens(sealtest.Keyring()) || opens(sealtest.RandomKeyring()) {
		t.Error("the seed does not decide")
	}
}

func TestATableOfThePolicyAloneMayHaveOtherColumns(t *testing.T) {
	mockDB, mock, err := sqlmock.New()
	if err != nil {
		t.Fatal(err)
	}
	kit := sealtest.New(t, sealtest.Config{Dialect: postgres.Dialect, Policy: "version: 1\n" +
		"keyrings: {k: {raw_aes: {namespace: n, name: n, key_env: K}}}\n" +
		"tables: {accounts: {row_key: [id], columns: {ssn: {keyring: k, type: string}}}}\n"})
	db := kit.OpenDB(t, mockDB)
	mock.MatchExpectationsInOrder(false)
	mock.ExpectExec("UPDATE").WillReturnResult(sqlmock.NewResult(0, 1))
	mock.ExpectExec("SELECT").WillReturnResult(sqlmock.NewResult(0, 1))
	for text, refused := range map[string]bool{
		"UPDATE accounts SET name = 'Ada', ssn = NULL WHERE id = '1'": false,
		"SELECT name FROM accounts WHERE id = '1' AND city = 'Rome'":  false,
		"SELECT * FROM accounts": true,
	} {
		if _, err := db.Exec(text); errors.Is(err, driver.ErrRefused) != refused {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestAKitWritesMessagesUnderAPolicyOfCompactValues: its keyrings have no branch keys.
func TestAKitWritesMessagesUnderAPolicyOfCompactValues(t *testing.T) {
	kit := sealtest.New(t, sealtest.Config{Dialect: postgres.Dialect, Policy: `
version: 1
keyrings:
  pii:
    kms: {keys: ["arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"]}
    data_key: {per: branch, store: sql, ttl: 15m, branch_key: shop}
    format: compact
tables:
  accounts: {row_key: [account_number], columns: {ssn: {keyring: pii, type: string}}}
`})
	mockDB, mock, err := sqlmock.New(sqlmock.QueryMatcherOption(kit.QueryMatcher()))
	if err != nil {
		t.Fatal(err)
	}
	db := kit.OpenDB(t, mockDB)
	const insert = "INSERT INTO accounts (account_number, ssn) VALUES ($1, $2)"
	mock.ExpectExec(insert).WithArgs("a1", kit.Sealed("900-12-3456").In("accounts", "ssn").Row("a1")).WillReturnResult(sqlmock.NewResult(0, 1))
	if _, err := db.Exec(insert, "a1", "900-12-3456"); err != nil {
		t.Fatal(err)
	}
	if err := mock.ExpectationsWereMet(); err != nil {
		t.Error(err)
	}
}
