package keyrings

import (
	"context"
	"maps"
	"slices"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/branchkey"
)

// fallback wraps with one of two keyrings, and unwraps what either of them
// wrapped. A policy may go from data keys of KMS to branch keys, and back, while a
// column holds values of both kinds.
type fallback struct {
	codec.Keyring                    // wraps
	branch        *branchkey.Keyring // unwraps, what branch keys wrapped
	value         codec.Keyring      // unwraps anything else
}

var _ codec.ContentKeyCache = (*fallback)(nil)

// OnDecrypt implements codec.Keyring.
func (k *fallback) OnDecrypt(ctx context.Context, m *codec.DecryptionMaterials, keys []codec.WrappedKey) error {
	if underBranchKey(keys) {
		return k.branch.OnDecrypt(ctx, m, keys)
	}
	// A call of KMS may go on after its caller has left. By then the codec uses
	// m and keys again.
	copied := *m
	copied.Context = maps.Clone(m.Context)
	copies := make([]codec.WrappedKey, len(keys))
	for i, w := range keys {
		copies[i] = w.Clone()
	}
	err := k.value.OnDecrypt(ctx, &copied, copies)
	m.DataKey = copied.DataKey
	return err
}

// CachedContentKey implements codec.ContentKeyCache.
func (k *fallback) CachedContentKey(ctx context.Context, ec codec.Context, id []byte, keys []codec.WrappedKey) (*codec.ContentKey, bool) {
	return k.branch.CachedContentKey(ctx, ec, id, keys)
}

// CacheContentKey implements codec.ContentKeyCache.
func (k *fallback) CacheContentKey(ctx context.Context, ec codec.Context, id []byte, keys []codec.WrappedKey, key *codec.ContentKey) {
	k.branch.CacheContentKey(ctx, ec, id, keys, key)
}

// fallbackMaterials are the materials of a column whose values are sealed with
// cached data keys, and opened with branch keys where those wrapped them.
type fallbackMaterials struct {
	codec.Materials                 // cached
	branch          codec.Materials // over a keyring of branch keys
}

// Decryption implements codec.Materials.
func (m *fallbackMaterials) Decryption(ctx context.Context, r codec.DecryptionRequest) (*codec.DecryptionMaterials, error) {
	if underBranchKey(r.WrappedKeys) {
		return m.branch.Decryption(ctx, r)
	}
	return m.Materials.Decryption(ctx, r)
}

// Done implements codec.Materials: neither of the two lends a key.
func (m *fallbackMaterials) Done(key codec.DataKey) { key.Zero() }

func underBranchKey(keys []codec.WrappedKey) bool {
	return slices.ContainsFunc(keys, func(k codec.WrappedKey) bool { return k.ProviderID == branchkey.ProviderID })
}
