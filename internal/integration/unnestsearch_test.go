package integration

import (
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/testing/corpus"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestRowsFoundByArrays finds rows by elements of arrays, in every mode of pgx.
func TestRowsFoundByArrays(t *testing.T) {
	mails := []string{"ada@leak.example", "dan@leak.example", "nobody@leak.example"}
	searches := []bulk{
		{"SELECT c.id, c.email FROM contacts c JOIN unnest($1::text[]) AS w(email) ON w.email = c.email ORDER BY c.id", []any{mails}},
		{"SELECT c.id FROM contacts c, unnest($1::text[]) AS w WHERE c.email = w ORDER BY c.id", []any{mails}},
		{"SELECT c.id, w.n FROM unnest($1::text[]) WITH ORDINALITY AS w(email, n) LEFT JOIN contacts c ON c.email = w.email ORDER BY w.n", []any{mails}},
		{"SELECT c.id, w.n FROM unnest($1::text[], $2::bigint[]) AS w(email, n) JOIN contacts c ON w.email = c.email AND c.id > w.n ORDER BY w.n", []any{mails, []int64{0, 7}}},
		{"SELECT id FROM contacts WHERE email IN (SELECT unnest($1::text[])) ORDER BY id", []any{mails}},
		{"SELECT id FROM contacts WHERE email NOT IN (SELECT unnest($1::text[])) ORDER BY id", []any{mails}},
		{"SELECT id FROM contacts WHERE email NOT IN (SELECT unnest($1::text[])) ORDER BY id", []any{[]*string{text("ada@leak.example"), nil}}},
		{"SELECT id FROM contacts WHERE email IN (SELECT w.m FROM unnest($1::text[]) AS w(m)) ORDER BY id", []any{mails}},
		{"SELECT id FROM contacts WHERE email IN (SELECT * FROM unnest($1::text[])) ORDER BY id", []any{mails}},
		{"SELECT id FROM contacts WHERE email = ANY(SELECT unnest($1::text[])) ORDER BY id", []any{mails}},
		{"SELECT id FROM contacts c WHERE EXISTS (SELECT 1 FROM unnest($1::text[]) AS w(m) WHERE w.m = c.email) ORDER BY id", []any{mails}},
		{"SELECT id FROM contacts c WHERE NOT EXISTS (SELECT 1 FROM unnest($1::text[]) AS w(m) WHERE w.m = c.email) ORDER BY id", []any{mails}},
		{"WITH w AS (SELECT unnest($1::text[]) AS m) SELECT c.id FROM w JOIN contacts c ON c.email = w.m ORDER BY c.id", []any{mails}},
		{"SELECT id FROM contacts WHERE (id, email) IN (SELECT unnest($1::bigint[]), unnest($2::text[])) ORDER BY id", []any{[]int64{1, 2, 4}, mails}},
		{"SELECT id FROM contacts WHERE (id, email) IN (SELECT * FROM unnest($1::bigint[], $2::text[])) ORDER BY id", []any{[]int64{1, 2, 4}, mails}},
		{"DELETE FROM contacts c USING unnest($1::text[]) AS w(m) WHERE c.email = w.m RETURNING c.id", []any{mails}},
		{"UPDATE contacts c SET name = w.n FROM unnest($1::text[], $2::text[]) AS w(m, n) WHERE c.email = w.m", []any{mails, []string{"x", "y", "z"}}},
		{"SELECT c.id FROM contacts c JOIN unnest($1::text[], $2::bigint[]) AS w(p, t) ON w.p = c.phone AND w.t = c.tenant_id ORDER BY c.id", []any{[]string{"901-11-0001", "901-11-0001", "901-11-0002"}, []int64{1, 2, 2}}},
		{"SELECT c.id FROM contacts c, unnest($1::text[]) AS w(p) WHERE w.p = c.phone AND c.tenant_id = $2 ORDER BY c.id", []any{[]string{"901-11-0001", "901-11-0002"}, 1}},
		{"SELECT code, token FROM codes JOIN unnest($1::text[]) AS w(c) ON w.c = code ORDER BY name", []any{[]string{"921-00-0003", "921-00-0001"}}},
		{"UPDATE codes SET token = w.t FROM unnest($1::text[], $2::text[]) AS w(c, t) WHERE w.c = code", []any{[]string{"921-00-0003", "921-00-0001"}, []string{"secret new", "secret newer"}}},
		{"UPDATE slots SET pin = w.p FROM unnest($1::text[], $2::text[], $3::bigint[]) AS w(c, p, r) WHERE w.c = code AND room = w.r", []any{[]string{"922-00-0001", "922-00-0002"}, []string{"secret new", "secret newer"}, []int64{2, 1}}},
		{"INSERT INTO contacts (id, email) SELECT t.id, t.m FROM unnest($1::bigint[], $2::text[]) AS t(id, m) WHERE NOT EXISTS (SELECT 1 FROM contacts c WHERE c.id = t.id)", []any{[]int64{1, 11}, mails[1:]}},
		{"INSERT INTO contacts (id, email) SELECT t.id, t.m FROM unnest($1::bigint[], $2::text[], $2::text[]) AS t(id, m, k) WHERE NOT EXISTS (SELECT 1 FROM contacts c WHERE c.email = t.k)", []any{[]int64{1, 11}, mails[1:]}},
		{"SELECT c.id FROM contacts c JOIN unnest($1::text[]) AS w(m) ON lower(w.m) = c.name ORDER BY 1", []any{[]string{"ada"}}},
	}
	servers := 0
	for _, server := range testdb.Each(t) {
		if server.Name != "postgres" {
			continue
		}
		servers++
		w := newWorld(t, server, writtenDir)
		w.watch(strings.Join(mails, " ") + " 901-11-0001 901-11-0002 921-00-0001 921-00-0003 922-00-0001 922-00-0002 secret new")
		all := modes(server.Name)
		for n, b := range searches {
			for k, m := range all {
				if m.name == "exec" && reads(b.text) || k > 1 && k != 2+n%(len(all)-2) {
					continue
				}
				w.sameOutcome(&corpus.Case{Name: m.name, Text: b.text, Args: b.args}, m)
			}
		}
		if leaks := w.proxy.Leaks(); len(leaks) > 0 {
			t.Errorf("LEAK: %v", leaks)
		}
	}
	if servers == 0 {
		t.Skip("no Postgres")
	}
}
