package overhead

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/sealpgx"
)

// pools are a pair's database without database/sql.
type pools struct {
	*pair
	bare   *pgxpool.Pool
	sealed *sealpgx.Pool
}

func newPools(b testing.TB, p *pair) *pools {
	b.Helper()
	ctx := context.Background()
	server := testdb.Postgres(b)
	var name string
	if err := p.bare.QueryRow("SELECT current_database()").Scan(&name); err != nil {
		b.Fatal(err)
	}
	_, dsn := server.DSN(server.Addr(), name)
	config, err := pgxpool.ParseConfig(dsn + "&pool_max_conns=16")
	if err != nil {
		b.Fatal(err)
	}
	connector, err := driver.Of(p.sealed)
	if err != nil {
		b.Fatal(err)
	}
	out := &pools{pair: p}
	if out.bare, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(out.bare.Close)
	if out.sealed, err = sealpgx.NewPoolWith(ctx, config, connector); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(out.sealed.Close)
	return out
}

// querier is a pool, bare or sealed.
type querier interface {
	Query(context.Context, string, ...any) (pgx.Rows, error)
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
}

// read reads one row.
func (p *pools) read(q querier, table string, want int) func(int) error {
	ctx, text := context.Background(), "SELECT ssn FROM "+table+" WHERE id = $1"
	return func(i int) error {
		rows, err := q.Query(ctx, text, int64(i*7%points))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if n := len(rows.RawValues()[0]); n < want {
				return fmt.Errorf("a value of %d bytes, want %d", n, want)
			}
		}
		return rows.Err()
	}
}

// BenchmarkPgxPoints reads rows by their keys without database/sql, and beside it with it.
func BenchmarkPgxPoints(b *testing.B) {
	for _, format := range formats {
		p := newPools(b, newPair(b, testdb.Postgres, format, points))
		stdlib := func(db *sql.DB, table string) func(int) error {
			return func(i int) error {
				var v sql.RawBytes
				rows, err := db.Query("SELECT ssn FROM "+table+" WHERE id = $1", int64(i*7%points))
				if err != nil {
					return err
				}
				defer rows.Close()
				for rows.Next() {
					if err := rows.Scan(&v); err != nil {
						return err
					}
				}
				return rows.Err()
			}
		}
		for _, goroutines := range []int{1, 8} {
			title := fmt.Sprintf("%s, %d at a time", format, goroutines)
			all := []contender{
				{"bare-pgxpool", together(goroutines, p.read(p.bare, "plain", p.least))},
				{"sealpgx-unprotected", together(goroutines, p.read(p.sealed, "plain", p.least))},
				{"sealpgx-protected", together(goroutines, p.read(p.sealed, "sealed", len(ssn)))},
				{"bare-stdlib", together(goroutines, stdlib(p.pair.bare, "plain"))},
				{"sealsql-protected", together(goroutines, stdlib(p.pair.sealed, "sealed"))},
			}
			b.Run(title, func(b *testing.B) {
				for b.Loop() {
					clock, used := compare(b, 41, 60/(1+goroutines/4), all)
					report(b, title, all[:3], clock, used)
					stdlib := make(ratios, len(used["bare-stdlib"]))
					beside := make(ratios, len(stdlib))
					for i, bare := range used["bare-stdlib"] {
						stdlib[i] = used["sealsql-protected"][i] / bare
						beside[i] = used["sealpgx-protected"][i] / stdlib[i]
					}
					b.Logf("%-44s processor time of sealsql-protected %v times bare-stdlib; sealpgx-protected takes %v times its share", title, stdlib, beside)
				}
			})
		}
	}
}

// BenchmarkPgxAllocations counts the objects that a read takes. An unprotected one may
// take two more.
func BenchmarkPgxAllocations(b *testing.B) {
	p := newPools(b, newPair(b, testdb.Postgres, "compact", points))
	count := func(name string, do func(int) error) float64 {
		n := allocations(b, contender{name, func() error { return do(1) }})
		b.Logf("%-20s %.0f allocations", name, n)
		return n
	}
	bare := count("bare pgxpool", p.read(p.bare, "plain", p.least))
	if plain := count("unprotected", p.read(p.sealed, "plain", p.least)); plain > bare+2 {
		b.Errorf("an unprotected read takes %.0f allocations more", plain-bare)
	}
	count("protected", p.read(p.sealed, "sealed", len(ssn)))
}

// copied is how many rows are copied.
const copied = 100_000

// BenchmarkPgxCopy copies rows, and inserts them by a prepared statement in one transaction.
func BenchmarkPgxCopy(b *testing.B) {
	for _, format := range formats {
		b.Run(format, func(b *testing.B) { benchmarkCopy(b, newPools(b, newPair(b, testdb.Postgres, format, 1))) })
	}
}

func benchmarkCopy(b *testing.B, p *pools) {
	ctx := context.Background()
	if _, err := p.bare.Exec(ctx, "CREATE TABLE copied (id bigint PRIMARY KEY, name varchar(100), ssn bytea)"); err != nil {
		b.Fatal(err)
	}
	columns := []string{"id", "name", "ssn"}
	source := func(value any) pgx.CopyFromSource {
		return pgx.CopyFromSlice(copied, func(i int) ([]any, error) { return []any{int64(i), "a name", value}, nil })
	}
	for b.Loop() {
		bare, _, _ := p.timed(b, func() (int64, error) { return p.bare.CopyFrom(ctx, pgx.Identifier{"copied"}, columns, source(p.wide)) })
		sealed, used, heap := p.timed(b, func() (int64, error) { return p.sealed.CopyFrom(ctx, pgx.Identifier{"sealed"}, columns, source(ssn)) })
		inserts, worked, _ := p.timed(b, p.insertPrepared)
		b.ReportMetric(inserts.Seconds()/sealed.Seconds(), "inserts/copy")
		b.Logf("%d rows: COPY bare %v, sealed %v (the heap grew by %d KiB), prepared inserts %v: %.1f times as long, and %.1f times the processor time of %v",
			copied, bare, sealed, heap>>10, inserts, inserts.Seconds()/sealed.Seconds(), worked.Seconds()/used.Seconds(), used)
	}
}

// timed has the rows written to empty tables, and returns the time, this process's
// processor time, and the memory that the heap took more from the system.
func (p *pools) timed(b *testing.B, write func() (int64, error)) (took, used time.Duration, heap int64) {
	b.Helper()
	if _, err := p.bare.Exec(context.Background(), "TRUNCATE sealed, copied"); err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began, worked := time.Now(), cpu()
	if n, err := write(); err != nil || n != copied {
		b.Fatal(n, err)
	}
	took, used = time.Since(began), cpu()-worked
	runtime.ReadMemStats(&after)
	return took, used, int64(after.HeapSys) - int64(before.HeapSys)
}

// insertPrepared inserts the rows one by one.
func (p *pools) insertPrepared() (n int64, err error) {
	ctx := context.Background()
	err = pgx.BeginFunc(ctx, p.sealed, func(tx pgx.Tx) error {
		if _, err := tx.Prepare(ctx, "put", "INSERT INTO sealed (id, name, ssn) VALUES ($1, $2, $3)"); err != nil {
			return err
		}
		for i := range copied {
			tag, err := tx.Exec(ctx, "put", int64(i), "a name", ssn)
			if err != nil {
				return err
			}
			n += tag.RowsAffected()
		}
		return nil
	})
	return n, err
}
