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
	"syscall"
	"testing"
	"time"
)

// process is a server's process, its data folder and its log. It has none of them
// if the server ran before the tests.
type process struct {
	port int
	dir  string
	cmd  *exec.Cmd
	log  journal
	// again starts the process as it was started first.
	again func() error
	// extra are further arguments of the process.
	extra []string
	// output takes what the process prints in place of log, if it is set.
	output *os.File
}

// journal collects what a process prints. It is safe for concurrent use.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// String returns all that was printed.
func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// Stop stops a server of Start and removes its data.
func (s *Server) Stop() {
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
	if s.output != nil {
		_ = errors.Join(s.output.Close(), os.Remove(s.output.Name()))
	}
}

// data is the folder of the server's data.
func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// prepare makes the data folder, owned by the first of the accounts that exists:
// no server runs as root.
func (s *Server) prepare(accounts ...string) (*syscall.SysProcAttr, error) {
	var err error
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	s.where = loopback(s.Name, s.port)
	if s.dir, err = os.MkdirTemp("", "sealsql-"+s.Name); err != nil {
		return nil, err
	}
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		return attr, nil
	}
	for _, account := range accounts {
		var u *user.User
		if u, err = user.Lookup(account); err != nil {
			continue
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return attr, s.own(s.dir, attr)
	}
	return nil, err
}

// own gives a folder and what lies in it to the account that the server runs as.
func (s *Server) own(dir string, attr *syscall.SysProcAttr) error {
	if attr.Credential == nil {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, int(attr.Credential.Uid), int(attr.Credential.Gid)))
	})
}

func (s *Server) attach(cmd *exec.Cmd, attr *syscall.SysProcAttr) *exec.Cmd {
	cmd.SysProcAttr, cmd.Dir = attr, s.dir
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	if s.output != nil {
		cmd.Stdout, cmd.Stderr = s.output, s.output
	}
	return cmd
}

// run runs a program to its end.
func (s *Server) run(attr *syscall.SysProcAttr, p program, args ...string) error {
	cmd := s.attach(p.command(args...), attr)
	if err := cmd.Start(); err != nil {
		return err
	}
	late := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(p.path), err)
	}
	return nil
}

// serve starts the server itself and waits until it answers.
func (s *Server) serve(attr *syscall.SysProcAttr, p program, args ...string) error {
	s.again = func() error { return s.serve(attr, p, args...) }
	s.cmd = s.attach(p.command(slices.Concat(args, s.extra)...), attr)
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
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("the server did not come up within a minute"), err)
		case <-tick.C:
		}
	}
}

// Restart stops the server as an operator does, which breaks every connection,
// and starts it on the same data and port. A server that ran before the tests is
// not restarted: the test is skipped.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Own(t, "it restarts the server")
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

// Own skips a test for which the server must be one that testdb started.
func (s *Server) Own(t testing.TB, reason string) {
	t.Helper()
	if s.cmd == nil {
		t.Skipf("not for a server that is named by its DSN: %s", reason)
	}
}
