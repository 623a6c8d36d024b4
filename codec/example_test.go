package codec_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/rawaes"
)

// A value is bound to its row by the encryption context: it opens there and
// nowhere else.
func Example() {
	ctx := context.Background()
	ring, err := rawaes.New("development", "key", make([]byte, 32)) // codec/awskms in production
	if err != nil {
		log.Fatal(err)
	}
	c, err := codec.New(codec.Config{Keyring: ring})
	if err != nil {
		log.Fatal(err)
	}
	row := codec.Context{"account_number": "4000000001"}
	raw, err := c.Encrypt(ctx, nil, []byte("a secret"), row)
	if err != nil {
		log.Fatal(err)
	}

	m, err := codec.Parse(raw)
	if err != nil {
		log.Fatal(err)
	}
	plaintext, err := c.Decrypt(ctx, nil, m, row)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", plaintext)

	_, err = c.Decrypt(ctx, nil, m, codec.Context{"account_number": "4000000002"})
	fmt.Println(errors.Is(err, codec.ErrContextMismatch))
	// Output:
	// a secret
	// true
}

// A message's header is readable without any key.
func ExampleParse() {
	ring, err := rawaes.New("development", "key", make([]byte, 32))
	if err != nil {
		log.Fatal(err)
	}
	c, err := codec.New(codec.Config{Keyring: ring})
	if err != nil {
		log.Fatal(err)
	}
	raw, err := c.Encrypt(context.Background(), nil, []byte("a secret"), codec.Context{"account_number": "4000000001"})
	if err != nil {
		log.Fatal(err)
	}
	m, err := codec.Parse(raw)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("version", m.Version(), "suite", m.Suite())
	fmt.Println(m.Context())
	fmt.Println(len(m.WrappedKeys()), "wrapped key of", m.WrappedKeys()[0].ProviderID)
	// Output:
	// version 2 suite 0478
	// map[account_number:4000000001]
	// 1 wrapped key of development
}
