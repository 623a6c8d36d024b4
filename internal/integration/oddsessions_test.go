package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// oddSession is what a session is told before and after a statement, in MySQL's words; %s
// is the table.
type oddSession struct {
	name          string
	before, after []string
	// elsewhere is what another session does, and commits, before the statement.
	elsewhere []string
	// refuses is true where sealsql may refuse what bare carries out.
	refuses bool
}

var oddSessions = []oddSession{
	{name: "an XA transaction", before: []string{"XA START 'x'"}, after: []string{"XA END 'x'", "XA PREPARE 'x'", "XA COMMIT 'x'"}},
	{name: "an XA transaction that has ended", before: []string{"XA START 'x'", "XA END 'x'"}, after: []string{"XA COMMIT 'x' ONE PHASE"}},
	{name: "a lock of the table", before: []string{"LOCK TABLES %s WRITE"}, after: []string{"UNLOCK TABLES"}},
	{name: "a lock of the table for reading", before: []string{"LOCK TABLES %s READ"}, after: []string{"UNLOCK TABLES"}},
	{name: "a lock of another table", before: []string{"LOCK TABLES plain WRITE"}, after: []string{"UNLOCK TABLES"}},
	{name: "a lock of the table without autocommit", before: []string{"SET autocommit = 0", "LOCK TABLES %s WRITE"}, after: []string{"COMMIT", "UNLOCK TABLES"}},
	{name: "a flushed table", before: []string{"FLUSH TABLES %s WITH READ LOCK"}, after: []string{"UNLOCK TABLES"}},
	{name: "SERIALIZABLE", before: []string{"SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"}},
	{name: "SERIALIZABLE for the next transaction", before: []string{"SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"}, refuses: true},
	{name: "READ UNCOMMITTED", before: []string{"SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "BEGIN"}, after: []string{"ROLLBACK"}},
	{name: "READ ONLY", before: []string{"SET SESSION TRANSACTION READ ONLY"}},
	{name: "a transaction that is READ ONLY", before: []string{"START TRANSACTION READ ONLY"}, after: []string{"COMMIT"}},
	{name: "a snapshot", before: []string{"START TRANSACTION WITH CONSISTENT SNAPSHOT"}, after: []string{"COMMIT"}, elsewhere: []string{"UPDATE %s SET tenant = 't2', n = 5 WHERE k IN ('a', 'b')"}},
	{name: "a snapshot, with a row that is gone", before: []string{"START TRANSACTION WITH CONSISTENT SNAPSHOT"}, after: []string{"COMMIT"}, elsewhere: []string{"DELETE FROM %s WHERE k = 'a'"}},
	{name: "a snapshot, with a row that is new", before: []string{"START TRANSACTION WITH CONSISTENT SNAPSHOT"}, after: []string{"COMMIT"}, elsewhere: []string{"INSERT INTO %s (k, tenant, name, n) VALUES ('d', 't1', 'ada', 1)"}},
	{name: "sql_safe_updates", before: []string{"SET sql_safe_updates = 1"}},
	{name: "sql_select_limit", before: []string{"SET sql_select_limit = 1"}},
	{name: "sql_select_limit of nothing, in a transaction", before: []string{"SET sql_select_limit = 0", "BEGIN"}, after: []string{"COMMIT"}},
	{name: "completion_type", before: []string{"SET completion_type = 'CHAIN'"}, after: []string{"ROLLBACK"}},
	{name: "completion_type, in a transaction", before: []string{"SET completion_type = 'CHAIN'", "BEGIN"}, after: []string{"COMMIT", "ROLLBACK"}},
	{name: "no strict mode", before: []string{"SET sql_mode = ''"}},
	{name: "no autocommit", before: []string{"SET autocommit = 0"}, after: []string{"ROLLBACK"}},
	{name: "a small tmp_table_size", before: []string{"SET tmp_table_size = 1024", "SET optimizer_switch = 'materialization=off,semijoin=off,derived_merge=off'"}},
}

// oddWrites are the statements; %s is the table.
var oddWrites = []string{
	"UPDATE %s SET ssn = ?, n = n + 10 WHERE name = 'ada'",
	"UPDATE %s SET ssn = ?, n = n + 10 WHERE k = 'a'",
	"UPDATE %s SET ssn = ? WHERE k = 'A' AND tenant = 't1'",
	"UPDATE %s SET ssn = ?, n = n + 10 WHERE name LIKE 'a%%' ORDER BY k DESC LIMIT 1",
	"INSERT INTO %s (ssn, k, tenant, name, n) VALUES (?, 'a', 't1', 'new', 5) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), n = VALUES(n) + 10",
	"INSERT INTO %s (ssn, k, tenant, name, n) VALUES (?, 'd', 't1', 'new', 5) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), n = VALUES(n) + 10",
}

// TestWritesInOddSessions carries out each statement in each session, through sealsql and
// on its twin bare: the same rows are written, with the same counts and errors, and each
// value opens in its row.
func TestWritesInOddSessions(t *testing.T) {
	r := newRace(t, testdb.MySQL(t))
	r.set("CREATE TABLE plain (id int PRIMARY KEY)")
	ran := 0
	for _, s := range oddSessions {
		for _, text := range oddWrites {
			ran++
			got, want := r.odd(t, s, r.sealed, "held", text), r.odd(t, s, r.bare, "twin", text)
			if got != want && !(s.refuses && strings.Contains(got, "refused")) {
				t.Errorf("%s: %s\n got: %s\nbare: %s", s.name, text, got, want)
			}
		}
	}
	if n := len(r.proxy.Leaks()); n > 0 || ran != len(oddSessions)*len(oddWrites) {
		t.Errorf("%d leaks, %d cases", n, ran)
	}
}

// odd carries out a statement in a session and says what it ended in, and what the table
// holds.
func (r *race) odd(t *testing.T, s oddSession, db *sql.DB, table, text string) string {
	t.Helper()
	r.set("DELETE FROM "+table, "INSERT INTO "+table+" (k, tenant, name, n) VALUES ('a', 't1', 'ada', 1), ('b', 't1', 'ada', 1), ('c', 't1', 'bob', 1)")
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer closeForGood(c)
	var said []string
	send := func(text string, args ...any) {
		t.Helper()
		if strings.Contains(text, "%s") {
			text = fmt.Sprintf(text, table)
		}
		res, err := c.ExecContext(t.Context(), text, args...)
		switch {
		case errors.Is(err, driver.ErrRefused):
			said = append(said, "refused: "+err.Error())
		case err != nil:
			said = append(said, class(err))
		default:
			n, _ := res.RowsAffected()
			said = append(said, fmt.Sprint(n, " rows"))
		}
	}
	for _, text := range s.before {
		send(text)
	}
	for _, text := range s.elsewhere {
		r.set(fmt.Sprintf(text, table))
	}
	send(text, map[bool]any{true: ssn1, false: []byte(ssn1)}[table == "held"])
	for _, text := range s.after {
		send(text)
	}
	var a answer
	rows, err := db.QueryContext(t.Context(), "SELECT k, tenant, name, n, ssn FROM "+table+" ORDER BY k, tenant")
	if err != nil {
		t.Fatal(err)
	}
	a.read(rows)
	_ = rows.Close()
	return fmt.Sprintf("%s\n%s\n%s", strings.Join(said, "; "), strings.Join(a.rows, "\n"), class(a.err))
}

// oddTriggers change a row that a statement writes.
var oddTriggers = []struct{ name, timing, body string }{
	{"counts", "BEFORE", "SET NEW.n = NEW.n + 100"},
	{"renames, so that the condition does not find the row any more", "BEFORE", "SET NEW.name = 'eve'"},
	{"writes to another table", "AFTER", "INSERT INTO plain (id) SELECT 1 + COUNT(*) FROM plain"},
	{"fails for a row", "BEFORE", "IF NEW.k = 'b' THEN SIGNAL SQLSTATE '45000'; END IF"},
	{"clears the value", "BEFORE", "SET NEW.ssn = NULL"},
	{"keeps the old value", "BEFORE", "SET NEW.ssn = OLD.ssn"},
}

// TestWritesOfRowsThatTriggersChange carries out each statement on tables with triggers,
// within a transaction and outside, through sealsql and on a bare twin.
func TestWritesOfRowsThatTriggersChange(t *testing.T) {
	r := newRace(t, testdb.MySQL(t))
	r.set("CREATE TABLE plain (id int PRIMARY KEY)")
	for _, trigger := range oddTriggers {
		for _, table := range []string{"held", "twin"} {
			r.set(fmt.Sprintf("CREATE TRIGGER %s_t %s UPDATE ON %s FOR EACH ROW %s", table, trigger.timing, table, trigger.body))
		}
		for _, s := range []oddSession{{name: "no transaction"}, {name: "a transaction", before: []string{"BEGIN"}, after: []string{"COMMIT"}}} {
			for _, text := range oddWrites {
				var said [2]string
				for i, table := range []string{"held", "twin"} {
					r.set("DELETE FROM plain")
					said[i] = r.odd(t, s, []*sql.DB{r.sealed, r.bare}[i], table, text)
					var n int
					if err := r.bare.QueryRow("SELECT COUNT(*) FROM plain").Scan(&n); err != nil {
						t.Fatal(err)
					}
					said[i] += fmt.Sprint(n)
				}
				if said[0] != said[1] {
					t.Errorf("a trigger that %s, %s: %s\n got: %s\nbare: %s", trigger.name, s.name, text, said[0], said[1])
				}
			}
		}
		r.set("DROP TRIGGER held_t", "DROP TRIGGER twin_t")
	}
}
