package exec

import (
	"context"
	"errors"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// apartError is the refusal of a text whose statements can be carried out one by one.
type apartError struct {
	*fault.RefusedError
	apart *sqlplan.Apart
}

// Unwrap returns the refusal.
func (e *apartError) Unwrap() error { return e.RefusedError }

// Apart returns the statements of a text that was refused as one, where they can be
// carried out one by one; else nil.
func Apart(err error) *sqlplan.Apart {
	if e, ok := errors.AsType[*apartError](err); ok {
		return e.apart
	}
	return nil
}

// Takes reports whether a connection takes texts of several statements.
func Takes(ctx context.Context, base Base, a *sqlplan.Apart) bool {
	if a.Ask == "" {
		return true
	}
	_, err := base.Exec(ctx, a.Ask, nil)
	return err == nil
}

// OneByOne carries out the statements of a text by exec, one after the other. Where the
// server has one transaction for such a text, it carries out all of them or none.
func OneByOne(ctx context.Context, base Base, a *sqlplan.Apart, exec func(text string) error) error {
	if !a.OneTransaction {
		return each(a.Texts, exec)
	}
	switch open, err := base.InTx(ctx); {
	case err != nil:
		return err
	case open:
		return each(a.Texts, exec)
	}
	tx, err := base.Begin(ctx)
	if err != nil {
		return err
	}
	if err := each(a.Texts, exec); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func each(texts []string, exec func(text string) error) error {
	for _, text := range texts {
		if err := exec(text); err != nil {
			return err
		}
	}
	return nil
}
