package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

const migratedPolicy = `
version: 1
keyrings: {dev: {raw_aes: {namespace: migrated, name: key, key_env: SEALSQL_CORPUS_KEY}}}
tables:
  users:
    row_key: [id]
    columns:
      email: {keyring: dev, type: string, search: {equality: {column: email_eq, normalise: [casefold]}}}
      phone: {keyring: dev, type: string}
      note: {keyring: dev, type: string, storage: base64}
      age: {keyring: dev, type: int64, default: 0}
      token: {keyring: dev, type: string, search: {equality: {column: token_eq}}}
  orders:
    row_key: [id]
    columns:
      secret: {keyring: dev, type: bytes}
`

// migration is a step of an application's own, as it is written for a schema in clear.
type migration struct{ up, down string }

var migrations = map[string][]migration{
	"postgres": {
		{"CREATE TABLE users (id serial PRIMARY KEY, name text, email varchar(384) NOT NULL UNIQUE, phone varchar(20) NOT NULL DEFAULT '')", "DROP TABLE users"},
		{"CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users (id), secret bytea NOT NULL, UNIQUE (user_id, id))", "DROP TABLE orders"},
		{"CREATE INDEX users_phone_idx ON users (phone)", "DROP INDEX users_phone_idx"},
		{"ALTER TABLE users ADD COLUMN note text NOT NULL DEFAULT '', ADD COLUMN age int NOT NULL DEFAULT 0", "ALTER TABLE users DROP COLUMN note, DROP COLUMN age"},
		{"ALTER TABLE users ALTER COLUMN phone TYPE varchar(50)", "ALTER TABLE users ALTER COLUMN phone TYPE varchar(20)"},
		{"ALTER TABLE users ADD COLUMN IF NOT EXISTS token varchar(64)", "ALTER TABLE users DROP COLUMN IF EXISTS token"},
		{"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS users_token ON users (token) WHERE token IS NOT NULL", "DROP INDEX IF EXISTS users_token"},
		{"ALTER TABLE users ADD CONSTRAINT has_contact CHECK (email IS NOT NULL OR phone IS NOT NULL)", "ALTER TABLE users DROP CONSTRAINT has_contact"},
	},
	"mysql": {
		{"CREATE TABLE users (id int AUTO_INCREMENT PRIMARY KEY, name varchar(50), email varchar(384) CHARACTER SET utf8mb4 NOT NULL UNIQUE, phone varchar(20) NOT NULL DEFAULT '')", "DROP TABLE users"},
		{"CREATE TABLE orders (id int PRIMARY KEY, user_id int, secret varbinary(32) NOT NULL, UNIQUE KEY (user_id, id), FOREIGN KEY (user_id) REFERENCES users (id))", "DROP TABLE orders"},
		{"CREATE INDEX users_phone_idx ON users (phone)", "DROP INDEX users_phone_idx ON users"},
		{"ALTER TABLE users ADD COLUMN note text NOT NULL DEFAULT (''), ADD age int NOT NULL DEFAULT 0 AFTER name", "ALTER TABLE users DROP COLUMN note, DROP age"},
		{"ALTER TABLE users MODIFY COLUMN phone varchar(50) NOT NULL DEFAULT ''", "ALTER TABLE users MODIFY phone varchar(20) NOT NULL DEFAULT ''"},
		{"ALTER TABLE users ADD COLUMN token varchar(64), ADD INDEX by_note (note(10))", "ALTER TABLE users DROP INDEX by_note, DROP COLUMN token"},
		{"CREATE UNIQUE INDEX users_token ON users (token)", "DROP INDEX users_token ON users"},
		{"ALTER TABLE users ADD CONSTRAINT has_contact CHECK (email IS NOT NULL OR phone IS NOT NULL)", "ALTER TABLE users DROP CONSTRAINT has_contact"},
	},
}

