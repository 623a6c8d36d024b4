package branchkey

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"sync"

	"github.com/sealsql/sealsql/codec"
)

// ProviderID is the provider id of data keys that are wrapped under branch keys.
const ProviderID = "aws-kms-hierarchy"

const (
	saltLength = 16
	ivLength   = 12
	tagLength  = 16
	// prefixLength is the length of the salt, the IV and the version before the
	// wrapped key.
	prefixLength = saltLength + ivLength + len(version{})

	// contextSize is the size of a buffer that most serialized contexts fit in, with
	// the branch key id and the version before them.
	contextSize = 256
)

// Supplier says which branch key a value is sealed under, from its whole
// encryption context. It must be safe for concurrent use; its errors must hold no
// value of the context.
type Supplier func(ec codec.Context) (id string, err error)

// Keyring wraps data keys under branch keys. It is immutable and safe for
// concurrent use; its cache may be shared by many keyrings.
type Keyring struct {
	cache    *Cache
	id       string
	supplier Supplier
}

var _ codec.Keyring = (*Keyring)(nil)

// New returns a keyring of one branch key.
func New(c *Cache, id string) (*Keyring, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	return &Keyring{cache: c, id: id}, nil
}

// NewSupplied returns a keyring that asks which branch key to use for each
// value. A data key that names another branch key than the supplier does is
// refused with an error that wraps [codec.ErrContextMismatch].
func NewSupplied(c *Cache, s Supplier) (*Keyring, error) {
	if s == nil {
		return nil, errors.New("branchkey: the supplier is nil")
	}
	return &Keyring{cache: c, supplier: s}, nil
}

func (k *Keyring) branch(ec codec.Context) (string, error) {
	if k.supplier == nil {
		return k.id, nil
	}
	id, err := k.supplier(ec)
	if err == nil {
		err = checkID(id)
	}
	return id, err
}

// named says in an error which branch key is missing, if the id is a fixed one
// and not a value of the row.
func (k *Keyring) named(err error) error {
	e, ok := errors.AsType[*codec.Error](err)
	if !ok || k.supplier != nil || e.Kind != codec.ErrNoBranchKey && e.Kind != codec.ErrKeyDeleted {
		return err
	}
	of := *e
	of.What += " (" + k.id + ")"
	return &of
}

// OnEncrypt implements [codec.Keyring].
func (k *Keyring) OnEncrypt(ctx context.Context, m *codec.EncryptionMaterials) error {
	id, err := k.branch(m.Context)
	if err != nil {
		return &codec.Error{Kind: codec.ErrInvalidContext, Op: "encrypt", What: "the context names no branch key", Cause: err}
	}
	s, err := k.cache.get(ctx, slotKey{id: id, active: true})
	if err != nil {
		return k.named(err)
	}
	defer s.release()
	scratch := buffers.Get().(*[contextSize]byte)
	defer buffers.Put(scratch)
	aad, err := m.AppendContext(appendBinding(scratch[:0], id, s.version))
	if err != nil {
		return err
	}
	// One buffer holds the wrapped key and behind it the branch key id.
	n := prefixLength + m.Suite.KeyLength() + tagLength
	buf := make([]byte, n+len(id))
	copy(buf[n:], id)
	_, _ = rand.Read(buf[:saltLength+ivLength]) // never fails
	copy(buf[saltLength+ivLength:], s.version[:])
	aead, err := wrapKey(s.key.Bytes(), buf[:saltLength])
	if err != nil {
		return err
	}
	if m.DataKey.Len() == 0 {
		m.DataKey = m.MakeDataKey()
		_, _ = rand.Read(m.DataKey.Bytes()) // never fails
	}
	aead.Seal(buf[:prefixLength], buf[saltLength:saltLength+ivLength], m.DataKey.Bytes(), aad)
	m.WrappedKeys = append(m.WrappedKeys, codec.WrappedKey{ProviderID: ProviderID, ProviderInfo: buf[n:], Ciphertext: buf[:n:n]})
	return nil
}

// OnDecrypt implements [codec.Keyring].
func (k *Keyring) OnDecrypt(ctx context.Context, m *codec.DecryptionMaterials, keys []codec.WrappedKey) error {
	if m.DataKey.Len() != 0 {
		return errors.New("branchkey: the materials hold a data key already")
	}
	id, err := k.branch(m.Context)
	if err != nil {
		return &codec.Error{Kind: codec.ErrUnknownKey, Op: "decrypt", What: "the context names no branch key", Cause: err}
	}
	others, errs := false, error(nil)
	for _, w := range keys {
		if w.ProviderID != ProviderID {
			continue
		}
		if string(w.ProviderInfo) != id {
			others = true
			continue
		}
		err := k.open(ctx, m, id, w.Ciphertext)
		if err == nil {
			return nil
		}
		if errs == nil {
			errs = err
		}
	}
	switch {
	case errs != nil:
		return errs
	case others && k.supplier != nil:
		return &codec.Error{Kind: codec.ErrContextMismatch, Op: "decrypt", What: "the data key is wrapped under another branch key than the context names"}
	}
	return &codec.Error{Kind: codec.ErrUnknownKey, Op: "decrypt"}
}

