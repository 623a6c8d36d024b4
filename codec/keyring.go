package codec

import (
	"bytes"
	"context"
	"crypto/ecdsa"
)

// WrappedKey is a data key under one wrapping key: the format's encrypted data
// key (EDK). Its fields are not secret.
type WrappedKey struct {
	// ProviderID says which kind of keyring wrapped the key, such as "aws-kms".
	ProviderID string
	// ProviderInfo identifies the wrapping key in the provider's own form.
	ProviderInfo []byte
	// Ciphertext is the wrapped data key.
	Ciphertext []byte
}

// Clone returns a copy that shares no memory with k. The wrapped keys that a
// [Keyring] gets lie in a message, which may be a base driver's buffer: a keyring that
// keeps them after the call takes a copy.
func (k WrappedKey) Clone() WrappedKey {
	return WrappedKey{k.ProviderID, bytes.Clone(k.ProviderInfo), bytes.Clone(k.Ciphertext)}
}

// EncryptionMaterials holds the keys and the context of one message to encrypt. A [Keyring]
// completes it.
type EncryptionMaterials struct {
	// Suite decides the data key's length.
	Suite Suite
	// Context is the whole encryption context, required-only pairs and the
	// public key's pair included. Keyrings bind every wrapping to it.
	Context Context
	// RequiredKeys are the keys of Context that the message does not store.
	RequiredKeys []string
	// DataKey is empty until a keyring made the key.
	DataKey DataKey
	// WrappedKeys are the wrappings made so far.
	WrappedKeys []WrappedKey
	// SigningKey is set for suites that sign.
	SigningKey *ecdsa.PrivateKey `json:"-"`

	inline     [1]WrappedKey // what WrappedKeys lies in, mostly
	spare      *secret       // for the data key
	serialized []byte        // Context, if it is at hand
}

// MakeDataKey returns a key of the suite's length, all zeros, for the keyring
// to fill. It spares the allocation of [MakeDataKey].
func (m *EncryptionMaterials) MakeDataKey() DataKey { return m.spare.use(m.Suite.KeyLength()) }

// AppendContext appends the serialization of Context, like [AppendContext], and
// need not make it anew.
func (m *EncryptionMaterials) AppendContext(dst []byte) ([]byte, error) {
	if m.serialized != nil {
		return append(dst, m.serialized...), nil
	}
	return AppendContext(dst, m.Context)
}

// DecryptionMaterials holds the key and the context of one message to decrypt. A [Keyring] finds
// its data key.
type DecryptionMaterials struct {
	Suite   Suite
	Context Context
	// RequiredKeys are the keys of Context that the message does not store.
	RequiredKeys []string
	// DataKey is empty until a keyring found the key.
	DataKey DataKey
	// VerificationKey is set for suites that sign.
	VerificationKey *ecdsa.PublicKey

	spare      *secret
	serialized []byte
}

// MakeDataKey is like that of [EncryptionMaterials].
func (m *DecryptionMaterials) MakeDataKey() DataKey { return m.spare.use(m.Suite.KeyLength()) }

// AppendContext is like that of [EncryptionMaterials].
func (m *DecryptionMaterials) AppendContext(dst []byte) ([]byte, error) {
	if m.serialized != nil {
		return append(dst, m.serialized...), nil
	}
	return AppendContext(dst, m.Context)
}

// Keyring makes, wraps and finds data keys (framework/keyring-interface of the
// AWS Encryption SDK specification). Implementations are safe for concurrent use,
// keep to the context's deadline, never change the materials' Context, and never retain
// the materials.
type Keyring interface {
	// OnEncrypt makes the data key if m has none, and appends at least one
	// wrapped key. On error m must not be used.
	OnEncrypt(ctx context.Context, m *EncryptionMaterials) error

	// OnDecrypt sets m.DataKey to the data key that one of keys wraps under
	// m.Context. It returns an error that wraps [ErrUnknownKey] if the keyring
	// has no wrapping key of keys, and [ErrUnwrap] if it has but none unwraps
	// under m.Context.
	OnDecrypt(ctx context.Context, m *DecryptionMaterials, keys []WrappedKey) error
}

// Materials is the materials manager (CMM) that a [Codec] asks for the
// materials of each message. [DefaultMaterials] asks a keyring every time; package
// codec/cache keeps materials and hands them out again. Implementations are safe for
// concurrent use.
type Materials interface {
	// Encryption returns materials for a message of the given request. The
	// caller passes their data key to Done afterwards.
	Encryption(ctx context.Context, r EncryptionRequest) (*EncryptionMaterials, error)
	// Decryption returns materials for a message with the given wrapped keys.
	Decryption(ctx context.Context, r DecryptionRequest) (*DecryptionMaterials, error)
	// Done takes back the data key of materials that this manager returned: it
	// is zeroed unless the manager keeps it.
	Done(key DataKey)
}

// EncryptionRequest asks for the materials of one message.
type EncryptionRequest struct {
	Suite        Suite
	Context      Context
	RequiredKeys []string
	// PlaintextLength is the message's plaintext in bytes.
	PlaintextLength int
}

// DecryptionRequest asks for the materials of one received message.
type DecryptionRequest struct {
	Suite Suite
	// Context is the stored context together with the reproduced one.
	Context      Context
	RequiredKeys []string
	WrappedKeys  []WrappedKey
}
