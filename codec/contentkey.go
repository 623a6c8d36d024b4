package codec

import (
	"bytes"
	"context"
	"crypto/cipher"
	"fmt"
	"log/slog"
	"slices"
)

// ContentKey is the content key of one message, whose header was verified
// under it. It opens that message and no other: its header, byte for byte, and the
// pairs that the header does not store are kept beside the key. It is immutable, safe
// for concurrent use, and formats as a redaction.
type ContentKey struct {
	header []byte // with its authentication
	left   []pair // the required pairs
	aead   cipher.AEAD
}

// maxCachedHeader bounds the header and the pairs that are kept beside a content key,
// in bytes. Few have 1,000.
const maxCachedHeader = 4096

// ContentKeyCache is a [Keyring] that may cache the content keys of messages that
// are opened again and again. Nearly all that a short message costs, where its data
// key is unwrapped in the process, goes into unwrapping the key and deriving the
// content key from it.
//
// A content key opens what its wrapping key opens: a keyring must forget it
// when it forgets the wrapping key. It must be safe for concurrent use.
type ContentKeyCache interface {
	Keyring
	// CachedContentKey returns the content key that CacheContentKey was given for the
	// message of the given id and wrapped keys, or nil. It asks neither a network nor
	// a store. With nil, worth says whether the codec should call CacheContentKey once
	// it has opened the message.
	CachedContentKey(ctx context.Context, ec Context, id []byte, keys []WrappedKey) (k *ContentKey, worth bool)
	// CacheContentKey may keep k. It need not.
	CacheContentKey(ctx context.Context, ec Context, id []byte, keys []WrappedKey, k *ContentKey)
}

// of reports whether k was made for m, and for the pairs that it does not store.
func (k *ContentKey) of(m *Message, left []pair) bool {
	return bytes.Equal(k.header, m.raw[:m.content]) && slices.Equal(k.left, left)
}

// Format implements fmt.Formatter: fmt would print the key's schedule.
func (k ContentKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redactedContent)) }

// MarshalText implements encoding.TextMarshaler, which JSON uses.
func (k ContentKey) MarshalText() ([]byte, error) { return []byte(redactedContent), nil }

// LogValue implements slog.LogValuer.
func (k ContentKey) LogValue() slog.Value { return slog.StringValue(redactedContent) }

const redactedContent = "[content key]"
