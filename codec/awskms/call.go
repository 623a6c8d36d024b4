package awskms

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/sealsql/sealsql/codec"
)

// Client is what the keyring needs of a KMS client; [kms.Client] has it.
type Client interface {
	GenerateDataKey(context.Context, *kms.GenerateDataKeyInput, ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error)
	Encrypt(context.Context, *kms.EncryptInput, ...func(*kms.Options)) (*kms.EncryptOutput, error)
	Decrypt(context.Context, *kms.DecryptInput, ...func(*kms.Options)) (*kms.DecryptOutput, error)
}

var _ Client = (*kms.Client)(nil)

// Call describes one call of KMS, for metrics.
type Call struct {
	Region, Operation string
	// Outcome is "ok", "denied", "throttled", "invalid_ciphertext", "canceled"
	// or "unavailable".
	Outcome  string
	Duration time.Duration
}

// guarded carries out one call in a Region: at most attempt long, and not at
// all while the Region's circuit breaker is open.
func guarded[T any](ctx context.Context, k *Keyring, key ARN, operation string, f func(context.Context) (T, error)) (T, error) {
	var none T
	b := k.breaker(key.Region)
	if !b.allow() {
		return none, failed(codec.ErrKeyUnavailable, operation, key, "KMS in this Region failed before and is tried again shortly", nil)
	}
	began := time.Now()
	within, cancel := context.WithTimeout(ctx, k.config.AttemptTimeout)
	defer cancel()
	out, err := f(within)
	outcome, kind := classify(err)
	if ctx.Err() != nil && err != nil {
		outcome = "canceled"
	}
	if k.config.OnCall != nil {
		k.config.OnCall(Call{key.Region, operation, outcome, time.Since(began)})
	}
	b.done(outcome)
	switch {
	case err == nil:
		return out, nil
	case outcome == "canceled":
		return none, failed(codec.ErrKeyUnavailable, operation, key, "the caller's deadline passed or the caller gave up", ctx.Err())
	}
	return none, failed(kind, operation, key, "", err)
}

func failed(kind error, operation string, key ARN, what string, cause error) error {
	return &codec.Error{Kind: kind, Op: operation, What: what, Offset: -1, Region: key.Region, KeyARN: key.String(), Cause: cause}
}

// classify says what an error of KMS means.
func classify(err error) (outcome string, kind error) {
	var api smithy.APIError
	switch {
	case err == nil:
		return "ok", nil
	case !errors.As(err, &api):
		return "unavailable", codec.ErrKeyUnavailable // network, timeout, no credentials
	}
	switch api.ErrorCode() {
	case "AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException", "InvalidGrantTokenException":
		return "denied", codec.ErrKeyDenied
	case "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "LimitExceededException":
		return "throttled", codec.ErrKeyThrottled
	case "InvalidCiphertextException", "IncorrectKeyException", "InvalidCiphertext":
		return "invalid_ciphertext", codec.ErrUnwrap
	}
	var invalid *types.InvalidCiphertextException
	if errors.As(err, &invalid) {
		return "invalid_ciphertext", codec.ErrUnwrap
	}
	return "unavailable", codec.ErrKeyUnavailable
}
