package driver

import "github.com/sealsql/sealsql/fault"

// Sentinels for what a caller decides on. Errors returned by this package wrap
// at most one of them, but for [ErrUnauthentic]; test with [errors.Is].
var (
	// ErrRefused: a statement touches a protected column in a way that cannot
	// be kept safe. Nothing was sent. The error is a [*RefusedError].
	ErrRefused = fault.ErrRefused

	// ErrMismatch: a value was written for another row, table or column than
	// the one it was read from. The error is a [*ValueError].
	ErrMismatch = fault.ErrMismatch

	// ErrTampered: a value is a message whose bytes were changed.
	ErrTampered = fault.ErrTampered

	// ErrUnauthentic: a compact value was changed, or it was written for another
	// row, table or column. Nothing in the value tells which: the error wraps
	// ErrMismatch and ErrTampered too, and is a [*ValueError].
	ErrUnauthentic = fault.ErrUnauthentic

	// ErrIndexMismatch: a row was found by an equality term that its value, once opened,
	// does not have. The error is a [*ValueError].
	ErrIndexMismatch = fault.ErrIndexMismatch

	// ErrNotCiphertext: a protected column holds something that was never a
	// message, such as a plaintext from before the column was protected.
	ErrNotCiphertext = fault.ErrNotCiphertext

	// ErrUnknownKey: a value is wrapped under no key of its keyring.
	ErrUnknownKey = fault.ErrUnknownKey

	// ErrKeyDenied: KMS denied the use of a wrapping key.
	ErrKeyDenied = fault.ErrKeyDenied

	// ErrKeyUnavailable: a wrapping key could not be used: KMS cannot be
	// reached, throttles, or the key is disabled or pending deletion.
	ErrKeyUnavailable = fault.ErrKeyUnavailable

	// ErrShredded: the branch key that a value needs was deleted.
	ErrShredded = fault.ErrShredded

	// ErrNoBranchKey: a value was to be sealed under a branch key that does not
	// exist. Nothing was sent.
	ErrNoBranchKey = fault.ErrNoBranchKey

	// ErrUnverifiable: a statement's shape hides the row that a value belongs
	// to, and the policy says that such values are not handed out.
	ErrUnverifiable = fault.ErrUnverifiable

	// ErrValue: an argument for a protected column does not have the column's
	// type, or a row-key value cannot be bound. Nothing was sent.
	ErrValue = fault.ErrValue

	// ErrCatalog: the live catalog lacks what a statement needs, or could not
	// be read. Nothing was sent.
	ErrCatalog = fault.ErrCatalog

	// ErrPolicy: there is no policy, or it cannot be used as it stands.
	ErrPolicy = fault.ErrPolicy

	// ErrTableChanged: a table's columns changed while the statement ran and
	// the statement cannot be sent again by itself. Run it again.
	ErrTableChanged = fault.ErrTableChanged
)

// The errors that carry evidence.
type (
	// RefusedError says which part of a statement was refused, and what to do
	// instead. It wraps [ErrRefused].
	RefusedError = fault.RefusedError

	// ValueError is an error about one value of a protected column. It unwraps
	// to its Kind's sentinel and to its cause.
	ValueError = fault.ValueError
)
