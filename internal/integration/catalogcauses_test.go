package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// catalogCause is a statement that sealsql does not send because of what the catalog says,
// and how somebody else does away with the cause. {t} is the case's own table, {bytes} the
// type of ciphertexts, {n} the number of the case.
type catalogCause struct {
	name   string
	on     string // postgres, mysql, or both
	policy string // of the table, but for its name
	setup  string // statements
	text   string
	args   []any
	mend   string // statements
}

const (
	plainPolicy  = "{row_key: [id], columns: {ssn: {keyring: pii, type: string}}}"
	textPolicy   = "{row_key: [id], columns: {ssn: {keyring: pii, type: string, storage: base64}}}"
	searchPolicy = "{row_key: [id], columns: {email: {keyring: pii, type: string, search: {equality: {column: email_eq}}}}}"
	tenantPolicy = "{row_key: [id], columns: {ssn: {keyring: pii, type: string, context: {id: id, tenant: tenant}}}}"
	codePolicy   = "{row_key: [code], columns: {ssn: {keyring: pii, type: string}}}"
)

var catalogCauses = []catalogCause{
	{"the table is missing", "", plainPolicy, "", "INSERT INTO {t} (id, ssn) VALUES (1, ?)", []any{"x"}, "CREATE TABLE {t} (id int PRIMARY KEY, ssn {bytes})"},
	{"the protected column is missing", "", plainPolicy, "CREATE TABLE {t} (id int PRIMARY KEY)", "INSERT INTO {t} (id, ssn) VALUES (1, ?)", []any{"x"}, "ALTER TABLE {t} ADD COLUMN ssn {bytes}"},
	{"the protected column is missing, and read", "", plainPolicy, "CREATE TABLE {t} (id int PRIMARY KEY); INSERT INTO {t} VALUES (1)", "SELECT id, ssn FROM {t}", nil, "ALTER TABLE {t} ADD COLUMN ssn {bytes}"},
	{"a column beside it is missing", "", plainPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn {bytes})", "INSERT INTO {t} (id, ssn, phone) VALUES (1, ?, 'x')", []any{"x"}, "ALTER TABLE {t} ADD COLUMN phone varchar(20)"},
	{"a column that is read is missing", "", plainPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn {bytes})", "SELECT ssn, phone FROM {t} WHERE id = ?", []any{1}, "ALTER TABLE {t} ADD COLUMN phone varchar(20)"},
	{"a column of a condition is missing", "", plainPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn {bytes})", "UPDATE {t} SET ssn = ? WHERE grade = 5", []any{"x"}, "ALTER TABLE {t} ADD COLUMN grade int"},
	{"a column of an order is missing", "", plainPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn {bytes})", "SELECT ssn FROM {t} ORDER BY grade", nil, "ALTER TABLE {t} ADD COLUMN grade int"},
	{"a joined table is missing", "", plainPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn {bytes})", "SELECT p.ssn, m.x FROM {t} p JOIN {t}_more m ON m.id = p.id", nil, "CREATE TABLE {t}_more (id int, x int)"},
	{"a list of values is longer than the table", "", plainPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn {bytes})", "INSERT INTO {t} VALUES (1, ?, 'more')", []any{"x"}, "ALTER TABLE {t} ADD COLUMN third varchar(20)"},
	{"a column that values are bound to is missing, and written", "", tenantPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn {bytes})", "INSERT INTO {t} (id, tenant, ssn) VALUES (1, 7, ?)", []any{"x"}, "ALTER TABLE {t} ADD COLUMN tenant int"},
	{"a column that values are bound to is missing, and read", "", tenantPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn {bytes})", "SELECT ssn FROM {t}", nil, "ALTER TABLE {t} ADD COLUMN tenant int"},
	{"the column of terms is missing, and written", "", searchPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, email {bytes})", "INSERT INTO {t} (id, email) VALUES (1, ?)", []any{"x"}, "ALTER TABLE {t} ADD COLUMN email_eq {term}"},
	{"the column of terms is missing, and searched", "", searchPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, email {bytes})", "SELECT id FROM {t} WHERE email = ?", []any{"x"}, "ALTER TABLE {t} ADD COLUMN email_eq {term}"},
	{"the column of terms is too narrow", "mysql", searchPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, email {bytes}, email_eq varbinary(8))", "INSERT INTO {t} (id, email) VALUES (1, ?)", []any{"x"}, "ALTER TABLE {t} MODIFY email_eq varbinary(32)"},
	{"the column of terms is text of another collation", "mysql", searchPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, email {bytes}, email_eq varchar(100))", "SELECT id FROM {t} WHERE email = ?", []any{"x"}, "ALTER TABLE {t} MODIFY email_eq varbinary(32)"},
	{"the protected column is too narrow", "", textPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn varchar(20))", "INSERT INTO {t} (id, ssn) VALUES (1, ?)", []any{"x"}, "{alter} ssn {type} text"},
	{"the protected column is too narrow, and updated row by row", "", textPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn varchar(20), grade int); INSERT INTO {t} VALUES (1, NULL, 5)", "UPDATE {t} SET ssn = ? WHERE grade = 5", []any{"x"}, "{alter} ssn {type} text"},
	{"the row key has no unique key", "", plainPolicy, "CREATE TABLE {t} (id int NOT NULL, ssn {bytes})", "INSERT INTO {t} (id, ssn) VALUES (1, ?)", []any{"x"}, "ALTER TABLE {t} ADD PRIMARY KEY (id)"},
	{"the unique key is partial", "postgres", plainPolicy, "CREATE TABLE {t} (id int NOT NULL, ssn {bytes}); CREATE UNIQUE INDEX {t}_id ON {t} (id) WHERE id > 5", "INSERT INTO {t} (id, ssn) VALUES (1, ?)", []any{"x"}, "DROP INDEX {t}_id; CREATE UNIQUE INDEX {t}_id ON {t} (id)"},
	{"a default is not NULL", "", plainPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn {bytes} DEFAULT {none})", "INSERT INTO {t} (id) VALUES (1)", nil, "{undefault}"},
	{"a default is not NULL, of DEFAULT VALUES", "postgres", plainPolicy, "CREATE TABLE {t} (id serial PRIMARY KEY, ssn {bytes} DEFAULT {none})", "INSERT INTO {t} DEFAULT VALUES", nil, "{undefault}"},
	{"a default is not NULL, of a row that says DEFAULT", "", plainPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn {bytes} DEFAULT {none})", "INSERT INTO {t} (id, ssn) VALUES (1, DEFAULT)", nil, "{undefault}"},
	{"the row key is generated", "postgres", codePolicy, "CREATE TABLE {t} (code text GENERATED ALWAYS AS ('c' || name) STORED PRIMARY KEY, name text, ssn {bytes})", "UPDATE {t} SET name = ? WHERE code = 'c1'", []any{"2"}, "ALTER TABLE {t} ALTER COLUMN code DROP EXPRESSION"},
	{"the row key is generated", "mysql", codePolicy, "CREATE TABLE {t} (code varchar(20) AS (CONCAT('c', name)) STORED UNIQUE, name varchar(10), ssn {bytes})", "UPDATE {t} SET name = ? WHERE code = 'c1'", []any{"2"}, "ALTER TABLE {t} MODIFY code varchar(20) NOT NULL"},
	{"a child inherits", "postgres", plainPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn {bytes}); CREATE TABLE {t}_child () INHERITS ({t})", "INSERT INTO {t} (id, ssn) VALUES (1, ?)", []any{"x"}, "DROP TABLE {t}_child"},
	{"a partition by its own name", "postgres", plainPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn {bytes}) PARTITION BY RANGE (id); CREATE TABLE {t}_one PARTITION OF {t} FOR VALUES FROM (1) TO (9)", "SELECT id FROM {t}_one", nil, "ALTER TABLE {t} DETACH PARTITION {t}_one"},
	{"a partition by its own name, of which another table is made", "postgres", plainPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn {bytes}) PARTITION BY RANGE (id); CREATE TABLE {t}_one PARTITION OF {t} FOR VALUES FROM (1) TO (9)", "SELECT id FROM {t}_one", nil, "DROP TABLE {t}_one; CREATE TABLE {t}_one (id int)"},
	{"a view reads the column", "", plainPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn {bytes}); CREATE VIEW {t}_v AS SELECT id, ssn AS x FROM {t}", "SELECT id FROM {t}_v", nil, "DROP VIEW {t}_v; CREATE VIEW {t}_v AS SELECT id FROM {t}"},
	{"a view of a view reads the column", "", plainPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn {bytes}); CREATE VIEW {t}_v AS SELECT id, ssn AS x FROM {t}; CREATE VIEW {t}_w AS SELECT id FROM {t}_v", "SELECT id FROM {t}_w", nil, "DROP VIEW {t}_w; CREATE TABLE {t}_w (id int)"},
	{"a view reads the column, in a text of which a part cannot be read", "postgres", plainPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn {bytes}); CREATE VIEW {t}_v AS SELECT id, ssn AS x FROM {t}", "DO 'BEGIN PERFORM id FROM {t}_v; END'", nil, "DROP VIEW {t}_v; CREATE TABLE {t}_v (id int)"},
	{"the key cannot be told", "", plainPolicy, "CREATE TABLE {t} (id float PRIMARY KEY, ssn {bytes})", "INSERT INTO {t} (id, ssn) VALUES (?, 'x')", []any{1}, "{alter} id {type} int"},
	{"a key would be cut", "", codePolicy, "CREATE TABLE {t} (code varchar(3) PRIMARY KEY, ssn {bytes})", "INSERT INTO {t} (code, ssn) VALUES (?, 'x')", []any{"longer"}, "{alter} code {type} varchar(20)"},
	{"a key would be rounded", "", plainPolicy, "CREATE TABLE {t} (id decimal(6,1) PRIMARY KEY, ssn {bytes})", "INSERT INTO {t} (id, ssn) VALUES (?, 'x')", []any{"1.25"}, "{alter} id {type} decimal(8,2)"},
	{"an upsert by terms has no unique key", "postgres", searchPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, email {bytes}, email_eq {term})", "INSERT INTO {t} (id, email) VALUES (1, ?) ON CONFLICT (email) DO UPDATE SET email = EXCLUDED.email", []any{"x"}, "CREATE UNIQUE INDEX {t}_email ON {t} (email_eq)"},
	{"a trigger sees a key that the server makes", "mysql", plainPolicy, "CREATE TABLE {t} (id int AUTO_INCREMENT PRIMARY KEY, name varchar(20), ssn {bytes}) ENGINE=MyISAM; CREATE TRIGGER {t}_tr BEFORE UPDATE ON {t} FOR EACH ROW SET NEW.name = 'x'", "INSERT INTO {t} (name, ssn) VALUES ('x', ?)", []any{"x"}, "ALTER TABLE {t} ENGINE=InnoDB"},
	{"a migration makes what the table has not yet", "", searchPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, email {bytes})", "CREATE INDEX {t}_i ON {t} (email)", nil, "ALTER TABLE {t} ADD COLUMN email_eq {term}"},
	{"a migration changes a column that is in clear yet", "postgres", plainPolicy, "CREATE TABLE {t} (id int PRIMARY KEY, ssn int)", "ALTER TABLE {t} ALTER COLUMN ssn TYPE varchar(50)", nil, "ALTER TABLE {t} DROP COLUMN ssn; ALTER TABLE {t} ADD COLUMN ssn bytea"},
}

