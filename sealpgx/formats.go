package sealpgx

import (
	"cmp"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// firstSet describes the columns of a plan's first result; nil if they are as the text
// says.
func firstSet(sets []sqlplan.ResultSet) *sqlplan.ResultSet {
	if len(sets) == 0 || !sets[0].Protected || len(sets[0].Columns) == 0 {
		return nil
	}
	return &sets[0]
}

// fits checks the formats that the user gives by position against the columns that the
// user sees.
func (r *request) fits(plan *sqlplan.Plan) error {
	set := firstSet(plan.Results)
	if set == nil || len(r.formats) < 2 {
		return nil
	}
	visible := 0
	for _, c := range set.Columns {
		if !c.Hidden {
			visible++
		}
	}
	if len(r.formats) != visible {
		return fmt.Errorf("sealpgx: %d result formats were given for %d columns", len(r.formats), visible)
	}
	return nil
}

// withFormats puts the result formats before a plan's arguments. Hidden columns are asked
// for as text, which every type has.
func (r *request) withFormats(plan *sqlplan.Plan, args []any) []any {
	switch set := firstSet(plan.Results); {
	case r.byOID != nil:
		return append([]any{r.byOID}, args...)
	case r.formats == nil:
		return args
	case set == nil || len(r.formats) < 2:
		return append([]any{r.formats}, args...)
	default:
		formats, next := make(pgx.QueryResultFormats, len(set.Columns)), 0
		for i, c := range set.Columns {
			if !c.Hidden && next < len(r.formats) {
				formats[i] = r.formats[next]
				next++
			}
		}
		return append([]any{formats}, args...)
	}
}

// shownFormat is the format in which a visible column of a type is shown.
func (c *conn) shownFormat(r *request, oid uint32, column int) int16 {
	switch {
	case !r.prepared && untyped(cmp.Or(r.mode, c.mode)):
		return pgtype.TextFormatCode
	case r.byOID != nil:
		return r.byOID[oid]
	case r.formats == nil:
		return c.base.TypeMap().FormatCodeForOID(oid)
	case len(r.formats) == 1:
		return r.formats[0]
	case column < len(r.formats):
		return r.formats[column]
	}
	return pgtype.TextFormatCode
}
