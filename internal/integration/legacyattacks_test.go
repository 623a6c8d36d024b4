package integration

import (
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/driver"
)

const ledgerPolicy = `
version: 1
keyrings: {pii: {kms: {keys: ["${SEALSQL_TEST_KEY}"]}}}
tables:
  ledger:
    row_key: [tenant, account]
    columns:
      ssn: {keyring: pii, type: string, legacy: kms_blob}
      alias: {keyring: pii, type: string, legacy: kms_blob}
      note: {keyring: pii, type: string, storage: base64, legacy: {kind: kms_blob, context: {account: account, again: account}}, unverifiable: alert}
      pin: {keyring: pii, type: string, legacy: {kind: kms_blob, context: {tenant: tenant, account: account, region: region}}}
      raw: {keyring: pii, type: bytes, legacy: kms_blob, on_mismatch: "null"}
  archive:
    row_key: [tenant, account]
    columns:
      ssn: {keyring: pii, type: string, legacy: {kind: kms_blob, context: {tenant: tenant, account: account, of: {value: archive}}}}
`

func (s *site) ledger() {
	s.t.Helper()
	for _, name := range []string{"ledger", "archive"} {
		ddl := "CREATE TABLE " + name + " (tenant bigint NOT NULL, account varchar(20) NOT NULL, region varchar(20), name text, ssn bytea, alias bytea, note text, pin bytea, raw bytea, PRIMARY KEY (tenant, account))"
		if !s.postgres() {
			ddl = strings.ReplaceAll(ddl, "bytea", "blob")
		}
		if _, err := s.bare.Exec(ddl); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestLegacyCiphertextsThatWereMoved: a bare ciphertext opens where its context
// says, and nowhere else, however it is read.
func TestLegacyCiphertextsThatWereMoved(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2); err != nil {
			t.Fatal(err)
		}
		s.ledger()
		db, k, arn := s.under(ledgerPolicy)
		foreign := k.CreateKey("us-east-1")
		type ec = map[string]string
		own := func(tenant, account string) ec { return ec{"tenant": tenant, "account": account} }
		with := func(c ec, key, value string) ec { c[key] = value; return c }
		blob := func(c ec) []byte { return script(t, k, arn, ssn1, c) }
		text := func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
		region := func(c ec) ec { return with(c, "region", "eu") }
		cases := []struct {
			name, column string
			region       any
			stored       any
			want         error
			value        string
		}{
			{"its own", "ssn", nil, blob(own("1", "r00")), nil, ssn1},
			{"its own, in base64", "ssn", nil, text(blob(own("1", "r01"))), nil, ssn1},
			{"another row's", "ssn", nil, blob(own("1", "r00")), driver.ErrMismatch, ""},
			{"another tenant's", "ssn", nil, blob(own("2", "r03")), driver.ErrMismatch, ""},
			{"tenant and account changed places", "ssn", nil, blob(own("r04", "1")), driver.ErrMismatch, ""},
			{"no context", "ssn", nil, blob(nil), driver.ErrMismatch, ""},
			{"half of the context", "ssn", nil, blob(ec{"account": "r06"}), driver.ErrMismatch, ""},
			{"a pair too many", "ssn", nil, blob(with(own("1", "r07"), "x", "y")), driver.ErrMismatch, ""},
			{"a column's with another context", "ssn", nil, blob(region(own("1", "r08"))), driver.ErrMismatch, ""},
			{"another table's", "ssn", nil, blob(with(own("1", "r09"), "of", "archive")), driver.ErrMismatch, ""},
			{"a key that is not the policy's", "ssn", nil, script(t, k, foreign, ssn1, own("1", "r10")), driver.ErrUnknownKey, ""},
			{"changed", "ssn", nil, append(blob(own("1", "r11"))[:100], make([]byte, 80)...), driver.ErrMismatch, ""},
			{"cut", "ssn", nil, blob(own("1", "r12"))[:80], driver.ErrMismatch, ""},
			{"too short for one", "ssn", nil, blob(own("1", "r13"))[:40], driver.ErrNotCiphertext, ""},
			{"longer than KMS takes", "ssn", nil, append(blob(own("1", "r14")), make([]byte, 6200)...), driver.ErrTampered, ""},
			{"nothing", "ssn", nil, []byte{}, driver.ErrNotCiphertext, ""},
			{"NULL", "ssn", nil, nil, nil, ""},
			// A blob knows no column: of two with the same context it is either's.
			{"the column's beside it, with the same context", "alias", nil, blob(own("1", "r17")), nil, ssn1},
			{"its own", "pin", "eu", blob(region(own("1", "r18"))), nil, ssn1},
			{"another region's", "pin", "us", blob(region(own("1", "r19"))), driver.ErrMismatch, ""},
			{"without the region", "pin", "eu", blob(own("1", "r20")), driver.ErrMismatch, ""},
			{"an empty region", "pin", "", blob(with(own("1", "r21"), "region", "")), nil, ssn1},
			// A NULL is not the empty text: what was made for one is not handed out for the other.
			{"an empty region's in a row without one", "pin", nil, blob(with(own("1", "r22"), "region", "")), driver.ErrUnverifiable, ""},
			{"no region's in a row without one", "pin", nil, blob(own("1", "r23")), driver.ErrUnverifiable, ""},
			// The account alone is not the row.
			{"another tenant's, whose context lacks the tenant", "note", nil, text(blob(ec{"account": "r24", "again": "r24"})), nil, ssn1},
			{"another row's", "note", nil, text(blob(ec{"account": "r00", "again": "r00"})), driver.ErrMismatch, ""},
			{"another row's, null", "raw", nil, blob(own("1", "r00")), nil, ""},
			{"its own, bytes", "raw", nil, blob(own("1", "r27")), nil, ssn1},
		}
		sealer, err := driver.Sealer(db)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range cases {
			account := fmt.Sprintf("r%02d", i)
			if _, err := s.bare.Exec(s.q("INSERT INTO ledger (tenant, account, region, "+c.column+") VALUES (1, ?, ?, ?)"), account, c.region, c.stored); err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{
				"SELECT " + c.column + " FROM ledger WHERE tenant = 1 AND account = ?",
				"SELECT l.account, l." + c.column + " FROM ledger l LEFT JOIN archive a ON a.account = l.account WHERE l.account = ?",
				"SELECT account, x FROM (SELECT account, " + c.column + " AS x FROM ledger) s WHERE account = ?",
			} {
				var got sql.NullString
				into := []any{new(sql.NullString), &got}
				if !strings.Contains(text, "account, ") && !strings.Contains(text, "l.account, ") {
					into = into[1:]
				}
				err := db.QueryRow(s.q(text), account).Scan(into...)
				if !errors.Is(err, c.want) || got.String != c.value {
					t.Errorf("%s: %s, %q: %q, %v", account, c.name, text, got.String, err)
				}
			}
			// The kit that tools use, which hands out nothing that does not verify.
			want := c.want
			if c.column == "raw" && c.value == "" {
				want = driver.ErrMismatch
			}
			row := driver.Row{"tenant": 1, "account": account, "region": c.region}
			got, err := sealer.OpenPlaintext(t.Context(), "ledger", c.column, row, c.stored)
			if !errors.Is(err, want) || string(got) != c.value {
				t.Errorf("%s: %s, opened by itself: %q, %v", account, c.name, got, err)
			}
			// A new row key: row by row, the old value is opened and sealed anew.
			_, err = db.Exec(s.q("UPDATE ledger SET tenant = 9 WHERE tenant = 1 AND account = ?"), account)
			if !errors.Is(err, want) {
				t.Errorf("%s: %s, written row by row: %v", account, c.name, err)
			}
			var n int
			if e := s.bare.QueryRow(s.q("SELECT count(*) FROM ledger WHERE tenant = 9 AND account = ?"), account).Scan(&n); e != nil || (n == 1) != (want == nil) {
				t.Errorf("%s: %s: %d rows were written, %v", account, c.name, n, e)
			}
			if err == nil {
				var after sql.NullString
				if e := db.QueryRow(s.q("SELECT "+c.column+" FROM ledger WHERE tenant = 9 AND account = ?"), account).Scan(&after); e != nil || after.String != c.value {
					t.Errorf("%s: %s, after it was written: %q, %v", account, c.name, after.String, e)
				}
			}
		}
		if len(cases) != 28 {
			t.Errorf("%d cases", len(cases))
		}
		unverified := 0
		for _, e := range s.drain(db) {
			if e.Kind == alert.Unverifiable && e.Column == "note" && e.Handed {
				unverified++
			}
		}
		// Three reads, one by itself, one row by row.
		if unverified != 5 {
			t.Errorf("%d alerts of values that were handed out unverified", unverified)
		}
	})
}

