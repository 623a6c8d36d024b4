// Package testdb starts private database servers for tests: Postgres and
// MariaDB from the installed binaries, each with a data folder of its own, on a
// free port of loopback, stopped by process id when the tests end.
//
// A server that is not installed fails the test and says how to get it; it is
// never skipped.
package testdb

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the bare drivers
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/sealsql/sealsql/sealtest"
)

// Server is a running database server.
type Server struct {
	// Name is "postgres" or "mysql".
	Name string
	port int
	dir  string
	cmd  *exec.Cmd
	log  bytes.Buffer
	err  error
	once sync.Once
	dbs  atomic.Int64
	// again starts the server's process as it was started first.
	again func() error
}

var postgresServer, mariaServer = &Server{Name: "postgres"}, &Server{Name: "mysql"}

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
	for _, s := range []*Server{postgresServer, mariaServer} {
		s.stop()
	}
}

// Postgres returns the test process's Postgres, started at the first call.
func Postgres(t testing.TB) *Server { return postgresServer.started(t, (*Server).startPostgres) }

// MariaDB returns the test process's MariaDB, started at the first call.
func MariaDB(t testing.TB) *Server { return mariaServer.started(t, (*Server).startMariaDB) }

// Start starts "postgres" or "mysql" for a program that is no test, which stops
// it with Stop.
func Start(name string) (*Server, error) {
	s, start := &Server{Name: name}, (*Server).startPostgres
	if name == "mysql" {
		start = (*Server).startMariaDB
	}
	if err := start(s); err != nil {
		s.stop()
		return nil, fmt.Errorf("%w\n%s", err, s.log.String())
	}
	return s, nil
}

// Stop stops a server of Start and removes its data.
func (s *Server) Stop() { s.stop() }

func (s *Server) started(t testing.TB, start func(*Server) error) *Server {
	t.Helper()
	s.once.Do(func() { s.err = start(s) })
	if s.err != nil {
		t.Fatalf("testdb: %v\n%s", s.err, s.log.String())
	}
	return s
}

func (s *Server) stop() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGQUIT) // immediate shutdown; the data is thrown away
		if s.Name == "mysql" {
			_ = s.cmd.Process.Kill()
		}
		_ = s.cmd.Wait() // it was killed
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

var installed = []string{"/usr/local/bin", "/usr/bin", "/usr/sbin", "/usr/local/sbin"}

