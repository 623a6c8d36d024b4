package driver

import (
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// BenchmarkPlanCached finds the plan of a text that was planned before, on the
// path that every statement takes: at most 300 ns, and no allocation.
func BenchmarkPlanCached(b *testing.B) {
	const protected, other = "SELECT ssn FROM accounts WHERE account_number = $1", "SELECT id FROM other WHERE id = $1"
	c := cachedConn(protected, other)
	for name, text := range map[string]string{"protected": protected, "other": other} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := c.plan(b.Context(), text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func cachedConn(protected, other string) *conn {
	e := &engine{plans: newPlanCache(10, 100000), catalog: &catalog{}}
	e.plans.put(protected, &sqlplan.Plan{Protected: true, Named: true, Route: sqlplan.Direct{}}, nil)
	e.plans.put(other, &sqlplan.Plan{Route: sqlplan.Direct{}}, nil)
	c := &conn{ctor: &Connector{}}
	c.ctor.engine.Store(e)
	return c
}

func TestACachedPlanAllocatesNothing(t *testing.T) {
	c := cachedConn("a", "b")
	for _, text := range []string{"a", "b"} {
		if n := testing.AllocsPerRun(100, func() { _, _, _ = c.plan(t.Context(), text) }); n != 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
}
