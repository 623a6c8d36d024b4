package codec_test

import (
	"bytes"
	"testing"

	"github.com/sealsql/sealsql/codec"
)

func TestACloneOfAWrappedKeySharesNoMemory(t *testing.T) {
	k := codec.WrappedKey{ProviderID: "aws-kms", ProviderInfo: []byte("info"), Ciphertext: []byte("ciphertext")}
	c := k.Clone()
	clear(k.ProviderInfo) // the base driver uses its buffer again
	clear(k.Ciphertext)
	if c.ProviderID != "aws-kms" || !bytes.Equal(c.ProviderInfo, []byte("info")) || !bytes.Equal(c.Ciphertext, []byte("ciphertext")) {
		t.Errorf("the clone is %q, %q, %q", c.ProviderID, c.ProviderInfo, c.Ciphertext)
	}
}
