package sealtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/rawaes"
)

// Keyring returns the keyring of tests: a raw AES key in memory that is the
// same in every process and every version, so that ciphertexts in golden files
// stay readable. Everyone knows the key: it protects nothing.
func Keyring() codec.Keyring { return KeyringFrom("sealtest") }

// KeyringFrom returns a keyring whose key is SHA-256 of the seed: the same
// seed gives the same key, another one a key that opens nothing of it.
func KeyringFrom(seed string) codec.Keyring {
	key := sha256.Sum256([]byte("sealtest key\x00" + seed))
	return rawKeyring(seed, key[:])
}

// RandomKeyring returns a keyring that no other call returns.
func RandomKeyring() codec.Keyring {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return rawKeyring(rand.Text(), key)
}

// kitKeyring is the keyring of a kit. Each branch key that a policy names for equality
// terms has a beacon key of its own.
type kitKeyring struct{ codec.Keyring }

var _ codec.Beacons = (*kitKeyring)(nil)

// Beacon implements codec.Beacons.
func (k *kitKeyring) Beacon(ctx context.Context, id string, use func(*codec.BeaconKey) error) error {
	of := k.Keyring
	if id != "" {
		of = KeyringFrom("beacon " + id)
	}
	return of.(codec.Beacons).Beacon(ctx, "", use)
}

func rawKeyring(name string, key []byte) codec.Keyring {
	k, err := rawaes.New("sealtest", name, key)
	if err != nil {
		panic("sealtest: " + err.Error()) // only a name of 64 KiB gets here
	}
	return k
}
