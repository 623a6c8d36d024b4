package rawrsa_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/rawrsa"
)

var paddings = []rawrsa.Padding{rawrsa.OAEPSHA1, rawrsa.OAEPSHA256, rawrsa.OAEPSHA384, rawrsa.OAEPSHA512, rawrsa.PKCS1}

func pair(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newCodec(t *testing.T, k codec.Keyring) *codec.Codec {
	t.Helper()
	c, err := codec.New(codec.Config{Keyring: k})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ring(t *testing.T, name string, p rawrsa.Padding, public *rsa.PublicKey, private *rsa.PrivateKey) *rawrsa.Keyring {
	t.Helper()
	k, err := rawrsa.New("test", name, p, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestEveryPaddingRoundTrips(t *testing.T) {
	key, other := pair(t), pair(t)
	ec := codec.Context{"account_number": "1234567890"}
	for i, p := range paddings {
		writer, reader := newCodec(t, ring(t, "k", p, &key.PublicKey, nil)), newCodec(t, ring(t, "k", p, nil, key))
		raw, err := writer.Encrypt(t.Context(), nil, []byte("123-45-6789"), ec)
		if err != nil {
			t.Fatal(err)
		}
		m, err := codec.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := reader.Decrypt(t.Context(), nil, m, ec); err != nil || string(got) != "123-45-6789" {
			t.Errorf("padding %d: %v", p, err)
		}
		// RSA does not bind the context; the header does.
		if _, err := reader.Decrypt(t.Context(), nil, m, codec.Context{"more": "x"}); !errors.Is(err, codec.ErrTampered) {
			t.Errorf("padding %d, another context: %v", p, err)
		}
		for name, c := range map[string]struct {
			k    *rawrsa.Keyring
			want error
		}{
			"another key":     {ring(t, "k", p, nil, other), codec.ErrUnwrap},
			"another name":    {ring(t, "K", p, nil, key), codec.ErrUnknownKey},
			"another padding": {ring(t, "k", paddings[(i+1)%len(paddings)], nil, key), codec.ErrUnwrap},
			"no private key":  {ring(t, "k", p, &key.PublicKey, nil), codec.ErrKeyUnavailable},
		} {
			if _, err := newCodec(t, c.k).Decrypt(t.Context(), nil, m, ec); !errors.Is(err, c.want) {
				t.Errorf("padding %d, %s: %v", p, name, err)
			}
		}
		if _, err := reader.Encrypt(t.Context(), nil, nil, nil); !errors.Is(err, codec.ErrKeyUnavailable) {
			t.Errorf("padding %d, no public key: %v", p, err)
		}
	}
}

func TestTheConfigurationIsChecked(t *testing.T) {
	key, other := pair(t), pair(t)
	for name, f := range map[string]func() (*rawrsa.Keyring, error){
		"no namespace": func() (*rawrsa.Keyring, error) { return rawrsa.New("", "k", rawrsa.PKCS1, nil, key) },
		"KMS's":        func() (*rawrsa.Keyring, error) { return rawrsa.New("aws-kms-x", "k", rawrsa.PKCS1, nil, key) },
		"no padding":   func() (*rawrsa.Keyring, error) { return rawrsa.New("n", "k", 0, nil, key) },
		"another's":    func() (*rawrsa.Keyring, error) { return rawrsa.New("n", "k", 9, nil, key) },
		"no key":       func() (*rawrsa.Keyring, error) { return rawrsa.New("n", "k", rawrsa.PKCS1, nil, nil) },
		"a wrong pair": func() (*rawrsa.Keyring, error) { return rawrsa.New("n", "k", rawrsa.PKCS1, &other.PublicKey, key) },
		"a long name": func() (*rawrsa.Keyring, error) {
			return rawrsa.New("n", strings.Repeat("k", 65536), rawrsa.PKCS1, nil, key)
		},
		"a long prefix": func() (*rawrsa.Keyring, error) {
			return rawrsa.New(strings.Repeat("k", 65536), "k", rawrsa.PKCS1, nil, key)
		},
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestThePrivateKeyIsNotPrinted(t *testing.T) {
	key := pair(t)
	k := ring(t, "k", rawrsa.OAEPSHA256, nil, key)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%a"} {
		for _, v := range []any{k, *k, struct{ K *rawrsa.Keyring }{k}} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, key.D.String()) || strings.Contains(text, fmt.Sprintf("%x", key.D)) || len(text) > 200 {
				t.Errorf("%s prints %.100s", verb, text)
			}
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	key := pair(t)
	if _, err := newCodec(t, ring(t, "k", rawrsa.OAEPSHA1, &key.PublicKey, key)).Encrypt(ctx, nil, nil, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
