package integration

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// leftovers are statements, and the question that an application asks next of what the
// last of them left in the session.
var leftovers = []struct {
	name       string
	statements []string
	question   string
	maria      bool
}{
	{name: "one row", statements: []string{"INSERT INTO auto (email, ssn) VALUES ('a@x', '980-00-1001')"}, question: "SELECT ROW_COUNT()"},
	{name: "three rows", statements: []string{"INSERT INTO auto (email, ssn) VALUES ('b@x', '980-00-1002'), ('c@x', '980-00-1003'), ('d@x', NULL)"}, question: "SELECT ROW_COUNT()"},
	{name: "in an expression", statements: []string{"INSERT INTO auto (email, ssn) VALUES ('e@x', '980-00-1004'), ('f@x', NULL)"}, question: "SELECT row_count( ) + 1, ROW_COUNT() AS n, LAST_INSERT_ID() - LAST_INSERT_ID()"},
	{name: "asked twice", statements: []string{"INSERT INTO auto (email, ssn) VALUES ('g@x', '980-00-1005')", "DO 0"}, question: "SELECT ROW_COUNT()"},
	{name: "an upsert", statements: []string{"INSERT INTO auto (email, ssn) VALUES ('a@x', '980-00-1006') ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)"}, question: "SELECT ROW_COUNT()"},
	{name: "rows that are locked", statements: []string{"UPDATE auto SET ssn = '980-00-1007' WHERE n = 0 ORDER BY id LIMIT 2"}, question: "SELECT ROW_COUNT()"},
	{name: "no row", statements: []string{"UPDATE auto SET ssn = '980-00-1007' WHERE n = 50 ORDER BY id LIMIT 2"}, question: "SELECT ROW_COUNT()"},
	{name: "an error", statements: []string{"INSERT INTO auto (email, ssn) VALUES ('a@x', '980-00-1008')"}, question: "SELECT ROW_COUNT()"},
	{name: "a replacement", statements: []string{"REPLACE INTO auto (email, ssn) VALUES ('a@x', '980-00-1009')"}, question: "SELECT ROW_COUNT()"},
	{name: "beside a protected column", statements: []string{"INSERT INTO auto (email, ssn) VALUES ('h@x', '980-00-1010')"}, question: "SELECT ROW_COUNT(), ssn FROM auto WHERE email = 'h@x'"},
	{name: "a key that is NULL", statements: []string{"SET sql_auto_is_null = 1", "INSERT INTO auto (email, ssn) VALUES ('i@x', '980-00-1011')"}, question: "SELECT email, ssn FROM auto WHERE id IS NULL"},
	{name: "a key that is NULL, of several rows", statements: []string{"INSERT INTO auto (email, ssn) VALUES ('j@x', '980-00-1012'), ('k@x', '980-00-1013')"}, question: "SELECT email, ssn FROM auto WHERE id IS NULL"},
	{name: "a key that is NULL, of a replacement", statements: []string{"REPLACE INTO auto (email, ssn) VALUES ('j@x', '980-00-1014'), ('k@x', '980-00-1013')"}, question: "SELECT email, ssn FROM auto WHERE id IS NULL"},
	{name: "a key that is NULL, deleted", statements: []string{"INSERT INTO auto (email, ssn) VALUES ('n@x', '980-00-1019')", "DELETE FROM auto WHERE id IS NULL"}, question: "SELECT ROW_COUNT()"},
	{name: "no key that is NULL", statements: []string{"SET sql_auto_is_null = 0", "INSERT INTO auto (email, ssn) VALUES ('l@x', '980-00-1015')", "UPDATE auto SET ssn = '980-00-1016' WHERE id IS NULL"}, question: "SELECT ROW_COUNT()"},
	{name: "with a comment", statements: []string{"INSERT INTO auto (email, ssn) VALUES ('p@x', '980-00-1021')"}, question: "/* ROW_COUNT() */ (SELECT 'ROW_COUNT()', ROW_COUNT /* x */ () FROM (SELECT 1 AS `ROW_COUNT()`) AS t)"},
	{name: "in a statement that writes", statements: []string{"INSERT INTO auto (email, ssn) VALUES ('q@x', '980-00-1022'), ('r@x', '980-00-1023')", "INSERT INTO auto (email, n, ssn) VALUES ('s@x', ROW_COUNT(), '980-00-1024')"}, question: "SELECT n FROM auto WHERE email = 's@x'"},
	{name: "in a variable", statements: []string{"INSERT INTO auto (email, ssn) VALUES ('t@x', '980-00-1025')", "SET @written = ROW_COUNT()"}, question: "SELECT @written, ROW_COUNT()"},
	{name: "after a question of something else", statements: []string{"UPDATE auto SET ssn = '980-00-1027' WHERE n = 0 ORDER BY id LIMIT 3", "UPDATE auto SET n = 0 WHERE n = 77"}, question: "SELECT ROW_COUNT()"},
	{name: "upserted and returned", maria: true, statements: []string{"INSERT INTO auto (email, ssn) VALUES ('a@x', '980-00-1026') ON DUPLICATE KEY UPDATE ssn = VALUES(ssn) RETURNING id, ssn"}, question: "SELECT ROW_COUNT()"},
	{name: "rows found", statements: []string{"SELECT SQL_CALC_FOUND_ROWS id, ssn FROM auto LIMIT 1"}, question: "SELECT FOUND_ROWS()"},
	{name: "returned", maria: true, statements: []string{"INSERT INTO auto (email, ssn) VALUES ('o@x', '980-00-1020') RETURNING id"}, question: "SELECT ROW_COUNT()"},
}

