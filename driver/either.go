package driver

import (
	"context"
	"maps"
	"slices"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/branchkey"
)

// either is a keyring of two. It wraps with one of them, and unwraps what either
// wrapped: a policy may go from data keys of KMS to branch keys, and back, while values
// of both kinds are there.
type either struct {
	codec.Keyring                    // wraps
	branch        *branchkey.Keyring // unwraps, what branch keys wrapped
	plain         codec.Keyring      // unwraps anything else
}

var _ codec.ContentKeeper = (*either)(nil)

// OnDecrypt implements codec.Keyring.
func (k *either) OnDecrypt(ctx context.Context, m *codec.DecryptionMaterials, keys []codec.WrappedKey) error {
	if underBranchKey(keys) {
		return k.branch.OnDecrypt(ctx, m, keys)
	}
	// A call of KMS may go on after its caller has left, and what the codec gave
	// is used again by then.
	own := *m
	own.Context = maps.Clone(m.Context)
	copies := make([]codec.WrappedKey, len(keys))
	for i, w := range keys {
		copies[i] = w.Clone()
	}
	err := k.plain.OnDecrypt(ctx, &own, copies)
	m.DataKey = own.DataKey
	return err
}

// Kept implements codec.ContentKeeper.
func (k *either) Kept(ctx context.Context, ec codec.Context, id []byte, keys []codec.WrappedKey) (*codec.ContentKey, bool) {
	return k.branch.Kept(ctx, ec, id, keys)
}

// Keep implements codec.ContentKeeper.
func (k *either) Keep(ctx context.Context, ec codec.Context, id []byte, keys []codec.WrappedKey, key *codec.ContentKey) {
	k.branch.Keep(ctx, ec, id, keys, key)
}

// cachedOrBranch are the materials of a column that is written with kept data
// keys, and that opens what branch keys wrapped.
type cachedOrBranch struct {
	codec.Materials                 // cached
	branch          codec.Materials // over a keyring of branch keys
}

// Decryption implements codec.Materials.
func (m *cachedOrBranch) Decryption(ctx context.Context, r codec.DecryptionRequest) (*codec.DecryptionMaterials, error) {
	if underBranchKey(r.WrappedKeys) {
		return m.branch.Decryption(ctx, r)
	}
	return m.Materials.Decryption(ctx, r)
}

// Done implements codec.Materials: neither of the two lends a key.
func (m *cachedOrBranch) Done(key codec.DataKey) { key.Zero() }

func underBranchKey(keys []codec.WrappedKey) bool {
	return slices.ContainsFunc(keys, func(k codec.WrappedKey) bool { return k.ProviderID == branchkey.ProviderID })
}
