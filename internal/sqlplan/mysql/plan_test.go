package mysql

import (
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/sqlplan/plantest"
)

func shopPlanner() *Planner { return New(plantest.Rules(), plantest.Shop{MySQL: true}, Options{}) }

func FuzzPlan(f *testing.F) { plantest.Fuzz(f, shopPlanner(), "mysql") }

func BenchmarkPlan(b *testing.B) { plantest.Benchmark(b, shopPlanner(), "?") }

func parseShop(text string) (*sqlplan.Script, error) {
	return parse(text, modes{}, sqlplan.DefaultMaxDepth)
}

func TestPlansOfLargeTextsAreSmall(t *testing.T) {
	plantest.Small(t, shopPlanner(), parseShop, "mysql")
}

func TestLargeTextsEndWithTheirContext(t *testing.T) {
	plantest.EndsWithItsContext(t, shopPlanner(), "mysql")
}

func BenchmarkLarge(b *testing.B) { plantest.BenchmarkLarge(b, shopPlanner(), parseShop, "mysql") }
