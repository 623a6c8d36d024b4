package codec_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/rawaes"
)

// officialVectors is where the official vectors lie beside a developer's
// checkout. They are not part of the repository.
const officialVectors = "../../shared/vectors"

func official(t *testing.T, name string) string {
	t.Helper()
	if _, err := os.Stat(officialVectors); errors.Is(err, os.ErrNotExist) {
		t.Skip("the official vectors are not beside this checkout")
	}
	return filepath.Join(officialVectors, name)
}

func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// staticKeyring hands out one data key, whatever wraps it.
type staticKeyring struct{ key []byte }

func (k staticKeyring) OnEncrypt(_ context.Context, m *codec.EncryptionMaterials) error {
	m.DataKey = codec.NewDataKey(bytes.Clone(k.key))
	m.WrappedKeys = append(m.WrappedKeys, codec.WrappedKey{ProviderID: "static"})
	return nil
}

func (k staticKeyring) OnDecrypt(_ context.Context, m *codec.DecryptionMaterials, _ []codec.WrappedKey) error {
	m.DataKey = codec.NewDataKey(bytes.Clone(k.key))
	return nil
}

func TestOfficialCommitmentVectors(t *testing.T) {
	var file struct {
		Tests []struct {
			Ciphertext string            `json:"ciphertext"`
			DataKey    string            `json:"decrypted-dek"`
			Status     any               `json:"status"`
			Frames     []string          `json:"plaintext-frames"`
			Context    map[string]string `json:"encryption-context"`
			Comment    string            `json:"comment"`
		}
	}
	readJSON(t, official(t, "commitment-test-vectors.python.json"), &file)
	good, bad := 0, 0
	for _, v := range file.Tests {
		m, err := codec.Parse(decode(t, v.Ciphertext))
		if err != nil {
			t.Fatalf("%s: %v", v.Comment, err)
		}
		c, err := codec.New(codec.Config{Keyring: staticKeyring{decode(t, v.DataKey)}, MaxWrappedKeys: 1000})
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Decrypt(t.Context(), nil, m, nil)
		switch {
		case v.Status == true:
			good++
			if err != nil || string(got) != strings.Join(v.Frames, "") {
				t.Errorf("%s: %v", v.Comment, err)
			}
		default:
			bad++
			if !errors.Is(err, codec.ErrTampered) || len(got) > 0 {
				t.Errorf("%s: accepted, or the wrong error: %v", v.Comment, err)
			}
		}
	}
	if good != 41 || bad != 5 {
		t.Errorf("ran %d good and %d bad vectors, want 41 and 5", good, bad)
	}
}

func decode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type manifest struct {
	Tests map[string]struct {
		Ciphertext string `json:"ciphertext"`
		MasterKeys []struct {
			Type, Key  string
			ProviderID string `json:"provider-id"`
			Algorithm  string `json:"encryption-algorithm"`
		} `json:"master-keys"`
		CMM     string            `json:"cmm"`
		Context map[string]string `json:"encryption-context"`
		Result  struct {
			Output struct{ Plaintext string }
		}
	}
}

func TestOfficialManifests(t *testing.T) {
	for _, set := range []struct {
		folder          string
		parsed, decrypt int
	}{{"v4-Net-4.0.1", 132, 33}, {"valid-Net-4.0.0", 5, 5}} {
		t.Run(set.folder, func(t *testing.T) {
			folder := official(t, set.folder)
			var man manifest
			name := filepath.Join(folder, "manifest.json")
			readJSON(t, name, &man)
			var keys struct {
				Keys map[string]struct {
					Material string
					KeyID    string `json:"key-id"`
				}
			}
			readJSON(t, filepath.Join(folder, "keys.json"), &keys)
			parsed, decrypted := 0, 0
			for name, v := range man.Tests {
				raw, err := os.ReadFile(filepath.Join(folder, strings.TrimPrefix(v.Ciphertext, "file://")))
				if err != nil {
					t.Fatal(err)
				}
				m, err := codec.Parse(raw)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				parsed++
				k := v.MasterKeys[0]
				if k.Type != "raw" || k.Algorithm != "aes" {
					continue
				}
				ring, err := rawaes.New(k.ProviderID, keys.Keys[k.Key].KeyID, decode(t, keys.Keys[k.Key].Material))
				if err != nil {
					t.Fatal(err)
				}
				c, err := codec.New(codec.Config{Keyring: ring, Commitment: codec.CommitmentRequireEncryptAllowDecrypt})
				if err != nil {
					t.Fatal(err)
				}
				want, err := os.ReadFile(filepath.Join(folder, strings.TrimPrefix(v.Result.Output.Plaintext, "file://")))
				if err != nil {
					t.Fatal(err)
				}
				got, err := c.Decrypt(t.Context(), nil, m, v.Context)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %v", name, err)
				}
				decrypted++
			}
			if parsed != set.parsed || decrypted != set.decrypt {
				t.Errorf("parsed %d and decrypted %d, want %d and %d", parsed, decrypted, set.parsed, set.decrypt)
			}
		})
	}
}
