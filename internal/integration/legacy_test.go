package integration

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	awskms "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

// under opens the site's database under another policy, with a KMS of its own.
func (s *site) under(text string) (*sql.DB, *sealtest.KMS, string) {
	s.t.Helper()
	k := sealtest.NewKMS()
	s.t.Cleanup(k.Close)
	arn := k.CreateKey("us-east-1")
	s.t.Setenv("SEALSQL_TEST_KEY", arn)
	p, err := policy.Parse("test", []byte(text))
	if err != nil {
		s.t.Fatal(err)
	}
	var name string
	if err := s.bare.QueryRow(map[bool]string{true: "SELECT current_database()", false: "SELECT database()"}[s.postgres()]).Scan(&name); err != nil {
		s.t.Fatal(err)
	}
	bareName, dsn := s.server.DSN(s.proxy.Addr(), name)
	return open(s.t, bareName, dsn, driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")), driver.WithAlertFunc(s.alert)), k, arn
}

// script is what a hand-made script does: it calls KMS, and stores what it gets.
func script(t *testing.T, k *sealtest.KMS, arn, plaintext string, ec map[string]string) []byte {
	t.Helper()
	out, err := awskms.NewFromConfig(k.AWSConfig("us-east-1")).Encrypt(t.Context(),
		&awskms.EncryptInput{KeyId: &arn, Plaintext: []byte(plaintext), EncryptionContext: ec})
	if err != nil {
		t.Fatal(err)
	}
	return out.CiphertextBlob
}

const legacyPolicy = `
version: 1
keyrings: {pii: {kms: {keys: ["${SEALSQL_TEST_KEY}"]}}}
tables:
  accounts:
    row_key: [account_number]
    columns:
      ssn: {keyring: pii, type: string, legacy: kms_blob}
      note: {keyring: pii, type: string, storage: base64, legacy: {kind: kms_blob, context: {purpose: {value: crm}}}, unverifiable: alert}
      balance: {keyring: pii, type: int64, legacy: {kind: kms_blob, context: {account: account_number, tenant: tenant_id}}}
`

func TestLegacyCiphertextsAreRead(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2); err != nil {
			t.Fatal(err)
		}
		db, k, arn := s.under(legacyPolicy)
		row := func(n string) map[string]string { return map[string]string{"account_number": n} }
		insert := s.q("INSERT INTO accounts (account_number, ssn, note, balance) VALUES (?, ?, ?, ?)")
		blob := script(t, k, arn, ssn1, row("1"))
		changed := append([]byte(nil), blob...)
		changed[len(changed)-1] ^= 1
		balance := script(t, k, arn, "42", map[string]string{"account": "1", "tenant": "1"})
		wrapped := base64.StdEncoding.EncodeToString(script(t, k, arn, "a note", map[string]string{"purpose": "crm"}))
		wrapped = wrapped[:76] + "\n" + wrapped[76:] + "\n" // as Python's encodebytes writes it
		for _, r := range [][]any{
			{"1", blob, wrapped, balance},
			{"2", blob, nil, balance}, // moved
			{"3", changed, "", nil},   // changed; empty
			{"4", []byte(base64.StdEncoding.EncodeToString(script(t, k, arn, ssn2, row("4")))), nil, nil},
			{"5", []byte("a text that was never encrypted, and that is long enough to be a ciphertext"), nil, nil},
			{"6", nil, nil, nil},
		} {
			if _, err := s.bare.Exec(insert, r...); err != nil {
				t.Fatal(err)
			}
		}
		before := len(k.Calls())
		read := func(column, n string) (string, error) {
			var v sql.NullString
			err := db.QueryRow(s.q("SELECT "+column+" FROM accounts WHERE account_number = ?"), n).Scan(&v)
			return v.String, err
		}
		cases := []struct {
			column, row, want string
			err               error
		}{
			{"ssn", "1", ssn1, nil},
			{"ssn", "2", "", driver.ErrMismatch},
			{"ssn", "3", "", driver.ErrMismatch},
			{"ssn", "4", ssn2, nil},
			{"ssn", "5", "", driver.ErrNotCiphertext},
			{"ssn", "6", "", nil},
			{"note", "1", "a note", nil},
			{"note", "2", "", nil},
			{"note", "3", "", driver.ErrNotCiphertext},
			{"balance", "1", "42", nil},
			{"balance", "2", "", driver.ErrMismatch},
		}
		for _, c := range cases {
			got, err := read(c.column, c.row)
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("%s of row %s: %q, %v", c.column, c.row, got, err)
			}
		}
		// What is no ciphertext is not sent to KMS.
		if n := len(k.Calls()) - before; n != 7 || len(cases) != 11 {
			t.Errorf("%d calls of KMS for %d values, want 7", n, len(cases))
		}
		stats, err := driver.Stats(db)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []uint64{2, 1, 1} {
			if c := stats.Columns[i]; c.LegacyReads != want {
				t.Errorf("%s: %d legacy reads, want %d", c.Column, c.LegacyReads, want)
			}
		}
		kinds := map[alert.Kind]int{}
		for _, e := range s.drain(db) {
			kinds[e.Kind]++
			if e.Kind == alert.Unverifiable && (e.Column != "note" || !e.Handed) {
				t.Errorf("%+v", e)
			}
		}
		if kinds[alert.Mismatch] != 3 || kinds[alert.Unverifiable] != 1 || kinds[alert.NotCiphertext] != 2 {
			t.Errorf("events: %v", kinds)
		}
	})
}

