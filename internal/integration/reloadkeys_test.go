package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

const (
	fixedBranch = "{per: branch, store: sql, ttl: 15m, branch_key: shop}"
	cachedKeys  = "{per: cached, max_age: 15m}"
	eachValue   = "{per: value}"

	// These open what branch keys wrapped, too.
	cachedAndBranch    = "{per: cached, max_age: 15m, store: sql, ttl: 15m, branch_key: shop}"
	eachValueAndBranch = "{per: value, store: sql, ttl: 15m, branch_key: shop}"
)

// parsed is branchPolicy with those data keys, or without the column ssn.
func parsed(t *testing.T, dataKey string, ssn bool) *policy.Policy {
	t.Helper()
	text := fmt.Sprintf(branchPolicy, dataKey)
	if !ssn {
		lines := strings.Split(text, "\n")
		for i, l := range lines {
			if strings.HasPrefix(strings.TrimSpace(l), "ssn:") {
				lines[i] = ""
			}
		}
		text = strings.Join(lines, "\n")
	}
	p, err := policy.Parse("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// withShop makes the branch key shop and returns what reloads the database's policy.
func withShop(s *site, db *sql.DB) *driver.Connector {
	s.t.Helper()
	if _, err := branchKeys(s, db).Create(s.t.Context(), "shop", nil); err != nil {
		s.t.Fatal(err)
	}
	connector, err := driver.Of(db)
	if err != nil {
		s.t.Fatal(err)
	}
	return connector
}

// TestReloadOfHowDataKeysAreMade: what began goes on with the keys that it began
// with, what begins afterwards has the others. Branch keys take the place of KMS's data
// keys while values of both kinds are there, and so the other way round if the policy
// goes on naming the branch keys.
func TestReloadOfHowDataKeysAreMade(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2, ssn3); err != nil {
			t.Fatal(err)
		}
		makeTable(s)
		insert := s.q("INSERT INTO accounts (account_number, tenant_id, ssn) VALUES (?, 1, ?)")
		selectAll := "SELECT ssn FROM accounts ORDER BY account_number"
		provider := func(id string) string {
			t.Helper()
			var b []byte
			if err := s.bare.QueryRow(s.q("SELECT ssn FROM accounts WHERE account_number = ?"), id).Scan(&b); err != nil {
				t.Fatal(err)
			}
			m, err := codec.Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			return m.WrappedKeys()[0].ProviderID
		}
		const kmsKeys, branchKeysProvider = "aws-kms", "aws-kms-hierarchy"
		cases := []struct {
			from, to                 string
			fromProvider, toProvider string
			after                    error // of reading what was written before
		}{
			{eachValue, fixedBranch, kmsKeys, branchKeysProvider, nil},
			{fixedBranch, eachValue, branchKeysProvider, kmsKeys, driver.ErrUnknownKey},
			{cachedKeys, fixedBranch, kmsKeys, branchKeysProvider, nil},
			{fixedBranch, cachedKeys, branchKeysProvider, kmsKeys, driver.ErrUnknownKey},
			{eachValueAndBranch, fixedBranch, kmsKeys, branchKeysProvider, nil},
			{fixedBranch, eachValueAndBranch, branchKeysProvider, kmsKeys, nil},
			{cachedAndBranch, fixedBranch, kmsKeys, branchKeysProvider, nil},
			{fixedBranch, cachedAndBranch, branchKeysProvider, kmsKeys, nil},
			{eachValue, cachedKeys, kmsKeys, kmsKeys, nil},
			{cachedKeys, eachValue, kmsKeys, kmsKeys, nil},
		}
		for _, c := range cases {
			name := c.from + " to " + c.to
			if _, err := s.bare.Exec("DELETE FROM accounts"); err != nil {
				t.Fatal(err)
			}
			if _, err := s.bare.Exec("DELETE FROM sealsql_branch_keys"); err != nil {
				t.Fatal(err)
			}
			db, _ := branchSite(s, fixedBranch)
			connector := withShop(s, db)
			swap := func(dataKey string) {
				t.Helper()
				if err := connector.Reload(parsed(t, dataKey, true)); err != nil {
					t.Fatal(err)
				}
			}
			swap(c.from)
			for i := range 40 {
				if _, err := db.Exec(insert, fmt.Sprintf("a%02d", i), ssn1); err != nil {
					t.Fatal(err)
				}
			}
			prepared, err := db.Prepare(insert)
			if err != nil {
				t.Fatal(err)
			}
			tx, err := db.Begin()
			if err != nil {
				t.Fatal(err)
			}
			rows, err := db.Query(selectAll)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				rows.Next()
			}

			swap(c.to)

			// Rows that are being read, to their end.
			n := 3
			for rows.Next() {
				var got string
				if err := rows.Scan(&got); err != nil || got != ssn1 {
					t.Errorf("%s: row %d: %q, %v", name, n, got, err)
				}
				n++
			}
			if err := rows.Err(); err != nil || n != 40 {
				t.Errorf("%s: %d rows, %v", name, n, err)
			}
			_ = rows.Close()
			// A transaction that had begun.
			var got string
			if _, err := tx.Exec(insert, "t", ssn2); err != nil {
				t.Errorf("%s: in the transaction: %v", name, err)
			}
			if err := tx.QueryRow("SELECT ssn FROM accounts WHERE account_number = 'a00'").Scan(&got); err != nil || got != ssn1 {
				t.Errorf("%s: read in the transaction: %q, %v", name, got, err)
			}
			if err := tx.Commit(); err != nil {
				t.Error(err)
			}
			if got := provider("t"); got != c.fromProvider {
				t.Errorf("%s: the transaction sealed under %s", name, got)
			}
			// A prepared statement, and new ones.
			if _, err := prepared.Exec("p", ssn3); err != nil {
				t.Errorf("%s: prepared before: %v", name, err)
			}
			if got := provider("p"); got != c.toProvider {
				t.Errorf("%s: the prepared statement sealed under %s", name, got)
			}
			_ = prepared.Close()
			if err := db.QueryRow("SELECT ssn FROM accounts WHERE account_number = 'p'").Scan(&got); err != nil || got != ssn3 {
				t.Errorf("%s: what is written now: %q, %v", name, got, err)
			}
			if err := db.QueryRow("SELECT ssn FROM accounts WHERE account_number = 'a00'").Scan(&got); !errors.Is(err, c.after) || (err == nil) != (c.after == nil) {
				t.Errorf("%s: what was written before: %v", name, err)
			}
			// Row by row, what does not open is not written.
			if _, err := db.Exec("UPDATE accounts SET tenant_id = 2 WHERE account_number IN ('a00', 'p')"); !errors.Is(err, c.after) || (err == nil) != (c.after == nil) {
				t.Errorf("%s: written row by row: %v", name, err)
			}
		}
		if len(cases) != 10 {
			t.Errorf("%d cases", len(cases))
		}
	})
}

