package cache_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/codec/cache"
	"github.com/sealsql/sealsql/sealtest"
)

// Messages under one encryption context share a data key: one call of KMS for
// all of them.
func ExampleNew() {
	kms := sealtest.NewKMS() // stands in for AWS
	defer kms.Close()
	ring, err := awskms.New(awskms.Config{Keys: []string{kms.CreateKey("us-east-1")}, Client: awskms.Clients(kms.AWSConfig("us-east-1"))})
	if err != nil {
		log.Fatal(err)
	}
	materials, err := cache.New(cache.Config{Keyring: ring, MaxAge: 5 * time.Minute, MaxMessages: 10_000})
	if err != nil {
		log.Fatal(err)
	}
	defer materials.Close()
	c, err := codec.New(codec.Config{Materials: materials})
	if err != nil {
		log.Fatal(err)
	}
	for range 100 {
		if _, err := c.Encrypt(context.Background(), nil, []byte("a secret"), codec.Context{"tenant": "acme"}); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(len(kms.Calls()), "call")
	// Output: 1 call
}
