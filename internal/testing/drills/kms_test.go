package drills

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
)

func encrypt(t testing.TB, c *kms.Client, arn string) []byte {
	t.Helper()
	out, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	return out.CiphertextBlob
}

func decrypt(t testing.TB, c *kms.Client, arn string, blob []byte) {
	t.Helper()
	if _, err := c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &arn, CiphertextBlob: blob}); err != nil {
		t.Fatal(err)
	}
}
