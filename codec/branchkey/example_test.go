package branchkey_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/sealtest"
)

// Values of many rows, each bound to its own, under one branch key: KMS is
// asked when the branch key is made and when it is first used.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "branchkey")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	kms := sealtest.NewKMS() // stands in for AWS
	defer kms.Close()
	shield, err := awskms.NewShield(awskms.ShieldConfig{Client: awskms.Clients(kms.AWSConfig("us-east-1"))})
	if err != nil {
		log.Fatal(err)
	}
	defer shield.Close()
	wrapper, err := awskms.NewWrapper(awskms.WrapperConfig{Shield: shield, Keys: []string{kms.CreateKey("us-east-1")}, Region: "us-east-1"})
	if err != nil {
		log.Fatal(err)
	}
	store, err := branchkey.NewFileStore(filepath.Join(dir, "keys.json")) // NewSQLStore in production
	if err != nil {
		log.Fatal(err)
	}
	keys := branchkey.NewKeys(store, wrapper)
	if _, err := keys.Create(ctx, "customers", nil); err != nil {
		log.Fatal(err)
	}

	cache, err := branchkey.NewCache(branchkey.CacheConfig{Keys: keys, TTL: 5 * time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	defer cache.Close()
	ring, err := branchkey.New(cache, "customers")
	if err != nil {
		log.Fatal(err)
	}
	c, err := codec.New(codec.Config{Keyring: ring})
	if err != nil {
		log.Fatal(err)
	}
	before := len(kms.Calls())
	for i := range 1000 {
		if _, err := c.Encrypt(ctx, nil, []byte("a secret"), codec.Context{"account_number": fmt.Sprint(i)}); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(len(kms.Calls())-before, "call for 1000 values")
	// Output: 1 call for 1000 values
}