// TestLegacyCiphertextsInLongResults: of many rows that are read ahead, those whose
// blob was moved fail, and no other, whatever rows around them show the same bytes.
func TestLegacyCiphertextsInLongResults(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.ledger()
		db, k, arn := s.under(ledgerPolicy)
		const rows, every = 60, 7
		first := script(t, k, arn, ssn1, map[string]string{"tenant": "1", "account": "000"})
		for i := range rows {
			account := fmt.Sprintf("%03d", i)
			blob := first
			if i%every != every-1 {
				blob = script(t, k, arn, ssn1+account, map[string]string{"tenant": "1", "account": account})
			}
			if _, err := s.bare.Exec(s.q("INSERT INTO ledger (tenant, account, ssn, raw) VALUES (1, ?, ?, ?)"), account, blob, blob); err != nil {
				t.Fatal(err)
			}
		}
		// on_mismatch: null goes on after a moved one.
		got, err := db.Query("SELECT account, raw FROM ledger ORDER BY account")
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		read, null := 0, 0
		for got.Next() {
			var account string
			var raw []byte
			if err := got.Scan(&account, &raw); err != nil {
				t.Fatal(err)
			}
			moved := read%every == every-1
			if moved && raw != nil || !moved && string(raw) != ssn1+account {
				t.Errorf("row %s: %q", account, raw)
			}
			if read++; raw == nil {
				null++
			}
		}
		if err := got.Err(); err != nil || read != rows || null != rows/every {
			t.Errorf("%d rows, %d NULL, %v", read, null, err)
		}
		// An error ends the result at the moved one, from wherever it begins.
		ran := 0
		for from := 0; from < rows; from += 5 {
			ran++
			got, err := db.Query(s.q("SELECT ssn FROM ledger WHERE account >= ? ORDER BY account"), fmt.Sprintf("%03d", from))
			if err != nil {
				t.Fatal(err)
			}
			at := from
			for ; got.Next(); at++ {
				var ssn string
				if err := got.Scan(&ssn); err != nil || ssn != fmt.Sprintf("%s%03d", ssn1, at) {
					t.Errorf("row %d: %q, %v", at, ssn, err)
				}
			}
			want := from + (every-1-from%every+every)%every
			if err := got.Err(); want < rows && (at != want || !errors.Is(err, driver.ErrMismatch)) || want >= rows && err != nil {
				t.Errorf("from %d: the result ended at %d, want %d: %v", from, at, want, err)
			}
			_ = got.Close()
		}
		if ran != 12 {
			t.Errorf("%d results", ran)
		}
	})
}

