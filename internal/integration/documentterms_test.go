package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// partsOfTerms set and remove values that can be searched by themselves. {v} is a value in a
// parameter or a literal.
var partsOfTerms = map[string][]string{
	"postgres": {
		"UPDATE {d} SET payload = jsonb_set(payload, '{email}', to_jsonb({v}::text)) WHERE id = 'mia'",
		"UPDATE {d} SET payload = jsonb_set(payload, '{contact,city}', to_jsonb({v}::text))",
		"UPDATE {d} SET payload = jsonb_set(payload, ARRAY['contact','city'], to_jsonb({v}::text), false), kind = 'k' WHERE kind IS NOT NULL",
		"UPDATE {d} SET payload = pg_catalog.jsonb_set(payload, '{email}', {j}, true) WHERE id IN ('mia', 'leo')",
		"UPDATE {d} SET payload = jsonb_set(payload, '{email}', {j}::jsonb, NULL) WHERE id = 'nobody'",
		"UPDATE {d} SET payload = jsonb_set(jsonb_set(payload, '{email}', to_jsonb({v}::text)), '{n}', '5') WHERE id = 'leo'",
		"UPDATE {d} SET payload = jsonb_set(jsonb_set(payload, '{contact,city}', '\"Ulm\"'), '{email}', to_jsonb({v}::text)) WHERE id = 'leo'",
		"UPDATE {d} SET payload = payload || jsonb_build_object('email', {v}::text, 'n', 8)",
		"UPDATE {d} SET payload = payload || jsonb_build_object('n', 9, 'email', {v}::text) WHERE id = 'nil'",
		"UPDATE {d} SET payload = payload || jsonb_build_object('email', NULL::text) WHERE id = 'nil'",
		"UPDATE {d} SET payload = jsonb_set(payload, '{email}', 'null') WHERE id = 'mia'",
		"UPDATE {d} SET payload = jsonb_set(payload - 'email', '{email}', to_jsonb({v}::text)) WHERE id = 'mia'",
		"UPDATE {d} SET payload = jsonb_insert(payload - 'email', '{email}', to_jsonb({v}::text)) WHERE id = 'leo'",
		"UPDATE {d} SET payload = payload - 'email' WHERE id = 'mia'",
		"UPDATE {d} SET payload = payload #- '{contact,city}' WHERE id IN ('mia', 'leo')",
		"UPDATE {d} SET payload = payload - 'email' || '{\"n\": 4}'",
		"UPDATE {d} SET payload = CASE WHEN id = 'leo' THEN jsonb_set(payload, '{email}', to_jsonb({v}::text)) WHEN id = 'mia' THEN payload - 'n' ELSE payload END",
		"UPDATE {d} SET payload = jsonb_set(coalesce(payload, '{}'), '{email}', to_jsonb({v}::text)) WHERE id = 'none'",
		"UPDATE {d} SET payload = payload || '{\"email\": \"{t}\"}' WHERE id = 'mia'",
		"UPDATE {d} SET payload = jsonb_set(payload, '{contact}', '{\"city\": \"{t}\"}') WHERE id = 'mia'",
		"UPDATE {d} SET payload = payload - 'contact' - 'items' WHERE id = 'mia'",
		"UPDATE {d} SET payload = jsonb_set(payload, '{contact,city}', to_jsonb({v}::text)) WHERE id = 'mia'",
		"UPDATE {d} SET payload = jsonb_set_lax(payload, '{email}', to_jsonb({v}::text), true, 'delete_key') WHERE id = 'mia'",
		"UPDATE {d} SET payload = jsonb_set_lax(payload, '{email}', NULL::jsonb, true, 'delete_key') WHERE id = 'mia'",
		"UPDATE {d} SET payload = jsonb_set(payload, '{email}', NULL::jsonb) WHERE id = 'nil'",
	},
	"mysql": {
		"UPDATE {d} SET payload = JSON_SET(payload, '$.email', {v}) WHERE id = 'mia'",
		"UPDATE {d} SET payload = JSON_SET(payload, '$.\"contact\".city', {v}, '$.n', 4)",
		"UPDATE {d} SET raw = JSON_SET(raw, '$.n', 5, '$.email', {v}), kind = 'k' WHERE kind IS NOT NULL",
		"UPDATE {d} SET payload = JSON_REPLACE(payload, '$.email', {v}) WHERE id IN ('mia', 'leo')",
		"UPDATE {d} SET payload = JSON_REPLACE(payload, '$.contact.city', {v}) WHERE id = 'nil'",
		"UPDATE {d} SET payload = JSON_INSERT(payload, '$.email', {v}) WHERE id = 'leo'",
		"UPDATE {d} SET payload = JSON_REMOVE(payload, '$.email') WHERE id = 'leo'",
		"UPDATE {d} SET payload = JSON_INSERT(payload, '$.n', 1, '$.email', {v}) WHERE id = 'leo'",
		"UPDATE {d} SET payload = JSON_MERGE_PATCH(payload, JSON_OBJECT('email', {v}, 'n', 4))",
		"UPDATE {d} SET payload = JSON_SET(payload, '$.email', NULL) WHERE id = 'nil'",
		"UPDATE {d} SET payload = JSON_SET(JSON_REMOVE(payload, '$.email', '$.contact.city'), '$.email', {v}) WHERE id = 'mia'",
		"UPDATE {d} SET plain = JSON_REMOVE(plain, '$.contact.city', '$.n') WHERE id IN ('mia', 'leo')",
		"UPDATE {d} SET payload = CASE WHEN id = 'leo' THEN JSON_SET(payload, '$.email', {v}) WHEN id = 'mia' THEN JSON_REMOVE(payload, '$.n') ELSE payload END",
		"UPDATE {d} SET payload = JSON_SET(coalesce(payload, '{}'), '$.email', {v}) WHERE id = 'none'",
		"UPDATE {d} SET payload = JSON_REMOVE(payload, '$.contact', '$.items') WHERE id = 'mia'",
		"UPDATE {d} SET payload = JSON_SET(payload, '$.contact.city', {v}) WHERE id = 'mia'",
		"UPDATE {d} SET payload = JSON_MERGE_PATCH(payload, JSON_OBJECT('email', NULL)) WHERE id = 'mia'",
	},
}

