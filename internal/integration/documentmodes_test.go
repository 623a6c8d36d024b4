package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

// TestDocumentsInEveryQueryMode reads and writes documents in each way that the base
// drivers have of sending statements.
func TestDocumentsInEveryQueryMode(t *testing.T) {
	modes := map[string][]string{
		"postgres": {"default_query_exec_mode=cache_describe", "default_query_exec_mode=describe_exec", "default_query_exec_mode=exec", "default_query_exec_mode=simple_protocol"},
		"mysql":    {"interpolateParams=true", "clientFoundRows=true&multiStatements=true", "charset=latin1", "sql_mode=NO_BACKSLASH_ESCAPES"},
	}
	for _, server := range testdb.Each(t) {
		for _, param := range modes[server.Name] {
			t.Run(server.String()+"/"+param, func(t *testing.T) {
				if param == "sql_mode=NO_BACKSLASH_ESCAPES" {
					param = "sql_mode=%27NO_BACKSLASH_ESCAPES%27"
				}
				d := newDocuments(t, server, "&"+param)
				for id, doc := range map[string]string{"mia": miaDoc, "leo": leoDoc, "new": newDoc} {
					d.put("INSERT INTO docs (id, payload, plain, raw) VALUES (?, ?, ?, ?)", id, doc, doc, doc)
				}
				if !strings.Contains(param, "BACKSLASH") {
					d.put("INSERT INTO docs (id, payload) VALUES ('lit', " + literalOf(newDoc, !d.postgres()) + ")")
				} else {
					d.put("INSERT INTO docs (id, payload) VALUES ('lit', " + literalOf(newDoc, false) + ")")
				}
				d.put("INSERT INTO counted (kind, payload) VALUES (?, ?)", "k", miaDoc)
				d.put("UPDATE docs SET payload = ? WHERE id = ?", miaDoc, "leo")
				d.put("UPDATE docs SET raw = ? WHERE kind IS NULL AND id <> 'lit'", leoDoc)
				part := "JSON_UNQUOTE(JSON_EXTRACT({p}, '$.email'))"
				if d.postgres() {
					part = "{p}->>'email'"
				}
				d.want("mia@secret.example|leo\nnew@secret.example|lit\nmia@secret.example|mia\nnew@secret.example|new", "SELECT "+strings.ReplaceAll(part, "{p}", "payload")+" AS e, id FROM docs ORDER BY id")
				d.want(leoDoc+"\n<nil>\n"+leoDoc+"\n"+leoDoc, "SELECT raw FROM docs ORDER BY id")
				d.want("mia@secret.example", "SELECT "+strings.ReplaceAll(part, "{p}", "payload")+" FROM counted WHERE kind = ?", "k")
				d.want("mia@secret.example", "SELECT q.e FROM (SELECT id, "+strings.ReplaceAll(part, "{p}", "plain")+" AS e FROM docs) q WHERE q.id = ?", "mia")
				sets := []string{"UPDATE docs SET payload = JSON_SET(payload, '$.email', ?) WHERE id = 'new'", "UPDATE docs SET payload = JSON_SET(payload, '$.email', ?) WHERE kind IS NULL AND id = 'new'", "UPDATE docs SET raw = JSON_MERGE_PATCH(raw, JSON_OBJECT('email', ?, 'n', 9)) WHERE id = 'new'"}
				if d.postgres() {
					sets = []string{"UPDATE docs SET payload = jsonb_set(payload, '{email}', to_jsonb($1::text)) WHERE id = 'new'", "UPDATE docs SET payload = jsonb_set(payload, '{email}', to_jsonb($1::text)) WHERE kind IS NULL AND id = 'new'", "UPDATE docs SET payload = payload || jsonb_build_object('email', $1::text, 'n', 9) WHERE id = 'new'"}
				}
				for i, text := range sets {
					address := fmt.Sprintf("%d.mia@secret.example", i)
					d.put(text, address)
					column := "payload"
					if strings.Contains(text, "raw =") {
						column = "raw"
					}
					d.want(address, "SELECT "+strings.ReplaceAll(part, "{p}", column)+" FROM docs WHERE id = 'new'")
				}
				d.noEvents()
			})
		}
	}
}

