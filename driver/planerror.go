package driver

import (
	"errors"
	"fmt"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// planError turns what the planner returned into what users see.
func planError(err error) error {
	if r, ok := errors.AsType[*sqlplan.Refusal](err); ok {
		return &fault.RefusedError{Line: r.Line, Column: r.Column, Object: r.Object, What: r.What, Hint: r.Hint}
	}
	if errors.Is(err, ErrCatalog) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrCatalog, err)
}
