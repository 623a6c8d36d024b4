package sealpgx_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sealsql/sealsql/sealtest"
)

// TestACallThatWaitsForTheKeyServiceEnds cancels calls while the key service keeps them
// waiting: nothing of theirs was sent, so a transaction goes on, and each connection goes
// back to the pool.
func TestACallThatWaitsForTheKeyServiceEnds(t *testing.T) {
	s := newSite(t, "")
	s.watch(t, "900-12-3456")
	pool, k := s.kmsPool(t, perValue, 1)
	exec(t, pool, insertAccount, "a1", "900-12-3456")
	region := "us-east-1"
	calls := map[string]func(context.Context, querier) error{
		"an insert": func(ctx context.Context, q querier) error {
			_, err := q.Exec(ctx, insertAccount, "b1", "900-12-3456")
			return err
		},
		"a read": func(ctx context.Context, q querier) error {
			rows, err := q.Query(ctx, "SELECT ssn FROM accounts")
			for rows.Next() {
				t.Error("a row was handed out")
			}
			return errors.Join(err, rows.Err())
		},
		"a read of one row": func(ctx context.Context, q querier) error {
			return q.QueryRow(ctx, "SELECT ssn FROM accounts").Scan(new(string))
		},
		"a copy": func(ctx context.Context, q querier) error {
			_, err := q.CopyFrom(ctx, pgx.Identifier{"accounts"}, []string{"number", "ssn"}, pgx.CopyFromRows([][]any{{"b2", "900-12-3456"}}))
			return err
		},
		"a batch that writes": func(ctx context.Context, q querier) error {
			b := &pgx.Batch{}
			b.Queue(insertAccount, "b3", "900-12-3456")
			return q.SendBatch(ctx, b).Close()
		},
		"a batch that reads": func(ctx context.Context, q querier) error {
			b := &pgx.Batch{}
			b.Queue("SELECT ssn FROM accounts").QueryRow(func(r pgx.Row) error { return r.Scan(new(string)) })
			return q.SendBatch(ctx, b).Close()
		},
		"an update row by row": func(ctx context.Context, q querier) error {
			_, err := q.Exec(ctx, "UPDATE accounts SET ssn = $1 WHERE tenant = 1", "900-12-3456")
			return err
		},
		"a row whose key the server makes": func(ctx context.Context, q querier) error {
			return q.QueryRow(ctx, "INSERT INTO people (name, ssn) VALUES ('Ada', $1) RETURNING id", "900-12-3456").Scan(new(int64))
		},
	}
	for name, call := range calls {
		k.SetFault(region, sealtest.Fault{Hang: true})
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			_ = k.WaitInFlight(ctx, region, 1)
			cancel()
		}()
		began := time.Now()
		if err := call(ctx, pool); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		k.Heal()
		cancel()
		var n int
		if err := pool.QueryRow(context.Background(), "SELECT count(*) FROM accounts").Scan(&n); err != nil || n != 1 {
			t.Errorf("%s: %d rows, %v", name, n, err)
		}
	}
	if acquired := pool.Stat().AcquiredConns(); acquired != 0 {
		t.Errorf("%d connections were not given back", acquired)
	}
}
