package integration

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// documentPolicy protects paths of documents in columns of every type.
const documentPolicy = `
version: 1
keyrings:
  pii:
    kms: {keys: ["${SEALSQL_TEST_KEY}"]}
tables:
  docs:
    row_key: [id]
    columns:
      payload: {keyring: pii, type: json, paths: &1}
      plain: {keyring: pii, type: json, paths: &1}
      raw: {keyring: pii, type: json, paths: &1}
  counted:
    row_key: [id]
    columns:
      payload: {keyring: pii, type: json, paths: &1}
`

const documentPaths = `{$.email: {type: string}, "$.contact.phones[*]": {type: json}, "$.items[*].ssn": {type: string}, '$["full name"]': {type: string}, $.score: {type: json}}`

var documentSchema = map[string][]string{
	"postgres": {
		`CREATE TABLE {d} (id varchar(20) PRIMARY KEY, kind text, payload jsonb, plain json, raw text)`,
		`CREATE TABLE {c} (id bigserial PRIMARY KEY, kind varchar(20) UNIQUE, payload jsonb NOT NULL DEFAULT '{}')`,
	},
	"mysql": {
		`CREATE TABLE {d} (id varchar(20) PRIMARY KEY, kind text, payload json, plain json, raw longtext)`,
		`CREATE TABLE {c} (id bigint AUTO_INCREMENT PRIMARY KEY, kind varchar(20) UNIQUE, payload json)`,
	},
}

// documentSecrets are the protected values of the tests' documents.
var documentSecrets = []string{"mia@secret.example", "leo@secret.example", "new@secret.example", "0301-5550001", "0301-5550002", "0301-5550003", "078-05-1120", "219-09-9999", "Mia O'Secret", `Leo \"Quote\" Secret`, "98765432123"}

const (
	miaDoc = `{"email":"mia@secret.example","action":"login","contact":{"city":"Kiel","phones":["0301-5550001","0301-5550002"]},"items":[{"sku":"a","ssn":"078-05-1120"},{"sku":"b","ssn":"219-09-9999"}],"full name":"Mia O'Secret","score":98765432123,"n":7,"tags":["x","y"]}`
	leoDoc = `{"action":"logout","email":"leo@secret.example","contact":{"city":"Bonn","phones":[]},"items":[],"full name":"Leo \"Quote\" Secret","score":{"deep":[98765432123,true]},"n":3,"tags":[]}`
	nilDoc = `{"action":"none","email":null,"contact":{"phones":"0301-5550003"},"score":null,"n":1}`
	newDoc = `{"email":"new@secret.example","action":"\"it's\" \\ new","n":2,"score":[1,"new@secret.example"]}`
)

// documents is a database with documents, sealed and on a twin in clear.
type documents struct {
	*site
	ran int
	// longer is true if types may differ as those of longer texts, and of texts that may be
	// NULL, do.
	longer bool
}

// types are the types of a result as comparisons take them.
func (d *documents) types(outcome string) string {
	outcome = strings.ReplaceAll(outcome, "_twin", "")
	head, rows, _ := strings.Cut(outcome, "\n")
	if d.longer {
		head = strings.NewReplacer("LONGTEXT sql.NullString", "TEXT", "LONGTEXT string", "TEXT", "TEXT sql.NullString", "TEXT", "VARCHAR sql.NullString", "TEXT", "VARCHAR string", "TEXT").Replace(head)
	}
	return head + "\n" + rows
}

