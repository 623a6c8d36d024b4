package mysql

import (
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan/plantest"
)

func shopPlanner() *Planner { return New(plantest.Rules(), plantest.Shop{MySQL: true}, Options{}) }

func FuzzPlan(f *testing.F) { plantest.Fuzz(f, shopPlanner(), "mysql") }

func BenchmarkPlan(b *testing.B) { plantest.Benchmark(b, shopPlanner(), "?") }
