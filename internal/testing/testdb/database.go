package testdb

import (
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/sealsql/sealsql/sealtest"
)

// address says how the bare driver connects to a server.
type address struct {
	postgres *url.URL
	mysql    *mysql.Config
}

// loopback is the address of a server that testdb started.
func loopback(dialect string, port int) address {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if dialect == "postgres" {
		return address{postgres: &url.URL{Scheme: "postgres", User: url.User("test"), Host: addr, Path: "/postgres", RawQuery: "sslmode=disable"}}
	}
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.ParseTime = "root", "tcp", addr, true
	return address{mysql: c}
}

// reach reads the DSN of a server that runs already.
func (s *Server) reach() error {
	if s.Name == "postgres" {
		u, err := url.Parse(s.choice.dsn)
		if err != nil || u.Hostname() == "" {
			return fmt.Errorf("SEALSQL_POSTGRES is not a DSN such as postgres://user@host:5432/database?sslmode=disable")
		}
		if u.Port() == "" {
			u.Host = net.JoinHostPort(u.Hostname(), "5432")
		}
		if u.RawQuery == "" {
			u.RawQuery = "sslmode=disable" // tests append parameters
		}
		s.where.postgres = u
		return s.wait()
	}
	c, err := mysql.ParseDSN(s.choice.dsn)
	if err != nil || c.Net != "tcp" {
		return fmt.Errorf("SEALSQL_MYSQL is not a DSN such as root@tcp(host:3306)/")
	}
	c.ParseTime = true
	s.where.mysql = c
	return s.wait()
}

// identify asks the server for its product and version.
func (s *Server) identify() error {
	driver, dsn := s.bare("")
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	var text string
	query := "SELECT version()"
	if s.Name == "postgres" {
		query = "SELECT current_setting('server_version')"
	}
	if err := db.QueryRow(query).Scan(&text); err != nil {
		return err
	}
	return s.version(text)
}

// version reads what a server says of itself: "18.4", "9.7.4-2" or "10.11.19-MariaDB-0+deb12u1".
func (s *Server) version(text string) error {
	var patch string
	if n, _ := fmt.Sscanf(text, "%d.%d%s", &s.Major, &s.Minor, &patch); n < 2 {
		if n, _ := fmt.Sscanf(text, "%d", &s.Major); n < 1 { // 19devel
			return fmt.Errorf("the server's version is %q, which is not understood", text)
		}
	}
	switch {
	case s.Name == "postgres":
		s.Product = productPostgres
	case strings.Contains(text, "MariaDB"):
		s.Product = productMariaDB
	default:
		s.Product = productMySQL
	}
	return nil
}

// Addr is the server's address.
func (s *Server) Addr() string {
	if s.where.postgres != nil {
		return s.where.postgres.Host
	}
	return s.where.mysql.Addr
}

// bare returns the bare driver's name and the DSN of a database.
func (s *Server) bare(database string) (driver, dsn string) { return s.DSN(s.Addr(), database) }

// DSN returns the bare driver's name and its DSN for an address, which may be
// a proxy's, and a database. The DSN has parameters: more are appended with &.
func (s *Server) DSN(addr, database string) (driver, dsn string) {
	if s.where.postgres != nil {
		u := *s.where.postgres
		u.Host = addr
		if database != "" {
			u.Path = "/" + database
		}
		return "pgx", u.String()
	}
	c := s.where.mysql.Clone()
	c.Addr, c.DBName = addr, database
	return "mysql", c.FormatDSN()
}

// NewDatabase creates an empty database and returns its name. On a server that
// ran before the tests the database is dropped when the test ends.
func (s *Server) NewDatabase(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("t%d", s.dbs.Add(1))
	db := s.Open(t, "")
	if s.cmd == nil {
		name = fmt.Sprintf("sealsql_%d_%s", os.Getpid(), name)
		t.Cleanup(func() {
			if _, err := db.Exec("DROP DATABASE " + name); err != nil {
				t.Logf("the database %s stays on the server: %v", name, err)
			}
		})
	}
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	return name
}

// Open opens a database with the bare driver, until the test ends.
func (s *Server) Open(t testing.TB, database string) *sql.DB {
	t.Helper()
	driver, dsn := s.bare(database)
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Proxy puts a leak proxy before the server, until the test ends, when the
// test fails if a watched value has passed.
func (s *Server) Proxy(t testing.TB) *sealtest.LeakProxy {
	t.Helper()
	p, err := sealtest.NewLeakProxy(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		p.Check(t)
	})
	return p
}