func newDocuments(t *testing.T, server *testdb.Server, param string, opts ...driver.Option) *documents {
	t.Helper()
	name := server.NewDatabase(t)
	s := &site{t: t, server: server, bare: server.Open(t, name), proxy: server.Proxy(t)}
	for _, ddl := range documentSchema[server.Name] {
		for _, tables := range [][2]string{{"docs", "counted"}, {"docs_twin", "counted_twin"}} {
			if _, err := s.bare.Exec(strings.NewReplacer("{d}", tables[0], "{c}", tables[1]).Replace(ddl)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.proxy.Watch(documentSecrets...); err != nil {
		t.Fatal(err)
	}
	for _, secret := range documentSecrets {
		emitted.secret(secret)
	}
	k, arn := kms()
	t.Setenv("SEALSQL_TEST_KEY", arn)
	p, err := policy.Parse("test", []byte(strings.ReplaceAll(documentPolicy, "&1", documentPaths)))
	if err != nil {
		t.Fatal(err)
	}
	bareName, dsn := server.DSN(s.proxy.Addr(), name)
	s.sealed = open(t, bareName, dsn+param, append([]driver.Option{driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")), driver.WithAlertFunc(s.alert)}, opts...)...)
	return &documents{site: s}
}

// canonical writes a cell so that JSON texts which mean the same are equal.
func canonical(v any) string {
	text := fmt.Sprint(v)
	if b, ok := v.([]byte); ok {
		text = string(b)
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var decoded any
	if strings.ContainsAny(text[:min(1, len(text))], `{["`) && d.Decode(&decoded) == nil {
		again, err := json.Marshal(decoded)
		if err == nil {
			return string(again)
		}
	}
	return text
}

// outcome runs a statement and returns all that it shows.
func outcome(db *sql.DB, text string, args []any) (string, error) {
	rows, err := db.Query(text, args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return "", err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return "", err
	}
	lines := []string{fmt.Sprint(names)}
	for _, c := range types {
		lines[0] += fmt.Sprint(" ", c.DatabaseTypeName(), " ", c.ScanType())
	}
	for rows.Next() {
		cells := make([]any, len(names))
		for i := range cells {
			cells[i] = new(any)
		}
		if err := rows.Scan(cells...); err != nil {
			return "", err
		}
		var line []string
		for _, c := range cells {
			v := *c.(*any)
			line = append(line, fmt.Sprintf("%T %s", v, canonical(v)))
		}
		lines = append(lines, strings.Join(line, " | "))
	}
	return strings.Join(lines, "\n"), rows.Err()
}

// same runs a statement on the sealed tables and, bare, on their twins, and compares what
// it shows and what it leaves behind.
func (d *documents) same(text string, args ...any) {
	d.t.Helper()
	d.ran++
	on := func(suffix string) string {
		return d.q(strings.NewReplacer("{d}", "docs"+suffix, "{c}", "counted"+suffix).Replace(text))
	}
	read := strings.HasPrefix(text, "SELECT") || strings.HasPrefix(text, "WITH") || strings.Contains(text, "RETURNING") || strings.HasPrefix(text, "TABLE")
	if read {
		want, wantErr := outcome(d.bare, on("_twin"), args)
		got, err := outcome(d.sealed, on(""), args)
		if wantErr != nil || err != nil || d.types(got) != d.types(want) {
			d.t.Errorf("%s\n got: %s, %v\nwant: %s, %v", text, got, err, want, wantErr)
		}
		if strings.HasPrefix(text, "SELECT") {
			return
		}
	} else {
		res, wantErr := d.bare.Exec(on("_twin"), args...)
		own, err := d.sealed.Exec(on(""), args...)
		if wantErr != nil || err != nil {
			d.t.Errorf("%s: %v, want %v", text, err, wantErr)
			return
		}
		want, _ := res.RowsAffected()
		if got, err := own.RowsAffected(); err != nil || got != want {
			d.t.Errorf("%s: %d rows, %v; want %d", text, got, err, want)
		}
	}
	for _, table := range []string{"docs", "counted"} {
		if d.t.Failed() {
			return // the first difference is enough
		}
		want, wantErr := outcome(d.bare, "SELECT * FROM "+table+"_twin ORDER BY id", nil)
		got, err := outcome(d.sealed, "SELECT * FROM "+table+" ORDER BY id", nil)
		if wantErr != nil || err != nil || got != want {
			d.t.Errorf("after %s\n got: %s, %v\nwant: %s, %v", text, got, err, want, wantErr)
		}
	}
}

// refused says that a statement is refused with a hint, and nothing is sent.
func (d *documents) refused(text string, args ...any) {
	d.t.Helper()
	d.ran++
	text = d.q(strings.NewReplacer("{d}", "docs", "{c}", "counted").Replace(text))
	rows, err := d.sealed.Query(text, args...)
	if err == nil {
		_ = rows.Close()
	}
	var refusal *driver.RefusedError
	if !errors.As(err, &refusal) || refusal.Hint == "" {
		d.t.Errorf("%s: %v, want a refusal with a hint", text, err)
	}
}

func literalOf(doc string, mysql bool) string {
	if mysql {
		doc = strings.ReplaceAll(doc, `\`, `\\`)
	}
	return "'" + strings.ReplaceAll(doc, "'", "''") + "'"
}

// fill writes the documents of the tests, in every way of writing rows.
func (d *documents) fill() {
	mysql := !d.postgres()
	d.same("INSERT INTO {d} (id, kind, payload, plain, raw) VALUES (?, ?, ?, ?, ?)", "mia", "p", miaDoc, miaDoc, miaDoc)
	d.same("INSERT INTO {d} (id, kind, payload, plain, raw) VALUES ('leo', 'l', " + literalOf(leoDoc, mysql) + ", " + literalOf(leoDoc, mysql) + ", " + literalOf(leoDoc, mysql) + ")")
	d.same("INSERT INTO {d} VALUES (?, ?, ?, ?, ?), (?, ?, NULL, NULL, NULL)", "nil", "n", []byte(nilDoc), nilDoc, nilDoc, "none", nil)
	d.same("INSERT INTO {c} (kind, payload) VALUES (?, ?), ('b', ?)", "a", miaDoc, leoDoc)
}

func documentReads(postgres bool) (list []string) {
	columns := []string{"payload", "plain"}
	reads := []string{"SELECT {p} FROM {d} ORDER BY id", "SELECT id, {p} FROM {d} WHERE id = 'mia'", "SELECT d.{p} AS doc, d.id FROM {d} d ORDER BY 2", "SELECT q.{p} FROM (SELECT id, {p} FROM {d}) q ORDER BY q.id",
		"SELECT id FROM {d} WHERE {p} IS NULL ORDER BY id", "SELECT id FROM {d} WHERE {p} IS NOT NULL ORDER BY id", "SELECT count({p}) FROM {d}",
		"WITH q AS (SELECT * FROM {d}) SELECT {p}, id FROM q ORDER BY id", "SELECT a.{p}, b.{p} FROM {d} a JOIN {d} b ON a.id = b.id ORDER BY a.id"}
	if postgres {
		columns = append(columns, "raw::jsonb", "raw::json")
		reads = append(reads,
			"SELECT {p}->>'email' FROM {d} ORDER BY id", "SELECT {p}->'email' AS e, id FROM {d} ORDER BY id", "SELECT {p}#>>'{email}' FROM {d} ORDER BY id", "SELECT {p}#>'{\"email\"}' FROM {d} WHERE 1 = 0",
			"SELECT {p}->>'full name' FROM {d} ORDER BY id", "SELECT {p}->'score' FROM {d} ORDER BY id", "SELECT {p}->>'score' FROM {d} ORDER BY id",
			"SELECT {p}->'contact'->'phones'->>0 FROM {d} ORDER BY id", "SELECT {p}#>'{contact,phones,1}' FROM {d} ORDER BY id", "SELECT {p}#>>ARRAY['items','0','ssn'] FROM {d} ORDER BY id", "SELECT {p}->'items'->-1->'ssn' FROM {d} ORDER BY id",
			"SELECT {x}_extract_path_text({p}, 'email') FROM {d} ORDER BY id", "SELECT {x}_extract_path({p}, 'items', '1', 'ssn') FROM {d} ORDER BY id",
			"SELECT id FROM {d} WHERE {p}->>'action' = 'login'", "SELECT id FROM {d} WHERE {p}->>'action' ILIKE 'LOG%' ORDER BY id", "SELECT {p}->'contact'->>'city', count(*) FROM {d} GROUP BY 1 ORDER BY 1",
			"SELECT id, {p}->'n' FROM {d} ORDER BY ({p}->>'n')::int DESC NULLS LAST", "SELECT DISTINCT {p}->>'action' FROM {d} ORDER BY 1", "SELECT max(({p}->>'n')::int), min({p}#>>'{contact,city}') FROM {d}",
			"SELECT id FROM {d} WHERE payload @> '{\"action\":\"login\"}' ORDER BY id", "SELECT id FROM {d} WHERE payload @> '{\"items\":[{\"sku\":\"b\"}],\"contact\":{\"phones\":[]}}'::jsonb", "SELECT id FROM {d} WHERE '{\"tags\":[\"y\"]}' <@ payload", "SELECT id FROM {d} WHERE raw::jsonb @> '{\"n\":3}' ORDER BY id",
			"SELECT id FROM {d} WHERE ({p}->'n')::text IN ('7', '3') AND {p}#>>'{tags,0}' = 'x'", "SELECT coalesce({p}->>'action', 'nothing') FROM {d} ORDER BY id", "SELECT {p}->'items'->0->>'sku' FROM {d} ORDER BY id",
			"SELECT id FROM {d} WHERE {p}->>'email' IS NULL ORDER BY id", "SELECT id FROM {d} WHERE {p}->'contact'->'phones'->0 IS NOT NULL ORDER BY id", "SELECT {p}->>'action' || '!' FROM {d} UNION SELECT kind FROM {d} ORDER BY 1",
			"SELECT d.{p}->>'email', e.{p}->>'action' FROM {d} d JOIN {d} e ON d.{p}->>'action' = e.{p}->>'action' ORDER BY d.id", "SELECT id, {p}, {p}->>'email', {p}->'email' FROM {d} ORDER BY id",
			"SELECT id FROM {d} WHERE {p}->>'action' = ANY(ARRAY['login', 'none']) ORDER BY id", "SELECT CASE WHEN {p}->>'action' = 'login' THEN 1 ELSE 0 END FROM {d} ORDER BY id", "SELECT json_agg({p}->'n' ORDER BY id) FROM {d}")
	} else {
		columns = append(columns, "raw")
		reads = append(reads,
			"SELECT JSON_EXTRACT({p}, '$.email') FROM {d} ORDER BY id", "SELECT JSON_UNQUOTE(JSON_EXTRACT({p}, '$.email')) AS e, id FROM {d} ORDER BY id", "SELECT json_extract({p}, '$.\"full name\"') FROM {d} ORDER BY id",
			"SELECT JSON_UNQUOTE(JSON_EXTRACT({p}, '$.\"full name\"')) FROM {d} ORDER BY id", "SELECT JSON_EXTRACT({p}, '$.score') FROM {d} ORDER BY id", "SELECT JSON_UNQUOTE(JSON_EXTRACT({p}, '$.score')) FROM {d} ORDER BY id",
			"SELECT JSON_EXTRACT({p}, '$.contact.phones[0]') FROM {d} WHERE id <> 'nil' ORDER BY id", "SELECT JSON_UNQUOTE(JSON_EXTRACT({p}, '$.items[1].ssn')) FROM {d} ORDER BY id", "SELECT id, {p}, JSON_EXTRACT({p}, '$.email') FROM {d} ORDER BY id",
			"SELECT id FROM {d} WHERE JSON_EXTRACT({p}, '$.action') = 'login'", "SELECT id FROM {d} WHERE JSON_UNQUOTE(JSON_EXTRACT({p}, '$.action')) LIKE 'log%' ORDER BY id", "SELECT JSON_VALUE({p}, '$.action') FROM {d} ORDER BY id",
			"SELECT JSON_UNQUOTE(JSON_EXTRACT({p}, '$.contact.city')) AS c, count(*) FROM {d} GROUP BY c ORDER BY c", "SELECT id, JSON_EXTRACT({p}, '$.n') FROM {d} ORDER BY JSON_EXTRACT({p}, '$.n'), id", "SELECT DISTINCT JSON_EXTRACT({p}, '$.action') FROM {d} ORDER BY 1",
			"SELECT max(JSON_EXTRACT({p}, '$.n') + 0) FROM {d}", "SELECT id FROM {d} WHERE JSON_CONTAINS({p}, '\"login\"', '$.action') ORDER BY id", "SELECT id FROM {d} WHERE JSON_CONTAINS({p}, '{\"n\":3}') ORDER BY id", "SELECT id FROM {d} WHERE JSON_CONTAINS_PATH({p}, 'one', '$.tags', '$.email') ORDER BY id", "SELECT id FROM {d} WHERE JSON_EXTRACT({p}, '$.tags[0]') = 'x'", "SELECT coalesce(JSON_UNQUOTE(JSON_EXTRACT({p}, '$.action')), 'nothing') FROM {d} ORDER BY id",
			"SELECT id FROM {d} WHERE JSON_EXTRACT({p}, '$.email') IS NULL ORDER BY id", "SELECT id FROM {d} WHERE JSON_EXTRACT({p}, '$.items[0].ssn') IS NOT NULL ORDER BY id", "SELECT JSON_EXTRACT({p}, '$.action', '$.n') FROM {d} WHERE 1 = 0",
			"SELECT JSON_EXTRACT(d.{p}, '$.email'), JSON_EXTRACT(e.{p}, '$.action') FROM {d} d JOIN {d} e ON JSON_EXTRACT(d.{p}, '$.action') = JSON_EXTRACT(e.{p}, '$.action') ORDER BY d.id",
			"SELECT JSON_EXTRACT({p}, '$.action') FROM {d} UNION SELECT kind FROM {d} ORDER BY 1", "SELECT CASE WHEN JSON_EXTRACT({p}, '$.action') = 'login' THEN 1 ELSE 0 END FROM {d} ORDER BY id", "SELECT JSON_EXTRACT({p}, '$.items[0].sku') FROM {d} ORDER BY id",
			"SELECT id FROM {d} WHERE JSON_UNQUOTE(JSON_EXTRACT({p}, '$.action')) IN ('login', 'none') ORDER BY id")
	}
	for _, p := range columns {
		for _, text := range reads {
			text = strings.ReplaceAll(text, "{x}", map[bool]string{true: "jsonb", false: "json"}[strings.HasSuffix(p, "payload") || strings.HasSuffix(p, "jsonb")])
			if strings.Contains(p, "::") {
				if !strings.Contains(text, "({p}, ") && !strings.Contains(text, "{p}-") && !strings.Contains(text, "{p}#") || strings.Contains(text, ".{p}") || strings.Contains(text, "{p},") {
					continue
				}
				text = strings.ReplaceAll(text, "{p}", "("+p+")")
			}
			list = append(list, strings.ReplaceAll(text, "{p}", p))
		}
	}
	return list
}

// documentPartReads show protected paths, and parts that hold some, in every place that may
// show a protected column.
func documentPartReads(server string) (list []string) {
	list = []string{"SELECT q.e, q.id FROM (SELECT id, {email} AS e FROM {d}) q ORDER BY q.id", "WITH q AS (SELECT id, {email} AS e FROM {d}) SELECT e FROM q ORDER BY id", "SELECT q.* FROM (SELECT {email} AS e, id AS i FROM {d} WHERE id <> 'nil') q ORDER BY i",
		"SELECT a.e, b.e FROM (SELECT id, {email} AS e FROM {d}) a JOIN (SELECT id, {contact} AS e FROM {d}) b ON a.id = b.id ORDER BY a.id", "SELECT d.kind, q.e FROM {d} d LEFT JOIN (SELECT id, {email} AS e FROM {d} WHERE kind = 'p') q ON q.id = d.id ORDER BY d.id",
		"SELECT id, {email} AS e FROM {d} UNION ALL SELECT id, {email} FROM {d} ORDER BY id", "SELECT id, {email} AS e FROM {d} UNION ALL SELECT id, NULL FROM {d} WHERE kind = 'p' ORDER BY id", "SELECT q.e FROM (SELECT id, {email} AS e FROM {d} UNION ALL SELECT id, {email} FROM {d}) q ORDER BY q.id",
		"SELECT id, {email} AS e FROM {d} UNION SELECT id, {email} FROM {d} ORDER BY id", "SELECT CASE WHEN id = 'mia' THEN {email} END FROM {d} ORDER BY id", "SELECT CASE id WHEN 'mia' THEN {email} ELSE NULL END AS e FROM {d} ORDER BY id",
		"SELECT {contact} FROM {d} ORDER BY id", "SELECT {phones} AS p, id FROM {d} ORDER BY id", "SELECT {items} FROM {d} ORDER BY id", "SELECT {item} FROM {d} ORDER BY id", "SELECT {root} FROM {d} ORDER BY id", "SELECT {text} AS t FROM {d} ORDER BY id",
		"SELECT q.id, {within} FROM (SELECT id, {contact} AS c FROM {d}) q ORDER BY q.id", "SELECT count(q.e), count(*) FROM (SELECT {email} AS e FROM {d}) q", "SELECT q.id FROM (SELECT id, {email} AS e FROM {d}) q WHERE q.e IS NOT NULL ORDER BY q.id",
		"SELECT id FROM {d} WHERE {contact} IS NULL ORDER BY id", "SELECT coalesce({astext}, 'it''s none') FROM {d} ORDER BY id", "SELECT coalesce({astext}, '') AS e FROM {d} ORDER BY id", "SELECT coalesce(q.e, '') FROM (SELECT {astext} AS e, id FROM {d}) q ORDER BY id", "SELECT id, {email} FROM {d} WHERE {action} = 'login'",
		"SELECT {email}, count(*) OVER () FROM {d} ORDER BY id", "SELECT DISTINCT id, {email} AS e FROM {d} ORDER BY id", "WITH RECURSIVE r AS (SELECT id, {email} AS e FROM {d} WHERE id = 'mia' UNION ALL SELECT d.id, {email2} FROM {d} d JOIN r ON r.id = 'mia' AND d.id = 'leo') SELECT id, e FROM r ORDER BY id"}
	names := map[string][]string{}
	if strings.HasPrefix(server, "postgres") {
		names["{email}"] = []string{"payload->>'email'", "payload->'email'", "plain#>>'{email}'", "jsonb_extract_path_text(payload, 'email')", "json_extract_path(plain, 'email')", "payload['email']", "(payload->'email')::text", "(raw::jsonb)->>'email'"}
		names["{astext}"] = []string{"payload->>'email'", "plain->>'full name'"}
		names["{contact}"] = []string{"payload->'contact'", "payload->>'contact'", "plain#>'{contact}'", "payload['contact']"}
		if n, _ := strconv.Atoi(strings.TrimPrefix(server, "postgres-")); n >= 17 {
			names["{email}"] = append(names["{email}"], "JSON_VALUE(payload, '$.email')", "json_value(raw::jsonb, '$.\"email\"')")
			names["{action}"] = append(names["{action}"], "JSON_VALUE(payload, '$.action')")
		}
		names["{phones}"] = []string{"payload->'contact'->'phones'", "plain#>>'{contact,phones}'"}
		names["{items}"] = []string{"payload->'items'", "plain->>'items'"}
		names["{item}"] = []string{"payload->'items'->0", "plain->'items'->>1", "payload#>'{items,-1}'", "payload['items'][0]"}
		names["{root}"] = []string{"payload#>'{}'", "plain#>>'{}'"}
		names["{text}"] = []string{"payload::text", "CAST(plain AS text)", "plain::jsonb", "payload::json", "payload::jsonb::text", "raw::jsonb"}
		names["{within}"] = []string{"q.c->'phones'", "q.c->'phones'->>0", "q.c->>'city'"}
		names["{action}"] = []string{"payload->>'action'"}
	} else {
		names["{email}"] = []string{"JSON_EXTRACT(payload, '$.email')", "JSON_UNQUOTE(JSON_EXTRACT(plain, '$.email'))", "JSON_EXTRACT(raw, '$.\"email\"')"}
		names["{astext}"] = []string{"JSON_UNQUOTE(JSON_EXTRACT(raw, '$.email'))", "JSON_VALUE(plain, '$.email')", "JSON_VALUE(payload, '$.\"full name\"')"}
		names["{email}"] = append(names["{email}"], "JSON_VALUE(payload, '$.email')")
		names["{contact}"] = []string{"JSON_EXTRACT(payload, '$.contact')", "JSON_UNQUOTE(JSON_EXTRACT(raw, '$.contact'))"}
		names["{phones}"] = []string{"JSON_EXTRACT(payload, '$.contact.phones')", "JSON_UNQUOTE(JSON_EXTRACT(plain, '$.contact.phones'))"}
		names["{items}"] = []string{"JSON_EXTRACT(payload, '$.items')"}
		names["{item}"] = []string{"JSON_EXTRACT(payload, '$.items[0]')", "JSON_UNQUOTE(JSON_EXTRACT(raw, '$.items[1]'))"}
		names["{root}"] = []string{"JSON_EXTRACT(payload, '$')", "JSON_UNQUOTE(JSON_EXTRACT(plain, '$'))"}
		names["{text}"] = []string{"CAST(payload AS CHAR)", "CAST(raw AS CHAR)", "CAST(JSON_EXTRACT(payload, '$.email') AS BINARY)"}
		names["{within}"] = []string{"JSON_EXTRACT(q.c, '$.phones')", "JSON_UNQUOTE(JSON_EXTRACT(q.c, '$.phones[0]'))", "JSON_EXTRACT(q.c, '$.city')"}
		names["{action}"] = []string{"JSON_UNQUOTE(JSON_EXTRACT(payload, '$.action'))"}
		if strings.HasPrefix(server, "mysql") {
			names["{email}"] = append(names["{email}"], "payload->>'$.email'", "plain->'$.email'")
		}
	}
	var all []string
	for _, text := range list {
		forms := 1
		for name, spelled := range names {
			if strings.Contains(text, name) {
				forms = max(forms, len(spelled))
			}
		}
		for i := range forms {
			one, row := text, strings.NewReplacer("payload", "d.payload", "plain", "d.plain", "raw", "d.raw")
			for name, spelled := range names {
				one = strings.ReplaceAll(one, name, spelled[i%len(spelled)])
				one = strings.ReplaceAll(one, strings.Replace(name, "}", "2}", 1), row.Replace(spelled[i%len(spelled)]))
			}
			if strings.Contains(one, "plain") && (strings.Contains(one, "DISTINCT") || strings.Contains(one, "UNION SELECT")) || strings.Contains(one, ">>'contact' AS c") {
				continue // json has no equality, and text no parts
			}
			all = append(all, one)
		}
	}
	return all
}

// TestPartsOfDocumentsAreReadAsOnATwinInClear: a protected path, or a part that holds some,
// is shown wherever a protected column may be.
func TestPartsOfDocumentsAreReadAsOnATwinInClear(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			d := newDocuments(t, server, "")
			d.fill()
			d.longer = !d.postgres()
			for _, text := range documentPartReads(server.String()) {
				if !d.postgres() || !strings.Contains(text, "payload['") || server.AtLeast("postgres", 14, 0) {
					d.same(text)
				}
			}
			if d.ran < 60 {
				t.Errorf("%d statements ran", d.ran)
			}
			d.noEvents()
		})
	}
}

// TestDocumentsAreReadAsOnATwinInClear: whatever part of a document a statement may read
// is what the bare driver reads of documents in clear.
func TestDocumentsAreReadAsOnATwinInClear(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			d := newDocuments(t, server, "")
			d.fill()
			reads := documentReads(d.postgres())
			if strings.HasPrefix(server.String(), "mysql") { // MariaDB has no such operators
				reads = append(reads, "SELECT payload->'$.email', plain->>'$.email' FROM {d} ORDER BY id", "SELECT payload->>'$.\"full name\"' AS name FROM {d} ORDER BY id", "SELECT id FROM {d} WHERE payload->>'$.action' = 'login' AND payload->'$.n' > 1", "SELECT payload->'$.contact.phones[0]', payload->'$.action' FROM {d} WHERE id = 'mia'")
			}
			for _, text := range reads {
				d.same(text)
			}
			if d.ran < 90 {
				t.Errorf("%d statements ran", d.ran)
			}
			d.noEvents()
		})
	}
}

func (d *documents) noEvents() {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.events {
		if e.Kind.String() != "refused" {
			d.t.Errorf("an event: %+v", e)
		}
	}
}

func documentWrites(postgres bool) []string {
	writes := []string{
		"UPDATE {d} SET payload = ? WHERE id = 'mia'", "UPDATE {d} SET raw = ?, kind = 'u' WHERE id = 'leo'", "UPDATE {d} SET payload = NULL WHERE id = 'nil'", "UPDATE {d} SET plain = CASE WHEN id = 'mia' THEN {v} ELSE plain END",
		"UPDATE {d} SET payload = ? WHERE kind IN ('p', 'u')", "UPDATE {d} SET id = 'moved' WHERE id = 'leo'", "UPDATE {d} SET payload = coalesce({v}, payload) WHERE id = 'moved'", "UPDATE {d} SET id = 'leo', raw = ? WHERE id = 'moved'",
		"UPDATE {c} SET payload = ? WHERE kind = 'a'", "INSERT INTO {c} (kind, payload) VALUES ('c', ?), ('d', {v})", "INSERT INTO {d} (id, payload) SELECT 'sel', {v}", "INSERT INTO {d} (id, kind, payload) SELECT 'sel2', kind, {v} FROM {c} WHERE kind = 'a'",
		"DELETE FROM {d} WHERE id = 'sel2'", "UPDATE {d} SET kind = 'only' WHERE id = 'sel'", "UPDATE {c} SET payload = '{\"email\":\"\",\"a\":[]}' WHERE kind = 'd'",
	}
	if postgres {
		return append(writes,
			"INSERT INTO {d} (id, payload, raw) VALUES ('mia', ?, {v}) ON CONFLICT (id) DO UPDATE SET payload = excluded.payload, raw = excluded.raw", "INSERT INTO {d} (id, payload) VALUES ('up', {v}) ON CONFLICT DO NOTHING",
			"INSERT INTO {d} AS x (id, payload) VALUES ('up', ?) ON CONFLICT (id) DO UPDATE SET payload = jsonb_set(x.payload, '{n}', '9')", "INSERT INTO {c} (kind) VALUES ('default') RETURNING kind, payload", "INSERT INTO {c} (kind, payload) VALUES ('dflt', DEFAULT)",
			"INSERT INTO {d} (id, payload) VALUES ('ret', ?) RETURNING id, payload, payload->>'email', payload->'action'", "UPDATE {d} SET payload = ? WHERE id = 'ret' RETURNING payload", "DELETE FROM {d} WHERE id = 'ret' RETURNING payload->>'email' AS e",
			"UPDATE {d} SET payload = jsonb_set(payload, '{action}', '\"set\"') WHERE id = 'mia'", "UPDATE {d} SET payload = jsonb_set(payload, '{contact,city}', to_jsonb(kind)) WHERE kind IS NOT NULL", "UPDATE {d} SET payload = jsonb_insert(payload, '{tags,0}', '\"first\"')",
			"UPDATE {d} SET payload = payload || '{\"action\":\"merged\",\"more\":{\"email\":1}}' WHERE id = 'mia'", "UPDATE {d} SET payload = payload || jsonb_build_object('action', kind, 'n', 5)", "UPDATE {d} SET payload = payload - 'tags' WHERE id <> 'nil'",
			"UPDATE {d} SET payload = payload #- '{contact,city}'", "UPDATE {d} SET payload = jsonb_set(jsonb_set(coalesce(payload, '{}'), '{n}', '1'), '{action}', '\"twice\"'), kind = 'x'", "UPDATE {d} SET payload = payload || '{\"b\":1}'::jsonb, raw = ? WHERE id = 'mia'",
			"WITH w AS (UPDATE {d} SET payload = {v} WHERE id = 'mia' RETURNING id, payload) SELECT id, payload FROM w", "MERGE INTO {d} t USING (SELECT 'mia' AS id) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET payload = {v}",
			"UPDATE {d} SET payload = CASE WHEN payload->>'action' = 'login' THEN payload || '{\"seen\":true}' ELSE payload END", "DELETE FROM {d} WHERE payload->>'action' = 'login' AND id = 'up'")
	}
	return append(writes,
		"INSERT INTO {d} (id, payload, raw) VALUES ('mia', ?, {v}) ON DUPLICATE KEY UPDATE payload = VALUES(payload), raw = VALUES(raw)", "INSERT IGNORE INTO {d} (id, payload) VALUES ('up', {v})", "REPLACE INTO {d} (id, payload) VALUES ('up', ?)",
		"INSERT INTO {d} SET id = 'set', payload = ?", "INSERT INTO {d} (id, payload) VALUES ('up', ?) ON DUPLICATE KEY UPDATE payload = JSON_SET(payload, '$.n', 9)", "INSERT INTO {c} (kind, payload) VALUES ('a', ?) ON DUPLICATE KEY UPDATE payload = VALUES(payload)",
		"INSERT INTO {c} (kind, payload) VALUES ('a', ?), ('e', {v}) ON DUPLICATE KEY UPDATE kind = VALUES(kind), payload = VALUES(payload)", "INSERT INTO {c} (kind) VALUES ('f')",
		"UPDATE {d} SET payload = JSON_SET(payload, '$.action', 'set') WHERE id = 'mia'", "UPDATE {d} SET payload = JSON_SET(payload, '$.action', kind, '$.n', 5), kind = 'y'", "UPDATE {d} SET payload = JSON_REPLACE(payload, '$.contact.city', 'Ulm')",
		"UPDATE {d} SET payload = JSON_INSERT(payload, '$.extra', JSON_OBJECT('email', 1))", "UPDATE {d} SET payload = JSON_REMOVE(payload, '$.tags', '$.extra') WHERE id <> 'nil'", "UPDATE {d} SET raw = JSON_ARRAY_APPEND(raw, '$.tags', 'z') WHERE id = 'mia'",
		"UPDATE {d} SET payload = JSON_MERGE_PATCH(payload, '{\"action\":\"merged\",\"more\":{\"email\":1}}') WHERE id = 'mia'", "UPDATE {d} SET payload = JSON_MERGE_PATCH(payload, JSON_OBJECT('action', kind))", "UPDATE {d} SET payload = JSON_MERGE_PRESERVE(payload, '{\"n\":4}') WHERE id = 'leo'",
		"UPDATE {d} SET payload = JSON_SET(JSON_SET(coalesce(payload, '{}'), '$.n', 1), '$.action', 'twice'), raw = ? WHERE id = 'mia'", "UPDATE {d} SET payload = IF(JSON_EXTRACT(payload, '$.n') = 1, JSON_SET(payload, '$.seen', 1), payload)",
		"DELETE FROM {d} WHERE JSON_EXTRACT(payload, '$.n') = 1 AND id = 'up'")
}

// documentEdits set, remove and merge protected values of documents.
var documentEdits = map[string][]string{
	"postgres": {"UPDATE {d} SET payload = jsonb_set(payload, '{email}', to_jsonb({s}::text)) WHERE id = 'mia'", "UPDATE {d} SET payload = jsonb_set(payload, '{email}', to_jsonb({s}::text))", "UPDATE {d} SET payload = jsonb_set(payload, '{email}', {j})", "UPDATE {d} SET payload = jsonb_set(payload, '{score}', {o}) WHERE kind IS NOT NULL",
		"UPDATE {d} SET payload = jsonb_set(payload, '{contact,phones,0}', {j}) WHERE id = 'mia'", "UPDATE {d} SET payload = jsonb_set(payload, '{contact,phones,-1}', to_jsonb({s}::text)) WHERE id = 'mia'", "UPDATE {d} SET payload = jsonb_insert(payload, '{contact,phones,0}', {j}) WHERE id = 'mia'", "UPDATE {d} SET payload = jsonb_set(payload, '{contact}', {p}) WHERE id = 'leo'",
		"UPDATE {d} SET payload = jsonb_set(payload, '{contact}', '{\"phones\":[\"0301-5550001\"],\"city\":\"Ulm\"}'::jsonb) WHERE id = 'leo'", "UPDATE {d} SET payload = jsonb_set(jsonb_set(coalesce(payload, '{}'), '{email}', to_jsonb({s}::text)), '{n}', '5'), kind = 'both'", "UPDATE {d} SET payload = payload || {o}", "UPDATE {d} SET payload = payload || {o} WHERE id = 'mia'", "UPDATE {d} SET payload = payload || ?::jsonb WHERE id = 'leo'",
		"UPDATE {d} SET payload = payload || '{\"email\":\"new@secret.example\"}'", "UPDATE {d} SET payload = payload || jsonb_build_object('email', {s}::text, 'action', 'built') WHERE id = 'mia'", "UPDATE {d} SET payload = payload || jsonb_build_object('full name', {s}::text)", "UPDATE {d} SET payload = payload || jsonb_build_object('email', {j}::jsonb)",
		"UPDATE {d} SET payload = payload - 'email' WHERE id = 'leo'", "UPDATE {d} SET payload = payload - 'contact' WHERE id = 'leo'", "UPDATE {d} SET payload = payload #- '{contact,phones,0}'", "UPDATE {d} SET payload = jsonb_set(payload, '{email}', 'null') WHERE id = 'leo'", "UPDATE {d} SET payload = jsonb_set(payload, '{email}', {j}, false) WHERE id = 'leo'", "UPDATE {d} SET payload = jsonb_set(payload, '{email}', NULL) WHERE id = 'sel'",
		"UPDATE {d} SET payload = CASE WHEN kind = 'both' THEN jsonb_set(payload, '{email}', to_jsonb({s}::text)) ELSE payload END", "UPDATE {d} x SET payload = jsonb_set(x.payload, '{email}', {j}) FROM {c} y WHERE y.kind = 'a' AND x.id = 'mia'", "UPDATE {d} SET payload = jsonb_set(payload, '{email}', to_jsonb({s}::text)) WHERE id = 'mia' RETURNING id, payload->>'email'", "UPDATE {c} SET payload = jsonb_set(payload, '{email}', to_jsonb({s}::text))",
		"WITH w AS (UPDATE {d} SET payload = payload || {o} WHERE id = 'mia' RETURNING id, payload) SELECT id, payload FROM w", "UPDATE {d} SET payload = jsonb_set(payload, '{items,0,ssn}', {j}) WHERE id = 'mia'", "UPDATE {d} SET payload = payload || '[{\"email\":\"new@secret.example\"}]' WHERE id = 'nil'", "UPDATE {d} SET payload = jsonb_set(payload, '{items}', '[{\"ssn\":\"078-05-1120\",\"sku\":\"z\"}]') WHERE id = 'mia'"},
	"mysql": {"UPDATE {d} SET payload = JSON_SET(payload, '$.email', {s}) WHERE id = 'mia'", "UPDATE {d} SET payload = JSON_SET(payload, '$.email', {s})", "UPDATE {d} SET raw = JSON_SET(raw, '$.email', {s}, '$.n', 5)", "UPDATE {d} SET payload = JSON_SET(payload, '$.score', {i}) WHERE kind IS NOT NULL", "UPDATE {d} SET payload = JSON_REPLACE(payload, '$.contact.phones[0]', {s}) WHERE id = 'mia'",
		"UPDATE {d} SET payload = JSON_INSERT(payload, '$.email', {s}) WHERE id = 'nil'", "UPDATE {d} SET payload = JSON_ARRAY_APPEND(payload, '$.contact.phones', {s}) WHERE id = 'mia'", "UPDATE {d} SET payload = JSON_ARRAY_INSERT(payload, '$.contact.phones[0]', {s}) WHERE id = 'mia'", "UPDATE {d} SET payload = JSON_SET(JSON_SET(coalesce(payload, '{}'), '$.email', {s}), '$.n', 5), kind = 'both'",
		"UPDATE {d} SET payload = JSON_REMOVE(payload, '$.email') WHERE id = 'leo'", "UPDATE {d} SET payload = JSON_REMOVE(payload, '$.contact', '$.score') WHERE id = 'leo'", "UPDATE {d} SET payload = JSON_REMOVE(payload, '$.contact.phones[0]') WHERE id = 'mia'", "UPDATE {d} SET payload = JSON_SET(payload, '$.email', NULL) WHERE id = 'leo'", "UPDATE {d} SET payload = JSON_MERGE_PATCH(payload, JSON_OBJECT('email', {s}, 'action', 'built'))",
		"UPDATE {d} SET payload = IF(kind = 'both', JSON_SET(payload, '$.\"full name\"', {s}), payload)", "UPDATE {d} x JOIN {c} y ON y.kind = 'a' SET x.payload = JSON_SET(x.payload, '$.email', {s}) WHERE x.id = 'mia'", "UPDATE {c} SET payload = JSON_SET(payload, '$.email', {s})", "UPDATE {d} SET payload = JSON_SET(payload, '$.items[0].ssn', {s}) WHERE id = 'mia'", "UPDATE {d} SET payload = JSON_SET(payload, '$.score', {f}, '$.\"email\"', {s}) WHERE id = 'mia'"},
}

// TestPartsOfDocumentsAreSetAsOnATwinInClear: protected values of documents are set by
// themselves where they are parameters or literals.
func TestPartsOfDocumentsAreSetAsOnATwinInClear(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			d := newDocuments(t, server, "")
			d.fill()
			given := map[string]struct {
				literal string
				arg     any
			}{"{s}": {`'new@secret.example'`, `it's "new@secret.example" \ é`}, "{j}": {`'"new@secret.example"'`, `"new@secret.example \u00e9"`}, "{o}": {`'{"email":"new@secret.example","score":[98765432123]}'`, []byte(`{"email":"leo@secret.example","contact":{"phones":["0301-5550002",null]},"x":[1]}`)}, "{p}": {`'{"phones":["0301-5550003"]}'`, `{"city":"Ulm","phones":["0301-5550002",null]}`}, "{i}": {"?", int64(98765432123)}, "{f}": {"?", 2.5}}
			for _, text := range documentEdits[d.server.Name] {
				for _, literal := range []bool{false, true} {
					var args []any
					one := text
					if strings.Contains(one, "?::jsonb") {
						args = append(args, miaDoc)
					}
					for i := strings.Index(one, "{"); i >= 0; i = nextGiven(one, i) {
						g, ok := given[one[i:min(i+3, len(one))]]
						if !ok {
							continue
						}
						if n, ok := g.arg.(int64); ok {
							g.arg = 100*n + int64(d.ran) // a value that is there already is no change in clear
						}
						with := g.literal
						if !literal || with == "?" {
							with, args = "?", append(args, g.arg)
						}
						one = one[:i] + with + one[i+3:]
					}
					d.same(one, args...)
				}
			}
			if d.ran < 36 {
				t.Errorf("%d statements ran", d.ran)
			}
			for _, id := range []string{"mia", "leo"} {
				var text string
				if err := d.bare.QueryRow("SELECT payload FROM docs WHERE id = '" + id + "'").Scan(&text); err != nil || strings.Contains(text, "secret") || strings.Contains(text, "5550") {
					t.Errorf("what the server stores: %s, %v", text, err)
				}
			}
			d.noEvents()
		})
	}
}

// TestValuesOfAnotherTypeAreNotSetInDocuments: a part is set to a value of the policy's type
// or not at all, and the error quotes nothing.
func TestValuesOfAnotherTypeAreNotSetInDocuments(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			d := newDocuments(t, server, "")
			d.put("INSERT INTO docs (id, payload, raw) VALUES ('mia', ?, ?)", miaDoc, miaDoc)
			before := d.storedDoc("payload", "mia")
			texts := map[string]any{"UPDATE docs SET payload = JSON_SET(payload, '$.email', ?)": 98765432123, "UPDATE docs SET payload = JSON_SET(payload, '$.email', ?) WHERE id = 'mia'": 2.5, "UPDATE docs SET payload = JSON_MERGE_PATCH(payload, JSON_OBJECT('email', ?))": []int{1}, "UPDATE docs SET raw = JSON_SET(raw, '$.email', ?, '$.n', 1)": "\xffmia@secret.example"}
			if d.postgres() {
				texts = map[string]any{"UPDATE docs SET payload = jsonb_set(payload, '{email}', $1)": "98765432123", "UPDATE docs SET payload = jsonb_set(payload, '{email}', $1) WHERE id = 'mia'": "mia@secret.example", "UPDATE docs SET payload = payload || $1": `{"email":["mia@secret.example"]}`,
					"UPDATE docs SET payload = payload || jsonb_build_object('email', $1::jsonb)": `{"a":"mia@secret.example"}`, "UPDATE docs SET payload = jsonb_set(payload, '{contact,phones,0}', to_jsonb($1::text))": "\xff0301-5550001", "UPDATE docs SET payload = jsonb_set(payload, '{items}', $1)": `{"ssn":98765432123}`}
			}
			for text, arg := range texts {
				if _, err := d.sealed.Exec(text, arg); err == nil || d.server.Name == "mysql" && strings.Contains(fmt.Sprintf("%T", arg), "[]") {
					if err == nil {
						t.Errorf("%s with %v was sent", text, arg)
					}
				} else if !errors.Is(err, driver.ErrValue) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "98765") {
					t.Errorf("%s: %v, want ErrValue without the value", text, err)
				}
			}
			if after := d.storedDoc("payload", "mia"); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Error("the document changed")
			}
		})
	}
}

// nextGiven is where the next brace stands after i, or -1.
func nextGiven(text string, i int) int {
	next := strings.Index(text[i+1:], "{")
	if next < 0 {
		return -1
	}
	return i + 1 + next
}

// TestDocumentsAreWrittenAsOnATwinInClear: each statement that writes a document, or parts
// of one that are not protected, leaves behind what the bare driver leaves in clear.
func TestDocumentsAreWrittenAsOnATwinInClear(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			d := newDocuments(t, server, "")
			d.fill()
			values := 0
			for _, text := range documentWrites(d.postgres()) {
				if d.postgres() && strings.HasPrefix(text, "MERGE") && !server.AtLeast("postgres", 15, 0) {
					continue
				}
				fresh := func() string { // a value that is there already is no change on MySQL, unless it is sealed anew
					values++
					return strings.Replace(newDoc, "{", fmt.Sprintf(`{"values":%d,`, values), 1)
				}
				var args []any
				for range strings.Count(text, "?") {
					args = append(args, fresh())
				}
				d.same(strings.ReplaceAll(text, "{v}", literalOf(fresh(), !d.postgres())), args...)
			}
			if d.ran < 35 {
				t.Errorf("%d statements ran", d.ran)
			}
			d.noEvents()
		})
	}
}

