package exec

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec/reading"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// sealsAfter returns the plan's route if rows are inserted without their
// protected values, which are sealed and written once the rows' keys are known;
// else nil.
func sealsAfter(plan *sqlplan.Plan) *sqlplan.ServerKey {
	if k, ok := plan.Route.(*sqlplan.ServerKey); ok && k.Mode == sqlplan.ServerKeyInsertThenSeal {
		return k
	}
	return nil
}

// rowsReturned is the result of a statement that answered with rows.
type rowsReturned struct{}

func (rowsReturned) LastInsertId() (int64, error) { return 0, nil }
func (rowsReturned) RowsAffected() (int64, error) { return 0, nil }

// insertReturning carries out an INSERT whose RETURNING clause shows the keys
// that the server made, and returns its rows as if the values had been there.
func (s *steps) insertReturning(ctx context.Context, k *sqlplan.ServerKey) (rows [][]any, base *reading.Frozen, err error) {
	err = s.carryOut(ctx, func(ctx context.Context, text string, args []sqldriver.NamedValue, results []sqlplan.ResultSet) (int64, error) {
		var err error
		if rows, base, err = query(ctx, s.run.Base, text, args, k.Rows); err != nil {
			return 0, err
		}
		if len(rows) != k.Rows || len(base.Columns()) <= k.Returned || len(results) > 0 && !Fits(base, &results[0]) {
			s.engine.TablesChanged()
			return 0, fmt.Errorf("%w: the server did not return the rows that it inserted; the insert was undone", fault.ErrTableChanged)
		}
		keys := make([][]any, k.Rows)
		for i, row := range rows {
			keys[i] = []any{row[k.Returned]}
		}
		sealed, err := s.sealKeys(ctx, k, keys)
		if err != nil {
			return 0, err
		}
		for at, column := range k.Shown {
			for i, row := range rows {
				for _, seal := range k.RowSeals[i] {
					if s.run.Plan.Seals[seal].Column == column {
						row[at] = sealed[seal]
					}
				}
			}
		}
		return int64(len(rows)), nil
	})
	return rows, base, err
}

// evaluateThenInsert asks the server for the row keys that it would make, and
// inserts them as given values.
func (s *steps) evaluateThenInsert(ctx context.Context, k *sqlplan.ServerKey, end finish) error {
	text, args := s.bind(&k.Evaluate, s.run.Args.Options, nil)
	var err error
	if s.server, _, err = query(ctx, s.run.Base, text, args, k.Rows); err != nil {
		return err
	}
	if len(s.server) != k.Rows {
		return fmt.Errorf("%w: the server evaluated %d row keys for %d rows; nothing was written", fault.ErrTableChanged, len(s.server), k.Rows)
	}
	if err := width(s.server, len(k.Columns)); err != nil {
		return err
	}
	sealed, err := s.sealAll(ctx, s.run.Plan.Seals, nil)
	if err != nil {
		return err
	}
	text, args = s.bind(&s.run.Plan.Main, s.run.Args.Options, sealed)
	_, err = end(ctx, text, args, s.run.Plan.Results)
	return err
}

// sealInserted seals the values of rows whose keys the server just made.
func (s *steps) sealInserted(ctx context.Context, k *sqlplan.ServerKey, res sqldriver.Result) error {
	first, err := res.LastInsertId()
	if err == nil && first == 0 && k.MayInsertNone {
		return nil
	}
	if err != nil || first == 0 {
		return fmt.Errorf("%w: the server did not report the row key it made; the insert was undone", fault.ErrCatalog)
	}
	step := max(1, s.engine.session.AutoIncrementIncrement)
	keys := make([][]any, k.Rows)
	for i := range keys {
		keys[i] = []any{first + int64(i)*step}
	}
	_, err = s.sealKeys(ctx, k, keys)
	return err
}

// sealKeys seals the values of inserted rows, given the keys of the rows, and
// writes them.
func (s *steps) sealKeys(ctx context.Context, k *sqlplan.ServerKey, keys [][]any) ([]any, error) {
	s.server = keys
	sealed, err := s.sealAll(ctx, s.run.Plan.Seals, nil)
	if err != nil {
		return nil, err
	}
	s.groups = []group{{sealed: [][]any{sealed}}}
	for i := range k.Update {
		text, args := s.bind(&k.Update[i], nil, sealed)
		res, err := s.run.Base.Exec(ctx, text, args)
		if err != nil {
			return nil, err
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 && !(n == 0 && k.MayInsertNone) {
			return nil, fmt.Errorf("%w: a row just inserted was not found by its key; the insert was undone", fault.ErrTableChanged)
		}
	}
	return sealed, nil
}
