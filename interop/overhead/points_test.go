package overhead

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// together runs a call in several goroutines at once, as a program under load does.
func together(goroutines int, do func(i int) error) func() error {
	return func() error {
		var (
			wg   sync.WaitGroup
			errs = make([]error, goroutines)
		)
		for g := range goroutines {
			wg.Go(func() {
				for i := range 8 {
					if err := do(g*8 + i); err != nil {
						errs[g] = err
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

// report prints how much of the first one's throughput each has, and how much
// more processor time of this process it takes.
func report(b *testing.B, title string, all []contender, clock, used map[string]ratios) {
	for _, c := range all[1:] {
		share := make(ratios, 0, len(clock[c.name]))
		for _, r := range clock[c.name] {
			share = append(share, 1/r)
		}
		b.ReportMetric(share.quartile(0.5), c.name+"/"+all[0].name)
		b.Logf("%-44s throughput of %-18s %v of bare; processor time %v times bare", title, c.name, share, used[c.name])
	}
}

func BenchmarkPostgresPoints(b *testing.B) { benchmarkPoints(b, testdb.Postgres) }

func BenchmarkMySQLPoints(b *testing.B) { benchmarkPoints(b, testdb.MySQL) }

func benchmarkPoints(b *testing.B, server on) {
	for _, format := range formats {
		b.Run(format, func(b *testing.B) { pointsOf(b, newPair(b, server, format, points), format) })
	}
}

func pointsOf(b *testing.B, p *pair, format string) {
	ctx := context.Background()
	read := func(db *sql.DB, table string, want int) func(int) error {
		text := p.text("SELECT ssn FROM " + table + " WHERE id = ?")
		return func(i int) error {
			var v sql.RawBytes
			rows, err := db.QueryContext(ctx, text, int64(i*7%points))
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				if err := rows.Scan(&v); err != nil {
					return err
				}
				if len(v) < want {
					return fmt.Errorf("a value of %d bytes, want %d", len(v), want)
				}
			}
			return rows.Err()
		}
	}
	write := func(db *sql.DB, table string, value any) func(int) error {
		text := p.text("UPDATE " + table + " SET ssn = ? WHERE id = ?")
		return func(i int) error {
			_, err := db.ExecContext(ctx, text, value, int64(i*7%points))
			return err
		}
	}
	other := func(db *sql.DB) func(int) error {
		text := p.text("UPDATE plain SET name = ? WHERE id = ?")
		return func(i int) error {
			_, err := db.ExecContext(ctx, text, "another name", int64(i*7%points))
			return err
		}
	}
	unprotected := func(do func(*sql.DB) func(int) error) []point {
		return []point{{"bare", do(p.bare)}, {"sealsql", do(p.sealed)}, {"sqlmw", do(p.sqlmw)}, {"otelsql", do(p.otelsql)}}
	}
	plainRead := func(db *sql.DB) func(int) error { return read(db, "plain", p.least) }
	plainWrite := func(db *sql.DB) func(int) error { return write(db, "plain", p.wide) }
	sealed := point{"sealsql-protected", read(p.sealed, "sealed", len(ssn))}
	reads := []point{sealed}
	if format == "message" {
		reads = []point{{"sealsql-again", sealed.do}, {"sealsql-first", read(p.first, "sealed", len(ssn))}}
	}
	cases := []struct {
		name string
		all  []point
	}{
		{"unprotected read", unprotected(plainRead)},
		{"unprotected write", unprotected(other)},
		{"protected read", append(unprotected(plainRead), reads...)},
		{"protected write", append(unprotected(plainWrite), point{"sealsql-protected", write(p.sealed, "sealed", ssn)})},
	}
	for _, c := range cases {
		for _, goroutines := range []int{1, 8} {
			title := fmt.Sprintf("%s, %d at a time", c.name, goroutines)
			b.Run(title, func(b *testing.B) {
				var all []contender
				for _, p := range c.all {
					all = append(all, contender{p.name, together(goroutines, p.do)})
				}
				for b.Loop() {
					clock, used := compare(b, 41, 60/(1+goroutines/4), all)
					report(b, format+": "+title, all, clock, used)
				}
			})
		}
	}
}

// point is one way to read or write the i-th row.
type point struct {
	name string
	do   func(i int) error
}
