// Package rawaes is a keyring whose wrapping key is given as bytes
// (framework/raw-aes-keyring of the AWS Encryption SDK specification).
//
// It is for development, tests and vectors: a wrapping key that lies in the
// process's memory or its environment protects nothing from whoever reads either. It
// never talks to a network.
package rawaes

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/sealsql/sealsql/codec"
)

const (
	tagLength = 16
	ivLength  = 12

	// contextSize is the size of a buffer that most serialized contexts fit in.
	contextSize = 160
)

// Keyring wraps data keys with AES-GCM under one key. It is immutable and safe
// for concurrent use.
type Keyring struct {
	namespace string
	prefix    string // of the provider info: name, tag length in bits, IV length
	aead      cipher.AEAD
	beacon    *codec.BeaconKey
}

var (
	_ codec.Keyring = (*Keyring)(nil)
	_ codec.Beacons = (*Keyring)(nil)
)

const (
	// beaconLabel separates the beacon key from other uses of the wrapping key.
	beaconLabel  = "sealsql/beacon/v1"
	beaconLength = 32
)

// New returns a keyring for a wrapping key of 16, 24 or 32 bytes, which it
// copies. The namespace (provider id) and the name identify the key; the namespace
// must not start with "aws-kms".
func New(namespace, name string, key []byte) (*Keyring, error) {
	if namespace == "" || strings.HasPrefix(namespace, "aws-kms") {
		return nil, errors.New("rawaes: the namespace must not be empty nor start with aws-kms")
	}
	if len(namespace) > 65535 || len(name) > 65535-8-ivLength {
		return nil, errors.New("rawaes: the namespace or name is too long for the message format")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, errors.New("rawaes: the wrapping key must have 16, 24 or 32 bytes")
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	prefix := binary.BigEndian.AppendUint32([]byte(name), tagLength*8)
	prefix = binary.BigEndian.AppendUint32(prefix, ivLength)
	beacon, err := hkdf.Key(sha512.New, key, nil, beaconLabel, beaconLength)
	if err != nil {
		return nil, err
	}
	return &Keyring{namespace: namespace, prefix: string(prefix), aead: aead, beacon: codec.NewBeaconKey(codec.NewDataKey(beacon))}, nil
}

// Beacon implements [codec.Beacons]. The beacon key is HKDF-SHA-512 (RFC 5869) of the
// wrapping key, without salt, for the info "sealsql/beacon/v1"; 32 bytes. id must be
// empty: there are no branch keys.
func (k *Keyring) Beacon(ctx context.Context, id string, use func(*codec.BeaconKey) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if id != "" {
		return &codec.Error{Kind: codec.ErrNoBranchKey, Op: "encrypt", What: "a raw key has no branch keys"}
	}
	return use(k.beacon)
}

// Format implements fmt.Formatter: fmt would print the key's schedule.
func (k Keyring) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "raw AES keyring %s/%s", k.namespace, k.prefix[:max(0, len(k.prefix)-8)])
}

// LogValue implements slog.LogValuer.
func (k Keyring) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }

// OnEncrypt implements [codec.Keyring].
func (k *Keyring) OnEncrypt(ctx context.Context, m *codec.EncryptionMaterials) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	scratch := buffers.Get().(*[contextSize]byte)
	defer buffers.Put(scratch)
	aad, err := m.AppendContext(scratch[:0])
	if err != nil {
		return err
	}
	if m.DataKey.Len() == 0 {
		m.DataKey = m.MakeDataKey()
		_, _ = rand.Read(m.DataKey.Bytes()) // never fails
	}
	n := len(k.prefix) + ivLength
	buf := make([]byte, n+m.DataKey.Len()+tagLength) // provider info and wrapped key
	iv := buf[copy(buf, k.prefix):n:n]
	_, _ = rand.Read(iv) // never fails
	m.WrappedKeys = append(m.WrappedKeys, codec.WrappedKey{
		ProviderID: k.namespace, ProviderInfo: buf[:n:n], Ciphertext: k.aead.Seal(buf[n:n], iv, m.DataKey.Bytes(), aad),
	})
	return nil
}

// OnDecrypt implements [codec.Keyring].
func (k *Keyring) OnDecrypt(ctx context.Context, m *codec.DecryptionMaterials, keys []codec.WrappedKey) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.DataKey.Len() != 0 {
		return errors.New("rawaes: the materials hold a data key already")
	}
	scratch := buffers.Get().(*[contextSize]byte)
	defer buffers.Put(scratch)
	aad, err := m.AppendContext(scratch[:0])
	if err != nil {
		return err
	}
	key, known := m.MakeDataKey(), false
	for _, w := range keys {
		if w.ProviderID != k.namespace || len(w.ProviderInfo) != len(k.prefix)+ivLength || string(w.ProviderInfo[:len(k.prefix)]) != k.prefix {
			continue
		}
		known = true
		if len(w.Ciphertext) != key.Len()+tagLength {
			continue // the data key of another suite
		}
		if _, err := k.aead.Open(key.Bytes()[:0], w.ProviderInfo[len(k.prefix):], w.Ciphertext, aad); err == nil {
			m.DataKey = key
			return nil
		}
	}
	e := &codec.Error{Kind: codec.ErrUnknownKey, Op: "decrypt"}
	if known {
		e.Kind = codec.ErrUnwrap
	}
	return e
}

// buffers are for serialized contexts, which are not secret.
var buffers = sync.Pool{New: func() any { return new([contextSize]byte) }}
