package integration

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// keyed is a database of tables named by their row key's type, some of which compare
// keys without regard to case.
type keyed struct {
	*testing.T
	server *testdb.Server
	name   string
	policy *policy.Policy
	bare   *sql.DB
	mu     sync.Mutex
	events []alert.Event
}

const keyedPolicy = `
version: 1
keyrings: {pii: {kms: {keys: ["${SEALSQL_TEST_KEY}"]}}}
tables:
  plain_keys: {row_key: [k], columns: {ssn: {keyring: pii, type: string}}}
  other_keys: {row_key: [k], columns: {ssn: {keyring: pii, type: string}}}
  tenants: {row_key: [k], columns: {ssn: {keyring: pii, type: string, context: {k: k, tenant: tenant}}}}
`

func newKeyed(t *testing.T, server *testdb.Server) *keyed {
	name := server.NewDatabase(t)
	k := &keyed{T: t, server: server, name: name, bare: server.Open(t, name)}
	_, arn := kms()
	t.Setenv("SEALSQL_TEST_KEY", arn)
	var err error
	if k.policy, err = policy.Parse("test", []byte(keyedPolicy)); err != nil {
		t.Fatal(err)
	}
	return k
}

// create makes the table with a key of the type.
func (k *keyed) create(table, key string) {
	k.Helper()
	stored := "bytea"
	if k.server.Name == "mysql" {
		stored = "blob"
	}
	for _, text := range []string{"DROP TABLE IF EXISTS " + table, "CREATE TABLE " + table + " (k " + key + " PRIMARY KEY, tenant int NOT NULL DEFAULT 1, n int NOT NULL DEFAULT 0, ssn " + stored + ")"} {
		if _, err := k.bare.Exec(text); err != nil {
			k.Fatalf("%s: %v", text, err)
		}
	}
}

// open opens the database through sealsql with further settings in the DSN.
func (k *keyed) open(settings string) *sql.DB {
	k.Helper()
	kms, _ := kms()
	bareName, dsn := k.server.DSN(k.server.Addr(), k.name)
	return open(k.T, bareName, withSettings(dsn, settings), driver.WithPolicy(k.policy), driver.WithAWSConfig(kms.AWSConfig("us-east-1")), driver.WithAlertFunc(func(e alert.Event) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.events = append(k.events, e)
	}))
}

// opens fails the test unless every value of the table opens and is the one wanted.
func (k *keyed) opens(db *sql.DB, table string, want ...string) {
	k.Helper()
	rows, err := db.Query("SELECT ssn FROM " + table + " ORDER BY n, ssn IS NULL")
	if err != nil {
		k.Errorf("%s: %v", table, err)
		return
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		var v sql.NullString
		if err := rows.Scan(&v); err != nil {
			k.Errorf("%s: %v", table, err)
			return
		}
		got = append(got, v.String)
	}
	if err := rows.Err(); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		k.Errorf("%s: got %q, %v; want %q", table, got, err, want)
	}
}