// TestMigrationsOfAnApplication runs an application's migrations from an empty database to
// the newest schema and down again, with the application at work between them.
func TestMigrationsOfAnApplication(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			m := newMigrated(t, server)
			list := migrations[server.Name]
			for i, step := range list {
				m.exec(step.up)
				if i == 2 { // before the columns of the next step
					m.exec("INSERT INTO users (name, email) VALUES ('a', 'Ada@x')")
				}
			}
			m.atWork()
			before := m.columns()
			for _, again := range map[string][]string{
				"postgres": {`ALTER TABLE "users" ALTER COLUMN "phone" TYPE varchar(50) USING "phone"::varchar(50)`, "ALTER TABLE users ALTER COLUMN phone SET DEFAULT ''", "CREATE INDEX users_phone_idx ON users (phone)"},
				"mysql":    {"ALTER TABLE `users` MODIFY COLUMN `phone` varchar(50) NOT NULL DEFAULT ''", "ALTER TABLE users ADD INDEX users_phone_idx (phone)"},
			}[server.Name] {
				m.exec(again)
			}
			if now := m.columns(); now != before {
				t.Errorf("a migrator that runs again changes the schema from\n%s\nto\n%s", before, now)
			}
			m.exec("ALTER TABLE users ALTER COLUMN phone DROP DEFAULT")
			m.exec("ALTER TABLE users ALTER COLUMN phone SET DEFAULT ''")
			m.exec("INSERT INTO users (name, email) VALUES ('e', 'eve@x')")
			var phone string
			if m.row("SELECT phone FROM users WHERE email = 'eve@x'", &phone); phone != "" {
				t.Errorf("a default that was set again reads %q", phone)
			}
			for _, step := range slices.Backward(list) {
				m.exec(step.down)
			}
			if left := m.columns(); left != "" {
				t.Errorf("the way down leaves %s", left)
			}
		})
	}
}

// migrated is a database whose schema the application makes through sealsql.
type migrated struct {
	t            *testing.T
	server       *testdb.Server
	sealed, bare *sql.DB
	events       eventLog
}

func newMigrated(t *testing.T, server *testdb.Server) *migrated {
	t.Helper()
	name := server.NewDatabase(t)
	m := &migrated{t: t, server: server, bare: server.Open(t, name)}
	t.Setenv("SEALSQL_CORPUS_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	p, err := policy.Parse("test", []byte(migratedPolicy))
	if err != nil {
		t.Fatal(err)
	}
	bareName, dsn := server.DSN(server.Proxy(t).Addr(), name)
	m.sealed = open(t, bareName, dsn, driver.WithPolicy(p), driver.WithAlertFunc(m.events.add))
	return m
}

func (m *migrated) exec(text string, args ...any) {
	m.t.Helper()
	if _, err := m.sealed.Exec(text, args...); err != nil {
		m.t.Fatalf("%s: %v", text, err)
	}
}

func (m *migrated) row(text string, into ...any) {
	m.t.Helper()
	if err := m.sealed.QueryRow(text).Scan(into...); err != nil {
		m.t.Fatalf("%s: %v", text, err)
	}
}

// atWork uses the newest schema as the application does.
func (m *migrated) atWork() {
	t := m.t
	var email, phone, note string
	var age int64
	// The row is from before note and age: ADD COLUMN filled them.
	m.row("SELECT email, phone, note, age FROM users WHERE email = 'ada@X'", &email, &phone, &note, &age)
	if got := fmt.Sprintf("%s %q %q %d", email, phone, note, age); got != `Ada@x "" "" 0` {
		t.Errorf("the row from before reads %s", got)
	}
	m.exec("INSERT INTO users (name, email, token) VALUES ('b', 'bob@x', 'one'), ('c', 'cy@x', NULL)")
	m.row("SELECT phone, note, age FROM users WHERE token = 'one'", &phone, &note, &age)
	if got := fmt.Sprintf("%q %q %d", phone, note, age); got != `"" "" 0` {
		t.Errorf("the row with defaults reads %s", got)
	}
	var clear int
	if err := m.bare.QueryRow("SELECT count(*) FROM users WHERE name <> 'a' AND (length(phone) < 50 OR length(note) < 50 OR length(age) < 50 OR length(email) < 50)").Scan(&clear); err != nil || clear != 0 {
		t.Errorf("%d rows written with the schema hold a default in clear (%v)", clear, err)
	}
	_, err := m.sealed.Exec("INSERT INTO users (name, email) VALUES ('d', 'BOB@x')")
	if state := fmt.Sprint(err); err == nil || errors.Is(err, driver.ErrRefused) || !strings.Contains(strings.ToLower(state), "duplicate") {
		t.Errorf("a second row of one address: %v", err)
	}
	if err := m.sealed.QueryRow("SELECT id FROM users WHERE email = 'none'").Scan(new(int)); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("a look-up of an address that no row has: %v", err)
	}
	m.exec("INSERT INTO orders (id, user_id, secret) VALUES (1, 1, 'abc')")
	var secret []byte
	m.row("SELECT secret FROM orders", &secret)
	if string(secret) != "abc" {
		t.Errorf("read %q", secret)
	}
	left, filled := 0, 0
	for deadline := time.Now().Add(5 * time.Second); left == 0 || filled == 0; {
		left, filled = 0, 0
		m.events.mu.Lock()
		for _, e := range m.events.list {
			switch e.Kind {
			case alert.LeftOut:
				left++
			case alert.PlaintextRead:
				filled++
			default:
				t.Errorf("an event %v: %s", e.Kind, e.Err)
			}
		}
		m.events.mu.Unlock()
		if time.Now().After(deadline) {
			t.Fatalf("%d events left_out, %d plaintext_read", left, filled)
		}
	}
}

