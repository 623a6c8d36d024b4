package testdb

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// StatementLog is the server's own log of the statements that it was sent, with their
// parameters, failed ones included. The server writes an entry before it answers.
type StatementLog struct {
	path string
	read int64
}

// maxLog is the size from which the log is emptied.
const maxLog = 64 << 20

// Next returns what the server has written since the last call.
func (l *StatementLog) Next() ([]byte, error) {
	f, err := os.OpenFile(l.path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.NewSectionReader(f, l.read, 1<<62-l.read))
	if err != nil {
		return nil, err
	}
	if l.read += int64(len(data)); l.read > maxLog {
		l.read = 0
		return data, f.Truncate(0) // the servers append
	}
	return data, nil
}

// logsStatements is what makes a Postgres log every message of its protocol that
// holds a text or a parameter: log_statement alone leaves out what is prepared and
// never executed.
var logsStatements = []string{"-c", "log_statement=all", "-c", "log_min_duration_statement=0", "-c", "log_parameter_max_length=-1",
	"-c", "log_parameter_max_length_on_error=-1", "-c", "log_min_messages=error", "-c", "log_min_error_statement=error"}

// EachLogged starts a server of its own of each dialect that is wanted, which keeps
// a statement log, and stops it when the test ends. A server that is named by its DSN
// has no such log: its dialect is skipped, and the test says so.
func EachLogged(t testing.TB) (servers []*Server, logs []*StatementLog) {
	t.Helper()
	for _, name := range []string{"postgres", "mysql"} {
		s := &Server{Name: name}
		c, err := s.choose()
		if err != nil {
			t.Fatalf("testdb: %v", err)
		}
		if c.dsn != "" {
			t.Logf("%s is named by its DSN and has no statement log that the test can read", name)
		}
		if c.none || c.dsn != "" {
			continue
		}
		l, err := s.startLogged()
		t.Cleanup(s.Stop)
		if err != nil {
			t.Fatalf("testdb: %v\n%s", err, s.log.String())
		}
		servers, logs = append(servers, s), append(logs, l)
	}
	if len(servers) == 0 {
		t.Skip("no server with a statement log: SEALSQL_POSTGRES and SEALSQL_MYSQL name none")
	}
	return servers, logs
}

func (s *Server) startLogged() (*StatementLog, error) {
	if s.Name == "mysql" {
		// A relative path is one in the data folder.
		s.extra = append(s.extra, "--general-log=1", "--general-log-file=statements", "--log-output=FILE")
		if c, err := s.choose(); err == nil && c.product == productMariaDB {
			s.extra = append(s.extra, "--lower-case-table-names=1") // more spellings reach a table
		}
		err := s.start()
		return &StatementLog{path: filepath.Join(s.data(), "statements")}, err
	}
	f, err := os.CreateTemp("", "sealsql-statements")
	if err != nil {
		return nil, err
	}
	appending, err := os.OpenFile(f.Name(), os.O_APPEND|os.O_WRONLY, 0)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	s.output = appending
	s.extra = append(s.extra, logsStatements...)
	return &StatementLog{path: f.Name()}, s.start()
}