// documentDB opens the documents of d under another policy.
func documentDB(t *testing.T, d *documents, name string, change func(string) string, opts ...driver.Option) *sql.DB {
	t.Helper()
	k, _ := kms()
	p, err := policy.Parse("test", []byte(change(strings.ReplaceAll(documentPolicy, "&1", documentPaths))))
	if err != nil {
		t.Fatal(err)
	}
	bareName, dsn := d.server.DSN(d.proxy.Addr(), name)
	return open(t, bareName, dsn, append([]driver.Option{driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")), driver.WithAlertFunc(d.alert)}, opts...)...)
}

func (d *documents) database() (name string) {
	d.t.Helper()
	text := "SELECT database()"
	if d.postgres() {
		text = "SELECT current_database()"
	}
	if err := d.bare.QueryRow(text).Scan(&name); err != nil {
		d.t.Fatal(err)
	}
	return name
}

// TestWhatThePolicyAllowsOfDocuments: plaintext_reads and on_mismatch work on each value of
// a document.
func TestWhatThePolicyAllowsOfDocuments(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			d := newDocuments(t, server, "")
			part, whole := "JSON_UNQUOTE(JSON_EXTRACT(raw, '$.%'))", "JSON_EXTRACT(raw, '$.%')"
			if d.postgres() {
				part, whole = "raw::jsonb->>'%'", "raw::jsonb->'%'"
			}
			with := func(setting string) *sql.DB {
				return documentDB(t, d, d.database(), func(text string) string {
					return strings.ReplaceAll(text, "type: json, paths", "type: json, "+setting+", paths")
				})
			}
			read := func(db *sql.DB, what string) (string, error) {
				var shown sql.NullString
				err := db.QueryRow("SELECT " + what + " FROM docs WHERE id = 'mia'").Scan(&shown)
				if !shown.Valid {
					return "NULL", err
				}
				return shown.String, err
			}
			// In clear, half of it sealed.
			d.put("INSERT INTO docs (id, raw) VALUES ('mia', ?), ('leo', ?)", miaDoc, leoDoc)
			mia := d.storedDoc("raw", "mia")
			mia["email"], mia["score"] = "open@example.com", 5
			mia["full name"] = nil
			d.plant("raw", "mia", mia)
			allows := with("plaintext_reads: allow")
			for what, want := range map[string]string{strings.ReplaceAll(part, "%", "email"): "open@example.com", strings.ReplaceAll(whole, "%", "email"): `"open@example.com"`, strings.ReplaceAll(part, "%", "score"): "5", strings.ReplaceAll(whole, "%", "score"): "5"} {
				if got, err := read(allows, what); err != nil || got != want {
					t.Errorf("%s: %s, %v; want %s", what, got, err, want)
				}
				if got, err := read(d.sealed, what); !errors.Is(err, driver.ErrNotCiphertext) {
					t.Errorf("%s: %s, %v; want ErrNotCiphertext", what, got, err)
				}
			}
			if got, err := read(allows, "raw"); err != nil || !strings.Contains(got, `"email":"open@example.com"`) || !strings.Contains(got, "0301-5550001") {
				t.Errorf("%s, %v", got, err)
			}
			// Moved from another row.
			mia = d.storedDoc("raw", "mia")
			mia["email"], mia["score"] = d.storedDoc("raw", "leo")["email"], nil
			d.plant("raw", "mia", mia)
			nulls, alerts := with("on_mismatch: 'null'"), with("on_mismatch: alert_only")
			if got, err := read(nulls, "raw"); err != nil || !strings.Contains(got, `"email":null`) {
				t.Errorf("on_mismatch: null: %s, %v", got, err)
			}
			if got, err := read(nulls, strings.ReplaceAll(part, "%", "email")); err != nil || got != "NULL" {
				t.Errorf("on_mismatch: null: %s, %v", got, err)
			}
			if got, err := read(alerts, strings.ReplaceAll(part, "%", "email")); err != nil || got != "leo@secret.example" {
				t.Errorf("on_mismatch: alert_only: %s, %v", got, err)
			}
			kinds := map[alert.Kind]bool{}
			d.mu.Lock()
			defer d.mu.Unlock()
			for _, e := range d.events {
				if e.Column == "raw.email" {
					kinds[e.Kind] = true
				}
			}
			if !kinds[alert.Mismatch] || !kinds[alert.NotCiphertext] || !kinds[alert.PlaintextRead] {
				t.Errorf("the events are %v", kinds)
			}
		})
	}
}

// TestDocumentsOfCompactValues: the same guarantees in the compact format.
func TestDocumentsOfCompactValues(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			d := newDocuments(t, server, "")
			name := d.database()
			k := sealtest.NewKMS()
			t.Cleanup(k.Close)
			t.Setenv("SEALSQL_TEST_KEY", k.CreateKey("us-east-1"))
			compact := documentDB(t, d, name, func(text string) string {
				return strings.Replace(text, `    kms: {keys: ["${SEALSQL_TEST_KEY}"]}`, `    kms: {keys: ["${SEALSQL_TEST_KEY}"]}
    format: compact
    data_key: {per: branch, store: "sql", ttl: 1h, branch_key: docs}`, 1)
			}, driver.WithAWSConfig(k.AWSConfig("us-east-1")))
			makeTable(d.site)
			if _, err := branchKeys(d.site, compact).Create(t.Context(), "docs", nil); err != nil {
				t.Fatal(err)
			}
			d.sealed = compact
			d.fill()
			for _, text := range documentReads(d.postgres())[:40] {
				d.same(text)
			}
			mia := d.storedDoc("payload", "mia")
			mia["email"] = mia["full name"]
			d.plant("payload", "mia", mia)
			if err := compact.QueryRow("SELECT payload FROM docs WHERE id = 'mia'").Scan(new(any)); !errors.Is(err, driver.ErrUnauthentic) {
				t.Errorf("a value of another path: %v", err)
			}
		})
	}
}
