package integration

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

const searchedPaths = `{$.email: {type: string, search: {equality: {column: email_eq, normalise: [casefold]}}}, $.contact.city: {type: string, search: {equality: {column: city_eq}}}, "$.contact.phones[*]": {type: json}, '$["full name"]': {type: string}, $.score: {type: json}, "$.items[*].ssn": {type: string}}`

// newSearchedDocuments is newDocuments with two paths that can be searched.
func newSearchedDocuments(t *testing.T, server *testdb.Server, param string) *documents {
	t.Helper()
	d := newDocuments(t, server, param)
	k := sealtest.NewKMS()
	t.Cleanup(k.Close)
	t.Setenv("SEALSQL_TEST_KEY", k.CreateKey("us-east-1"))
	text := strings.Replace(strings.ReplaceAll(documentPolicy, "&1", searchedPaths), `    kms: {keys: ["${SEALSQL_TEST_KEY}"]}`, `    kms: {keys: ["${SEALSQL_TEST_KEY}"]}
    format: compact
    data_key: {per: branch, store: "sql", ttl: 1h, branch_key: docs}`, 1)
	p, err := policy.Parse("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	bareName, dsn := server.DSN(d.proxy.Addr(), d.database())
	d.sealed = open(t, bareName, dsn+param, driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")), driver.WithAlertFunc(d.alert))
	makeTable(d.site)
	if _, err := branchKeys(d.site, d.sealed).Create(t.Context(), "docs", nil); err != nil {
		t.Fatal(err)
	}
	return d
}

// documentSearches compare searchable paths. {e} is the e-mail address, {c} the city of the
// column {p}.
var documentSearches = []string{"SELECT id FROM {d} WHERE {e} = {v} ORDER BY id", "SELECT id, {p} FROM {d} WHERE {e} = {v} ORDER BY id", "SELECT {e} AS e FROM {d} WHERE {e} = {v} AND {c} = 'Kiel'", "SELECT id FROM {d} WHERE {e} IN ({v}, 'leo@secret.example') ORDER BY id", "SELECT id FROM {d} WHERE {e} = {v} OR {c} = 'Bonn' ORDER BY id",
	"SELECT id FROM {d} WHERE {v} = {e}", "SELECT id FROM {d} WHERE {e} <> {v} ORDER BY id", "SELECT id FROM {d} WHERE {e} NOT IN ({v}) AND {c} IS NOT NULL ORDER BY id", "SELECT id FROM {d} WHERE {e} IS NULL ORDER BY id", "SELECT id FROM {d} WHERE {e} = NULL", "SELECT count(*) FROM {d} WHERE {e} = {v}", "SELECT id FROM {d} WHERE NOT ({e} = {v}) ORDER BY id",
	"SELECT q.id FROM (SELECT id, {e} AS e FROM {d}) q WHERE q.e = {v} ORDER BY q.id", "WITH q AS (SELECT id, {e} AS e FROM {d}) SELECT id, e FROM q WHERE e IN ({v}) ORDER BY id", "SELECT a.id, b.id FROM {d} a JOIN {d} b ON {ae} = {be} ORDER BY a.id, b.id", "SELECT id FROM {d} WHERE EXISTS (SELECT 1 FROM {d} x WHERE {xe} = {v} AND x.id = {d}.id)", "SELECT CASE WHEN {e} = {v} THEN 1 ELSE 0 END FROM {d} ORDER BY id",
	"SELECT id FROM {d} WHERE {e} = {v} AND kind = 'p'", "SELECT id FROM {d} WHERE {c} = ? AND {e} = {v} ORDER BY id LIMIT 1"}

// TestPathsOfDocumentsAreSearchedAsOnATwinInClear: comparisons of a searchable path find what
// they find in clear, and applications see no terms.
func TestPathsOfDocumentsAreSearchedAsOnATwinInClear(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			d := newSearchedDocuments(t, server, "")
			d.fill()
			d.same("INSERT INTO {d} (id, kind, payload, plain, raw) VALUES ('two', 'p', ?, ?, ?)", miaDoc, miaDoc, miaDoc)
			forms := [][2]string{{"JSON_UNQUOTE(JSON_EXTRACT({p}, '$.email'))", "JSON_UNQUOTE(JSON_EXTRACT({p}, '$.contact.city'))"}, {"JSON_EXTRACT({p}, '$.\"email\"')", "JSON_EXTRACT({p}, '$.contact.\"city\"')"}}
			if strings.HasPrefix(server.String(), "mysql") {
				forms = append(forms, [2]string{"{p}->>'$.email'", "{p}->>'$.contact.city'"})
			}
			if d.postgres() {
				forms = [][2]string{{"{p}->>'email'", "{p}->'contact'->>'city'"}, {"{p}#>>'{email}'", "{p}#>>'{contact,city}'"}, {"{x}_extract_path_text({p}, 'email')", "{x}_extract_path_text({p}, 'contact', 'city')"}, {"({p}->>'email')::text", "({p}->'contact')->>'city'"}}
				d.same("SELECT id FROM {d} WHERE payload->>'email' = $1 OR $1::text IS NULL ORDER BY id", "mia@secret.example")
				d.same("SELECT id FROM {d} WHERE payload->>'email' = $1 OR $1::text IS NULL ORDER BY id", nil)
				documentSearches := []string{"SELECT id FROM docs WHERE payload->>'email' = ANY($1) ORDER BY id", "SELECT id FROM docs WHERE plain->>'email' <> ALL($1) ORDER BY id"}
				for _, text := range documentSearches {
					d.same(strings.Replace(text, "docs", "{d}", 1), []string{"mia@secret.example", "none"})
				}
			}
			for _, column := range []string{"payload", "plain"} {
				for _, form := range forms {
					for _, text := range documentSearches {
						if strings.HasPrefix(form[0], "JSON_EXTRACT") && strings.Contains(text, "q") {
							continue // under a name it is JSON, which MariaDB compares as text
						}
						of := func(alias string) string { return strings.ReplaceAll(form[0], "{p}", alias+column) }
						text = strings.NewReplacer("{ae}", of("a."), "{be}", of("b."), "{xe}", of("x."), "{e}", of(""), "{c}", strings.ReplaceAll(form[1], "{p}", column), "{p}", column).Replace(text)
						text = strings.ReplaceAll(text, "{x}", map[bool]string{true: "jsonb", false: "json"}[column == "payload"])
						var args []any
						if strings.Contains(text, "?") {
							args = append(args, "Kiel")
						}
						d.same(strings.ReplaceAll(text, "{v}", "'mia@secret.example'"), args...)
						if strings.Contains(text, "{v}") {
							d.same(strings.ReplaceAll(strings.Replace(text, "{v}", "?", 1), "{v}", "'x'"), append(args, "mia@secret.example")...)
						}
					}
				}
			}
			d.want("2", "SELECT count(*) FROM docs WHERE "+map[bool]string{true: "lower(payload->>'email')", false: "LOWER(JSON_UNQUOTE(JSON_EXTRACT(payload, '$.email')))"}[d.postgres()]+" = ?", "mia@secret.example")
			if d.ran < 100 {
				t.Errorf("%d statements ran", d.ran)
			}
			e := strings.ReplaceAll(forms[0][0], "{p}", "payload")
			d.same("UPDATE {d} SET kind = 'found' WHERE "+e+" = ?", "leo@secret.example")
			d.same("UPDATE {d} SET payload = ? WHERE "+e+" = ?", newDoc, "leo@secret.example")
			d.same("SELECT id FROM {d} WHERE "+e+" = ?", "new@secret.example")
			d.same("DELETE FROM {d} WHERE "+e+" IN (?, 'x')", "new@secret.example")
			var stored string
			if err := d.bare.QueryRow("SELECT raw FROM docs WHERE id = 'mia'").Scan(&stored); err != nil || strings.Count(stored, `"email_eq":"`) != 1 || strings.Count(stored, `"city_eq":"`) != 1 {
				t.Errorf("the server stores %s, %v", stored, err)
			}
			d.want(miaDoc, "SELECT raw FROM docs WHERE id = 'mia'")
			d.noEvents()
		})
	}
}

