package branchkey_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/branchkey"
)

// staticKMS unwraps to the branch key of the vectors, and expects the item's
// own context.
type staticKMS struct {
	benchKMS
	t       *testing.T
	key     []byte
	version string
}

func (k staticKMS) Unwrap(_ context.Context, _ string, _ []byte, ec codec.Context) (codec.DataKey, error) {
	if ec["type"] != "branch:version:"+k.version {
		k.t.Errorf("a branch key is unwrapped under %v", ec)
	}
	return codec.NewDataKey(bytes.Clone(k.key)), nil
}

// TestOfficialHierarchyVectors decrypts what AWS's SDK wrote under a static
// branch key. The vectors are not part of the repository.
func TestOfficialHierarchyVectors(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "shared", "vectors", "hierarchy")
	if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
		t.Skip("the official vectors are not beside this checkout")
	}
	read := func(name string) []byte {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(folder, strings.TrimPrefix(name, "file://")))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var keys map[string]struct {
		ID      string `json:"key-id"`
		Version string `json:"branchKeyVersion"`
		Key     []byte `json:"branchKey"`
	}
	var manifest struct {
		Tests map[string]map[string]struct {
			Ciphertext, Result string
			Suite              string `json:"algorithmSuiteId"`
			Key                struct {
				Key string
			} `json:"decryptKeyDescription"`
			Context codec.Context `json:"reproduced-encryption-context"`
		}
	}
	for name, into := range map[string]any{"keys.json": &keys, "decrypt-manifest.json": &manifest} {
		if err := json.Unmarshal(read(name), into); err != nil {
			t.Fatal(err)
		}
	}
	ran := 0
	for name, scenarios := range manifest.Tests {
		v := scenarios["decryption-scenario"]
		k, ok := keys[v.Key.Key]
		if !ok {
			t.Fatalf("%s: there is no key %q", name, v.Key.Key)
		}
		store, err := branchkey.NewFileStore(filepath.Join(t.TempDir(), "keys.json"))
		if err != nil {
			t.Fatal(err)
		}
		item := branchkey.Item{BranchKeyID: k.ID, Type: "branch:version:" + k.Version, Wrapped: []byte("wrapped"), KeyARN: "arn", CreateTime: "2024-01-01T00:00:00.000000Z"}
		if err := store.Create(t.Context(), []branchkey.Item{item}); err != nil {
			t.Fatal(err)
		}
		cache, err := branchkey.NewCache(branchkey.CacheConfig{Keys: branchkey.NewKeys(store, staticKMS{t: t, key: k.Key, version: k.Version}), TTL: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cache.Close)
		ring, err := branchkey.New(cache, k.ID)
		if err != nil {
			t.Fatal(err)
		}
		c, err := codec.New(codec.Config{Keyring: ring, Commitment: codec.CommitmentRequireEncryptAllowDecrypt})
		if err != nil {
			t.Fatal(err)
		}
		m, err := codec.Parse(read(v.Ciphertext))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := c.Decrypt(t.Context(), nil, m, v.Context)
		if err != nil || !bytes.Equal(got, read(v.Result)) || m.Suite().String() != v.Suite {
			t.Errorf("%s, suite %s: %v", name, v.Suite, err)
		}
		ran++
	}
	if ran != 4 {
		t.Errorf("ran %d vectors, want 4", ran)
	}
}