// TestKeysThatAreSentAgainFindTheirRows writes rows whose keys are read first, while the
// driver writes arguments into the text.
func TestKeysThatAreSentAgainFindTheirRows(t *testing.T) {
	server := testdb.MySQL(t)
	k := newKeyed(t, server)
	cases := []struct{ key, value string }{
		{"varchar(20)", "Abc"}, {"varchar(20) CHARACTER SET latin1", "Zoë"}, {"varchar(20) CHARACTER SET gbk", "中文"}, {"varchar(20) CHARACTER SET sjis", "日本"},
		{"varchar(20) CHARACTER SET utf16", "ab"}, {"char(10) CHARACTER SET latin1", "é"}, {"enum('a','é')", "é"}, {"set('a','b')", "a,b"}, {"varbinary(20)", "\xff\x00"},
		{"datetime(6)", "2024-02-03 04:05:06.700000"}, {"bigint unsigned", "18446744073709551615"}, {"decimal(9,2)", "7.50"},
	}
	if server.Product == "mariadb" {
		cases = append(cases, struct{ key, value string }{"uuid", "ab000000-0000-0000-0000-000000000004"})
	}
	for _, interpolate := range []string{"false", "true"} {
		for _, c := range cases {
			t.Run("interpolateParams="+interpolate+"/"+c.key, func(t *testing.T) {
				k := &keyed{T: t, server: server, name: k.name, bare: k.bare, policy: k.policy}
				k.create("plain_keys", c.key)
				db := k.open("interpolateParams=" + interpolate)
				value := any(c.value)
				if c.key == "varbinary(20)" {
					value = []byte(c.value)
				}
				for _, s := range []struct {
					text string
					args []any
				}{
					{"INSERT INTO plain_keys (k, ssn) VALUES (?, ?)", []any{value, "980-00-0001"}},
					{"UPDATE plain_keys SET ssn = ?, n = 1 WHERE n = 0", []any{"980-00-0002"}},
					{"UPDATE plain_keys SET ssn = ?, n = 2 WHERE k = ?", []any{"980-00-0003", value}},
					{"INSERT INTO plain_keys (k, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), n = 3", []any{value, "980-00-0004"}},
				} {
					res, err := db.Exec(s.text, s.args...)
					if err != nil {
						t.Fatalf("%s: %v", s.text, err)
					}
					if n, err := res.RowsAffected(); n == 0 || err != nil {
						t.Errorf("%s: %d rows, %v", s.text, n, err)
					}
				}
				k.opens(db, "plain_keys", "980-00-0004")
			})
		}
	}
	if len(cases) < 12 {
		t.Errorf("%d key types", len(cases))
	}
}

// TestKeysThatCompareEqualInOneStatement upserts rows whose keys are two spellings of
// one key.
func TestKeysThatCompareEqualInOneStatement(t *testing.T) {
	for _, settings := range []string{"", "interpolateParams=true", "tx_isolation=%27READ-COMMITTED%27"} {
		k := newKeyed(t, testdb.MySQL(t))
		if k.server.Product == "mysql" && len(settings) > 0 && settings[:2] == "tx" {
			settings = "transaction_isolation=%27READ-COMMITTED%27"
		}
		db := k.open(settings)
		k.create("plain_keys", "varchar(20)")
		k.create("tenants", "varchar(20)")
		for _, text := range []string{
			"INSERT INTO plain_keys (k, n, ssn) VALUES ('abc', 1, '980-00-0001'), ('ABC', 2, '980-00-0002') ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)",
			"INSERT INTO plain_keys (k, n, ssn) VALUES ('Abc', 1, '980-00-0003'), ('x', 3, '980-00-0004'), ('X', 4, '980-00-0005') ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)",
			"INSERT INTO tenants (k, tenant, n, ssn) VALUES ('abc', 7, 1, '980-00-0001'), ('ABC', 8, 2, '980-00-0002') ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)",
		} {
			if _, err := db.Exec(text); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
		k.opens(db, "plain_keys", "980-00-0003", "980-00-0005")
		k.opens(db, "tenants", "980-00-0002")
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec("INSERT INTO plain_keys (k, n, ssn) VALUES ('ABC', 1, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", "980-00-0006"); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		k.opens(db, "plain_keys", "980-00-0006", "980-00-0005")
	}
}

// TestUpsertOfARowThatAnotherTransactionHolds upserts a row that another transaction
// has inserted, under another spelling or for another tenant, and not committed.
func TestUpsertOfARowThatAnotherTransactionHolds(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			k := newKeyed(t, server)
			upsert, waiting, inexact := " ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'Update' AND time_ms > 200", "varchar(20)"
			if server.Product == "mysql" {
				waiting = "SELECT COUNT(*) FROM performance_schema.data_lock_waits"
			}
			if server.Name == "postgres" {
				upsert, waiting, inexact = " ON CONFLICT (k) DO UPDATE SET ssn = EXCLUDED.ssn", "SELECT count(*) FROM pg_locks WHERE NOT granted", "text COLLATE nocase"
				if _, err := k.bare.Exec("CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"); err != nil {
					t.Fatal(err)
				}
			}
			db := k.open("")
			k.create("plain_keys", inexact)
			k.create("tenants", inexact)
			for table, key := range map[string]string{"plain_keys": "ABC", "tenants": "abc"} {
				holder, err := db.Begin()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := holder.Exec("INSERT INTO " + table + " (k, tenant, ssn) VALUES ('abc', 2, '980-00-0001')"); err != nil {
					t.Fatal(err)
				}
				done := make(chan error)
				go func() {
					_, err := db.Exec("INSERT INTO " + table + " (k, tenant, ssn) VALUES ('" + key + "', 1, '980-00-0002')" + upsert)
					done <- err
				}()
				waitFor(t, k.bare, waiting)
				if err := holder.Commit(); err != nil {
					t.Fatal(err)
				}
				if err := <-done; err != nil {
					t.Errorf("%s: %v", table, err)
				}
				k.opens(db, table, "980-00-0002")
			}
			if len(k.events) > 0 {
				t.Errorf("an honest row is accused: %+v", k.events[0])
			}
		})
	}
}

