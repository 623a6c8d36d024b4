package integration

import (
	"strings"
	"testing"
)

const searchedGroupsPolicy = `
version: 1
keyrings: {pii: {raw_aes: {namespace: test, name: key, key_env: SEALSQL_CAUSES_KEY}}}
tables:
  users:
    row_key: [id]
    columns:
      email: {keyring: pii, type: string, search: {equality: {column: email_eq}}}
      note: {keyring: pii, type: string}
`

// searchedGroups are statements that group by a searchable column, and that write the rows which
// a condition, an order and a limit over it choose. {u} is the table. Those that a server does not
// know are errors on the twin, too.
var searchedGroups = []string{
	"INSERT INTO {u} (id, name, note, email) VALUES (1, 'a', 'n1', 'x@secret.example'), (2, 'b', 'n2', 'x@secret.example'), (3, 'a', NULL, 'y@secret.example'), (4, NULL, 'n4', NULL), (5, 'a', 'n5', '')",
	"SELECT email, count(*) FROM {u} GROUP BY email HAVING count(*) > 1",
	"SELECT count(*) FROM {u} GROUP BY email HAVING email = 'x@secret.example'",
	"SELECT email, count(*) FROM {u} GROUP BY email HAVING email = 'x@secret.example'",
	"SELECT email, count(*) FROM {u} GROUP BY email HAVING email IN ('x@secret.example', 'y@secret.example') ORDER BY count(*)",
	"SELECT count(*) FROM {u} GROUP BY email HAVING email IS NOT NULL ORDER BY 1",
	"SELECT email, count(*) FROM {u} GROUP BY email HAVING email IS NULL",
	"SELECT email, count(*) FROM {u} GROUP BY email HAVING email <> 'x@secret.example' AND count(*) > 0 ORDER BY email IS NULL, max(id)",
	"SELECT u.email AS e, count(*) FROM {u} u GROUP BY u.email HAVING u.email = 'x@secret.example' OR u.email IS NULL ORDER BY u.email IS NULL",
	"SELECT id, email, count(*) FROM {u} GROUP BY id, email HAVING email IS NOT NULL ORDER BY id",
	"SELECT email, count(*) FROM {u} GROUP BY email HAVING count(CASE WHEN email IS NULL THEN 1 END) = 0 ORDER BY max(id)",
	"SELECT email, max(name) FROM {u} GROUP BY email HAVING max(name) = 'a' ORDER BY max(id)",
	"SELECT name, count(DISTINCT email) FROM {u} GROUP BY name HAVING count(DISTINCT email) > 1",
	"SELECT name FROM {u} GROUP BY name, email HAVING email <> 'x@secret.example' ORDER BY name",
	"SELECT name FROM {u} GROUP BY name HAVING count(CASE WHEN email = 'x@secret.example' THEN 1 END) > 0 ORDER BY name",
	"SELECT email = 'x@secret.example' AS hit, count(*) FROM {u} GROUP BY 1 ORDER BY 1",
	"SELECT id FROM {u} WHERE email IN (SELECT email FROM {u} GROUP BY email HAVING count(*) > 1) ORDER BY id",
	"SELECT id, email FROM (SELECT id, email, row_number() OVER (PARTITION BY email ORDER BY id) AS r FROM {u}) q WHERE r = 1 ORDER BY id",
	"UPDATE {u} SET note = 'changed' WHERE email = 'x@secret.example'",
	"UPDATE {u} SET email = 'z@secret.example', note = 'q' WHERE email IN ('y@secret.example', 'nobody')",
	"UPDATE {u} SET note = 'lim' WHERE email = 'x@secret.example' ORDER BY id DESC LIMIT 1",
	"UPDATE {u} SET email = 'lim@secret.example' WHERE email = 'x@secret.example' ORDER BY email = 'x@secret.example', id LIMIT 1",
	"UPDATE {u} SET name = 'ob' ORDER BY email = 'x@secret.example' DESC, id LIMIT 1",
	"UPDATE {u} SET note = 'both' ORDER BY email IN ('lim@secret.example', 'x'), email IS NULL, id LIMIT 2",
	"DELETE FROM {u} WHERE email = 'x@secret.example' ORDER BY id LIMIT 1",
	"DELETE FROM {u} WHERE email NOT IN ('lim@secret.example', '')",
	"UPDATE {u} SET note = 'null-safe' WHERE email IS NULL OR email = ''",
	"UPDATE {u} a SET note = 'fr' FROM {u} b WHERE a.email = b.email AND b.id = 1",
}

// TestSearchableColumnsAreGroupedAndOrderedAsOnATwinInClear: HAVING, ORDER BY and LIMIT choose the
// rows that they choose in clear.
func TestSearchableColumnsAreGroupedAndOrderedAsOnATwinInClear(t *testing.T) {
	t.Setenv("SEALSQL_CAUSES_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	onBoth(t, func(t *testing.T, s *site) {
		if s.postgres() {
			s.statements("CREATE TABLE users (id int PRIMARY KEY, name text, note bytea, email bytea, email_eq bytea); CREATE TABLE twin (id int PRIMARY KEY, name text, note text, email text)")
		} else {
			s.statements("CREATE TABLE users (id int PRIMARY KEY, name varchar(20), note blob, email blob, email_eq varbinary(32)); CREATE TABLE twin (id int PRIMARY KEY, name varchar(20), note text, email varchar(50) COLLATE utf8mb4_bin)")
		}
		db := s.withPolicy(searchedGroupsPolicy)
		rows := func(shown string) string {
			_, shown, _ = strings.Cut(shown, "\n")
			return strings.NewReplacer("[]uint8 ", "", "string ", "").Replace(shown)
		}
		answered := 0
		for _, text := range searchedGroups {
			twin, sealed := strings.ReplaceAll(text, "{u}", "twin"), strings.ReplaceAll(text, "{u}", "users")
			if !strings.HasPrefix(text, "SELECT") {
				_, wantErr := s.bare.Exec(twin)
				_, err := db.Exec(sealed)
				if (err == nil) != (wantErr == nil) {
					t.Errorf("%s: %v, want %v", text, err, wantErr)
				}
				twin, sealed = "SELECT id, name, note, email FROM twin ORDER BY id", "SELECT id, name, note, email FROM users ORDER BY id"
			}
			want, wantErr := outcome(s.bare, twin, nil)
			got, err := outcome(db, sealed, nil)
			if rows(got) != rows(want) || (err == nil) != (wantErr == nil) {
				t.Errorf("%s\n got: %s, %v\nwant: %s, %v", text, rows(got), err, rows(want), wantErr)
			}
			if err == nil {
				answered++
			}
		}
		if answered < 26 {
			t.Errorf("%d statements were answered", answered)
		}
	})
}
