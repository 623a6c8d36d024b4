package plantest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Parser translates a text, as the planner of the same dialect does.
type Parser func(text string) (*sqlplan.Script, error)

// Large is a kind of statement that applications make by the thousand rows.
type Large struct {
	Name               string
	before, row, after string
	sep                string
	only               string // the dialect, if there is only one
}

// Larges are the kinds of large statements.
var Larges = []Large{
	{Name: "parameters", before: "INSERT INTO accounts (account_number, name, ssn) VALUES ", row: "(?, ?, ?)", sep: ", "},
	{Name: "literals", before: "INSERT INTO accounts (account_number, name, ssn) VALUES ", row: "('k%[1]d', 'n', 's%[1]d')", sep: ", "},
	{Name: "upserts", before: "INSERT INTO accounts (account_number, ssn) VALUES ", row: "(?, ?)", sep: ", ", after: " ON CONFLICT (account_number) DO UPDATE SET ssn = EXCLUDED.ssn", only: "postgres"},
	{Name: "upserts", before: "INSERT INTO accounts (account_number, ssn) VALUES ", row: "(?, ?)", sep: ", ", after: " ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", only: "mysql"},
	{Name: "an IN list", before: "SELECT ssn FROM accounts WHERE account_number IN (", row: "?", sep: ", ", after: ")"},
	{Name: "an UPDATE by an IN list", before: "UPDATE accounts SET ssn = 'x' WHERE account_number IN (", row: "?", sep: ", ", after: ")"},
	{Name: "CASE", before: "UPDATE accounts SET ssn = CASE account_number ", row: "WHEN ? THEN ?", sep: " ", after: " END WHERE name = 'x'"},
	{Name: "UNION", row: "SELECT ssn, name FROM accounts", sep: " UNION ALL "},
	{Name: "selected rows", before: "INSERT INTO accounts (account_number, ssn) ", row: "SELECT ?, ?", sep: " UNION ALL "},
	{Name: "a join with VALUES", before: "UPDATE accounts a SET ssn = v.s FROM (VALUES ", row: "(?, ?)", sep: ", ", after: ") v (k, s) WHERE a.account_number = v.k", only: "postgres"},
	{Name: "many statements", row: "UPDATE accounts SET name = 's%[1]d' WHERE account_number = 'k'", sep: "; "},
}

// Kinds lists the kinds of large statements of a dialect.
func Kinds(dialect string) (list []Large) {
	for _, l := range Larges {
		if l.only == "" || l.only == dialect {
			list = append(list, l)
		}
	}
	return list
}

// Text is a statement of a number of rows.
func (l Large) Text(rows int, dialect string) string {
	n := 0
	var b strings.Builder
	b.WriteString(l.before)
	for r := range rows {
		if r > 0 {
			b.WriteString(l.sep)
		}
		row := l.row
		if strings.Contains(row, "%") {
			row = fmt.Sprintf(row, r)
		}
		for dialect == "postgres" && strings.Contains(row, "?") {
			n++
			row = strings.Replace(row, "?", fmt.Sprintf("$%d", n), 1)
		}
		b.WriteString(row)
	}
	return b.String() + l.after
}

// Cost is what one call costs, in bytes.
type Cost struct {
	Allocated, Kept int64
	Time            time.Duration
}

// Measure runs f and measures the memory that it allocates, and that its result keeps.
func Measure(f func() any) (c Cost) {
	var before, after, kept runtime.MemStats
	runtime.GC()
	runtime.GC() // pools keep their memory for one
	runtime.ReadMemStats(&before)
	start := time.Now()
	result := f()
	c.Time = time.Since(start)
	runtime.ReadMemStats(&after)
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&kept)
	runtime.KeepAlive(result)
	c.Allocated, c.Kept = int64(after.TotalAlloc-before.TotalAlloc), int64(kept.HeapAlloc)-int64(before.HeapAlloc)
	return c
}

// planCosts measures the parsing and the planning of a text. The parsing is a part of the
// planning.
func planCosts(tb testing.TB, p Planner, parse Parser, text string) (parsing, planning Cost, plan *sqlplan.Plan) {
	tb.Helper()
	var err error
	parsing = Measure(func() any { var s *sqlplan.Script; s, err = parse(text); return s })
	if err != nil {
		tb.Fatal(err)
	}
	planning = Measure(func() any { plan, err = p.Plan(context.Background(), text); return plan })
	if err != nil {
		tb.Fatal(err)
	}
	runtime.KeepAlive(text)
	return parsing, planning, plan
}