// TestSearchedPartsOfDocumentsAreSetAsOnATwinInClear: a value that can be searched is set and
// removed by itself, and searches find what is there afterwards.
func TestSearchedPartsOfDocumentsAreSetAsOnATwinInClear(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			d := newSearchedDocuments(t, server, "")
			d.fill()
			email, city := "JSON_UNQUOTE(JSON_EXTRACT({p}, '$.email'))", "JSON_UNQUOTE(JSON_EXTRACT({p}, '$.contact.city'))"
			if d.postgres() {
				email, city = "{p}->>'email'", "{p}->'contact'->>'city'"
			}
			n, value := 0, ""
			for _, text := range partsOfTerms[server.Name] {
				for _, literal := range []bool{false, true} {
					n++
					value = fmt.Sprintf("value-%d@secret.example", n)
					var args []any
					put := strings.NewReplacer("{v}", "'"+value+"'", "{j}", "'\""+value+"\"'", "{t}", value)
					if !literal && !strings.Contains(text, "{t}") {
						put = strings.NewReplacer("{v}", "?", "{j}", "?")
						if strings.Contains(text, "{v}") {
							args = []any{value}
						} else if strings.Contains(text, "{j}") {
							args = []any{` "` + value + `" `}
						}
					}
					d.same(put.Replace(text), args...)
					for _, part := range []string{email, city} {
						for _, column := range []string{"payload", "plain"} {
							part := strings.ReplaceAll(part, "{p}", column)
							d.same("SELECT id FROM {d} WHERE "+part+" IN (?, 'mia@secret.example', 'Kiel') ORDER BY id", value)
							d.same("SELECT id FROM {d} WHERE " + part + " IS NULL ORDER BY id")
						}
					}
				}
			}
			set := "JSON_SET(payload, '$.email', ?)"
			if d.postgres() {
				set = "jsonb_set(payload, '{email}', to_jsonb(?::text))"
			}
			part := strings.ReplaceAll(email, "{p}", "payload")
			d.same("UPDATE {d} SET payload = "+set+" WHERE "+part+" = ?", "last@secret.example", value)
			d.same("UPDATE {d} SET payload = "+set+" WHERE "+part+" = ? AND id <> ?", "last@secret.example", "last@secret.example", "x")
			d.same("UPDATE {d} SET payload = "+set+" WHERE id = 'leo'", nil)
			d.same("SELECT id FROM {d} WHERE "+part+" = ?", "last@secret.example")
			if want := 2 * len(partsOfTerms[server.Name]); n != want {
				t.Errorf("%d statements, want %d", n, want)
			}
			d.noEvents()
		})
	}
}

