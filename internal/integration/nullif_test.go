package integration

import (
	"errors"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
)

// TestNullIfOfASearchableColumn: the term is NULL where the value is, so that unique terms
// take several rows without a value, and no value is lost where equality is in doubt.
func TestNullIfOfASearchableColumn(t *testing.T) {
	t.Setenv("SEALSQL_CORPUS_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	p, err := policy.Parse("test", []byte(`
version: 1
keyrings: {pii: {raw_aes: {namespace: nullif, name: key, key_env: SEALSQL_CORPUS_KEY}}}
tables: {users: {row_key: [id], columns: {email: {keyring: pii, type: string, search: {equality: {column: email_eq}}}}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	onBoth(t, func(t *testing.T, s *site) {
		s.set(map[bool]string{true: "CREATE TABLE users (id int PRIMARY KEY, email bytea, email_eq bytea UNIQUE)",
			false: "CREATE TABLE users (id int PRIMARY KEY, email blob, email_eq varbinary(32) UNIQUE)"}[s.postgres()])
		base, dsn := s.server.DSN(s.proxy.Addr(), s.database())
		s.sealed = open(t, base, dsn, driver.WithPolicy(p), driver.WithAlertFunc(s.alert))
		filled := func(when string, want int) {
			t.Helper()
			var values, terms int
			if err := s.bare.QueryRow("SELECT count(email), count(email_eq) FROM users").Scan(&values, &terms); err != nil || values != want || terms != want {
				t.Errorf("%s: %d values and %d terms, want %d, %v", when, values, terms, want, err)
			}
		}
		for i, v := range []string{"", "a@x", "", "b@x"} {
			s.exec("INSERT INTO users (id, email) VALUES (?, NULLIF(?, ''))", i, v)
		}
		filled("after INSERT", 2)
		s.want("1|a@x", "SELECT id, email FROM users WHERE email = ?", "a@x")
		s.exec("UPDATE users SET email = COALESCE(NULLIF(?, ''), email) WHERE id = 3", "")
		filled("after an UPDATE that keeps the value", 2)
		s.want("3|b@x", "SELECT id, email FROM users WHERE email = ?", "b@x")
		s.affected(1, "UPDATE users SET email = NULLIF(?, '') WHERE id = 1", "")
		filled("after UPDATE", 1)
		for _, doubtful := range []string{"NONE", "none "} {
			_, err := s.sealed.Exec(s.q("UPDATE users SET email = NULLIF(?, 'none') WHERE id = 3"), doubtful)
			if s.postgres() {
				s.want("3|"+doubtful, "SELECT id, email FROM users WHERE email = ?", doubtful)
			} else if !errors.Is(err, driver.ErrValue) {
				t.Errorf("%q, which some collations take for the literal: %v", doubtful, err)
			}
			filled(doubtful, 1)
		}
	})
}
