package integration

import (
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// shape is a statement that finds a row by a term.
type shape struct {
	name, only string // only on this server, if set
	text       string
	held       bool // the row's value is opened and its term compared
}

// shapes are the statements that docs/THREATS.md sorts: those whose rows are held to
// their terms, and those that act on the server's word.
var shapes = []shape{
	{"a column in clear", "", "SELECT id FROM members WHERE email = ?", true},
	{"the value", "", "SELECT id, email FROM members WHERE email = ?", true},
	{"a star", "", "SELECT * FROM members WHERE email = ?", true},
	{"a constant", "", "SELECT 1 FROM members WHERE email = ?", true},
	{"an expression", "", "SELECT upper(name) FROM members WHERE email = ?", true},
	{"one of a list", "", "SELECT id FROM members WHERE email IN (?, 'x@leak.example')", true},
	{"one of several conditions", "", "SELECT id FROM members WHERE email = ? OR id = 77", true},
	{"a limit", "", "SELECT id FROM members WHERE email = ? ORDER BY id LIMIT 2", true},
	{"a lock", "", "SELECT id FROM members WHERE email = ? FOR UPDATE", true},
	{"an inner join", "", "SELECT o.total FROM orders o JOIN members m ON m.id = o.member_id WHERE m.email = ? AND m.id = 2", true},
	{"a join on the value", "", "SELECT i.id FROM invites i JOIN members m ON m.email = i.mail WHERE m.email = ?", true},
	{"an outer join", "", "SELECT o.total FROM members m LEFT JOIN orders o ON m.id = o.member_id WHERE m.email = ?", true},
	{"a derived table", "", "SELECT x.id FROM (SELECT id FROM members WHERE email = ?) x", true},
	{"a common table expression", "", "WITH x AS (SELECT id, email FROM members WHERE email = ?) SELECT id FROM x", true},
	{"a view of the policy", "", "SELECT id FROM v_members WHERE email = ?", true},
	{"LATERAL", "postgres", "SELECT x.id FROM orders o, LATERAL (SELECT m.id FROM members m WHERE m.id = o.member_id AND m.email = ?) x", true},
	{"a window", "", "SELECT id, row_number() OVER (ORDER BY id) FROM members WHERE email = ?", true},

	{"a count", "", "SELECT count(*) FROM members WHERE email = ?", false},
	{"an aggregate", "", "SELECT max(id) FROM members WHERE email = ?", false},
	{"DISTINCT", "", "SELECT DISTINCT id FROM members WHERE email = ?", false},
	{"GROUP BY", "", "SELECT id FROM members WHERE email = ? GROUP BY id", false},
	{"HAVING", "", "SELECT count(*) FROM members WHERE email = ? HAVING count(*) > 0", false},
	{"EXISTS", "", "SELECT id FROM orders WHERE EXISTS (SELECT 1 FROM members m WHERE m.id = orders.member_id AND m.email = ?)", false},
	{"IN with a sub-select", "", "SELECT id FROM orders WHERE member_id IN (SELECT id FROM members WHERE email = ?)", false},
	{"a scalar sub-select", "", "SELECT (SELECT max(id) FROM members WHERE email = ?)", false},
	{"a set operation", "", "SELECT id FROM members WHERE email = ? UNION ALL SELECT 5", false},
	{"a column in clear, unlike the value", "", "SELECT id FROM members WHERE email <> ?", false},
	{"DISTINCT ON", "postgres", "SELECT DISTINCT ON (name) id FROM members WHERE email = ?", false},
	{"INSERT of a SELECT", "", "INSERT INTO orders (id, total) SELECT 500 + id, 1 FROM members WHERE email = ?", false},
	{"UPDATE", "", "UPDATE members SET nick = 'x' WHERE email = ?", false},
	{"UPDATE that returns", "postgres", "UPDATE members SET nick = 'x' WHERE email = ? RETURNING id", false},
	{"UPDATE that returns the value", "postgres", "UPDATE members SET nick = 'x' WHERE email = ? RETURNING id, email", false},
	{"DELETE", "", "DELETE FROM members WHERE email = ?", false},
	{"DELETE that returns", "postgres", "DELETE FROM members WHERE email = ? RETURNING id", false},
	{"DELETE that returns the value", "", "DELETE FROM members WHERE email = ? RETURNING id, email", false},
}

// TestWhichRowsAreHeldToTheirTerms gives a row the term of another row's value, behind
// sealsql's back, and sends each shape of statement that finds it.
func TestWhichRowsAreHeldToTheirTerms(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, searchedDir)
			db := w.pair("")[0]
			ran := 0
			for _, x := range shapes {
				if x.only != "" && x.only != server.Name || strings.Contains(x.text, "DELETE") && strings.Contains(x.text, "RETURNING") && strings.HasPrefix(server.String(), "mysql") {
					continue
				}
				ran++
				t.Run(x.name, func(t *testing.T) {
					defer w.restore()
					moveTerm(t, server, w.admin[0])
					text := (&site{server: server}).q(x.text)
					emitted.secret("ada@leak.example")
					err := drained(db.Query(text, "ada@leak.example"))
					switch {
					case x.held && !errors.Is(err, driver.ErrIndexMismatch):
						t.Errorf("%s\nthe row is handed out: %v", x.text, err)
					case !x.held && err != nil:
						t.Errorf("%s\n%v", x.text, err)
					}
				})
			}
			want := map[bool]int{true: len(shapes), false: len(shapes) - 5}[server.Name == "postgres"]
			if strings.HasPrefix(server.String(), "mysql") {
				want-- // it has no DELETE … RETURNING
			}
			if ran != want {
				t.Errorf("%d shapes were tried, want %d", ran, want)
			}
		})
	}
}

// moveTerm gives Ben's row the term of Ada's.
func moveTerm(t *testing.T, server *testdb.Server, bare *sql.DB) {
	t.Helper()
	var term []byte
	err := bare.QueryRow("SELECT email_eq FROM members WHERE id = 1").Scan(&term)
	if err == nil {
		_, err = bare.Exec((&site{server: server}).q("UPDATE members SET email_eq = ? WHERE id = 2"), term)
	}
	if err != nil {
		t.Fatal(err)
	}
}
