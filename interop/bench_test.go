package interop

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"os"
	"testing"
	"text/tabwriter"
	"time"

	mpl "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygenerated"
	mpltypes "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygeneratedtypes"
	esdktypes "github.com/aws/aws-encryption-sdk/releases/go/encryption-sdk/awscryptographyencryptionsdksmithygeneratedtypes"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/codec/rawaes"
	"github.com/sealsql/sealsql/internal/testing/barecrypto"
)

// contest is a keyring of each and the bare cryptography of both.
type contest struct {
	name string
	aws  mpltypes.IKeyring
	ours codec.Keyring
	bare func() *barecrypto.Bare
}

var benchContext = map[string]string{"account_number": "1234567890"}

// awsTrip encrypts and decrypts a value of n bytes with AWS's SDK for Go.
func awsTrip(b *testing.B, ring mpltypes.IKeyring, n int) func() error {
	c, err := goSDK{}.client(codec.SuiteCommit)
	if err != nil {
		b.Fatal(err)
	}
	plaintext, suite := make([]byte, n), mpltypes.ESDKAlgorithmSuiteId("0x0478")
	return func() error {
		out, err := c.Encrypt(b.Context(), esdktypes.EncryptInput{Plaintext: plaintext, EncryptionContext: benchContext, Keyring: ring, AlgorithmSuiteId: &suite})
		if err != nil {
			return err
		}
		_, err = c.Decrypt(b.Context(), esdktypes.DecryptInput{Ciphertext: out.Ciphertext, EncryptionContext: benchContext, Keyring: ring})
		return err
	}
}

func ourTrip(b *testing.B, ring codec.Keyring, n int) func() error {
	c, err := codec.New(codec.Config{Keyring: ring})
	if err != nil {
		b.Fatal(err)
	}
	plaintext := make([]byte, n)
	return func() error {
		msg, err := c.Encrypt(b.Context(), nil, plaintext, benchContext)
		if err != nil {
			return err
		}
		m, err := codec.Parse(msg)
		if err != nil {
			return err
		}
		_, err = c.Decrypt(b.Context(), nil, m, benchContext)
		return err
	}
}

func bareTrip(bare *barecrypto.Bare, n int) func() error {
	var m barecrypto.Message
	plaintext := make([]byte, n)
	return func() error {
		bare.Encrypt(&m, plaintext)
		bare.Decrypt(nil, &m)
		return nil
	}
}

func rawContest(b *testing.B) contest {
	raw := make([]byte, 32)
	aws, err := goSDK{}.keyring(keys{raw: raw})
	if err != nil {
		b.Fatal(err)
	}
	ours, err := rawaes.New("interop", "key", raw)
	if err != nil {
		b.Fatal(err)
	}
	return contest{"raw AES", aws, ours, barecrypto.RawAES}
}

