package sealpgx_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealpgx"
)

// TestAPoolAndADatabaseShare opens a sql.DB and a pool under one connector: what one
// writes the other reads, and plans, counters and reloads are common.
func TestAPoolAndADatabaseShare(t *testing.T) {
	s := newSite(t, "")
	s.watch(t, "900-12-3456")
	ctx := context.Background()
	config := s.config(t, s.proxy.Addr(), 0, "")
	connector, err := driver.NewConnector(stdlib.GetConnector(*config.ConnConfig), driver.WithPolicy(testPolicy(t)))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	of, err := driver.Of(db)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := sealpgx.NewPoolWith(ctx, config, of)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	const read = "SELECT ssn FROM accounts WHERE number = $1"
	if _, err := db.Exec("INSERT INTO accounts (number, ssn) VALUES ('a1', $1)", "900-12-3456"); err != nil {
		t.Fatal(err)
	}
	var ssn string
	if err := pool.QueryRow(ctx, read, "a1").Scan(&ssn); err != nil || ssn != "900-12-3456" {
		t.Errorf("%q, %v", ssn, err)
	}
	exec(t, pool, "UPDATE accounts SET ssn = $1 WHERE number = 'a1'", "900-12-3457")
	before := connector.Stats()
	if err := db.QueryRow(read, "a1").Scan(&ssn); err != nil || ssn != "900-12-3457" {
		t.Errorf("%q, %v", ssn, err)
	}
	after := pool.Connector().Stats()
	if before.Plans.Misses != after.Plans.Misses || after.Plans.Hits == 0 {
		t.Errorf("plans: %d and %d misses, %d hits", before.Plans.Misses, after.Plans.Misses, after.Plans.Hits)
	}

	tx, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	less, err := policy.Parse("less", []byte(strings.Split(policyText, "  accounts:")[0]))
	if err != nil {
		t.Fatal(err)
	}
	if err := connector.Reload(less); err != nil {
		t.Fatal(err)
	}
	if err := tx.QueryRow(ctx, read, "a1").Scan(&ssn); err != nil || ssn != "900-12-3457" {
		t.Errorf("a transaction that began before: %q, %v", ssn, err)
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Error(err)
	}
	var stored []byte
	if err := pool.QueryRow(ctx, read, "a1").Scan(&stored); err != nil || len(stored) < 100 {
		t.Errorf("after the reload: %d bytes, %v", len(stored), err)
	}
	pool.Close()
	if err := db.Ping(); err != nil {
		t.Errorf("closing the pool closed the database: %v", err)
	}
}

func TestAConnectorOfAnotherServerIsRejected(t *testing.T) {
	s := newSite(t, "")
	s.pool.Bare()
	if _, err := sealpgx.NewPoolWith(context.Background(), s.config(t, s.proxy.Addr(), 0, ""), nil); err == nil {
		t.Error("no connector was taken")
	}
	if err := s.pool.Ping(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestTheConnectionStringNamesThePolicy opens a pool without options.
func TestTheConnectionStringNamesThePolicy(t *testing.T) {
	s := newSite(t, "")
	config := s.config(t, s.proxy.Addr(), 0, "&sealsql_policy=none.yaml")
	if _, err := sealpgx.NewPool(context.Background(), config); !errors.Is(err, driver.ErrPolicy) || !strings.Contains(err.Error(), "none.yaml") {
		t.Error(err)
	}
	config = s.config(t, s.proxy.Addr(), 0, "&sealsql_policy_watch=1ms")
	if _, err := sealpgx.NewPool(context.Background(), config); err == nil || !strings.Contains(err.Error(), "sealsql_policy_watch") {
		t.Error(err)
	}
	if err := s.pool.Ping(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestManyGoroutinesThroughFailures has 64 goroutines write and read rows of their own
// while queries are cancelled, connections are killed and the pool is reset.
func TestManyGoroutinesThroughFailures(t *testing.T) {
	s := newSite(t, "")
	s.watch(t, "900-00-")
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var wg sync.WaitGroup
	var reads, failures atomic.Int64
	const goroutines, rounds = 64, 12
	for g := range goroutines {
		wg.Go(func() {
			number, last, unsure := fmt.Sprintf("g%d", g), "", map[string]bool{}
			for round := range rounds {
				value := fmt.Sprintf("900-00-%d-%d", g, round)
				if _, err := s.pool.Exec(ctx, "INSERT INTO accounts (number, ssn) VALUES ($1, $2) ON CONFLICT (number) DO UPDATE SET ssn = EXCLUDED.ssn", number, value); err != nil {
					failures.Add(1)
					unsure[value] = true // it may have been written
				} else {
					last, unsure = value, map[string]bool{}
				}
				if round%4 == 1 {
					short, cancel := context.WithTimeout(ctx, time.Duration(g%7)*time.Millisecond)
					rows, _ := s.pool.Query(short, "SELECT number, ssn FROM accounts ORDER BY number")
					for rows.Next() {
						if values, err := rows.Values(); err == nil && values[1] != nil && !strings.HasPrefix(values[1].(string), "900-00-"+strings.TrimPrefix(values[0].(string), "g")+"-") {
							t.Errorf("row %v shows %v", values[0], values[1])
						}
					}
					cancel()
				}
				var got *string
				err := s.pool.QueryRow(ctx, "SELECT ssn FROM accounts WHERE number = $1", number).Scan(&got)
				switch {
				case err != nil && !errors.Is(err, pgx.ErrNoRows):
					failures.Add(1)
				case got == nil && last != "":
					t.Errorf("%s was lost", last)
				case got != nil && *got != last && !unsure[*got]:
					t.Errorf("%s holds %s, and %s was written last", number, *got, last)
				default:
					reads.Add(1)
				}
				if g == 0 && round%3 == 0 {
					s.pool.Reset()
					_, err := s.bare.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = ''")
					if err != nil {
						failures.Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	if reads.Load() < goroutines*rounds/2 {
		t.Errorf("%d reads succeeded, %d calls failed", reads.Load(), failures.Load())
	}
	if failures.Load() == 0 {
		t.Error("nothing failed")
	}
	s.givenBack(t)
}

// givenBack takes every connection that the pool may have: none is held by anybody else,
// but for those that are being closed.
func (s *site) givenBack(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for range s.pool.Config().MaxConns {
		c, err := s.pool.Acquire(ctx)
		if err != nil {
			t.Errorf("a connection was not given back: %v", err)
			return
		}
		defer c.Release()
	}
}
