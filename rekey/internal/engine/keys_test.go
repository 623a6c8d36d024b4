package engine

import (
	"fmt"
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// keyCase is a table whose row key has a certain type, and rows of it as the
// server reads them.
type keyCase struct {
	name, postgres, mysql string // types; empty: the server has none
	keys                  []string
}

// The rows of each case lie close together in the type's order and far apart in
// that of their texts, or the other way round.
var keyCases = []keyCase{
	{"bigint", "bigint", "bigint", []string{"-9223372036854775808", "-1", "0", "2", "10", "9007199254740992", "9007199254740993", "9223372036854775806", "9223372036854775807"}},
	{"unsigned", "", "bigint unsigned", []string{"0", "9", "10", "9223372036854775808", "18446744073709551614", "18446744073709551615"}},
	{"numeric", "numeric(30,3)", "decimal(30,3)", []string{"-1.5", "0.001", "2", "10", "123456789012345678901.123", "123456789012345678901.124"}},
	{"text", "text", "varchar(50)", []string{"", "10", "2", "A1", "it''s", "ü", "zz", "日本"}},
	{"case-insensitive", `text COLLATE "nocase"`, "varchar(50) COLLATE utf8mb4_general_ci", []string{"a", "B", "c", "D", "e"}},
	{"char", "char(10)", "char(10)", []string{"a", "ab", "b"}},
	{"latin1", "", "varchar(50) CHARACTER SET latin1", []string{"a", "é", "ü", "z"}},
	{"uuid", "uuid", "", []string{"00000000-0000-0000-0000-000000000001", "7fffffff-0000-0000-0000-000000000000", "80000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"}},
	{"binary", "", "varbinary(8)", []string{"a", "b", "c''"}},
	{"bytea", "bytea", "", []string{`\x00`, `\x00ff`, `\x7f`, `\x80`, `\xff00`}},
	{"timestamp", "timestamptz", "datetime(6)", []string{"1969-12-31 23:59:59.999999", "2024-02-29 00:00:00", "2024-02-29 00:00:00.000001", "2024-10-01 10:00:00", "2024-09-30 23:00:00"}},
	{"date", "date", "date", []string{"1999-12-31", "2000-01-01", "2024-02-29"}},
	{"bool", "boolean", "", []string{"false", "true"}},
}

// TestRowKeysOfEveryType: every row is reached once and bound to its key as the
// driver binds it, with pages of two rows.
func TestRowKeysOfEveryType(t *testing.T) {
	done := 0
	onBoth(t, func(t *testing.T, s *site) {
		if s.postgres() {
			s.exec("CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
		}
		p := s.policy(people)
		for _, c := range keyCases {
			typ := c.mysql
			if s.postgres() {
				typ = c.postgres
			}
			if typ == "" {
				continue
			}
			done++
			t.Run(c.name, func(t *testing.T) {
				s := *s
				s.t = t
				s.exec("CREATE TABLE people (id " + typ + " PRIMARY KEY, ssn text)")
				defer s.exec("DROP TABLE people")
				for i, k := range c.keys {
					s.exec(fmt.Sprintf("INSERT INTO people VALUES ('%s', 'value %d')", k, i))
				}
				job := s.config(Backfill, p)
				job.PageRows = 2
				s.want(s.run(job), int64(len(c.keys)), int64(len(c.keys)), 0, 0, 0)
				s.driverReads(p, len(c.keys))
				total := int64(0)
				for shard := range 3 {
					v := s.config(Verify, p)
					v.PageRows, v.Shard, v.Shards = 2, shard, 3
					total += s.run(v).Right
				}
				if total != int64(len(c.keys)) {
					t.Errorf("three shards verified %d rows of %d", total, len(c.keys))
				}
			})
		}
	})
	if want := 10 * len(testdb.Each(t)); done != want {
		t.Errorf("ran %d cases, want %d", done, want)
	}
}

// driverReads reads the whole table through the driver, which verifies each row.
func (s *site) driverReads(p *policy.Policy, rows int) {
	s.t.Helper()
	db := s.sealed(p)
	got, err := db.QueryContext(s.t.Context(), "SELECT id, ssn FROM people")
	if err != nil {
		s.t.Fatal(err)
	}
	defer got.Close()
	seen := map[string]bool{}
	for got.Next() {
		var id any
		var ssn string
		if err := got.Scan(&id, &ssn); err != nil {
			s.t.Fatal(err)
		}
		seen[ssn] = true
	}
	if err := got.Err(); err != nil || len(seen) != rows {
		s.t.Errorf("the driver read %d values of %d: %v", len(seen), rows, err)
	}
}

const composite = `
keyrings:
  pii: {kms: {keys: ["${MRK}"]}}
tables:
  app.people:
    row_key: [tenant, id]
    columns:
      ssn: {keyring: pii, type: int64, context: {tenant: tenant, id: id, region: region, kind: {value: x}}}
`

// TestCompositeKeysInASchema: three parts, one of them beside the key, and names
// that need quotes.
func TestCompositeKeysInASchema(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		p := s.policy(composite)
		if s.postgres() {
			s.exec("CREATE SCHEMA app")
		} else {
			s.exec("CREATE DATABASE IF NOT EXISTS app")
			t.Cleanup(func() { s.exec("DROP DATABASE app") })
		}
		s.exec("CREATE TABLE app.people (id bigint NOT NULL, tenant varchar(20) NOT NULL, region varchar(20), plain varchar(20), ssn bytea, PRIMARY KEY (id, tenant))")
		n := 0
		for tenant := range 4 {
			for id := range 5 {
				s.exec("INSERT INTO app.people (id, tenant, region, plain) VALUES (?, ?, ?, ?)", id*3, fmt.Sprint("t", tenant), "eu", fmt.Sprint(n))
				n++
			}
		}
		s.exec("UPDATE app.people SET region = NULL WHERE id = 0 AND tenant = 't0'")
		c := s.config(Backfill, p)
		c.Table, c.From, c.PageRows = "app.people", "plain", 3
		s.want(s.run(c), 20, 19, 0, 0, 1)
		s.want(s.run(c), 20, 0, 19, 0, 1)
		s.exec("UPDATE app.people SET region = 'us' WHERE id = 3 AND tenant = 't1'")
		v := s.config(Verify, p)
		v.Table, v.PageRows = "app.people", 7
		r := s.run(v)
		s.want(r, 20, 0, 18, 1, 1) // the row without a region holds NULL; the other was moved
		if len(r.Failures) != 1 || r.Failures[0].Reason != "mismatch" {
			t.Errorf("failures: %+v", r.Failures)
		}
	})
}
