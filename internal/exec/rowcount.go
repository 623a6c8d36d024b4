package exec

import (
	"cmp"
	sqldriver "database/sql/driver"
	"slices"
	"strings"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// rowCount is what ROW_COUNT() gives next. The server counts for the last text that it was
// sent, which is not the user's where a statement takes several.
type rowCount struct {
	known bool
	rows  int64
}

// resultSet is what ROW_COUNT() gives after a statement that returned rows, or failed.
const resultSet = -1

// Wrote takes note of what a plan that was carried out in steps ended in.
func (s *Session) Wrote(plan *sqlplan.Plan, res sqldriver.Result, err error) {
	s.counted = rowCount{known: true, rows: resultSet}
	k, ok := plan.Route.(*sqlplan.ServerKey)
	if err == nil && res != nil && !(ok && k.Returning) {
		if n, err := res.RowsAffected(); err == nil {
			s.counted.rows = n
		}
	}
}

// Uncounted takes note that the server counts for the user's own text again.
func (s *Session) Uncounted() { s.counted = rowCount{} }

// Recount returns the text to plan and send in the place of the user's, which asks for
// the number of rows that its last statement wrote, and how to name the columns of the
// result. name is nil where the text is the user's.
func (s *Session) Recount(srv server.Server, text string) (sent string, name func(string) string) {
	if !s.counted.known {
		return text, nil
	}
	sent, calls := srv.Recount(text, s.known, s.counted.rows)
	if len(calls) == 0 {
		return text, nil
	}
	return sent, func(shown string) string {
		for _, c := range calls {
			shown = strings.ReplaceAll(shown, c.Sent, c.Written)
		}
		return shown
	}
}

// Rename has the answer show its columns under other names.
func (a *Answer) Rename(e *Engine, name func(string) string) {
	names := a.Rows.Columns()
	if name == nil || len(names) == 0 {
		return
	}
	set := sqlplan.ResultSet{Columns: make([]sqlplan.ResultColumn, len(names))}
	if len(a.Sets) > 0 && len(a.Sets[0].Columns) > 0 {
		set = a.Sets[0]
		set.Columns = slices.Clone(set.Columns)
	}
	set.Protected = true
	for i := range set.Columns {
		c := &set.Columns[i]
		c.Shown = name(cmp.Or(c.Shown, names[i]))
	}
	a.Sets, a.Engine = append([]sqlplan.ResultSet{set}, a.Sets[min(1, len(a.Sets)):]...), e
}

// Dropped is the result of a statement whose rows were dropped, as go-sql-driver has it.
type Dropped struct{}

// LastInsertId implements driver.Result.
func (Dropped) LastInsertId() (int64, error) { return 0, nil }

// RowsAffected implements driver.Result.
func (Dropped) RowsAffected() (int64, error) { return 0, nil }
