package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sealsql/sealsql/driver"
)

const (
	ssn1, ssn2, ssn3 = "900-12-3456", "900-65-4321", "900-11-2233"
)

func TestWriteAndRead(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2, ssn3, "a private note", "7000000001"); err != nil {
			t.Fatal(err)
		}
		s.affected(1, "INSERT INTO accounts (account_number, name, ssn, note, balance) VALUES (?, ?, ?, ?, ?)", "a1", "Ada", ssn1, "a private note", 7000000001)
		s.affected(2, "INSERT INTO accounts (account_number, ssn, name) VALUES (?, ?, ?), ('a3', '"+ssn3+"', 'Cleo')", "a2", ssn2, "Ben")
		s.want("Ada|"+ssn1+"|a private note|7000000001", "SELECT name, ssn, note, balance FROM accounts WHERE account_number = ?", "a1")
		s.want(ssn1+"\n"+ssn2+"\n"+ssn3, "SELECT x.ssn FROM accounts AS x ORDER BY x.account_number")
		s.want("a2|1|Ben|"+ssn2+"|<nil>|<nil>", "SELECT * FROM accounts WHERE account_number = 'a2'")
		s.want("Ben|"+ssn2, "SELECT n, s FROM (SELECT name AS n, ssn AS s FROM accounts) t WHERE n = ?", "Ben")
		s.want(ssn3, "WITH c AS (SELECT * FROM accounts WHERE name = 'Cleo') SELECT ssn FROM c")
		s.want("3|3|1", "SELECT count(*), count(ssn), count(note) FROM accounts")
		s.want("a2\na3", "SELECT account_number FROM accounts WHERE balance IS NULL ORDER BY 1")
		s.exec("INSERT INTO other (id, account_number) VALUES (1, 'a2')")
		s.want("1|"+ssn2, "SELECT o.id, a.ssn FROM other o JOIN accounts a ON a.account_number = o.account_number")
		s.want("1|"+ssn2, "SELECT o.id, a.ssn FROM other o LEFT JOIN accounts a USING (account_number)")

		// What lies in the table is no plaintext, and NULL stays NULL.
		var raw []byte
		if err := s.bare.QueryRow("SELECT ssn FROM accounts WHERE account_number = 'a1'").Scan(&raw); err != nil || len(raw) < 100 {
			t.Errorf("the table holds %d bytes: %v", len(raw), err)
		}
		s.exec("INSERT INTO accounts (account_number, ssn, note) VALUES (?, ?, ?)", "a4", "", nil)
		s.want("|<nil>", "SELECT ssn, note FROM accounts WHERE account_number = 'a4'")
		if err := s.bare.QueryRow("SELECT ssn FROM accounts WHERE account_number = 'a4'").Scan(&raw); err != nil || len(raw) < 100 {
			t.Errorf("the empty string is stored in %d bytes: %v", len(raw), err)
		}
	})
}

func TestUpdates(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2, ssn3); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			s.exec("INSERT INTO accounts (account_number, name, ssn, balance) VALUES (?, 'x', ?, ?)", fmt.Sprint("k", i), fmt.Sprintf("900-00-000%d", i), i)
		}
		s.affected(1, "UPDATE accounts SET ssn = ?, name = 'y' WHERE account_number = ?", ssn1, "k0")
		s.want(ssn1, "SELECT ssn FROM accounts WHERE account_number = 'k0'")
		s.affected(2, "UPDATE accounts SET ssn = ? WHERE account_number IN ('k1', 'k2')", ssn2)
		s.affected(5, "UPDATE accounts SET note = ?", "for everyone")
		s.affected(0, "UPDATE accounts SET ssn = ? WHERE name = 'nobody'", ssn3)
		s.affected(1, "UPDATE accounts SET ssn = '"+ssn3+"' WHERE name = 'y'")
		s.want(ssn3+"|for everyone\n"+ssn2+"|for everyone\n"+ssn2+"|for everyone\n900-00-0003|for everyone\n900-00-0004|for everyone",
			"SELECT ssn, note FROM accounts ORDER BY account_number")
		// The row key and a context source change: what is bound to them follows.
		s.affected(1, "UPDATE accounts SET account_number = 'k9' WHERE account_number = 'k4'")
		s.affected(1, "UPDATE accounts SET tenant_id = ? WHERE account_number = 'k3'", 77)
		s.want("k3|900-00-0003|3|77\nk9|900-00-0004|4|1", "SELECT account_number, ssn, balance, tenant_id FROM accounts WHERE account_number IN ('k3', 'k9') ORDER BY 1")
		s.affected(1, "UPDATE accounts SET ssn = NULL WHERE account_number = 'k3'")
		s.want("<nil>", "SELECT ssn FROM accounts WHERE account_number = 'k3'")
		s.affected(1, "DELETE FROM accounts WHERE account_number = 'k3'")
	})
}

func TestServerMadeKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2, ssn3); err != nil {
			t.Fatal(err)
		}
		res := s.exec("INSERT INTO people (name, ssn) VALUES (?, ?), ('b', ?)", "a", ssn1, ssn2)
		if !s.postgres() {
			if id, err := res.LastInsertId(); err != nil || id != 1 {
				t.Errorf("LastInsertId %d, %v", id, err)
			}
		} else {
			s.want("3|"+ssn3, "INSERT INTO people (name, ssn) VALUES ('c', ?) RETURNING id, ssn", ssn3)
		}
		s.want("1|"+ssn1+"\n2|"+ssn2, "SELECT id, ssn FROM people WHERE name < 'c' ORDER BY id")
		s.exec("INSERT INTO people (id, name, ssn) VALUES (100, 'd', ?)", ssn3)
		s.want(ssn3, "SELECT ssn FROM people WHERE id = 100")
	})
}

func TestUpserts(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2, ssn3); err != nil {
			t.Fatal(err)
		}
		text := "INSERT INTO accounts (account_number, ssn) VALUES (?, ?), (?, ?) ON CONFLICT (account_number) DO UPDATE SET ssn = EXCLUDED.ssn"
		if !s.postgres() {
			text = "INSERT INTO accounts (account_number, ssn) VALUES (?, ?), (?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)"
		}
		s.exec(text, "u1", ssn1, "u2", ssn2)
		s.exec(text, "u2", ssn3, "u3", ssn1)
		s.want("u1|"+ssn1+"\nu2|"+ssn3+"\nu3|"+ssn1, "SELECT account_number, ssn FROM accounts ORDER BY 1")
		if !s.postgres() {
			// Another spelling of the key means the same row; the value is bound to what the row holds.
			s.exec(text, "U1", ssn2, "u4", ssn2)
			s.want("u1|"+ssn2, "SELECT account_number, ssn FROM accounts WHERE account_number = 'u1'")
			s.exec("REPLACE INTO accounts (account_number, ssn) VALUES (?, ?)", "u1", ssn3)
			s.want("u1|"+ssn3, "SELECT account_number, ssn FROM accounts WHERE account_number = 'u1'")
		}
	})
}

func TestPreparedAndTransactions(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		ctx := context.Background()
		if err := s.proxy.Watch(ssn1, ssn2); err != nil {
			t.Fatal(err)
		}
		stmt, err := s.sealed.PrepareContext(ctx, s.q("INSERT INTO accounts (account_number, ssn) VALUES (?, ?)"))
		if err != nil {
			t.Fatal(err)
		}
		defer stmt.Close()
		for i := range 3 {
			if _, err := stmt.ExecContext(ctx, fmt.Sprint("p", i), []byte(ssn1)); err != nil {
				t.Fatal(err)
			}
		}
		tx, err := s.sealed.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(ctx, s.q("UPDATE accounts SET ssn = ? WHERE account_number LIKE 'p%'"), ssn2); err != nil {
			t.Fatal(err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		query, err := s.sealed.PrepareContext(ctx, s.q("SELECT ssn FROM accounts WHERE account_number = ?"))
		if err != nil {
			t.Fatal(err)
		}
		defer query.Close()
		for i := range 3 {
			var got sql.NullString
			if err := query.QueryRowContext(ctx, fmt.Sprint("p", i)).Scan(&got); err != nil || got.String != ssn1 {
				t.Errorf("after the rollback: %v, %v", got.Valid, err)
			}
		}
		if err := query.QueryRowContext(ctx, "none").Scan(new(string)); !errors.Is(err, sql.ErrNoRows) {
			t.Errorf("no row: %v", err)
		}
	})
}

