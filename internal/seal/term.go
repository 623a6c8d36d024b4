package seal

import (
	"context"

	"github.com/sealsql/sealsql/fault"
)

// TermRequest asks for the equality term of a value.
type TermRequest struct {
	Column *Column
	// Plaintext is the value's plain text form. It is the caller's.
	Plaintext []byte
	// Row holds the sources that the term depends on beside the value: see
	// [Column.TermSources].
	Row       Row
	Statement string
}

// Term returns the equality term of a value as the term's column stores it: a []byte, or
// a string of base64. It is the only maker of terms.
func (f *Funnel) Term(context.Context, TermRequest) (any, error) {
	return nil, fault.ErrRefused // until the policy names terms
}
