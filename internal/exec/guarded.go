package exec

import (
	"context"
	"errors"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec/reading"
	"github.com/sealsql/sealsql/internal/exec/sealing"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// guarded carries out an UPDATE without a transaction of sealsql's own, and without a
// savepoint in one of the user's. done is false if it must be carried out with them: the
// statement cannot be guarded here, or a row changed meanwhile and nothing was written.
//
// Outside a transaction the rows are read as the server shows them to everybody, without
// locks. In a transaction they are locked: a plain read might fix, for the rest of the
// transaction, what it sees.
func (s *steps) guarded(ctx context.Context, r *sqlplan.RowByRow, end finish) (done bool, err error) {
	if r.Guarded == nil {
		return false, nil
	}
	open, ok, err := s.failsAlone(ctx)
	if err != nil || !ok {
		return err != nil, err
	}
	if s.sealed, err = s.SealAll(ctx, s.run.Plan.Seals, nil); err != nil {
		return true, err
	}
	row, err := s.givenRow(ctx, r)
	if err != nil {
		return true, err
	}
	if row != nil {
		if done, err := s.sendGuarded(ctx, r, [][]any{row}, end); done {
			return true, err
		}
	}
	read := r.Guarded.Read()
	if open {
		read = r.Tables[0].Lock
	}
	p := r.Tables[0]
	rows, err := s.readTable(ctx, p, &read)
	if err == nil {
		rows = distinct(rows, len(p.Table.RowKey))
	}
	if err == reading.ErrTooManyRows || len(rows) > p.MaxRows {
		return false, nil // what counts are the rows that are locked
	}
	if err != nil {
		return true, err
	}
	return s.sendGuarded(ctx, r, rows, end)
}

// givenRow is the row that the statement gives; nil if the rows must be read.
func (s *steps) givenRow(ctx context.Context, r *sqlplan.RowByRow) ([]any, error) {
	p := r.Tables[0]
	if r.Guarded.Given == nil || p.Seals.Len() == 0 {
		return nil, nil
	}
	seal := p.Seals.At(0, &sqlplan.Seal{})
	row := make([]any, len(r.Guarded.Given))
	for i, o := range r.Guarded.Given {
		if o.Kind == sqlplan.OperandNone {
			continue
		}
		v, ok, err := s.AsRead(ctx, seal, p.Table.Source(i), o)
		if err != nil || !ok {
			return nil, err
		}
		row[i] = v
	}
	return row, nil
}

// failsAlone reports whether nothing stays of a statement that fails now, and the user's
// transaction, if one is open, goes on.
func (s *steps) failsAlone(ctx context.Context) (open, ok bool, err error) {
	if s.run.Base.Waits() {
		return false, false, nil
	}
	open, err = s.run.Base.InTx(ctx)
	return open, err == nil && (!open || s.run.Engine.config.Server.Transaction(s.run.Conn, false).Survives), err
}

// guardedUpsert sends the guarded text of an upsert. done is false if the rows must be read.
func (s *steps) guardedUpsert(ctx context.Context, checks *sqlplan.KeyChecks, end finish) (done bool, err error) {
	if checks.Guarded.Text == "" {
		return false, nil
	}
	if _, ok, err := s.failsAlone(ctx); err != nil || !ok {
		return err != nil, err
	}
	sealed, err := s.SealAll(ctx, s.run.Plan.Seals, nil)
	if err != nil {
		return true, err
	}
	text, args := s.bind(&checks.Guarded, s.run.Args.Options, sealed)
	if err := s.run.typed(ctx, s.Binding, text, &checks.Guarded, s.run.Plan.Seals); err != nil {
		return true, err
	}
	_, err = end(ctx, text, args, s.run.Plan.Results)
	return !s.run.Engine.config.Server.Failed(err), err
}

// sendGuarded seals the values for rows, and sends the statement. done is false if it failed
// for a row that is none of them.
func (s *steps) sendGuarded(ctx context.Context, r *sqlplan.RowByRow, rows [][]any, end finish) (done bool, err error) {
	p := r.Tables[0]
	sealed, err := s.sealRows(ctx, p, rows, len(p.Table.RowKey))
	if err != nil {
		return !errors.Is(err, fault.ErrValue), err // the rows may be others by now
	}
	s.Groups = []sealing.Group{{Rows: rows, Sealed: sealed}}
	t := r.Guarded.Build(len(rows))
	text, args := s.bind(&t, s.run.Args.Options, s.sealed)
	if err := s.run.typed(ctx, s.Binding, text, &t, p.Seals); err != nil {
		return true, err
	}
	_, err = end(ctx, text, args, s.run.Plan.Results)
	return !s.run.Engine.config.Server.Failed(err), err
}
