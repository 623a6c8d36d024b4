package overhead

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/branchkey"
)

// BenchmarkPostgresScan reads 100,000 rows with one protected column. What it may
// take is what the bare scan of equally wide values takes, and beside it what the
// codec takes to open the messages on all cores, with nothing else to do.
func BenchmarkPostgresScan(b *testing.B) {
	p := newPair(b, scanRows)
	open := newCodecOnly(b, p)
	all := []contender{
		{"bare", scanAll(p.bare, "plain", 200)},
		{"sealsql", scanAll(p.sealed, "sealed", len(ssn))},
		{"sealsql, unprotected", scanAll(p.sealed, "plain", 200)},
		{"codec", open},
	}
	const rounds = 9
	for b.Loop() {
		var allowed, allowedCPU, share, unprotected ratios
		var took [4][]float64
		for round := range rounds {
			var t, used [4]time.Duration
			for i := range all {
				at := (i + round) % len(all)
				start, before := time.Now(), cpu()
				if err := all[at].do(); err != nil {
					b.Fatalf("%s: %v", all[at].name, err)
				}
				t[at], used[at] = time.Since(start), cpu()-before
				took[at] = append(took[at], t[at].Seconds()*1000)
			}
			allowed = append(allowed, t[1].Seconds()/(t[0]+t[3]).Seconds())
			allowedCPU = append(allowedCPU, used[1].Seconds()/(used[0]+used[3]).Seconds())
			share = append(share, t[0].Seconds()/t[1].Seconds())
			unprotected = append(unprotected, t[2].Seconds()/t[0].Seconds())
		}
		b.ReportMetric(allowed.quartile(0.5), "sealsql/(bare+codec)")
		b.Logf("%d rows, milliseconds: bare %.0f, codec alone on %d cores %.0f, sealsql %.0f", scanRows,
			ratios(took[0]).quartile(0.5), runtime.GOMAXPROCS(0), ratios(took[3]).quartile(0.5), ratios(took[1]).quartile(0.5))
		b.Logf("time over bare + codec: %v, asked for at most 1.15", allowed)
		b.Logf("the same in processor time: %v", allowedCPU)
		b.Logf("throughput of sealsql:  %v of bare", share)
		b.Logf("unprotected table:      %v times bare", unprotected)
	}
}

func scanAll(db *sql.DB, table string, least int) func() error {
	return func() error {
		rows, err := db.QueryContext(context.Background(), "SELECT id, ssn FROM "+table)
		if err != nil {
			return err
		}
		defer rows.Close()
		n := 0
		for ; rows.Next(); n++ {
			var id int64
			var v sql.RawBytes
			if err := rows.Scan(&id, &v); err != nil {
				return err
			}
			if len(v) < least {
				return fmt.Errorf("a value of %d bytes, want %d", len(v), least)
			}
		}
		if err := rows.Err(); err != nil || n != scanRows {
			return fmt.Errorf("%d rows, %w", n, err)
		}
		return nil
	}
}

// newCodecOnly opens the table's messages on all cores, from memory.
func newCodecOnly(b *testing.B, p *pair) func() error {
	b.Helper()
	cache, err := branchkey.NewCache(branchkey.CacheConfig{Keys: branchKeys(b, p.sealed), TTL: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(cache.Close)
	keyring, err := branchkey.New(cache, "shop")
	if err != nil {
		b.Fatal(err)
	}
	c, err := codec.New(codec.Config{Keyring: keyring})
	if err != nil {
		b.Fatal(err)
	}
	rows, err := p.bare.Query("SELECT id, ssn FROM sealed")
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	messages, contexts := make([][]byte, scanRows), make([]codec.Context, scanRows)
	for rows.Next() {
		var id int64
		var m []byte
		if err := rows.Scan(&id, &m); err != nil {
			b.Fatal(err)
		}
		messages[id] = m
		contexts[id] = codec.Context{"id": strconv.FormatInt(id, 10), "sealsql:table": "sealed", "sealsql:column": "ssn"}
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	cores := runtime.GOMAXPROCS(0)
	return func() error {
		var wg sync.WaitGroup
		errs := make([]error, cores)
		for core := range cores {
			wg.Go(func() {
				for i := core; i < scanRows; i += cores {
					m, err := codec.Parse(messages[i])
					if err == nil {
						_, err = c.Decrypt(context.Background(), nil, m, contexts[i])
					}
					if err != nil {
						errs[core] = err
						return
					}
				}
			})
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	}
}
