package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// StartPrimary is [Start] for a server that will have replicas.
func StartPrimary(name string) (*Server, error) {
	s := &Server{Name: name}
	c, err := s.choose()
	if err != nil {
		return nil, err
	}
	if c.dsn != "" {
		return nil, errors.New("testdb starts replicas of its own servers only; name the server by its version")
	}
	if name == "mysql" {
		s.replicates(c, 1)
	}
	return s.launch(s.start)
}

// StartReplica starts a read-only replica of a server of StartPrimary or
// StartReplica. The caller stops it with Stop.
func (s *Server) StartReplica() (*Server, error) {
	r := &Server{Name: s.Name, choice: s.choice}
	return r.launch(func() error {
		if s.Name == "postgres" {
			return errors.Join(r.follow(s), r.identify())
		}
		r.replicates(s.choice, s.port) // a number that no other server of the machine has
		r.extra = append(r.extra, "--read-only")
		if err := r.start(); err != nil {
			return err
		}
		// The primary's log begins with its first statement: no copy is needed.
		if s.Product == productMySQL {
			return r.exec(context.Background(), fmt.Sprintf("CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%d, SOURCE_USER='root', "+
				"SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1, SOURCE_CONNECT_RETRY=1", s.port), "START REPLICA")
		}
		return r.exec(context.Background(), fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='root', "+
			"MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1", s.port), "START SLAVE")
	})
}

func (s *Server) launch(start func() error) (*Server, error) {
	if err := start(); err != nil {
		s.Stop()
		return nil, fmt.Errorf("%w\n%s", err, s.log.String())
	}
	return s, nil
}

// replicates makes MySQL or MariaDB write a log that replicas follow.
func (s *Server) replicates(c choice, id int) {
	s.extra = []string{"--log-bin=binlog", "--log-slave-updates", "--binlog-format=ROW", "--server-id=" + strconv.Itoa(id)}
	if c.product == productMySQL {
		s.extra = []string{"--log-bin=binlog", "--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--server-id=" + strconv.Itoa(id)}
	}
}

// CatchUp waits until a replica has all that its primary has now.
func (s *Server) CatchUp(ctx context.Context, primary *Server) error {
	from, err := sql.Open(primary.bare(""))
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := sql.Open(s.bare(""))
	if err != nil {
		return err
	}
	defer to.Close()
	now, reached := "SELECT pg_current_wal_flush_lsn()::text", "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn"
	switch s.Product {
	case productMariaDB:
		now, reached = "SELECT @@gtid_binlog_pos", "SELECT MASTER_GTID_WAIT(?, 1) = 0"
	case productMySQL:
		now, reached = "SELECT @@global.gtid_executed", "SELECT WAIT_FOR_EXECUTED_GTID_SET(?, 1) = 0"
	}
	var position string
	if err := from.QueryRowContext(ctx, now).Scan(&position); err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var there sql.NullBool
		if err := to.QueryRowContext(ctx, reached, position).Scan(&there); err != nil || there.Bool {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the replica did not catch up: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// Promote ends a replica's replication and makes the replica writable.
func (s *Server) Promote(ctx context.Context) error {
	switch s.Product {
	case productPostgres:
		return s.exec(ctx, "SELECT pg_promote(true, 30)")
	case productMySQL:
		return s.exec(ctx, "STOP REPLICA", "RESET REPLICA ALL", "SET GLOBAL read_only = 0")
	}
	return s.exec(ctx, "STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = 0")
}

func (s *Server) exec(ctx context.Context, texts ...string) (err error) {
	db, err := sql.Open(s.bare(""))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, text := range texts {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}
