package sealpgx

import (
	"cmp"
	sqldriver "database/sql/driver"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
)

// spell replaces arguments of protected columns that only pgx can read by the texts that
// pgx would send for a column of the policy's type, and reports whether there was one.
func (c *conn) spell(e *exec.Engine, plan *sqlplan.Plan, mode pgx.QueryExecMode, args []sqldriver.NamedValue) (spelt bool) {
	if !slices.ContainsFunc(args, func(nv sqldriver.NamedValue) bool { return ownReading(nv.Value) }) {
		return false
	}
	for s := range plan.AllSeals() {
		if s.Value.Kind != sqlplan.OperandParam || int(s.Value.Param) >= len(args) {
			continue
		}
		arg := &args[s.Value.Param].Value
		if !ownReading(*arg) {
			continue
		}
		switch t := e.Column(s.Column).Type; t {
		case policy.TypeFloat64, policy.TypeTimestamp, policy.TypeDate, policy.TypeJSON:
			*arg, spelt = c.spelling(t, mode, *arg), true
		}
	}
	return spelt
}

// spelling is the text that pgx would send for an argument, or the argument itself if pgx
// takes none of its kind: sealing says then that it does not fit.
func (c *conn) spelling(t policy.ValueType, mode pgx.QueryExecMode, arg any) any {
	s, spells := arg.(fmt.Stringer)
	if _, known := c.base.TypeMap().TypeForValue(arg); spells && !known && t == policy.TypeJSON && untyped(cmp.Or(mode, c.mode)) {
		return s.String() // pgx does not know that the column takes JSON
	}
	text, err := c.base.TypeMap().Encode(looks[t].oid, pgtype.TextFormatCode, arg, []byte{})
	switch {
	case err != nil:
		return arg
	case text == nil:
		return nil
	}
	return string(text)
}

// untyped reports whether pgx sends statements in a mode without asking for the types of
// their parameters.
func untyped(mode pgx.QueryExecMode) bool {
	return mode == pgx.QueryExecModeExec || mode == pgx.QueryExecModeSimpleProtocol
}

// ownReading reports whether a value has interfaces of pgx's and none of database/sql's.
func ownReading(v any) bool {
	switch v.(type) {
	case nil, string, int64, []byte, time.Time, *time.Time, sqldriver.Valuer:
		return false
	case pgtype.TextValuer, pgtype.Float64Valuer, pgtype.Int64Valuer, pgtype.DateValuer, pgtype.TimestamptzValuer, fmt.Stringer:
		return true
	}
	return false
}
