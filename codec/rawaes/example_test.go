package rawaes_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/rawaes"
)

// The key of a development keyring, as a policy's raw_aes reads it from the
// environment. Whoever reads the environment opens everything.
func ExampleNew() {
	key, err := base64.StdEncoding.DecodeString("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if err != nil {
		log.Fatal(err)
	}
	ring, err := rawaes.New("development", "key", key)
	if err != nil {
		log.Fatal(err)
	}
	c, err := codec.New(codec.Config{Keyring: ring})
	if err != nil {
		log.Fatal(err)
	}
	raw, err := c.Encrypt(context.Background(), nil, []byte("a secret"), nil)
	if err != nil {
		log.Fatal(err)
	}
	m, err := codec.Parse(raw)
	if err != nil {
		log.Fatal(err)
	}
	plaintext, err := c.Decrypt(context.Background(), nil, m, nil)
	fmt.Printf("%s, %v\n", plaintext, err)
	// Output: a secret, <nil>
}
