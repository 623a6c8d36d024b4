package main

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver/mysql"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestRolling deploys nine releases of an application, each beside the one before it, in
// two processes that read and write one table: see docs/OPERATIONS.md, Rolling deployments.
//
//	SEALSQL_ROLLING_ROWS=20000 go test -run 'TestRolling$' -v -timeout 60m .
func TestRolling(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) { newRolling(t, server, scale(t, "SEALSQL_ROLLING_ROWS", 60)).run() })
	}
}

// rolling is one drill.
type rolling struct {
	t       *testing.T
	server  *testdb.Server
	rows    int
	clients int // of a process
	bare    *sql.DB
	env     []string
	dir     string
	started int
	slots   [2]*rollingSlot
	sum     int64
	figures figures
}

// rollingSlot is a process at work.
type rollingSlot struct {
	name   string
	cmd    *exec.Cmd
	in     io.WriteCloser
	at     atomic.Int64
	report chan rollingReport
	errs   strings.Builder
}

func newRolling(t *testing.T, server *testdb.Server, rows int) *rolling {
	t.Helper()
	name := server.NewDatabase(t)
	_, dsn := server.DSN(server.Addr(), name)
	clients := 3
	if rows > 500 {
		clients = 16
	}
	d := &rolling{t: t, server: server, rows: rows, clients: clients, bare: server.Open(t, name), dir: t.TempDir()}
	d.env = append(os.Environ(), "SEALSQL_DSN="+dsn, "SEALSQL_DRILL_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	keys, ddl := mysql.BranchKeySQL(), "CREATE TABLE people (id bigint PRIMARY KEY, n bigint NOT NULL, secret blob, note text, email varchar(100))"
	if server.Name == "postgres" {
		keys, ddl = postgres.BranchKeySQL(), "CREATE TABLE people (id bigint PRIMARY KEY, n bigint NOT NULL, secret bytea, note text, email text)"
	}
	d.ddl(keys.DDL, ddl, "CREATE INDEX people_email ON people (email)")
	for i, r := range releases {
		if err := os.WriteFile(d.policyFile(i), []byte(r.policyText()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.command(0, "keys", "create", "values")
	return d
}

func (d *rolling) policyFile(release int) string {
	return filepath.Join(d.dir, fmt.Sprintf("policy-%d.yaml", release))
}

func (d *rolling) ddl(texts ...string) {
	d.t.Helper()
	for _, text := range texts {
		if _, err := d.bare.Exec(text); err != nil {
			d.t.Fatalf("%s: %v", text, err)
		}
	}
}

// open opens the database as a process of a release does.
func (d *rolling) open(release int) *sql.DB {
	d.t.Helper()
	d.t.Setenv("SEALSQL_DRILL_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	d.t.Setenv("SEALSQL_POLICY", d.policyFile(release))
	name := mysql.DriverName
	if d.server.Name == "postgres" {
		name = postgres.DriverName
	}
	_, dsn := d.server.DSN(d.server.Addr(), d.bareName())
	db, err := sql.Open(name, dsn)
	if err != nil {
		d.t.Fatal(err)
	}
	return db
}

func (d *rolling) bareName() (name string) {
	d.t.Helper()
	query := map[bool]string{true: "SELECT current_database()", false: "SELECT database()"}[d.server.Name == "postgres"]
	if err := d.bare.QueryRow(query).Scan(&name); err != nil {
		d.t.Fatal(err)
	}
	return name
}

// through sends texts under the policy of a release, as a migration does.
func (d *rolling) through(release int, texts ...string) {
	d.t.Helper()
	db := d.open(release)
	defer func() { _ = db.Close() }()
	for _, text := range texts {
		for {
			_, err := db.Exec(text)
			if err == nil {
				break
			}
			if !transient(err) {
				d.t.Fatalf("%s: %v", text, err)
			}
		}
	}
}

// command runs sealsql under the policy of a release.
func (d *rolling) command(release int, args ...string) string {
	d.t.Helper()
	cmd, out, errs := (&drill{env: append(d.env, "SEALSQL_POLICY="+d.policyFile(release))}).command(args...)
	if err := cmd.Run(); err != nil {
		d.t.Fatalf("sealsql %s: %v\n%s%s", strings.Join(args, " "), err, out, errs)
	}
	return out.String()
}

// start starts a process of a release. ready says that the schema has what it names.
func (d *rolling) start(release int, ready bool) *rollingSlot {
	d.t.Helper()
	d.started++
	word := map[bool]string{true: "ready", false: "early"}[ready]
	s := &rollingSlot{name: releases[release].name, report: make(chan rollingReport, 1)}
	s.cmd = exec.Command("rolling-app", strconv.Itoa(release), strconv.Itoa(d.started), strconv.Itoa(d.rows), strconv.Itoa(d.clients), d.server.Name, word)
	s.cmd.Env = append(d.env, "SEALSQL_POLICY="+d.policyFile(release))
	s.cmd.Stderr = &s.errs
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		s.in, err = s.cmd.StdinPipe()
	}
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	go s.listen(out)
	return s
}

// listen follows what a process writes.
func (s *rollingSlot) listen(out io.Reader) {
	defer close(s.report)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var n int64
		if _, err := fmt.Sscanf(lines.Text(), "at %d", &n); err == nil {
			s.at.Store(n)
			continue
		}
		var r rollingReport
		if json.Unmarshal(lines.Bytes(), &r) == nil {
			s.report <- r
		}
	}
}

// finish stops a process and adds up what it says.
func (d *rolling) finish(s *rollingSlot) {
	d.t.Helper()
	_ = s.in.Close()
	r, ok := <-s.report
	if err := s.cmd.Wait(); err != nil || !ok {
		d.t.Fatalf("%s: the process ended with %v\n%s", s.name, err, &s.errs)
	}
	for what, n := range r.Figures {
		d.figures.add(what, n)
	}
	d.sum += r.Sum
	for _, c := range r.Complaints {
		d.t.Errorf("%s: %s", s.name, c)
	}
}

// pause lets both processes send so many statements.
func (d *rolling) pause(statements int64) {
	d.t.Helper()
	for _, s := range d.slots {
		for from := s.at.Load(); s.at.Load() < from+statements; {
			select {
			case r := <-s.report:
				d.t.Fatalf("%s: the process ended: %v\n%s", s.name, r.Complaints, &s.errs)
			case <-time.After(2 * time.Millisecond):
			}
		}
	}
}

// deploy replaces the processes by those of a release, one after the other. A process that
// runs already may take the first place.
func (d *rolling) deploy(release int, running *rollingSlot) {
	d.t.Helper()
	for i, old := range d.slots {
		d.slots[i] = running
		if running == nil {
			d.slots[i] = d.start(release, true)
		}
		running = nil
		if old != nil {
			d.finish(old)
			d.pause(int64(d.rows))
		}
	}
	d.pause(int64(d.rows))
}

// fill writes the rows that all processes share.
func (d *rolling) fill() {
	d.t.Helper()
	db := d.open(0)
	defer func() { _ = db.Close() }()
	r := releases[0]
	columns := append([]string{"id", "n"}, r.columns()...)
	for from := 0; from < d.rows; from += 500 {
		var rows []string
		var args []any
		for id := int64(from); id < int64(min(d.rows, from+500)); id++ {
			rows = append(rows, "(?"+strings.Repeat(", ?", len(columns)-1)+")")
			args = append(append(args, id, int64(0)), r.values(id, 0)...)
		}
		text := forDialect(d.server.Name, "INSERT INTO people ("+strings.Join(columns, ", ")+") VALUES "+strings.Join(rows, ", "))
		if _, err := db.Exec(text, args...); err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d *rolling) run() {
	began := time.Now()
	d.fill()
	d.deploy(0, nil)
	d.deploy(1, nil)
	early := d.start(2, false)
	for early.at.Load() == 0 { // it finds neither the column nor the table
		time.Sleep(2 * time.Millisecond)
	}
	d.through(1, "ALTER TABLE people ADD COLUMN phone varchar(40)", "CREATE TABLE visits (id bigint PRIMARY KEY, note varchar(200) NOT NULL)")
	if _, err := io.WriteString(early.in, "migrated\n"); err != nil {
		d.t.Fatal(err)
	}
	d.deploy(2, early)
	d.deploy(3, nil)
	d.deploy(4, nil)
	d.command(4, "backfill", "--table", "people", "--column", "note")
	d.deploy(5, nil)
	d.through(6, "ALTER TABLE people ADD COLUMN sealed varchar(100)")
	d.deploy(6, nil)
	// What a process wrote to both columns may be older than what a process of the release
	// before wrote to email alone.
	d.through(6, "UPDATE people SET sealed = NULL")
	d.command(6, "backfill", "--table", "people", "--from", "email", "--to", "sealed")
	d.through(6, "CREATE UNIQUE INDEX "+map[bool]string{true: "CONCURRENTLY "}[d.server.Name == "postgres"]+"people_sealed ON people (sealed)")
	d.deploy(7, nil)
	d.deploy(8, nil)
	d.ddl("ALTER TABLE people DROP COLUMN email")
	d.pause(int64(d.rows))
	for _, s := range d.slots {
		d.finish(s)
	}
	d.check()
	d.t.Logf("%s: %d rows, %d processes of %d clients in %s\n%s", d.server, d.rows, d.started, d.clients, time.Since(began).Round(time.Millisecond), &d.figures)
}

// check compares the tables with what the processes wrote.
func (d *rolling) check() {
	d.t.Helper()
	var rows, sum, visits int64
	if err := d.bare.QueryRow("SELECT (SELECT count(*) FROM people), (SELECT sum(n) FROM people), (SELECT count(*) FROM visits)").Scan(&rows, &sum, &visits); err != nil {
		d.t.Fatal(err)
	}
	lost := int64(d.rows) + d.figures.get("inserts") - rows + d.sum - sum + d.figures.get("visits") - visits
	d.figures.add("lost writes", lost)
	d.figures.add("clear values left", d.clear("people", "secret, note, phone, sealed")+d.clear("visits", "note"))
	for _, column := range []string{"secret", "note", "phone", "sealed"} {
		d.command(len(releases)-1, "verify", "--table", "people", "--column", column)
	}
	d.command(len(releases)-1, "verify", "--table", "visits")
	for _, what := range []string{"refused", "clear values left", "false alerts", "lost writes", "wrong values", "failed look-ups", "statements that failed"} {
		d.figures.add(what, 0)
		if n := d.figures.get(what); n != 0 {
			d.t.Errorf("%d %s", n, what)
		}
	}
	for _, what := range []string{"reads", "inserts", "updates", "look-ups", "visits", "visits read", "clear values read", "too early for the schema"} {
		if d.figures.get(what) == 0 {
			d.t.Errorf("no %s", what)
		}
	}
}

// clear counts values in clear as they lie in the columns.
func (d *rolling) clear(table, columns string) (n int64) {
	d.t.Helper()
	rows, err := d.bare.Query("SELECT " + columns + " FROM " + table)
	if err != nil {
		d.t.Fatal(err)
	}
	defer rows.Close()
	cells := make([]sql.RawBytes, strings.Count(columns, ",")+1)
	into := make([]any, len(cells))
	for i := range cells {
		into[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			d.t.Fatal(err)
		}
		for _, c := range cells {
			if text := string(c); strings.Contains(text, "the ") && strings.Contains(text, " of ") || strings.Contains(text, "@example.org") {
				n++
			}
		}
	}
	if err := rows.Err(); err != nil {
		d.t.Fatal(err)
	}
	return n
}

// forDialect writes ? as the server wants it.
func forDialect(dialect, text string) string {
	return (&rotation{server: &testdb.Server{Name: dialect}}).q(text)
}
