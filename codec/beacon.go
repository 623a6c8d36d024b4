package codec

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// Beacons is implemented by keyrings and caches that have beacon keys: keys from which
// keyed hashes of values are derived, and never ciphertexts. It is safe for concurrent
// use.
type Beacons interface {
	// Beacon calls use with the beacon key of a branch key, or, for a keyring
	// without branch keys, with its own if id is empty. The key is valid until use
	// returns. An error of use is returned as it is.
	Beacon(ctx context.Context, id string, use func(*BeaconKey) error) error
}

// BeaconKey is a beacon key and what was derived from it. It is safe for concurrent
// use and formats as a redaction.
type BeaconKey struct {
	key     DataKey
	mu      sync.Mutex // held while something is derived
	derived atomic.Pointer[[]derivedKey]
}

// Derived is what is derived from a beacon key. Zero overwrites it.
type Derived interface{ Zero() }

type derivedKey struct {
	owner any
	key   Derived
}

// NewBeaconKey takes ownership of a key of at least 32 bytes.
func NewBeaconKey(key DataKey) *BeaconKey { return &BeaconKey{key: key} }

// Derive returns what make derives from the key. It is made once for each owner, kept
// beside the key, and zeroed with it. owner must be comparable; a pointer is.
func (b *BeaconKey) Derive(owner any, make func(key []byte) (Derived, error)) (Derived, error) {
	if d := b.kept(owner); d != nil {
		return d, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if d := b.kept(owner); d != nil {
		return d, nil
	}
	d, err := make(b.key.Bytes())
	if err != nil {
		return nil, err
	}
	var all []derivedKey
	if list := b.derived.Load(); list != nil {
		all = slices.Clone(*list)
	}
	all = append(all, derivedKey{owner, d})
	b.derived.Store(&all)
	return d, nil
}

// kept returns what was derived for the owner, or nil. A list of a few is searched
// faster than a map.
func (b *BeaconKey) kept(owner any) Derived {
	list := b.derived.Load()
	if list == nil {
		return nil
	}
	for i := range *list {
		if (*list)[i].owner == owner {
			return (*list)[i].key
		}
	}
	return nil
}

// Zero overwrites the key and what was derived from it. Nothing may use them any more.
func (b *BeaconKey) Zero() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.key.Zero()
	if list := b.derived.Swap(nil); list != nil {
		for _, d := range *list {
			d.key.Zero()
		}
	}
}

const redactedBeacon = "[beacon key]"

// Format implements fmt.Formatter, for every verb.
func (b *BeaconKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redactedBeacon)) }

// MarshalText implements encoding.TextMarshaler, which JSON uses.
func (b *BeaconKey) MarshalText() ([]byte, error) { return []byte(redactedBeacon), nil }

// LogValue implements slog.LogValuer.
func (b *BeaconKey) LogValue() slog.Value { return slog.StringValue(redactedBeacon) }