// TestLegacyValuesBecomeMessages when they are written again, row by row too.
func TestLegacyValuesBecomeMessages(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		db, k, arn := s.under(legacyPolicy)
		if _, err := s.bare.Exec(s.q("INSERT INTO accounts (account_number, ssn) VALUES (?, ?)"), "1", script(t, k, arn, ssn1, map[string]string{"account_number": "1"})); err != nil {
			t.Fatal(err)
		}
		message := func(n string) *codec.Message {
			t.Helper()
			var b []byte
			if err := s.bare.QueryRow(s.q("SELECT ssn FROM accounts WHERE account_number = ?"), n).Scan(&b); err != nil {
				t.Fatal(err)
			}
			m, err := codec.Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		// The row key changes: the value is opened for the old row and sealed for the new one.
		if _, err := db.Exec(s.q("UPDATE accounts SET account_number = ? WHERE account_number = ?"), "7", "1"); err != nil {
			t.Fatal(err)
		}
		if got := message("7").Context(); got["account_number"] != "7" || got["sealsql:column"] != "ssn" {
			t.Errorf("the context is %v", got)
		}
		var got string
		if err := db.QueryRow("SELECT ssn FROM accounts").Scan(&got); err != nil || got != ssn1 {
			t.Errorf("%q, %v", got, err)
		}
		// A moved one is not made right by that.
		if _, err := s.bare.Exec(s.q("INSERT INTO accounts (account_number, ssn) VALUES (?, ?)"), "8", script(t, k, arn, ssn1, map[string]string{"account_number": "1"})); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(s.q("UPDATE accounts SET account_number = ? WHERE account_number = ?"), "9", "8"); !errors.Is(err, driver.ErrMismatch) {
			t.Errorf("a moved value: %v", err)
		}
		k.Deny(arn)
		if err := db.QueryRow(s.q("SELECT ssn FROM accounts WHERE account_number = ?"), "8").Scan(&got); !errors.Is(err, driver.ErrKeyDenied) {
			t.Errorf("denied: %v", err)
		}
	})
}

