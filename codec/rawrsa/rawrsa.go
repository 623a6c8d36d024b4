// Package rawrsa is a keyring whose wrapping key is an RSA key pair that is
// given to it (framework/raw-rsa-keyring of the AWS Encryption SDK specification). It is
// there to read what such keyrings wrote, and for vectors.
//
// RSA does not bind a data key to the encryption context: the message's header does.
// Use a keyring that binds both where there is a choice. It never talks to a network.
package rawrsa

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // OAEP with SHA-1 is one of the specification's, and is not broken by collisions
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"strings"

	"github.com/sealsql/sealsql/codec"
)

// Padding is an RSA padding scheme. The zero value is invalid.
type Padding uint8

// The padding schemes. OAEP's MGF1 uses the same hash.
const (
	OAEPSHA1 Padding = iota + 1
	OAEPSHA256
	OAEPSHA384
	OAEPSHA512
	// PKCS1 is PKCS #1 v1.5, for old messages only: who may have messages of his
	// making opened, and sees which error comes of each, can in time open others'
	// (Bleichenbacher's attack).
	PKCS1
)

var hashes = map[Padding]func() hash.Hash{OAEPSHA1: sha1.New, OAEPSHA256: sha256.New, OAEPSHA384: sha512.New384, OAEPSHA512: sha512.New}

// Keyring wraps data keys with RSA. It is immutable and safe for concurrent use.
type Keyring struct {
	namespace, name string
	padding         Padding
	public          *rsa.PublicKey
	private         *rsa.PrivateKey
}

var _ codec.Keyring = (*Keyring)(nil)

// New returns a keyring. It writes if public is set and reads if private is
// set; at least one must be. The namespace (provider id) and the name identify the key;
// the namespace must not start with "aws-kms".
func New(namespace, name string, p Padding, public *rsa.PublicKey, private *rsa.PrivateKey) (*Keyring, error) {
	switch {
	case namespace == "" || strings.HasPrefix(namespace, "aws-kms"):
		return nil, errors.New("rawrsa: the namespace must not be empty nor start with aws-kms")
	case len(namespace) > 65535 || len(name) > 65535:
		return nil, errors.New("rawrsa: the namespace or name is too long for the message format")
	case p < OAEPSHA1 || p > PKCS1:
		return nil, errors.New("rawrsa: the padding scheme is unknown")
	case public == nil && private == nil:
		return nil, errors.New("rawrsa: a public or a private key is needed")
	case private != nil && public != nil && !private.PublicKey.Equal(public):
		return nil, errors.New("rawrsa: the private key is not the public key's")
	}
	return &Keyring{namespace, name, p, public, private}, nil
}

// Format implements fmt.Formatter: fmt would print the private key.
func (k Keyring) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "raw RSA keyring %s/%s", k.namespace, k.name)
}

// LogValue implements slog.LogValuer.
func (k Keyring) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }

// OnEncrypt implements [codec.Keyring].
func (k *Keyring) OnEncrypt(ctx context.Context, m *codec.EncryptionMaterials) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if k.public == nil {
		return &codec.Error{Kind: codec.ErrKeyUnavailable, Op: "encrypt", What: "the raw RSA keyring has no public key"}
	}
	if m.DataKey.Len() == 0 {
		m.DataKey = m.MakeDataKey()
		_, _ = rand.Read(m.DataKey.Bytes()) // never fails
	}
	wrapped, err := k.wrap(m.DataKey.Bytes())
	if err != nil {
		return &codec.Error{Kind: codec.ErrKeyUnavailable, Op: "encrypt", What: "the RSA key is too short for the data key and the padding", Cause: err}
	}
	m.WrappedKeys = append(m.WrappedKeys, codec.WrappedKey{ProviderID: k.namespace, ProviderInfo: []byte(k.name), Ciphertext: wrapped})
	return nil
}

func (k *Keyring) wrap(key []byte) ([]byte, error) {
	if k.padding == PKCS1 {
		//lint:ignore SA1019 it is one of the specification's
		return rsa.EncryptPKCS1v15(rand.Reader, k.public, key)
	}
	return rsa.EncryptOAEP(hashes[k.padding](), rand.Reader, k.public, key, nil)
}

func (k *Keyring) unwrap(wrapped []byte) ([]byte, error) {
	if k.padding == PKCS1 {
		//lint:ignore SA1019 it is one of the specification's
		return rsa.DecryptPKCS1v15(nil, k.private, wrapped)
	}
	return rsa.DecryptOAEP(hashes[k.padding](), nil, k.private, wrapped, nil)
}

// OnDecrypt implements [codec.Keyring].
func (k *Keyring) OnDecrypt(ctx context.Context, m *codec.DecryptionMaterials, keys []codec.WrappedKey) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.DataKey.Len() != 0 {
		return errors.New("rawrsa: the materials hold a data key already")
	}
	if k.private == nil {
		return &codec.Error{Kind: codec.ErrKeyUnavailable, Op: "decrypt", What: "the raw RSA keyring has no private key"}
	}
	e := &codec.Error{Kind: codec.ErrUnknownKey, Op: "decrypt"}
	for _, w := range keys {
		if w.ProviderID != k.namespace || string(w.ProviderInfo) != k.name {
			continue
		}
		e.Kind = codec.ErrUnwrap
		key, err := k.unwrap(w.Ciphertext)
		if err == nil && len(key) == m.Suite.KeyLength() {
			m.DataKey = codec.NewDataKey(key)
			return nil
		}
		clear(key)
	}
	return e
}
