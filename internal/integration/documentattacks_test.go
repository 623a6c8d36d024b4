package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// storedDoc is a document as the server stores it.
func (d *documents) storedDoc(column, id string) (doc map[string]any) {
	d.t.Helper()
	var text string
	if err := d.bare.QueryRow("SELECT " + column + " FROM docs WHERE id = '" + id + "'").Scan(&text); err != nil {
		d.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		d.t.Fatal(err)
	}
	return doc
}

// plant has the server store another document.
func (d *documents) plant(column, id string, doc map[string]any) {
	d.t.Helper()
	text, err := json.Marshal(doc)
	if err == nil {
		_, err = d.bare.Exec(d.q("UPDATE docs SET "+column+" = ? WHERE id = ?"), string(text), id)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// put runs a statement through sealsql.
func (d *documents) put(text string, args ...any) {
	d.t.Helper()
	if _, err := d.sealed.Exec(d.q(text), args...); err != nil {
		d.t.Fatalf("%.200s: %v", text, err)
	}
}

// TestValuesMovedBetweenDocumentsAreCaught: a value that was moved to another row, path or
// column of documents, or changed, or replaced by clear text, is not handed out, neither with
// the document nor by itself.
func TestValuesMovedBetweenDocumentsAreCaught(t *testing.T) {
	attacks := []struct {
		name   string
		change func(mia, leo map[string]any)
		want   error
		part   string // the path whose value is read by itself
	}{
		{"another row's value", func(mia, leo map[string]any) { mia["email"] = leo["email"] }, driver.ErrMismatch, "email"},
		{"another path's value", func(mia, _ map[string]any) { mia["email"] = mia["full name"] }, driver.ErrMismatch, "email"},
		{"an element's value at a path of its own", func(mia, _ map[string]any) { mia["score"] = mia["contact"].(map[string]any)["phones"].([]any)[0] }, driver.ErrMismatch, "score"},
		{"clear text", func(mia, _ map[string]any) { mia["email"] = "eve@evil.example" }, driver.ErrNotCiphertext, "email"},
		{"a number in clear", func(mia, _ map[string]any) { mia["score"] = 5 }, driver.ErrNotCiphertext, "score"},
		{"an object in clear", func(mia, _ map[string]any) { mia["score"] = map[string]any{"a": 1} }, driver.ErrNotCiphertext, "score"},
		{"an empty string", func(mia, _ map[string]any) { mia["email"] = "" }, driver.ErrNotCiphertext, "email"},
		{"a changed value", func(mia, _ map[string]any) {
			text := mia["email"].(string)
			mia["email"] = text[:len(text)-8] + "AAAAAAA="
		}, driver.ErrTampered, "email"},
		{"a shortened value", func(mia, _ map[string]any) { mia["email"] = mia["email"].(string)[:100] }, driver.ErrTampered, "email"},
		{"a value wrapped in an array", func(mia, _ map[string]any) { mia["email"] = []any{mia["email"]} }, driver.ErrNotCiphertext, "email"},
		{"a value of an array of objects", func(mia, leo map[string]any) { mia["email"] = leo["score"] }, driver.ErrMismatch, "email"},
	}
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			d := newDocuments(t, server, "")
			for _, a := range attacks {
				d.put("DELETE FROM docs")
				for id, doc := range map[string]string{"mia": miaDoc, "leo": leoDoc} {
					d.put("INSERT INTO docs (id, payload, plain, raw) VALUES (?, ?, ?, ?)", id, doc, doc, doc)
				}
				for _, column := range []string{"payload", "raw"} {
					mia := d.storedDoc(column, "mia")
					a.change(mia, d.storedDoc(column, "leo"))
					d.plant(column, "mia", mia)
					part := fmt.Sprintf("JSON_UNQUOTE(JSON_EXTRACT(%s, '$.%s'))", column, a.part)
					if d.postgres() {
						part = fmt.Sprintf("%s::jsonb->>'%s'", column, a.part)
					}
					whole := fmt.Sprintf("JSON_UNQUOTE(JSON_EXTRACT(%s, '$'))", column)
					if d.postgres() {
						whole = column + "::text"
					}
					for _, text := range []string{"SELECT " + column + " FROM docs WHERE id = 'mia'", "SELECT " + part + " FROM docs WHERE id = 'mia'", "SELECT " + whole + " FROM docs WHERE id = 'mia'", "SELECT p FROM (SELECT " + part + " AS p, id FROM docs) q WHERE id = 'mia'",
						"WITH q AS (SELECT id, " + whole + " AS p FROM docs UNION ALL SELECT id, " + whole + " FROM docs WHERE 1 = 0) SELECT p FROM q WHERE id = 'mia'"} {
						var shown any
						if err := d.sealed.QueryRow(text).Scan(&shown); !errors.Is(err, a.want) {
							t.Errorf("%s: %s: %v, %v; want %v", a.name, text, shown, err, a.want)
						}
						var value *driver.ValueError
						if err := d.sealed.QueryRow(text).Scan(&shown); errors.As(err, &value) && !strings.HasPrefix(value.Column, column+".") && !strings.HasPrefix(value.Column, column+"[") {
							t.Errorf("%s: the error names %s", a.name, value.Column)
						}
					}
					d.plant(column, "mia", d.storedDoc(column, "leo")) // a whole document of another row
					if err := d.sealed.QueryRow("SELECT " + column + " FROM docs WHERE id = 'mia'").Scan(new(any)); !errors.Is(err, driver.ErrMismatch) {
						t.Errorf("another row's document: %v", err)
					}
				}
			}
			// Between columns.
			d.put("UPDATE docs SET raw = ?, payload = ? WHERE id = 'mia'", miaDoc, miaDoc)
			mia := d.storedDoc("payload", "mia")
			mia["email"] = d.storedDoc("raw", "mia")["email"]
			d.plant("payload", "mia", mia)
			if err := d.sealed.QueryRow("SELECT payload FROM docs WHERE id = 'mia'").Scan(new(any)); !errors.Is(err, driver.ErrMismatch) {
				t.Errorf("a value of another column: %v", err)
			}
			// What is not protected may be changed by whoever writes to the database.
			mia = d.storedDoc("raw", "mia")
			mia["action"], mia["email"] = mia["email"], nil
			d.plant("raw", "mia", mia)
			if err := d.sealed.QueryRow("SELECT raw FROM docs WHERE id = 'mia'").Scan(new(any)); err != nil {
				t.Errorf("a removed value: %v", err)
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			named := 0
			for _, e := range d.events {
				if e.Kind == alert.Mismatch && e.Column == "payload.email" {
					named++
				}
			}
			if named == 0 {
				t.Error("no event names the column and the path")
			}
		})
	}
}

