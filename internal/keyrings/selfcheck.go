package keyrings

import (
	"bytes"
	"context"
	"maps"
	"sync"

	"github.com/sealsql/sealsql/codec"
)

// selfCheck keeps the data key of each sealed value until the value is opened,
// once. The opening then verifies everything about the message but KMS's own
// wrapping, and does not call KMS. It is for tools that open each value before they
// store it.
type selfCheck struct {
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

func newSelfCheck(k codec.Keyring) *selfCheck {
	return &selfCheck{Keyring: k, keys: map[string]remembered{}}
}

// OnEncrypt implements codec.Keyring.
func (c *selfCheck) OnEncrypt(ctx context.Context, m *codec.EncryptionMaterials) error {
	if err := c.Keyring.OnEncrypt(ctx, m); err != nil || len(m.WrappedKeys) == 0 {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.keys) >= maxRemembered {
		c.forget()
	}
	c.keys[string(m.WrappedKeys[0].Ciphertext)] = remembered{codec.NewDataKey(bytes.Clone(m.DataKey.Bytes())), maps.Clone(m.Context), m.Suite}
	return nil
}

// OnDecrypt implements codec.Keyring.
func (c *selfCheck) OnDecrypt(ctx context.Context, m *codec.DecryptionMaterials, keys []codec.WrappedKey) error {
	if len(keys) > 0 {
		c.mu.Lock()
		kept, ok := c.keys[string(keys[0].Ciphertext)]
		delete(c.keys, string(keys[0].Ciphertext))
		c.mu.Unlock()
		if ok && kept.suite == m.Suite && maps.Equal(kept.context, m.Context) {
			m.DataKey = kept.key
			return nil
		}
		kept.key.Zero()
	}
	return c.Keyring.OnDecrypt(ctx, m, keys)
}

// close zeroes what values that nobody opened left behind.
func (c *selfCheck) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget()
}

func (c *selfCheck) forget() {
	for _, k := range c.keys {
		k.key.Zero()
	}
	clear(c.keys)
}
