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

// TestStatementsOfOneText sends them through database/sql and sealpgx, beside a bare twin.
func TestStatementsOfOneText(t *testing.T) {
	for _, server := range testdb.Each(t) {
		if server.Name != "postgres" {
			continue // MySQL's servers keep what the statements before an error did
		}
		w := newWorld(t, server, corpusDir)
		p, all := w.pgxPools(), modes(server.Name)
		ran := 0
		for _, x := range apartTexts {
			t.Run(x.name, func(t *testing.T) {
				w := *w
				w.t = t
				c := &corpus.Case{Name: x.name, Text: x.text, Fails: strings.HasPrefix(x.name, "an error")}
				w.watch(x.text)
				w.compare(c, all[1])
				w.comparePgx(p, c, "pgx exec")
				ran++
			})
		}
		if ran != 15 {
			t.Errorf("%d texts", ran)
		}
		if leaks := w.proxy.Leaks(); len(leaks) > 0 {
			t.Errorf("LEAK: %v", leaks)
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
