package integration

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
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

// TestKeysThatTheColumnDoesNotHold: INSERT IGNORE, and a server that is not strict,
// store the nearest that it holds.
func TestKeysThatTheColumnDoesNotHold(t *testing.T) {
	columns := []struct {
		typ           string
		refused, kept []any
	}{
		{"int", []any{int64(2147483648), "-2147483649"}, []any{2147483647, "-2147483648"}},
		{"bool", []any{300, -129}, []any{true, -128, 127}},
		{"mediumint unsigned", []any{-1, 1 << 24}, []any{0xffffff, 0}},
		{"bigint(20) unsigned", []any{"18446744073709551616", -1}, []any{uint64(1<<64 - 1)}},
		{"bigint", []any{uint64(1 << 63)}, []any{int64(1<<63 - 1)}},
		{"decimal(4,2)", []any{"123.45", 100, "-100.00"}, []any{"99.99", "-99.99", "0.50", "012.5"}},
		{"decimal(4,2) unsigned", []any{"-1.5"}, []any{"1.5"}},
		{"varchar(9) CHARACTER SET latin1", []any{"a中"}, []any{"é€"}},
		{"char(9) CHARACTER SET ascii", []any{"é"}, []any{"e"}},
		{"varchar(9) CHARACTER SET utf8mb3", []any{"😀"}, []any{"中"}},
		{"varchar(9) CHARACTER SET utf8mb4", nil, []any{"😀"}},
	}
	s := newSite(t, testdb.MySQL(t))
	tables := ""
	for i, c := range columns {
		s.set(fmt.Sprintf("CREATE TABLE held%d (id %s PRIMARY KEY, ssn blob)", i, c.typ))
		tables += fmt.Sprintf("  held%d: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}\n", i)
	}
	s.protect(tables)
	for i, c := range columns {
		table := fmt.Sprintf("held%d", i)
		for _, v := range c.refused {
			if _, err := s.sealed.Exec("INSERT IGNORE INTO "+table+" (id, ssn) VALUES (?, ?)", v, ssn1); !errors.Is(err, driver.ErrValue) {
				t.Errorf("%s, %v: %v", c.typ, v, err)
			}
		}
		for _, v := range c.kept {
			s.affected(1, "INSERT IGNORE INTO "+table+" (id, ssn) VALUES (?, ?)", v, ssn1)
			s.want(ssn1, "SELECT ssn FROM "+table)
			s.affected(1, "DELETE FROM "+table)
		}
	}
}

// TestColumnsTooSmallForTheirCiphertexts: the server would cut them off where it is not
// strict.
func TestColumnsTooSmallForTheirCiphertexts(t *testing.T) {
	s := newSite(t, testdb.MySQL(t))
	s.set("CREATE TABLE small (id int PRIMARY KEY, a tinyblob, b varbinary(300), c varchar(500), d blob)")
	s.protect("  small: {row_key: [id], columns: {a: {keyring: pii, type: string}, b: {keyring: pii, type: string}, c: {keyring: pii, type: string, storage: base64}, d: {keyring: pii, type: string}}}\n")
	s.exec("INSERT INTO small (id, d) VALUES (1, ?)", ssn1)
	for _, text := range []string{"INSERT IGNORE INTO small (id, a) VALUES (2, ?)", "UPDATE IGNORE small SET b = ? WHERE id = 1", "UPDATE IGNORE small SET c = ?", "INSERT INTO small (id, a) VALUES (2, ?)"} {
		if _, err := s.sealed.Exec(text, ssn1); !errors.Is(err, driver.ErrValue) {
			t.Errorf("%s: %v", text, err)
		}
	}
	s.want("1|<nil>|<nil>|<nil>|"+ssn1, "SELECT * FROM small")
}
