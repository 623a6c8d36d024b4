package main

import (
	"context"
	"errors"
	"time"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
)

// keys makes a data key under each wrapping key and opens it, as the process
// that runs lint may: under the application's role, run it with that role.
func (l *linter) keys(ctx context.Context) error {
	aws, err := awsConfig(ctx)
	if err != nil {
		return err
	}
	for _, name := range l.policy.Keyrings() {
		k, _ := l.policy.Keyring(name)
		if k.KMS == nil {
			continue
		}
		for _, arn := range k.KMS.ARNs {
			parsed, err := awskms.ParseARN(arn)
			if err != nil {
				return err
			}
			within, cancel := context.WithTimeout(ctx, 15*time.Second)
			err = tryKey(within, awskms.Config{Keys: []string{arn}, Region: parsed.Region, Client: awskms.Clients(aws)})
			cancel()
			l.key(k.Line, arn, err)
		}
	}
	return nil
}

func tryKey(ctx context.Context, c awskms.Config) error {
	ring, err := awskms.New(c)
	if err != nil {
		return err
	}
	cd, err := codec.New(codec.Config{Keyring: ring})
	if err != nil {
		return err
	}
	ec := codec.Context{"sealsql:lint": "probe"}
	sealed, err := cd.Encrypt(ctx, nil, nil, ec)
	if err != nil {
		return err
	}
	m, err := codec.Parse(sealed)
	if err != nil {
		return err
	}
	_, err = cd.Decrypt(ctx, nil, m, ec)
	return err
}

func (l *linter) key(line int, arn string, err error) {
	switch {
	case err == nil:
	case errors.Is(err, codec.ErrKeyDenied):
		l.add(lintError, line, "key-denied", arn, "KMS denies this process the key", "grant kms:GenerateDataKey, kms:Encrypt and kms:Decrypt on it to the role; a key policy may ask for an encryption context")
	default:
		l.add(lintError, line, "key-unavailable", arn, "the key cannot be used: it is disabled, pending deletion, not there, or its Region cannot be reached", "check the key's state and the Region's endpoint")
	}
}
