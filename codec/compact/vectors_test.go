package compact_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/compact"
)

// vector is a value that interop/node/compact.js sealed.
type vector struct {
	BranchKey, BranchKeyID, Version string
	Table, Column                   string
	Context                         codec.Context
	Plaintext, Value                []byte
}

func readVectors(t *testing.T) []vector {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var out []vector
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestVectorsOfAnotherImplementation(t *testing.T) {
	vectors := readVectors(t)
	for i, v := range vectors {
		branchKey, err := hex.DecodeString(v.BranchKey)
		if err != nil {
			t.Fatal(err)
		}
		version, err := hex.DecodeString(v.Version)
		if err != nil {
			t.Fatal(err)
		}
		at := compact.Location{Table: v.Table, Column: v.Column}
		k, err := compact.Derive(branchKey, v.BranchKeyID, [16]byte(version), at)
		if err != nil {
			t.Fatal(err)
		}
		c, err := compact.New(compact.Config{Keys: ring{k}, Location: at})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Open(t.Context(), nil, v.Value, v.Context); err != nil || !bytes.Equal(got, v.Plaintext) {
			t.Errorf("vector %d: %q, %v", i, got, err)
		}
		v.Context = codec.Context{"account_number": "0"}
		if got, err := c.Open(t.Context(), nil, v.Value, v.Context); !errors.Is(err, codec.ErrUnauthentic) || got != nil {
			t.Errorf("vector %d under another context: %q, %v", i, got, err)
		}
	}
	if len(vectors) != 16 {
		t.Errorf("%d vectors", len(vectors))
	}
}