// TestTablesWithIndexesOverTermsAreUsedAsBefore: the index that sealsql plan prints for the terms
// of documents, and the column that it is over on MySQL, change nothing for applications.
func TestTablesWithIndexesOverTermsAreUsedAsBefore(t *testing.T) {
	for _, s := range testdb.Each(t) {
		t.Run(s.String(), func(t *testing.T) {
			d := newSearchedDocuments(t, s, "")
			srv, err := server.Named(s.Name)
			if err != nil {
				t.Fatal(err)
			}
			for _, keys := range [][]string{{"email_eq"}, {"contact", "city_eq"}} {
				for _, text := range srv.AddTermPath(server.TermPath{Table: "docs", Column: "payload", Type: "jsonb", Keys: keys}) {
					if _, err := d.bare.Exec(text); err != nil {
						t.Fatal(err)
					}
				}
			}
			d.fill()
			email, set := "JSON_UNQUOTE(JSON_EXTRACT(payload, '$.email'))", "JSON_SET(payload, '$.email', ?)"
			if d.postgres() {
				email, set = "payload->>'email'", "jsonb_set(payload, '{email}', to_jsonb(?::text))"
			}
			d.same("SELECT * FROM {d} WHERE "+email+" = ? ORDER BY id", "mia@secret.example")
			d.same("UPDATE {d} SET payload = "+set+" WHERE "+email+" = ?", "ida@secret.example", "mia@secret.example")
			d.same("SELECT id FROM {d} WHERE "+email+" = ? ORDER BY id", "ida@secret.example")
			d.same("DELETE FROM {d} WHERE "+email+" = ?", "ida@secret.example")
			d.noEvents()
		})
	}
}