// binary finds a program in PATH and in Debian's folders.
func binary(name, pkg string, folders ...string) (string, error) {
	for _, f := range folders {
		found, _ := filepath.Glob(filepath.Join(f, name))
		slices.Sort(found)
		if len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, f := range installed {
		if path := filepath.Join(f, name); exists(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed; run apt-get install %s, or make test, which does it", name, pkg)
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// prepare makes the data folder, owned by the account that the server runs
// as: neither server runs as root.
func (s *Server) prepare(account string) (*syscall.SysProcAttr, error) {
	var err error
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "sealsql-"+s.Name); err != nil {
		return nil, err
	}
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		return attr, nil
	}
	u, err := user.Lookup(account)
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, os.Chown(s.dir, uid, gid)
}

func (s *Server) run(attr *syscall.SysProcAttr, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr, cmd.Dir = attr, s.dir
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	return nil
}

func (s *Server) serve(attr *syscall.SysProcAttr, name string, args ...string) error {
	s.again = func() error { return s.serve(attr, name, args...) }
	s.cmd = exec.Command(name, args...)
	s.cmd.SysProcAttr, s.cmd.Dir = attr, s.dir
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	return s.wait()
}

// wait asks the server until it answers.
func (s *Server) wait() error {
	driver, dsn := s.bare("")
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	deadline, tick := time.After(time.Minute), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for {
		if err = db.Ping(); err == nil {
			return nil
		}
		select {
		case <-deadline:
			return errors.Join(errors.New("the server did not come up within a minute"), err)
		case <-tick.C:
		}
	}
}

// Restart stops the server as an operator does, which breaks every connection,
// and starts it on the same data and port.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	stop := syscall.SIGINT // Postgres's fast shutdown
	if s.Name == "mysql" {
		stop = syscall.SIGTERM
	}
	if err := s.cmd.Process.Signal(stop); err != nil {
		t.Error(err)
		return
	}
	_ = s.cmd.Wait() // it was told to
	if err := s.again(); err != nil {
		t.Errorf("testdb: %v\n%s", err, s.log.String())
	}
}

const debian = "/usr/lib/postgresql/*/bin"

func (s *Server) startPostgres() error {
	initdb, err := binary("initdb", "postgresql", debian)
	if err != nil {
		return err
	}
	attr, err := s.prepare("postgres")
	if err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	if err := s.run(attr, initdb, "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"); err != nil {
		return err
	}
	return s.servePostgres(attr, data)
}

func (s *Server) servePostgres(attr *syscall.SysProcAttr, data string) error {
	server, err := binary("postgres", "postgresql", debian)
	if err != nil {
		return err
	}
	return s.serve(attr, server, "-D", data, "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=300", "-c", "log_min_messages=fatal", "-c", "wal_receiver_status_interval=1")
}

// Replica starts a streaming replica of a Postgres, until the test ends.
func (s *Server) Replica(t testing.TB) *Server {
	t.Helper()
	r := &Server{Name: s.Name}
	t.Cleanup(r.stop)
	if err := r.follow(s); err != nil {
		t.Fatalf("testdb: %v\n%s", err, r.log.String())
	}
	return r
}

func (s *Server) follow(primary *Server) error {
	backup, err := binary("pg_basebackup", "postgresql", debian)
	if err != nil {
		return err
	}
	attr, err := s.prepare("postgres")
	if err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	source := fmt.Sprintf("host=127.0.0.1 port=%d user=test sslmode=disable", primary.port)
	if err := s.run(attr, backup, "-d", source, "-D", data, "-R", "-c", "fast", "--no-sync"); err != nil {
		return err
	}
	return s.servePostgres(attr, data)
}

func (s *Server) startMariaDB() error {
	install, err := binary("mariadb-install-db", "mariadb-server")
	if err != nil {
		return err
	}
	server, err := binary("mariadbd", "mariadb-server")
	if err != nil {
		return err
	}
	attr, err := s.prepare("mysql")
	if err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	if err := s.run(attr, install, "--no-defaults", "--datadir="+data, "--tmpdir="+s.dir, "--auth-root-authentication-method=normal", "--skip-test-db"); err != nil {
		return err
	}
	return s.serve(attr, server, "--no-defaults", "--datadir="+data, "--tmpdir="+s.dir, "--port="+strconv.Itoa(s.port), "--bind-address=127.0.0.1",
		"--socket="+filepath.Join(s.dir, "sock"), "--pid-file="+filepath.Join(s.dir, "pid"), "--skip-name-resolve",
		"--innodb-flush-log-at-trx-commit=0", "--max-connections=400", "--character-set-server=utf8mb4")
}

// Addr is the server's address.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// bare returns the bare driver's name and the DSN of a database.
func (s *Server) bare(database string) (driver, dsn string) { return s.DSN(s.Addr(), database) }

// DSN returns the bare driver's name and its DSN for an address, which may be
// a proxy's, and a database.
func (s *Server) DSN(addr, database string) (driver, dsn string) {
	if s.Name == "postgres" {
		if database == "" {
			database = "postgres"
		}
		return "pgx", "postgres://test@" + addr + "/" + database + "?sslmode=disable"
	}
	return "mysql", "root@tcp(" + addr + ")/" + database + "?parseTime=true"
}

// NewDatabase creates an empty database and returns its name.
func (s *Server) NewDatabase(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("t%d", s.dbs.Add(1))
	db := s.Open(t, "")
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