// Small wants plans that keep at most 20 times the memory of their text, know about how
// much they keep, and whose planning beside the parsing allocates at most twice what the
// parsing does.
func Small(t *testing.T, p Planner, parse Parser, dialect string) {
	const rows = 2000
	kinds := Kinds(dialect)
	for _, l := range kinds {
		text := l.Text(rows, dialect)
		parsing, planning, plan := planCosts(t, p, parse, text)
		if most := int64(20 * len(text)); planning.Kept > most {
			t.Errorf("%s: the plan keeps %d bytes, %d times its text", l.Name, planning.Kept, planning.Kept/int64(len(text)))
		}
		if planning.Allocated > 3*parsing.Allocated {
			t.Errorf("%s: planning allocates %d bytes, of which parsing %d", l.Name, planning.Allocated, parsing.Allocated)
		}
		if size := int64(plan.Size()); planning.Kept > size*3/2+16<<10 || size > planning.Kept*3/2+16<<10 {
			t.Errorf("%s: the plan keeps %d bytes and says %d", l.Name, planning.Kept, size)
		}
	}
	if len(kinds) < 9 {
		t.Errorf("%d kinds", len(kinds))
	}
}

// counted is a context that counts how often it is asked whether it is done, and is done
// at one of the questions.
type counted struct {
	context.Context
	asked atomic.Int64
	ends  int64 // at this question; 0 for never
}

func (c *counted) Err() error {
	if n := c.asked.Add(1); c.ends > 0 && n >= c.ends {
		return context.DeadlineExceeded
	}
	return nil
}

// EndsWithItsContext wants planning to look at its context often, and to end where the
// context does. It counts questions: a clock would say how busy the machine is.
func EndsWithItsContext(t *testing.T, p Planner, dialect string) {
	const rows = 2000
	kinds := Kinds(dialect)
	for _, l := range kinds {
		text := l.Text(rows, dialect)
		whole := &counted{Context: context.Background()}
		if _, err := p.Plan(whole, text); err != nil {
			t.Fatalf("%s: %v", l.Name, err)
		}
		all := whole.asked.Load()
		if all < rows/400 {
			t.Errorf("%s: planning looks at its context %d times for %d rows", l.Name, all, rows)
		}
		for _, ends := range []int64{1, all / 2, all} {
			ctx := &counted{Context: context.Background(), ends: max(1, ends)}
			if _, err := p.Plan(ctx, text); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: the context ends at question %d of %d: %v", l.Name, ends, all, err)
			}
			if more := ctx.asked.Load() - max(1, ends); more > 1 {
				t.Errorf("%s: planning goes on for %d questions after its context", l.Name, more)
			}
		}
	}
}

// BenchmarkLarge reports what planning takes beside its parsing, and what plans keep beside
// their texts, for 1 to 20,000 rows; and for the largest by how much a deadline of 100 ms
// is missed.
func BenchmarkLarge(b *testing.B, p Planner, parse Parser, dialect string) {
	for _, l := range Kinds(dialect) {
		for _, rows := range []int{1, 10, 100, 1000, 10000, 20000} {
			text := l.Text(rows, dialect)
			if len(text) > sqlplan.DefaultMaxText {
				continue
			}
			b.Run(fmt.Sprintf("%s/%d", l.Name, rows), func(b *testing.B) {
				var sum [2]Cost
				late, kept := time.Duration(0), 0
				for b.Loop() {
					parsing, planning, plan := planCosts(b, p, parse, text)
					kept = plan.Size()
					for i, c := range []Cost{parsing, planning} {
						sum[i].Allocated += c.Allocated
						sum[i].Time += c.Time
					}
					ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
					if start := time.Now(); rows == 20000 {
						_, _ = p.Plan(ctx, text)
						late = max(late, time.Since(start)-100*time.Millisecond)
					}
					cancel()
				}
				b.ReportMetric(float64(sum[1].Time)/float64(sum[0].Time), "times-parse")
				b.ReportMetric(float64(sum[1].Allocated)/float64(sum[0].Allocated), "alloc/parse")
				b.ReportMetric(float64(kept)/float64(len(text)), "kept/text")
				if rows == 20000 {
					b.ReportMetric(float64(late.Milliseconds()), "ms-late")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
