package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestUpsertsByATermBetweenSavepoints upserts rows whose keys the server makes, by their
// e-mail addresses, in one long transaction with savepoints of the application's, some of
// which are rolled back. The savepoints' names are those that sealsql might choose.
func TestUpsertsByATermBetweenSavepoints(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			u := newUnique(t, server)
			q := (&site{server: server}).q
			upsert := "INSERT INTO people (name, email) VALUES (?, ?) ON DUPLICATE KEY UPDATE name = VALUES(name), email = VALUES(email)"
			if server.Name == "postgres" {
				upsert = "INSERT INTO people (name, email) VALUES (?, ?) ON CONFLICT (email) DO UPDATE SET name = EXCLUDED.name, email = EXCLUDED.email"
			}
			find := q("SELECT name, email FROM people WHERE email = ?")
			want := map[string]string{}
			kept := map[string]string{}
			read, err := u.sealed.Query("SELECT name, email FROM people")
			if err != nil {
				t.Fatal(err)
			}
			for read.Next() {
				var name sql.NullString
				var email string
				if err := read.Scan(&name, &email); err != nil {
					t.Fatal(err)
				}
				want[email] = name.String
			}
			if err := errors.Join(read.Err(), read.Close()); err != nil {
				t.Fatal(err)
			}
			tx, err := u.sealed.Begin()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback() }()
			run := func(text string, args ...any) {
				t.Helper()
				if _, err := tx.Exec(text, args...); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
			}
			set := func(email, name string) {
				t.Helper()
				emitted.secret(email)
				run(q(upsert), name, email)
				want[email] = name
			}
			for round, savepoint := range []string{"a", "sealsql", "sealsql_1", "s", "a"} {
				set("one@leak.example", fmt.Sprint("first ", round))
				set(fmt.Sprintf("of%d@leak.example", round), "kept")
				clear(kept)
				for k, v := range want {
					kept[k] = v
				}
				run("SAVEPOINT " + savepoint)
				set("one@leak.example", "undone")
				set(fmt.Sprintf("undone%d@leak.example", round), "undone")
				run(q("UPDATE people SET email = ? WHERE email = ?"), fmt.Sprintf("moved%d@leak.example", round), "one@leak.example")
				if _, err := tx.Exec(q("INSERT INTO people (name, email) VALUES (?, ?)"), "x", fmt.Sprintf("of%d@leak.example", round)); err == nil {
					t.Errorf("round %d: a duplicate was let in", round)
				}
				run("ROLLBACK TO SAVEPOINT " + savepoint)
				want = map[string]string{}
				for k, v := range kept {
					want[k] = v
				}
				set("one@leak.example", fmt.Sprint("second ", round))
				if round%2 == 0 {
					run("RELEASE SAVEPOINT " + savepoint)
				}
				u.holds(t, tx, find, want)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			u.holds(t, u.sealed, find, want)
		})
	}
}

// holds checks that the table has just the rows wanted, and that each is found.
func (u *unique) holds(t *testing.T, db interface {
	Query(text string, args ...any) (*sql.Rows, error)
	QueryRow(text string, args ...any) *sql.Row
}, find string, want map[string]string) {
	t.Helper()
	for email, name := range want {
		var gotName sql.NullString
		var gotEmail string
		if err := db.QueryRow(find, email).Scan(&gotName, &gotEmail); err != nil || gotName.String != name || gotEmail != email {
			t.Errorf("%s: %q and %q, %v; want %q", email, gotName.String, gotEmail, err, name)
		}
	}
	rows, err := db.Query("SELECT email FROM people")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for rows.Next() {
		var email string
		if err := rows.Scan(&email); err != nil {
			t.Fatal(err)
		}
		if _, ok := want[email]; !ok {
			got = append(got, email)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(got) > 0 {
		slices.Sort(got)
		t.Errorf("rows that were undone: %s (%v)", strings.Join(got, ", "), err)
	}
}
