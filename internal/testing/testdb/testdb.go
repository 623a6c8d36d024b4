// Package testdb gives tests database servers of their own: Postgres, MySQL and
// MariaDB, each with a data folder of its own, on a free port of loopback, stopped by
// process id when the tests end.
//
// SEALSQL_POSTGRES names the Postgres (18, for example), SEALSQL_MYSQL the MySQL or
// MariaDB (mysql-9.7, mariadb-11.8). Without them the tests use the Postgres and the
// MariaDB that are installed. scripts/servers.sh fetches what is missing. Either
// variable may hold the bare driver's DSN of a server that runs already, whose
// account may create databases. The value none leaves out the tests of a dialect.
//
// A server that is missing fails the test with a hint. A test is skipped only
// where a variable says none, or where the test names the product that it needs.
package testdb

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/go-sql-driver/mysql" // the bare drivers
	_ "github.com/jackc/pgx/v5/stdlib"
)

// Server is a running database server.
type Server struct {
	// Name is the dialect: "postgres" or "mysql".
	Name string
	// Product is "postgres", "mysql" or "mariadb"; Major and Minor are its version.
	Product      string
	Major, Minor int

	choice choice
	process
	where address
	err   error
	once  sync.Once
	dbs   atomic.Int64
}

// String is the server's product and version, as scripts/servers.sh names it.
func (s *Server) String() string {
	if s.Product == productPostgres {
		return fmt.Sprintf("%s-%d", s.Product, s.Major)
	}
	return fmt.Sprintf("%s-%d.%d", s.Product, s.Major, s.Minor)
}

// AtLeast reports whether the server is that product, at that version or a later one.
func (s *Server) AtLeast(product string, major, minor int) bool {
	return s.Product == product && (s.Major > major || s.Major == major && s.Minor >= minor)
}

// Only skips a test that needs what only one product has, and says so.
func (s *Server) Only(t testing.TB, product, reason string) {
	t.Helper()
	if s.Product != product {
		t.Skipf("not for %s: %s", s, reason)
	}
}

var ofProcess = [2]*Server{{Name: "postgres"}, {Name: "mysql"}}

// Main runs a package's tests, and checks that hold for all of them, and stops
// the servers they started.
func Main(m *testing.M, checks ...func() error) {
	code := m.Run()
	for _, check := range checks {
		if err := check(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	Stop()
	os.Exit(code)
}

// Stop stops the servers that were started; Main does it.
func Stop() {
	for _, s := range ofProcess {
		s.Stop()
	}
}

// Postgres returns the test process's Postgres, started at the first call.
func Postgres(t testing.TB) *Server { t.Helper(); return ofProcess[0].started(t) }

// MySQL returns the test process's MySQL or MariaDB, started at the first call.
func MySQL(t testing.TB) *Server { t.Helper(); return ofProcess[1].started(t) }

// Each returns the test process's servers, one of each dialect that is wanted.
func Each(t testing.TB) []*Server {
	t.Helper()
	var all []*Server
	for _, s := range ofProcess {
		c, err := s.choose()
		if err != nil {
			t.Fatalf("testdb: %v", err)
		}
		if !c.none {
			all = append(all, s.started(t))
		}
	}
	if len(all) == 0 {
		t.Fatal("testdb: SEALSQL_POSTGRES and SEALSQL_MYSQL are both none")
	}
	return all
}

// Start starts the "postgres" or the "mysql" that the environment names, for a
// program that is no test, which stops it with Stop.
func Start(name string) (*Server, error) {
	s := &Server{Name: name}
	if err := s.start(); err != nil {
		s.Stop()
		return nil, fmt.Errorf("%w\n%s", err, s.log.String())
	}
	return s, nil
}

func (s *Server) started(t testing.TB) *Server {
	t.Helper()
	s.once.Do(func() { s.err = s.start() })
	if errors.Is(s.err, errNone) {
		t.Skipf("not run: the environment leaves out %s", s.Name)
	}
	if s.err != nil {
		t.Fatalf("testdb: %v\n%s", s.err, s.log.String())
	}
	return s
}

// errNone is the error of a dialect that the environment leaves out.
var errNone = errors.New("SEALSQL_POSTGRES or SEALSQL_MYSQL is none")

func (s *Server) choose() (choice, error) {
	switch s.Name {
	case "postgres":
		return choosePostgres(os.Getenv("SEALSQL_POSTGRES"))
	case "mysql":
		return chooseMySQL(os.Getenv("SEALSQL_MYSQL"))
	}
	return choice{}, fmt.Errorf("unknown dialect %q", s.Name)
}

func (s *Server) start() (err error) {
	if s.choice, err = s.choose(); err != nil {
		return err
	}
	switch {
	case s.choice.none:
		return errNone
	case s.choice.dsn != "":
		err = s.reach()
	case s.Name == "postgres":
		err = s.startPostgres()
	default:
		err = s.startMySQL()
	}
	if err != nil {
		return err
	}
	if err := s.identify(); err != nil {
		return err
	}
	if c := s.choice; c.version != "" && s.String() != c.product+"-"+c.version {
		return errors.Join(fmt.Errorf("the server on this machine is %s", s), c.missing())
	}
	return nil
}
