package integration

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/mysql"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

var costRows = flag.Int("rows", 500, "rows that TestWhatABranchKeySaves writes and reads; make kms-calls passes 10000")

const branchPolicy = `
version: 1
keyrings:
  pii:
    kms: {keys: ["${SEALSQL_TEST_KEY}"]}
    data_key: %s
tables:
  accounts:
    row_key: [account_number]
    columns:
      ssn: {keyring: pii, type: string, context: {account_number: account_number, tenant: tenant_id}}
      note: {keyring: pii, type: string, storage: base64, context: {account_number: account_number, tenant: {from: tenant_id, stored: false}}}
`

// branchSite is a site whose columns have the given data keys, on a KMS of its own.
func branchSite(s *site, dataKey string, opts ...driver.Option) (*sql.DB, *sealtest.KMS) {
	s.t.Helper()
	k := sealtest.NewKMS()
	s.t.Cleanup(k.Close)
	return reopen(s, k, k.CreateKey("us-east-1"), dataKey, opts...), k
}

func reopen(s *site, k *sealtest.KMS, arn, dataKey string, opts ...driver.Option) *sql.DB {
	s.t.Helper()
	s.t.Setenv("SEALSQL_TEST_KEY", arn)
	p, err := policy.Parse("test", fmt.Appendf(nil, branchPolicy, dataKey))
	if err != nil {
		s.t.Fatal(err)
	}
	var name string
	if err := s.bare.QueryRow(map[bool]string{true: "SELECT current_database()", false: "SELECT database()"}[s.postgres()]).Scan(&name); err != nil {
		s.t.Fatal(err)
	}
	bareName, dsn := s.server.DSN(s.proxy.Addr(), name)
	opts = append(opts, driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")), driver.WithAlertFunc(s.alert))
	return open(s.t, bareName, dsn, opts...)
}

func makeTable(s *site) {
	s.t.Helper()
	spelling := mysql.BranchKeySQL()
	if s.postgres() {
		spelling = postgres.BranchKeySQL()
	}
	if _, err := s.bare.Exec(spelling.DDL); err != nil {
		s.t.Fatal(err)
	}
}

func branchKeys(s *site, db *sql.DB) *branchkey.Keys {
	s.t.Helper()
	keys, err := driver.BranchKeys(db, "pii")
	if err != nil {
		s.t.Fatal(err)
	}
	return keys
}

const perTenant = "{per: branch, store: sql, ttl: 15m, branch_key: {from: tenant_id}}"

// TestShredding: a tenant's data is read until its branch key is deleted.
func TestShredding(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2); err != nil {
			t.Fatal(err)
		}
		makeTable(s)
		k := sealtest.NewKMS()
		t.Cleanup(k.Close)
		arn := k.CreateKey("us-east-1")
		db := reopen(s, k, arn, perTenant)
		keys := branchKeys(s, db)
		insert := s.q("INSERT INTO accounts (account_number, tenant_id, ssn, note) VALUES (?, ?, ?, ?)")

		_, err := db.Exec(insert, "a", 1, ssn1, ssn2)
		if !errors.Is(err, driver.ErrNoBranchKey) || !strings.Contains(err.Error(), "keys create") {
			t.Fatalf("without a branch key: %v", err)
		}
		for _, tenant := range []string{"1", "2"} {
			if _, err := keys.Create(t.Context(), tenant, nil); err != nil {
				t.Fatal(err)
			}
			for _, row := range []string{"a", "b"} {
				if _, err := db.Exec(insert, row+tenant, tenant, ssn1, ssn2); err != nil {
					t.Fatal(err)
				}
			}
		}
		read := func(db *sql.DB, row string) error {
			var ssn, note string
			err := db.QueryRow(s.q("SELECT ssn, note FROM accounts WHERE account_number = ?"), row).Scan(&ssn, &note)
			if err == nil && (ssn != ssn1 || note != ssn2) {
				t.Errorf("row %s: read something else", row)
			}
			return err
		}
		// Another tenant's value in the row: with and without the tenant in the message.
		for _, column := range []string{"ssn", "note"} {
			move := "UPDATE accounts SET %[1]s = (SELECT v FROM (SELECT %[1]s AS v FROM accounts WHERE account_number = 'b2') x) WHERE account_number = 'b1'"
			if _, err := s.bare.Exec(fmt.Sprintf(move, column)); err != nil {
				t.Fatal(err)
			}
			if err := db.QueryRow("SELECT " + column + " FROM accounts WHERE account_number = 'b1'").Scan(new(string)); !errors.Is(err, driver.ErrMismatch) {
				t.Errorf("%s of another tenant: %v", column, err)
			}
		}
		if err := keys.Delete(t.Context(), "2"); err != nil {
			t.Fatal(err)
		}
		if err := read(db, "a2"); err != nil {
			t.Errorf("within the ttl: %v", err)
		}
		fresh := reopen(s, k, arn, perTenant)
		if err := read(fresh, "a2"); !errors.Is(err, driver.ErrShredded) {
			t.Errorf("shredded: %v", err)
		}
		if err := read(fresh, "a1"); err != nil {
			t.Errorf("another tenant: %v", err)
		}
		snapshot, err := driver.Stats(fresh)
		if err != nil || snapshot.Events[alert.Shredded] == 0 {
			t.Errorf("events %v, %v", snapshot.Events, err)
		}
	})
}

