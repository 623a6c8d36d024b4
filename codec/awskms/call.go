package awskms

import (
	"bytes"
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/internal/keyservice"
)

// Client is the part of a KMS client that a [Shield] needs; [kms.Client] has it.
type Client interface {
	GenerateDataKey(context.Context, *kms.GenerateDataKeyInput, ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error)
	GenerateDataKeyWithoutPlaintext(context.Context, *kms.GenerateDataKeyWithoutPlaintextInput, ...func(*kms.Options)) (*kms.GenerateDataKeyWithoutPlaintextOutput, error)
	Encrypt(context.Context, *kms.EncryptInput, ...func(*kms.Options)) (*kms.EncryptOutput, error)
	Decrypt(context.Context, *kms.DecryptInput, ...func(*kms.Options)) (*kms.DecryptOutput, error)
	ReEncrypt(context.Context, *kms.ReEncryptInput, ...func(*kms.Options)) (*kms.ReEncryptOutput, error)
}

var _ Client = (*kms.Client)(nil)

// request returns a request for an operation of KMS under a key.
func request[T any](key ARN, operation string, run func(context.Context, Client) (T, error)) keyservice.Request[Client, T] {
	return keyservice.Request[Client, T]{Endpoint: key.Region, Key: key.String(), Operation: operation, Run: run}
}

func failed(kind error, operation string, key ARN, what string, cause error) error {
	return &codec.Error{Kind: kind, Op: operation, What: what, Region: key.Region, KeyARN: key.String(), Cause: cause}
}

// wrongAnswer says that KMS answered with something else than it was asked for.
func wrongAnswer(kind error, operation string, key ARN) error {
	return failed(kind, operation, key, "the answer is not one of the key asked for", nil)
}

// names reports whether KMS answered with the key that was asked for.
func names(key ARN, answer *string) bool { return answer != nil && *answer == key.String() }

// wraps reports whether KMS would take a ciphertext that it answered with back.
func wraps(blob []byte) bool { return len(blob) > 0 && len(blob) <= maxBlob }

// decrypt unwraps a blob.
func (s *Shield) decrypt(ctx context.Context, key ARN, blob []byte, ec codec.Context, grants []string, alternative bool) ([]byte, error) {
	q := request(key, "Decrypt", func(ctx context.Context, c Client) (*kms.DecryptOutput, error) {
		return c.Decrypt(ctx, &kms.DecryptInput{KeyId: aws.String(key.String()), CiphertextBlob: blob, EncryptionContext: ec, GrantTokens: grants})
	})
	q.Discard = func(o *kms.DecryptOutput) { clear(o.Plaintext) }
	q.Alternative, q.Slow = alternative, s.service.Config().SlowRead
	out, err := keyservice.Send(ctx, s.service, q)
	if err != nil {
		return nil, err
	}
	if !names(key, out.KeyId) || len(out.Plaintext) == 0 { // KMS wraps no empty text
		clear(out.Plaintext)
		return nil, wrongAnswer(codec.ErrKeyUnavailable, q.Operation, key)
	}
	return out.Plaintext, nil
}

// encrypt wraps a key under another.
func (s *Shield) encrypt(ctx context.Context, key ARN, plain codec.DataKey, ec codec.Context, grants []string, alternative bool) ([]byte, error) {
	// The call may outlive its caller, who zeroes the key: it has its own copy.
	own := keyservice.NewLease(bytes.Clone(plain.Bytes()))
	defer own.Release()
	ask := func(ctx context.Context, c Client, plaintext []byte) (*kms.EncryptOutput, error) {
		return c.Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String(key.String()), Plaintext: plaintext, EncryptionContext: ec, GrantTokens: grants})
	}
	q := request(key, "Encrypt", func(ctx context.Context, c Client) (*kms.EncryptOutput, error) { return ask(ctx, c, own.Bytes()) })
	q.Secret = own
	q.Probe = func(ctx context.Context, c Client) error {
		_, err := ask(ctx, c, []byte("sealsql probe"))
		return err
	}
	q.Alternative, q.Slow = alternative, s.service.Config().SlowWrite
	out, err := keyservice.Send(ctx, s.service, q)
	switch {
	case err != nil:
		return nil, err
	case !names(key, out.KeyId) || !wraps(out.CiphertextBlob):
		return nil, wrongAnswer(codec.ErrKeyUnavailable, q.Operation, key)
	}
	return out.CiphertextBlob, nil
}