// TestUpsertsOverLegacyCiphertexts: what an upsert writes is a message, what it
// leaves stays as it is, and a moved one is not made right by it.
func TestUpsertsOverLegacyCiphertexts(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2); err != nil {
			t.Fatal(err)
		}
		s.ledger()
		db, k, arn := s.under(ledgerPolicy)
		own := script(t, k, arn, ssn1, map[string]string{"tenant": "1", "account": "a"})
		for _, account := range []string{"a", "b"} { // in b it was moved
			if _, err := s.bare.Exec(s.q("INSERT INTO ledger (tenant, account, ssn, alias) VALUES (1, ?, ?, ?)"), account, own, own); err != nil {
				t.Fatal(err)
			}
		}
		upsert := "INSERT INTO ledger (tenant, account, name, ssn) VALUES (1, ?, 'n', ?) ON CONFLICT (tenant, account) DO UPDATE SET ssn = EXCLUDED.ssn, name = EXCLUDED.name"
		only := "INSERT INTO ledger (tenant, account, name) VALUES (1, ?, 'm') ON CONFLICT (tenant, account) DO UPDATE SET name = EXCLUDED.name"
		if !s.postgres() {
			upsert = "INSERT INTO ledger (tenant, account, name, ssn) VALUES (1, ?, 'n', ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), name = VALUES(name)"
			only = "INSERT INTO ledger (tenant, account, name) VALUES (1, ?, 'm') ON DUPLICATE KEY UPDATE name = VALUES(name)"
		}
		ran := 0
		for _, account := range []string{"a", "b"} {
			if _, err := db.Exec(s.q(only), account); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(s.q(upsert), account, ssn2); err != nil {
				t.Fatal(err)
			}
			var ssn string
			if err := db.QueryRow(s.q("SELECT ssn FROM ledger WHERE account = ?"), account).Scan(&ssn); err != nil || ssn != ssn2 {
				t.Errorf("%s: %q, %v", account, ssn, err)
			}
			var stored, alias []byte
			if err := s.bare.QueryRow(s.q("SELECT ssn, alias FROM ledger WHERE account = ?"), account).Scan(&stored, &alias); err != nil {
				t.Fatal(err)
			}
			if m, err := codec.Parse(stored); err != nil || m.Context()["account"] != account {
				t.Errorf("%s: %v", account, err)
			}
			if string(alias) != string(own) {
				t.Errorf("%s: what the upsert did not name was changed", account)
			}
			err := db.QueryRow(s.q("SELECT alias FROM ledger WHERE account = ?"), account).Scan(&ssn)
			if (account == "a") != (err == nil) || account == "b" && !errors.Is(err, driver.ErrMismatch) {
				t.Errorf("%s: %v", account, err)
			}
			ran++
		}
		if ran != 2 {
			t.Errorf("%d rows", ran)
		}
	})
}
