package sqlplan_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/sqlplan/mysql"
	"github.com/sealsql/sealsql/internal/sqlplan/plantest"
	"github.com/sealsql/sealsql/internal/sqlplan/postgres"
)

func shopPlanners() map[string]planner {
	return map[string]planner{
		"postgres": postgres.New(plantest.Rules(), plantest.Shop{}),
		"mysql":    mysql.New(plantest.Rules(), plantest.Shop{MySQL: true}, mysql.Options{}),
	}
}

// TestPlanningIsLinear compares what planning allocates for statements of which
// one is eight times the other.
func TestPlanningIsLinear(t *testing.T) {
	const few, times = 400, 8
	tried := 0
	for dialect, p := range shopPlanners() {
		for _, l := range plantest.Kinds(dialect) {
			tried++
			allocated := func(rows int) int64 {
				text := l.Text(rows, dialect)
				return plantest.Measure(func() any {
					plan, err := p.Plan(t.Context(), text)
					if err != nil {
						t.Fatalf("%s, %s: %v", dialect, l.Name, err)
					}
					return plan
				}).Allocated
			}
			allocated(few) // what is kept
			if one, all := allocated(few), allocated(times*few); all > one*times*2 {
				t.Errorf("%s, %s: %d bytes for %d rows, %d for %d", dialect, l.Name, one, few, all, times*few)
			}
		}
	}
	if tried != 19 {
		t.Errorf("tried %d", tried)
	}
}

// TestPlanningEndsWithTheContext plans under a context that is done.
func TestPlanningEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for dialect, p := range shopPlanners() {
		for _, l := range plantest.Kinds(dialect) {
			if _, err := p.Plan(ctx, l.Text(2000, dialect)); !errors.Is(err, context.Canceled) {
				t.Errorf("%s, %s: %v", dialect, l.Name, err)
			}
		}
	}
}

// TestDoublingStars wants a refusal before the columns of CTEs that double fill
// the memory.
func TestDoublingStars(t *testing.T) {
	text := "WITH a0 AS (SELECT * FROM accounts)"
	for i := range 40 {
		text += fmt.Sprintf(", a%d AS (SELECT * FROM a%d x, a%d y)", i+1, i, i)
	}
	for dialect, p := range shopPlanners() {
		_, err := p.Plan(t.Context(), text+" SELECT * FROM a40")
		if _, ok := errors.AsType[*sqlplan.Refusal](err); !ok {
			t.Errorf("%s: %v", dialect, err)
		}
	}
}
