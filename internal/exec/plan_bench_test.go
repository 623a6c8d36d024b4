package exec

import (
	"testing"

	"github.com/sealsql/sealsql/internal/exec/catalog"
	"github.com/sealsql/sealsql/internal/exec/plancache"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// BenchmarkPlanCached finds the plan of a text that was planned before, on the
// path that every statement takes: at most 300 ns, and no allocation.
func BenchmarkPlanCached(b *testing.B) {
	const protected, other = "SELECT ssn FROM accounts WHERE account_number = $1", "SELECT id FROM other WHERE id = $1"
	e := cachedEngine(protected, other)
	for name, text := range map[string]string{"protected": protected, "other": other} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var s Session
			for b.Loop() {
				if _, _, err := s.Plan(b.Context(), e, nil, nil, text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func cachedEngine(protected, other string) *Engine {
	e := &Engine{plans: plancache.New(10, 100000), config: Config{Catalog: &catalog.Catalog{}}}
	e.plans.Put(protected, &plancache.Entry{Plan: &sqlplan.Plan{Protected: true, Named: true, Route: sqlplan.Direct{}}})
	e.plans.Put(other, &plancache.Entry{Plan: &sqlplan.Plan{Route: sqlplan.Direct{}}})
	return e
}

func TestACachedPlanAllocatesNothing(t *testing.T) {
	e := cachedEngine("a", "b")
	var s Session
	for _, text := range []string{"a", "b"} {
		if n := testing.AllocsPerRun(100, func() { _, _, _ = s.Plan(t.Context(), e, nil, nil, text) }); n != 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
}
