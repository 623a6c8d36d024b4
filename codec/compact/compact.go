package compact

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealsql/sealsql/codec"
)

// Keys finds the keys of values. The branch key depends on the encryption context,
// as it does for messages. Implementations are safe for concurrent use and keep to the
// context's deadline. Package branchkey's Keyring is one.
type Keys interface {
	// Current returns the key that new values are sealed under.
	Current(ctx context.Context, ec codec.Context, at Location) (*Key, error)
	// Find returns the n-th key that has the id, counted from zero, the version in
	// force first, then the youngest. It returns nil if there are no more. The
	// error wraps [codec.ErrKeyDeleted] if the branch key was deleted.
	Find(ctx context.Context, ec codec.Context, at Location, id ID, n int) (*Key, error)
}

// Config describes a [Codec].
type Config struct {
	Keys Keys
	// Location is the column that values are bound to; the zero value binds them to
	// none.
	Location Location
	// MaxPlaintext bounds plaintexts, in bytes; zero means 64 MiB.
	MaxPlaintext int
}

// Codec seals and opens the values of one column. It is immutable and safe for
// concurrent use.
type Codec struct{ c Config }

// New checks the configuration and returns a codec.
func New(c Config) (*Codec, error) {
	if c.Keys == nil {
		return nil, errors.New("compact: a codec needs Keys")
	}
	if c.MaxPlaintext < 0 {
		return nil, errors.New("compact: a limit is negative")
	}
	if c.MaxPlaintext == 0 {
		c.MaxPlaintext = codec.DefaultMaxMessage
	}
	return &Codec{c}, nil
}

// Size returns the length of a value whose plaintext has n bytes.
func Size(n int) int { return Overhead + n }

// Is reports whether b may be a compact value: its first byte is 01, and it is long
// enough. Messages of version 1 and bare ciphertexts of KMS begin with the same byte.
func Is(b []byte) bool { return len(b) >= Overhead && b[0] == prefix }

// KeyID returns the key id that a value names. Nothing is verified; ok is false for
// what cannot be a compact value.
func KeyID(b []byte) (id ID, ok bool) {
	if !Is(b) {
		return ID{}, false
	}
	return ID(b[1:ivAt]), true
}

// Seal appends a value that holds plaintext, bound to ec, to dst. On error dst is
// returned unchanged.
func (c *Codec) Seal(ctx context.Context, dst, plaintext []byte, ec codec.Context) ([]byte, error) {
	if len(plaintext) > c.c.MaxPlaintext {
		return dst, &codec.Error{Kind: codec.ErrLimit, Op: "encrypt", What: fmt.Sprintf("the plaintext is longer than %d bytes", c.c.MaxPlaintext)}
	}
	s := scratches.Get().(*scratch)
	defer s.free()
	var err error
	if s.aad, err = codec.AppendCallerContext(s.aad[:0], ec); err != nil {
		return dst, err
	}
	k, err := c.c.Keys.Current(ctx, ec, c.c.Location)
	if err != nil {
		return dst, err
	}
	return k.seal(s, dst, plaintext, s.aad), nil
}

// Open appends the plaintext of a value to dst. ec is the whole encryption context.
// The error wraps
//
//   - [codec.ErrNotCompact] if the value is too short or begins with another byte,
//   - [codec.ErrUnknownKey] if no version of the branch key has the value's key id,
//   - [codec.ErrUnauthentic] if the value was changed, or sealed under another context
//     or for another column,
//   - [codec.ErrKeyDeleted] if the branch key was deleted,
//
// or says why the branch key cannot be used. On error dst is returned unchanged.
func (c *Codec) Open(ctx context.Context, dst, value []byte, ec codec.Context) ([]byte, error) {
	id, ok := KeyID(value)
	if !ok {
		return dst, &codec.Error{Kind: codec.ErrNotCompact, Op: "decrypt"}
	}
	if len(value) > c.c.MaxPlaintext+Overhead {
		return dst, &codec.Error{Kind: codec.ErrLimit, Op: "decrypt", What: fmt.Sprintf("the plaintext is longer than %d bytes", c.c.MaxPlaintext)}
	}
	s := scratches.Get().(*scratch)
	defer s.free()
	var err error
	if s.aad, err = codec.AppendContext(s.aad[:0], ec); err != nil {
		return dst, err
	}
	for n := 0; ; n++ {
		k, err := c.c.Keys.Find(ctx, ec, c.c.Location, id, n)
		switch {
		case err != nil:
			return dst, err
		case k == nil && n == 0:
			return dst, &codec.Error{Kind: codec.ErrUnknownKey, Op: "decrypt", What: "no version of the branch key has the value's key id"}
		case k == nil:
			return dst, &codec.Error{Kind: codec.ErrUnauthentic, Op: "decrypt"}
		}
		if out, ok := k.open(s, dst, value, s.aad); ok {
			return out, nil
		}
	}
}
