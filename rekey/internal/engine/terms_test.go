package engine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/mysql"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/policy"
)

const termsPolicy = `
keyrings:
  pii:
    kms: {keys: ["${MRK}"]}
    data_key: {per: branch, store: sql, ttl: 15m, branch_key: shop}
tables:
  people:
    row_key: [id]
    columns:
      email: {keyring: pii, type: string, search: {equality: {column: email_eq, normalise: [casefold]%s}}}
      code: {keyring: pii, type: string, storage: base64, search: {equality: {column: code_eq, per: tenant, bits: 128}}}
`

// TestReindex fills terms that are missing, mends those that were moved, and fills the
// column of a second key; verify says which rows lack theirs.
func TestReindex(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		const n = 30
		p := s.policy(fmt.Sprintf(termsPolicy, ""))
		two := s.policy(fmt.Sprintf(termsPolicy, ", key: [{}, {branch_key: search, column: email_eq2}]"))
		s.exec("CREATE TABLE people (id BIGINT PRIMARY KEY, tenant BIGINT, email bytea, email_eq bytea, email_eq2 bytea, code TEXT, code_eq TEXT)")
		v := s.withBranchKeys(p, "shop", "search")
		for i := range n {
			row := driver.Row{"id": int64(i), "tenant": int64(i % 3)}
			s.exec("INSERT INTO people (id, tenant, email, code) VALUES (?, ?, ?, ?)", i, i%3, s.seal(v, "people", "email", row, fmt.Sprintf("User%d@example.org", i)), s.seal(v, "people", "code", row, "c"))
		}
		s.exec("INSERT INTO people (id) VALUES (1000)")
		expect := func(what string, r Report, changed, right, failed int64) {
			t.Helper()
			if r.Changed != changed || r.Right != right || r.Failed != failed {
				t.Errorf("%s: %+v; want %d changed, %d right, %d failed", what, r.Counts, changed, right, failed)
			}
		}
		job := func(mode Mode, column string) Config {
			c := s.config(mode, p)
			c.Table, c.Column = "people", column
			return c
		}
		expect("verify before", s.run(job(Verify, "email")), 0, 0, n)
		expect("reindex", s.run(job(Reindex, "email")), n, 0, 0)
		expect("reindex of base64 per tenant", s.run(job(Reindex, "code")), n, 0, 0)
		expect("reindex again", s.run(job(Reindex, "email")), 0, n, 0)
		expect("verify after", s.run(job(Verify, "email")), 0, n, 0)
		expect("verify of base64", s.run(job(Verify, "code")), 0, n, 0)
		term, err := v.Term(t.Context(), "people", "code", driver.Row{"tenant": int64(1)}, "c")
		if err != nil {
			t.Fatal(err)
		}
		var found int
		if err := s.db.QueryRow(s.q("SELECT count(*) FROM people WHERE code_eq = ?"), term).Scan(&found); err != nil || found != n/3 {
			t.Errorf("%d rows of tenant 1 have the term, want %d (%v)", found, n/3, err)
		}
		s.exec("UPDATE people SET email_eq = NULL WHERE id = 3")
		other, err := v.Term(t.Context(), "people", "email", nil, "user5@example.org")
		if err != nil {
			t.Fatal(err)
		}
		s.exec("UPDATE people SET email_eq = ? WHERE id = 4", other)
		expect("verify of a moved and a deleted term", s.run(job(Verify, "email")), 0, n-2, 2)
		expect("reindex of these", s.run(job(Reindex, "email")), 2, n-2, 0)

		c := job(Reindex, "email")
		c.Policy = two
		expect("reindex for a second key", s.run(c), n, 0, 0)
		if err := s.db.QueryRow("SELECT count(*) FROM people WHERE email_eq2 IS NOT NULL AND email_eq2 <> email_eq").Scan(&found); err != nil || found != n {
			t.Errorf("%d rows have terms of both keys, want %d (%v)", found, n, err)
		}
	})
}

// TestAnotherProcessResumesAJobOfASearchableColumn: what a policy says has one
// fingerprint, wherever it lies in memory.
func TestAnotherProcessResumesAJobOfASearchableColumn(t *testing.T) {
	t.Setenv("MRK", "arn:aws:kms:us-east-1:111122223333:key/mrk-aaaabbbbccccddddeeeeffff00001111")
	print := func(lines, more string) string {
		t.Helper()
		p, err := policy.Parse("policy", []byte("version: 1\n"+lines+fmt.Sprintf(termsPolicy, more)))
		if err != nil {
			t.Fatal(err)
		}
		j := &job{c: Config{Policy: p, Mode: Reindex, Table: "people", Column: "email"}, t: &target{table: "people", column: "email"}}
		if _, err := j.t.describe(p); err != nil {
			t.Fatal(err)
		}
		return j.fingerprint()
	}
	first := print("", "")
	for range 3 {
		if again := print("\n\n", ""); again != first {
			t.Error("the same policy has another fingerprint")
		}
	}
	if other := print("", ", bits: 128"); other == first {
		t.Error("another policy has the same fingerprint")
	}
}

