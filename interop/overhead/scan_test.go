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
	"github.com/sealsql/sealsql/codec/compact"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// BenchmarkPostgresScan reads 100,000 rows with one protected column, in each format.
// What a scan may take is what the bare scan of equally wide values takes, and beside it
// what the codec takes to open the values on all cores, with nothing else to do.
func BenchmarkPostgresScan(b *testing.B) { benchmarkScan(b, testdb.Postgres) }

// BenchmarkMySQLScan is the same on MySQL or MariaDB.
func BenchmarkMySQLScan(b *testing.B) { benchmarkScan(b, testdb.MySQL) }

func benchmarkScan(b *testing.B, server on) {
	for _, format := range formats {
		b.Run(format, func(b *testing.B) { scanOf(b, newPair(b, server, format, scanRows), format) })
	}
}

func scanOf(b *testing.B, p *pair, format string) {
	open := newCodecOnly(b, p, format)
	all := []contender{
		{"bare", scanAll(p.bare, "plain", p.least)},
		{"sealsql", scanAll(p.sealed, "sealed", len(ssn))},
		{"sealsql, unprotected", scanAll(p.sealed, "plain", p.least)},
		{"codec", open},
	}
	const rounds = 9
	for b.Loop() {
		var allowed, allowedCPU, share, spent, unprotected ratios
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
			spent = append(spent, used[1].Seconds()/used[0].Seconds())
			unprotected = append(unprotected, t[2].Seconds()/t[0].Seconds())
		}
		b.ReportMetric(allowed.quartile(0.5), "sealsql/(bare+codec)")
		b.ReportMetric(share.quartile(0.5), "throughput/bare")
		b.Logf("%s: %d rows, milliseconds: bare %.0f, codec alone on %d cores %.0f, sealsql %.0f", format, scanRows,
			ratios(took[0]).quartile(0.5), runtime.GOMAXPROCS(0), ratios(took[3]).quartile(0.5), ratios(took[1]).quartile(0.5))
		b.Logf("time over bare + codec: %v, asked for at most 1.15", allowed)
		b.Logf("the same in processor time: %v", allowedCPU)
		b.Logf("throughput of sealsql:  %v of bare, processor time %v times bare", share, spent)
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

// newCodecOnly opens the table's values on all cores, from memory.
func newCodecOnly(b *testing.B, p *pair, format string) func() error {
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
	open := opener(b, keyring, format)
	rows, err := p.bare.Query("SELECT id, ssn FROM sealed")
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	values, contexts := make([][]byte, scanRows), make([]codec.Context, scanRows)
	for rows.Next() {
		var id int64
		var m []byte
		if err := rows.Scan(&id, &m); err != nil {
			b.Fatal(err)
		}
		values[id] = m
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
					if err := open(values[i], contexts[i]); err != nil {
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

// opener opens values of a format.
func opener(b *testing.B, keyring *branchkey.Keyring, format string) func([]byte, codec.Context) error {
	b.Helper()
	if format == "compact" {
		c, err := compact.New(compact.Config{Keys: keyring, Location: compact.Location{Table: "sealed", Column: "ssn"}})
		if err != nil {
			b.Fatal(err)
		}
		return func(value []byte, ec codec.Context) error {
			_, err := c.Open(context.Background(), nil, value, ec)
			return err
		}
	}
	c, err := codec.New(codec.Config{Keyring: keyring})
	if err != nil {
		b.Fatal(err)
	}
	return func(value []byte, ec codec.Context) error {
		m, err := codec.Parse(value)
		if err == nil {
			_, err = c.Decrypt(context.Background(), nil, m, ec)
		}
		return err
	}
}
