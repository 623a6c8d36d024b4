package driver

import (
	"context"
	"errors"

	"github.com/sealsql/sealsql/inspect"
	"github.com/sealsql/sealsql/internal/seal"
)

// Inspect looks at a stored value of a column without any key, and compares it
// with what the policy would write. row may be nil: then the context's fixed pairs alone
// are compared. Nothing is verified.
func (s *ValueSealer) Inspect(ctx context.Context, table, column string, row Row, stored any) (inspect.Value, error) {
	e, col, err := s.column(ctx, table, column)
	if err != nil {
		return inspect.Value{}, err
	}
	var bound seal.Row
	if row != nil && !seal.IsNull(stored) {
		if bound, err = e.Row(ctx, col, row, false); errors.Is(err, ErrCatalog) {
			return inspect.Value{}, err
		} else if err != nil {
			return inspect.Value{}, col.Error(ErrValue, "", "give the row key a value of its column's type", err)
		}
	}
	return e.Funnel().Inspect(col, stored, bound.Sources), nil
}

// Examine looks at a stored value, a []byte, a string or nil, without any key
// and without a policy. If inBase64 is true the value is base64 text, as a column of
// that storage holds it.
func Examine(stored any, inBase64 bool) inspect.Value { return seal.Examine(stored, inBase64) }
