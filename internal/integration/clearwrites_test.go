package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
)

// clearWrites are statements that write columns whose policy says writes: clear, and what
// the table then holds for a process that knows nothing of sealsql.
var clearWrites = []struct {
	name, text string
	args       []any
	query      string
	want       string
}{
	{"a parameter", "INSERT INTO accounts (account_number, note) VALUES (?, ?)", []any{"1", "first"}, "SELECT note FROM accounts WHERE account_number = '1'", "first"},
	{"a literal", "INSERT INTO accounts (account_number, note) VALUES ('2', 'second')", nil, "SELECT note FROM accounts WHERE account_number = '2'", "second"},
	{"several rows", "INSERT INTO accounts (account_number, note) VALUES ('3', ''), ('4', NULL), ('5', ?)", []any{"fifth"}, "SELECT CONCAT(COALESCE(note, 'none'), ';') FROM accounts WHERE account_number > '2' ORDER BY account_number", ";none;fifth;"},
	{"a number's text", "INSERT INTO accounts (account_number, note, balance) VALUES ('6', 'x', ?)", []any{int64(-17)}, "SELECT balance FROM accounts WHERE account_number = '6'", "-17"},
	{"rows that are found by another column", "UPDATE accounts SET note = ? WHERE tenant_id = 1 AND account_number IN ('1', '2')", []any{"both"}, "SELECT note FROM accounts WHERE account_number < '3' ORDER BY account_number", "bothboth"},
	{"a key that the server makes", "INSERT INTO people (name, ssn) VALUES ('ada', ?), ('bob', 'literal')", []any{"078-05-1120"}, "SELECT ssn FROM people ORDER BY name", "078-05-1120literal"},
	{"an upsert by another unique key", "", []any{"ada", "219-09-9999"}, "SELECT ssn FROM people ORDER BY name", "219-09-9999literal"},
	{"an update of all rows", "UPDATE people SET ssn = ?", []any{"same"}, "SELECT ssn FROM people ORDER BY name", "samesame"},
}

// clearPolicy is the policy of the tests with values that are written in clear.
var clearPolicy = strings.NewReplacer("storage: base64", "storage: base64, plaintext_reads: allow, writes: clear", "ssn: {keyring: pii, type: string}", "ssn: {keyring: pii, type: string, plaintext_reads: allow, writes: clear}",
	"type: int64,", "type: int64, plaintext_reads: allow, writes: clear,").Replace(policyText)

// TestAColumnThatIsWrittenInClear: before the first value is sealed every process has a
// policy that reads ciphertexts and writes what the processes before it can read.
func TestAColumnThatIsWrittenInClear(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		k, _ := kms()
		var events eventLog
		early := s.withPolicy(clearPolicy, driver.WithAWSConfig(k.AWSConfig("us-east-1")), driver.WithAlertFunc(events.add))
		ran := 0
		for _, c := range clearWrites {
			if c.text == "" {
				c.text = map[bool]string{true: "INSERT INTO people (name, ssn) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET ssn = EXCLUDED.ssn",
					false: "INSERT INTO people (name, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)"}[s.postgres()]
			}
			if _, err := early.Exec(s.q(c.text), c.args...); err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			if got := joined(t, s.bare, c.query); got != c.want {
				t.Errorf("%s: the table holds %q, want %q", c.name, got, c.want)
			}
			if got := joined(t, early, strings.Replace(c.query, "CONCAT(COALESCE(note, 'none'), ';')", "note", 1)); !strings.Contains(c.want, ";") && got != c.want {
				t.Errorf("%s: the process itself reads %q, want %q", c.name, got, c.want)
			}
			ran++
		}
		if ran != 8 {
			t.Errorf("%d cases ran, want 8", ran)
		}
		// A process of the next policy seals, and this one reads that.
		s.exec("UPDATE accounts SET note = ? WHERE account_number = '1'", "sealed by the next")
		if got := joined(t, early, "SELECT note FROM accounts WHERE account_number = '1'"); got != "sealed by the next" {
			t.Errorf("the process that writes in clear reads %q of a sealed value", got)
		}
		for _, e := range events.all() {
			if e.Kind != alert.PlaintextRead {
				t.Errorf("an event of kind %s: %v", e.Kind, e)
			}
		}
		sealer, err := driver.Sealer(early)
		if err == nil {
			_, err = sealer.Seal(t.Context(), "accounts", "note", driver.Row{"account_number": "1"}, "a value")
		}
		if !errors.Is(err, driver.ErrPolicy) || strings.Contains(fmt.Sprint(err), "a value") {
			t.Errorf("a Sealer of a column that is written in clear: %v", err)
		}
	})
}

// TestADocumentThatIsWrittenInClear is the same for a column of documents.
func TestADocumentThatIsWrittenInClear(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.bareExec("CREATE TABLE docs (id int PRIMARY KEY, payload " + map[bool]string{true: "jsonb", false: "json"}[s.postgres()] + ")")
		k, _ := kms()
		open := func(how string) *sql.DB {
			return s.withPolicy(strings.Replace(policyText, "tables:\n", "tables:\n  docs: {row_key: [id], columns: {payload: {keyring: pii, type: json"+how+", paths: {$.email: {type: string}}}}}\n", 1), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
		}
		early, next := open(", plaintext_reads: allow, writes: clear"), open(", plaintext_reads: allow")
		for id, by := range []*sql.DB{early, next} {
			if _, err := by.Exec(s.q("INSERT INTO docs (id, payload) VALUES (?, ?)"), id, `{"email": "mia@clear.example"}`); err != nil {
				t.Fatal(err)
			}
		}
		for _, by := range []*sql.DB{early, next} {
			if got := strings.ReplaceAll(joined(t, by, "SELECT payload FROM docs ORDER BY id"), " ", ""); got != strings.Repeat(`{"email":"mia@clear.example"}`, 2) {
				t.Errorf("a process reads %s", got)
			}
		}
		text := map[bool]string{true: "SELECT payload::text FROM docs ORDER BY id", false: "SELECT payload FROM docs ORDER BY id"}[s.postgres()]
		if got := joined(t, s.bare, text); strings.Count(got, "mia@clear.example") != 1 || !strings.Contains(got, "mia@clear.example") {
			t.Errorf("the table holds %s", got)
		}
	})
}

// joined is the text of all rows of a query's first column.
func joined(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var all strings.Builder
	for rows.Next() {
		var text sql.NullString
		if err := rows.Scan(&text); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		all.WriteString(text.String)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return all.String()
}
