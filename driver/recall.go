package driver

import (
	"bytes"
	"context"
	"maps"
	"sync"

	"github.com/sealsql/sealsql/codec"
)

// recall remembers the data key of each value that was sealed until that value is
// opened, once: then everything about the message is verified but KMS's own wrapping,
// without a call of KMS. It is for tools that open what they wrote before they store it.
type recall struct {
	codec.Keyring

	mu   sync.Mutex
	keys map[string]remembered // by the first wrapped key
}

type remembered struct {
	key     codec.DataKey
	context codec.Context
	suite   codec.Suite
}

// maxRemembered bounds what sealed values that nobody opens leave behind.
const maxRemembered = 4096

func newRecall(k codec.Keyring) *recall {
	return &recall{Keyring: k, keys: map[string]remembered{}}
}

// OnEncrypt implements codec.Keyring.
func (r *recall) OnEncrypt(ctx context.Context, m *codec.EncryptionMaterials) error {
	if err := r.Keyring.OnEncrypt(ctx, m); err != nil || len(m.WrappedKeys) == 0 {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.keys) >= maxRemembered {
		r.forget()
	}
	r.keys[string(m.WrappedKeys[0].Ciphertext)] = remembered{codec.NewDataKey(bytes.Clone(m.DataKey.Bytes())), maps.Clone(m.Context), m.Suite}
	return nil
}

// OnDecrypt implements codec.Keyring.
func (r *recall) OnDecrypt(ctx context.Context, m *codec.DecryptionMaterials, keys []codec.WrappedKey) error {
	if len(keys) > 0 {
		r.mu.Lock()
		own, ok := r.keys[string(keys[0].Ciphertext)]
		delete(r.keys, string(keys[0].Ciphertext))
		r.mu.Unlock()
		if ok && own.suite == m.Suite && maps.Equal(own.context, m.Context) {
			m.DataKey = own.key
			return nil
		}
		own.key.Zero()
	}
	return r.Keyring.OnDecrypt(ctx, m, keys)
}

// close zeroes what values that nobody opened left behind.
func (r *recall) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget()
}

func (r *recall) forget() {
	for _, k := range r.keys {
		k.key.Zero()
	}
	clear(r.keys)
}

// WithRecall makes a sealer open what it has just sealed with the data key that it
// still holds, once for each value, instead of asking KMS: the message's form,
// context, commitment and tags are verified, and that KMS unwraps its key is not. For
// tools that check each value before they store it.
func WithRecall() Option { return func(s *settings) { s.recall = true } }
