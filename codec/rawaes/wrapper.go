package rawaes

import (
	"context"
	"crypto/rand"

	"github.com/sealsql/sealsql/codec"
)

// Wrapper wraps branch keys under a key given as bytes: package branchkey's
// KMS where there is no KMS, for development. No other SDK reads what it wraps. It
// is immutable and safe for concurrent use.
type Wrapper struct {
	name string
	ring *Keyring
}

// NewWrapper returns a wrapper; the arguments are those of [New].
func NewWrapper(namespace, name string, key []byte) (*Wrapper, error) {
	ring, err := New(namespace, name, key)
	if err != nil {
		return nil, err
	}
	return &Wrapper{"raw-aes:" + namespace + "/" + name, ring}, nil
}

// Keys is the wrapping key's name.
func (w *Wrapper) Keys() []string { return []string{w.name} }

// Rank reports whether the key is the wrapper's.
func (w *Wrapper) Rank(key string) (int, bool) { return 0, key == w.name }

// Generate makes a key of n bytes and returns it wrapped.
func (w *Wrapper) Generate(ctx context.Context, key string, n int, ec codec.Context) ([]byte, error) {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	plain := codec.NewDataKey(b)
	defer plain.Zero()
	return w.Wrap(ctx, key, plain, ec)
}

// ReEncrypt binds a wrapped key to another context.
func (w *Wrapper) ReEncrypt(ctx context.Context, key string, wrapped []byte, from, to codec.Context) ([]byte, error) {
	plain, err := w.Unwrap(ctx, key, wrapped, from)
	if err != nil {
		return nil, err
	}
	defer plain.Zero()
	return w.Wrap(ctx, key, plain, to)
}

// Wrap wraps a key: the result is IV and AES-GCM ciphertext, bound to the context.
func (w *Wrapper) Wrap(ctx context.Context, key string, plain codec.DataKey, ec codec.Context) ([]byte, error) {
	if err := w.check(ctx, key); err != nil {
		return nil, err
	}
	aad, err := codec.AppendContext(nil, ec)
	if err != nil {
		return nil, err
	}
	iv := make([]byte, ivLength, ivLength+plain.Len()+tagLength)
	_, _ = rand.Read(iv) // never fails
	return w.ring.aead.Seal(iv, iv, plain.Bytes(), aad), nil
}

// Unwrap unwraps a key.
func (w *Wrapper) Unwrap(ctx context.Context, key string, wrapped []byte, ec codec.Context) (codec.DataKey, error) {
	if err := w.check(ctx, key); err != nil {
		return codec.DataKey{}, err
	}
	aad, err := codec.AppendContext(nil, ec)
	if err != nil {
		return codec.DataKey{}, err
	}
	bad := &codec.Error{Kind: codec.ErrUnwrap, Op: "decrypt"}
	if len(wrapped) < ivLength+tagLength {
		return codec.DataKey{}, bad
	}
	plain, err := w.ring.aead.Open(nil, wrapped[:ivLength], wrapped[ivLength:], aad)
	if err != nil {
		return codec.DataKey{}, bad
	}
	return codec.NewDataKey(plain), nil
}

func (w *Wrapper) check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return &codec.Error{Kind: codec.ErrKeyUnavailable, Cause: err}
	}
	if key != w.name {
		return &codec.Error{Kind: codec.ErrUnknownKey, What: "the branch key is wrapped under another key"}
	}
	return nil
}
