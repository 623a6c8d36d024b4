package main

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestPreparedStatementsOutliveARotation keeps prepared statements from the first policy
// to the last: each execution works under the policy in force, and a transaction under the
// policy that it began with.
func TestPreparedStatementsOutliveARotation(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			r := newRotation(t, server, rotationSize{rows: 1, width: 1})
			db := r.processes[0].db
			prepare := func(text string) *sql.Stmt {
				if r.postgres() {
					for n := 1; strings.Contains(text, "?"); n++ {
						text = strings.Replace(text, "?", "$"+string(rune('0'+n)), 1)
					}
				}
				s, err := db.Prepare(text)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				return s
			}
			insert, rename := prepare("INSERT INTO users (id, email, secret, n) VALUES (?, ?, 's', 0)"), prepare("UPDATE users SET email = ? WHERE email = ?")
			find := prepare("SELECT id, email FROM users WHERE email = ?")
			exec := func(s *sql.Stmt, args ...any) {
				t.Helper()
				if _, err := s.Exec(args...); err != nil {
					t.Fatal(err)
				}
			}
			finds := func(email string, want int64) {
				t.Helper()
				var id int64
				var shown string
				if err := find.QueryRow(email).Scan(&id, &shown); err != nil || id != want || !strings.EqualFold(shown, email) {
					t.Errorf("%s: row %d with %q, %v", email, id, shown, err)
				}
			}
			// filled checks which columns of terms the row has.
			filled := func(id int64, want string) {
				t.Helper()
				var got string
				if err := r.bare.QueryRow("SELECT CONCAT(CASE WHEN email_eq IS NULL THEN '-' ELSE 'o' END, CASE WHEN email_eq_new IS NULL THEN '-' ELSE 'n' END) FROM users WHERE id = " + string(rune('0'+id))).Scan(&got); err != nil || got != want {
					t.Errorf("row %d has the terms %q, want %q (%v)", id, got, want, err)
				}
			}
			exec(insert, 1, "ada@x")
			binary := map[bool]string{true: "bytea", false: "varbinary(32)"}[r.postgres()]
			r.ddl("ALTER TABLE users ADD email_eq_new " + binary)
			reload := func(version int) {
				t.Helper()
				c, err := driver.Of(db)
				if err == nil {
					err = c.Reload(r.policies[version])
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			finds("ADA@x", 1)
			tx, err := db.Begin()
			if err != nil {
				t.Fatal(err)
			}
			reload(1)
			exec(tx.Stmt(insert), 2, "ben@x") // under the policy that it began with
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			exec(insert, 3, "cleo@x")
			filled(1, "o-")
			filled(2, "o-")
			filled(3, "on")
			finds("Ben@x", 2)
			r.command(1, "reindex", "--table", "users", "--column", "email")
			filled(2, "on")
			reload(2)
			finds("ben@X", 2)
			exec(rename, "dan@x", "BEN@x")
			finds("dan@x", 2)
			filled(2, "on")
			reload(3)
			exec(insert, 4, "eve@x")
			filled(4, "-n")
			for email, id := range map[string]int64{"ada@x": 1, "dan@x": 2, "cleo@x": 3, "eve@x": 4} {
				finds(email, id)
			}
			if err := find.QueryRow("ben@x").Scan(new(int64), new(string)); err != sql.ErrNoRows {
				t.Errorf("the old value: %v", err)
			}
		})
	}
}
