package awskms_test

import (
	"context"
	"fmt"
	"log"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/sealtest"
)

// Every value is wrapped under a key of either Region, and either opens it.
// The fake KMS of package sealtest stands in for AWS; with AWS, the configuration is
// that of config.LoadDefaultConfig.
func ExampleNew() {
	ctx := context.Background()
	kms := sealtest.NewKMS()
	defer kms.Close()
	keys := []string{kms.CreateKey("us-east-1"), kms.CreateKey("eu-west-1")}

	in := func(region string) *codec.Codec {
		ring, err := awskms.New(awskms.Config{Keys: keys, Region: region, Client: awskms.Clients(kms.AWSConfig(region)), Degrade: true})
		if err != nil {
			log.Fatal(err)
		}
		c, err := codec.New(codec.Config{Keyring: ring})
		if err != nil {
			log.Fatal(err)
		}
		return c
	}
	raw, err := in("us-east-1").Encrypt(ctx, nil, []byte("a secret"), codec.Context{"account_number": "4000000001"})
	if err != nil {
		log.Fatal(err)
	}
	m, err := codec.Parse(raw)
	if err != nil {
		log.Fatal(err)
	}
	plaintext, err := in("eu-west-1").Decrypt(ctx, nil, m, nil)
	fmt.Printf("%d wrappings: %s, %v\n", len(m.WrappedKeys()), plaintext, err)
	// Output: 2 wrappings: a secret, <nil>
}
