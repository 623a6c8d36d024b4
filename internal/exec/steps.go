package exec

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec/sealing"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// steps is a run whose route sends more than one text.
type steps struct {
	*sealing.Binding
	run Run
	// reserved is the result of the insert that reserved keys and was undone; nil on
	// other routes.
	reserved sqldriver.Result
	// sealed is what was sealed before the first text, by its place in the plan's seals.
	sealed []any
	// filled is set once the fillers of a statement are made.
	filled *filled
	// again is true once a statement was sent again for errOtherKey.
	again bool
}

func (r Run) steps() *steps {
	r.Base = fittingBase{r.Base, r.Engine.session.MaxPacket}
	return &steps{Binding: r.binding(), run: r}
}

// unknown is the number of rows that a statement without a result wrote that was sent
// as a query.
const unknown = -1

// finish sends the statement that a route ends in, and returns the number of rows that
// the server reports as written or returned, or unknown.
type finish func(ctx context.Context, text string, args []sqldriver.NamedValue, results []sqlplan.ResultSet) (written int64, err error)

func (s *steps) exec(ctx context.Context) (sqldriver.Result, error) {
	after := sealsAfter(s.run.Plan)
	var res sqldriver.Result
	err := s.carryOut(ctx, func(ctx context.Context, text string, args []sqldriver.NamedValue, _ []sqlplan.ResultSet) (written int64, err error) {
		if k := filledBy(s.run.Plan); k != nil && k.Returning {
			res = Dropped{}
			rows, _, err := query(ctx, s.run.Base, text, args, -1)
			if err == nil {
				err = s.sealFilled(ctx, k, nil, rows)
			}
			return unknown, err
		}
		res, err = s.run.Base.Exec(ctx, text, args)
		switch {
		case err != nil:
		case s.filled != nil:
			err = s.sealFilled(ctx, filledBy(s.run.Plan), res, nil)
		case after != nil:
			err = s.sealInserted(ctx, after, res)
		}
		if err != nil {
			return 0, err
		}
		if written, err = res.RowsAffected(); err != nil {
			return unknown, nil
		}
		return written, nil
	})
	switch {
	case s.reserved == nil || err != nil:
		return res, err
	case res == nil:
		return s.reserved, nil // it inserted nothing
	}
	return reservedResult{res, s.reserved}, nil
}

func (s *steps) query(ctx context.Context) (Answer, error) {
	if k := filledBy(s.run.Plan); sealsAfter(s.run.Plan) != nil || k != nil && !k.Returning {
		res, err := s.exec(ctx)
		return Answer{Rows: noRows{}, Result: res}, err
	}
	answer := Answer{Rows: noRows{}}
	err := s.carryOut(ctx, func(ctx context.Context, text string, args []sqldriver.NamedValue, results []sqlplan.ResultSet) (int64, error) {
		err := s.run.describe(ctx, text, server.Cached)
		if err != nil {
			s.run.Engine.noteStale(err)
			return 0, err
		}
		all, base, err := query(ctx, s.run.Base, text, args, -1)
		if err != nil {
			s.run.Engine.noteStale(err)
			return 0, err
		}
		if len(results) > 0 && !Fits(base, &results[0]) {
			s.run.Engine.TablesChanged()
			if open, err := s.run.Base.InTx(ctx); err == nil && !open {
				return 0, fmt.Errorf("%w: it was carried out, but its result is withheld because it does not have the expected columns", fault.ErrTableChanged)
			}
			return 0, fmt.Errorf("%w: its result is withheld because it does not have the expected columns; roll back and run it again", fault.ErrTableChanged)
		}
		if s.filled != nil {
			if err := s.sealFilled(ctx, filledBy(s.run.Plan), nil, all); err != nil {
				return 0, err
			}
		}
		if err := s.run.shownAs(ctx, base); err != nil {
			return 0, err
		}
		answer = Answer{Rows: base, Buffer: all, Sets: results, Engine: s.run.Engine}
		if len(base.Columns()) == 0 {
			return unknown, nil
		}
		return int64(len(all)), nil
	})
	return answer, err
}

