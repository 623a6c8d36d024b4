package main

import (
	"bytes"
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/mysql"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// rotationPolicy is the policy of one step of a rotation, but for its column of terms
// and its keys.
const rotationPolicy = `
version: 1
keyrings:
  pii:
    raw_aes: {namespace: drill, name: key, key_env: SEALSQL_DRILL_KEY}
    data_key: {per: branch, store: sql, ttl: 15m, branch_key: values}
    format: compact
tables:
  users:
    row_key: [id]
    columns:
      email: {keyring: pii, type: string, search: {equality: {normalise: [casefold, trim], %s}}}
      secret: {keyring: pii, type: string}
`

// versions are the policies that processes go through, in their order.
var versions = []string{
	"column: email_eq, key: {branch_key: old}",
	"column: email_eq, key: [{branch_key: old}, {branch_key: new, column: email_eq_new}]",
	"column: email_eq_new, key: [{branch_key: new}, {branch_key: old, column: email_eq}]",
	"column: email_eq_new, key: {branch_key: new}",
}

// rotationSize is how large a drill is: width is the number of clients.
type rotationSize struct{ rows, kills, width int }

// TestRotation moves the terms of a table to another key while clients read and write it
// by e-mail through processes that are a policy apart, and reindex is killed.
//
//	SEALSQL_ROTATION_ROWS=100000 SEALSQL_ROTATION_KILLS=20 go test -run TestRotation -v -timeout 60m .
func TestRotation(t *testing.T) {
	size := rotationSize{rows: scale(t, "SEALSQL_ROTATION_ROWS", 2000), kills: scale(t, "SEALSQL_ROTATION_KILLS", 3), width: 16}
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) { newRotation(t, server, size).run() })
	}
}

// rotation is one drill: a database, the processes that use it, and their clients.
type rotation struct {
	rotationSize
	t         *testing.T
	server    *testdb.Server
	name      string
	bare      *sql.DB
	policies  []*policy.Policy
	files     []string
	processes []*process
	figures   figures
	stop      chan struct{}
	clients   []*rotationClient
}

func newRotation(t *testing.T, server *testdb.Server, size rotationSize) *rotation {
	t.Helper()
	t.Setenv("SEALSQL_DRILL_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	r := &rotation{rotationSize: size, t: t, server: server, name: server.NewDatabase(t), stop: make(chan struct{})}
	r.bare = server.Open(t, r.name)
	dir := t.TempDir()
	for i, keys := range versions {
		text := fmt.Sprintf(rotationPolicy, keys)
		p, err := policy.Parse("policy.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, fmt.Sprintf("policy-%d.yaml", i))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r.policies, r.files = append(r.policies, p), append(r.files, file)
	}
	keys := mysql.BranchKeySQL()
	ddl := "CREATE TABLE users (id bigint PRIMARY KEY, email blob, email_eq varbinary(32), secret blob, n bigint NOT NULL)"
	if r.postgres() {
		keys = postgres.BranchKeySQL()
		ddl = "CREATE TABLE users (id bigint PRIMARY KEY, email bytea, email_eq bytea, secret bytea, n bigint NOT NULL)"
	}
	r.ddl(keys.DDL, ddl, "CREATE UNIQUE INDEX users_email ON users (email_eq)")
	for _, id := range []string{"values", "old", "new"} {
		r.command(0, "keys", "create", id)
	}
	for range 4 {
		r.processes = append(r.processes, r.start(0))
	}
	t.Cleanup(func() {
		for _, p := range r.processes {
			_ = p.db.Close()
		}
	})
	return r
}

func (r *rotation) postgres() bool { return r.server.Name == "postgres" }

// ddl sends texts bare. A unique index that is built beside writers may meet a row that
// is about to be undone; it is built again.
func (r *rotation) ddl(texts ...string) {
	r.t.Helper()
	for _, text := range texts {
		for attempt := 1; ; attempt++ {
			_, err := r.bare.Exec(text)
			if err == nil {
				break
			}
			if attempt == 5 || !transient(err) && !duplicate(err) {
				r.t.Fatalf("%s: %v", text, err)
			}
			r.figures.add("indexes built again", 1)
			if r.postgres() && strings.Contains(text, "CONCURRENTLY") {
				_, _ = r.bare.Exec("DROP INDEX IF EXISTS users_email_new") // the invalid remains
			}
		}
	}
}

// command runs sealsql under a version of the policy to its end.
func (r *rotation) command(version int, args ...string) string {
	r.t.Helper()
	cmd, out, errs := (&drill{env: r.env(version)}).command(args...)
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("sealsql %s: %v\n%s%s", strings.Join(args, " "), err, out, errs)
	}
	return out.String()
}

func (r *rotation) env(version int) []string {
	_, dsn := r.server.DSN(r.server.Addr(), r.name)
	return append(os.Environ(), "SEALSQL_DSN="+dsn, "SEALSQL_POLICY="+r.files[version])
}

// process stands for one process of the application. Its statements hold mu for reading:
// who locks it waits until they are over.
type process struct {
	mu sync.RWMutex
	db *sql.DB
}

// drain waits for the statements that are in flight.
func (p *process) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
}