// TestBothKindsOfDataKeysInOneResult reads ahead what KMS's data keys and branch
// keys sealed, in turn, by every policy that opens both.
func TestBothKindsOfDataKeysInOneResult(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		makeTable(s)
		db, _ := branchSite(s, fixedBranch)
		connector := withShop(s, db)
		const rows = 300
		for i := range rows {
			if i%20 == 0 {
				if err := connector.Reload(parsed(t, []string{eachValue, fixedBranch}[i/20%2], true)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := db.Exec(s.q("INSERT INTO accounts (account_number, tenant_id, ssn) VALUES (?, 1, ?)"), fmt.Sprintf("a%03d", i), fmt.Sprint("value ", i)); err != nil {
				t.Fatal(err)
			}
		}
		read := 0
		for _, keys := range []string{fixedBranch, eachValueAndBranch, cachedAndBranch, fixedBranch} {
			if err := connector.Reload(parsed(t, keys, true)); err != nil {
				t.Fatal(err)
			}
			result, err := db.Query("SELECT ssn FROM accounts ORDER BY account_number")
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; result.Next(); i++ {
				var got string
				if err := result.Scan(&got); err != nil || got != fmt.Sprint("value ", i) {
					t.Fatalf("%s: row %d: %q, %v", keys, i, got, err)
				}
				read++
			}
			if err := errors.Join(result.Err(), result.Close()); err != nil {
				t.Error(keys, err)
			}
		}
		if read != 4*rows {
			t.Errorf("%d values were read", read)
		}
	})
}

