package integration

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sealsql/sealsql/driver"
	room "github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// witness is what a table has that would show a second statement, or an insert that is
// not undone, in MySQL's words; %s is the protected column's type.
type witness struct {
	name  string
	ddl   []string
	maria bool
	// guarded is true for a protected column whose CHECK constraint keeps clear text out.
	guarded bool
	// columns are further columns, for %c: beside values that are sealed, and beside clear text.
	columns [2]string
	// seen lists what the table and its witnesses hold, without the protected values.
	seen []string
}

const autoTable = "CREATE TABLE auto (id bigint AUTO_INCREMENT PRIMARY KEY, email varchar(40) UNIQUE, n int NOT NULL DEFAULT 0 CHECK (n < 100), ssn %s"

var witnesses = []witness{
	{name: "a plain table", ddl: []string{autoTable + ")"}},
	{name: "a guard", guarded: true, ddl: []string{autoTable + ")"}},
	{name: "ON UPDATE CURRENT_TIMESTAMP", ddl: []string{autoTable + ", changed datetime(6) NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP(6))"},
		seen: []string{"SELECT id, changed IS NULL FROM auto ORDER BY id"}},
	{name: "an UPDATE trigger", ddl: []string{autoTable + ")", "CREATE TABLE audit (what varchar(40), id bigint)",
		"CREATE TRIGGER au AFTER UPDATE ON auto FOR EACH ROW INSERT INTO audit VALUES ('update', NEW.id)"}, seen: []string{"SELECT what, id FROM audit ORDER BY id, what"}},
	{name: "an INSERT trigger", ddl: []string{autoTable + ")", "CREATE TABLE audit (what varchar(40), id bigint, short int)",
		"CREATE TRIGGER ai AFTER INSERT ON auto FOR EACH ROW INSERT INTO audit VALUES ('insert', NEW.id, LENGTH(NEW.ssn) < 120)"}, seen: []string{"SELECT what, id FROM audit ORDER BY id, what"}},
	{name: "triggers for all", guarded: true, ddl: []string{autoTable + ")", "CREATE TABLE audit (at bigint AUTO_INCREMENT PRIMARY KEY, what varchar(40), id bigint)",
		"CREATE TRIGGER bi BEFORE INSERT ON auto FOR EACH ROW SET NEW.n = NEW.n + 1",
		"CREATE TRIGGER ai AFTER INSERT ON auto FOR EACH ROW INSERT INTO audit (what, id) VALUES ('insert', NEW.id)",
		"CREATE TRIGGER bu BEFORE UPDATE ON auto FOR EACH ROW SET NEW.n = NEW.n + 10",
		"CREATE TRIGGER au AFTER UPDATE ON auto FOR EACH ROW INSERT INTO audit (what, id) VALUES ('update', NEW.id)",
		"CREATE TRIGGER ad AFTER DELETE ON auto FOR EACH ROW INSERT INTO audit (what, id) VALUES ('delete', OLD.id)"}, seen: []string{"SELECT what, id FROM audit ORDER BY id, what"}},
	{name: "system versioning", maria: true, ddl: []string{autoTable + ") WITH SYSTEM VERSIONING"},
		seen: []string{"SELECT id, COUNT(*) FROM auto FOR SYSTEM_TIME ALL GROUP BY id ORDER BY id"}},
}

const autoPolicy = `
version: 1
keyrings: {pii: {kms: {keys: ["${SEALSQL_TEST_KEY}"]}}}
tables:
  auto: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}
`