// TestBackfillFillsTerms seals rows in clear, in place and from another column, and makes
// their terms under both keys. A row that is sealed already and lacks its term is left to
// reindex; a survey counts what is missing.
func TestBackfillFillsTerms(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		const n = 20
		p := s.policy(fmt.Sprintf(termsPolicy, ", key: [{}, {branch_key: search, column: email_eq2}]"))
		s.exec("CREATE TABLE people (id BIGINT PRIMARY KEY, tenant BIGINT, clear VARCHAR(50), email bytea, email_eq bytea, email_eq2 bytea, code TEXT, code_eq TEXT)")
		v := s.withBranchKeys(p, "shop", "search")
		for i := range n {
			s.exec("INSERT INTO people (id, tenant, clear, email, code) VALUES (?, ?, ?, ?, ?)", i, i%3, fmt.Sprintf("c%d", i), fmt.Appendf(nil, "User%d@example.org", i), fmt.Sprintf("c%d", i))
		}
		s.exec("INSERT INTO people (id, tenant, email) VALUES (1000, 1, ?)", s.seal(v, "people", "email", driver.Row{"id": int64(1000)}, "late@example.org"))
		s.exec("INSERT INTO people (id, tenant) VALUES (1001, 1)")
		job := func(mode Mode, column string) Config {
			c := s.config(mode, p)
			c.Table, c.Column = "people", column
			return c
		}
		survey := func(column string) []TermTally {
			t.Helper()
			got, err := Take(t.Context(), job(Verify, column))
			if err != nil {
				t.Fatal(err)
			}
			return got.Terms
		}
		if got, want := survey("email"), []TermTally{{Column: "email_eq", BranchKey: "", Filled: 0, Missing: n + 1, Stray: 0}, {Column: "email_eq2", BranchKey: "search", Filled: 0, Missing: n + 1, Stray: 0}}; !slices.Equal(got, want) {
			t.Errorf("before the backfill: %+v", got)
		}
		if r := s.run(job(Backfill, "email")); r.Changed != n || r.Skipped[reasonNoTermYet] != 1 || r.Skipped[reasonNull] != 1 || r.Failed != 0 {
			t.Errorf("backfill in place: %+v", r.Counts)
		}
		if r := s.run(job(Backfill, "code")); r.Changed != n || r.Failed != 0 {
			t.Errorf("backfill of base64 per tenant: %+v", r.Counts)
		}
		if r := s.run(job(Backfill, "email")); r.Changed != 0 || r.Right != n {
			t.Errorf("backfill again: %+v", r.Counts)
		}
		if r := s.run(job(Verify, "email")); r.Right != n || r.Failed != 1 {
			t.Errorf("verify: %+v", r.Counts)
		}
		if r := s.run(job(Verify, "code")); r.Right != n || r.Failed != 0 {
			t.Errorf("verify of base64: %+v", r.Counts)
		}
		if got, want := survey("email"), []TermTally{{Column: "email_eq", BranchKey: "", Filled: n, Missing: 1, Stray: 0}, {Column: "email_eq2", BranchKey: "search", Filled: n, Missing: 1, Stray: 0}}; !slices.Equal(got, want) {
			t.Errorf("after the backfill: %+v", got)
		}
		if r := s.run(job(Reindex, "email")); r.Changed != 1 || r.Right != n {
			t.Errorf("reindex finds other terms under the second key than backfill made: %+v", r.Counts)
		}
		s.exec("UPDATE people SET email = NULL WHERE id = 3")
		if got := survey("email")[1]; got != (TermTally{Column: "email_eq2", BranchKey: "search", Filled: n + 1, Missing: 0, Stray: 1}) {
			t.Errorf("after the reindex: %+v", got)
		}

		s.exec("UPDATE people SET code = NULL, code_eq = NULL")
		c := job(Backfill, "code")
		c.From = "clear"
		if r := s.run(c); r.Changed != n || r.Failed != 0 {
			t.Errorf("backfill from another column: %+v", r.Counts)
		}
		if r := s.run(job(Verify, "code")); r.Right != n || r.Failed != 0 {
			t.Errorf("verify of it: %+v", r.Counts)
		}
	})
}

// withBranchKeys makes branch keys in the database, and a sealer of the policy.
func (s *site) withBranchKeys(p *policy.Policy, ids ...string) *driver.ValueSealer {
	s.t.Helper()
	spelling := mysql.BranchKeySQL()
	if s.postgres() {
		spelling = postgres.BranchKeySQL()
	}
	s.exec(spelling.DDL)
	v := s.sealer(p)
	keys, err := v.BranchKeys("pii")
	for _, id := range ids {
		if err == nil {
			_, err = keys.Create(s.t.Context(), id, nil)
		}
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}