func (c *catalogCause) fill(server *testdb.Server, table string) {
	words := []string{"{t}", table}
	if server.Name == "postgres" {
		words = append(words, "{bytes}", "bytea", "{term}", "bytea", "{none}", "'none'", "{alter}", "ALTER TABLE "+table+" ALTER COLUMN", "{type}", "TYPE", "{undefault}", "ALTER TABLE "+table+" ALTER COLUMN ssn DROP DEFAULT")
	} else {
		words = append(words, "{bytes}", "blob", "{term}", "varbinary(32)", "{none}", "('none')", "{alter}", "ALTER TABLE "+table+" MODIFY", "{type}", "", "{undefault}", "ALTER TABLE "+table+" MODIFY ssn blob")
	}
	r := strings.NewReplacer(words...)
	c.setup, c.text, c.mend = r.Replace(c.setup), r.Replace(c.text), r.Replace(c.mend)
}

// causesPolicy has a table for each case and mode.
func causesPolicy(cases map[string]*catalogCause) string {
	text := `
version: 1
keyrings:
  pii:
    raw_aes: {namespace: test, name: key, key_env: SEALSQL_CAUSES_KEY}
tables:
`
	for table, c := range cases {
		text += "  " + table + ": " + c.policy + "\n"
	}
	return text
}

