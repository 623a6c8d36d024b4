package codec_test

import (
	"testing"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/internal/testing/barecrypto"
)

// sizes are those of the plaintexts in bytes.
var sizes = []struct {
	name string
	n    int
}{{"11B", 11}, {"32B", 32}, {"1KiB", 1024}}

// roundTrip returns a function that encrypts and decrypts a value of n bytes.
func roundTrip(b *testing.B, c *codec.Codec, n int) func() error {
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

func loop(b *testing.B, f func() error) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRoundTrip encrypts and decrypts one value under a raw AES keyring.
func BenchmarkRoundTrip(b *testing.B) {
	for _, s := range sizes {
		b.Run(s.name, func(b *testing.B) { loop(b, roundTrip(b, newCodec(b, codec.Config{}), s.n)) })
	}
}

// bare returns the bare cryptography of roundTrip.
func bare(n int) func() error {
	bare, plaintext := barecrypto.RawAES(), make([]byte, n)
	var m barecrypto.Message
	return func() error {
		bare.Encrypt(&m, plaintext)
		bare.Decrypt(nil, &m)
		return nil
	}
}

// BenchmarkFloor is the bare cryptography of BenchmarkRoundTrip.
func BenchmarkFloor(b *testing.B) {
	for _, s := range sizes {
		b.Run(s.name, func(b *testing.B) { loop(b, bare(s.n)) })
	}
}

// BenchmarkOverFloor runs both in turn and says how many times the bare
// cryptography sealsql takes.
func BenchmarkOverFloor(b *testing.B) {
	for _, s := range sizes {
		b.Run(s.name, func(b *testing.B) {
			t := barecrypto.Measure(b, barecrypto.Side{N: 20, Do: roundTrip(b, newCodec(b, codec.Config{}), s.n)}, barecrypto.Side{N: 20, Do: bare(s.n)})
			b.ReportMetric(t[0], "ns/sealsql")
			b.ReportMetric(t[1], "ns/floor")
			b.ReportMetric(t[0]/t[1], "times-floor")
		})
	}
}