// TestTransactionsDoNotTouchBranchKeys: an aborted transaction of the user's
// and one that holds the pool's only connection find their keys all the same.
func TestTransactionsDoNotTouchBranchKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		makeTable(s)
		db, _ := branchSite(s, perTenant)
		db.SetMaxOpenConns(1)
		if _, err := branchKeys(s, db).Create(t.Context(), "1", nil); err != nil {
			t.Fatal(err)
		}
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec("SELECT no_such_function_anywhere()"); err == nil {
			t.Fatal("the statement did not fail")
		}
		insert := s.q("INSERT INTO accounts (account_number, tenant_id, ssn) VALUES ('x', 1, ?)")
		_, err = tx.Exec(insert, ssn1)
		// Postgres has aborted the transaction; sealing worked on both.
		if (err != nil) != s.postgres() || errors.Is(err, driver.ErrKeyUnavailable) {
			t.Errorf("in a transaction that failed: %v", err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(insert, ssn1); err != nil {
			t.Error(err)
		}
	})
}

// TestRotators: of several that rotate at once one wins each time, on every store.
func TestRotators(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		makeTable(s)
		for _, store := range []string{"sql", "file:" + filepath.Join(t.TempDir(), "keys.json")} {
			db, _ := branchSite(s, fmt.Sprintf("{per: branch, store: %q, ttl: 15m, branch_key: shop}", store))
			keys := branchKeys(s, db)
			for _, id := range []string{"shop", "shop2", "sho"} {
				if _, err := keys.Create(t.Context(), id, map[string]string{"department": "höfe"}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := db.Exec(s.q("INSERT INTO accounts (account_number, ssn) VALUES (?, ?)"), store[:3], ssn1); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			var mu sync.Mutex
			done := 0
			for range 6 {
				wg.Go(func() {
					_, err := keys.Rotate(context.Background(), "shop")
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						done++
					} else if !errors.Is(err, branchkey.ErrConflict) {
						t.Errorf("%s: %v", store, err)
					}
				})
			}
			wg.Wait()
			list, err := keys.List(t.Context())
			if err != nil || len(list) != 3 || list[1].ID != "shop" || list[1].Versions != 1+done || done == 0 || list[2].Versions != 1 {
				t.Errorf("%s: %d rotated, %+v, %v", store, done, list, err)
			}
			if _, err := keys.Create(t.Context(), "shop", nil); !errors.Is(err, branchkey.ErrExists) {
				t.Errorf("%s: made twice: %v", store, err)
			}
			if _, err := keys.Rotate(t.Context(), "SHOP"); !errors.Is(err, branchkey.ErrNotFound) {
				t.Errorf("%s: ids are compared loosely: %v", store, err)
			}
			var got string
			if err := db.QueryRow(s.q("SELECT ssn FROM accounts WHERE account_number = ?"), store[:3]).Scan(&got); err != nil || got != ssn1 {
				t.Errorf("%s: %v", store, err)
			}
		}
	})
}

// TestWhatABranchKeySaves prints the calls of KMS that writing and reading
// rows takes when each row has a context of its own.
func TestWhatABranchKeySaves(t *testing.T) {
	rows := *costRows
	onBoth(t, func(t *testing.T, s *site) {
		makeTable(s)
		want := map[string]int{"value": 2 * rows, "cached": 2 * rows, "branch": 2}
		for _, c := range []struct{ per, dataKey string }{
			{"value", "{per: value}"},
			{"cached", "{per: cached, max_age: 15m, capacity: 100}"},
			{"branch", "{per: branch, store: sql, ttl: 15m, branch_key: shop}"},
		} {
			db, k := branchSite(s, c.dataKey)
			if c.per == "branch" {
				if _, err := branchKeys(s, db).Create(t.Context(), "shop", nil); err != nil {
					t.Fatal(err)
				}
			}
			k.ResetCalls()
			// go-sql-driver refuses once to run arguments unprepared, and sealsql
			// seals that statement's values again: not one of those counted.
			if c.per != "branch" {
				writeRows(t, s, db, 1)
				if _, err := s.bare.Exec("DELETE FROM accounts"); err != nil {
					t.Fatal(err)
				}
				k.ResetCalls()
			}
			writeRows(t, s, db, rows)
			wrote := k.Count(sealtest.CallKind{})
			if n := readRows(t, db); n != rows {
				t.Fatalf("%d rows were read", n)
			}
			total := k.Count(sealtest.CallKind{})
			t.Logf("%s: %d rows written and read, data_key per %s: %d + %d calls of KMS", s.server.Name, rows, c.per, wrote, total-wrote)
			if total > want[c.per] || c.per == "value" && total != want[c.per] {
				t.Errorf("per %s: %d calls of KMS", c.per, total)
			}
			if _, err := s.bare.Exec("DELETE FROM accounts"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func writeRows(t *testing.T, s *site, db *sql.DB, n int) {
	t.Helper()
	const most = 250
	for from := 0; from < n; from += most {
		count := min(most, n-from)
		var args []any
		for i := range count {
			args = append(args, fmt.Sprint(from+i), ssn1)
		}
		text := "INSERT INTO accounts (account_number, tenant_id, ssn) VALUES " + strings.TrimSuffix(strings.Repeat("(?, 1, ?), ", count), ", ")
		if _, err := db.Exec(s.q(text), args...); err != nil {
			t.Fatal(err)
		}
	}
}

func readRows(t *testing.T, db *sql.DB) int {
	t.Helper()
	rows, err := db.Query("SELECT account_number, tenant_id, ssn FROM accounts")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var account, tenant, ssn string
		if err := rows.Scan(&account, &tenant, &ssn); err != nil || ssn != ssn1 {
			t.Fatalf("row %d: %v", n, err)
		}
		n++
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}
