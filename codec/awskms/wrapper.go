package awskms

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/internal/keyservice"
)

// Wrapper wraps branch keys under KMS keys; it is package branchkey's KMS. It
// is immutable and safe for concurrent use.
type Wrapper struct {
	shield *Shield
	keys   []ARN
	reads  []ARN // keys, then those that only read
	local  bool
	region string
	grants []string
}

// WrapperConfig describes a [Wrapper]: the fields are those of [Config].
type WrapperConfig struct {
	Shield      *Shield
	Keys        []string
	ReadKeys    []string
	Region      string
	LocalOnly   bool
	GrantTokens []string
}

// NewWrapper checks the configuration and returns a wrapper. KMS is not called.
func NewWrapper(c WrapperConfig) (*Wrapper, error) {
	if c.Shield == nil {
		return nil, errors.New("awskms: a wrapper needs a Shield")
	}
	keys, err := resolve(c.Keys, c.Region)
	if err != nil {
		return nil, err
	}
	reads, err := resolve(append(slices.Clone(c.Keys), c.ReadKeys...), "")
	if err != nil {
		return nil, err
	}
	return &Wrapper{shield: c.Shield, keys: keys, reads: append(slices.Clone(keys), reads[len(keys):]...),
		local: c.LocalOnly, region: keys[0].Region, grants: c.GrantTokens}, nil
}

// Keys lists the wrapping keys, the process's Region's first.
func (w *Wrapper) Keys() []string {
	out := make([]string, len(w.keys))
	for i, k := range w.keys {
		out[i] = k.String()
	}
	return out
}

// Rank says whether the key is one of the wrapper's, or a replica of one, and
// how near it is.
func (w *Wrapper) Rank(key string) (int, bool) {
	arn, err := ParseARN(key)
	if err != nil {
		return 0, false
	}
	for i, own := range w.reads {
		if own.Matches(arn) {
			return i, true
		}
	}
	return 0, false
}

// resolve returns the wrapper's key for the key ARN of an item.
func (w *Wrapper) resolve(key string) (ARN, error) {
	i, ok := w.Rank(key)
	if !ok {
		return ARN{}, &codec.Error{Kind: codec.ErrUnknownKey, What: "the branch key is wrapped under another key", KeyARN: key}
	}
	return w.reads[i], nil
}

// Generate makes a key of n bytes and returns it wrapped; it is not seen here.
func (w *Wrapper) Generate(ctx context.Context, key string, n int, ec codec.Context) ([]byte, error) {
	arn, err := w.resolve(key)
	if err != nil {
		return nil, err
	}
	ask := func(ctx context.Context, c Client) (*kms.GenerateDataKeyWithoutPlaintextOutput, error) {
		return c.GenerateDataKeyWithoutPlaintext(ctx, &kms.GenerateDataKeyWithoutPlaintextInput{KeyId: aws.String(arn.String()),
			NumberOfBytes: aws.Int32(int32(n)), EncryptionContext: ec, GrantTokens: w.grants})
	}
	const operation = "GenerateDataKeyWithoutPlaintext"
	out, err := keyservice.Send(ctx, w.shield.service, request(arn, operation, ask))
	if err != nil {
		return nil, err
	}
	return answerOf(arn, operation, out.KeyId, out.CiphertextBlob)
}

// ReEncrypt binds a wrapped key to another context, under the same key.
func (w *Wrapper) ReEncrypt(ctx context.Context, key string, wrapped []byte, from, to codec.Context) ([]byte, error) {
	arn, err := w.resolve(key)
	if err != nil {
		return nil, err
	}
	ask := func(ctx context.Context, c Client) (*kms.ReEncryptOutput, error) {
		id := aws.String(arn.String())
		return c.ReEncrypt(ctx, &kms.ReEncryptInput{CiphertextBlob: wrapped, SourceKeyId: id, SourceEncryptionContext: from,
			DestinationKeyId: id, DestinationEncryptionContext: to, GrantTokens: w.grants})
	}
	out, err := keyservice.Send(ctx, w.shield.service, request(arn, "ReEncrypt", ask))
	if err != nil {
		return nil, err
	}
	return answerOf(arn, "ReEncrypt", out.KeyId, out.CiphertextBlob)
}

func answerOf(key ARN, operation string, id *string, blob []byte) ([]byte, error) {
	if !names(key, id) || !wraps(blob) {
		return nil, wrongAnswer(codec.ErrKeyUnavailable, operation, key)
	}
	return blob, nil
}

// Wrap wraps a key under one of the wrapper's.
func (w *Wrapper) Wrap(ctx context.Context, key string, plain codec.DataKey, ec codec.Context) ([]byte, error) {
	arn, err := w.resolve(key)
	if err != nil {
		return nil, err
	}
	return w.shield.encrypt(ctx, arn, plain, ec, w.grants, false)
}

// Unwrap unwraps a key. For a multi-Region key it asks the wrapper's own replica first
// and, if that cannot be reached, the replica that wrapped the key.
func (w *Wrapper) Unwrap(ctx context.Context, key string, wrapped []byte, ec codec.Context) (codec.DataKey, error) {
	arn, err := w.resolve(key)
	if err != nil {
		return codec.DataKey{}, err
	}
	named, _ := ParseARN(key) // own has read it
	if w.local && arn.Region != w.region {
		return codec.DataKey{}, failed(codec.ErrKeyUnavailable, "Decrypt", arn, "the policy denies reads across Regions", nil)
	}
	elsewhere := named != arn && !w.local
	plain, err := w.shield.unwrap(ctx, arn, wrapped, ec, w.grants, elsewhere)
	if elsewhere && ctx.Err() == nil && errors.Is(err, codec.ErrKeyUnavailable) {
		return w.shield.unwrap(ctx, named, wrapped, ec, w.grants, false)
	}
	return plain, err
}
