package branchkey

import (
	"context"
	"errors"
	"iter"

	"github.com/sealsql/sealsql/codec"
)

// Errors of a [Store] and of [Keys].
var (
	// ErrNotFound: the store has no such branch key or version.
	ErrNotFound = errors.New("branch key does not exist")
	// ErrExists: there is a branch key of that id already.
	ErrExists = errors.New("branch key exists already")
	// ErrConflict: the branch key was rotated or deleted meanwhile; nothing
	// was changed.
	ErrConflict = errors.New("branch key was changed by another process meanwhile")
)

// Store keeps the items of branch keys. Implementations are safe for
// concurrent use, by several processes too, and keep to the context's deadline; each
// method is atomic. Items hold no secret in clear, but whoever can delete them
// shreds what is sealed under them: back them up as you do the data.
type Store interface {
	// Name is the logical name of the key store. It is bound into every
	// wrapped branch key and never changes.
	Name() string
	// Items returns the item of that type and its further wrappings (see
	// [Covers]), or an error that wraps [ErrNotFound] if there is none.
	Items(ctx context.Context, id, typ string) ([]Item, error)
	// Create writes the items of a new branch key, or none and an error that
	// wraps [ErrExists] if the store has items of that branch key.
	Create(ctx context.Context, items []Item) error
	// Rotate replaces the active item and its further wrappings and adds the
	// others, provided that the active item's Wrapped is still old; else it does
	// nothing and returns an error that wraps [ErrConflict]. All items are of
	// one branch key.
	Rotate(ctx context.Context, items []Item, old []byte) error
	// Delete removes every item of a branch key, or returns an error that
	// wraps [ErrNotFound].
	Delete(ctx context.Context, id string) error
	// All yields every item, those of one branch key together.
	All(ctx context.Context) iter.Seq2[Item, error]
}

// ItemsStore is a [Store] that finds the items of one branch key without reading
// other items. Compact values need it where there are many branch keys.
type ItemsStore interface {
	Store
	// AllOf yields every item of a branch key, or none.
	AllOf(ctx context.Context, id string) iter.Seq2[Item, error]
}

// KMS wraps branch keys. Key ARNs identify wrapping keys; errors are those of
// package codec. Implementations are safe for concurrent use and keep to the
// context's deadline. Package awskms has one.
type KMS interface {
	// Keys are the wrapping keys that branch keys are wrapped under. The first
	// one makes them.
	Keys() []string
	// Rank reports whether keys that were wrapped under the key can be unwrapped,
	// and how far it is: lower is nearer.
	Rank(key string) (rank int, ok bool)
	// Generate makes a key of n bytes and returns it wrapped
	// (GenerateDataKeyWithoutPlaintext).
	Generate(ctx context.Context, key string, n int, ec codec.Context) ([]byte, error)
	// ReEncrypt binds a wrapped key to another context, under the same key.
	ReEncrypt(ctx context.Context, key string, wrapped []byte, from, to codec.Context) ([]byte, error)
	// Wrap wraps a key (Encrypt).
	Wrap(ctx context.Context, key string, plain codec.DataKey, ec codec.Context) ([]byte, error)
	// Unwrap unwraps a key (Decrypt).
	Unwrap(ctx context.Context, key string, wrapped []byte, ec codec.Context) (codec.DataKey, error)
}

// covered picks from the store's items those that [Store.Items] returns.
func covered(items iter.Seq2[Item, error], id, typ string) (out []Item, err error) {
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		if item.BranchKeyID == id && Covers(typ, item.Type) {
			out = append(out, item)
		}
	}
	if len(out) == 0 {
		return nil, ErrNotFound
	}
	return out, nil
}
