package sealpgx_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealpgx"
	"github.com/sealsql/sealsql/sealtest"
)

const testKey = "SEALPGX_TEST_KEY"

func TestMain(m *testing.M) {
	if err := os.Setenv(testKey, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="); err != nil {
		panic(err)
	}
	testdb.Main(m)
}

const policyText = `
version: 1
keyrings:
  dev:
    raw_aes: {namespace: test, name: key, key_env: SEALPGX_TEST_KEY}
tables:
  items:
    row_key: [id]
    columns:
      s: {keyring: dev, type: string}
      t: {keyring: dev, type: string, storage: base64}
      n: {keyring: dev, type: int64}
      f: {keyring: dev, type: float64}
      b: {keyring: dev, type: bool}
      at: {keyring: dev, type: timestamp}
      d: {keyring: dev, type: date}
      amount: {keyring: dev, type: decimal}
      u: {keyring: dev, type: uuid}
      raw: {keyring: dev, type: bytes}
      doc: {keyring: dev, type: json}
  papers:
    row_key: [id]
    columns:
      doc: {keyring: dev, type: json, paths: {$.email: {type: string}, "$.phones[*]": {type: json}}}
      plain: {keyring: dev, type: json, paths: {$.email: {type: string}, "$.phones[*]": {type: json}}}
      body: {keyring: dev, type: json, paths: {$.email: {type: string}, "$.phones[*]": {type: json}}}
  people:
    row_key: [id]
    columns:
      ssn: {keyring: dev, type: string}
  kt: {row_key: [id], columns: {ssn: {keyring: dev, type: string}}}
  accounts:
    row_key: [number]
    columns:
      ssn: {keyring: dev, type: string, search: {equality: {column: ssn_eq}}}
`

// schema is the protected database's, twin that of a database whose columns are in clear.
const (
	schema = `
CREATE TABLE items (id bigint PRIMARY KEY, name text, s bytea, t text, n bytea, f bytea, b bytea, at bytea, d bytea, amount bytea, u bytea, raw bytea, doc bytea);
CREATE TABLE people (id bigserial PRIMARY KEY, name text UNIQUE, ssn bytea);
CREATE TABLE accounts (number varchar(20) PRIMARY KEY, tenant bigint NOT NULL DEFAULT 1, name text, ssn bytea, ssn_eq bytea);
CREATE TABLE papers (id bigint PRIMARY KEY, doc jsonb, plain json, body text);
CREATE TABLE other (id bigint PRIMARY KEY, name text, tags text[])`
	twin = `
CREATE TABLE items (id bigint PRIMARY KEY, name text, s text, t text, n bigint, f float8, b bool, at timestamptz, d date, amount numeric, u uuid, raw bytea, doc jsonb);
CREATE TABLE people (id bigserial PRIMARY KEY, name text UNIQUE, ssn text);
CREATE TABLE accounts (number varchar(20) PRIMARY KEY, tenant bigint NOT NULL DEFAULT 1, name text, ssn text);
CREATE TABLE papers (id bigint PRIMARY KEY, doc jsonb, plain json, body text);
CREATE TABLE other (id bigint PRIMARY KEY, name text, tags text[])`
)

// site is a protected database behind a proxy that looks for plaintexts, and its twin.
type site struct {
	pool      *sealpgx.Pool
	bare      *pgxpool.Pool // of the protected database
	twin      *pgxpool.Pool
	proxy     *sealtest.LeakProxy
	server    *testdb.Server
	databases [2]string
	mu        sync.Mutex
	events    []alert.Event
}

func (s *site) alert(e alert.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// newSite opens a site; parameter is appended to the connection strings.
func newSite(t testing.TB, parameter string) *site {
	t.Helper()
	server := testdb.Postgres(t)
	s := &site{proxy: server.Proxy(t), server: server}
	for i, ddl := range []string{schema, twin} {
		s.databases[i] = server.NewDatabase(t)
		if _, err := server.Open(t, s.databases[i]).Exec(ddl); err != nil {
			t.Fatal(err)
		}
	}
	s.bare, s.twin = s.open(t, 0, ""), s.open(t, 1, parameter)
	s.pool = s.newPool(t, parameter)
	return s
}

func testPolicy(t testing.TB) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("test", []byte(policyText))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (s *site) config(t testing.TB, addr string, database int, parameter string) *pgxpool.Config {
	t.Helper()
	_, dsn := s.server.DSN(addr, s.databases[database])
	config, err := pgxpool.ParseConfig(dsn + "&pool_max_conns=8" + parameter)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func (s *site) open(t testing.TB, database int, parameter string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.NewWithConfig(context.Background(), s.config(t, s.server.Addr(), database, parameter))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// newPool opens the protected database through sealpgx and the proxy.
func (s *site) newPool(t testing.TB, parameter string, opts ...driver.Option) *sealpgx.Pool {
	t.Helper()
	opts = append([]driver.Option{driver.WithPolicy(testPolicy(t)), driver.WithAlertFunc(s.alert)}, opts...)
	pool, err := sealpgx.NewPool(context.Background(), s.config(t, s.proxy.Addr(), 0, parameter), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// watch has the proxy look for a value.
func (s *site) watch(t testing.TB, values ...any) {
	t.Helper()
	for _, v := range values {
		if err := s.proxy.Watch(fmt.Sprint(v)); err != nil {
			t.Fatal(err)
		}
	}
}

// exec carries out a statement that must not fail.
func exec(t testing.TB, q interface {
	Exec(context.Context, string, ...any) (commandTag, error)
}, text string, args ...any) commandTag {
	t.Helper()
	tag, err := q.Exec(context.Background(), text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return tag
}
