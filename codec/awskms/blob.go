package awskms

import (
	"context"
	"errors"

	"github.com/aws/smithy-go"

	"github.com/sealsql/sealsql/codec"
)

// minBlob is less than any ciphertext of KMS takes, in bytes: its own are 152
// longer than their plaintexts.
const minBlob = 64

// maxBlob is the longest ciphertext that KMS's Decrypt takes, in bytes.
const maxBlob = 6144

// IsBlob reports whether b begins like a ciphertext that KMS's Encrypt returns for a
// symmetric key: a bare ciphertext ("blob") without a message around it. Its form is
// not documented. Blobs begin with 01 01 or 01 02, a version, and 00 78 (base64 "AQECAH",
// "AQICAH", "AQIDAH"); those of before 2016 with 0a 20, 32 bytes, and 12 (base64 "Ci").
// No message of the AWS Encryption SDK begins with either.
func IsBlob(b []byte) bool {
	if len(b) < minBlob {
		return false
	}
	now := b[0] == 1 && (b[1] == 1 || b[1] == 2) && b[3] == 0 && b[4] == 0x78
	old := b[0] == 0x0a && b[1] == 0x20 && b[34] == 0x12
	return now || old
}

// DecryptBlob decrypts a bare ciphertext of KMS's Encrypt under its encryption
// context. A blob does not say which key made it: the keyring's keys are tried in their
// order, after the key that opened the last blob. Calls go through the shield like all
// others. It returns an error that wraps [codec.ErrUnknownKey] if KMS says of every key
// that another made the blob, [codec.ErrUnwrap] if the blob was changed or made under
// another context, or what kept a key from being used. The caller zeroes the plaintext.
func (k *Keyring) DecryptBlob(ctx context.Context, blob []byte, ec codec.Context) ([]byte, error) {
	if len(blob) > maxBlob {
		return nil, &codec.Error{Kind: codec.ErrLimit, Op: "Decrypt", What: "the ciphertext is longer than KMS takes"}
	}
	var errs []error
	var denied error
	first := int(k.lastBlob.Load())
	for n := range k.reads {
		i := n
		if n == 0 {
			i = first
		} else if n <= first {
			i = n - 1
		}
		key := k.reads[i]
		if k.config.LocalOnly && key.Region != k.keys[0].Region {
			denied = failed(codec.ErrKeyUnavailable, "Decrypt", key, "the policy denies reads across Regions", nil)
			continue
		}
		plaintext, err := k.shield.unwrap(ctx, key, blob, ec, k.config.GrantTokens, false)
		if err == nil {
			k.lastBlob.Store(int32(i))
			return plaintext.Bytes(), nil
		}
		if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "IncorrectKeyException" {
			err = failed(codec.ErrUnknownKey, "Decrypt", key, "another key made the ciphertext", api)
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, blobError(errs, denied)
}

// blobError picks the error that says most. As long as a key could not be
// asked, nothing is known of the blob; keys that the policy keeps from being asked count
// only if no other is the blob's.
func blobError(errs []error, denied error) error {
	for _, kind := range []error{codec.ErrKeyUnavailable, codec.ErrKeyDenied, codec.ErrUnwrap} {
		for _, err := range errs {
			if errors.Is(err, kind) {
				return err
			}
		}
	}
	if denied != nil {
		return denied
	}
	return errs[0]
}