// notDocumentUses are statements that need a protected value of a document, or more than the
// server can do with one.
var notDocumentUses = map[string][]string{
	"both": {"SELECT upper({p}) FROM {d}", "SELECT id FROM {d} ORDER BY {p}", "SELECT DISTINCT {p} FROM {d}", "SELECT {p}, count(*) FROM {d} GROUP BY {p}", "SELECT id FROM {d} WHERE {p} = '{}'", "SELECT length({p}) FROM {d}",
		"SELECT id FROM {d} WHERE {p} LIKE '%mia%'", "SELECT coalesce({p}, '{}') FROM {d}", "SELECT max({p}) FROM {d}", "INSERT INTO {d} (id, kind) SELECT 'x', {p} FROM {d}", "UPDATE {d} SET kind = {p}", "UPDATE {d} SET payload = raw", "UPDATE {d} SET {p} = upper({p})",
		"SELECT concat({p}, '') FROM {d}", "SELECT d FROM {d} d WHERE length({p}) > 0"},
	"postgres": {"SELECT id FROM {d} WHERE payload @> '{\"contact\":{\"phones\":\"x\"}}'", "SELECT id FROM {d} WHERE payload @> '[{\"email\":\"x\"}]'", "SELECT id FROM {d} WHERE payload <@ '{\"n\":1}'", "SELECT id FROM {d} WHERE payload->'contact' @> '{\"phones\":[\"x\"]}'", "SELECT id FROM {d} WHERE payload @> '{\"\\u0065mail\":\"x\"}'", "SELECT id FROM {d} WHERE payload @> raw::jsonb", "SELECT id FROM {d} WHERE payload @> '{\"score\":{}}'",
		"SELECT id FROM {d} WHERE jsonb_path_exists(payload, '$.action')", "SELECT id FROM {d} WHERE payload @@ '$.n == 1'",
		"UPDATE {d} SET payload = jsonb_set(payload, '{email}', to_jsonb(kind))", "UPDATE {d} SET payload = jsonb_set(payload, '{email}', to_jsonb(?::varchar(3)))", "UPDATE {d} SET payload = jsonb_set(payload, '{email}', to_jsonb(5))", "UPDATE {d} SET payload = jsonb_set(payload, '{score}', to_jsonb(?::int))", "UPDATE {d} SET payload = jsonb_set(payload, '{email}', to_jsonb(lower(?)))",
		"UPDATE {d} SET payload = jsonb_set(payload, '{email,x}', '1')", "UPDATE {d} SET payload = jsonb_set(payload, '{contact}', to_jsonb(?::text))", "UPDATE {d} SET payload = jsonb_set(payload, '{email}', payload->'score')", "UPDATE {d} SET payload = jsonb_set(payload, ?, to_jsonb(?::text))", "UPDATE {d} SET payload = jsonb_set(payload, ARRAY[?], to_jsonb(?::text))",
		"UPDATE {d} SET payload = payload || jsonb_build_object('contact', ?::text)", "UPDATE {d} SET payload = payload || jsonb_build_object('email', kind)", "UPDATE {d} SET payload = payload || jsonb_build_object(?, 1)", "UPDATE {d} SET payload = payload - ?", "UPDATE {d} SET payload = payload - '{email}'::text[]", "UPDATE {d} SET payload = payload || raw::jsonb", "UPDATE {d} SET payload = ? || payload",
		"UPDATE {d} SET payload = jsonb_set(payload, '{email}', to_jsonb(?::text)), id = 'other' WHERE id = 'mia'", "UPDATE {d} SET payload = jsonb_set(payload, '{action}', to_jsonb(payload->>'email'))", "UPDATE {d} SET kind = jsonb_set(payload, '{email}', to_jsonb(?::text))::text", "INSERT INTO {d} (id, payload) VALUES ('mia', '{}'), ('leo', '{}') ON CONFLICT (id) DO UPDATE SET payload = jsonb_set({d}.payload, '{email}', to_jsonb(?::text))",
		"SELECT d.id, (SELECT {p}->>'email' FROM {d} x WHERE x.id = d.id) FROM {d} d", "SELECT q.e || '' FROM (SELECT {p}->>'email' AS e FROM {d}) q", "SELECT q.id FROM (SELECT id, {p}->>'email' AS e FROM {d}) q ORDER BY q.e", "INSERT INTO {d} (id, kind) SELECT 'x', q.e FROM (SELECT {p}->>'email' AS e FROM {d}) q",
		"INSERT INTO {d} (id, payload) SELECT id || 'x', payload#>'{}' FROM {d}", "INSERT INTO {d} (id, payload) SELECT id || 'x', q.p FROM (SELECT id, payload::jsonb AS p FROM {d}) q", "INSERT INTO {d} (id, payload) SELECT id || 'x', payload->'contact' FROM {d}", "UPDATE {d} x SET payload = q.p FROM (SELECT id, payload#>'{}' AS p FROM {d}) q WHERE q.id = x.id",
		"CREATE TABLE stolen AS SELECT q.c FROM (SELECT payload->'contact' AS c FROM {d}) q", "SELECT {p}->>'email' FROM {d} UNION SELECT {p}->>'full name' FROM {d}", "SELECT id, {p}->'email' FROM {d} UNION ALL SELECT id, {p}->'score' FROM {d}", "SELECT {p}->'contact'->'phones'->0->'x' FROM {d}", "SELECT (({p}->>'contact')::jsonb)->'phones' FROM {d}",
		"SELECT {p}::varchar(10) FROM {d}", "SELECT ({p}->>'email')::varchar(3) FROM {d}", "SELECT ({p}->>'email')::bytea FROM {d}", "SELECT ({p}->>'score')::numeric FROM {d}", "SELECT {p}['email' || ''] FROM {d}", "SELECT {p}[?] FROM {d}", "SELECT {p}->'\\u0065mail'->'x', {p}->upper('EMAIL') FROM {d}", "SELECT array_agg(q.e) FROM (SELECT {p}->'items' AS e FROM {d}) q",
		"SELECT jsonb_array_elements_text(payload->'contact'->'phones') FROM {d}", "SELECT p FROM {d}, jsonb_array_elements_text(payload->'contact'->'phones') p", "SELECT q.c->>'phones' || '' FROM (SELECT payload->'contact' AS c FROM {d}) q", "SELECT q.c FROM (SELECT {p}->'contact' AS c FROM {d}) q WHERE q.c->'phones'->>0 = 'x'",
		"SELECT id FROM {d} WHERE {p}->>'email' = 'a'", "SELECT id FROM {d} WHERE {p}->>'email' = ?", "SELECT id FROM {d} ORDER BY {p}->>'email'", "SELECT {p}->>'email' FROM {d} GROUP BY 1", "SELECT DISTINCT {p}->'email' FROM {d}", "SELECT lower({p}->>'email') FROM {d}",
		"SELECT {p}->'email'->'x' FROM {d}", "SELECT {p}->? FROM {d}", "SELECT {p}->>kind FROM {d}", "SELECT {p}#>>? FROM {d}",
		"SELECT {p}->0 FROM {d}", "SELECT {p}->'contact'->'phones'->kind FROM {d}", "SELECT k FROM {d}, jsonb_each(payload) AS e(k, v)", "SELECT jsonb_each_text(payload) FROM {d}", "SELECT id FROM {d} WHERE payload @> '{\"email\":\"mia\"}'", "SELECT id FROM {d} WHERE payload @> ?",
		"SELECT jsonb_path_query(payload, '$.email') FROM {d}", "SELECT id FROM {d} WHERE payload @? '$.email ? (@ == \"x\")'", "SELECT jsonb_pretty(payload) FROM {d}", "SELECT to_jsonb(d) FROM {d} d", "SELECT row_to_json(d) FROM {d} d", "SELECT jsonb_agg(payload) FROM {d}",
		"SELECT {p}->>'email' FROM {d} UNION ALL SELECT kind FROM {d}", "INSERT INTO {d} (id, kind) SELECT 'x', {p}->>'email' FROM {d}", "SELECT {p}->>'email' || '' FROM {d}", "SELECT coalesce({p}->'email', '1') FROM {d}", "SELECT coalesce({p}->>'email', kind) FROM {d}", "SELECT coalesce({p}->>'score', '') FROM {d}", "SELECT CASE WHEN {p}->>'email' = 'x' THEN 1 END FROM {d}", "SELECT ({p}->>'email') IN ('x') FROM {d}",
		"UPDATE {d} SET payload = jsonb_set(payload, ?, '1')",
		"UPDATE {d} SET payload = payload || jsonb_build_object(kind, 1)", "UPDATE {d} SET payload = payload - kind",
		"UPDATE {d} SET payload = jsonb_set(payload, '{action}', payload->'email')", "UPDATE {d} SET payload['email'] = '\"x\"'", "UPDATE {d} SET payload['action'] = '\"x\"'", "UPDATE {d} SET kind = payload->>'email'", "UPDATE {d} SET payload = jsonb_set(payload, '{action}', '1'), id = 'renamed' WHERE id = 'mia'", "UPDATE {d} x SET payload = jsonb_set(y.payload, '{action}', '1') FROM {d} y WHERE x.id = y.id",
		"INSERT INTO {d} (id, payload) VALUES ('x', jsonb_build_object('email', ?::text))", "INSERT INTO {d} (id, payload) VALUES ('x', to_jsonb(?::text))", "INSERT INTO {d} (id, payload) VALUES ('mia', ?) ON CONFLICT (id) DO UPDATE SET payload = jsonb_set(excluded.payload, '{n}', '1')", "COPY {d} (payload) TO STDOUT", "CREATE TABLE stolen AS SELECT payload->>'email' FROM {d}",
		"SELECT payload FROM {d} WHERE payload->>'action' = payload->>'email'", "DELETE FROM {d} WHERE payload->>'email' LIKE 'm%'", "SELECT sum((payload->>'score')::numeric) FROM {d}", "SELECT jsonb_array_length({p}->'contact'->'phones') FROM {d}", "SELECT x FROM {d}, jsonb_to_record(payload) AS r(x text)",
		"CREATE VIEW v AS SELECT payload->>'email' AS e FROM {d}", "SELECT {p} OPERATOR(pg_catalog.->>) 'email' FROM {d}", "SELECT payload ->> 'email' COLLATE \"C\" FROM {d}", "SELECT array[{p}->>'email'] FROM {d}", "SELECT ({p}->>'email', 1) FROM {d}", "SELECT first_value({p}->>'email') OVER () FROM {d}",
		"SELECT string_agg({p}->>'email', ',') FROM {d}", "SELECT {p}->>'email' FROM {d} ORDER BY 1", "SELECT {p}->>'email' AS e FROM {d} ORDER BY e", "SELECT DISTINCT ON ({p}->>'email') id FROM {d}", "SELECT (SELECT {p}->>'email' FROM {d} LIMIT 1)", "SELECT EXISTS (SELECT 1 FROM {d} WHERE {p}->>'email' = 'x')",
		"SELECT a.id FROM {d} a JOIN {d} b ON a.{p}->>'email' = b.{p}->>'email'", "UPDATE {d} SET kind = 'x' WHERE {p}->>'email' = ?", "SELECT id FROM {d} WHERE ({p}->>'email') IS DISTINCT FROM 'x'", "SELECT id FROM {d} LIMIT (SELECT length({p}->>'email') FROM {d} LIMIT 1)"},
	"mysql": {"SELECT id FROM {d} WHERE JSON_CONTAINS(payload, '{\"email\":\"x\"}')", "SELECT id FROM {d} WHERE JSON_CONTAINS(payload, ?)", "SELECT id FROM {d} WHERE JSON_CONTAINS(payload, '\"x\"', '$.contact')", "SELECT id FROM {d} WHERE JSON_CONTAINS(payload, '1', ?)", "SELECT id FROM {d} WHERE JSON_CONTAINS_PATH(payload, 'one', '$.score.x')", "SELECT id FROM {d} WHERE JSON_CONTAINS_PATH(payload, 'one', '$**.email')", "SELECT id FROM {d} WHERE JSON_CONTAINS(raw, payload)",
		"UPDATE {d} SET payload = JSON_SET(payload, '$.email', kind)", "UPDATE {d} SET payload = JSON_SET(payload, '$.score', 5)", "UPDATE {d} SET payload = JSON_SET(payload, '$.score', TRUE)", "UPDATE {d} SET payload = JSON_SET(payload, '$.email', CONCAT(?, ''))", "UPDATE {d} SET payload = JSON_SET(payload, '$.email.x', ?)", "UPDATE {d} SET payload = JSON_SET(payload, '$.contact', ?)", "UPDATE {d} SET payload = JSON_SET(payload, '$.email', JSON_EXTRACT(payload, '$.score'))",
		"UPDATE {d} SET payload = JSON_SET(payload, CONCAT('$.', ?), 'x')", "UPDATE {d} SET payload = JSON_MERGE_PRESERVE(payload, ?)", "UPDATE {d} SET payload = JSON_MERGE_PRESERVE(payload, JSON_OBJECT('email', ?))", "UPDATE {d} SET payload = JSON_MERGE_PATCH(payload, JSON_OBJECT(?, 'x'))", "UPDATE {d} SET payload = JSON_MERGE_PATCH(payload, raw)", "UPDATE {d} SET payload = JSON_MERGE_PATCH(?, payload)", "UPDATE {d} SET payload = JSON_MERGE_PATCH(payload, '{}', ?)",
		"UPDATE {d} SET payload = JSON_REMOVE(payload, ?)", "UPDATE {d} SET payload = JSON_ARRAY_APPEND(payload, '$.email', ?)", "UPDATE {d} SET payload = JSON_SET(payload, '$.email', ?), id = 'other' WHERE id = 'mia'", "INSERT INTO {d} (id, payload) VALUES ('mia', '{}'), ('leo', '{}') ON DUPLICATE KEY UPDATE payload = JSON_SET(payload, '$.email', ?)", "UPDATE {d} SET kind = JSON_SET(payload, '$.email', ?)",
		"SELECT d.id, (SELECT JSON_EXTRACT({p}, '$.email') FROM {d} x WHERE x.id = d.id) FROM {d} d", "SELECT concat(q.e, '') FROM (SELECT JSON_EXTRACT({p}, '$.email') AS e FROM {d}) q", "SELECT q.id FROM (SELECT id, JSON_EXTRACT({p}, '$.email') AS e FROM {d}) q ORDER BY q.e",
		"INSERT INTO {d} (id, kind) SELECT 'x', q.e FROM (SELECT JSON_EXTRACT({p}, '$.email') AS e FROM {d}) q", "INSERT INTO {d} (id, payload) SELECT 'x', JSON_EXTRACT(payload, '$') FROM {d}", "INSERT INTO {d} (id, payload) SELECT 'x', JSON_EXTRACT(payload, '$.contact') FROM {d}", "UPDATE {d} x JOIN (SELECT id, JSON_EXTRACT(payload, '$') AS p FROM {d}) q ON q.id = x.id SET x.payload = q.p",
		"SELECT id, JSON_EXTRACT({p}, '$.email') FROM {d} UNION ALL SELECT id, JSON_EXTRACT({p}, '$.score') FROM {d}", "SELECT CAST({p} AS CHAR(10)) FROM {d}", "SELECT JSON_EXTRACT({p}, '$.\"e\\\\u006dail\"') FROM {d}", "SELECT JSON_EXTRACT({p}, '$.items[0 to 1]') FROM {d}", "SELECT JSON_EXTRACT({p}, '$. email') FROM {d}",
		"SELECT JSON_EXTRACT({p}, CONCAT('$.', 'email')) FROM {d}", "SELECT JSON_EXTRACT(q.c, '$.phones[0].x') FROM (SELECT JSON_EXTRACT({p}, '$.contact') AS c FROM {d}) q", "SELECT q.c FROM (SELECT JSON_EXTRACT({p}, '$.contact') AS c FROM {d}) q WHERE JSON_EXTRACT(q.c, '$.phones') = 'x'", "SELECT JSON_EXTRACT(JSON_UNQUOTE(JSON_EXTRACT({p}, '$.contact')), '$.phones') FROM {d}",
		"SELECT id FROM {d} WHERE JSON_EXTRACT({p}, '$.email') = 'a'", "SELECT id FROM {d} WHERE JSON_UNQUOTE(JSON_EXTRACT({p}, '$.email')) = ?", "SELECT id FROM {d} ORDER BY JSON_EXTRACT({p}, '$.email')", "SELECT DISTINCT JSON_EXTRACT({p}, '$.email') FROM {d}", "SELECT lower(JSON_EXTRACT({p}, '$.email')) FROM {d}",
		"SELECT JSON_EXTRACT({p}, '$.*') FROM {d}", "SELECT JSON_EXTRACT({p}, '$**.email') FROM {d}", "SELECT JSON_EXTRACT({p}, '$.contact.phones[*]') FROM {d}", "SELECT JSON_EXTRACT({p}, ?) FROM {d}", "SELECT JSON_EXTRACT({p}, kind) FROM {d}", "SELECT JSON_EXTRACT({p}, '$.action', '$.email') FROM {d}",
		"SELECT JSON_EXTRACT({p}, '$[0].email') FROM {d}", "SELECT JSON_EXTRACT({p}, '$.email.x') FROM {d}", "SELECT JSON_EXTRACT({p}, '$.\\\\u0065mail') FROM {d}", "SELECT JSON_VALUE({p}, '$.score') FROM {d}", "SELECT JSON_VALUE({p}, '$.contact') FROM {d}", "SELECT JSON_QUERY({p}, '$.email') FROM {d}", "SELECT id FROM {d} WHERE JSON_VALUE({p}, '$.email') = 'x'", "SELECT JSON_KEYS({p}) FROM {d}", "SELECT JSON_SEARCH({p}, 'one', 'mia') FROM {d}", "SELECT JSON_CONTAINS({p}, '\"x\"', '$.email') FROM {d}", "SELECT JSON_ARRAYAGG({p}) FROM {d}",
		"SELECT JSON_EXTRACT({p}, '$.email') FROM {d} UNION ALL SELECT kind FROM {d}", "INSERT INTO {d} (id, kind) SELECT 'x', JSON_EXTRACT({p}, '$.email') FROM {d}", "SELECT j.e FROM {d}, JSON_TABLE(payload, '$' COLUMNS (e TEXT PATH '$.email')) j",
		"UPDATE {d} SET payload = JSON_SET(payload, '$.action', 'x', '$.contact', '{}')", "UPDATE {d} SET payload = JSON_SET(payload, ?, 'x')", "UPDATE {d} SET payload = JSON_MERGE_PATCH(payload, ?)",
		"UPDATE {d} SET payload = JSON_MERGE_PATCH(payload, '{\"email\":\"x\"}')", "UPDATE {d} SET payload = JSON_SET(payload, '$.action', JSON_EXTRACT(payload, '$.email'))", "UPDATE {d} SET kind = JSON_EXTRACT(payload, '$.email')", "UPDATE {d} SET payload = JSON_SET(payload, '$.action', 1), id = 'renamed' WHERE id = 'mia'",
		"INSERT INTO {d} (id, payload) VALUES ('x', JSON_OBJECT('email', ?))", "UPDATE {d} SET payload = JSON_SET(payload, '$.*', 1)", "DELETE FROM {d} WHERE JSON_EXTRACT(payload, '$.email') LIKE 'm%'"},
}

// TestUsesOfProtectedValuesInDocumentsAreRefused: what needs a protected value is refused
// with a hint, and sends nothing.
func TestUsesOfProtectedValuesInDocumentsAreRefused(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			d := newDocuments(t, server, "")
			for _, text := range append(slices.Clone(notDocumentUses["both"]), notDocumentUses[server.Name]...) {
				var args []any
				for range strings.Count(strings.ReplaceAll(text, "@?", ""), "?") {
					args = append(args, documentSecrets[0])
				}
				columns := []string{"payload"}
				if strings.Contains(text, "{p}") && !strings.Contains(text, "SET {p}") {
					columns = append(columns, "raw", "plain")
				}
				for _, p := range columns {
					d.refused(strings.ReplaceAll(text, "{p}", p), args...)
				}
			}
			if d.ran < 100 {
				t.Errorf("%d statements ran", d.ran)
			}
		})
	}
}
