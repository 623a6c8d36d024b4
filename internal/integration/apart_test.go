package integration

import (
	"errors"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/corpus"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// apartTexts are texts of several statements, as migrations and fixtures send them, of which
// one takes several exchanges.
var apartTexts = []struct{ name, text string }{
	{"two rows whose keys the server makes", "INSERT INTO idents (name, ssn) VALUES ('s1', '905-06-0001'); INSERT INTO idents (name, ssn) VALUES ('s2', '905-06-0002')"},
	{"a table and a row", "CREATE TABLE made (id int); INSERT INTO people (name, ssn) VALUES ('s1', '905-06-0001'); DROP TABLE made"},
	{"a column of a new table", "CREATE TABLE made (id int, v text); INSERT INTO made (id) VALUES (1); UPDATE people SET ssn = '905-06-0003' WHERE name <> ''; UPDATE made SET v = 'x'; DROP TABLE made"},
	{"a column of the table itself", "ALTER TABLE people ADD COLUMN extra text; UPDATE people SET ssn = '905-06-0003', extra = 'x'; UPDATE people SET extra = NULL WHERE ssn IS NULL; ALTER TABLE people DROP COLUMN extra"},
	{"an update of every row", "UPDATE people SET ssn = '' WHERE ssn IS NULL; UPDATE people SET name = 'x' WHERE id = 1"},
	{"two updates of every row", "UPDATE people SET ssn = '905-06-0004'; UPDATE accounts SET ssn = '905-06-0005' WHERE tenant_id = 1"},
	{"an upsert", "DELETE FROM other; INSERT INTO people (name, ssn) VALUES ('ann', '905-06-0001') ON CONFLICT (name) DO UPDATE SET ssn = EXCLUDED.ssn"},
	{"insert or not", "DELETE FROM other; INSERT INTO people (name, ssn) SELECT 's1', '905-06-0001' WHERE NOT EXISTS (SELECT 1 FROM people WHERE name = 's1')"},
	{"a transaction", "BEGIN; INSERT INTO people (name, ssn) VALUES ('s1', '905-06-0001'); UPDATE people SET ssn = '905-06-0006'; COMMIT;"},
	{"a transaction in other words", "START TRANSACTION; UPDATE people SET ssn = '905-06-0009'; INSERT INTO idents (name, ssn) VALUES ('i', '905-06-0002'); END;"},
	{"comments and quotes", "/* a ; */ INSERT INTO people (name, ssn) VALUES ('s;1', '905-06-0001');; -- b ; c\n INSERT INTO people (name, ssn) VALUES ($$s;2$$, '905-06-0002'); -- d"},
	{"an error at the end", "INSERT INTO people (name, ssn) VALUES ('s1', '905-06-0001'); INSERT INTO plain (id) VALUES (1), (1)"},
	{"an error at the start", "INSERT INTO nosuch VALUES (1); INSERT INTO people (name, ssn) VALUES ('s1', '905-06-0001')"},
	{"rows that are read", "INSERT INTO people (name, ssn) VALUES ('s1', '905-06-0001'); SELECT ssn FROM people"},
	{"what a setting holds for", "SET LOCAL statement_timeout = 60000; UPDATE people SET ssn = '905-06-0009'"},
	{"what the statements before wrote", "INSERT INTO people (name, ssn) VALUES ('s1', '905-06-0001'); UPDATE people SET ssn = '905-06-0002' WHERE name = 's1'; DELETE FROM people WHERE name = 's1'"},
}

// mysqlApartTexts are such texts for MySQL's servers, which keep what the statements before
// an error did.
var mysqlApartTexts = []struct{ name, text string }{
	{"two rows whose keys the server makes", "INSERT INTO people (name, ssn) VALUES ('s1', '905-06-0001'); INSERT INTO people (name, ssn) VALUES ('s2', '905-06-0002')"},
	{"a table and a row", "CREATE TABLE made (id int); INSERT INTO people (name, ssn) VALUES ('s1', '905-06-0001'); DROP TABLE made"},
	{"a column of the table itself", "ALTER TABLE people ADD COLUMN extra text; UPDATE people SET ssn = '905-06-0003', extra = 'x'; ALTER TABLE people DROP COLUMN extra"},
	{"an update of every row", "UPDATE people SET ssn = '' WHERE ssn IS NULL; UPDATE people SET name = 'x' WHERE id = 1"},
	{"two updates of every row", "UPDATE people SET ssn = '905-06-0004'; UPDATE accounts SET ssn = '905-06-0005' WHERE tenant_id = 1"},
	{"a computed row key", "INSERT INTO users (email, ssn) VALUES (CONCAT('x', 'y'), '905-06-0002'); SELECT 1"},
	{"an upsert", "DELETE FROM other; INSERT INTO people (name, ssn) VALUES ('ann', '905-06-0001') ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)"},
	{"a transaction", "BEGIN; INSERT INTO people (name, ssn) VALUES ('s1', '905-06-0001'); UPDATE people SET ssn = '905-06-0006'; COMMIT;"},
	{"a transaction that is undone", "START TRANSACTION; UPDATE people SET ssn = '905-06-0009'; INSERT INTO people (name, ssn) VALUES ('i', '905-06-0002'); ROLLBACK"},
	{"comments and quotes", "/* a ; */ INSERT INTO people (name, ssn) VALUES ('s;1', '905-06-0001'); -- b ; c\n INSERT INTO people (name, ssn) VALUES (\"s;2\", '905-06-0002') # d"},
	{"an error at the end", "INSERT INTO people (name, ssn) VALUES ('s1', '905-06-0001'); INSERT INTO plain (id) VALUES (9001), (9001)"},
}

// TestStatementsOfOneText sends them through database/sql and sealpgx, beside a bare twin.
func TestStatementsOfOneText(t *testing.T) {
	for _, server := range testdb.Each(t) {
		texts, how := apartTexts, modes(server.Name)[1]
		if server.Name == "mysql" {
			texts, how = mysqlApartTexts, mode{"exec", "multiStatements=true"}
		}
		w := newWorld(t, server, corpusDir)
		var p pgxPools
		if server.Name == "postgres" {
			p = w.pgxPools()
		}
		ran := 0
		for _, x := range texts {
			t.Run(server.String()+"/"+x.name, func(t *testing.T) {
				w := *w
				w.t = t
				c := &corpus.Case{Name: x.name, Text: x.text, Fails: strings.HasPrefix(x.name, "an error")}
				w.watch(x.text)
				w.compare(c, how)
				if server.Name == "postgres" {
					w.comparePgx(p, c, "pgx exec")
				}
				ran++
			})
		}
		if ran != map[string]int{"postgres": 16, "mysql": 11}[server.Name] {
			t.Errorf("%d texts", ran)
		}
		if leaks := w.proxy.Leaks(); len(leaks) > 0 {
			t.Errorf("LEAK: %v", leaks)
		}
	}
}

// TestAServerThatTakesOneStatementIsSentNone: without multiStatements the text is refused,
// as the server does.
func TestAServerThatTakesOneStatementIsSentNone(t *testing.T) {
	for _, server := range testdb.Each(t) {
		if server.Name != "mysql" {
			continue
		}
		db := newWorld(t, server, corpusDir).pair("")[0]
		for _, x := range mysqlApartTexts {
			if _, err := db.Exec(x.text); !errors.Is(err, driver.ErrRefused) {
				t.Errorf("%s: %v", x.name, err)
			}
		}
	}
}

// TestATextThatEndsATransactionIsNotToldApart: what its statements mean depends on the
// server's own transaction for the text.
func TestATextThatEndsATransactionIsNotToldApart(t *testing.T) {
	for _, server := range testdb.Each(t) {
		if server.Name != "postgres" {
			continue
		}
		db := newWorld(t, server, corpusDir).pair("")[0]
		for _, text := range []string{
			"INSERT INTO people (name, ssn) VALUES ('s1', '905-06-0001'); COMMIT",
			"BEGIN; INSERT INTO people (name, ssn) VALUES ('s1', '905-06-0001'); ROLLBACK",
			"BEGIN; INSERT INTO people (name, ssn) VALUES ('s1', '905-06-0001')",
			"INSERT INTO people (name, ssn) VALUES ('s1', '905-06-0001'); BEGIN; COMMIT",
			"BEGIN; UPDATE people SET ssn = '905-06-0001'; COMMIT AND CHAIN",
			"BEGIN; SAVEPOINT s; UPDATE people SET ssn = '905-06-0001'; COMMIT",
		} {
			if _, err := db.Exec(text); !errors.Is(err, driver.ErrRefused) {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}
