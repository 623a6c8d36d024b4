package integration

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/corpus"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// fuzzSearchDir holds the tables of the random statements that search.
const fuzzSearchDir = "testdata/fuzzsearch"

// refusedShare is how many of a hundred random searches may be refused: the generator
// knows few forms that are, and a planner that refused what it could plan would pass
// without it.
const refusedShare = 50

// maxDifferences is how many differences one run reports.
const maxDifferences = 12

// unfit are the errors of values that are not sent: of a NULL that a row key, or a term of
// its own for each of the column's values, depends on.
var unfit = regexp.MustCompile(`which the value is bound to, cannot be used: it is NULL`)

// untyped are Postgres's errors of parameters whose types it cannot tell; the planner
// gives each term its type.
var untyped = []string{"SQLSTATE 42804", "SQLSTATE 42P08", "SQLSTATE 42P18"}

// TestFuzzSearch sends random statements that search protected columns through sealsql,
// and bare to a twin whose collations the normalisers stand for: the results and the rows
// afterwards are equal, or the statement is refused.
func TestFuzzSearch(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, fuzzSearchDir)
			ways := modes(server.Name)
			counts, reasons, differences := map[string]int{}, map[string]int{}, 0
			n, seed := 0, *fuzzSeed
			for until := time.Now().Add(*fuzzTime); (time.Now().Before(until) || n < leastStatements) && differences < maxDifferences; seed++ {
				g := &searches{Rand: rand.New(rand.NewPCG(seed, 17)), mysql: server.Name == "mysql"}
				c := &corpus.Case{Name: fmt.Sprint("seed ", seed)}
				c.Text, c.Args = g.statement()
				m := ways[g.IntN(len(ways))]
				if m.name == "exec" { // of SELECTs hangs with go-sql-driver v1.10
					m = ways[0]
				}
				n++
				outcome, reason := w.search(c, m)
				if counts[outcome]++; outcome == "different" {
					differences++
				}
				if reason != "" {
					reasons[reason]++
				}
			}
			t.Logf("seeds %d to %d: %d statements: %v", *fuzzSeed, seed-1, n, counts)
			for _, r := range slices.SortedFunc(maps.Keys(reasons), func(a, b string) int { return cmp.Compare(reasons[b], reasons[a]) }) {
				t.Logf("%5d %s", reasons[r], r)
			}
			share := 100 * counts["refused"] / max(n, 1)
			t.Logf("%d%% are refused", share)
			if late := counts["timed out"]; late > 1+n/100 {
				t.Errorf("%d of %d statements timed out", late, n)
			}
			if share > refusedShare || counts["same"] == 0 {
				t.Errorf("%d of %d statements were refused, and %d answered", counts["refused"], n, counts["same"])
			}
		})
	}
}

// search compares one statement. It returns how it went, and why it was refused or failed
// on both sides.
func (w *world) search(c *corpus.Case, m mode) (outcome, reason string) {
	dbs := w.pair(m.param)
	w.watch(c.Text + args(c))
	leaks := len(w.proxy.Leaks())
	got := w.run(dbs[0], c, m)
	different := func(format string, what ...any) (string, string) {
		w.t.Errorf("%s, %s: %s [%s]\n%s", c.Name, m.name, c.Text, args(c), fmt.Sprintf(format, what...))
		if !reads(c.Text) {
			w.restore()
		}
		return "different", ""
	}
	if len(w.proxy.Leaks()) > leaks {
		return different("LEAK")
	}
	if refused, ok := errors.AsType[*driver.RefusedError](got.err); ok {
		return "refused", refused.What
	}
	if errors.Is(got.err, driver.ErrValue) && unfit.MatchString(got.err.Error()) {
		return "refused", "a value that a term or a row key cannot be made for"
	}
	if errors.Is(got.err, driver.ErrTableChanged) && w.server.Name == "mysql" && strings.Contains(c.Text, "ON DUPLICATE KEY UPDATE") {
		w.restore() // it was undone
		return "refused", "an upsert that sets the key by which its row is found to another value"
	}
	want := w.run(dbs[1], c, m)
	slices.Sort(got.rows)
	slices.Sort(want.rows)
	switch {
	case errors.Is(got.err, context.DeadlineExceeded) || errors.Is(want.err, context.DeadlineExceeded): // the machine is busy
		w.restore()
		return "timed out", ""
	case got.err == nil && slices.Contains(untyped, class(want.err)): // terms have one type
		w.restore()
		return "failed bare alone", class(want.err)
	case class(got.err) != class(want.err):
		return different(" got: %v\nwant: %v", got.err, want.err)
	case got.err == nil && !slices.Equal(got.columns, want.columns):
		return different(" got: %v\nwant: %v", got.columns, want.columns)
	case !slices.Equal(got.rows, want.rows):
		return different(" got: %s\nwant: %s", strings.Join(got.rows, " ; "), strings.Join(want.rows, " ; "))
	}
	if !reads(c.Text) {
		got, want := w.state(w.pair("")[0], c), w.state(w.pair("")[1], c)
		if !slices.Equal(got, want) {
			return different("the tables differ\n got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		w.restore()
	}
	if got.err != nil {
		return "failed on both", class(got.err)
	}
	return "same", ""
}