// sends sends a case's text and reads what it returns to the end.
func (c *catalogCause) sends(s *site, db *sql.DB, prepared bool) error {
	text := s.q(c.text)
	query, exec := db.Query, db.Exec
	if prepared {
		stmt, err := db.Prepare(text)
		if err != nil {
			return err
		}
		defer stmt.Close()
		query = func(_ string, args ...any) (*sql.Rows, error) { return stmt.Query(args...) }
		exec = func(_ string, args ...any) (sql.Result, error) { return stmt.Exec(args...) }
	}
	if !strings.HasPrefix(text, "SELECT") {
		_, err := exec(text, c.args...)
		return err
	}
	rows, err := query(text, c.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

// TestNothingIsRefusedForACatalogThatWas: another connection does away with the cause of a
// refusal, and the same text works at once, prepared or not.
func TestNothingIsRefusedForACatalogThatWas(t *testing.T) {
	t.Setenv("SEALSQL_CAUSES_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			s := newSite(t, server)
			cases, tables := map[string]*catalogCause{}, []string{}
			for i, c := range catalogCauses {
				if table := fmt.Sprintf("c%d", i); c.on == "" || c.on == server.Name {
					own := c
					own.fill(server, table)
					s.statements(own.setup)
					cases[table], tables = &own, append(tables, table)
				}
			}
			db := s.withPolicy(causesPolicy(cases), driver.WithLogger(slog.New(slog.DiscardHandler)))
			refused := 0
			for _, table := range tables {
				c := cases[table]
				for _, prepared := range []bool{false, true, false} {
					err := c.sends(s, db, prepared)
					switch {
					case err == nil:
						t.Errorf("%s: nothing is refused", c.name)
					case errors.Is(err, driver.ErrRefused) || errors.Is(err, driver.ErrCatalog) || errors.Is(err, driver.ErrValue):
						refused++
					}
				}
				s.statements(c.mend)
				for _, prepared := range []bool{true, false} {
					if err := c.sends(s, db, prepared); err != nil && !duplicates(err) {
						t.Errorf("%s: the cause is gone, and prepared %t: %v", c.name, prepared, err)
					}
				}
			}
			if want := map[string][2]int{"postgres": {33, 70}, "mysql": {28, 70}}[server.Name]; len(cases) != want[0] || refused < want[1] {
				t.Errorf("%d cases of which %d statements were refused, want %v", len(cases), refused, want)
			}
		})
	}
}