func TestValuesThatMovedAreCaught(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.exec("INSERT INTO accounts (account_number, ssn, note) VALUES ('m1', ?, 'note one'), ('m2', ?, 'note two')", ssn1, ssn2)
		s.exec("INSERT INTO people (name, ssn) VALUES ('p', ?)", ssn3)
		cases := []struct {
			name, change, query string
			sentinel            error
		}{
			{"another row's value", "UPDATE accounts SET ssn = (SELECT ssn FROM (SELECT * FROM accounts) x WHERE account_number = 'm2') WHERE account_number = 'm1'", "SELECT ssn FROM accounts WHERE account_number = 'm1'", driver.ErrMismatch},
			{"another table's value", "UPDATE accounts SET ssn = (SELECT ssn FROM people) WHERE account_number = 'm1'", "SELECT ssn FROM accounts WHERE account_number = 'm1'", driver.ErrMismatch},
			{"another column's value", "UPDATE accounts SET balance = ssn WHERE account_number = 'm2'", "SELECT balance FROM accounts WHERE account_number = 'm2'", driver.ErrMismatch},
			{"a plaintext", "UPDATE accounts SET ssn = '900-12-3456' WHERE account_number = 'm1'", "SELECT * FROM accounts WHERE account_number = 'm1'", driver.ErrNotCiphertext},
			{"a value cut short", "UPDATE accounts SET ssn = substring(ssn from 1 for 200) WHERE account_number = 'm2'", "SELECT ssn FROM accounts WHERE account_number = 'm2'", driver.ErrTampered},
		}
		for _, c := range cases {
			if _, err := s.bare.Exec(c.change); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			rows, err := s.sealed.Query(c.query)
			if err == nil {
				for rows.Next() {
					t.Errorf("%s: a row was handed out", c.name)
				}
				err = rows.Err()
				rows.Close()
			}
			if !errors.Is(err, c.sentinel) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		if err := s.sealed.Close(); err != nil { // flushes the alerts
			t.Fatal(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.events) != len(cases) || len(cases) != 5 {
			t.Errorf("%d alerts for %d cases", len(s.events), len(cases))
		}
	})
}

func TestConcurrentWriters(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.sealed.SetMaxOpenConns(20)
		for i := range 10 {
			s.exec("INSERT INTO accounts (account_number, name, ssn) VALUES (?, 'w', ?)", fmt.Sprint("w", i), ssn1)
		}
		upsert := "INSERT INTO accounts (account_number, name, ssn, note) VALUES (?, 'w', ?, ?) ON CONFLICT (account_number) DO UPDATE SET ssn = EXCLUDED.ssn, note = ?"
		if !s.postgres() {
			upsert = "INSERT INTO accounts (account_number, name, ssn, note) VALUES (?, 'w', ?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), note = ?"
		}
		var wg sync.WaitGroup
		var rekeyed, upserted atomic.Int64
		errs := make(chan error, 200)
		for i := range 200 {
			wg.Go(func() {
				var err error
				switch i % 5 {
				case 0:
					_, err = s.sealed.Exec(s.q("UPDATE accounts SET ssn = ? WHERE account_number = ?"), ssn2, fmt.Sprint("w", i%10))
				case 1:
					_, err = s.sealed.Exec(s.q("UPDATE accounts SET ssn = ? WHERE name = 'w' AND account_number >= ?"), ssn3, fmt.Sprint("w", i%10))
				case 2:
					_, err = s.sealed.Exec(s.q("UPDATE accounts SET tenant_id = ? WHERE account_number = ?"), i, fmt.Sprint("w", i%10))
				case 3:
					if _, err = s.sealed.Exec(s.q(upsert), fmt.Sprint("w", i%7), ssn1, "n", "m"); err == nil {
						upserted.Add(1)
					}
				default:
					var res sql.Result
					if res, err = s.sealed.Exec(s.q("UPDATE accounts SET account_number = ? WHERE account_number = ?"), fmt.Sprint("k", i), fmt.Sprint("w", i%9)); err == nil {
						n, _ := res.RowsAffected() // a writer that came too late moves nothing
						rekeyed.Add(n)
					}
				}
				if err != nil && !deadlock(err) {
					errs <- err
				}
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			t.Error(err)
		}
		var rows int
		if err := s.bare.QueryRow("SELECT count(*) FROM accounts").Scan(&rows); err != nil {
			t.Fatal(err)
		}
		if got := s.read("SELECT account_number, tenant_id, ssn, note FROM accounts"); len(got) != rows || rows < 10 {
			t.Errorf("%d rows verify of %d, which should be 10 or more", len(got), rows)
		}
		if rekeyed.Load() == 0 || upserted.Load() == 0 {
			t.Errorf("%d rows were given another key and %d upserted; want some of each", rekeyed.Load(), upserted.Load())
		}
	})
}
