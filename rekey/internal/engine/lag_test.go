package engine

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/sealsql/sealsql/internal/server/postgres"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// lines is a slog.Handler's output, a line at a time.
type lines chan string

func (l lines) Write(b []byte) (int, error) { l <- string(b); return len(b), nil }

// TestAJobWaitsForAReplica, whether the primary or the replica is asked, and goes on when the
// replica has caught up.
func TestAJobWaitsForAReplica(t *testing.T) {
	server := testdb.Postgres(t)
	follower := server.Replica(t)
	s := newSite(t, server)
	p := s.plaintexts(20)
	replica := follower.Open(t, s.name)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		lag, err := ReplicaLag(ctx, replica, "postgres")
		if err == nil && lag == 0 {
			break // the database has got there
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	ask := map[string]func(context.Context) (time.Duration, error){
		"the primary is asked": nil,
		"the replica is asked": func(ctx context.Context) (time.Duration, error) { return ReplicaLag(ctx, replica, "postgres") },
	}
	for name, lag := range ask {
		t.Run(name, func(t *testing.T) {
			s.exec("UPDATE people SET ssn = 'in clear'")
			c := s.config(Backfill, p)
			c.PageRows, c.MaxReplicaLag, c.ReplicaLag = 5, 20*time.Millisecond, lag
			said := make(lines, 100)
			c.Log = slog.New(slog.NewTextHandler(said, nil))
			if _, err := replica.Exec("SELECT pg_wal_replay_pause()"); err != nil {
				t.Fatal(err)
			}
			behind(t, s.db, replica, lag)
			var r Report
			var err error
			done := make(chan struct{})
			go func() { defer close(done); r, err = Run(t.Context(), c) }()
			select {
			case <-said:
			case <-done:
				t.Errorf("the job did not wait: %+v, %v", r, err)
			}
			var clear int
			if e := s.db.QueryRow("SELECT count(*) FROM people WHERE ssn = 'in clear'").Scan(&clear); e != nil || clear != 20 {
				t.Errorf("%d values are in clear while the replica is behind, want all 20: %v", clear, e)
			}
			if _, e := replica.Exec("SELECT pg_wal_replay_resume()"); e != nil {
				t.Fatal(e)
			}
			<-done
			if err != nil || !r.Done || r.Changed != 20 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

// behind writes until the replica has paused and the lag that a job will be told is above
// 20 ms. A lag from before the pause may shrink again.
func behind(t *testing.T, primary, replica *sql.DB, ask func(context.Context) (time.Duration, error)) {
	t.Helper()
	if ask == nil {
		ask = func(ctx context.Context) (time.Duration, error) { return postgres.Server{}.Jobs().Lag(ctx, primary) }
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		if _, err := primary.ExecContext(ctx, "UPDATE people SET ssn = ssn WHERE id = 1"); err != nil {
			t.Fatal(err)
		}
		var paused string
		if err := replica.QueryRowContext(ctx, "SELECT pg_get_wal_replay_pause_state()").Scan(&paused); err == nil && paused != "paused" {
			continue // Postgres 13 does not tell
		}
		var replayed, known string
		if err := replica.QueryRowContext(ctx, "SELECT pg_last_wal_replay_lsn()").Scan(&replayed); err != nil {
			t.Fatal(err)
		}
		if err := primary.QueryRowContext(ctx, "SELECT COALESCE(max(replay_lsn)::text, '') FROM pg_stat_replication").Scan(&known); err != nil {
			t.Fatal(err)
		}
		if known != replayed {
			continue // the primary has yet to hear of what was replayed before the pause
		}
		lag, err := ask(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if lag > 20*time.Millisecond {
			return
		}
	}
}

// TestWhatCannotTellALagIsRefused: nobody's silence is taken for "not behind".
func TestWhatCannotTellALagIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if _, err := ReplicaLag(t.Context(), s.db, s.server.Name); !errors.Is(err, ErrConfig) {
			t.Errorf("a server that follows none: %v", err)
		}
		p := s.plaintexts(1)
		c := s.config(Backfill, p)
		c.MaxReplicaLag = time.Second
		if s.postgres() {
			s.server.Replica(t)
			if _, err := Run(t.Context(), c); err != nil {
				t.Errorf("a superuser: %v", err)
			}
			s.exec("UPDATE people SET ssn = 'in clear'")
			s.exec("CREATE ROLE mover LOGIN")
			s.exec("GRANT ALL ON people TO mover")
			_, dsn := s.server.DSN(s.server.Addr(), s.name)
			db, err := sql.Open("pgx", dsn+"&user=mover")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			c.DB = db
		}
		if _, err := Run(t.Context(), c); !errors.Is(err, ErrConfig) {
			t.Errorf("an account that may not see: %v", err)
		}
	})
}

// TestStopEndsTheWait for a replica that is an hour behind, and for a rate of a row in a minute.
func TestStopEndsTheWait(t *testing.T) {
	s := newSite(t, testdb.Postgres(t))
	p := s.plaintexts(20)
	for name, lag := range map[string]time.Duration{"for a replica": time.Hour, "for the rate": 0} {
		t.Run(name, func(t *testing.T) {
			stop := make(chan struct{})
			var once sync.Once
			c := s.config(Backfill, p)
			c.Stop, c.PageRows, c.RowsPerSecond, c.MaxReplicaLag = stop, 5, 1.0/60, time.Second
			c.ReplicaLag = func(context.Context) (time.Duration, error) {
				once.Do(func() { close(stop) })
				return lag, nil
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if r, err := Run(ctx, c); !errors.Is(err, ErrStopped) || r.Done || r.Read != 0 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

// TestAPassingErrorOfTheReplicaIsTriedAgain within the job's patience.
func TestAPassingErrorOfTheReplicaIsTriedAgain(t *testing.T) {
	s := newSite(t, testdb.Postgres(t))
	c := s.config(Backfill, s.plaintexts(3))
	asked := 0
	c.MaxReplicaLag = time.Second
	c.ReplicaLag = func(context.Context) (time.Duration, error) {
		if asked++; asked < 3 {
			return 0, sqldriver.ErrBadConn
		}
		return 0, nil
	}
	if r, err := Run(t.Context(), c); err != nil || !r.Done || asked < 3 {
		t.Errorf("asked %d times: %+v, %v", asked, r, err)
	}
}
