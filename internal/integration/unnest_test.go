package integration

import (
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/corpus"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// bulk is a statement that takes rows out of arrays.
type bulk struct {
	text string
	args []any
}

func text(s string) *string { return &s }

// bulkIDs, bulkMails and bulkCodes stand side by side.
var (
	bulkIDs   = []int64{11, 12, 13}
	bulkMails = []string{"uma@leak.example", "vic@leak.example", "wes@leak.example"}
	bulkCodes = []string{"931-00-0011", "931-00-0012", "931-00-0013"}
)

// bulks are carried out as by the bare driver.
var bulks = []bulk{
	{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), unnest($2::text[])", []any{bulkIDs, bulkCodes}},
	{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]) AS id, unnest(CAST($2 AS text[])) AS ssn RETURNING id, ssn", []any{bulkIDs, bulkCodes}},
	{"INSERT INTO contacts (id, email, ssn) SELECT unnest($1::bigint[]), unnest($2::text[]), unnest($3::text[]) RETURNING ssn, email, id", []any{bulkIDs, bulkMails, bulkCodes}},
	{"INSERT INTO contacts (id, tenant_id, phone, email) SELECT unnest($1::bigint[]), $4, unnest($2::text[]), unnest($3::text[])", []any{bulkIDs, bulkCodes, bulkMails, 7}},
	{"INSERT INTO contacts (id, tenant_id, phone, name) SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::text[]), 'x'", []any{bulkIDs, []int64{1, 2, 3}, bulkCodes}},
	{"INSERT INTO contacts (id, email) SELECT * FROM unnest($1::bigint[], $2::text[]) AS t(id, email)", []any{bulkIDs, bulkMails}},
	{"INSERT INTO contacts (id, email, ssn) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[]) t", []any{bulkIDs, bulkMails, bulkCodes}},
	{"INSERT INTO contacts (id, email, ssn) SELECT t.* FROM unnest($1::bigint[], $2::text[], $3::text[]) t(id)", []any{bulkIDs, bulkMails, bulkCodes}},
	{"INSERT INTO contacts (id, email, ssn) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[])", []any{bulkIDs, bulkMails, bulkCodes}},
	{"INSERT INTO contacts (id, email, name) SELECT t.id, t.email, upper('n') FROM unnest($1::bigint[], $2::text[]) AS t(id, email) WHERE t.id <> 12 ORDER BY t.id DESC RETURNING id, email", []any{bulkIDs, bulkMails}},
	{"INSERT INTO contacts (id, email, ssn) SELECT id, m, c FROM ROWS FROM (unnest($1::bigint[]), unnest($2::text[]), unnest($3::text[])) AS t(id, m, c)", []any{bulkIDs, bulkMails, bulkCodes}},
	{"INSERT INTO contacts (id, email, tenant_id) SELECT t.id, t.email, t.n FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS t(id, email, n) LIMIT 2", []any{bulkIDs, bulkMails}},
	{"INSERT INTO contacts (id, ssn) SELECT v.id, v.ssn FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::text[]) AS ssn) v", []any{bulkIDs, bulkCodes}},
	{"INSERT INTO contacts (id, email) SELECT v.id, v.email FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::text[]) AS email) v", []any{bulkIDs, bulkMails}},
	{"WITH v AS (SELECT * FROM unnest($1::bigint[], $2::text[]) AS t(id, email)) INSERT INTO contacts (id, email) SELECT v.id, v.email FROM v JOIN other o ON o.id = v.id - 10", []any{bulkIDs, bulkMails}},
	{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), unnest($2::text[]) UNION ALL SELECT $3, $4", []any{bulkIDs, bulkCodes, 99, "931-00-0099"}},
	{"INSERT INTO contacts (id, email) SELECT unnest($1::bigint[]), unnest($2::text[]) UNION ALL SELECT $3, $4", []any{bulkIDs, bulkMails, 99, "xia@leak.example"}},
	{"INSERT INTO contacts (id, email, ssn) SELECT unnest($1::bigint[]), unnest($2::text[]), unnest($3::text[]) ON CONFLICT DO NOTHING", []any{[]int64{1, 21}, []string{"ben@leak.example", "uma@leak.example"}, bulkCodes[:2]}},
	{"INSERT INTO contacts (id, email, ssn) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[]) ON CONFLICT (email) DO NOTHING RETURNING id", []any{[]int64{31, 21}, []string{"ben@leak.example", "uma@leak.example"}, bulkCodes[:2]}},
	{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), unnest($2::text[]) ON CONFLICT (id) DO UPDATE SET ssn = excluded.ssn RETURNING id, ssn", []any{[]int64{1, 2, 41}, bulkCodes}},
	{"INSERT INTO contacts AS c (id, email, ssn) SELECT id, e, s FROM unnest($1::bigint[], $2::text[], $3::text[]) AS t(id, e, s) ON CONFLICT (id) DO UPDATE SET ssn = excluded.ssn, email = COALESCE(c.email, excluded.email), name = 'again'", []any{[]int64{1, 3, 41}, bulkMails, bulkCodes}},
	{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), unnest($2::text[]) ON CONFLICT (id) DO UPDATE SET ssn = excluded.ssn", []any{[]int64{51, 51}, bulkCodes[:2]}},
	{"INSERT INTO contacts (id, ssn, name) SELECT t.id, t.ssn, o.name FROM unnest($1::bigint[], $2::text[]) AS t(id, ssn) LEFT JOIN other o ON o.id = t.id", []any{[]int64{11, 3 + 9}, bulkCodes[:2]}},
	{"UPDATE contacts u SET ssn = v.ssn FROM unnest($1::bigint[], $2::text[]) AS v(id, ssn) WHERE u.id = v.id", []any{[]int64{1, 2, 99}, bulkCodes}},
	{"UPDATE contacts u SET ssn = v.ssn, email = v.email, name = v.name FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS v(id, ssn, email, name) WHERE u.id = v.id RETURNING u.id, u.ssn, u.email", []any{[]int64{1, 2, 3}, bulkCodes, bulkMails, []string{"a", "b", "c"}}},
	{"UPDATE contacts SET ssn = COALESCE(v.ssn, contacts.ssn), email = v.email FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::text[]) AS ssn, unnest($3::text[]) AS email) v WHERE contacts.id = v.id", []any{[]int64{1, 2, 3}, []*string{text("931-00-0021"), nil, nil}, []*string{text("uma@leak.example"), nil, text("vic@leak.example")}}},
	{"UPDATE contacts u SET phone = v.phone FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS v(id, tenant_id, phone) WHERE u.id = v.id AND u.tenant_id = v.tenant_id", []any{[]int64{1, 2, 3}, []int64{1, 2, 2}, bulkCodes}},
	{"WITH v AS (SELECT * FROM unnest($1::bigint[], $2::text[]) AS v(id, ssn)) UPDATE contacts u SET ssn = v.ssn FROM v WHERE v.id = u.id", []any{[]int64{1, 2, 99}, bulkCodes}},
	{"INSERT INTO codes (code, token) SELECT unnest($1::text[]), unnest($2::text[])", []any{bulkCodes, bulkMails}},
	{"INSERT INTO codes (code, token, name) SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) ON CONFLICT (code) DO UPDATE SET token = excluded.token, name = 'again' RETURNING code, token", []any{[]string{"921-00-0001", "931-00-0011"}, bulkMails[:2], []string{"x", "y"}}},
	{"INSERT INTO slots (room, code, pin) SELECT r, c, p FROM unnest($1::bigint[], $2::text[], $3::text[]) AS t(r, c, p)", []any{[]int64{1, 1, 2}, bulkCodes, bulkCodes}},
	{"INSERT INTO slots (room, code, pin) SELECT $1, unnest($2::text[]), unnest($3::text[])", []any{7, bulkCodes, bulkCodes}},
	{"MERGE INTO contacts u USING unnest($1::bigint[], $2::text[]) AS v(id, ssn) ON u.id = v.id WHEN MATCHED THEN UPDATE SET ssn = v.ssn WHEN NOT MATCHED THEN INSERT (id, ssn) VALUES (v.id, v.ssn)", []any{[]int64{1, 61}, bulkCodes[:2]}},
	{"INSERT INTO contacts (id, email) SELECT i, m FROM unnest($1::bigint array, $2::text ARRAY[3]) AS t(i, m)", []any{bulkIDs, bulkMails}},
	{"UPDATE contacts SET (ssn, email) = (v.s, v.e) FROM unnest($1::bigint[], $2::text[], $3::text[]) v(i, s, e) WHERE id = v.i", []any{bulkIDs, bulkCodes, bulkMails}},
	{"INSERT INTO v_contacts (id, email) SELECT * FROM unnest($1::bigint[], $2::text[]) AS t(id, email)", []any{bulkIDs, bulkMails}},
	{"INSERT INTO serials (email) SELECT email FROM unnest($1::text[]) AS email RETURNING id", []any{bulkMails}},
	// arrays that are empty, NULL, of other lengths, or of other types
	{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), unnest($2::text[])", []any{[]int64{}, []string{}}},
	{"INSERT INTO contacts (id, email, ssn) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[])", []any{[]int64(nil), []string(nil), nil}},
	{"INSERT INTO contacts (id, email, ssn) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[])", []any{bulkIDs, []string(nil), bulkCodes[:1]}},
	{"INSERT INTO contacts (id, email, ssn) SELECT unnest($1::bigint[]), unnest($2::text[]), unnest($3::text[])", []any{bulkIDs, nil, []string{}}},
	{"INSERT INTO contacts (id, email) SELECT unnest($1::bigint[]), unnest($2::text[])", []any{"{11,12}", `{uma@leak.example,"vic@leak.example"}`}},
	{"INSERT INTO contacts (id, email) SELECT unnest($1::bigint[]), unnest($2::text[])", []any{"{{11,12},{13,14}}", `{{uma@leak.example,NULL},{"",wes@leak.example}}`}},
	{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), unnest($2::text[])", []any{[][]int64{{11, 12}, {13, 14}}, [][]string{{"931-00-0021", "931-00-0022"}, {"931-00-0023", `secret {"a,b\ c`}}}},
	{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), unnest($2::text[])", []any{[]int64{11, 12}, []sql.NullString{{String: "931-00-0021", Valid: true}, {}}}},
	{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), unnest($2::text[])", []any{pgtype.FlatArray[int64]{11, 12}, pgtype.FlatArray[pgtype.Text]{{String: "931-00-0021", Valid: true}, {}}}},
	{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), unnest($2::text[])", []any{[]*int64{new(int64)}, []*string{text("931-00-0021")}}},
	{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), unnest($2::text[])", []any{[]int{11, 12}, []string{"", "NULL"}}},
	{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), unnest($2::text[])", []any{[]int64{1}, []string{"931-00-0021"}}},
	{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), unnest($2::text[])", []any{[]int64{11}, []*string{text("931-00-0021"), nil}}},
	{"UPDATE contacts u SET ssn = v.ssn, email = v.email FROM unnest($1::bigint[], $2::text[], $3::text[]) AS v(id, ssn, email) WHERE u.id = v.id", []any{[]int64{1}, bulkCodes, bulkMails}},
	{"UPDATE contacts u SET ssn = v.ssn, email = v.email FROM unnest($2::text[], $3::text[]) AS v(ssn, email) WHERE u.id = $1", []any{nil, bulkCodes, bulkMails}},
	{"UPDATE contacts u SET ssn = v.ssn, email = v.email FROM unnest($2::text[], $3::text[]) AS v(ssn, email) WHERE u.id = $1", []any{2, bulkCodes[:1], bulkMails[:1]}},
	{"UPDATE contacts u SET ssn = $1, email = $2 WHERE id = $3", []any{bulkCodes[0], bulkMails[0], nil}},
	{"UPDATE contacts u SET phone = $1 WHERE id = $2 AND tenant_id = $3", []any{bulkCodes[0], 1, nil}},
	// row keys that the server makes
	{"INSERT INTO serials (email, ssn) SELECT unnest($1::text[]), unnest($2::text[]) RETURNING id, email, ssn", []any{bulkMails, bulkCodes}},
	{"INSERT INTO serials (email, ssn) SELECT * FROM unnest($1::text[], $2::text[]) RETURNING id, ssn", []any{bulkMails, bulkCodes}},
	{"INSERT INTO serials (ssn, name) SELECT t.s, t.n FROM unnest($1::text[], $2::text[]) AS t(s, n) RETURNING id, ssn, name", []any{bulkCodes[:1], []string{"a", "b"}}},
	{"INSERT INTO serials (ssn, name) SELECT t.s, t.n::text || 'x' FROM unnest($1::text[]) WITH ORDINALITY AS t(s, n) RETURNING id, ssn, name", []any{bulkCodes}},
	{"INSERT INTO serials (ssn, name) SELECT unnest($1::text[]), $2 RETURNING *", []any{bulkCodes, "all"}},
	{"WITH x AS (INSERT INTO serials (email, ssn) SELECT unnest($1::text[]), unnest($2::text[]) RETURNING id) SELECT id FROM x", []any{bulkMails, bulkCodes}},
	{"INSERT INTO serials (email, ssn) SELECT unnest($1::text[]), unnest($2::text[])", []any{[]string{}, nil}},
	{"INSERT INTO serials (email, ssn) SELECT unnest($1::text[]), unnest($2::text[])", []any{"{{uma@leak.example,NULL},{vic@leak.example,wes@leak.example}}", pgtype.FlatArray[string](bulkCodes)}},
	{"INSERT INTO serials (email, ssn) SELECT unnest($1::text[]), unnest($2::text[]) ON CONFLICT DO NOTHING RETURNING id", []any{[]string{"ada@leak.example", "vic@leak.example"}, bulkCodes}},
	{"INSERT INTO serials (email, ssn) SELECT unnest($1::text[]), unnest($2::text[])", []any{[]string{"ada@leak.example", "vic@leak.example"}, bulkCodes}},
	{"EXPLAIN (COSTS off) INSERT INTO serials (email, ssn) SELECT unnest($1::text[]), unnest($2::text[])", []any{bulkMails, bulkCodes}},
	{"EXPLAIN (COSTS off) UPDATE contacts u SET ssn = v.ssn FROM unnest($1::bigint[], $2::text[]) AS v(id, ssn) WHERE u.name = 'x'", []any{[]int64{1}, []string{"931-00-0021"}}},
}

// TestRowsOutOfArrays writes protected values that are elements of arrays, in every mode of
// pgx, as the bare driver writes them on the twin.
func TestRowsOutOfArrays(t *testing.T) {
	servers := 0
	for _, server := range testdb.Each(t) {
		if server.Name != "postgres" {
			continue
		}
		servers++
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, writtenDir)
			w.watch(strings.Join(append(bulkMails, bulkCodes...), " "))
			for n, b := range bulks {
				if strings.HasPrefix(b.text, "MERGE") && server.Major < 15 {
					continue
				}
				all := modes(server.Name)
				for k, m := range all {
					if k > 1 && k != 2+n%(len(all)-2) {
						continue // each statement as rows, as a result and in another mode
					}
					w.sameOutcome(&corpus.Case{Name: m.name, Text: b.text, Args: b.args}, m)
				}
			}
			if leaks := w.proxy.Leaks(); len(leaks) > 0 {
				t.Errorf("LEAK: %v", leaks)
			}
		})
	}
	if servers == 0 {
		t.Skip("no Postgres")
	}
}

// sameOutcome sends a case through sealsql and bare, compares what it returns and leaves,
// and brings the seed back.
func (w *world) sameOutcome(c *corpus.Case, m mode) {
	dbs := w.pair(m.param)
	got, want := w.run(dbs[0], c, m), w.run(dbs[1], c, m)
	if !strings.Contains(c.Text, "ORDER BY") {
		slices.Sort(got.rows)
		slices.Sort(want.rows)
	}
	if class(got.err) != class(want.err) || !slices.Equal(got.columns, want.columns) || !slices.Equal(got.rows, want.rows) || got.affected != want.affected {
		w.t.Errorf("%s: %s %v\n got: %v %v %s %v\nwant: %v %v %s %v", c.Name, c.Text, c.Args, got.columns, got.rows, got.affected, got.err, want.columns, want.rows, want.affected, want.err)
	}
	if !reads(c.Text) {
		w.held = func(w *world, c *corpus.Case) { w.checkTerms(c, searchable) }
		w.sameState(c)
	}
}

// TestRowsOutOfArraysThatAreRefused: nothing is sent where a value's row is not known, or
// where an array would be sent in clear, too.
func TestRowsOutOfArraysThatAreRefused(t *testing.T) {
	refused := []bulk{
		{"INSERT INTO contacts (id, ssn) SELECT a.id, b.ssn FROM unnest($1::bigint[]) AS a(id), unnest($2::text[]) AS b(ssn)", []any{bulkIDs, bulkCodes}},
		{"INSERT INTO contacts (id, ssn) SELECT a.id, b.ssn FROM unnest($1::bigint[]) WITH ORDINALITY AS a(id, n) JOIN unnest($2::text[]) WITH ORDINALITY AS b(ssn, n) USING (n)", []any{bulkIDs, bulkCodes}},
		{"INSERT INTO contacts (id, ssn) SELECT a.id, unnest($2::text[]) FROM unnest($1::bigint[]) AS a(id)", []any{bulkIDs, bulkCodes}},
		{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), $2", []any{bulkIDs, "931-00-0011"}},
		{"INSERT INTO contacts (id, ssn) SELECT $1, v.ssn FROM (SELECT unnest($2::text[]) AS ssn, unnest($3::bigint[]) AS n) v WHERE v.ssn <> ''", []any{77, bulkCodes, bulkIDs}},
		{"INSERT INTO contacts (id, email) SELECT ordinality + 100, unnest FROM unnest($1::text[]) WITH ORDINALITY", []any{bulkMails}},
		{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), upper(unnest($2::text[]))", []any{bulkIDs, bulkCodes}},
		{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), unnest($2::text[]) || ''", []any{bulkIDs, bulkCodes}},
		{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]) + 1, unnest($2::text[])", []any{bulkIDs, bulkCodes}},
		{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), unnest(array_append($2::text[], 'x'))", []any{bulkIDs, bulkCodes}},
		{"INSERT INTO contacts (id, ssn, name) SELECT t.id, t.ssn, t.ssn FROM unnest($1::bigint[], $2::text[]) AS t(id, ssn)", []any{bulkIDs, bulkCodes}},
		{"INSERT INTO contacts (id, ssn, email) SELECT t.id, t.ssn, t.ssn FROM unnest($1::bigint[], $2::text[]) AS t(id, ssn)", []any{bulkIDs, bulkCodes}},
		{"INSERT INTO contacts (id, ssn, name) SELECT unnest($1::bigint[]), unnest($2::text[]), unnest($2::text[])", []any{bulkIDs, bulkCodes}},
		{"INSERT INTO contacts (id, ssn, tenant_id) SELECT unnest($1::bigint[]), unnest($2::text[]), cardinality($2::text[])", []any{bulkIDs, bulkCodes}},
		{"INSERT INTO contacts (id, ssn) SELECT t.id, t.ssn FROM unnest($1::bigint[], $2::text[]) AS t(id, ssn) WHERE t.ssn <> ''", []any{bulkIDs, bulkCodes}},
		{"INSERT INTO contacts (id, ssn) SELECT t.id, t.ssn FROM unnest($1::bigint[], $2::text[]) AS t(id, ssn) ORDER BY t.ssn", []any{bulkIDs, bulkCodes}},
		{"INSERT INTO contacts (id, ssn) SELECT DISTINCT t.id, t.ssn FROM unnest($1::bigint[], $2::text[]) AS t(id, ssn)", []any{bulkIDs, bulkCodes}},
		{"INSERT INTO contacts (id, ssn) SELECT t.id, max(t.ssn) FROM unnest($1::bigint[], $2::text[]) AS t(id, ssn) GROUP BY t.id", []any{bulkIDs, bulkCodes}},
		{"INSERT INTO contacts (id, ssn) SELECT t.id, t.ssn FROM unnest($1::bigint[], $2::text[]) AS t(id, ssn) UNION SELECT 99, 'x'", []any{bulkIDs, bulkCodes}},
		{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), unnest($2::text[]) ON CONFLICT (email) DO UPDATE SET ssn = excluded.ssn", []any{bulkIDs, bulkCodes}},
		{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), unnest($2::text[]) ON CONFLICT (id) DO UPDATE SET ssn = $3", []any{bulkIDs, bulkCodes, "931-00-0077"}},
		{"INSERT INTO contacts (id, ssn) SELECT a.id, b.ssn FROM unnest($1::bigint[], $2::text[]) AS a(id, ssn), unnest($1::bigint[], $2::text[]) AS b(id, ssn)", []any{bulkIDs, bulkCodes}},
		{"WITH v AS (SELECT * FROM unnest($1::bigint[], $2::text[]) AS v(id, ssn)) INSERT INTO contacts (id, ssn) SELECT a.id, b.ssn FROM v a, v b", []any{bulkIDs, bulkCodes}},
		{"UPDATE contacts u SET ssn = v.ssn FROM unnest($1::bigint[], $2::text[]) AS v(id, ssn) WHERE u.id >= v.id", []any{[]int64{1, 2}, bulkCodes[:2]}},
		{"UPDATE contacts u SET ssn = v.ssn FROM unnest($1::text[], $2::text[]) AS v(name, ssn) WHERE u.name = v.name", []any{[]string{"Ada"}, bulkCodes[:1]}},
		{"UPDATE contacts u SET ssn = v.ssn FROM unnest($1::bigint[]) AS k(id), unnest($2::text[]) AS v(ssn) WHERE u.id = k.id", []any{[]int64{1, 2}, bulkCodes[:2]}},
		{"UPDATE contacts u SET ssn = v.ssn FROM unnest($1::bigint[]) AS k(id) LEFT JOIN unnest($1::bigint[], $2::text[]) AS v(id, ssn) ON k.id = v.id WHERE u.id = k.id", []any{[]int64{1, 2}, bulkCodes[:2]}},
		{"UPDATE contacts u SET name = v.ssn FROM unnest($1::bigint[], $2::text[]) AS v(id, ssn) WHERE u.id = v.id", []any{[]int64{1}, bulkCodes[:1]}},
		{"UPDATE contacts u SET ssn = v.ssn FROM unnest($1::bigint[], $2::text[]) AS v(id, ssn) WHERE u.id = v.id RETURNING v.ssn", []any{[]int64{1}, bulkCodes[:1]}},
		{"UPDATE contacts u SET ssn = v.ssn FROM unnest($1::bigint[], $2::text[]) AS v(id, ssn) WHERE u.id = v.id RETURNING *", []any{[]int64{1}, bulkCodes[:1]}},
		{"UPDATE contacts u SET ssn = (SELECT unnest($2::text[])) WHERE u.id = $1", []any{1, bulkCodes[:1]}},
		{"UPDATE contacts u SET ssn = ($2::text[])[1] WHERE u.id = $1", []any{1, bulkCodes[:1]}},
		{"UPDATE contacts u SET ssn = unnest($2::text[]) WHERE u.id = $1", []any{1, bulkCodes[:1]}},
		{"INSERT INTO contacts (id, ssn) VALUES (unnest($1::bigint[]), unnest($2::text[]))", []any{bulkIDs, bulkCodes}},
		{"INSERT INTO contacts (id, ssn) VALUES (unnest($1::bigint[]), $2)", []any{bulkIDs, "931-00-0011"}},
		{"INSERT INTO contacts (id, ssn) SELECT id, ssn FROM jsonb_to_recordset($1::jsonb) AS t(id bigint, ssn text)", []any{`[{"id": 11, "ssn": "931-00-0011"}]`}},
		{"INSERT INTO contacts (id, ssn) SELECT (json_populate_recordset(NULL::contacts, $1::json)).id, 'x'", []any{`[{"id": 11, "ssn": "931-00-0011"}]`}},
		{"INSERT INTO contacts SELECT * FROM json_populate_recordset(NULL::contacts, $1::json)", []any{`[{"id": 11, "ssn": "931-00-0011"}]`}},
		{"INSERT INTO contacts (id, ssn) SELECT t.n, t.s FROM string_to_table($1, ',') WITH ORDINALITY AS t(s, n)", []any{"931-00-0011,931-00-0012"}},
		{"INSERT INTO contacts (id, ssn) SELECT t.n, t.s FROM regexp_split_to_table($1, ',') WITH ORDINALITY AS t(s, n)", []any{"931-00-0011,931-00-0012"}},
		{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), unnest(string_to_array($2, ','))", []any{bulkIDs, "931-00-0011,931-00-0012"}},
		{"INSERT INTO contacts (id, ssn) SELECT unnest($1::bigint[]), regexp_split_to_table($2, ',')", []any{bulkIDs, "931-00-0011,931-00-0012"}},
		{"UPDATE contacts u SET ssn = v.ssn FROM jsonb_to_recordset($1::jsonb) AS v(id bigint, ssn text) WHERE u.id = v.id", []any{`[{"id": 1, "ssn": "931-00-0011"}]`}},
		{"UPDATE contacts u SET ssn = v->>'ssn' FROM jsonb_array_elements($1::jsonb) AS v WHERE u.id = (v->>'id')::bigint", []any{`[{"id": 1, "ssn": "931-00-0011"}]`}},
		{"INSERT INTO contacts (id, ssn) SELECT e.id, e.ssn FROM unnest($1::contacts[]) AS e", []any{"{}"}},
		{"INSERT INTO serials (email, ssn) SELECT t.e, t.s FROM unnest($1::text[], $2::text[]) AS t(e, s) ORDER BY t.e", []any{bulkMails, bulkCodes}},
		{"INSERT INTO serials (name, ssn) SELECT t.n, t.s FROM unnest($1::text[], $2::text[]) AS t(n, s) WHERE t.n <> 'x'", []any{[]string{"x"}, bulkCodes}},
		{"INSERT INTO serials (name, ssn) SELECT o.name, t.s FROM unnest($1::text[]) AS t(s), other o", []any{bulkCodes}},
		{"INSERT INTO serials (name, ssn) SELECT upper('x'), v.s FROM (SELECT unnest($1::text[]) AS s) v", []any{bulkCodes}},
		{"INSERT INTO serials (ssn, name) SELECT unnest($1::text[]), generate_series(1, 9)::text", []any{bulkCodes}},
		{"INSERT INTO serials (email, ssn) SELECT unnest($1::text[]), unnest($2::text[]) ON CONFLICT (email) DO UPDATE SET ssn = excluded.ssn", []any{bulkMails, bulkCodes}},
		{"INSERT INTO serials (ssn, email) SELECT t.* FROM unnest($1::text[]) WITH ORDINALITY AS t", []any{bulkCodes}},
		{"SELECT w.m, c.id FROM unnest($1::text[]) AS w(m) LEFT JOIN contacts c ON c.email = w.m", []any{bulkMails}},
		{"SELECT c.id FROM unnest($1::text[]) AS w(m) JOIN contacts c ON c.email = w.m ORDER BY w.m", []any{bulkMails}},
		{"SELECT c.id FROM unnest($1::text[]) AS w(m) JOIN contacts c ON c.email = w.m AND length(w.m) > 3", []any{bulkMails}},
		{"SELECT c.id FROM unnest($1::text[]) AS w(m) JOIN contacts c ON c.email = lower(w.m)", []any{bulkMails}},
		{"SELECT c.id FROM unnest($1::text[]) AS w(m) JOIN contacts c ON c.email = w.m || ''", []any{bulkMails}},
		{"SELECT c.id FROM unnest($1::text[]) AS w(m) JOIN contacts c ON c.email LIKE w.m", []any{bulkMails}},
		{"SELECT c.id FROM unnest($1::text[]) AS w(p), unnest($2::bigint[]) AS v(t), contacts c WHERE c.phone = w.p AND c.tenant_id = v.t", []any{bulkCodes, []int64{1, 1, 2}}},
		{"SELECT c.id FROM (SELECT $1 AS p, unnest($2::bigint[]) AS t) w, contacts c WHERE c.phone = w.p AND c.tenant_id = w.t", []any{bulkCodes[0], []int64{1, 1, 2}}},
		{"INSERT INTO contacts (id, ssn) SELECT unnest('{11}'::bigint[]), unnest('{931-00-0011}'::text[])", nil},
	}
	servers := 0
	for _, server := range testdb.Each(t) {
		if server.Name != "postgres" {
			continue
		}
		servers++
		w := newWorld(t, server, writtenDir)
		w.watch(strings.Join(append(bulkMails, bulkCodes...), " ") + " 931-00-0077")
		for _, m := range modes(server.Name) {
			db := w.pair(m.param)[0]
			for _, b := range refused {
				res := w.run(db, &corpus.Case{Text: b.text, Args: b.args}, m)
				r, ok := errors.AsType[*driver.RefusedError](res.err)
				if !ok || r.Hint == "" {
					t.Errorf("%s, %s: %s: %v", server, m.name, b.text, res.err)
				}
				if testing.Verbose() && m.name == "query" {
					t.Logf("%s\n  %v", b.text, res.err)
				}
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
