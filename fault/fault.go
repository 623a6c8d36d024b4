// Package fault holds the errors that sealsql's packages return: sentinels for
// what a caller decides on, and two types that carry the evidence. Package driver
// exports all of them under the same names; the rooms beneath it share them here.
//
// No error holds a plaintext, a parameter, a raw row key, a key or a DSN.
package fault

import (
	"errors"
	"fmt"
)

// Sentinels for what a caller decides on. Errors wrap at most one of
// them, but for [ErrUnauthentic]; test with [errors.Is].
var (
	// ErrRefused: a statement touches a protected column in a way that cannot
	// be kept safe. Nothing was sent. The error is a [*RefusedError].
	ErrRefused = errors.New("sealsql: statement refused")

	// ErrMismatch: a value was written for another row, table or column than
	// the one it was read from. The error is a [*ValueError].
	ErrMismatch = errors.New("sealsql: value belongs elsewhere")

	// ErrTampered: a value is a message whose bytes were changed.
	ErrTampered = errors.New("sealsql: value was tampered with")

	// ErrUnauthentic: a compact value was changed, or it was written for another
	// row, table or column. Nothing in the value tells which: the error wraps
	// ErrMismatch and ErrTampered too, and is a [*ValueError].
	ErrUnauthentic = errors.New("sealsql: value is not authentic")

	// ErrIndexMismatch: a row was found by an equality term that its value, once opened,
	// does not have. The error is a [*ValueError].
	ErrIndexMismatch = errors.New("sealsql: value does not have the term that its row was found by")

	// ErrNotCiphertext: a protected column holds something that was never a
	// message, such as a plaintext from before the column was protected.
	ErrNotCiphertext = errors.New("sealsql: value is not a ciphertext")

	// ErrUnknownKey: a value is wrapped under no key of its keyring.
	ErrUnknownKey = errors.New("sealsql: value is wrapped under no key of the keyring")

	// ErrKeyDenied: KMS denied the use of a wrapping key.
	ErrKeyDenied = errors.New("sealsql: use of the wrapping key was denied")

	// ErrKeyUnavailable: a wrapping key could not be used: KMS cannot be
	// reached, throttles, or the key is disabled or pending deletion.
	ErrKeyUnavailable = errors.New("sealsql: wrapping key is unavailable")

	// ErrShredded: the branch key that a value needs was deleted.
	ErrShredded = errors.New("sealsql: the value's branch key was deleted")

	// ErrNoBranchKey: a value was to be sealed under a branch key that does not
	// exist. Nothing was sent.
	ErrNoBranchKey = errors.New("sealsql: the branch key does not exist")

	// ErrUnverifiable: a statement's shape hides the row that a value belongs
	// to, and the policy says that such values are not handed out.
	ErrUnverifiable = errors.New("sealsql: value cannot be verified against its row")

	// ErrValue: an argument for a protected column does not have the column's
	// type, or a row-key value cannot be bound. Nothing was sent.
	ErrValue = errors.New("sealsql: value does not fit the column")

	// ErrCatalog: the live catalog lacks what a statement needs, or could not
	// be read. Nothing was sent.
	ErrCatalog = errors.New("sealsql: catalog cannot be used")

	// ErrPolicy: there is no policy, or it cannot be used as it stands.
	ErrPolicy = errors.New("sealsql: policy cannot be used")

	// ErrTableChanged: a table's columns changed while the statement ran and
	// the statement cannot be sent again by itself. Run it again.
	ErrTableChanged = errors.New("sealsql: table changed while the statement ran")
)

// RefusedError says which part of a statement was refused, and what to do
// instead. It wraps [ErrRefused].
type RefusedError struct {
	// Line and Column are 1-based, in bytes, in the statement's text; 0 if the
	// refusal concerns the text as a whole.
	Line, Column int
	// Object is the protected table or "table.column", if known.
	Object string
	// What is refused, and Hint says what to do instead.
	What, Hint string
}

// Error implements error.
func (e *RefusedError) Error() string {
	s := ErrRefused.Error() + ": " + e.What
	if e.Object != "" {
		s += " (" + e.Object + ")"
	}
	if e.Line > 0 {
		s += fmt.Sprintf(" at %d:%d", e.Line, e.Column)
	}
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Unwrap returns [ErrRefused].
func (e *RefusedError) Unwrap() error { return ErrRefused }

// ValueError is an error about one value of a protected column. It unwraps to
// its Kind's sentinel, to the sentinels that Kind implies, and to its cause.
type ValueError struct {
	// Kind is the sentinel.
	Kind error
	// Table and Column name the protected column as the policy does.
	Table, Column string
	// RowKeyDigest identifies the row, see [github.com/sealsql/sealsql/alert.RowKeyDigest]; empty if unknown.
	RowKeyDigest string
	// Hint says what to do about it.
	Hint string
	// Cause is the error beneath, or nil. It holds no value.
	Cause error
}

// Error implements error.
func (e *ValueError) Error() string {
	s := fmt.Sprintf("%s: %s.%s", e.Kind, e.Table, e.Column)
	if e.RowKeyDigest != "" {
		s += " (row " + e.RowKeyDigest + ")"
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Unwrap returns the sentinel and the cause.
func (e *ValueError) Unwrap() []error {
	out := []error{e.Kind}
	if e.Kind == ErrUnauthentic {
		out = append(out, ErrMismatch, ErrTampered)
	}
	if e.Cause != nil {
		out = append(out, e.Cause)
	}
	return out
}
