package codec_test

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/rawaes"
)

func ring(t testing.TB) codec.Keyring {
	t.Helper()
	k, err := rawaes.New("test", "key", bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newCodec(t testing.TB, c codec.Config) *codec.Codec {
	t.Helper()
	if c.Keyring == nil && c.Materials == nil {
		c.Keyring = ring(t)
	}
	out, err := codec.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var allSuites = []codec.Suite{codec.SuiteCommit, codec.SuiteCommitSigned, codec.Suite128, codec.Suite192, codec.Suite256,
	codec.Suite128HKDF, codec.Suite192HKDF, codec.Suite256HKDF, codec.Suite128HKDFSigned, codec.Suite192HKDFSigned, codec.Suite256HKDFSigned}

func policyFor(s codec.Suite) codec.Commitment {
	if s.Committing() {
		return codec.CommitmentRequireEncryptRequireDecrypt
	}
	return codec.CommitmentForbidEncryptAllowDecrypt
}

var someContext = codec.Context{"account_number": "1234567890", "sealsql:table": "accounts"}

func TestEverySuiteRoundTrips(t *testing.T) {
	ran := 0
	for _, s := range allSuites {
		for _, frame := range []uint32{1, 5, 4096} {
			for _, n := range []int{0, 1, 4, 5, 6, 10, 11, 4096, 5000} {
				if frame == 1 && n > 11 {
					continue
				}
				for _, required := range [][]string{nil, {"account_number"}} {
					c := newCodec(t, codec.Config{Suite: s, Commitment: policyFor(s), FrameLength: frame, RequiredKeys: required})
					plaintext := bytes.Repeat([]byte("x"), n)
					msg, err := c.Encrypt(t.Context(), []byte("before"), plaintext, someContext)
					if err != nil {
						t.Fatal(err)
					}
					m, err := codec.Parse(msg[6:])
					if err != nil {
						t.Fatal(err)
					}
					if _, stored := m.Context()["account_number"]; stored == (required != nil) {
						t.Fatal("a required key is stored, or another is not")
					}
					got, err := c.Decrypt(t.Context(), []byte("kept"), m, someContext)
					if err != nil || string(got) != "kept"+string(plaintext) {
						t.Fatalf("%s: frame %d, %d bytes: %v", s, frame, n, err)
					}
					ran++
				}
			}
		}
	}
	if want := 11 * 2 * (7 + 9 + 9); ran != want {
		t.Errorf("ran %d cases, want %d", ran, want)
	}
}

// TestEveryChangeIsNoticed flips each bit of every byte, and cuts and extends
// the message at every length.
func TestEveryChangeIsNoticed(t *testing.T) {
	ran := 0
	for _, s := range []codec.Suite{codec.SuiteCommit, codec.SuiteCommitSigned, codec.Suite256HKDF, codec.Suite256} {
		c := newCodec(t, codec.Config{Suite: s, Commitment: policyFor(s), FrameLength: 4})
		msg, err := c.Encrypt(t.Context(), nil, []byte("123-45-6789"), someContext)
		if err != nil {
			t.Fatal(err)
		}
		try := func(what string, changed []byte) {
			ran++
			m, err := codec.Parse(changed)
			if err == nil {
				var got []byte
				got, err = c.Decrypt(t.Context(), nil, m, nil)
				if len(got) > 0 {
					t.Errorf("%s %s: plaintext was released", s, what)
				}
			}
			var typed *codec.Error
			if !errors.As(err, &typed) {
				t.Errorf("%s %s: error %v is not typed", s, what, err)
			}
			if err != nil && strings.Contains(err.Error(), "123-45") {
				t.Errorf("%s: the error holds the plaintext", what)
			}
		}
		for i := range msg {
			for bit := range 8 {
				changed := bytes.Clone(msg)
				changed[i] ^= 1 << bit
				try(fmt.Sprintf("bit %d of byte %d", bit, i), changed)
			}
			try(fmt.Sprintf("cut at %d", i), msg[:i])
		}
		try("extended", append(bytes.Clone(msg), 0))
	}
	if ran < 4*9*300 {
		t.Errorf("ran %d cases only", ran)
	}
}

func TestContextIsCheckedBeforeAnyKeyCall(t *testing.T) {
	c := newCodec(t, codec.Config{Keyring: noKeyring{t}, RequiredKeys: []string{"id"}})
	long := strings.Repeat("x", 65536)
	cases := map[string]codec.Context{
		"a reserved key":          {"id": "1", "aws-crypto-public-key": "x"},
		"an empty key":            {"id": "1", "": "x"},
		"a value that is no text": {"id": "1", "k": "\xff"},
		"a key that is no text":   {"id": "1", "\xff": "v"},
		"a long value":            {"id": long},
		"a missing required key":  {"other": "1"},
		"no context":              nil,
	}
	for name, ec := range cases {
		if _, err := c.Encrypt(t.Context(), nil, []byte("p"), ec); !errors.Is(err, codec.ErrInvalidContext) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(cases) != 7 {
		t.Error("the number of cases changed")
	}
}

// noKeyring fails the test when it is asked.
type noKeyring struct{ t *testing.T }

func (k noKeyring) OnEncrypt(context.Context, *codec.EncryptionMaterials) error {
	k.t.Error("a key was asked for")
	return codec.ErrClosed
}

func (k noKeyring) OnDecrypt(context.Context, *codec.DecryptionMaterials, []codec.WrappedKey) error {
	k.t.Error("a key was asked for")
	return codec.ErrClosed
}

func TestAnotherContextIsNoticedBeforeAnyKeyCall(t *testing.T) {
	msg, err := newCodec(t, codec.Config{}).Encrypt(t.Context(), nil, []byte("p"), someContext)
	if err != nil {
		t.Fatal(err)
	}
	m, err := codec.Parse(msg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = newCodec(t, codec.Config{Keyring: noKeyring{t}}).Decrypt(t.Context(), nil, m, codec.Context{"account_number": "2"})
	if !errors.Is(err, codec.ErrContextMismatch) {
		t.Errorf("got %v", err)
	}
	_, err = newCodec(t, codec.Config{}).Decrypt(t.Context(), nil, m, codec.Context{"unknown": "2"})
	if !errors.Is(err, codec.ErrUnwrap) {
		t.Errorf("a pair the message was not made with: %v", err)
	}
}

func TestOtherBytesAreNoMessage(t *testing.T) {
	msg, err := newCodec(t, codec.Config{}).Encrypt(t.Context(), nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range [][]byte{nil, {}, {2}, {1}, []byte("123-45-6789"), {0x03, 0x04, 0x78}, []byte(base64.StdEncoding.EncodeToString(msg))} {
		if _, err := codec.Parse(raw); !errors.Is(err, codec.ErrNotMessage) {
			t.Errorf("%d bytes: %v", len(raw), err)
		}
	}
}

func TestPoliciesDecideWhichSuites(t *testing.T) {
	if _, err := codec.New(codec.Config{Keyring: ring(t), Suite: codec.Suite256HKDF}); !errors.Is(err, codec.ErrCommitmentPolicy) {
		t.Errorf("writing without commitment: %v", err)
	}
	old := newCodec(t, codec.Config{Commitment: codec.CommitmentForbidEncryptAllowDecrypt})
	msg, err := old.Encrypt(t.Context(), nil, []byte("p"), nil)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := codec.Parse(msg)
	if _, err := newCodec(t, codec.Config{}).Decrypt(t.Context(), nil, m, nil); !errors.Is(err, codec.ErrCommitmentPolicy) {
		t.Errorf("reading without commitment: %v", err)
	}
	if _, err := codec.New(codec.Config{Keyring: ring(t), Suite: 0x6701}); !errors.Is(err, codec.ErrUnsupportedSuite) {
		t.Errorf("another product's suite: %v", err)
	}
}

// TestDerivationIsHKDF compares messages' commitment with crypto/hkdf.
func TestDerivationIsHKDF(t *testing.T) {
	key := bytes.Repeat([]byte{9}, 32)
	msg, err := newCodec(t, codec.Config{Keyring: staticKeyring{key}}).Encrypt(t.Context(), nil, []byte("p"), nil)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := codec.Parse(msg)
	prk, err := hkdf.Extract(sha512.New, key, m.ID())
	if err != nil {
		t.Fatal(err)
	}
	want, err := hkdf.Expand(sha512.New, prk, "COMMITKEY", 32)
	if err != nil {
		t.Fatal(err)
	}
	if end := m.HeaderLength() - 16; !bytes.Equal(msg[end-32:end], want) {
		t.Error("the commitment is not HKDF's")
	}
}

func TestSizeIsTheMessagesLength(t *testing.T) {
	for _, s := range allSuites {
		slack := 0
		if s.Signed() { // what a signature's two integers may fall short by, but for one in 2^48
			slack = 8
		}
		for _, frame := range []uint32{4, 4096} {
			for n := range 20 {
				c := newCodec(t, codec.Config{Suite: s, Commitment: policyFor(s), FrameLength: frame})
				msg, err := c.Encrypt(t.Context(), nil, make([]byte, n), someContext)
				if err != nil {
					t.Fatal(err)
				}
				m, _ := codec.Parse(msg)
				if size, err := c.Size(someContext, m.WrappedKeys(), n); err != nil || size < len(msg) || size > len(msg)+slack {
					t.Errorf("suite %s, frame %d, %d bytes: size %d, message %d, %v", s, frame, n, size, len(msg), err)
				}
			}
		}
	}
	// The sizes of FORMAT.md: an 11-byte value under KMS keys of 75-character ARNs.
	c := newCodec(t, codec.Config{})
	kms := codec.WrappedKey{ProviderID: "aws-kms", ProviderInfo: make([]byte, 75), Ciphertext: make([]byte, 184)}
	ec := codec.Context{"account_number": "1234567890"}
	one, _ := c.Size(ec, []codec.WrappedKey{kms}, 11)
	two, _ := c.Size(ec, []codec.WrappedKey{kms, kms}, 11)
	branch, _ := c.Size(ec, []codec.WrappedKey{{ProviderID: "aws-kms-hierarchy", ProviderInfo: make([]byte, 36), Ciphertext: make([]byte, 92)}}, 11)
	if one != 445 || two != 717 || branch != 324 {
		t.Errorf("sizes %d, %d, %d; want 445, 717, 324", one, two, branch)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range allSuites {
		c := newCodec(f, codec.Config{Suite: s, Commitment: policyFor(s), FrameLength: 4})
		msg, err := c.Encrypt(f.Context(), nil, []byte("123-45-6789"), someContext)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(msg)
	}
	for _, v := range readVectors(f) {
		f.Add(v.Message)
	}
	c := newCodec(f, codec.Config{Commitment: codec.CommitmentRequireEncryptAllowDecrypt})
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := codec.Parse(raw)
		if err == nil {
			_, err = c.Decrypt(t.Context(), nil, m, nil)
		}
		var typed *codec.Error
		if err != nil && !errors.As(err, &typed) {
			t.Errorf("error %v is not typed", err)
		}
	})
}