// TestAPartitionIsRefusedAsLongAsItIsOne: sealsql made it, and another connection detaches it.
func TestAPartitionIsRefusedAsLongAsItIsOne(t *testing.T) {
	s := newSite(t, testdb.Postgres(t))
	s.protect("  readings: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}")
	s.bareExec("CREATE TABLE readings (id int PRIMARY KEY, ssn bytea) PARTITION BY RANGE (id)")
	refused := func(when, text string, want bool) {
		t.Helper()
		for range 2 {
			if _, err := s.sealed.Exec(text); errors.Is(err, driver.ErrRefused) != want || !want && err != nil {
				t.Errorf("%s: %s: %v, want a refusal: %t", when, text, err, want)
			}
		}
	}
	tx, err := s.sealed.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("CREATE TABLE readings_one PARTITION OF readings FOR VALUES FROM (1) TO (9)"); err != nil {
		t.Fatal(err)
	}
	refused("before the commit, which no catalog shows", "SELECT id FROM readings_one", true)
	if _, err := tx.Exec("INSERT INTO readings_one (id, ssn) VALUES (1, '078-05-1120')"); !errors.Is(err, driver.ErrRefused) {
		t.Errorf("in the transaction: %v", err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	refused("after the commit", "SELECT id FROM readings_one", true)
	s.bareExec("ALTER TABLE readings DETACH PARTITION readings_one")
	refused("after another connection detached it", "SELECT id FROM readings_one", false)
	s.bareExec("ALTER TABLE readings ATTACH PARTITION readings_one FOR VALUES FROM (1) TO (9)")
	refused("after another connection attached it again", "INSERT INTO readings_one (id, ssn) VALUES (2, '078-05-1120')", true)
}

// TestAnAttachmentThatWasUndoneIsForgotten: a partition or a child is refused by its own name until
// the transaction that attaches it is undone, and not longer.
func TestAnAttachmentThatWasUndoneIsForgotten(t *testing.T) {
	for name, attach := range map[string]string{
		"a partition that is attached":  "ALTER TABLE readings ATTACH PARTITION old FOR VALUES FROM (1) TO (9)",
		"a partition that is made":      "DROP TABLE old; CREATE TABLE old PARTITION OF readings FOR VALUES FROM (1) TO (9)",
		"a child":                       "ALTER TABLE old INHERIT notes",
		"a child that is made":          "DROP TABLE old; CREATE TABLE old () INHERITS (notes)",
		"a partition that does not fit": "ALTER TABLE readings ATTACH PARTITION old FOR VALUES FROM (9) TO (1)",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, testdb.Postgres(t))
			s.protect("  readings: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}\n  notes: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}")
			s.bareExec("CREATE TABLE readings (id int PRIMARY KEY, ssn bytea) PARTITION BY RANGE (id)")
			s.bareExec("CREATE TABLE notes (id int PRIMARY KEY, ssn bytea)")
			s.bareExec("CREATE TABLE old (id int NOT NULL, ssn bytea)")
			const text = "INSERT INTO old (id, ssn) VALUES (3, '078-05-1120')"
			reads := func(when string, refused bool) {
				t.Helper()
				for _, text := range []string{text, "SELECT ssn FROM old"} {
					_, err := s.sealed.Exec(text)
					if errors.Is(err, driver.ErrRefused) != refused || !refused && err != nil {
						t.Errorf("%s: %s: %v, want a refusal: %t", when, text, err, refused)
					}
				}
			}
			reads("before", false)
			for _, ended := range []string{"rolled back", "savepoint", "committed"} {
				s.bareExec("DELETE FROM old")
				tx, err := s.sealed.Begin()
				if err != nil {
					t.Fatal(err)
				}
				run := func(text string) {
					if _, err = tx.Exec(text); err != nil && !strings.HasSuffix(name, "fit") {
						t.Fatal(err)
					}
				}
				run("SAVEPOINT a")
				for _, text := range strings.Split(attach, "; ") {
					run(text)
				}
				if err == nil {
					if _, err := s.sealed.Exec("INSERT INTO old (id, ssn) VALUES (5, '078-05-1120')"); !errors.Is(err, driver.ErrRefused) {
						t.Errorf("while it is open: %v", err)
					}
				}
				if ended == "savepoint" {
					run("ROLLBACK TO a")
				}
				if ended == "rolled back" || strings.HasSuffix(name, "fit") {
					_ = tx.Rollback()
				} else if err := tx.Commit(); err != nil {
					t.Fatal(err)
				}
				reads(ended, ended == "committed" && !strings.HasSuffix(name, "fit"))
			}
		})
	}
}