func (k *Keyring) open(ctx context.Context, m *codec.DecryptionMaterials, id string, wrapped []byte) error {
	length := m.Suite.KeyLength()
	if len(wrapped) != prefixLength+length+tagLength {
		return &codec.Error{Kind: codec.ErrTampered, Op: "decrypt", What: "a data key wrapped under a branch key has the wrong length"}
	}
	v, _ := versionIn(wrapped)
	s, err := k.cache.get(ctx, slotKey{id: id, version: v})
	if err != nil {
		return k.named(err)
	}
	defer s.release()
	scratch := buffers.Get().(*[contextSize]byte)
	defer buffers.Put(scratch)
	aad, err := m.AppendContext(appendBinding(scratch[:0], id, v))
	if err != nil {
		return err
	}
	aead, err := wrapKey(s.key.Bytes(), wrapped[:saltLength])
	if err != nil {
		return err
	}
	key := m.MakeDataKey()
	if _, err := aead.Open(key.Bytes()[:0], wrapped[saltLength:saltLength+ivLength], wrapped[prefixLength:], aad); err != nil {
		return &codec.Error{Kind: codec.ErrUnwrap, Op: "decrypt"}
	}
	m.DataKey = key
	return nil
}

// versionIn returns the version of the branch key that a data key is wrapped
// under, which its ciphertext says behind salt and IV.
func versionIn(wrapped []byte) (v version, ok bool) {
	if len(wrapped) < prefixLength {
		return version{}, false
	}
	return version(wrapped[saltLength+ivLength : prefixLength]), true
}

// VersionOf returns the version of the branch key that a data key says it is
// wrapped under, as [Info] has it. Nothing is verified; ok is false for what no keyring
// of this package wrapped.
func VersionOf(k codec.WrappedKey) (version string, ok bool) {
	v, ok := versionIn(k.Ciphertext)
	if !ok || k.ProviderID != ProviderID {
		return "", false
	}
	return v.String(), true
}

// buffers are for the additional data of wrapped keys, which is not secret.
var buffers = sync.Pool{New: func() any { return new([contextSize]byte) }}

// appendBinding appends the branch key id and version, which a wrapped data key is
// bound to beside the context.
func appendBinding(dst []byte, id string, v version) []byte {
	return append(append(append(dst, ProviderID...), id...), v[:]...)
}

// wrapKey derives the key that wraps one data key from the branch key (NIST
// SP 800-108 in counter mode with HMAC-SHA-256, one block).
func wrapKey(branch, salt []byte) (cipher.AEAD, error) {
	var message [4 + len(ProviderID) + 1 + saltLength + 4]byte
	b := append(message[:0], 0, 0, 0, 1)
	b = append(append(b, ProviderID...), 0)
	b = append(append(b, salt...), 0, 0, 1, 0)
	key := hmacSHA256(branch, b)
	block, err := aes.NewCipher(key[:])
	clear(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// hmacSHA256 is HMAC (RFC 2104) over SHA-256 for a key and a message that fit a
// block. crypto/hmac would allocate its states for each value.
func hmacSHA256(key, message []byte) [sha256.Size]byte {
	inner, outer := pads[0], pads[1]
	subtle.XORBytes(inner[:], inner[:sha256.BlockSize], key)
	subtle.XORBytes(outer[:], outer[:sha256.BlockSize], key)
	n := sha256.BlockSize + copy(inner[sha256.BlockSize:], message)
	digest := sha256.Sum256(inner[:n])
	copy(outer[sha256.BlockSize:], digest[:])
	sum := sha256.Sum256(outer[:sha256.BlockSize+len(digest)])
	clear(inner[:])
	clear(outer[:])
	return sum
}

// pads are HMAC's inner and outer pad, with room for a message behind them.
var pads = [2][2 * sha256.BlockSize]byte{pad(0x36), pad(0x5c)}

func pad(b byte) (p [2 * sha256.BlockSize]byte) {
	for i := range sha256.BlockSize {
		p[i] = b
	}
	return p
}
