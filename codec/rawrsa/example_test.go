package rawrsa_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"log"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/rawrsa"
)

// A keyring that only writes has no private key.
func ExampleNew() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}
	withKeys := func(public *rsa.PublicKey, private *rsa.PrivateKey) *codec.Codec {
		ring, err := rawrsa.New("partners", "2026", rawrsa.OAEPSHA256, public, private)
		if err != nil {
			log.Fatal(err)
		}
		c, err := codec.New(codec.Config{Keyring: ring})
		if err != nil {
			log.Fatal(err)
		}
		return c
	}
	raw, err := withKeys(&key.PublicKey, nil).Encrypt(context.Background(), nil, []byte("a secret"), nil)
	if err != nil {
		log.Fatal(err)
	}
	m, err := codec.Parse(raw)
	if err != nil {
		log.Fatal(err)
	}
	plaintext, err := withKeys(nil, key).Decrypt(context.Background(), nil, m, nil)
	fmt.Printf("%s, %v\n", plaintext, err)
	// Output: a secret, <nil>
}