// TestWhatAStatementLeavesInTheSession asks, beside a bare twin, for ROW_COUNT() and for
// the row whose key is NULL under sql_auto_is_null.
func TestWhatAStatementLeavesInTheSession(t *testing.T) {
	server, p := testdb.MySQL(t), fakePolicy(t, autoPolicy)
	for _, settings := range []string{"", "interpolateParams=true&clientFoundRows=true"} {
		a := newAutoTwins(t, server, witnesses[0], settings, p)
		for _, l := range leftovers {
			if l.maria && server.Product != "mariadb" {
				continue
			}
			t.Run(l.name+" "+settings, func(t *testing.T) {
				a.T = t
				for _, text := range l.statements {
					a.exec(text)
				}
				a.query(l.question)
			})
		}
		a.T = t
		a.compare(witnesses[0])
	}
}

// exec sends a statement and compares what Go shows of its result.
func (a *autoTwins) exec(text string, args ...any) {
	a.Helper()
	var lines [2]string
	for i, conn := range []*sql.Conn{a.sealed, a.bare} {
		res, err := conn.ExecContext(a.Context(), text, args...)
		if err != nil {
			lines[i] = "error " + class(err)
			continue
		}
		id, _ := res.LastInsertId()
		n, _ := res.RowsAffected()
		lines[i] = fmt.Sprintf("key %d, %d rows", id, n)
	}
	if lines[0] != lines[1] {
		a.Errorf("%s\n got: %s\nwant: %s", text, lines[0], lines[1])
	}
}

// TestPreparedTextsAskForTheRowsWritten asks by a statement that was prepared before, with
// an argument and within a transaction, and looks at the column's type.
func TestPreparedTextsAskForTheRowsWritten(t *testing.T) {
	server, p := testdb.MySQL(t), fakePolicy(t, autoPolicy)
	for _, settings := range []string{"", "interpolateParams=true"} {
		a := newAutoTwins(t, server, witnesses[0], settings, p)
		var answers [2][]string
		for i, conn := range []*sql.Conn{a.sealed, a.bare} {
			ask := func(rows *sql.Rows, err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				defer rows.Close()
				types, err := rows.ColumnTypes()
				if err != nil {
					t.Fatal(err)
				}
				nullable, ok := types[0].Nullable()
				answers[i] = append(answers[i], fmt.Sprintln(allRows(t, rows), types[0].DatabaseTypeName(), types[0].ScanType(), nullable, ok))
			}
			s, err := conn.PrepareContext(t.Context(), "SELECT ROW_COUNT()")
			if err != nil {
				t.Fatal(err)
			}
			send := func(text string, args ...any) {
				t.Helper()
				if _, err := conn.ExecContext(t.Context(), text, args...); err != nil {
					t.Fatal(err)
				}
			}
			for _, text := range []string{"INSERT INTO auto (email, ssn) VALUES ('a@x', ?)", "INSERT INTO auto (email, ssn) VALUES ('b@x', ?), ('c@x', NULL)", "UPDATE auto SET email = 'd@x', ssn = ? WHERE email LIKE 'b%' LIMIT 1"} {
				send(text, ssn1)
				ask(s.QueryContext(t.Context()))
				ask(s.QueryContext(t.Context()))
				send(text[:strings.Index(text, " ")+1]+"IGNORE"+text[strings.Index(text, " "):], ssn1)
				ask(conn.QueryContext(t.Context(), "SELECT ROW_COUNT() + ?", 1))
			}
			tx, err := conn.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			ask(tx.QueryContext(t.Context(), "SELECT ROW_COUNT()"))
			if _, err := tx.ExecContext(t.Context(), "INSERT INTO auto (email, ssn) VALUES ('e@x', ?), ('f@x', NULL)", ssn1); err != nil {
				t.Fatal(err)
			}
			ask(tx.QueryContext(t.Context(), "SELECT ROW_COUNT()"))
			if _, err := tx.ExecContext(t.Context(), "INSERT INTO auto (email, ssn) VALUES ('g@x', ?)", ssn1); err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			ask(s.QueryContext(t.Context()))
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if len(answers[0]) != 12 || !slices.Equal(answers[0], answers[1]) {
			t.Errorf("%s\n got: %v\nwant: %v", settings, answers[0], answers[1])
		}
	}
}
