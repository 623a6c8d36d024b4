package branchkey_test

import (
	"context"
	"testing"
	"time"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/internal/testing/barecrypto"
)

// benchKMS wraps nothing: it stands in for KMS, which is asked once.
type benchKMS struct{}

func (benchKMS) Keys() []string          { return []string{"arn"} }
func (benchKMS) Rank(string) (int, bool) { return 0, true }
func (benchKMS) Generate(context.Context, string, int, codec.Context) ([]byte, error) {
	return []byte("wrapped"), nil
}
func (benchKMS) ReEncrypt(context.Context, string, []byte, codec.Context, codec.Context) ([]byte, error) {
	return []byte("wrapped anew"), nil
}
func (benchKMS) Wrap(context.Context, string, codec.DataKey, codec.Context) ([]byte, error) {
	return []byte("wrapped"), nil
}
func (benchKMS) Unwrap(context.Context, string, []byte, codec.Context) (codec.DataKey, error) {
	return codec.NewDataKey(make([]byte, 32)), nil
}

var benchSizes = []struct {
	name string
	n    int
}{{"11B", 11}, {"1KiB", 1024}}

func warmTrip(b *testing.B, n int) func() error {
	b.Helper()
	store, err := branchkey.NewFileStore(b.TempDir() + "/keys.json")
	if err != nil {
		b.Fatal(err)
	}
	keys := branchkey.NewKeys(store, benchKMS{})
	if _, err := keys.Create(b.Context(), "b0a56bf0-1c9d-4a1c-8bfa-0f6a3b6d1c4e", map[string]string{"tenant": "acme"}); err != nil {
		b.Fatal(err)
	}
	cache, err := branchkey.NewCache(branchkey.CacheConfig{Keys: keys, TTL: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(cache.Close)
	ring, err := branchkey.New(cache, "b0a56bf0-1c9d-4a1c-8bfa-0f6a3b6d1c4e")
	if err != nil {
		b.Fatal(err)
	}
	c, err := codec.New(codec.Config{Keyring: ring})
	if err != nil {
		b.Fatal(err)
	}
	plaintext, ec := make([]byte, n), codec.Context{"account_number": "1234567890"}
	return func() error {
		msg, err := c.Encrypt(b.Context(), nil, plaintext, ec)
		if err != nil {
			return err
		}
		m, err := codec.Parse(msg)
		if err != nil {
			return err
		}
		_, err = c.Decrypt(b.Context(), nil, m, ec)
		return err
	}
}

// BenchmarkRoundTrip encrypts and decrypts one value under a branch key that
// is in memory.
func BenchmarkRoundTrip(b *testing.B) {
	for _, s := range benchSizes {
		b.Run(s.name, func(b *testing.B) {
			trip := warmTrip(b, s.n)
			b.ReportAllocs()
			for b.Loop() {
				if err := trip(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOverFloor runs it and the bare cryptography in turn, and says how
// many times the latter it takes.
func BenchmarkOverFloor(b *testing.B) {
	for _, s := range benchSizes {
		b.Run(s.name, func(b *testing.B) {
			bare, plaintext := barecrypto.Branch(), make([]byte, s.n)
			var m barecrypto.Message
			t := barecrypto.Measure(b, barecrypto.Side{N: 50, Do: warmTrip(b, s.n)}, barecrypto.Side{N: 50, Do: func() error {
				bare.Encrypt(&m, plaintext)
				bare.Decrypt(nil, &m)
				return nil
			}})
			b.ReportMetric(t[0], "ns/sealsql")
			b.ReportMetric(t[1], "ns/floor")
			b.ReportMetric(t[0]/t[1], "times-floor")
		})
	}
}
