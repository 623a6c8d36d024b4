package sealtest

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"log/slog"
	"slices"
	"testing"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// Policy parses a policy and ends the test with every mistake in it.
func Policy(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("policy", []byte(text))
	if err != nil {
		t.Fatalf("sealtest: the policy cannot be used:\n%v", err)
	}
	return p
}

// Config says what a [Kit] is made of.
type Config struct {
	// Dialect is postgres.Dialect or mysql.Dialect.
	Dialect driver.Dialect
	// Policy is the policy's text. Its KMS keys are not used: each of its
	// keyrings is replaced by [Keyring], or by the one of its name in Keyrings.
	Policy string
	// Keyrings replaces keyrings by name. A keyring that is not a
	// [github.com/sealsql/sealsql/codec/compact.Keys] writes messages, whatever format
	// the policy names.
	Keyrings map[string]codec.Keyring
	// Tables describes the tables, since a mocked database has no catalog. If
	// it is nil, of each table the columns that the policy names are known, those
	// that values are bound to hold text, and there may be others; SELECT * then
	// needs Tables.
	Tables driver.Schema
}

// Kit is what a test needs that mocks the database beneath sealsql: the real
// driver with keys in memory, over the mock. It needs no AWS, no environment
// and no server.
//
//	kit := sealtest.New(t, sealtest.Config{Dialect: postgres.Dialect, Policy: policyText})
//	mockDB, mock, err := sqlmock.New(sqlmock.QueryMatcherOption(kit.QueryMatcher()))
//	db := kit.OpenDB(t, mockDB)
//
//	mock.ExpectExec("INSERT INTO accounts (account_number, ssn) VALUES ($1, $2)").
//		WithArgs("4000000001", kit.Sealed("900-12-3456").In("accounts", "ssn").Row("4000000001"))
//
// It is safe for concurrent use while its test runs.
type Kit struct {
	// Alerts records what the databases of OpenDB raise.
	Alerts Recorder

	t       testing.TB
	policy  *policy.Policy
	options []driver.Option
	inner   *driver.Connector // over nowhere: it plans and seals
	sealer  *driver.ValueSealer
	dialect string
}

// New makes a kit, or ends the test and says what is wrong with c.
func New(t testing.TB, c Config) *Kit {
	t.Helper()
	if c.Dialect == "" {
		t.Fatal("sealtest: Config.Dialect is missing; set it to postgres.Dialect or mysql.Dialect")
	}
	srv, err := server.Named(string(c.Dialect))
	if err != nil {
		t.Fatal("sealtest: Config.Dialect: ", err)
	}
	k := &Kit{t: t, policy: Policy(t, c.Policy), dialect: string(c.Dialect)}
	if c.Tables == nil {
		c.Tables = tablesOf(k.policy, srv.BinaryType())
	}
	k.options = []driver.Option{driver.WithPolicy(k.policy), driver.WithDialect(c.Dialect), driver.WithSchema(c.Tables)}
	known := map[string]bool{}
	for _, name := range k.policy.Keyrings() {
		known[name] = true
		ring := c.Keyrings[name]
		if ring == nil {
			ring = &kitKeyring{Keyring()}
		}
		k.options = append(k.options, driver.WithKeyring(name, ring))
	}
	for name := range c.Keyrings {
		if !known[name] {
			t.Fatalf("sealtest: Config.Keyrings has %q, which the policy does not name", name)
		}
	}
	k.inner, err = driver.NewConnector(nowhere{}, append(k.Options(), driver.WithLogger(quiet))...)
	if err != nil {
		t.Fatalf("sealtest: %v", err)
	}
	k.sealer = k.inner.Sealer()
	t.Cleanup(func() { _ = k.inner.Close() }) // there is nothing beneath it that could fail
	return k
}

// Dialect is the name of Config.Dialect.
func (k *Kit) Dialect() string { return k.dialect }

var quiet = slog.New(slog.DiscardHandler)

// Policy returns the kit's policy.
func (k *Kit) Policy() *policy.Policy { return k.policy }

// Options returns the options with which driver.NewConnector makes what OpenDB
// makes, but for the recorder: for a base connector of one's own.
func (k *Kit) Options() []driver.Option { return append([]driver.Option(nil), k.options...) }

// OpenDB returns a sql.DB whose connections are sealsql over those of mock,
// with alerts going to k.Alerts and not to the log. It is closed with the test if the test did not
// close it; the mock's own sql.DB is left to the test.
func (k *Kit) OpenDB(t testing.TB, mock *sql.DB) *sql.DB {
	t.Helper()
	c, err := driver.NewConnector(mockConnector{mock}, append(k.Options(), driver.WithSink(&k.Alerts), driver.WithLogger(quiet))...)
	if err != nil {
		t.Fatalf("sealtest: %v", err)
	}
	db := sql.OpenDB(c)
	t.Cleanup(func() { _ = db.Close() }) // a mock objects to closing that it was not told of
	return db
}

// Explain says what sealsql makes of a statement, or ends the test if it is
// refused.
func (k *Kit) Explain(query string) *driver.Explanation {
	k.t.Helper()
	x, err := k.inner.Explain(context.Background(), query)
	if err != nil {
		k.t.Fatalf("sealtest: %s: %v", query, err)
	}
	return x
}

// tablesOf describes the policy's tables as far as the policy does; binary is the
// type of columns of bytes.
func tablesOf(p *policy.Policy, binary string) driver.Schema {
	const text = "text"
	out := driver.Schema{}
	for _, t := range p.Tables() {
		var columns []driver.SchemaColumn
		add := func(name, typ string, unique bool) {
			for _, c := range columns {
				if c.Name == name {
					return
				}
			}
			columns = append(columns, driver.SchemaColumn{Name: name, Type: typ, Unique: unique})
		}
		for _, name := range t.KeyColumns() {
			typ := text
			if !slices.Contains(t.RowKey, name) { // the terms of a protected column
				typ = binary
			}
			add(name, typ, len(t.RowKey) == 1)
		}
		for _, c := range t.Columns {
			for _, pair := range c.Context {
				if pair.Source != "" {
					add(t.InClear(pair.Source), text, false)
				}
			}
		}
		for _, c := range t.Columns {
			typ := binary
			if c.Storage == policy.Base64 {
				typ = text
			}
			add(c.Name, typ, false)
			if c.Equality == nil {
				continue
			}
			for _, k := range c.Equality.Keys {
				add(k.Column, typ, false)
			}
			if c.Equality.Per != "" {
				add(c.Equality.Per, text, false)
			}
		}
		out[t.FullName()] = append(columns, driver.SchemaColumn{Name: "*"})
	}
	return out
}

// mockConnector hands out the connections of a sql.DB. The wrapped connection
// takes over its life: closing it closes the mock's.
type mockConnector struct{ db *sql.DB }

func (m mockConnector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	conn, err := m.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	var base sqldriver.Conn
	err = conn.Raw(func(c any) error {
		base = c.(sqldriver.Conn)
		return nil
	})
	return base, err
}

func (m mockConnector) Driver() sqldriver.Driver { return m.db.Driver() }