// partUpserts set parts of documents in rows that an upsert or MERGE finds.
var partUpserts = map[string][]string{
	"postgres": {
		"INSERT INTO {d} AS x (id, payload) VALUES ('mia', {w}) ON CONFLICT (id) DO UPDATE SET payload = jsonb_set(x.payload, '{email}', to_jsonb({v}::text))",
		"INSERT INTO {d} AS x (id, payload) VALUES ('fresh', {w}) ON CONFLICT (id) DO UPDATE SET payload = jsonb_set(x.payload, '{contact,city}', to_jsonb({v}::text)), kind = 'k'",
		"INSERT INTO {d} AS x (id, payload) VALUES ('leo', {w}), ('other', {w}) ON CONFLICT (id) DO UPDATE SET payload = x.payload || excluded.payload",
		"INSERT INTO {d} AS x (id, payload) VALUES ('leo', {w}) ON CONFLICT (id) DO UPDATE SET payload = x.payload || jsonb_build_object('email', {v}::text), kind = excluded.kind",
		"INSERT INTO {d} AS x (id, payload) VALUES ('nil', {w}) ON CONFLICT (id) DO UPDATE SET payload = coalesce(x.payload, '{}') - 'email' WHERE x.id <> 'mia'",
		"INSERT INTO {d} AS x (id, payload) VALUES ('none', {w}) ON CONFLICT (id) DO UPDATE SET payload = coalesce(x.payload, '{}') || excluded.payload",
		"INSERT INTO {d} AS x (id, kind) VALUES ('mia', 'up') ON CONFLICT (id) DO UPDATE SET payload = jsonb_set(x.payload, '{full name}', to_jsonb({v}::text)), kind = excluded.kind",
		"INSERT INTO {c} AS x (kind, payload) VALUES ('c', {w}) ON CONFLICT (kind) DO UPDATE SET kind = excluded.kind",
		"INSERT INTO {c} AS x (kind, payload) VALUES ('a', {w}) ON CONFLICT (kind) DO UPDATE SET payload = jsonb_set(x.payload, '{email}', to_jsonb({v}::text))",
		"INSERT INTO {c} AS x (kind, payload) VALUES ('b', {w}) ON CONFLICT (kind) DO UPDATE SET payload = x.payload || excluded.payload",
		"MERGE INTO {d} x USING (SELECT 'mia' AS id) s ON x.id = s.id WHEN MATCHED THEN UPDATE SET payload = jsonb_set(x.payload, '{email}', to_jsonb({v}::text)), kind = 'merged'",
		"MERGE INTO {d} x USING (VALUES ('mia'), ('leo')) s (id) ON x.id = s.id WHEN MATCHED AND x.id = 'leo' THEN UPDATE SET payload = x.payload || jsonb_build_object('email', {v}::text) WHEN MATCHED THEN UPDATE SET payload = x.payload - 'email'",
	},
	"mysql": {
		"INSERT INTO {d} (id, payload) VALUES ('mia', {w}) ON DUPLICATE KEY UPDATE payload = JSON_SET(payload, '$.email', {v})",
		"INSERT INTO {d} (id, payload) VALUES ('fresh', {w}) ON DUPLICATE KEY UPDATE payload = JSON_SET(payload, '$.contact.city', {v}), kind = 'k'",
		"INSERT INTO {d} (id, raw) VALUES ('leo', {w}) ON DUPLICATE KEY UPDATE raw = JSON_REMOVE(raw, '$.email'), kind = VALUES(kind)",
		"INSERT INTO {d} (id, kind) VALUES ('MIA', 'up') ON DUPLICATE KEY UPDATE payload = JSON_REPLACE(payload, '$.\"full name\"', {v}), kind = VALUES(kind)",
		"INSERT INTO {d} (id, payload) VALUES ('nil', {w}) ON DUPLICATE KEY UPDATE payload = JSON_MERGE_PATCH(COALESCE(payload, '{}'), JSON_OBJECT('email', {v}))",
	},
}

// TestPartsOfDocumentsAreUpsertedAsOnATwinInClear: upserts and MERGE put protected values into the
// documents of the rows that they find, and merge proposed documents into them.
func TestPartsOfDocumentsAreUpsertedAsOnATwinInClear(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			d := newSearchedDocuments(t, server, "")
			d.fill()
			email := "JSON_UNQUOTE(JSON_EXTRACT(payload, '$.email'))"
			if d.postgres() {
				email = "payload->>'email'"
			}
			n := 0
			for _, text := range partUpserts[server.Name] {
				if strings.HasPrefix(text, "MERGE") && !server.AtLeast("postgres", 15, 0) {
					continue
				}
				for _, literal := range []bool{false, true} {
					n++
					value := fmt.Sprintf("value-%d@secret.example", n)
					doc := fmt.Sprintf(`{"email":"whole-%d@secret.example","contact":{"city":"Ulm"},"n":%d}`, n, n)
					put, args := text, []any(nil)
					for {
						at := strings.IndexByte(put, '{')
						for at >= 0 && !strings.HasPrefix(put[at:], "{v}") && !strings.HasPrefix(put[at:], "{w}") {
							next := strings.IndexByte(put[at+1:], '{')
							if at += next + 1; next < 0 {
								at = -1
							}
						}
						if at < 0 {
							break
						}
						given := map[byte]string{'v': value, 'w': doc}[put[at+1]]
						if literal {
							put = put[:at] + "'" + given + "'" + put[at+3:]
						} else {
							put, args = put[:at]+"?"+put[at+3:], append(args, given)
						}
					}
					d.same(put, args...)
					d.same("SELECT id FROM {d} WHERE "+email+" IN (?, ?, 'mia@secret.example') ORDER BY id", value, fmt.Sprintf("whole-%d@secret.example", n))
					d.same("SELECT id, payload FROM {d} ORDER BY id")
				}
			}
			if least := map[string]int{"postgres": 16, "mysql": 10}[server.Name]; n < least {
				t.Errorf("%d statements, want %d", n, least)
			}
			d.noEvents()
		})
	}
}