// TestElementsOfAnArrayShareTheirPath documents what is not caught: [*] is one path.
func TestElementsOfAnArrayShareTheirPath(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			d := newDocuments(t, server, "")
			d.put("INSERT INTO docs (id, payload) VALUES ('mia', ?)", miaDoc)
			mia := d.storedDoc("payload", "mia")
			phones := mia["contact"].(map[string]any)["phones"].([]any)
			phones[0], phones[1] = phones[1], phones[0]
			d.plant("payload", "mia", mia)
			var shown []byte
			if err := d.sealed.QueryRow("SELECT payload FROM docs").Scan(&shown); err != nil {
				t.Fatal(err)
			}
			var doc struct{ Contact struct{ Phones []string } }
			if err := json.Unmarshal(shown, &doc); err != nil || fmt.Sprint(doc.Contact.Phones) != "[0301-5550002 0301-5550001]" {
				t.Errorf("%v, %v", doc, err)
			}
		})
	}
}

// TestMigrationsKeepDocuments: a column of documents keeps its type and a default without
// protected values; what would read protected values in the server is refused or left out.
func TestMigrationsKeepDocuments(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			d := newDocuments(t, server, "")
			for _, table := range []string{"docs", "counted"} {
				if _, err := d.bare.Exec("DROP TABLE " + table); err != nil {
					t.Fatal(err)
				}
			}
			texts := []string{"CREATE TABLE docs (id varchar(20) PRIMARY KEY, kind text, payload json, raw longtext)", "ALTER TABLE docs ADD COLUMN plain json", "CREATE INDEX by_action ON docs ((CAST(JSON_EXTRACT(payload, '$.n') AS SIGNED)))",
				"CREATE TABLE counted (id bigint AUTO_INCREMENT PRIMARY KEY, payload json)"}
			types, schema := "json json longtext", "database()"
			if d.postgres() {
				texts = []string{"CREATE TABLE docs (id varchar(20) PRIMARY KEY, kind text, payload jsonb NOT NULL DEFAULT '{}', raw text)", "ALTER TABLE docs ADD COLUMN plain json DEFAULT '{\"n\":1}'::json", "CREATE INDEX by_action ON docs ((payload->>'action'))", "CREATE INDEX ON docs USING gin (payload)",
					"ALTER TABLE docs ALTER COLUMN payload SET DEFAULT '{\"a\":[]}'", "CREATE TABLE counted (id bigserial PRIMARY KEY, payload jsonb)"}
				types, schema = "jsonb json text", "'public'"
			}
			for _, text := range texts {
				if !d.postgres() && strings.HasPrefix(text, "CREATE INDEX") && strings.Contains(d.server.String(), "mariadb") {
					continue // it has no such indexes
				}
				d.put(text)
			}
			var got []string
			for _, column := range []string{"payload", "plain", "raw"} {
				var name string
				if err := d.bare.QueryRow(d.q("SELECT data_type FROM information_schema.columns WHERE table_name = 'docs' AND column_name = ? AND table_schema = "+schema), column).Scan(&name); err != nil {
					t.Fatal(err)
				}
				got = append(got, name)
			}
			if text := strings.Join(got, " "); text != types && !strings.Contains(d.server.String(), "mariadb") {
				t.Errorf("the types are %s, want %s", text, types)
			}
			d.put("INSERT INTO docs (id, payload, plain, raw) VALUES ('mia', ?, ?, ?)", miaDoc, miaDoc, miaDoc)
			if d.postgres() {
				d.put("INSERT INTO docs (id) VALUES ('left out')")
				d.want(`left out|{"a": []}|{"n":1}`, "SELECT id, payload, plain FROM docs WHERE id = 'left out'")
			}
			for _, text := range []string{"ALTER TABLE docs ADD COLUMN email text GENERATED ALWAYS AS (payload->>'email') STORED", "CREATE VIEW addresses AS SELECT id, payload->>'email' AS email FROM docs", "CREATE UNIQUE INDEX one_address ON docs ((payload->>'email'))",
				"CREATE TABLE stolen AS SELECT id, payload FROM docs", "ALTER TABLE docs ALTER COLUMN payload SET DEFAULT '{\"email\":\"mia@secret.example\"}'"} {
				if d.postgres() {
					d.refused(text)
				}
			}
		})
	}
}