// TestSourcesOfLegacyValuesAlone: a column that only the legacy context names is
// read beside legacy values, and need not be given when a value is written.
func TestSourcesOfLegacyValuesAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		db, k, arn := s.under(legacyPolicy)
		if _, err := db.Exec(s.q("INSERT INTO accounts (account_number, balance) VALUES (?, ?)"), "1", 41); err != nil {
			t.Fatal(err)
		}
		blob := func(tenant string) []byte {
			return script(t, k, arn, "42", map[string]string{"account": "2", "tenant": tenant})
		}
		right := blob("7")
		for _, r := range [][]any{{"2", 7, right}, {"3", 8, right}, {"4", 7, right}} {
			if _, err := s.bare.Exec(s.q("INSERT INTO accounts (account_number, tenant_id, balance) VALUES (?, ?, ?)"), r...); err != nil {
				t.Fatal(err)
			}
		}
		read := func(n string) (string, error) {
			var v string
			return v, db.QueryRow(s.q("SELECT balance FROM accounts WHERE account_number = ?"), n).Scan(&v)
		}
		var v int64
		if err := db.QueryRow(s.q("SELECT balance FROM accounts WHERE account_number = ?"), "1").Scan(&v); err != nil || v != 41 {
			t.Errorf("a message: %d, %v", v, err)
		}
		if err := db.QueryRow(s.q("SELECT balance FROM accounts WHERE account_number = ?"), "2").Scan(&v); err != nil || v != 42 {
			t.Errorf("a legacy value: %d, %v", v, err)
		}
		// Equal bytes in several rows of one result are verified for each row.
		rows, err := db.Query(s.q("SELECT balance FROM accounts WHERE account_number >= ? ORDER BY account_number"), "2")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		n := 0
		for err == nil && rows.Next() {
			if err = rows.Scan(&v); err == nil {
				n++
			}
		}
		if err = errors.Join(err, rows.Err()); n != 1 || !errors.Is(err, driver.ErrMismatch) {
			t.Errorf("%d rows, %v", n, err)
		}
		_ = rows.Close()
		// What the legacy context draws on changes: the value is sealed anew first.
		if _, err := db.Exec(s.q("UPDATE accounts SET tenant_id = ? WHERE account_number = ?"), 9, "2"); err != nil {
			t.Fatal(err)
		}
		if err := db.QueryRow(s.q("SELECT balance FROM accounts WHERE account_number = ?"), "2").Scan(&v); err != nil || v != 42 {
			t.Errorf("after its tenant changed: %d, %v", v, err)
		}
		if _, err := read("3"); !errors.Is(err, driver.ErrMismatch) {
			t.Errorf("of another tenant: %v", err)
		}
	})
}

// TestRequiredPairs: stored: false takes the row key out of the cell and binds
// the value to it all the same.
func TestRequiredPairs(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		db, _, _ := s.under(`
version: 1
keyrings: {pii: {kms: {keys: ["${SEALSQL_TEST_KEY}"]}}}
tables:
  accounts:
    row_key: [account_number]
    unverifiable: alert
    columns:
      ssn: {keyring: pii, type: string, context: {account_number: {from: account_number, stored: false}}}
      note: {keyring: pii, type: string, storage: base64, context: {account_number: {from: account_number, stored: false}}, on_mismatch: alert_only}
      balance: {keyring: pii, type: int64, context: {account_number: {from: account_number, stored: false}}, on_mismatch: "null"}
`)
		exec := func(text string, args ...any) {
			t.Helper()
			if _, err := db.Exec(s.q(text), args...); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range []string{"4111111111", "4222222222"} {
			exec("INSERT INTO accounts (account_number, ssn, note, balance) VALUES (?, ?, ?, ?)", n, ssn1, "n"+n, 7)
		}
		var stored []byte
		if err := s.bare.QueryRow("SELECT ssn FROM accounts WHERE account_number = '4111111111'").Scan(&stored); err != nil {
			t.Fatal(err)
		}
		m, err := codec.Parse(stored)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := m.Context()["account_number"]; ok || strings.Contains(string(stored), "4111111111") {
			t.Error("the row key stands in the cell")
		}
		var ssn, note string
		var balance sql.NullInt64
		if err := db.QueryRow("SELECT ssn, note, balance FROM accounts WHERE account_number = '4111111111'").Scan(&ssn, &note, &balance); err != nil || ssn != ssn1 || note != "n4111111111" || balance.Int64 != 7 {
			t.Errorf("%q %q %v, %v", ssn, note, balance, err)
		}
		// A new row key, and values that move without one.
		exec("UPDATE accounts SET account_number = '4333333333' WHERE account_number = '4111111111'")
		if err := db.QueryRow("SELECT ssn FROM accounts WHERE account_number = '4333333333'").Scan(&ssn); err != nil || ssn != ssn1 {
			t.Errorf("after a new row key: %q, %v", ssn, err)
		}
		var a, b, c any
		if err := s.bare.QueryRow("SELECT ssn, note, balance FROM accounts WHERE account_number = '4222222222'").Scan(&a, &b, &c); err != nil {
			t.Fatal(err)
		}
		if _, err := s.bare.Exec(s.q("UPDATE accounts SET ssn = ?, note = ?, balance = ? WHERE account_number = '4333333333'"), a, b, c); err != nil {
			t.Fatal(err)
		}
		one := func(column string) error {
			return db.QueryRow("SELECT " + column + " FROM accounts WHERE account_number = '4333333333'").Scan(new(any))
		}
		for _, column := range []string{"ssn", "note"} { // alert_only has nothing to hand out
			if err := one(column); !errors.Is(err, driver.ErrMismatch) {
				t.Errorf("%s of another row: %v", column, err)
			}
		}
		if err := db.QueryRow("SELECT balance FROM accounts WHERE account_number = '4333333333'").Scan(&balance); err != nil || balance.Valid {
			t.Errorf("null: %v, %v", balance, err)
		}
		// A statement that hides the row cannot show the value, which is no tampering.
		for _, text := range []string{"SELECT DISTINCT ssn FROM accounts WHERE account_number = '4222222222'", "SELECT max(name), ssn FROM accounts WHERE account_number = '4222222222' GROUP BY ssn"} {
			if err := db.QueryRow(text).Scan(make([]any, 1)...); !errors.Is(err, driver.ErrUnverifiable) && !errors.Is(err, driver.ErrRefused) {
				t.Errorf("%s: %v", text, err)
			}
		}
		kinds := map[alert.Kind]int{}
		for _, e := range s.drain(db) {
			kinds[e.Kind]++
			if e.Handed {
				t.Errorf("%s of %s says that it was handed out", e.Kind, e.Column)
			}
		}
		if kinds[alert.Mismatch] != 3 || kinds[alert.Tampered] != 0 {
			t.Errorf("events: %v", kinds)
		}
	})
}

