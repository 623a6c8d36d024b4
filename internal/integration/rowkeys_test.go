package integration

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
)

const rowKeyPolicy = `
version: 1
keyrings: {pii: {kms: {keys: ["${SEALSQL_TEST_KEY}"]}}}
tables:
  kv: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}
`

// TestARowKeyThatIsNotUniqueTakesNoValue writes to tables in which two rows may have one
// row key: a value would open in both. The error has the catalog's evidence.
func TestARowKeyThatIsNotUniqueTakesNoValue(t *testing.T) {
	const id, ssn = "CREATE TABLE kv (id int NOT NULL, part int NOT NULL DEFAULT 1, ", "ssn BLOB"
	cases := []struct {
		name, why string // no why: it is unique
		only      string // the server
		ddl       []string
	}{
		{"a primary key", "", "", []string{id + ssn + ", PRIMARY KEY (id))"}},
		{"a unique index", "", "", []string{id + ssn + ")", "CREATE UNIQUE INDEX kv_id ON kv (id)"}},
		{"a unique index over a nullable column", "", "", []string{"CREATE TABLE kv (id int UNIQUE, part int, " + ssn + ")"}},
		{"no key", "it has no unique key", "", []string{id + ssn + ")"}},
		{"an index that is not unique", "it has no unique key", "", []string{id + ssn + ")", "CREATE INDEX kv_id ON kv (id)"}},
		{"a key of more columns", "(part, id)", "", []string{id + ssn + ", PRIMARY KEY (part, id))"}},
		{"a partial index", "kv_id (id) of some rows", "postgres", []string{id + ssn + ")", "CREATE UNIQUE INDEX kv_id ON kv (id) WHERE part > 0"}},
		{"an index over an expression", "kv_id (an expression)", "postgres", []string{id + ssn + ")", "CREATE UNIQUE INDEX kv_id ON kv ((id + 1))"}},
		{"an exclusion constraint by another operator", "as an exclusion constraint", "postgres", []string{id + ssn + ", EXCLUDE USING btree (id WITH =))"}},
		{"an inheritance child", "the table kv_child inherits from it", "postgres", []string{id + ssn + ", PRIMARY KEY (id))", "CREATE TABLE kv_child () INHERITS (kv)"}},
		{"a deferrable primary key", "", "postgres", []string{id + ssn + ", PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED)"}},
		{"a partitioned table", "", "postgres", []string{id + ssn + ", PRIMARY KEY (id)) PARTITION BY LIST (id)", "CREATE TABLE kv_1 PARTITION OF kv DEFAULT"}},
		{"a partitioned table whose key has the partition's column", "(id, part)", "postgres", []string{id + ssn + ", PRIMARY KEY (id, part)) PARTITION BY LIST (part)", "CREATE TABLE kv_1 PARTITION OF kv DEFAULT"}},
		{"a unique index over an expression", "kv_id (an expression)", "mysql-9.7", []string{id + ssn + ")", "CREATE UNIQUE INDEX kv_id ON kv ((id + 1))"}},
		{"a partition's key", "(id, part)", "mysql", []string{id + ssn + ", PRIMARY KEY (id, part)) PARTITION BY HASH (part)"}},
	}
	ran := 0
	onBoth(t, func(t *testing.T, s *site) {
		for _, c := range cases {
			if c.only != "" && c.only != s.server.Name && c.only != s.server.String() {
				continue
			}
			ran++
			s.set("DROP TABLE IF EXISTS kv CASCADE")
			for _, text := range c.ddl {
				if s.postgres() {
					text = strings.ReplaceAll(text, "BLOB", "bytea")
				}
				s.set(text)
			}
			db, _, _ := s.under(rowKeyPolicy)
			s.set("INSERT INTO kv (id, part) VALUES (1, 1)")
			for _, text := range []string{"INSERT INTO kv (id, ssn) VALUES (2, ?)", "UPDATE kv SET ssn = ? WHERE id = 1", "UPDATE kv SET ssn = ? WHERE part = 1"} {
				_, err := db.Exec(s.q(text), ssn1)
				if c.why == "" && err != nil {
					t.Errorf("%s: %s: %v", c.name, text, err)
				}
				if c.why != "" && (!errors.Is(err, driver.ErrRefused) || !strings.Contains(err.Error(), c.why)) {
					t.Errorf("%s: %s: %v; want a refusal that says %q", c.name, text, err, c.why)
				}
			}
			for _, text := range []string{"SELECT id, ssn FROM kv", "UPDATE kv SET ssn = NULL WHERE id = 1", "UPDATE kv SET part = 2 WHERE id = 1", "DELETE FROM kv WHERE id = 1"} {
				if _, err := db.Exec(text); err != nil {
					t.Errorf("%s: %s: %v", c.name, text, err)
				}
			}
		}
	})
	if ran < 7 {
		t.Errorf("%d cases", ran)
	}
}

// TestARowKeyBecomesUnique: the mend works without a restart.
func TestARowKeyBecomesUnique(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.set("CREATE TABLE kv (id int NOT NULL, ssn " + map[bool]string{true: "bytea", false: "blob"}[s.postgres()] + ")")
		db, _, _ := s.under(rowKeyPolicy)
		insert := s.q("INSERT INTO kv (id, ssn) VALUES (1, ?)")
		if _, err := db.Exec(insert, ssn1); !errors.Is(err, driver.ErrRefused) {
			t.Errorf("without a unique key: %v", err)
		}
		s.set("ALTER TABLE kv ADD PRIMARY KEY (id)")
		// The catalog is asked again at most once a second.
		until := time.Now().Add(20 * time.Second)
		_, err := db.Exec(insert, ssn1)
		for errors.Is(err, driver.ErrRefused) && time.Now().Before(until) {
			_, err = db.Exec(insert, ssn1)
		}
		if err != nil {
			t.Errorf("with a primary key: %v", err)
		}
	})
}
