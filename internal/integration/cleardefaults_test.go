package integration

import (
	"errors"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
)

const clearDefaultsPolicy = `
version: 1
keyrings: {pii: {raw_aes: {namespace: test, name: key, key_env: SEALSQL_CAUSES_KEY}}}
tables:
  users:
    row_key: [id]
    columns:
      note: {keyring: pii, type: string}
      email: {keyring: pii, type: string, search: {equality: {column: email_eq}}}
      level: {keyring: pii, type: string, default: basic, storage: base64}
  counted:
    row_key: [id]
    columns:
      note: {keyring: pii, type: string}
`

// clearDefaults are statements that leave out, or set to DEFAULT, columns whose DEFAULT is a
// constant in clear. Those that are refused cannot seal it, since the server alone knows the rows.
var clearDefaults = []struct {
	name, on, text string
	refused        bool
}{
	{"one row", "", "INSERT INTO users (id) VALUES (1)", false},
	{"several rows", "", "INSERT INTO users (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c')", false},
	{"DEFAULT in some rows", "", "INSERT INTO users (id, note) VALUES (1, DEFAULT), (2, 'given'), (3, DEFAULT)", false},
	{"DEFAULT VALUES", "postgres", "INSERT INTO counted DEFAULT VALUES", false},
	{"an empty list", "mysql", "INSERT INTO counted () VALUES ()", false},
	{"one row without a key", "", "INSERT INTO counted (name) VALUES ('a')", false},
	{"several rows without a key", "", "INSERT INTO counted (name) VALUES ('a'), ('b')", false},
	{"SET", "mysql", "INSERT INTO users SET id = 1", false},
	{"REPLACE", "mysql", "REPLACE INTO users (id) VALUES (1)", false},
	{"IGNORE", "mysql", "INSERT IGNORE INTO users (id) VALUES (1), (2)", false},
	{"ON CONFLICT DO NOTHING", "postgres", "INSERT INTO users (id) VALUES (1), (2) ON CONFLICT DO NOTHING", false},
	{"an upsert that leaves it out", "postgres", "INSERT INTO users (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name", false},
	{"an upsert that leaves it out", "mysql", "INSERT INTO users (id, name) VALUES (1, 'x') ON DUPLICATE KEY UPDATE name = VALUES(name)", false},
	{"an upsert to DEFAULT", "postgres", "INSERT INTO users (id, note) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET note = DEFAULT", false},
	{"a SELECT", "", "INSERT INTO users (id) SELECT n FROM numbers", true},
	{"a SELECT of one row", "", "INSERT INTO users (id, name) SELECT 1, 'x'", false},
	{"a SELECT of values", "postgres", "INSERT INTO users (id, name) SELECT * FROM (VALUES (1, 'x'), (2, 'y')) v", false},
	{"a SELECT of values by name", "postgres", "INSERT INTO users (name, id) SELECT v.b, v.a FROM (VALUES (1, 'x'), (2, 'y')) v (a, b) WHERE v.a <> 9", false},
	{"a SELECT of one given key", "", "INSERT INTO users (id, name) SELECT 3, 'x' FROM numbers WHERE n = 1", false},
	{"a SELECT of a union", "", "INSERT INTO users (id, name) SELECT v.a, v.b FROM (SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, 'y') v", false},
	{"a SELECT of a given key beside rows", "", "INSERT INTO users (id, name) SELECT v.a, 'x' FROM (SELECT 1 AS a UNION ALL SELECT 2) v JOIN numbers ON n = v.a", false},
	{"a SELECT of a key that is computed", "", "INSERT INTO users (id, name) SELECT v.a + 1, 'x' FROM (SELECT 1 AS a UNION ALL SELECT 2) v", true},
	{"a SELECT that upserts", "postgres", "INSERT INTO users (id, name) SELECT v.a, v.b FROM (VALUES (1, 'x'), (7, 'y')) v (a, b) ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name", false},
	{"a SELECT that has the server make the key", "", "INSERT INTO counted (name) SELECT 'x' FROM numbers", true},
	{"MERGE", "postgres", "MERGE INTO users u USING numbers n ON u.id = n.n WHEN NOT MATCHED THEN INSERT (id) VALUES (n.n)", true},
	{"MERGE of a list of values", "postgres", "MERGE INTO users u USING (VALUES (1, 'x')) n (n, name) ON u.id = n.n WHEN NOT MATCHED THEN INSERT (id, name) VALUES (n.n, n.name)", false},
	{"MERGE of a given row", "postgres", "MERGE INTO users u USING (SELECT 3 AS n) n ON u.id = n.n WHEN NOT MATCHED THEN INSERT (id, name) VALUES (n.n, 'x')", false},
	{"MERGE of a given key", "postgres", "MERGE INTO users u USING numbers n ON u.id = 3 AND n.n = 1 WHEN NOT MATCHED AND n.n = 1 THEN INSERT (id) VALUES (3)", false},
	{"MERGE of a given row with some of the columns", "postgres", "MERGE INTO users u USING (VALUES (1, 'x', 'm@x'), (2, 'y', 'n@x')) n (n, name, email) ON u.id = n.n WHEN NOT MATCHED THEN INSERT (id, email) VALUES (n.n, n.email)", false},
	{"MERGE with DEFAULT VALUES", "postgres", "MERGE INTO counted c USING numbers n ON c.id = n.n WHEN NOT MATCHED THEN INSERT DEFAULT VALUES", true},
	{"within WITH", "postgres", "WITH made AS (INSERT INTO users (id) VALUES (1) RETURNING id) SELECT id FROM made", false},
	{"RETURNING", "", "INSERT INTO users (id) VALUES (1) RETURNING id, note, email, level", false},
	{"an update to DEFAULT", "", "UPDATE users SET note = DEFAULT WHERE id = 7", false},
	{"an update of all rows to DEFAULT", "", "UPDATE users SET level = DEFAULT, note = DEFAULT", false},
	{"an update to DEFAULT(note)", "mysql", "UPDATE users SET note = DEFAULT(note) WHERE id = 7", true},
	{"two statements", "postgres", "INSERT INTO users (id) VALUES (1); INSERT INTO users (id) VALUES (2)", false},
}