// columns describes the tables and their indexes.
func (m *migrated) columns() string {
	text := "SELECT table_name, column_name, data_type, is_nullable, coalesce(column_default, '') FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, ordinal_position"
	indexes := "SELECT tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1, 2"
	if m.server.Name == "mysql" {
		text = strings.ReplaceAll(text, "current_schema()", "database()")
		indexes = "SELECT table_name, index_name, column_name, non_unique, seq_in_index FROM information_schema.statistics WHERE table_schema = database() ORDER BY 1, 2, 5"
	}
	var b strings.Builder
	for _, q := range []string{text, indexes} {
		rows, err := m.bare.Query(q)
		if err != nil {
			m.t.Fatal(err)
		}
		for rows.Next() {
			var f [5]string
			if err := rows.Scan(&f[0], &f[1], &f[2], &f[3], &f[4]); err != nil {
				m.t.Fatal(err)
			}
			fmt.Fprintln(&b, strings.Join(f[:], " "))
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			m.t.Fatal(err)
		}
	}
	return b.String()
}

// TestAMigrationInATransaction: on Postgres a migration makes a table and fills it before
// any other connection can see the table.
func TestAMigrationInATransaction(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			m := newMigrated(t, server)
			tx, err := m.sealed.Begin()
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{
				"CREATE TABLE users (id int PRIMARY KEY, name varchar(50), email varchar(300) NOT NULL, phone varchar(20), note text, age int, token varchar(50))",
				"CREATE UNIQUE INDEX users_email ON users (email)",
				"INSERT INTO users (id, name, email, phone, note, age, token) VALUES (1, 'a', 'ada@x', '555', 'n', 3, 't')",
				"UPDATE users SET phone = '556' WHERE email = 'ada@x'",
			} {
				if _, err := tx.Exec(text); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			var phone string
			m.row("SELECT phone FROM users WHERE email = 'ADA@x'", &phone)
			if phone != "556" {
				t.Errorf("read %q", phone)
			}
			m.exec("ALTER TABLE users ADD COLUMN extra varchar(10)")
			m.exec("INSERT INTO users (id, email, extra) VALUES (2, 'b@x', 'at once')")
		})
	}
}
