package sealpgx_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealpgx"
	"github.com/sealsql/sealsql/sealtest"
)

const kmsPolicy = `
version: 1
keyrings:
  pii:
    kms: {keys: ["%s"]}
    %s
tables:
  accounts:
    row_key: [number]
    columns:
      ssn: {keyring: pii, type: string}
  people:
    row_key: [id]
    columns:
      ssn: {keyring: pii, type: string}
`

func kmsPool(t *testing.T, s *site, how string, maxConns int) (*sealpgx.Pool, *sealtest.KMS) {
	k := sealtest.NewKMS()
	t.Cleanup(k.Close)
	arn := k.CreateKey("us-east-1")
	keyring := ""
	switch how {
	case "compact", "message":
		keyring = fmt.Sprintf("format: %s\n    data_key: {per: branch, store: \"file:%s\", ttl: 15m, branch_key: shop}", how, filepath.Join(t.TempDir(), "keys.json"))
	}
	p, err := policy.Parse("test", []byte(fmt.Sprintf(kmsPolicy, arn, keyring)))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := sealpgx.NewPool(context.Background(), s.config(t, s.proxy.Addr(), 0, fmt.Sprintf("&pool_max_conns=%d", maxConns)), driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if keyring != "" {
		keys, err := pool.Connector().BranchKeys("pii")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Create(context.Background(), "shop", nil); err != nil {
			t.Fatal(err)
		}
	}
	return pool, k
}

func TestStorm(t *testing.T) {
	seconds := 1
	if v := os.Getenv("SEALPGX_STORM_SECONDS"); v != "" {
		var err error
		if seconds, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	for _, how := range []string{"compact", "message", "value"} {
		t.Run(how, func(t *testing.T) {
			s := newSite(t, "")
			s.watch(t, "900-00-")
			pool, k := kmsPool(t, s, how, 10)
			ctx := context.Background()
			var ops, failures, checked atomic.Int64
			end := time.Now().Add(time.Duration(seconds) * time.Second)
			own := func(number string, v *string) bool {
				return v == nil || strings.HasPrefix(*v, "900-00-"+number+"-")
			}
			check := func(rows pgx.Rows, limit int) error {
				n := 0
				for rows.Next() {
					var number string
					var v *string
					if err := rows.Scan(&number, &v); err != nil {
						return err
					}
					if !own(number, v) {
						t.Errorf("row %s shows %s", number, *v)
					}
					if raw := rows.RawValues(); v != nil && string(raw[1]) != *v {
						t.Errorf("raw %q of %q", raw[1], *v)
					}
					checked.Add(1)
					if n++; n == limit {
						break
					}
				}
				rows.Close()
				return rows.Err()
			}
			var wg sync.WaitGroup
			for g := range 64 {
				wg.Go(func() {
					for round := 0; time.Now().Before(end); round++ {
						number := fmt.Sprintf("g%d", rand.IntN(64))
						mine := fmt.Sprintf("g%d", g)
						value := fmt.Sprintf("900-00-%s-%d", mine, round)
						ctx, cancel := ctx, context.CancelFunc(func() {})
						if rand.IntN(3) == 0 {
							ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(20000))*time.Microsecond)
						}
						var err error
						switch op := rand.IntN(12); op {
						case 0, 1:
							_, err = pool.Exec(ctx, "INSERT INTO accounts (number, ssn) VALUES ($1, $2) ON CONFLICT (number) DO UPDATE SET ssn = EXCLUDED.ssn", mine, value)
						case 2:
							rows, _ := pool.Query(ctx, "SELECT number, ssn FROM accounts WHERE number = $1", number)
							err = check(rows, -1)
						case 3:
							rows, _ := pool.Query(ctx, "SELECT number, ssn FROM accounts")
							err = check(rows, -1)
						case 4:
							rows, _ := pool.Query(ctx, "SELECT number, ssn FROM accounts")
							err = check(rows, 1+rand.IntN(8))
						case 5:
							b := &pgx.Batch{}
							for range 4 {
								b.Queue("SELECT number, ssn FROM accounts WHERE number <= $1", number).Query(func(rows pgx.Rows) error { return check(rows, rand.IntN(10)) })
							}
							b.Queue("UPDATE accounts SET ssn = $1 WHERE number = $2", value, mine).Exec(func(pgconn.CommandTag) error { return nil })
							err = pool.SendBatch(ctx, b).Close()
						case 6:
							err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
								if _, err := tx.Exec(ctx, "UPDATE accounts SET ssn = $1 WHERE number = $2", value, mine); err != nil {
									return err
								}
								err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
									_, err := tx.Exec(ctx, "UPDATE accounts SET ssn = $1 WHERE number = $2 AND 1 / $3::int > 0", value, mine, rand.IntN(2))
									return err
								})
								rows, _ := tx.Query(ctx, "SELECT number, ssn FROM accounts WHERE number = $1", number)
								return errors.Join(err, check(rows, -1))
							})
						case 7:
							var id int64
							var v string
							name := fmt.Sprint("n", rand.Int64())
							err = pool.QueryRow(ctx, "INSERT INTO people (name, ssn) VALUES ($1, $2) RETURNING id, ssn", name, value).Scan(&id, &v)
							if err == nil && v != value {
								t.Errorf("%s for %s", v, value)
							}
							if err == nil {
								err = pool.QueryRow(ctx, "SELECT ssn FROM people WHERE id = $1", id).Scan(&v)
								if err == nil && v != value {
									t.Errorf("%s for %s", v, value)
								}
							}
						case 8:
							err = pool.AcquireFunc(ctx, func(c *sealpgx.PoolConn) error {
								if _, err := c.Prepare(ctx, "get", "SELECT number, ssn FROM accounts WHERE number = $1"); err != nil {
									return err
								}
								rows, _ := c.Query(ctx, "get", number)
								err := check(rows, -1)
								if rand.IntN(8) == 0 {
									_ = c.Hijack().Conn().Close(ctx)
								}
								return err
							})
						case 9:
							var rows [][]any
							for i := range 20 {
								n := fmt.Sprintf("c%d-%d-%d", g, round, i)
								rows = append(rows, []any{n, "900-00-" + n + "-0"})
							}
							_, err = pool.CopyFrom(ctx, pgx.Identifier{"accounts"}, []string{"number", "ssn"}, pgx.CopyFromRows(rows))
							if err == nil {
								_, err = pool.Exec(ctx, "DELETE FROM accounts WHERE number LIKE $1", fmt.Sprintf("c%d-%d-%%", g, round))
							}
						case 10:
							var all []map[string]any
							rows, _ := pool.Query(ctx, "SELECT number, ssn FROM accounts LIMIT 5")
							all, err = pgx.CollectRows(rows, pgx.RowToMap)
							for _, m := range all {
								if v, ok := m["ssn"].(string); ok && !own(m["number"].(string), &v) {
									t.Errorf("row %v shows %v", m["number"], v)
								}
							}
						case 11:
							_, err = pool.Exec(ctx, "UPDATE accounts SET tenant = tenant + 1, ssn = $1 WHERE number = $2 AND tenant > 0 AND number IS NOT NULL", value, mine)
						}
						cancel()
						ops.Add(1)
						if err != nil {
							failures.Add(1)
							if strings.Contains(err.Error(), "900-00") {
								t.Errorf("an error quotes: %v", err)
							}
							if !strings.Contains(err.Error(), "context") && !strings.Contains(err.Error(), "57P01") && !strings.Contains(err.Error(), "22012") && !strings.Contains(err.Error(), "conn closed") && !strings.Contains(err.Error(), "EOF") && !strings.Contains(err.Error(), "40P01") && !strings.Contains(err.Error(), "reset by peer") && !strings.Contains(err.Error(), "timeout") && !strings.Contains(err.Error(), "broken pipe") && !strings.Contains(err.Error(), "commit unexpectedly") {
								t.Logf("%v", err)
							}
						}
						if g == 0 && round%10 == 0 {
							switch rand.IntN(4) {
							case 0:
								pool.Reset()
							case 1:
								_, _ = s.bare.Exec(context.Background(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.3")
							case 2:
								k.SetFault("us-east-1", sealtest.Fault{Latency: 3 * time.Millisecond})
							case 3:
								k.Heal()
							}
						}
					}
				})
			}
			wg.Wait()
			k.Heal()
			t.Logf("%d operations, %d failed, %d rows checked", ops.Load(), failures.Load(), checked.Load())
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			for range pool.Config().MaxConns {
				c, err := pool.Acquire(ctx)
				if err != nil {
					t.Fatalf("a connection was not given back: %v", err)
				}
				defer c.Release()
			}
		})
	}
}