// fakePolicy reads a policy whose keys are those of the fake KMS.
func fakePolicy(t *testing.T, text string) *policy.Policy {
	t.Helper()
	_, arn := kms()
	t.Setenv("SEALSQL_TEST_KEY", arn)
	p, err := policy.Parse("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// autoInserts are what an application sends; %v is the value.
var autoInserts = []struct {
	text string
	args []any // of the bare statement
}{
	{"INSERT INTO auto (email, ssn) VALUES (?, ?)", []any{"a@x", ssn1}},
	{"INSERT INTO auto (ssn, email) VALUES (?, ?), (?, ?), (?, ?)", []any{ssn1, "b@x", ssn1, "c@x", nil, "d@x"}},
	{"INSERT INTO auto (id, email, ssn) VALUES (NULL, ?, ?)", []any{"e@x", ssn1}},
	{"INSERT INTO auto (id, email, ssn) VALUES (DEFAULT, ?, ?), (0, 'g@x', ?)", []any{"f@x", ssn1, ssn1}},
	{"INSERT INTO auto (email, ssn) VALUES ('h@x', '078-05-1120')", nil},
	{"INSERT INTO auto SET email = ?, ssn = ?", []any{"i@x", ssn1}},
	{"INSERT INTO auto (email, ssn) SELECT ?, ?", []any{"j@x", ssn1}},
	{"INSERT INTO auto (email, ssn) SELECT ?, ? FROM DUAL WHERE 1 = 0", []any{"k@x", ssn1}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?)", []any{"a@x", ssn1}},             // 1062
	{"INSERT INTO auto (email, n, ssn) VALUES (?, ?, ?)", []any{"l@x", 1000, ssn1}}, // the CHECK fails
	{"INSERT INTO auto (email, n, ssn) VALUES (?, NULL, ?)", []any{"l@x", ssn1}},    // 1048
	{"INSERT IGNORE INTO auto (email, ssn) VALUES (?, ?)", []any{"a@x", ssn1}},      // nothing is inserted
	{"INSERT IGNORE INTO auto (email, ssn) VALUES (?, ?)", []any{"m@x", ssn1}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE n = n + 1", []any{"a@x", "980-00-0001"}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE n = n", []any{"a@x", "980-00-0001"}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE n = n + 1", []any{"n@x", ssn1}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE id = id", []any{"a@x", "980-00-0001"}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE ssn = ssn", []any{"a@x", "980-00-0001"}},
	{"REPLACE INTO auto (email, ssn) VALUES (?, ?)", []any{"b@x", ssn1}},
	{"REPLACE INTO auto (email, ssn) VALUES (?, ?)", []any{"o@x", ssn1}},
	{"INSERT INTO auto (ssn) VALUES (?)", []any{ssn1}},
}

// TestRowsWithCountedKeysAreWrittenOnce inserts rows whose keys the server counts up,
// beside a bare twin: keys, results, errors, LAST_INSERT_ID() and what triggers and
// history saw are the same.
func TestRowsWithCountedKeysAreWrittenOnce(t *testing.T) {
	server, p := testdb.MySQL(t), fakePolicy(t, autoPolicy)
	cases := 0
	for _, w := range witnesses {
		if w.maria && server.Product != "mariadb" {
			continue
		}
		for _, settings := range []string{"", "interpolateParams=true&clientFoundRows=true"} {
			for _, within := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, in a transaction: %t", w.name, settings, within), func(t *testing.T) {
					a := newAutoTwins(t, server, w, settings, p)
					a.within = within
					for _, s := range autoInserts {
						a.run(s.text, s.args)
						cases++
					}
					if server.Product == "mariadb" {
						a.query("INSERT INTO auto (email, ssn) VALUES (?, ?), (?, ?) RETURNING id, email, ssn", "p@x", ssn1, "q@x", nil)
						a.query("INSERT INTO auto (email, ssn) VALUES (?, ?) RETURNING *", "r@x", ssn1)
					}
					a.compare(w)
					if w.name == "an INSERT trigger" {
						var short int
						if err := a.admin[0].QueryRow("SELECT COUNT(*) FROM audit WHERE short").Scan(&short); err != nil || short > 0 {
							t.Errorf("a trigger copied %d values before they were sealed, %v", short, err)
						}
					}
				})
			}
		}
	}
	if cases < 2*2*5*len(autoInserts) {
		t.Errorf("%d cases", cases)
	}
}

// autoTwins are a connection through sealsql and one of the base driver, each to a
// database of its own.
type autoTwins struct {
	*testing.T
	sealed, bare *sql.Conn
	within       bool
	table        string // reads the whole table
	names        [2]string
	admin        [2]*sql.DB
}

func newAutoTwins(t *testing.T, server *testdb.Server, w witness, settings string, p *policy.Policy) *autoTwins {
	a := &autoTwins{T: t}
	k, _ := kms()
	for i, typ := range []string{"blob", "longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"} {
		name := server.NewDatabase(t)
		a.names[i], a.admin[i] = name, server.Open(t, name)
		for _, text := range w.ddl {
			text = strings.NewReplacer("%s", typ, "%c", w.columns[i]).Replace(text)
			if _, err := a.admin[i].Exec(text); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
		if i == 0 && w.guarded {
			a.guard(p)
		}
		base, dsn := server.DSN(server.Addr(), name)
		dsn = withSettings(dsn, settings)
		var db *sql.DB
		if i == 0 {
			db = open(t, base, dsn, driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
		} else {
			var err error
			if db, err = sql.Open(base, dsn); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
		}
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closeForGood(conn) })
		if i == 0 {
			a.sealed = conn
		} else {
			a.bare = conn
		}
	}
	return a
}