// TestIndexesOverTermsInDocumentsAnswerSearches: an index over the term's path is used.
func TestIndexesOverTermsInDocumentsAnswerSearches(t *testing.T) {
	for _, server := range testdb.Each(t) {
		if server.Name != "postgres" {
			continue // which expressions an index stands for is the optimizer's choice
		}
		t.Run(server.String(), func(t *testing.T) {
			d := newSearchedDocuments(t, server, "")
			d.put("INSERT INTO docs (id, payload) VALUES ('mia', ?)", miaDoc)
			conn, err := d.sealed.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for _, text := range []string{"CREATE INDEX term ON docs ((payload->>'email_eq'))", "ANALYZE docs"} {
				if _, err := d.bare.Exec(text); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := conn.ExecContext(t.Context(), "SET enable_seqscan = off"); err != nil {
				t.Fatal(err)
			}
			rows, err := conn.QueryContext(t.Context(), "EXPLAIN SELECT id FROM docs WHERE payload->>'email' = $1", "mia@secret.example")
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			plan := ""
			for rows.Next() {
				var line string
				if err := rows.Scan(&line); err != nil {
					t.Fatal(err)
				}
				plan += line + "\n"
			}
			if rows.Err() != nil || !strings.Contains(plan, "term") {
				t.Errorf("the plan is %s, %v", plan, rows.Err())
			}
		})
	}
}

// TestTermsInDocumentsThatWereMovedAreCaught: a row that is found by another row's term is not
// handed out, whether or not the statement shows the document.
func TestTermsInDocumentsThatWereMovedAreCaught(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			d := newSearchedDocuments(t, server, "")
			changes := map[string]func(mia, leo map[string]any){
				"another row's term":       func(mia, leo map[string]any) { mia["email_eq"] = leo["email_eq"] },
				"a term without a value":   func(mia, leo map[string]any) { mia["email_eq"] = leo["email_eq"]; delete(mia, "email") },
				"a term beside null":       func(mia, leo map[string]any) { mia["email_eq"], mia["email"] = leo["email_eq"], nil },
				"another row's value, too": func(mia, leo map[string]any) { mia["email_eq"], mia["email"] = leo["email_eq"], leo["email"] },
				"a term of another path": func(mia, leo map[string]any) {
					mia["email_eq"], mia["contact"].(map[string]any)["city_eq"] = leo["email_eq"], leo["email_eq"]
				},
				"a value in clear": func(mia, leo map[string]any) { mia["email_eq"], mia["email"] = leo["email_eq"], "eve@evil.example" },
			}
			part := "JSON_UNQUOTE(JSON_EXTRACT(payload, '$.email'))"
			if d.postgres() {
				part = "payload->>'email'"
			}
			for name, change := range changes {
				d.put("DELETE FROM docs")
				d.put("INSERT INTO docs (id, payload) VALUES ('mia', ?), ('leo', ?)", miaDoc, leoDoc)
				mia := d.storedDoc("payload", "mia")
				change(mia, d.storedDoc("payload", "leo"))
				d.plant("payload", "mia", mia)
				for _, show := range []string{"id", "payload", part + " AS e", "kind"} {
					rows, err := d.sealed.Query(d.q("SELECT "+show+" FROM docs WHERE "+part+" = ? AND id = 'mia'"), "leo@secret.example")
					if err == nil {
						for rows.Next() {
						}
						err = errors.Join(rows.Err(), rows.Close())
					}
					if err == nil {
						t.Errorf("%s: %s was handed out", name, show)
					}
				}
			}
		})
	}
}