// branchContest is the hierarchical keyring with its branch key in memory.
func branchContest(b *testing.B) contest {
	store := newBranchStore(b)
	cache, err := branchkey.NewCache(branchkey.CacheConfig{Keys: store.keys, TTL: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(cache.Close)
	ours, err := branchkey.New(cache, store.id)
	if err != nil {
		b.Fatal(err)
	}
	client, err := mpl.NewClient(mpltypes.MaterialProvidersConfig{})
	if err != nil {
		b.Fatal(err)
	}
	aws, err := client.CreateAwsKmsHierarchicalKeyring(b.Context(), mpltypes.CreateAwsKmsHierarchicalKeyringInput{
		KeyStore: store.aws, BranchKeyId: &store.id, TtlSeconds: 3600})
	if err != nil {
		b.Fatal(err)
	}
	return contest{"hierarchical", aws, ours, barecrypto.Branch}
}

// BenchmarkPeers measures an encryption and a decryption of one value, suite
// 0478, with AWS's SDK for Go, with sealsql, and with nothing but the cryptography, and
// prints a table of the ratios. Bare is a program that does the same HMAC, key schedules
// and GCM with crypto/hmac; floor does it with states that it allocates once. The ratios
// come from runs in turn: what else the machine does falls on all alike.
func BenchmarkPeers(b *testing.B) {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\nRATIOS\tsealsql ns\tAWS ns\tbare ns\tfloor ns\ttimes faster than AWS\ttimes bare\ttimes floor\tallocs: sealsql\tAWS\tbare\tfloor\t")
	for _, c := range []contest{rawContest(b), branchContest(b)} {
		for _, n := range []int{11, 1024} {
			sides := []struct {
				name string
				each int
				trip func() error
			}{{"sealsql", 200, ourTrip(b, c.ours, n)}, {"aws-go", 1, awsTrip(b, c.aws, n)},
				{"bare", 200, bareTrip(c.bare().Plain(), n)}, {"floor", 200, bareTrip(c.bare(), n)}}
			name := fmt.Sprintf("%s/%dB", c.name, n)
			for _, s := range sides {
				b.Run(name+"/"+s.name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if err := s.trip(); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
			b.Run(name+"/ratios", func(b *testing.B) {
				var turns []barecrypto.Side
				for _, s := range sides {
					turns = append(turns, barecrypto.Side{N: s.each, Do: s.trip})
				}
				t := barecrypto.Measure(b, turns...)
				b.ReportMetric(t[1]/t[0], "times-faster")
				b.ReportMetric(t[0]/t[2], "times-bare")
				b.ReportMetric(t[0]/t[3], "times-floor")
				fmt.Fprintf(table, "%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.1f\t%.2f\t%.2f\t", name, t[0], t[1], t[2], t[3], t[1]/t[0], t[0]/t[2], t[0]/t[3])
				for _, s := range sides {
					fmt.Fprintf(table, "%.0f\t", testing.AllocsPerRun(50, func() { _ = s.trip() }))
				}
				fmt.Fprintln(table)
			})
		}
	}
	_ = table.Flush()
}

// BenchmarkCompactPeers measures a seal and an open of one value in the compact
// format, with subkeys in memory, beside Tink's AEADs under keys of the same kind, AWS's
// SDK for Go with its hierarchical keyring, and a bare program of the same HMAC and
// counter mode with crypto/hmac and cipher.NewCTR, and prints a table of the ratios.
func BenchmarkCompactPeers(b *testing.B) {
	ctx, ours := b.Context(), newCompactSide(b)
	ctrHMAC := ours.tink(b)
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		b.Fatal(err)
	}
	gcm, err := aead.New(handle)
	if err != nil {
		b.Fatal(err)
	}
	hierarchical := branchContest(b)
	aad, err := codec.AppendContext(nil, benchContext)
	if err != nil {
		b.Fatal(err)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\nRATIOS\tcompact ns\ttink CTR-HMAC ns\ttink GCM ns\tmessage ns\tAWS ns\tbare ns\ttimes faster than tink CTR-HMAC\tthan tink GCM\tthan AWS\ttimes bare\tallocs: compact\ttink CTR-HMAC\ttink GCM\tmessage\tAWS\tbare\t")
	for _, n := range []int{11, 1024} {
		plaintext := make([]byte, n)
		viaTink := func(a tink.AEAD) func() error {
			return func() error {
				v, err := a.Encrypt(plaintext, aad)
				if err == nil {
					_, err = a.Decrypt(v, aad)
				}
				return err
			}
		}
		sides := []struct {
			name string
			each int
			trip func() error
		}{
			{"compact", 200, func() error {
				v, err := ours.codec.Seal(ctx, nil, plaintext, benchContext)
				if err == nil {
					_, err = ours.codec.Open(ctx, nil, v, benchContext)
				}
				return err
			}},
			{"tink-ctr-hmac", 200, viaTink(ctrHMAC)},
			{"tink-gcm", 200, viaTink(gcm)},
			{"message", 100, ourTrip(b, hierarchical.ours, n)},
			{"aws-go", 1, awsTrip(b, hierarchical.aws, n)},
			{"bare", 200, newBareCompact(b, ours).trip(plaintext, aad)},
		}
		for _, s := range sides {
			b.Run(fmt.Sprintf("%dB/%s", n, s.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := s.trip(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(fmt.Sprintf("%dB/ratios", n), func(b *testing.B) {
			var turns []barecrypto.Side
			for _, s := range sides {
				turns = append(turns, barecrypto.Side{N: s.each, Do: s.trip})
			}
			t := barecrypto.Measure(b, turns...)
			b.ReportMetric(t[1]/t[0], "times-faster-than-tink")
			b.ReportMetric(t[4]/t[0], "times-faster-than-aws")
			b.ReportMetric(t[0]/t[5], "times-bare")
			fmt.Fprintf(table, "compact/%dB\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.1f\t%.1f\t%.0f\t%.2f\t", n, t[0], t[1], t[2], t[3], t[4], t[5], t[1]/t[0], t[2]/t[0], t[4]/t[0], t[0]/t[5])
			for _, s := range sides {
				fmt.Fprintf(table, "%.0f\t", testing.AllocsPerRun(50, func() { _ = s.trip() }))
			}
			fmt.Fprintln(table)
		})
	}
	_ = table.Flush()
}

// bareCompact is the compact format's cryptography and nothing else, as a program
// would write it with the standard library.
type bareCompact struct {
	block cipher.Block
	mac   hash.Hash
}

func newBareCompact(t testing.TB, s compactSide) *bareCompact {
	t.Helper()
	block, err := aes.NewCipher(s.derived(t, "enc"))
	if err != nil {
		t.Fatal(err)
	}
	return &bareCompact{block, hmac.New(sha256.New, s.derived(t, "mac"))}
}

func (c *bareCompact) tag(dst, aad, text []byte) []byte {
	c.mac.Reset()
	c.mac.Write(aad)
	c.mac.Write(text)
	c.mac.Write(binary.BigEndian.AppendUint64(nil, 8*uint64(len(aad))))
	return c.mac.Sum(dst)
}

func (c *bareCompact) trip(plaintext, aad []byte) func() error {
	return func() error {
		v := make([]byte, 21+len(plaintext), 53+len(plaintext))
		_, _ = rand.Read(v[5:21]) // never fails
		cipher.NewCTR(c.block, v[5:21]).XORKeyStream(v[21:], plaintext)
		v = c.tag(v, aad, v[5:])
		end := len(v) - 32
		if !hmac.Equal(c.tag(nil, aad, v[5:end]), v[end:]) {
			return errors.New("the tag does not fit")
		}
		out := make([]byte, end-21)
		cipher.NewCTR(c.block, v[5:21]).XORKeyStream(out, v[21:end])
		return nil
	}
}
