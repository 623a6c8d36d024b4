package integration

import (
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestSearchesThatWouldSendTheValue passes one value to a search and, in the same
// statement, to something that would send it in clear. The proxy fails the test if the
// value passes; each must be refused or answered without it.
func TestSearchesThatWouldSendTheValue(t *testing.T) {
	const marker = "nasty.marker@example.org"
	hostile := map[string][]string{
		"postgres": {
			"SELECT id FROM members WHERE email = $1 AND length($1) > 3",
			"SELECT id FROM members WHERE email = $1 AND $1 <> ALL (ARRAY['a', 'b'])",
			"SELECT id, $1::text FROM members WHERE email = $1",
			"SELECT id FROM members WHERE email = $1 ORDER BY ($1 = 'x')",
			"SELECT id FROM members WHERE $1 IN (email, phone, note)",
			"SELECT id FROM members WHERE email = $1 OR note = $1",
			"SELECT id FROM members WHERE (email || '') = $1",
			"SELECT id FROM members WHERE email = ANY (ARRAY[$1, lower($1)])",
			"SELECT CASE email WHEN $1 THEN $1 ELSE 'no' END FROM members",
			"WITH v AS (SELECT $1::text AS x) SELECT id FROM members, v WHERE email = v.x",
			"SELECT id FROM members WHERE email = (SELECT max(x) FROM (VALUES ($1)) AS v(x))",
			"UPDATE members SET email = $1 WHERE note IS NULL AND $1 <> ''::text || 'y'",
			"SELECT id FROM members m WHERE EXISTS (SELECT 1 FROM invites i WHERE i.mail = m.email AND i.mail = $1 AND i.mail || $1 <> 'z')",
			"SELECT id FROM members WHERE email COLLATE \"C\" = $1",
			"SELECT set_config('app.who', $1, false) FROM members WHERE email = $1",
		},
		"mysql": {
			"SELECT id FROM members WHERE CONCAT(email, '') = ?",
			"SELECT id FROM members WHERE email = ? COLLATE utf8mb4_bin",
			"SELECT id FROM members WHERE email LIKE ?",
			"SELECT id FROM members WHERE STRCMP(email, ?) = 0",
			"SELECT id FROM members WHERE email = CONCAT(?, '')",
			"SELECT id FROM members WHERE FIELD(email, 'a', ?) > 0",
			"SELECT id FROM members WHERE email = CONVERT(? USING utf8mb4)",
			"SELECT id FROM members WHERE email = @x := ?",
			"SELECT id FROM members WHERE email BETWEEN ? AND 'z'",
			"SELECT id FROM members WHERE email REGEXP ?",
			"SELECT id FROM members WHERE (email = ?) = (note = 'nasty.marker@example.org')",
			"SELECT id FROM members WHERE email = BINARY ?",
			"SELECT id FROM members WHERE email = _latin1'nasty.marker@example.org' OR email = ?",
			"INSERT INTO members (id, email) VALUES (9001, ?) ON DUPLICATE KEY UPDATE email = IF(email = VALUES(email), CONCAT('nasty.marker@example.org', ''), email)",
			"UPDATE members SET email = UPPER(?) WHERE id = 1",
		},
	}
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, searchedDir)
			if err := w.proxy.Watch(marker); err != nil {
				t.Fatal(err)
			}
			emitted.secret(marker)
			texts := hostile[server.Name]
			for _, param := range []string{"", map[string]string{"postgres": "default_query_exec_mode=simple_protocol", "mysql": "interpolateParams=true"}[server.Name]} {
				db := w.pair(param)[0]
				for _, text := range texts {
					var args []any
					if strings.ContainsAny(text, "?$") && !strings.Contains(text, "$$") {
						args = []any{marker}
					}
					rows, err := db.Query(text, args...)
					if err != nil {
						if strings.Contains(err.Error(), marker) {
							t.Errorf("%s: the error holds the value: %v", text, err)
						}
						continue
					}
					for rows.Next() {
					}
					_ = rows.Close()
				}
			}
			if len(texts) != 15 {
				t.Errorf("%d statements", len(texts))
			}
		})
	}
}