// waitFor asks until the query returns another number than 0.
func waitFor(t *testing.T, db *sql.DB, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for n := 0; n == 0; {
		if err := db.QueryRowContext(ctx, text).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
}

// TestConcurrentUpsertsOfNewKeys upserts distinct keys from many connections: none
// fails, as none does bare.
func TestConcurrentUpsertsOfNewKeys(t *testing.T) {
	const workers, each = 8, 40
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			k := newKeyed(t, server)
			upsert, key, mark := " ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", "varchar(20)", func(int) string { return "?" }
			if server.Name == "postgres" {
				upsert, key, mark = " ON CONFLICT (k) DO UPDATE SET ssn = EXCLUDED.ssn", "text COLLATE nocase", func(n int) string { return fmt.Sprint("$", n) }
				if _, err := k.bare.Exec("CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"); err != nil {
					t.Fatal(err)
				}
			}
			k.create("plain_keys", key)
			db := k.open("")
			db.SetMaxOpenConns(workers)
			text := "INSERT INTO plain_keys (k, ssn) VALUES (" + mark(1) + ", " + mark(2) + ")" + upsert
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					for n := range each {
						if _, err := db.Exec(text, fmt.Sprintf("k%d", n*workers+w), "980-00-0001"); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			var n int
			if err := k.bare.QueryRow("SELECT COUNT(*) FROM plain_keys WHERE ssn IS NOT NULL").Scan(&n); err != nil || n != workers*each {
				t.Errorf("%d rows, %v; want %d", n, err, workers*each)
			}
		})
	}
}

// TestRowsWithMadeKeysAreInsertedOnce inserts rows whose keys the server makes: nothing
// in the table shows that their values are written by a second statement.
func TestRowsWithMadeKeysAreInsertedOnce(t *testing.T) {
	server := testdb.MySQL(t)
	k := newKeyed(t, server)
	for _, text := range []string{
		"CREATE TABLE plain_keys (k bigint AUTO_INCREMENT PRIMARY KEY, n int, ssn blob, changed datetime(6) NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP(6), stamp timestamp(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), made timestamp(6) DEFAULT CURRENT_TIMESTAMP(6))",
	} {
		if _, err := k.bare.Exec(text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	db := k.open("")
	if _, err := db.Exec("INSERT INTO plain_keys (n, ssn) VALUES (1, ?), (2, ?)", "980-00-0001", "980-00-0002"); err != nil {
		t.Fatal(err)
	}
	var changed int
	if err := k.bare.QueryRow("SELECT COUNT(*) FROM plain_keys WHERE changed IS NOT NULL OR stamp <> made").Scan(&changed); err != nil || changed != 0 {
		t.Errorf("%d rows look updated, %v", changed, err)
	}
	k.opens(db, "plain_keys", "980-00-0001", "980-00-0002")
}
