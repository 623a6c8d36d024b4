package exec

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec/sealing"
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

// evaluateThenInsert asks the server for the row keys that it would make, and
// inserts them as given values.
func (s *steps) evaluateThenInsert(ctx context.Context, k *sqlplan.ServerKey, end finish) error {
	err := s.evaluate(ctx, k)
	if err != nil {
		return err
	}
	if k.Arrays != nil {
		if err = s.MakeArrays(ctx, k); err != nil {
			return err
		}
	}
	if k.Checks != nil {
		return s.keyChecked(ctx, k.Checks, end)
	}
	sealed, err := s.SealAll(ctx, s.run.Plan.Seals, nil)
	if err != nil {
		return err
	}
	s.sealed = sealed
	return s.send(ctx, &s.run.Plan.Main, end)
}

// evaluate asks the server for the row keys that it would make.
func (s *steps) evaluate(ctx context.Context, k *sqlplan.ServerKey) (err error) {
	n := k.Rows
	if k.Arrays != nil {
		if n, err = s.CountRows(k.Arrays); err != nil || n == 0 {
			return err
		}
	}
	text, args := s.bind(&k.Evaluate, s.run.Args.Options, nil)
	if s.Server, _, err = query(ctx, s.run.Base, text, args, n); err != nil {
		return err
	}
	if len(s.Server) != n {
		return fmt.Errorf("%w: the server evaluated %d row keys for %d rows; nothing was written", fault.ErrTableChanged, len(s.Server), n)
	}
	return width(s.Server, len(k.Columns))
}

// reserveThenInsert has the server make the row keys for an insert that is undone, and
// inserts the rows under them.
func (s *steps) reserveThenInsert(ctx context.Context, k *sqlplan.ServerKey, end finish) error {
	if err := s.sealTerms(ctx); err != nil {
		return err
	}
	err := s.undo(ctx, func(ctx context.Context) (keep bool, err error) {
		err = s.reserve(ctx, k)
		return err == nil && len(s.Server) == 0, err // no row was inserted: what it did instead stays
	})
	if err != nil || len(s.Server) == 0 {
		return err
	}
	sealed, err := s.SealAll(ctx, s.run.Plan.Seals, nil)
	if err != nil {
		return err
	}
	s.sealed = sealed
	return s.send(ctx, &s.run.Plan.Main, end)
}

// reserve sends the insert that is undone, and notes the keys that the server made.
func (s *steps) reserve(ctx context.Context, k *sqlplan.ServerKey) error {
	text, args := s.bind(&k.Reserve, s.run.Args.Options, s.sealed)
	if !k.Returning {
		var err error
		if s.reserved, err = s.run.Base.Exec(ctx, text, args); err != nil {
			return err
		}
		s.Server, err = s.madeKeys(k, s.reserved)
		return err
	}
	rows, base, err := query(ctx, s.run.Base, text, args, k.Rows)
	if err != nil {
		return err
	}
	if results := s.run.Plan.Results; len(rows) != k.Rows || len(base.Columns()) <= k.Returned || len(results) > 0 && !Fits(base, &results[0]) {
		s.run.Engine.TablesChanged()
		return fmt.Errorf("%w: the server did not return the rows that it inserted; the insert was undone", fault.ErrTableChanged)
	}
	s.Server = make([][]any, k.Rows)
	for i, row := range rows {
		s.Server[i] = []any{row[k.Returned]}
	}
	return nil
}

// sealBefore makes what the first text has in the places of values.
func (s *steps) sealBefore(ctx context.Context, k *sqlplan.ServerKey) error {
	if k.Filled != nil {
		return s.fill(ctx, k.Filled)
	}
	return s.sealTerms(ctx)
}

// sealTerms makes the equality terms of rows whose keys are not known. They do not depend
// on the keys: the first text has them, for the table's unique keys.
func (s *steps) sealTerms(ctx context.Context) error {
	return s.sealSome(ctx, func(v *sqlplan.Seal) bool { return v.Term != sqlplan.TermUnused })
}

// sealSome makes what depends on no key that the server makes, and on no row that is there.
func (s *steps) sealSome(ctx context.Context, now func(*sqlplan.Seal) bool) error {
	var some []sqlplan.Seal
	var places []int
	for i, seal := range s.run.Plan.Seals.List() {
		if now(&seal) {
			some, places = append(some, seal), append(places, i)
		}
	}
	sealed, err := s.SealAll(ctx, sqlplan.ListedSeals(some), nil)
	if err != nil {
		return err
	}
	s.sealed = make([]any, s.run.Plan.Seals.Len())
	for i, at := range places {
		s.sealed[at] = sealed[i]
	}
	return nil
}

// madeKeys returns the keys that the server made for an insert, none if it inserted no
// row. The keys of one statement follow each other.
func (s *steps) madeKeys(k *sqlplan.ServerKey, res sqldriver.Result) ([][]any, error) {
	first, err := res.LastInsertId()
	if err == nil && first == 0 && k.MayInsertNone {
		return nil, nil
	}
	if err != nil || first == 0 {
		return nil, fmt.Errorf("%w: the server did not report the row key it made; the insert was undone", fault.ErrCatalog)
	}
	step := max(1, s.run.Engine.session.AutoIncrementIncrement)
	keys := make([][]any, k.Rows)
	for i := range keys {
		keys[i] = []any{first + int64(i)*step}
	}
	return keys, nil
}

// reservedResult is the result of an insert under keys that were reserved. The server
// reports the first key where it made it.
type reservedResult struct{ written, reserved sqldriver.Result }

// LastInsertId implements driver.Result.
func (r reservedResult) LastInsertId() (int64, error) { return r.reserved.LastInsertId() }

// RowsAffected implements driver.Result.
func (r reservedResult) RowsAffected() (int64, error) { return r.written.RowsAffected() }

// sealInserted seals the values of rows whose keys the server just made, and writes them.
func (s *steps) sealInserted(ctx context.Context, k *sqlplan.ServerKey, res sqldriver.Result) (err error) {
	if s.Server, err = s.madeKeys(k, res); err != nil || len(s.Server) == 0 {
		return err
	}
	sealed, err := s.SealAll(ctx, s.run.Plan.Seals, nil)
	if err != nil {
		return err
	}
	s.Groups = []sealing.Group{{Sealed: [][]any{sealed}}}
	for i := range k.Update {
		text, args := s.bind(&k.Update[i], nil, sealed)
		res, err := s.run.Base.Exec(ctx, text, args)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 && !(n == 0 && k.MayInsertNone) {
			return fmt.Errorf("%w: a row just inserted was not found by its key; the insert was undone", fault.ErrTableChanged)
		}
	}
	return nil
}