func (a *autoTwins) guard(p *policy.Policy) {
	a.Helper()
	mysql, err := room.Named("mysql")
	if err != nil {
		a.Fatal(err)
	}
	table := p.Tables()[0]
	g, ok := room.NewGuard(p, table, table.Columns[0])
	if !ok {
		a.Fatal("the column has no guard")
	}
	for _, text := range mysql.AddGuard(g) {
		if _, err := a.admin[0].Exec(text); err != nil {
			a.Fatalf("%s: %v", text, err)
		}
	}
}

// allRows reads rows as lines.
func allRows(t *testing.T, rows *sql.Rows) string {
	t.Helper()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{strings.Join(columns, "|")}
	for rows.Next() {
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = new(any)
		}
		if err := rows.Scan(cells...); err != nil {
			t.Fatal(err)
		}
		line := make([]string, len(cells))
		for i, c := range cells {
			line[i] = spell(*c.(*any))
		}
		lines = append(lines, strings.Join(line, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// outcome sends a statement and says what it ended in.
func (a *autoTwins) outcome(conn *sql.Conn, text string, args []any) string {
	var x interface {
		ExecContext(context.Context, string, ...any) (sql.Result, error)
		QueryRowContext(context.Context, string, ...any) *sql.Row
	} = conn
	if a.within {
		tx, err := conn.BeginTx(a.Context(), nil)
		if err != nil {
			a.Fatal(err)
		}
		defer func() {
			if err := tx.Commit(); err != nil {
				a.Error(err)
			}
		}()
		x = tx
	}
	res, err := x.ExecContext(a.Context(), text, args...)
	if err != nil {
		return "error " + class(err)
	}
	id, _ := res.LastInsertId()
	n, _ := res.RowsAffected()
	var last int64
	if err := x.QueryRowContext(a.Context(), "SELECT LAST_INSERT_ID()").Scan(&last); err != nil {
		a.Fatal(err)
	}
	return fmt.Sprintf("key %d, %d rows, LAST_INSERT_ID() %d", id, n, last)
}

func (a *autoTwins) run(text string, args []any) {
	a.Helper()
	got, want := a.outcome(a.sealed, text, args), a.outcome(a.bare, text, args)
	if got != want {
		a.Errorf("%s %v\n got: %s\nwant: %s", text, args, got, want)
	}
}

func (a *autoTwins) query(text string, args ...any) {
	a.Helper()
	lines := func(conn *sql.Conn) string {
		rows, err := conn.QueryContext(a.Context(), text, args...)
		if err != nil {
			return err.Error()
		}
		defer rows.Close()
		return allRows(a.T, rows)
	}
	if got, want := lines(a.sealed), lines(a.bare); got != want {
		a.Errorf("%s\n got: %s\nwant: %s", text, got, want)
	}
}

// compare compares what the tables hold now.
func (a *autoTwins) compare(w witness) {
	a.Helper()
	a.query(cmp.Or(a.table, "SELECT id, email, n, ssn FROM auto ORDER BY id"))
	for _, text := range w.seen {
		var lists [2]string
		for i, db := range a.admin {
			rows, err := db.Query(text)
			if err != nil {
				a.Fatal(err)
			}
			lists[i] = allRows(a.T, rows)
			_ = rows.Close()
		}
		if lists[0] != lists[1] {
			a.Errorf("%s\n got: %s\nwant: %s", text, lists[0], lists[1])
		}
	}
}

// TestACountedKeyIsRefusedWhereTwoWritesWouldShow inserts rows into tables that notice a
// second write and do not take back the first.
func TestACountedKeyIsRefusedWhereTwoWritesWouldShow(t *testing.T) {
	server, p := testdb.MySQL(t), fakePolicy(t, autoPolicy)
	const insert = "INSERT INTO auto (email, ssn) VALUES ('a@x', ?)"
	update := "CREATE TRIGGER au AFTER UPDATE ON auto FOR EACH ROW SET @x = 1"
	for _, c := range []struct {
		name, text string
		ddl        []string
		refused    bool
	}{
		{"a table without transactions", insert, []string{autoTable + ") ENGINE=MyISAM", update}, true},
		{"an INSERT trigger that sets a variable", insert, []string{autoTable + ")", update, "CREATE TRIGGER ai AFTER INSERT ON auto FOR EACH ROW SET @n = @n + 1"}, true},
		{"an INSERT trigger that writes to a table without transactions", insert, []string{autoTable + ")", update, "CREATE TABLE audit (id bigint) ENGINE=MyISAM",
			"CREATE TRIGGER ai AFTER INSERT ON auto FOR EACH ROW INSERT INTO audit VALUES (NEW.id)"}, true},
		{"a text that reads the last key", "INSERT INTO auto (email, n, ssn) VALUES ('a@x', LAST_INSERT_ID(), ?)", []string{autoTable + ")", update}, true},
		{"a text that reads the last key, without a trigger", "INSERT INTO auto (email, n, ssn) VALUES ('a@x', LAST_INSERT_ID(), ?)", []string{autoTable + ")"}, false},
		{"an INSERT trigger that sets a variable, without an UPDATE trigger", insert, []string{autoTable + ")", "CREATE TRIGGER ai AFTER INSERT ON auto FOR EACH ROW SET @n = @n + 1"}, false},
		{"an UPDATE trigger that sets a variable", insert, []string{autoTable + ")", update}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAutoTwins(t, server, witness{ddl: c.ddl}, "", p)
			if _, err := a.sealed.ExecContext(t.Context(), "SET @n = 0"); err != nil {
				t.Fatal(err)
			}
			_, err := a.sealed.ExecContext(t.Context(), c.text, ssn1)
			if errors.Is(err, driver.ErrRefused) != c.refused || err != nil && !c.refused {
				t.Errorf("refused %t, want %t: %v", err != nil, c.refused, err)
			}
			var rows, times int
			if err := a.sealed.QueryRowContext(t.Context(), "SELECT COUNT(*), MAX(@n) FROM auto").Scan(&rows, &times); err == nil && (rows == 1) == c.refused || times > 1 {
				t.Errorf("%d rows, the trigger ran %d times", rows, times)
			}
			for _, text := range []string{"DROP TABLE auto", "DROP TABLE IF EXISTS audit"} { // without transactions: others look for such
				if _, err := a.admin[0].Exec(text); err != nil {
					t.Error(err)
				}
				_, _ = a.admin[1].Exec(text)
			}
		})
	}
}

// TestCountedKeysOfSeveralConnections inserts rows from several connections, in steps of
// auto_increment_increment: each value opens in its row.
func TestCountedKeysOfSeveralConnections(t *testing.T) {
	server, p := testdb.MySQL(t), fakePolicy(t, autoPolicy)
	const workers, each = 6, 15
	for _, w := range witnesses {
		if w.maria && server.Product != "mariadb" {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			a := newAutoTwins(t, server, w, "auto_increment_increment=5&auto_increment_offset=2", p)
			base, dsn := server.DSN(server.Addr(), a.names[0])
			k, _ := kms()
			db := open(t, base, withSettings(dsn, "auto_increment_increment=5&auto_increment_offset=2"), driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
			var wg sync.WaitGroup
			for i := range workers {
				wg.Go(func() {
					for j := range each {
						one, two := fmt.Sprintf("%d-%d-1", i, j), fmt.Sprintf("%d-%d-2", i, j)
						if _, err := db.ExecContext(t.Context(), "INSERT INTO auto (email, ssn) VALUES (?, ?), (?, ?)", one, one, two, two); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			var rows, wrong int
			all, err := db.QueryContext(t.Context(), "SELECT id, email, ssn FROM auto")
			if err != nil {
				t.Fatal(err)
			}
			defer all.Close()
			for all.Next() {
				var id int64
				var email, ssn string
				if err := all.Scan(&id, &email, &ssn); err != nil {
					t.Fatal(err)
				}
				rows++
				if email != ssn || id%5 != 2 {
					wrong++
				}
			}
			if err := all.Err(); err != nil || rows != 2*workers*each || wrong > 0 {
				t.Errorf("%d rows, of which %d are wrong, %v", rows, wrong, err)
			}
		})
	}
}
