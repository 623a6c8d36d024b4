package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestATransactionThatLocksATable: a transaction that holds a table against all others
// goes on with it. What the table is must be asked of its own connection: any other would
// wait for the transaction's end.
func TestATransactionThatLocksATable(t *testing.T) {
	server := testdb.Postgres(t)
	m := newMigrated(t, server)
	if _, err := m.bare.Exec("CREATE FUNCTION widen() RETURNS void LANGUAGE sql AS 'ALTER TABLE users ADD COLUMN extra int'"); err != nil {
		t.Fatal(err)
	}
	for name, lock := range map[string]string{
		"TRUNCATE":         "TRUNCATE TABLE users",
		"LOCK TABLE":       "LOCK TABLE users IN ACCESS EXCLUSIVE MODE",
		"ADD COLUMN":       "ALTER TABLE users ADD COLUMN extra varchar(20) DEFAULT 'x'",
		"DROP COLUMN":      "ALTER TABLE users DROP COLUMN spare",
		"RENAME COLUMN":    "ALTER TABLE users RENAME COLUMN spare TO other",
		"a protected type": "ALTER TABLE users ALTER COLUMN phone TYPE varchar(99)",
		"a block":          "DO $$ BEGIN PERFORM widen(); END $$",
		"REINDEX":          "REINDEX TABLE users",
		"a function":       "SELECT widen()",
	} {
		for _, begin := range []string{"a transaction", "a text"} {
			t.Run(name+" in "+begin, func(t *testing.T) {
				m := &migrated{t: t, server: server, sealed: m.sealed, bare: m.bare}
				m.exec("DROP TABLE IF EXISTS users")
				m.exec("CREATE TABLE users (id int PRIMARY KEY, name varchar(50), email varchar(300) UNIQUE, phone varchar(20) NOT NULL DEFAULT '', note text, age int, token varchar(50), spare int)")
				m.inLockedTable(begin == "a text", lock)
				var phone string
				m.row("SELECT phone FROM users WHERE email = 'B@x'", &phone)
				if phone != "556" {
					t.Errorf("read %q", phone)
				}
			})
		}
	}
}

// inLockedTable works with users after the text in one transaction, which it begins by a
// text or by the driver.
func (m *migrated) inLockedTable(byText bool, lock string) {
	t := m.t
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := m.sealed.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // its statements are over
	begin, commit := "", ""
	if byText {
		begin, commit = "BEGIN", "COMMIT"
	}
	exec := func(text string) error { _, err := conn.ExecContext(ctx, text); return err }
	if begin == "" {
		tx, err := conn.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := tx.Commit(); err != nil {
				t.Error(err)
			}
		}()
		exec = func(text string) error { _, err := tx.ExecContext(ctx, text); return err }
	}
	for _, text := range []string{begin, lock,
		"INSERT INTO users (id, name, email, phone) VALUES (1, 'a', 'a@x', '555')",
		"INSERT INTO users (id, name, email) VALUES (2, 'b', 'b@x')",
		"SAVEPOINT s",
		"duplicate INSERT INTO users (id, name, email) VALUES (3, 'c', 'A@x')",
		"ROLLBACK TO SAVEPOINT s",
		"UPDATE users SET phone = '556' WHERE email = 'b@x'",
		commit} {
		text, fails := strings.CutPrefix(text, "duplicate ")
		if text == "" {
			continue
		}
		if err := exec(text); err != nil != fails {
			t.Fatalf("%s: %v", text, err)
		} else if fails && !strings.Contains(strings.ToLower(err.Error()), "duplicate") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