// carryOut carries out what comes before the last statement, in a transaction
// where the rows that were read must not change meanwhile.
func (s *steps) carryOut(ctx context.Context, end finish) error {
	switch r := s.run.Plan.Route.(type) {
	case *sqlplan.RowByRow:
		if done, err := s.guarded(ctx, r, end); done {
			return err
		}
		return s.undoable(ctx, func(ctx context.Context) error { return s.rowByRow(ctx, r, end) })
	case *sqlplan.ServerKey:
		if r.Mode == sqlplan.ServerKeyEvaluate {
			return s.evaluateThenInsert(ctx, r, end)
		}
		if r.Mode == sqlplan.ServerKeyReserve {
			return s.reserveThenInsert(ctx, r, end)
		}
		err := s.sealBefore(ctx, r)
		if err != nil {
			return err
		}
		return s.undoable(ctx, func(ctx context.Context) error { return s.send(ctx, &s.run.Plan.Main, end) })
	case *sqlplan.KeyChecks:
		return s.keyChecked(ctx, r, end)
	}
	return fmt.Errorf("a plan of an unknown route (%T)", s.run.Plan.Route)
}

// send sends a text with what is sealed by now.
func (s *steps) send(ctx context.Context, t *sqlplan.Template, end finish) error {
	text, args := s.bind(t, s.run.Args.Options, s.sealed)
	if err := s.run.typed(ctx, s.Binding, text, t, s.run.Plan.Seals); err != nil {
		return err
	}
	_, err := end(ctx, text, args, s.run.Plan.Results)
	return err
}

// undoable runs f in the user's transaction, or else in one of its own. If f fails,
// what it wrote is undone.
func (s *steps) undoable(ctx context.Context, f func(ctx context.Context) error) error {
	return s.undo(ctx, func(ctx context.Context) (keep bool, err error) { return true, f(ctx) })
}

// undo runs f in the user's transaction, or else in one of its own. What f wrote is
// undone if f fails or does not keep it.
func (s *steps) undo(ctx context.Context, f func(ctx context.Context) (keep bool, err error)) error {
	open, err := s.run.Base.InTx(ctx)
	if err != nil {
		return err
	}
	if open {
		return s.whole(ctx, f)
	}
	tx, err := s.run.Base.Begin(ctx)
	if err != nil {
		return err
	}
	keep, err := f(ctx)
	switch {
	case err != nil:
		_ = tx.Rollback() // err says what went wrong
		return err
	case keep:
		return tx.Commit()
	}
	return tx.Rollback()
}

// whole is undo in the user's transaction, to which f is one statement: the server alone
// would undo the last of several only.
func (s *steps) whole(ctx context.Context, f func(ctx context.Context) (keep bool, err error)) error {
	if _, err := s.run.Base.Exec(ctx, "SAVEPOINT sealsql_statement", nil); err != nil {
		return err
	}
	keep, failed := f(ctx)
	switch {
	case failed != nil && aborted(failed), failed == nil && keep && s.run.Engine.config.Server.Transaction(s.run.Conn, false).Keeps:
		return failed
	case failed == nil && keep:
		_, err := s.run.Base.Exec(ctx, "RELEASE SAVEPOINT sealsql_statement", nil)
		return err
	}
	_, err := s.run.Base.Exec(context.WithoutCancel(ctx), "ROLLBACK TO SAVEPOINT sealsql_statement", nil)
	if failed != nil {
		return failed // if the server rolled back the transaction, all is undone
	}
	return err
}

// aborted reports whether an error of the server's ended the user's transaction, which
// stays as it would be without sealsql: Postgres takes nothing but a rollback.
func aborted(err error) bool {
	_, ok := errors.AsType[stateError](err)
	return ok
}

// stateError is an error of Postgres.
type stateError interface {
	error
	SQLState() string
}

// width checks the number of columns of rows that the server, or a mock of it,
// returned.
func width(rows [][]any, want int) error {
	if len(rows) > 0 && len(rows[0]) != want {
		return fmt.Errorf("%w: the server answered with %d columns where %d were asked for; nothing was written", fault.ErrTableChanged, len(rows[0]), want)
	}
	return nil
}

// noRows is what a query that returns no result set yields.
type noRows struct{}

func (noRows) Columns() []string            { return nil }
func (noRows) Close() error                 { return nil }
func (noRows) Next([]sqldriver.Value) error { return io.EOF }
