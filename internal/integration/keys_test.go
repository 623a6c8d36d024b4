package integration

import (
	"errors"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testdb"
	"github.com/sealsql/sealsql/policy"
)

// protect puts a policy over other tables than the usual in force.
func (s *site) protect(tables string) {
	s.t.Helper()
	p, err := policy.Parse("test", []byte("version: 1\nkeyrings: {pii: {kms: {keys: [\"${SEALSQL_TEST_KEY}\"]}}}\ntables:\n"+tables))
	if err != nil {
		s.t.Fatal(err)
	}
	connector, err := driver.Of(s.sealed)
	if err == nil {
		err = connector.Reload(p)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// set runs statements on the bare connection.
func (s *site) set(texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		if _, err := s.bare.Exec(text); err != nil {
			s.t.Fatalf("%s: %v", text, err)
		}
	}
}

// TestKeysOfADomain: a domain compares as its base type does, and may have a default.
func TestKeysOfADomain(t *testing.T) {
	s := newSite(t, testdb.Postgres(t))
	s.set("CREATE EXTENSION citext", "CREATE DOMAIN email AS citext", "CREATE DOMAIN token AS uuid DEFAULT gen_random_uuid()",
		"CREATE DOMAIN secret AS bytea DEFAULT 'unset'",
		"CREATE TABLE users (id email PRIMARY KEY, ssn bytea)", "CREATE TABLE sessions (id token PRIMARY KEY, ssn bytea)",
		"CREATE TABLE preset (id int PRIMARY KEY, ssn secret)")
	s.protect("  users: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}\n" +
		"  sessions: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}\n" +
		"  preset: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}\n")
	s.exec("INSERT INTO users (id, ssn) VALUES ('Ada@x', ?)", ssn1)
	s.affected(1, "UPDATE users SET ssn = ? WHERE id = 'ADA@X'", ssn2)
	s.want("Ada@x|"+ssn2, "SELECT id, ssn FROM users")
	s.affected(1, "INSERT INTO users (id, ssn) VALUES ('ada@X', ?) ON CONFLICT (id) DO UPDATE SET ssn = EXCLUDED.ssn", ssn3)
	s.want("Ada@x|"+ssn3, "SELECT id, ssn FROM users")

	s.exec("INSERT INTO sessions (ssn) VALUES (?)", ssn1)
	s.want(ssn1, "SELECT ssn FROM sessions")
	if _, err := s.sealed.Exec("INSERT INTO preset (id) VALUES (1)"); !errors.Is(err, driver.ErrRefused) {
		t.Errorf("a default in clear: %v", err)
	}
}

// TestAColumnThatAGeneratedKeyIsComputedFrom must stay as it is: the values would be
// lost.
func TestAColumnThatAGeneratedKeyIsComputedFrom(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		blob, view := "blob", "CREATE VIEW shown AS SELECT * FROM computed"
		if s.postgres() {
			blob = "bytea"
		}
		s.set("CREATE TABLE computed (pk int PRIMARY KEY, a int, b int, id int GENERATED ALWAYS AS (a + 1) STORED UNIQUE, ssn "+blob+")", view,
			"INSERT INTO computed (pk, a) VALUES (1, 6), (2, 7)")
		s.protect("  computed: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}\nviews: {shown: computed}\n")
		s.affected(2, "UPDATE computed SET ssn = ?, b = 1", ssn1)
		s.affected(2, "UPDATE computed SET b = 2")
		refused := []string{"UPDATE computed SET a = 9 WHERE pk = 1", "UPDATE computed SET ssn = '900-65-4321', A = 9 WHERE pk = 1", "UPDATE shown SET a = 9 WHERE pk = 1"}
		if s.postgres() {
			refused = append(refused, "INSERT INTO computed (pk, a) VALUES (1, 9) ON CONFLICT (pk) DO UPDATE SET a = EXCLUDED.a")
		} else {
			refused = append(refused, "INSERT INTO computed (pk, a) VALUES (1, 9) ON DUPLICATE KEY UPDATE a = VALUES(a)")
		}
		for _, text := range refused {
			if _, err := s.sealed.Exec(text); !errors.Is(err, driver.ErrRefused) {
				t.Errorf("%s: %v", text, err)
			}
		}
		s.want("7|"+ssn1+"\n8|"+ssn1, "SELECT id, ssn FROM computed ORDER BY id")
	})
}