// start opens the database under a version of the policy.
func (r *rotation) start(version int) *process {
	r.t.Helper()
	_, dsn := r.server.DSN(r.server.Addr(), r.name)
	base, err := r.bare.Driver().(sqldriver.DriverContext).OpenConnector(dsn)
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := driver.NewConnector(base, driver.WithPolicy(r.policies[version]), driver.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		r.t.Fatal(err)
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(8)
	return &process{db: db}
}

// deploy brings all processes to a version, one after another. One half takes the policy
// up while it works; the other is started anew. In the end no statement of the version
// before is in flight.
func (r *rotation) deploy(version int) {
	r.t.Helper()
	for i, p := range r.processes {
		r.pause()
		if i%2 == 0 {
			c, err := driver.Of(p.db)
			if err == nil {
				err = c.Reload(r.policies[version])
			}
			if err != nil {
				r.t.Fatalf("reload of version %d: %v", version, err)
			}
			p.drain()
			continue
		}
		fresh := r.start(version)
		p.mu.Lock()
		old := p.db
		p.db = fresh.db
		p.mu.Unlock()
		_ = old.Close()
	}
	r.pause()
}

// pause lets the clients do some work in the state of things.
func (r *rotation) pause() {
	before := r.figures.get("statements")
	for r.figures.get("statements") < before+int64(max(4*r.width, r.rows/50)) {
		select {
		case <-r.stop:
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (r *rotation) run() {
	began := time.Now()
	r.fill()
	filled := time.Since(began)
	var wg sync.WaitGroup
	for i := range r.width {
		c := newRotationClient(r, i)
		r.clients = append(r.clients, c)
		wg.Go(c.work)
	}
	defer func() {
		select {
		case <-r.stop:
		default:
			close(r.stop)
		}
		wg.Wait()
	}()
	r.pause()
	column := map[bool]string{true: "bytea", false: "varbinary(32)"}[r.postgres()]
	r.ddl("ALTER TABLE users ADD COLUMN email_eq_new " + column)
	r.deploy(1)
	moving := time.Now()
	r.reindex()
	moved := time.Since(moving)
	concurrently := map[bool]string{true: "CONCURRENTLY "}[r.postgres()]
	r.ddl("CREATE UNIQUE INDEX " + concurrently + "users_email_new ON users (email_eq_new)")
	r.pause()
	r.deploy(2)
	r.ddl(map[bool]string{true: "DROP INDEX CONCURRENTLY users_email", false: "DROP INDEX users_email ON users"}[r.postgres()])
	r.pause()
	r.deploy(3)
	r.ddl("ALTER TABLE users DROP COLUMN email_eq")
	r.pause()
	close(r.stop)
	wg.Wait()
	r.check()
	r.t.Logf("%s: %d rows filled in %s, %d clients, %d processes; %d kills, reindexed in %s\n%s", r.server, r.rows, filled.Round(time.Millisecond), r.width,
		len(r.processes), r.kills, moved.Round(time.Millisecond), &r.figures)
}

// email is the address that a row has at first.
func (r *rotation) email(id int64) string { return fmt.Sprintf("User%d@example.org", id) }

// fill writes the rows through the first process.
func (r *rotation) fill() {
	r.t.Helper()
	const batch = 250
	for from := 0; from < r.rows; from += batch {
		var values []string
		var args []any
		for id := int64(from); id < int64(min(r.rows, from+batch)); id++ {
			values = append(values, "(?, ?, ?, 0)")
			args = append(args, id, r.email(id), secretOf(id, 0))
		}
		if _, err := r.processes[0].db.Exec(r.q("INSERT INTO users (id, email, secret, n) VALUES "+strings.Join(values, ", ")), args...); err != nil {
			r.t.Fatal(err)
		}
	}
}

// secretOf is the secret of a row that was written n times since.
func secretOf(id, n int64) string { return fmt.Sprintf("secret of %d, %d", id, n) }

// q writes ? as the server wants it.
func (r *rotation) q(text string) string {
	if !r.postgres() {
		return text
	}
	var b strings.Builder
	for i, part := range strings.Split(text, "?") {
		if i > 0 {
			fmt.Fprintf(&b, "$%d", i)
		}
		b.WriteString(part)
	}
	return b.String()
}

// reindex runs the command under the second policy, and kills it.
func (r *rotation) reindex() {
	r.t.Helper()
	rate := float64(r.rows) / (0.4 * float64(max(1, r.kills)))
	args := []string{"reindex", "--table", "users", "--column", "email", "--resume", "--page", "50", "--rows-per-second", fmt.Sprint(rate), "--output", "json"}
	for killed, finished := 0, 0; killed < r.kills || finished == 0; {
		cmd, out, errs := (&drill{env: r.env(1)}).command(args...)
		if err := cmd.Start(); err != nil {
			r.t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		moment := time.NewTimer(100*time.Millisecond + rand.N(600*time.Millisecond))
		if killed >= r.kills {
			moment.Reset(10 * time.Minute)
		}
		select {
		case err := <-ended:
			if err != nil {
				r.t.Fatalf("reindex after %d kills: %v\n%s", killed, err, errs)
			}
			r.reindexed(out)
			finished++
			if killed < r.kills {
				r.ddl("DELETE FROM sealsql_jobs") // and once more
			}
		case <-moment.C:
			_ = cmd.Process.Kill() // SIGKILL
			<-ended
			killed++
		}
		moment.Stop()
	}
	// Rows that came and went meanwhile are the writers' own: none may lack the term.
	var missing int
	if err := r.bare.QueryRow("SELECT count(*) FROM users WHERE email IS NOT NULL AND email_eq_new IS NULL").Scan(&missing); err != nil || missing > 0 {
		r.t.Errorf("%d rows lack the new term (%v)", missing, err)
	}
}

// reindexed notes what a finished reindex says.
func (r *rotation) reindexed(out *bytes.Buffer) {
	r.t.Helper()
	c := (&drill{t: r.t}).report(out)
	if !c.Done || c.Failed > 0 {
		r.t.Errorf("reindex says %+v", c)
	}
	r.figures.add("rows reindexed", c.Changed)
}

// check compares the table with what the clients wrote, under the last policy.
func (r *rotation) check() {
	r.t.Helper()
	p := r.start(len(versions) - 1)
	defer p.db.Close()
	total := 0
	for _, c := range r.clients {
		total += len(c.emails)
		for _, email := range c.emails {
			c.find(p, email)
		}
	}
	var all, distinct int
	if err := p.db.QueryRow("SELECT count(*), count(DISTINCT email) FROM users").Scan(&all, &distinct); err != nil {
		r.t.Fatal(err)
	}
	if all != total || distinct != total {
		r.t.Errorf("the table has %d rows and %d e-mails, and the clients wrote %d", all, distinct, total)
	}
	r.verify(total)
	for _, what := range []string{"failed look-ups", "wrong rows", "lost writes", "duplicates let in", "statements that failed"} {
		r.figures.add(what, 0)
		if n := r.figures.get(what); n > 0 {
			r.t.Errorf("%d %s", n, what)
		}
	}
	for _, what := range []string{"look-ups", "inserts", "updates", "renames", "deletes", "upserts", "races of inserts", "races of upserts", "duplicates refused"} {
		if r.figures.get(what) == 0 {
			r.t.Errorf("no %s were tried", what)
		}
	}
}

// verify has the command open each row and compare its term.
func (r *rotation) verify(rows int) {
	r.t.Helper()
	var out bytes.Buffer
	out.WriteString(r.command(len(versions)-1, "verify", "--table", "users", "--column", "email", "--output", "json"))
	if c := (&drill{t: r.t}).report(&out); c.Right != int64(rows) || c.Failed > 0 {
		r.t.Errorf("verify says %+v of %d rows", c, rows)
	}
}

// TestAProcessThatDoesNotFillAColumnLeavesAnOldTerm shows why the unique key of the new
// column is made after the first deployment and that of the old column is dropped before
// the last: such a process leaves the term of the value before, which takes that value.
func TestAProcessThatDoesNotFillAColumnLeavesAnOldTerm(t *testing.T) {
	for _, server := range testdb.Each(t) {
		for _, test := range []struct {
			name               string
			renames, inserts   int // the versions of the two processes
			drop, stale, right string
		}{
			{"the new column, beside a process of the old key", 0, 1, "users_email_new", "email_eq_new", "email_eq"},
			{"the old column, beside a process of the new key", 3, 2, "users_email", "email_eq", "email_eq_new"},
		} {
			t.Run(server.String()+"/"+test.name, func(t *testing.T) {
				r := newRotation(t, server, rotationSize{rows: 4, width: 1})
				r.fill()
				column := map[bool]string{true: "bytea", false: "varbinary(32)"}[r.postgres()]
				r.ddl("ALTER TABLE users ADD COLUMN email_eq_new " + column)
				r.command(1, "reindex", "--table", "users", "--column", "email")
				r.ddl("CREATE UNIQUE INDEX users_email_new ON users (email_eq_new)")
				renames, inserts := r.start(test.renames).db, r.start(test.inserts).db
				t.Cleanup(func() { _, _ = renames.Close(), inserts.Close() })
				if _, err := renames.Exec(r.q("UPDATE users SET email = ? WHERE email = ?"), "other@example.org", r.email(0)); err != nil {
					t.Fatal(err)
				}
				insert := func() error {
					_, err := inserts.Exec(r.q("INSERT INTO users (id, email, secret, n) VALUES (?, ?, ?, 0)"), 9, r.email(0), secretOf(9, 0))
					return err
				}
				if err := insert(); !duplicate(err) {
					t.Fatalf("a value that no row has: %v", err)
				}
				r.ddl("DROP INDEX " + test.drop + map[bool]string{true: "", false: " ON users"}[r.postgres()])
				if err := insert(); err != nil {
					t.Fatal(err)
				}
				var terms, distinct int
				query := fmt.Sprintf("SELECT (SELECT count(*) - count(DISTINCT %s) FROM users), (SELECT count(*) - count(DISTINCT %s) FROM users)", test.stale, test.right)
				if err := r.bare.QueryRow(query).Scan(&terms, &distinct); err != nil || terms != 1 || distinct != 0 {
					t.Errorf("%d terms repeat in %s, %d in %s (%v)", terms, test.stale, distinct, test.right, err)
				}
			})
		}
	}
}