// TestADefaultThatSomebodyElseGave: rows hold it in clear, and it is read and counted as
// if sealsql had sent the migration.
func TestADefaultThatSomebodyElseGave(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.exec("INSERT INTO accounts (account_number, note) VALUES ('1', ?)", "first note")
		s.want("first note", "SELECT note FROM accounts")
		s.statements(map[bool]string{true: "ALTER TABLE accounts DROP COLUMN note; ALTER TABLE accounts ADD COLUMN note text NOT NULL DEFAULT ''",
			false: "ALTER TABLE accounts DROP COLUMN note; ALTER TABLE accounts ADD COLUMN note text NOT NULL DEFAULT ('')"}[s.postgres()])
		s.want("1|", "SELECT account_number, note FROM accounts")
		s.exec("INSERT INTO accounts (account_number) VALUES ('2')")
		s.want("1|\n2|", "SELECT account_number, note FROM accounts ORDER BY account_number")
		if n := joined(t, s.bare, "SELECT count(*) FROM accounts WHERE note = ''"); n != "1" {
			t.Errorf("%s rows hold the default in clear, want the one from before", n)
		}
		for _, e := range s.log() {
			if e.Kind != alert.PlaintextRead {
				t.Errorf("an event of kind %s", e.Kind)
			}
		}
	})
}

// duplicates reports whether the server says that the row is there already: the statement
// was sent once before.
func duplicates(err error) bool {
	text := err.Error()
	return strings.Contains(text, "23505") || strings.Contains(text, "1062") || strings.Contains(text, "already exists") || strings.Contains(text, "1061")
}

// statements sends statements bare.
func (s *site) statements(texts string) {
	s.t.Helper()
	for _, text := range strings.Split(texts, ";") {
		if text = strings.TrimSpace(text); text != "" {
			s.bareExec(text)
		}
	}
}