// TestNoStatementStoresADefaultInClear: what is inserted holds it sealed, and reads it.
func TestNoStatementStoresADefaultInClear(t *testing.T) {
	t.Setenv("SEALSQL_CAUSES_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	onBoth(t, func(t *testing.T, s *site) {
		if s.postgres() {
			s.statements("CREATE TABLE users (id int PRIMARY KEY, name text, note bytea NOT NULL DEFAULT '', email bytea DEFAULT '', email_eq bytea, level text NOT NULL DEFAULT 'basic'); CREATE TABLE counted (id serial PRIMARY KEY, name text, note bytea NOT NULL DEFAULT '')")
		} else {
			s.statements("CREATE TABLE users (id int PRIMARY KEY, name varchar(20), note blob NOT NULL DEFAULT (''), email blob DEFAULT (''), email_eq varbinary(32), level text NOT NULL DEFAULT ('basic')); CREATE TABLE counted (id int AUTO_INCREMENT PRIMARY KEY, name varchar(20), note blob NOT NULL DEFAULT (''))")
		}
		s.statements("CREATE TABLE numbers (n int); INSERT INTO numbers VALUES (1), (2)")
		db := s.withPolicy(clearDefaultsPolicy)
		ran := 0
		for _, c := range clearDefaults {
			if c.on != "" && c.on != s.server.Name || strings.HasPrefix(c.name, "MERGE") && !s.merges() || strings.HasSuffix(c.text, "level") && s.lacksReturning(c.text) {
				continue
			}
			ran++
			s.statements("DELETE FROM users; DELETE FROM counted")
			if _, err := db.Exec("INSERT INTO users (id, note, email, level) VALUES (7, 'seven', 's@x', 'high')"); err != nil {
				t.Fatal(err)
			}
			_, err := db.Exec(c.text)
			if errors.Is(err, driver.ErrRefused) != c.refused || !c.refused && err != nil {
				t.Errorf("%s: %v, want a refusal: %t", c.name, err, c.refused)
			}
			if n := joined(t, s.bare, "SELECT (SELECT count(*) FROM users WHERE length(note) < 40 OR length(email) < 40 OR length(level) < 40 OR email_eq IS NULL) + (SELECT count(*) FROM counted WHERE length(note) < 40)"); n != "0" {
				t.Errorf("%s: %s rows hold a default in clear, or lack its term", c.name, n)
			}
			if rows := joined(t, s.bare, "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM counted)"); rows == "1" && !c.refused && !strings.HasPrefix(c.text, "UPDATE") {
				t.Errorf("%s: nothing was written", c.name)
			}
			for _, query := range []string{"SELECT CONCAT(id) FROM users WHERE email = ''", "SELECT note FROM users WHERE id < 7", "SELECT level FROM users ORDER BY id", "SELECT note FROM counted"} {
				got := joined(t, db, query)
				if got = strings.Trim(strings.NewReplacer("basic", "", "high", "", "given", "", "x", "").Replace(got), "123"); got != "" {
					t.Errorf("%s: %s reads %q", c.name, query, got)
				}
			}
		}
		least := map[string]int{"postgres": 27, "mysql": 19}[s.server.Name]
		if s.postgres() && !s.merges() {
			least -= 4
		}
		if ran < least {
			t.Errorf("%d statements, want %d", ran, least)
		}
	})
}

// merges reports whether the server has MERGE.
func (s *site) merges() bool {
	return s.server.AtLeast("postgres", 15, 0)
}
