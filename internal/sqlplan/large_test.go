package sqlplan_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/sqlplan/mysql"
	"github.com/sealsql/sealsql/internal/sqlplan/plantest"
	"github.com/sealsql/sealsql/internal/sqlplan/postgres"
)

// large are statements that applications make by the thousand rows.
var large = []struct {
	name, before, row, sep, after string
	postgresOnly                  bool
}{
	{name: "parameters", before: "INSERT INTO accounts (account_number, name, ssn) VALUES ", row: "(?, ?, ?)", sep: ", "},
	{name: "literals", before: "INSERT INTO accounts (account_number, name, ssn) VALUES ", row: "('k%[1]d', 'n', 's%[1]d')", sep: ", "},
	{name: "an IN list", before: "SELECT ssn FROM accounts WHERE account_number IN (", row: "?", sep: ", ", after: ")"},
	{name: "an UPDATE by an IN list", before: "UPDATE accounts SET ssn = 'x' WHERE account_number IN (", row: "?", sep: ", ", after: ")"},
	{name: "CASE", before: "UPDATE accounts SET ssn = CASE account_number ", row: "WHEN ? THEN ?", sep: " ", after: " END WHERE name = 'x'"},
	{name: "UNION", row: "SELECT ssn, name FROM accounts", sep: " UNION ALL "},
	{name: "selected rows", before: "INSERT INTO accounts (account_number, ssn) ", row: "SELECT ?, ?", sep: " UNION ALL "},
	{name: "a join with VALUES", before: "UPDATE accounts a SET ssn = v.s FROM (VALUES ", row: "(?, ?)", sep: ", ", after: ") v (k, s) WHERE a.account_number = v.k", postgresOnly: true},
	{name: "many statements", row: "UPDATE accounts SET name = 's%[1]d' WHERE account_number = 'k'", sep: "; "},
}

func largeText(i, rows int, numbered bool) string {
	l, n := large[i], 0
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
		for numbered && strings.Contains(row, "?") {
			n++
			row = strings.Replace(row, "?", fmt.Sprintf("$%d", n), 1)
		}
		b.WriteString(row)
	}
	return b.String() + l.after
}

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
		for i, l := range large {
			if l.postgresOnly && dialect == "mysql" {
				continue
			}
			tried++
			allocated := func(rows int) uint64 {
				text := largeText(i, rows, dialect == "postgres")
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				if _, err := p.Plan(t.Context(), text); err != nil {
					t.Fatalf("%s, %s: %v", dialect, l.name, err)
				}
				runtime.ReadMemStats(&after)
				return after.TotalAlloc - before.TotalAlloc
			}
			allocated(few) // what is kept
			if one, all := allocated(few), allocated(times*few); all > one*times*2 {
				t.Errorf("%s, %s: %d bytes for %d rows, %d for %d", dialect, l.name, one, few, all, times*few)
			}
		}
	}
	if tried != 17 {
		t.Errorf("tried %d", tried)
	}
}

// TestPlanningEndsWithTheContext plans under a context that is done.
func TestPlanningEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for dialect, p := range shopPlanners() {
		for i, l := range large {
			if l.postgresOnly && dialect == "mysql" {
				continue
			}
			if _, err := p.Plan(ctx, largeText(i, 2000, dialect == "postgres")); !errors.Is(err, context.Canceled) {
				t.Errorf("%s, %s: %v", dialect, l.name, err)
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
