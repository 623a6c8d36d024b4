package codec

import (
	"errors"
	"strings"
)

// Sentinels that a caller decides on. Every error of this package and of
// the keyrings below it is an [*Error] that wraps one of them, together with its
// cause; test with [errors.Is].
var (
	// ErrNotMessage: the bytes are no AWS Encryption SDK message at all.
	ErrNotMessage = errors.New("not an AWS Encryption SDK message")
	// ErrTampered: the bytes start as a message but were truncated, extended or
	// changed: a tag, the commitment or the signature does not fit.
	ErrTampered = errors.New("message was changed")
	// ErrNotCompact: the bytes are no compact value.
	ErrNotCompact = errors.New("not a compact value")
	// ErrUnauthentic: a compact value was changed, or it was sealed under another
	// encryption context or for another column. Nothing in the value tells which. An
	// error that wraps it wraps ErrTampered and ErrContextMismatch too.
	ErrUnauthentic = errors.New("compact value is not authentic: it was changed, or moved from another row or column")
	// ErrContextMismatch: the encryption context in the message is another than
	// the one expected.
	ErrContextMismatch = errors.New("encryption context is another one")
	// ErrUnwrap: a wrapped key of a known wrapping key does not unwrap under the
	// encryption context.
	ErrUnwrap = errors.New("wrapped key does not unwrap under the encryption context")
	// ErrUnknownKey: no wrapped key is one of the keyring's.
	ErrUnknownKey = errors.New("message is wrapped under no key of the keyring")
	// ErrKeyDenied: use of the wrapping key was denied.
	ErrKeyDenied = errors.New("use of the wrapping key was denied")
	// ErrKeyUnavailable: the wrapping key could not be used: the service cannot
	// be reached or is too slow, or the key is disabled, deleted or pending deletion.
	ErrKeyUnavailable = errors.New("wrapping key is unavailable")
	// ErrKeyThrottled: the key service throttled the calls until the retries
	// were used up. An error that wraps it wraps ErrKeyUnavailable too.
	ErrKeyThrottled = errors.New("key service throttles")
	// ErrKeyDeleted: the branch key that the data key is wrapped under was
	// deleted: the value is shredded.
	ErrKeyDeleted = errors.New("branch key was deleted")
	// ErrNoBranchKey: there is no branch key of that id to encrypt under.
	ErrNoBranchKey = errors.New("branch key does not exist")
	// ErrUnsupportedSuite: the algorithm suite is not known.
	ErrUnsupportedSuite = errors.New("algorithm suite is not supported")
	// ErrCommitmentPolicy: the commitment policy forbids the suite.
	ErrCommitmentPolicy = errors.New("commitment policy forbids the algorithm suite")
	// ErrLimit: a configured limit was exceeded.
	ErrLimit = errors.New("limit exceeded")
	// ErrInvalidContext: the encryption context cannot be used.
	ErrInvalidContext = errors.New("encryption context is not valid")
	// ErrClosed: the keyring or cache was closed.
	ErrClosed = errors.New("closed")
)

// Error is the error type of this package and of the keyrings below it. It never holds a plaintext, a key or a
// value of an encryption context.
type Error struct {
	// Kind is one of this package's sentinels.
	Kind error
	// Op is "encrypt", "decrypt" or "parse", or the key service's operation.
	Op string
	// What failed, in words.
	What string
	// Offset is the position in the message, in bytes, at which reading failed.
	// It is zero if no position applies. Only [ErrNotMessage] is about the first byte.
	Offset int
	// Region and KeyARN name the wrapping key concerned; empty if none is.
	Region, KeyARN string
	// Cause is the error beneath, or nil. Causes that may quote a secret are
	// left out.
	Cause error
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("codec: ")
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	b.WriteString(e.Kind.Error())
	if e.What != "" {
		b.WriteString(": " + e.What)
	}
	if e.KeyARN != "" {
		b.WriteString(" (key " + e.KeyARN + ")")
	}
	if e.Cause != nil {
		b.WriteString(": " + e.Cause.Error())
	}
	return b.String()
}

// Unwrap returns the sentinel and the cause.
func (e *Error) Unwrap() []error {
	out := []error{e.Kind}
	switch e.Kind {
	case ErrKeyThrottled:
		out = append(out, ErrKeyUnavailable)
	case ErrUnauthentic:
		out = append(out, ErrTampered, ErrContextMismatch)
	}
	if e.Cause != nil {
		out = append(out, e.Cause)
	}
	return out
}
