package testdb

import (
	"context"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

const debian = "/usr/lib/postgresql/*/bin"

// postgresProgram finds one of Postgres's programs, of the version wanted.
func (s *Server) postgresProgram(name string) (program, error) {
	c := s.choice
	if dir, ok := c.fetched(); ok {
		return program{path: filepath.Join(dir, "native", "bin", name)}, nil
	}
	folder := debian
	if c.version != "" {
		folder = filepath.Join("/usr/lib/postgresql", c.version, "bin")
		if !exists(filepath.Join(folder, name)) {
			return program{}, c.missing()
		}
	}
	return installed(name, "postgresql", folder)
}

func (s *Server) startPostgres() error {
	initdb, err := s.postgresProgram("initdb")
	if err != nil {
		return err
	}
	attr, err := s.prepare("postgres", "nobody")
	if err != nil {
		return err
	}
	if err := s.run(attr, initdb, "-D", s.data(), "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"); err != nil {
		return err
	}
	return s.servePostgres(attr)
}

func (s *Server) servePostgres(attr *syscall.SysProcAttr) error {
	server, err := s.postgresProgram("postgres")
	if err != nil {
		return err
	}
	return s.serve(attr, server, "-D", s.data(), "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=300", "-c", "log_min_messages=fatal", "-c", "wal_receiver_status_interval=1")
}

// Replica starts a streaming replica of a Postgres, until the test ends.
func (s *Server) Replica(t testing.TB) *Server {
	t.Helper()
	s.Own(t, "it starts a replica")
	r := &Server{Name: s.Name, choice: s.choice}
	t.Cleanup(r.Stop)
	if err := r.follow(s); err != nil {
		t.Fatalf("testdb: %v\n%s", err, r.log.String())
	}
	return r
}

func (s *Server) follow(primary *Server) error {
	attr, err := s.prepare("postgres", "nobody")
	if err != nil {
		return err
	}
	if err := s.copyOf(context.Background(), primary); err != nil {
		return err
	}
	if err := s.own(s.data(), attr); err != nil {
		return err
	}
	return s.servePostgres(attr)
}