// TestDocumentsComeBackAsTheyWereWritten: in a column of text every byte comes back, and
// what is sealed does in every column.
func TestDocumentsComeBackAsTheyWereWritten(t *testing.T) {
	docs := []string{`{}`, `[]`, `null`, `7`, `"mia"`, ` { "email" : "mia@secret.example" } `, `{"email":"mia@secret.example","email":"leo@secret.example"}`, `{"\u0065mail":"mia@secret.example"}`, `{"email":"\u006dia@secret.example\u00e9\ud83d\ude00 é 😀 \\ \/ \" '"}`,
		`{"email":"\ud800 mia@secret.example"}`, `{"score":123456789012345678901234567890.10e+5}`, `{"score":9007199254740993}`, `{"score":-0.0,"n":1.50}`, `{"score":{"z":1,"a":[true,false,null]},"n":{"z":1,"a":2}}`, `{"score":[]}`, `{"score":""}`, `{"contact":{"phones":[null,[],{},"0301-5550001",1]}}`,
		`[{"email":"mia@secret.example"},[{"email":"leo@secret.example"}],{"x":[{"email":"open"}]}]`, `{"contact":[{"phones":"0301-5550001"},{"phones":["0301-5550002"]}]}`, `{"items":{"ssn":"078-05-1120"}}`, "{\n\t\"email\":\r\"mia@secret.example\"}", `{"":"","email":null}`,
		strings.Repeat(`{"a":[`, 15) + `{"email":"open"}` + strings.Repeat(`]}`, 15), `{"score":"` + strings.Repeat("x", 20000) + `"}`, `{"full name":"$1 :name -- /* */ ; '' \\' "}`}
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			d := newDocuments(t, server, "")
			for i, doc := range docs {
				id := fmt.Sprint("p", i)
				d.put("INSERT INTO docs (id, raw) VALUES (?, ?)", id, doc)
				d.put("INSERT INTO docs (id, raw) VALUES ('l" + fmt.Sprint(i) + "', " + literalOf(doc, !d.postgres()) + ")")
				for _, id := range []string{id, fmt.Sprint("l", i)} {
					var shown string
					if err := d.sealed.QueryRow("SELECT raw FROM docs WHERE id = '" + id + "'").Scan(&shown); err != nil || shown != doc {
						t.Errorf("%s: %.300q came back as %.300q, %v", id, doc, shown, err)
					}
				}
			}
			big := `{"score":123456789012345678901234567890.10e+5}`
			d.put("INSERT INTO docs (id, payload) VALUES ('big', ?)", big)
			var shown string
			part := "JSON_EXTRACT(payload, '$.score')"
			if d.postgres() {
				part = "payload->'score'"
			}
			if err := d.sealed.QueryRow("SELECT " + part + " FROM docs WHERE id = 'big'").Scan(&shown); err != nil || shown != "123456789012345678901234567890.10e+5" {
				t.Errorf("a large number came back as %s, %v", shown, err)
			}
			for name, doc := range map[string]any{"no JSON": "{mia", "two documents": "{} {}", "a byte that is not UTF-8": "{\"email\":\"\xff\"}", "another type": `{"email":5}`, "an object where text is": `{"items":[{"ssn":{}}]}`, "an empty text": "", "a comment": `{"email":"mia@secret.example"} -- `} {
				var value *driver.ValueError
				if _, err := d.sealed.Exec(d.q("INSERT INTO docs (id, raw) VALUES ('bad', ?)"), doc); !errors.Is(err, driver.ErrValue) || !errors.As(err, &value) || value.Hint == "" {
					t.Errorf("%s: %v, want ErrValue with a hint", name, err)
				} else if strings.Contains(err.Error(), "mia") {
					t.Errorf("%s: the error quotes the document: %v", name, err)
				}
			}
			d.want("0", "SELECT count(*) FROM docs WHERE id = 'bad'")
		})
	}
}
