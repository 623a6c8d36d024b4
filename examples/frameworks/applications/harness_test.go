package applications

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql" // the bare drivers
	_ "github.com/jackc/pgx/v5/stdlib"

	_ "github.com/sealsql/sealsql/driver/mysql"
	_ "github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// application is the storage of one application.
type application struct {
	name string
	// open connects the application to a database.
	open func(w *world) (store, error)
	// operations is how many operations the store has, and secrets are values of protected
	// columns that the operations write.
	operations int
	secrets    []string
	// mode is which of the modes the application runs in by default.
	mode int
	// parameters are appended to the DSN of each server.
	parameters map[string]string
}

// store is an application that is connected to a database.
type store interface {
	// up migrates to the newest schema, down to an empty one.
	up(ctx context.Context) error
	down(ctx context.Context) error
	operations() []operation
	close() error
}

// operation is a piece of the application's work. Its outcome is compared as JSON, its
// error by class.
type operation struct {
	name string
	do   func(ctx context.Context) (any, error)
}

// world is a database with the application on it, through sealsql or bare.
type world struct {
	t           *testing.T
	driver, dsn string
	db          *sql.DB // of the same driver, for what no framework does
	bare        *sql.DB
	sealed      bool
	// policyPath names the policy's file, and bareDSN the database without it.
	policyPath, bareDSN string
}

func (w *world) postgres() bool { return strings.HasSuffix(w.driver, "pgx") }

// dialect is the server's dialect as frameworks call it.
func (w *world) dialect() string {
	if w.postgres() {
		return "postgres"
	}
	return "mysql"
}

// sql writes ? placeholders as the server wants them.
func (w *world) sql(text string) string {
	if !w.postgres() {
		return text
	}
	for n := 1; strings.Contains(text, "?"); n++ {
		text = strings.Replace(text, "?", fmt.Sprintf("$%d", n), 1)
	}
	return text
}

// run has the application migrate two databases, work on both, and migrate down, on each
// server: in its own mode of the base driver, or in each.
func (a application) run(t *testing.T) {
	for _, server := range testdb.Each(t) {
		for i, m := range modes[server.Name] {
			if *everyMode || i == a.mode {
				t.Run(server.String()+m.name, func(t *testing.T) { a.on(t, server, m) })
			}
		}
	}
}

var everyMode = flag.Bool("modes", false, "run each application in each mode of the base driver")

// mode is a way in which the base driver sends statements.
type mode struct{ name, parameters string }

var modes = map[string][]mode{
	"postgres": {{}, {" exec", "default_query_exec_mode=exec"}},
	"mysql":    {{}, {" interpolated", "interpolateParams=true"}},
}

func (a application) on(t *testing.T, server *testdb.Server, m mode) {
	t.Setenv("SEALSQL_DEMO_RAW_KEY", base64.StdEncoding.EncodeToString(make([]byte, 32)))
	proxy := server.Proxy(t)
	if err := proxy.Watch(a.secrets...); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("testdata", a.name, "policy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := policy.Parse(a.name, text)
	if err != nil {
		t.Fatal(err)
	}
	twin := a.world(t, server, server.Addr(), m, "")
	sealed := a.world(t, server, proxy.Addr(), m, filepath.Join("testdata", a.name, "policy.yaml"))
	both := pair{t: t, twin: twin, sealed: sealed, rules: rules, events: record(t)}
	both.open(a)
	both.migrate()
	both.events.leftOut()
	both.work(a.operations)
	both.contents()
	both.nothingInClear(a.secrets)
	both.down()
}

// world makes a database. With a policy it is one through sealsql.
func (a application) world(t *testing.T, server *testdb.Server, addr string, m mode, policyPath string) *world {
	t.Helper()
	database := server.NewDatabase(t)
	w := &world{t: t, bare: server.Open(t, database)}
	var parameters []string
	for _, p := range []string{a.parameters[server.Name], m.parameters} {
		if p != "" {
			parameters = append(parameters, p)
		}
	}
	w.driver, w.bareDSN = server.DSN(addr, database)
	w.bareDSN += "&" + strings.Join(parameters, "&")
	w.bareDSN = strings.TrimSuffix(w.bareDSN, "&")
	w.dsn = w.bareDSN
	if policyPath != "" {
		full, err := filepath.Abs(policyPath)
		if err != nil {
			t.Fatal(err)
		}
		w.sealed, w.policyPath, w.driver = true, full, "sealsql-"+w.driver
		w.dsn += "&sealsql_policy=" + url.QueryEscape(full)
	}
	db, err := sql.Open(w.driver, w.dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w.db = db
	return w
}

// pair is the application on both databases.
type pair struct {
	t            *testing.T
	twin, sealed *world
	rules        *policy.Policy
	bare, store  store
	events       *events
}

func (p *pair) open(a application) {
	p.t.Helper()
	var err error
	if p.bare, err = a.open(p.twin); err != nil {
		p.t.Fatal("bare:", err)
	}
	p.t.Cleanup(func() { _ = p.bare.close() })
	if p.store, err = a.open(p.sealed); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = p.store.close() })
}

// migrate takes both databases to the newest schema, twice: the second time changes nothing.
func (p *pair) migrate() {
	p.t.Helper()
	ctx := p.t.Context()
	if err := p.bare.up(ctx); err != nil {
		p.t.Fatal("bare, up:", err)
	}
	if err := p.store.up(ctx); err != nil {
		p.t.Fatal("up:", err)
	}
	newest := p.sealed.schema()
	if err := p.store.up(ctx); err != nil {
		p.t.Fatal("up again:", err)
	}
	if now := p.sealed.schema(); now != newest {
		p.t.Fatalf("migrating again changes the schema from\n%s\nto\n%s", newest, now)
	}
}

// work runs the operations on both databases and compares what they do.
func (p *pair) work(want int) {
	p.t.Helper()
	bare, sealed := p.bare.operations(), p.store.operations()
	if len(bare) != want || len(sealed) != want {
		p.t.Errorf("there are %d and %d operations, want %d", len(bare), len(sealed), want)
	}
	for i, o := range bare {
		expected := outcome(p.t.Context(), o)
		got := outcome(p.t.Context(), sealed[i])
		if strings.Contains(expected, "syntax") || strings.Contains(expected, "SQLSTATE 42") || strings.Contains(expected, "(42") {
			p.t.Errorf("%s: bare: %s", o.name, expected)
		}
		if got != expected {
			p.t.Errorf("%s:\n bare:    %s\n sealsql: %s", o.name, expected, got)
		}
	}
	if raised := p.events.list(); len(raised) > 0 {
		p.t.Errorf("the operations raise events: %v", raised)
	}
}

// down takes both databases back, and holds the tables that stay against the twin's.
func (p *pair) down() {
	p.t.Helper()
	ctx := p.t.Context()
	if err := errors.Join(p.bare.down(ctx), p.store.down(ctx)); err != nil {
		p.t.Fatal("down:", err)
	}
	if bare, got := p.twin.tables(), p.sealed.tables(); strings.Join(bare, " ") != strings.Join(got, " ") {
		p.t.Errorf("the way down leaves %v, bare %v", got, bare)
	}
	if err := p.store.up(ctx); err != nil {
		p.t.Error("up once more:", err)
	}
}
