package codec_test

import (
	"bytes"
	"testing"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/rawaes"
)

type ownVector struct {
	SDK       string        `json:"sdk"`
	Suite     string        `json:"suite"`
	Context   codec.Context `json:"encryption_context"`
	Plaintext []byte        `json:"plaintext"`
	Message   []byte        `json:"message"`
}

// readVectors reads the messages that AWS's SDKs made; see interop.
func readVectors(t testing.TB) []ownVector {
	t.Helper()
	var file struct{ Vectors []ownVector }
	readJSON(t, "testdata/vectors.json", &file)
	return file.Vectors
}

func TestVectorsOfTheOfficialSDKs(t *testing.T) {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i)
	}
	ring, err := rawaes.New("interop", "key", key)
	if err != nil {
		t.Fatal(err)
	}
	c := newCodec(t, codec.Config{Keyring: ring, Commitment: codec.CommitmentRequireEncryptAllowDecrypt})
	suites := map[string]int{}
	for i, v := range readVectors(t) {
		m, err := codec.Parse(v.Message)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Decrypt(t.Context(), nil, m, v.Context)
		if err != nil || !bytes.Equal(got, v.Plaintext) || m.Suite().String() != v.Suite {
			t.Errorf("vector %d, suite %s by %s: %v", i, v.Suite, v.SDK, err)
		}
		suites[v.Suite]++
	}
	if len(suites) != 11 {
		t.Errorf("%d suites, want 11", len(suites))
	}
	for s, n := range suites {
		if n != 6 {
			t.Errorf("suite %s: %d vectors, want 6", s, n)
		}
	}
}