// generate makes a data key of length bytes.
func (s *Shield) generate(ctx context.Context, key ARN, length int, ec codec.Context, grants []string, alternative bool) (*kms.GenerateDataKeyOutput, error) {
	q := request(key, "GenerateDataKey", func(ctx context.Context, c Client) (*kms.GenerateDataKeyOutput, error) {
		return c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: aws.String(key.String()),
			NumberOfBytes: aws.Int32(int32(length)), EncryptionContext: ec, GrantTokens: grants})
	})
	q.Discard = func(o *kms.GenerateDataKeyOutput) { clear(o.Plaintext) }
	q.Alternative, q.Slow = alternative, s.service.Config().SlowWrite
	out, err := keyservice.Send(ctx, s.service, q)
	if err != nil {
		return nil, err
	}
	if len(out.Plaintext) != length || !names(key, out.KeyId) || !wraps(out.CiphertextBlob) {
		clear(out.Plaintext)
		return nil, wrongAnswer(codec.ErrKeyUnavailable, q.Operation, key)
	}
	return out, nil
}

// renew has the SDK's client ask for its credentials anew.
func renew(c Client) {
	client, ok := c.(*kms.Client)
	if !ok {
		return
	}
	if cache, ok := client.Options().Credentials.(interface{ Invalidate() }); ok {
		cache.Invalidate() // an [aws.CredentialsCache]
	}
}

// classify returns the outcome and the sentinel of an error of an operation of KMS.
func classify(operation string, err error) (keyservice.Outcome, error) {
	var api smithy.APIError
	switch {
	case err == nil:
		return keyservice.OK, nil
	case !errors.As(err, &api):
		return keyservice.Unavailable, codec.ErrKeyUnavailable // network, timeout, no credentials
	}
	switch api.ErrorCode() {
	case "AccessDeniedException", "AccessDenied", "InvalidGrantTokenException":
		return keyservice.Denied, codec.ErrKeyDenied
	case "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch":
		return keyservice.Unproven, codec.ErrKeyDenied // the SDK corrects its clock after these
	case "ExpiredTokenException", "ExpiredToken", "RequestExpired", "RequestTimeTooSkewed":
		return keyservice.Unproven, codec.ErrKeyUnavailable
	case "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "LimitExceededException":
		return keyservice.Throttled, codec.ErrKeyThrottled
	case "InvalidCiphertextException", "IncorrectKeyException", "InvalidCiphertext":
		return keyservice.InvalidCiphertext, codec.ErrUnwrap
	case "ValidationException":
		// The request itself is at fault: its context is too long, or the stored
		// ciphertext was never made by KMS.
		if operation == "Decrypt" || operation == "ReEncrypt" {
			return keyservice.InvalidCiphertext, codec.ErrUnwrap
		}
		return keyservice.Unusable, codec.ErrInvalidContext
	case "DisabledException", "KMSInvalidStateException", "NotFoundException", "KeyUnavailableException", "InvalidKeyUsageException":
		return keyservice.Unusable, codec.ErrKeyUnavailable // this key; the Region answers
	}
	var invalid *types.InvalidCiphertextException
	if errors.As(err, &invalid) {
		return keyservice.InvalidCiphertext, codec.ErrUnwrap
	}
	var status interface{ HTTPStatusCode() int }
	if errors.As(err, &status) && status.HTTPStatusCode() < 500 {
		return keyservice.Unusable, codec.ErrKeyUnavailable
	}
	return keyservice.Unavailable, codec.ErrKeyUnavailable
}
