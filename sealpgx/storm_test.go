package sealpgx_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sealsql/sealsql/sealpgx"
	"github.com/sealsql/sealsql/sealtest"
)

// storm is many goroutines that write values which name their rows, and read those of all,
// while connections break, contexts end, the pool is reset and the key service is slow.
type storm struct {
	*testing.T
	site *site
	pool *sealpgx.Pool
	kms  *sealtest.KMS

	calls, failed, rows atomic.Int64
}

// sailor is a goroutine's turn: it writes value to the row mine, and reads the row other.
type sailor struct{ mine, other, value string }

const (
	readAll = "SELECT number, ssn FROM accounts"
	readOne = readAll + " WHERE number = $1"
	setOne  = "UPDATE accounts SET ssn = $1 WHERE number = $2"
)

func TestNoValueGoesAstrayInAStorm(t *testing.T) {
	rounds := 8
	if many := os.Getenv("SEALPGX_STORM_ROUNDS"); many != "" {
		var err error
		if rounds, err = strconv.Atoi(many); err != nil {
			t.Fatal(err)
		}
	}
	for _, way := range []string{branchCompact, branchMessages, perValue} {
		t.Run(way, func(t *testing.T) {
			s := &storm{T: t, site: newSite(t, "")}
			s.site.watch(t, "900-00-")
			s.pool, s.kms = s.site.kmsPool(t, way, 10)
			s.run(rounds)
			t.Logf("%d calls, of which %d failed, and %d rows", s.calls.Load(), s.failed.Load(), s.rows.Load())
			if s.rows.Load() == 0 || s.calls.Load() != int64(sailors*rounds) {
				t.Error("the storm did not blow")
			}
			s.site.pool = s.pool
			s.site.givenBack(t)
		})
	}
}

// sailors is how many goroutines there are.
const sailors = 64

func (s *storm) run(rounds int) {
	var wg sync.WaitGroup
	for g := range sailors {
		wg.Go(func() {
			for round := range rounds {
				mine := fmt.Sprintf("g%d", g)
				s.turn(sailor{mine, fmt.Sprintf("g%d", rand.IntN(sailors)), fmt.Sprintf("900-00-%s-%d", mine, round)})
				if g == 0 && round%2 == 0 {
					s.disturb()
				}
			}
		})
	}
	wg.Wait()
	s.kms.Heal()
}

// turn carries out some call, in a third of the cases under a short deadline.
func (s *storm) turn(w sailor) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if rand.IntN(3) == 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(20000))*time.Microsecond)
		defer cancel()
	}
	calls := []func(context.Context, sailor) error{s.upsert, s.upsert, s.readOne, s.readAll, s.batch, s.transaction, s.serverKey, s.prepared, s.copy, s.rowByRow}
	s.calls.Add(1)
	if err := calls[rand.IntN(len(calls))](ctx, w); err != nil {
		s.failed.Add(1)
		if strings.Contains(err.Error(), "900-00") {
			s.Errorf("an error quotes a value: %v", err)
		}
	}
}

// disturb disturbs everybody.
func (s *storm) disturb() {
	switch rand.IntN(4) {
	case 0:
		s.pool.Reset()
	case 1:
		_, _ = s.site.bare.Exec(context.Background(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.3")
	case 2:
		s.kms.SetFault("us-east-1", sealtest.Fault{Latency: 3 * time.Millisecond})
	case 3:
		s.kms.Heal()
	}
}

// check reads at most so many rows, each of which must show its own value.
func (s *storm) check(rows pgx.Rows, most int) error {
	defer rows.Close()
	for n := 0; n < most && rows.Next(); n++ {
		var number string
		var v *string
		if err := rows.Scan(&number, &v); err != nil {
			return err
		}
		s.rows.Add(1)
		if v == nil {
			continue
		}
		if raw := string(rows.RawValues()[1]); !strings.HasPrefix(*v, "900-00-"+number+"-") || raw != *v {
			s.Errorf("row %s shows %s, raw %s", number, *v, raw)
		}
	}
	rows.Close()
	return rows.Err()
}

func (s *storm) query(ctx context.Context, q querier, most int, text string, args ...any) error {
	rows, _ := q.Query(ctx, text, args...) // the rows have the error
	return s.check(rows, most)
}

func (s *storm) upsert(ctx context.Context, w sailor) error {
	_, err := s.pool.Exec(ctx, insertAccount+" ON CONFLICT (number) DO UPDATE SET ssn = EXCLUDED.ssn", w.mine, w.value)
	return err
}

func (s *storm) readOne(ctx context.Context, w sailor) error {
	return s.query(ctx, s.pool, 9, readOne, w.other)
}

func (s *storm) readAll(ctx context.Context, _ sailor) error {
	return s.query(ctx, s.pool, rand.IntN(80), readAll)
}

func (s *storm) batch(ctx context.Context, w sailor) error {
	b := &pgx.Batch{}
	for range 4 {
		b.Queue(readAll+" WHERE number <= $1", w.other).Query(func(rows pgx.Rows) error { return s.check(rows, rand.IntN(10)) })
	}
	b.Queue(setOne, w.value, w.mine).Exec(func(pgconn.CommandTag) error { return nil })
	return s.pool.SendBatch(ctx, b).Close()
}

func (s *storm) transaction(ctx context.Context, w sailor) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, setOne, w.value, w.mine); err != nil {
			return err
		}
		err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, setOne+" AND 1 / $3::int > 0", w.value, w.mine, rand.IntN(2))
			return err
		})
		return errors.Join(err, s.query(ctx, tx, 9, readOne, w.other))
	})
}

func (s *storm) serverKey(ctx context.Context, w sailor) error {
	var id int64
	var got, again string
	if err := s.pool.QueryRow(ctx, "INSERT INTO people (name, ssn) VALUES ($1, $2) RETURNING id, ssn", fmt.Sprint("n", rand.Int64()), w.value).Scan(&id, &got); err != nil {
		return err
	}
	if err := s.pool.QueryRow(ctx, "SELECT ssn FROM people WHERE id = $1", id).Scan(&again); err != nil {
		return err
	}
	if got != w.value || again != w.value {
		s.Errorf("%s is returned as %s and read as %s", w.value, got, again)
	}
	return nil
}

func (s *storm) prepared(ctx context.Context, w sailor) error {
	return s.pool.AcquireFunc(ctx, func(c *sealpgx.PoolConn) error {
		if _, err := c.Prepare(ctx, "get", readOne); err != nil {
			return err
		}
		err := s.query(ctx, c, 9, "get", w.other)
		if rand.IntN(8) == 0 {
			return errors.Join(err, c.Hijack().Close(ctx))
		}
		return err
	})
}

func (s *storm) copy(ctx context.Context, w sailor) error {
	prefix := fmt.Sprintf("%s-%d-", w.mine, rand.IntN(1000000))
	rows := pgx.CopyFromSlice(20, func(i int) ([]any, error) {
		number := fmt.Sprint(prefix, i)
		return []any{number, "900-00-" + number + "-0"}, nil
	})
	if _, err := s.pool.CopyFrom(ctx, pgx.Identifier{"accounts"}, []string{"number", "ssn"}, rows); err != nil {
		return err
	}
	_, err := s.pool.Exec(ctx, "DELETE FROM accounts WHERE number LIKE $1", prefix+"%")
	return err
}

func (s *storm) rowByRow(ctx context.Context, w sailor) error {
	_, err := s.pool.Exec(ctx, "UPDATE accounts SET tenant = tenant + 1, ssn = $1 WHERE number >= $2 AND number <= $2", w.value, w.mine)
	return err
}
