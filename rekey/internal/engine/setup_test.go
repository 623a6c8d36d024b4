package engine

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	_ "github.com/sealsql/sealsql/driver/mysql"
	_ "github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

func TestMain(m *testing.M) { testdb.Main(m) }

const (
	east = "us-east-1"
	west = "eu-west-1"
)

// site is a database with a table that is worked on.
type site struct {
	t      testing.TB
	server *testdb.Server
	name   string
	db     *sql.DB
	kms    *sealtest.KMS
	keys   map[string]string // by the variable's name
}

func (s *site) postgres() bool { return s.server.Name == "postgres" }

func newSite(t testing.TB, server *testdb.Server) *site {
	t.Helper()
	s := &site{t: t, server: server, name: server.NewDatabase(t), keys: map[string]string{}}
	s.db = server.Open(t, s.name)
	s.kms = sealtest.NewKMS()
	t.Cleanup(s.kms.Close)
	s.keys["OLD"] = s.kms.CreateKey(east)
	s.keys["MRK"] = s.kms.CreateMultiRegionKey(east, west)[0]
	s.keys["EAST"], s.keys["WEST"] = s.kms.CreateKey(east), s.kms.CreateKey(west)
	return s
}

func onBoth(t *testing.T, f func(t *testing.T, s *site)) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) { f(t, newSite(t, server)) })
	}
}

// policy reads a policy in which ${NAME} stands for one of the site's keys.
func (s *site) policy(text string) *policy.Policy {
	s.t.Helper()
	for name, arn := range s.keys {
		text = strings.ReplaceAll(text, "${"+name+"}", arn)
	}
	p, err := policy.Parse("test", []byte("version: 1\n"+text))
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s *site) options() []driver.Option {
	return []driver.Option{driver.WithAWSConfig(s.kms.AWSConfig(east))}
}

func (s *site) exec(text string, args ...any) {
	s.t.Helper()
	if _, err := s.db.ExecContext(context.Background(), s.q(text), args...); err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
}

func (s *site) q(text string) string {
	if !s.postgres() {
		return strings.ReplaceAll(strings.ReplaceAll(text, "bytea", "blob"), "timestamptz", "datetime(6)")
	}
	for n := 1; strings.Contains(text, "?"); n++ {
		text = strings.Replace(text, "?", fmt.Sprintf("$%d", n), 1)
	}
	return text
}

func (s *site) sealer(p *policy.Policy, opts ...driver.Option) *driver.ValueSealer {
	s.t.Helper()
	v, err := driver.NewSealer(s.db, append(append(s.options(), driver.WithPolicy(p)), opts...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = v.Close() })
	return v
}

func (s *site) seal(v *driver.ValueSealer, table, column string, row driver.Row, value any) any {
	s.t.Helper()
	out, err := v.Seal(s.t.Context(), table, column, row, value)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// blob is what a hand-made script stored: KMS's ciphertext in base64.
func (s *site) blob(arn, plaintext string, ec map[string]string) string {
	s.t.Helper()
	return base64.StdEncoding.EncodeToString(s.rawBlob(arn, plaintext, ec))
}

// config is a job on the policy's people.ssn.
func (s *site) config(mode Mode, p *policy.Policy) Config {
	return Config{DB: s.db, Policy: p, Options: s.options(), Mode: mode, Table: "people", Column: "ssn", Concurrency: 16}
}

// run runs a job that must come to its end, and checks that its report adds up.
func (s *site) run(c Config) Report {
	s.t.Helper()
	r, err := Run(s.t.Context(), c)
	if err != nil {
		s.t.Fatalf("%s: %v", c.Job(), err)
	}
	if !r.Done || !r.AddsUp() {
		s.t.Fatalf("the report does not add up: %+v", r)
	}
	return r
}

func (s *site) want(r Report, read, changed, right, skipped, failed int64) {
	s.t.Helper()
	if r.Read != read || r.Changed != changed || r.Right != right || r.Skips() != skipped || r.Failed != failed {
		s.t.Errorf("%s\nwant read %d = changed %d + right %d + skipped %d + failed %d; failures %+v", r.String(), read, changed, right, skipped, failed, r.Failures)
	}
}

// sealed opens the database through sealsql.
func (s *site) sealed(p *policy.Policy) *sql.DB {
	s.t.Helper()
	name, dsn := s.server.DSN(s.server.Addr(), s.name)
	bare, err := sql.Open(name, dsn)
	if err != nil {
		s.t.Fatal(err)
	}
	defer bare.Close()
	base, err := bare.Driver().(sqldriver.DriverContext).OpenConnector(dsn)
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := driver.NewConnector(base, append(s.options(), driver.WithPolicy(p))...)
	if err != nil {
		s.t.Fatal(err)
	}
	db := sql.OpenDB(c)
	s.t.Cleanup(func() { _ = db.Close() })
	return db
}