// TestReloadWhileValuesAreOpened: policies that take the column, its keyring and
// its keys away come and go under readers. Each read is one policy's: the value, or
// the ciphertext where the column is not protected, or the error of keys that do not
// open it; never another value and never a plaintext at the server.
func TestReloadWhileValuesAreOpened(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1); err != nil {
			t.Fatal(err)
		}
		makeTable(s)
		k := sealtest.NewKMS()
		t.Cleanup(k.Close)
		db := reopen(s, k, k.CreateKey("us-east-1"), fixedBranch)
		connector := withShop(s, db)
		const rows = 30
		for i := range rows {
			if i == rows/2 {
				if err := connector.Reload(parsed(t, cachedKeys, true)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := db.Exec(s.q("INSERT INTO accounts (account_number, tenant_id, ssn) VALUES (?, 1, ?)"), fmt.Sprintf("%02d", i), ssn1); err != nil {
				t.Fatal(err)
			}
		}
		policies := []*policy.Policy{parsed(t, cachedKeys, true), parsed(t, fixedBranch, true), parsed(t, fixedBranch, false), parsed(t, eachValue, true)}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var mu sync.Mutex
		seen := map[string]int{}
		note := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			seen[what]++
		}
		read := func(run func() (*sql.Rows, error)) {
			result, err := run()
			if err != nil {
				t.Error(err)
				return
			}
			defer result.Close()
			kinds := map[string]bool{}
			for result.Next() {
				var b []byte
				if err := result.Scan(&b); err != nil {
					t.Error(err)
					return
				}
				switch m, err := codec.Parse(b); {
				case string(b) == ssn1:
					kinds["value"] = true
				case err == nil && len(m.WrappedKeys()) == 1:
					kinds["ciphertext"] = true
				default:
					t.Error("something else was read")
				}
			}
			if err := result.Err(); errors.Is(err, driver.ErrUnknownKey) {
				kinds["unknown key"] = true
			} else if err != nil {
				t.Error(err)
			}
			if kinds["ciphertext"] && len(kinds) > 1 {
				t.Errorf("one result under two policies: %v", kinds)
			}
			for k := range kinds {
				note(k)
			}
		}
		for range 4 {
			wg.Go(func() {
				stmt, err := db.Prepare("SELECT ssn FROM accounts ORDER BY account_number DESC")
				if err != nil {
					t.Error(err)
					return
				}
				defer stmt.Close()
				for ctx.Err() == nil {
					read(func() (*sql.Rows, error) { return stmt.Query() })
					read(func() (*sql.Rows, error) { return db.Query("SELECT ssn FROM accounts ORDER BY account_number") })
				}
			})
		}
		reloads := 0
		done := func() bool {
			mu.Lock()
			defer mu.Unlock()
			return reloads >= 60 && seen["value"] > 20 && seen["ciphertext"] > 5 && seen["unknown key"] > 5
		}
		for !done() && !t.Failed() {
			if err := connector.Reload(policies[reloads%len(policies)]); err != nil {
				t.Fatal(err)
			}
			reloads++
			read(func() (*sql.Rows, error) { return db.Query("SELECT ssn FROM accounts ORDER BY account_number") })
		}
		cancel()
		wg.Wait()
	})
}
