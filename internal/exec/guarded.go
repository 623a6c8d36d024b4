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
	if r.Guarded == nil || s.run.Base.Waits() {
		return false, nil
	}
	open, err := s.run.Base.InTx(ctx)
	if err != nil {
		return true, err
	}
	read := r.Guarded.Read()
	if open {
		if !s.run.Engine.config.Server.Transaction(s.run.Conn, false).Survives {
			return false, nil
		}
		read = r.Tables[0].Lock
	}
	if s.sealed, err = s.SealAll(ctx, s.run.Plan.Seals, nil); err != nil {
		return true, err
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
	err = s.sendGuarded(ctx, r, rows, end)
	if errors.Is(err, fault.ErrValue) || s.run.Engine.config.Server.Failed(err) {
		return false, nil
	}
	return true, err
}

// sendGuarded seals the values for the rows that were read, and sends the statement.
func (s *steps) sendGuarded(ctx context.Context, r *sqlplan.RowByRow, rows [][]any, end finish) error {
	p := r.Tables[0]
	sealed, err := s.sealRows(ctx, p, rows, len(p.Table.RowKey))
	if err != nil {
		return err
	}
	s.Groups = []sealing.Group{{Rows: rows, Sealed: sealed}}
	t := r.Guarded.Build(len(rows))
	text, args := s.bind(&t, s.run.Args.Options, s.sealed)
	if err := s.run.typed(ctx, s.Binding, text, &t, p.Seals); err != nil {
		return err
	}
	_, err = end(ctx, text, args, s.run.Plan.Results)
	return err
}
