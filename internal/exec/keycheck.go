package exec

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec/reading"
	"github.com/sealsql/sealsql/internal/exec/sealing"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// errOtherRow is returned by checkKeys if a row that was written holds other sources
// than its values were sealed for.
var errOtherRow = errors.New("the row holds another key")

// errOtherKey is returned by writeChecked for the first violation of a unique key of terms
// that are moving to another key. ON CONFLICT names the unique key of one column of terms,
// and where a session inserts the same value at the same moment Postgres answers with that
// of the other. The row is there now: the statement is sent once more.
var errOtherKey = errors.New("the row was inserted at the same moment")

// keyAttempts bounds how often a statement with a key check is sent.
const keyAttempts = 8

// keyChecked sends an upsert whose rows may stand in the table under another spelling
// of the given key, or with other sources beside it. It writes first and then reads
// what the rows hold: they are locked now, and a read before the write would lock
// the gaps around keys that are new. If a value was sealed for other sources than its
// row holds, the write is undone and sent again for what was read.
func (s *steps) keyChecked(ctx context.Context, checks *sqlplan.KeyChecks, end finish) error {
	if done, err := s.guardedUpsert(ctx, checks, end); done {
		return err
	}
	seals := s.run.Plan.Seals.List()
	stored := make([][]any, len(seals))
	for range keyAttempts {
		err := s.undoable(ctx, func(ctx context.Context) error { return s.writeChecked(ctx, checks, seals, stored, end) })
		if err != errOtherRow && err != errOtherKey {
			return err
		}
	}
	return fmt.Errorf("%w: another connection changed its row each time that it was sent; it was undone, run it again", fault.ErrTableChanged)
}

// writeChecked sends the statement once. If it returns errOtherRow, seals and stored
// are set to what the rows hold.
func (s *steps) writeChecked(ctx context.Context, checks *sqlplan.KeyChecks, seals []sqlplan.Seal, stored [][]any, end finish) error {
	todo, err := s.UnsealAll(ctx, sqlplan.ListedSeals(seals), stored)
	defer sealing.Wipe(todo)
	if err != nil {
		return err
	}
	sealed, err := s.SealEach(ctx, todo)
	if err != nil {
		return err
	}
	text, args := s.bind(&s.run.Plan.Main, s.run.Args.Options, sealed)
	if err := s.run.typed(ctx, s.Binding, text, &s.run.Plan.Main, sqlplan.ListedSeals(seals)); err != nil {
		return err
	}
	written, err := end(ctx, text, args, s.run.Plan.Results)
	if err != nil && !s.again && s.run.Engine.names().Moving(ctx, s.run.Args.Text, err) {
		s.again = true
		return errOtherKey
	}
	if err != nil || written == 0 {
		return err
	}
	other := false
	for i := range checks.Len() {
		check := checks.At(i)
		differs, err := s.checkRow(ctx, &check, todo, seals, stored, sealed)
		if err != nil {
			return err
		}
		other = other || differs
	}
	if other {
		return errOtherRow
	}
	return nil
}

// checkRow reads the row that was written. It reports whether a value of it was sealed
// for other sources than the row holds, and notes what it holds.
func (s *steps) checkRow(ctx context.Context, k *sqlplan.KeyCheck, todo []sealing.Unsealed, seals []sqlplan.Seal, stored [][]any, sealed []any) (differs bool, err error) {
	null := true
	for _, i := range k.Seals {
		null = null && todo[i].Null
	}
	if null {
		return false, nil
	}
	text, args := s.bindAgain(&k.Text, s.run.Args.Options, sealed)
	rows, _, err := query(ctx, s.run.Base, text, args, 1)
	switch {
	case err == reading.ErrTooManyRows:
		return false, &fault.RefusedError{Object: k.Table.Name, What: "the row key that the statement gives means several rows",
			Hint: "make the row key's columns a unique key, or compare them under a case-sensitive collation"}
	case err != nil:
		return false, err
	case len(rows) == 0:
		return false, fmt.Errorf("%w: a row just written was not found by its key; the statement was undone", fault.ErrTableChanged)
	}
	if err := width(rows, len(k.Table.Sources)); err != nil {
		return false, err
	}
	for _, i := range k.Seals {
		if todo[i].Null {
			continue
		}
		was := seals[i]
		seals[i].Sources, stored[i] = held(was.Sources), rows[0]
		row, err := s.Row(ctx, &seals[i], rows[0])
		if err != nil {
			return false, err
		}
		differs = differs || !todo[i].SameRow(row)
	}
	return differs, nil
}

func held(sources []sqlplan.Operand) []sqlplan.Operand {
	out := make([]sqlplan.Operand, len(sources))
	for i := range out {
		out[i] = sqlplan.Operand{Kind: sqlplan.OperandStored, Param: i}
	}
	return out
}
