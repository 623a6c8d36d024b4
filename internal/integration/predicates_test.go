package integration

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// TestPredicatesOfIndexesArePreparedToo: a partial index over a searchable column is made by a
// prepared statement as by a text, and keeps equal values apart.
func TestPredicatesOfIndexesArePreparedToo(t *testing.T) {
	t.Setenv("SEALSQL_CAUSES_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	s := newSite(t, testdb.Postgres(t))
	s.statements("CREATE TABLE users (id int PRIMARY KEY, name text, note bytea, email bytea, email_eq bytea, level text)")
	p, err := policy.Parse("test", []byte(clearDefaultsPolicy))
	if err != nil {
		t.Fatal(err)
	}
	bareName, dsn := s.server.DSN(s.proxy.Addr(), s.database())
	for _, mode := range []string{"cache_statement", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			db := open(t, bareName, withSettings(dsn, "default_query_exec_mode="+mode), driver.WithPolicy(p))
			for _, predicate := range []string{"email <> 'blocked@secret.example'", "email IN ('blocked@secret.example', '') OR name IS NULL"} {
				s.statements("DROP INDEX IF EXISTS one; DELETE FROM users")
				s.prepared(db, "CREATE UNIQUE INDEX one ON users (email) WHERE "+predicate)
				definition := joined(t, s.bare, "SELECT indexdef FROM pg_indexes WHERE indexname = 'one'")
				if !strings.Contains(definition, "(email_eq) WHERE") || strings.Contains(definition, "blocked") {
					t.Errorf("the index is %s", definition)
				}
				for id, email := range []string{"a@secret.example", "blocked@secret.example", "a@secret.example", "blocked@secret.example"} {
					_, err := db.Exec("INSERT INTO users (id, name, email) VALUES ($1, 'n', $2)", id, email)
					taken := id > 1 && strings.HasPrefix(email, "blocked") == strings.Contains(predicate, "IN")
					if (err != nil) != taken {
						t.Errorf("%s: row %d: %v, want an error: %t", predicate, id, err, taken)
					}
				}
			}
		})
	}
}

// prepared carries out a text by a prepared statement.
func (s *site) prepared(db *sql.DB, text string) {
	s.t.Helper()
	st, err := db.Prepare(text)
	if err != nil {
		s.t.Fatal(err)
	}
	defer st.Close()
	if _, err := st.Exec(); err != nil {
		s.t.Errorf("%s: %v", text, err)
	}
}
