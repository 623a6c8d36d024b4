package codec

import (
	"context"
	"errors"
	"maps"
)

// defaultMaterials asks a keyring for every message.
type defaultMaterials struct{ keyring Keyring }

// DefaultMaterials returns the materials manager that asks k for each message
// (framework/default-cmm of the specification). It makes the signing key of suites
// that sign. It is safe for concurrent use.
func DefaultMaterials(k Keyring) Materials { return defaultMaterials{k} }

// Encryption implements [Materials].
func (d defaultMaterials) Encryption(ctx context.Context, r EncryptionRequest) (*EncryptionMaterials, error) {
	return d.encryption(ctx, r, nil)
}

// encryption is Encryption; serialized is r.Context, or nil.
func (d defaultMaterials) encryption(ctx context.Context, r EncryptionRequest, serialized []byte) (*EncryptionMaterials, error) {
	one := new(struct { // allocation
		m   EncryptionMaterials
		key held
	})
	m := &one.m
	m.Suite, m.Context, m.RequiredKeys, m.WrappedKeys = r.Suite, r.Context, r.RequiredKeys, m.inline[:0]
	m.spare, m.serialized = one.key.hold(), serialized
	if info := r.Suite.info(); info != nil && info.curve != nil {
		key, public, err := newSigningKey(info.curve)
		if err != nil {
			return nil, err
		}
		m.SigningKey = key
		m.Context = maps.Clone(r.Context)
		if m.Context == nil {
			m.Context = Context{}
		}
		m.Context[publicKeyContextKey], m.serialized = public, nil
	}
	if err := d.keyring.OnEncrypt(ctx, m); err != nil {
		m.DataKey.Zero()
		return nil, err
	}
	if m.DataKey.Len() != r.Suite.KeyLength() || len(m.WrappedKeys) == 0 {
		m.DataKey.Zero()
		return nil, &Error{Kind: ErrKeyUnavailable, Op: "encrypt", What: "the keyring made no data key of the suite's length"}
	}
	return m, nil
}

// Decryption implements [Materials].
func (d defaultMaterials) Decryption(ctx context.Context, r DecryptionRequest) (*DecryptionMaterials, error) {
	return d.decryption(ctx, r, nil)
}

// decryption is Decryption; serialized is r.Context, or nil.
func (d defaultMaterials) decryption(ctx context.Context, r DecryptionRequest, serialized []byte) (*DecryptionMaterials, error) {
	one := new(struct { // allocation
		m   DecryptionMaterials
		key held
	})
	m := &one.m
	m.Suite, m.Context, m.RequiredKeys, m.spare, m.serialized = r.Suite, r.Context, r.RequiredKeys, one.key.hold(), serialized
	public, has := r.Context[publicKeyContextKey]
	if info := r.Suite.info(); info.curve != nil {
		var ok bool
		if m.VerificationKey, ok = parsePublicKey(info.curve, public); !ok {
			return nil, &Error{Kind: ErrTampered, Op: "decrypt", What: "the public key of the signature is missing or not a point of the curve"}
		}
	} else if has {
		return nil, &Error{Kind: ErrTampered, Op: "decrypt", What: "a message without a signature names a public key"}
	}
	if err := d.keyring.OnDecrypt(ctx, m, r.WrappedKeys); err != nil {
		m.DataKey.Zero()
		return nil, err
	}
	if m.DataKey.Len() != r.Suite.KeyLength() {
		m.DataKey.Zero()
		return nil, &Error{Kind: ErrUnwrap, Op: "decrypt", What: "the data key has another length than the suite's"}
	}
	return m, nil
}

// Done implements [Materials].
func (d defaultMaterials) Done(key DataKey) { key.Zero() }

// multi is the multi-keyring.
type multi struct {
	generator Keyring
	children  []Keyring
}

// Multi returns a keyring of several (framework/multi-keyring of the
// specification): generator makes the data key, every child wraps it too, and any of
// them may unwrap it. generator may be nil for a keyring that only reads.
func Multi(generator Keyring, children ...Keyring) (Keyring, error) {
	if generator == nil && len(children) == 0 {
		return nil, errors.New("codec: a multi-keyring needs a keyring")
	}
	return &multi{generator, children}, nil
}

// OnEncrypt implements [Keyring].
func (k *multi) OnEncrypt(ctx context.Context, m *EncryptionMaterials) error {
	if k.generator == nil && m.DataKey.Len() == 0 {
		return &Error{Kind: ErrKeyUnavailable, Op: "encrypt", What: "the multi-keyring has no generator"}
	}
	if k.generator != nil {
		if m.DataKey.Len() != 0 {
			return &Error{Kind: ErrLimit, Op: "encrypt", What: "the data key was made before the generator was asked"}
		}
		if err := k.generator.OnEncrypt(ctx, m); err != nil {
			return err
		}
	}
	for _, c := range k.children {
		if err := c.OnEncrypt(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// OnDecrypt implements [Keyring].
func (k *multi) OnDecrypt(ctx context.Context, m *DecryptionMaterials, keys []WrappedKey) error {
	var errs []error
	try := func(c Keyring) bool {
		err := c.OnDecrypt(ctx, m, keys)
		if err != nil {
			errs = append(errs, err)
		}
		return err == nil
	}
	if k.generator != nil && try(k.generator) {
		return nil
	}
	for _, c := range k.children {
		if try(c) {
			return nil
		}
	}
	return gravest(errs)
}

// gravest picks the most telling error: an error of a keyring that knows the wrapping
// key comes before the errors of the others.
func gravest(errs []error) error {
	for _, err := range errs {
		if !errors.Is(err, ErrUnknownKey) {
			return err
		}
	}
	return errs[0]
}
