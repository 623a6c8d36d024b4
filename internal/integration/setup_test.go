// Package integration runs sealsql against real servers, through a proxy that
// fails the test when a plaintext passes.
package integration

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	_ "github.com/sealsql/sealsql/driver/mysql"
	_ "github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

// TestMain runs the tests in a zone that no session of theirs has.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("process", 5*3600+1800)
	testdb.Main(m, emitted.check)
}

// kms is the fake KMS of the whole run.
var kms = sync.OnceValues(func() (*sealtest.KMS, string) {
	k := sealtest.NewKMS()
	return k, k.CreateMultiRegionKey("us-east-1", "eu-west-1")[0]
})

const policyText = `
version: 1
keyrings:
  pii:
    kms: {keys: ["${SEALSQL_TEST_KEY}"]}
tables:
  accounts:
    row_key: [account_number]
    columns:
      ssn: {keyring: pii, type: string}
      note: {keyring: pii, type: string, storage: base64}
      balance: {keyring: pii, type: int64, context: {account_number: account_number, tenant: tenant_id}}
  people:
    row_key: [id]
    columns:
      ssn: {keyring: pii, type: string}
`

var schema = map[string][]string{
	"postgres": {
		`CREATE TABLE accounts (account_number varchar(20) PRIMARY KEY, tenant_id bigint NOT NULL DEFAULT 1, name text, ssn bytea, note text, balance bytea)`,
		`CREATE TABLE people (id bigserial PRIMARY KEY, name text UNIQUE, ssn bytea)`,
		`CREATE TABLE other (id int, account_number varchar(20), text_column text)`,
	},
	"mysql": {
		`CREATE TABLE accounts (account_number varchar(20) PRIMARY KEY, tenant_id bigint NOT NULL DEFAULT 1, name text, ssn blob, note text, balance blob)`,
		`CREATE TABLE people (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(100) UNIQUE, ssn blob)`,
		`CREATE TABLE other (id int, account_number varchar(20), text_column text)`,
	},
}

// site is one database, opened through sealsql and bare.
type site struct {
	t            *testing.T
	server       *testdb.Server
	sealed, bare *sql.DB
	proxy        *sealtest.LeakProxy
	mu           sync.Mutex
	events       []alert.Event
}

func (s *site) postgres() bool { return s.server.Name == "postgres" }

// q writes ? as the server wants it.
func (s *site) q(text string) string {
	if !s.postgres() {
		return text
	}
	for n := 1; strings.Contains(text, "?"); n++ {
		text = strings.Replace(text, "?", fmt.Sprintf("$%d", n), 1)
	}
	return text
}

// onBoth runs a test on both servers.
func onBoth(t *testing.T, f func(t *testing.T, s *site)) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) { f(t, newSite(t, server)) })
	}
}

func newSite(t *testing.T, server *testdb.Server) *site {
	t.Helper()
	name := server.NewDatabase(t)
	s := &site{t: t, server: server, bare: server.Open(t, name), proxy: server.Proxy(t)}
	for _, ddl := range schema[server.Name] {
		if _, err := s.bare.Exec(ddl); err != nil {
			t.Fatal(err)
		}
	}
	k, arn := kms()
	t.Setenv("SEALSQL_TEST_KEY", arn)
	p, err := policy.Parse("test", []byte(policyText))
	if err != nil {
		t.Fatal(err)
	}
	bareName, dsn := server.DSN(s.proxy.Addr(), name)
	s.sealed = open(t, bareName, dsn, driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")), driver.WithAlertFunc(s.alert))
	return s
}

// eventLog takes the events of several connectors, each of which has a goroutine that
// delivers them.
type eventLog struct {
	mu   sync.Mutex
	list []alert.Event
}

func (l *eventLog) add(e alert.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, e)
}

func (l *eventLog) all() []alert.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

func (s *site) alert(e alert.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

func open(t *testing.T, bareName, dsn string, opts ...driver.Option) *sql.DB {
	t.Helper()
	db, err := sql.Open(bareName, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	sealed := sealedDB(t, db, dsn, opts...)
	t.Cleanup(func() {
		if err := sealed.Close(); err != nil {
			t.Error(err)
		}
	})
	return sealed
}

// sealedDB opens the database that db would open, through sealsql. The caller closes it.
func sealedDB(t *testing.T, db *sql.DB, dsn string, opts ...driver.Option) *sql.DB {
	t.Helper()
	base, err := db.Driver().(sqldriver.DriverContext).OpenConnector(dsn)
	if err != nil {
		t.Fatal(err)
	}
	c, err := driver.NewConnector(base, append(emitted.options(), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return sql.OpenDB(c)
}

func (s *site) exec(text string, args ...any) sql.Result {
	s.t.Helper()
	emitted.secret(args...)
	res, err := s.sealed.ExecContext(context.Background(), s.q(text), args...)
	if err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
	return res
}

func (s *site) affected(want int64, text string, args ...any) {
	s.t.Helper()
	if n, err := s.exec(text, args...).RowsAffected(); err != nil || n != want {
		s.t.Fatalf("%s: %d rows affected, %v; want %d", text, n, err, want)
	}
}

// read returns a query's rows, each value as text, NULL as <nil>.
func (s *site) read(text string, args ...any) []string {
	s.t.Helper()
	emitted.secret(args...)
	rows, err := s.sealed.QueryContext(context.Background(), s.q(text), args...)
	if err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for rows.Next() {
		cells := make([]any, len(cols))
		for i := range cells {
			cells[i] = new(any)
		}
		if err := rows.Scan(cells...); err != nil {
			s.t.Fatalf("%s: %v", text, err)
		}
		line := make([]string, len(cells))
		for i, c := range cells {
			v := *c.(*any)
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			line[i] = fmt.Sprint(v)
		}
		out = append(out, strings.Join(line, "|"))
	}
	if err := rows.Err(); err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
	return out
}

func (s *site) want(want string, text string, args ...any) {
	s.t.Helper()
	if got := strings.Join(s.read(text, args...), "\n"); got != want {
		s.t.Errorf("%s\n got: %s\nwant: %s", text, got, want)
	}
}

// newQuietProxy is a proxy that does not fail the test for what it sees.
func newQuietProxy(s *testdb.Server) (*sealtest.LeakProxy, error) {
	return sealtest.NewLeakProxy(s.Addr())
}

func openBare(t *testing.T, name, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(name, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
