package testdb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// PgBouncer is a running PgBouncer that pools by transaction.
type PgBouncer struct {
	// Addr is its address.
	Addr string
	dir  string
	cmd  *exec.Cmd
	log  journal
}

// pgbouncerConfig has two connections to the server: statements of one client
// come to different sessions.
const pgbouncerConfig = `[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
auth_file =
pool_mode = transaction
default_pool_size = 2
ignore_startup_parameters = extra_float_digits
`

// StartPgBouncer starts a PgBouncer before the Postgres server at addr. The
// caller stops it.
func StartPgBouncer(addr, user string) (*PgBouncer, error) {
	bouncer, err := installed("pgbouncer", "pgbouncer")
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	s := &Server{Name: "pgbouncer"}
	attr, err := s.prepare("postgres", "nobody") // it does not run as root
	if err != nil {
		return nil, err
	}
	p := &PgBouncer{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), dir: s.dir}
	path := filepath.Join(s.dir, "pgbouncer.ini")
	text := fmt.Sprintf(pgbouncerConfig, host, port+" user="+user, s.port)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return nil, errors.Join(err, os.RemoveAll(p.dir))
	}
	p.cmd = bouncer.command(path)
	p.cmd.SysProcAttr, p.cmd.Dir = attr, s.dir
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(p.dir))
	}
	if err := p.wait(); err != nil {
		p.Stop()
		return nil, fmt.Errorf("%w\n%s", err, p.log.String())
	}
	return p, nil
}

// wait connects until it is let in.
func (p *PgBouncer) wait() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var d net.Dialer
	for {
		c, err := d.DialContext(ctx, "tcp", p.Addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("PgBouncer did not come up within half a minute"), err)
		case <-tick.C:
		}
	}
}

// Stop stops it and removes its files.
func (p *PgBouncer) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // immediate shutdown
	_ = p.cmd.Wait()                          // it was told to
	_ = os.RemoveAll(p.dir)
}