// TestTermsInDocumentsAreOutOfReach: no statement names a term, writes one, or changes a value
// without its term.
func TestTermsInDocumentsAreOutOfReach(t *testing.T) {
	texts := map[string][]string{
		"postgres": {"SELECT payload->>'email_eq' FROM {d}", "SELECT payload->'contact'->'city_eq' FROM {d}", "SELECT id FROM {d} WHERE payload->>'email_eq' = ?", "UPDATE {d} SET payload = payload - 'email_eq'", "UPDATE {d} SET payload = payload #- ARRAY['contact','city']", "UPDATE {d} SET payload = payload #- '{contact,0,city}'", "UPDATE {d} SET payload = payload #- '{score,deep}'", "UPDATE {d} SET payload = payload #- '{email,x}'",
			"UPDATE {d} SET payload = payload - '{email}'::text[]", "UPDATE {d} SET payload = jsonb_set(payload, '{email}', to_jsonb(kind))", "UPDATE {d} SET payload = jsonb_set(payload, '{email}', to_jsonb(?::text), 1 = 1)", "INSERT INTO {d} AS x (id) VALUES ('a') ON CONFLICT (id) DO UPDATE SET payload = jsonb_set(x.payload, '{email}', to_jsonb(kind))",
			"UPDATE {d} SET payload = jsonb_set(payload, '{email_eq}', '\"x\"')", "UPDATE {d} SET payload = jsonb_set(payload, '{contact,city_eq,x}', '1')", "SELECT id FROM {d} WHERE payload->'email' = ?", "SELECT id FROM {d} WHERE payload->>'email' LIKE ?", "SELECT id FROM {d} WHERE payload->>'email' = kind", "SELECT id FROM {d} WHERE payload->>'email' = payload->'contact'->>'city'",
			"SELECT id FROM {d} WHERE payload->>'email' > ?", "SELECT id FROM {d} WHERE payload->>'full name' = ?", "SELECT id FROM {d} ORDER BY payload->>'email'", "SELECT payload->>'email' FROM {d} GROUP BY 1", "UPDATE {d} SET payload = payload || jsonb_build_object('email_eq', ?::text)", "SELECT id FROM {d} WHERE upper(payload->'contact'->>'city') = ?"},
		"mysql": {"SELECT JSON_EXTRACT(payload, '$.email_eq') FROM {d}", "SELECT id FROM {d} WHERE JSON_EXTRACT(payload, '$.contact.city_eq') = ?", "UPDATE {d} SET payload = JSON_REMOVE(payload, '$.email_eq')", "UPDATE {d} SET payload = JSON_REMOVE(payload, '$.contact[0].city')", "UPDATE {d} SET payload = JSON_REMOVE(payload, '$.score[0]')", "UPDATE {d} SET payload = JSON_INSERT(JSON_REMOVE(payload, '$.n'), '$.email', ?)", "UPDATE {d} SET payload = JSON_SET(payload, '$.email_eq', 'x')",
			"SELECT id FROM {d} WHERE JSON_EXTRACT(payload, '$.email') LIKE ?", "SELECT id FROM {d} WHERE JSON_EXTRACT(payload, '$.email') = kind", "SELECT id FROM {d} WHERE JSON_EXTRACT(payload, '$.email') = JSON_EXTRACT(payload, '$.contact.city')", "UPDATE {d} SET payload = JSON_MERGE_PATCH(payload, JSON_OBJECT('email_eq', ?))", "UPDATE {d} SET payload = JSON_SET(payload, '$.email', kind)", "UPDATE {d} SET payload = JSON_SET(payload, '$.email', UPPER(?))", "SELECT id FROM {d} WHERE UPPER(JSON_EXTRACT(payload, '$.contact.city')) = ?", "SELECT id FROM {d} WHERE LOWER(JSON_EXTRACT(payload, '$.email')) = ?",
			"SELECT id FROM {d} ORDER BY JSON_EXTRACT(payload, '$.email')", "SELECT id FROM {d} WHERE JSON_UNQUOTE(JSON_EXTRACT(payload, '$.\"full name\"')) = ?"},
	}
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			d := newSearchedDocuments(t, server, "")
			for _, text := range texts[server.Name] {
				var args []any
				for range strings.Count(text, "?") {
					args = append(args, "mia@secret.example")
				}
				d.refused(text, args...)
			}
			if d.postgres() {
				d.put("INSERT INTO docs (id, payload) VALUES ('mia', ?)", miaDoc)
				for text, want := range map[string]string{"payload ? 'tags'": "mia", "payload ? 'email'": "mia", "payload ?| '{x,n}'": "mia", "payload ?& ARRAY['n', 'score']": "mia", "payload @> '{\"n\":7}'": "mia", "payload ? 'email_eq'": "", "payload ?| ARRAY['n', 'email_eq']": "", "payload ?& '{email_eq}'": "", "payload ? kind": "", "payload @> '{\"email_eq\":\"x\"}'": ""} {
					var id string
					err := d.sealed.QueryRow("SELECT id FROM docs WHERE " + text).Scan(&id)
					if want != "" && (err != nil || id != want) || want == "" && !errors.Is(err, driver.ErrRefused) {
						t.Errorf("%s: %q, %v", text, id, err)
					}
				}
			}
			for _, doc := range []string{`{"email_eq":"x"}`, `{"\u0065mail_eq":null}`, `{"contact":[{"city_eq":1}]}`} {
				if _, err := d.sealed.Exec(d.q("INSERT INTO docs (id, payload) VALUES ('bad', ?)"), doc); !errors.Is(err, driver.ErrValue) {
					t.Errorf("%s: %v, want ErrValue", doc, err)
				}
			}
			for _, doc := range []string{`{"email":null}`, `{"email":"A","a":1}`, `{"a":1,"email":"A"}`, `[{"email":"A"},{"email":"B","x":[{"email":"open"}]}]`, ` { "email" : "A" , "contact" : { "city" : "X" } } `, `{"email":"A","email":"B"}`, `{}`, `7`} {
				d.put("DELETE FROM docs")
				d.put("INSERT INTO docs (id, payload, raw) VALUES ('x', ?, ?)", doc, doc)
				d.want(doc, "SELECT raw FROM docs")
				var shown string
				if err := d.sealed.QueryRow("SELECT payload FROM docs").Scan(&shown); err != nil || !json.Valid([]byte(shown)) || strings.Contains(shown, "_eq") {
					t.Errorf("%s is shown as %s, %v", doc, shown, err)
				}
			}
		})
	}
}