// TestCommitmentPolicies: what each writes, and which of the others' it reads.
func TestCommitmentPolicies(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		k := sealtest.NewKMS()
		t.Cleanup(k.Close)
		t.Setenv("SEALSQL_TEST_KEY", k.CreateKey("us-east-1"))
		var name string
		if err := s.bare.QueryRow(map[bool]string{true: "SELECT current_database()", false: "SELECT database()"}[s.postgres()]).Scan(&name); err != nil {
			t.Fatal(err)
		}
		bareName, dsn := s.server.DSN(s.proxy.Addr(), name)
		policies := []struct{ text, suite string }{
			{"commitment: require_encrypt_require_decrypt", "0478"},
			{"commitment: require_encrypt_allow_decrypt, suite: \"0578\"", "0578"},
			{"commitment: forbid_encrypt_allow_decrypt", "0178"},
			{"commitment: forbid_encrypt_allow_decrypt, suite: \"0346\"", "0346"},
		}
		var dbs []*sql.DB
		for i, c := range policies {
			p, err := policy.Parse("test", []byte(strings.Replace(policyText, "kms: {keys: [\"${SEALSQL_TEST_KEY}\"]}", "kms: {keys: [\"${SEALSQL_TEST_KEY}\"]}\n    "+strings.ReplaceAll(c.text, ", ", "\n    "), 1)))
			if err != nil {
				t.Fatal(err)
			}
			db := open(t, bareName, dsn, driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
			dbs = append(dbs, db)
			if _, err := db.Exec(s.q("INSERT INTO accounts (account_number, ssn) VALUES (?, ?)"), fmt.Sprint(i), ssn1); err != nil {
				t.Fatal(err)
			}
			var b []byte
			if err := s.bare.QueryRow(s.q("SELECT ssn FROM accounts WHERE account_number = ?"), fmt.Sprint(i)).Scan(&b); err != nil {
				t.Fatal(err)
			}
			if m, err := codec.Parse(b); err != nil || m.Suite().String() != c.suite {
				t.Errorf("%s writes %v, %v", c.text, m.Suite(), err)
			}
		}
		for reader, db := range dbs {
			for writer := range policies {
				var got string
				err := db.QueryRow(s.q("SELECT ssn FROM accounts WHERE account_number = ?"), fmt.Sprint(writer)).Scan(&got)
				if refused := reader == 0 && writer >= 2; refused != errors.Is(err, codec.ErrCommitmentPolicy) || !refused && (err != nil || got != ssn1) {
					t.Errorf("%q reads what %q wrote: %v", policies[reader].text, policies[writer].text, err)
				}
			}
		}
	})
}

// drain closes a database, which delivers its events, and returns those so far.
func (s *site) drain(db *sql.DB) []alert.Event {
	s.t.Helper()
	c, err := driver.Of(db)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := errors.Join(db.Close(), c.Close()); err != nil && !errors.Is(err, context.Canceled) {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events
}
