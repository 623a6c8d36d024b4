package awskms_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/codec/cache"
	"github.com/sealsql/sealsql/sealtest"
)

// encrypt is what a script does that calls KMS itself.
func encrypt(t *testing.T, k *sealtest.KMS, region, arn string, ec codec.Context, plaintext string) []byte {
	t.Helper()
	client := kms.NewFromConfig(k.AWSConfig(region))
	out, err := client.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: []byte(plaintext), EncryptionContext: ec})
	if err != nil {
		t.Fatal(err)
	}
	return out.CiphertextBlob
}

func blobRing(t *testing.T, k *sealtest.KMS, c awskms.Config) *awskms.Keyring {
	t.Helper()
	c.Client = awskms.Clients(k.AWSConfig(east))
	if c.Region == "" {
		c.Region = east
	}
	ring, err := awskms.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestBlobsAreToldFromMessages(t *testing.T) {
	k := fake(t)
	arn := k.CreateKey(east)
	old, err := base64.StdEncoding.DecodeString("CiD" + string(bytes.Repeat([]byte("A"), 41)) + "S" + string(bytes.Repeat([]byte("A"), 171)))
	if err != nil {
		t.Fatal(err)
	}
	old[34] = 0x12
	blobs := map[string][]byte{"the fake KMS's": encrypt(t, k, east, arn, ec, "x"), "of before 2016": old}
	for _, text := range []string{"AQECAHg", "AQICAHg", "AQIDAHg"} {
		b, err := base64.StdEncoding.DecodeString(text + string(bytes.Repeat([]byte("x"), 213)))
		if err != nil {
			t.Fatal(err)
		}
		blobs[text] = b
	}
	for name, b := range blobs {
		if !awskms.IsBlob(b) {
			t.Errorf("%s: not recognised", name)
		}
		if _, err := codec.Parse(b); !errors.Is(err, codec.ErrNotMessage) {
			t.Errorf("%s is taken for a message: %v", name, err)
		}
	}
	m := seal(t, newCodec(t, k, awskms.Config{Keys: []string{arn}}))
	v1 := append([]byte{1, 0x80, 3, 0x78}, make([]byte, 200)...)
	for name, b := range map[string][]byte{"nothing": nil, "short": blobs["AQICAHg"][:63], "text": bytes.Repeat([]byte("123-45-6789 "), 20),
		"zeros": make([]byte, 300), "version 1": v1, "version 2": append([]byte{2, 4, 0x78}, m.ID()...)} {
		if awskms.IsBlob(b) {
			t.Errorf("%s is taken for a blob", name)
		}
	}
	if len(blobs) != 5 {
		t.Error("the number of cases changed")
	}
}

func TestBlobsAreDecrypted(t *testing.T) {
	k := fake(t)
	e, w := k.CreateKey(east), k.CreateKey(west)
	ring := blobRing(t, k, awskms.Config{Keys: []string{e, w}})
	long := string(bytes.Repeat([]byte("x"), 4096))
	for _, c := range []struct{ region, arn, plaintext string }{{east, e, "123-45-6789"}, {west, w, "123-45-6789"}, {west, w, long}, {east, e, "x"}} {
		blob := encrypt(t, k, c.region, c.arn, ec, c.plaintext)
		got, err := ring.DecryptBlob(t.Context(), blob, ec)
		if err != nil || string(got) != c.plaintext {
			t.Errorf("%s: %v", c.region, err)
		}
		for name, other := range map[string]codec.Context{"another": {"account_number": "2"}, "none": nil, "more": {"account_number": "1234567890", "k": "v"}} {
			if got, err := ring.DecryptBlob(t.Context(), blob, other); !errors.Is(err, codec.ErrUnwrap) || got != nil {
				t.Errorf("%s, context %s: %v", c.region, name, err)
			}
		}
		blob[len(blob)-1] ^= 1
		if _, err := ring.DecryptBlob(t.Context(), blob, ec); !errors.Is(err, codec.ErrUnwrap) {
			t.Errorf("%s, changed: %v", c.region, err)
		}
	}
}

// TestTheKeyOfTheLastBlobIsTriedFirst: a table whose blobs are all of one key
// costs one call for each.
func TestTheKeyOfTheLastBlobIsTriedFirst(t *testing.T) {
	k := fake(t)
	keys := []string{k.CreateKey(east), k.CreateKey(east), k.CreateKey(east)}
	calls := 0
	ring := blobRing(t, k, awskms.Config{Keys: keys, OnCall: func(awskms.Call) { calls++ }})
	for _, c := range []struct{ key, calls int }{{2, 3}, {2, 1}, {2, 1}, {0, 2}, {0, 1}, {1, 2}} {
		calls = 0
		if _, err := ring.DecryptBlob(t.Context(), encrypt(t, k, east, keys[c.key], ec, "x"), ec); err != nil || calls != c.calls {
			t.Errorf("key %d: %d calls, want %d: %v", c.key, calls, c.calls, err)
		}
	}
}

func TestBlobErrorsAreToldApart(t *testing.T) {
	k := fake(t)
	e, w, foreign := k.CreateKey(east), k.CreateKey(west), k.CreateKey(east)
	ofEast, ofWest, ofForeign := encrypt(t, k, east, e, ec, "x"), encrypt(t, k, west, w, ec, "x"), encrypt(t, k, east, foreign, ec, "x")
	both := []string{e, w}
	wrong := codec.Context{"account_number": "2"}
	for _, c := range []struct {
		name  string
		blob  []byte
		ec    codec.Context
		conf  awskms.Config
		fault map[string]sealtest.Fault
		want  error
	}{
		{"of no key of the keyring", ofForeign, ec, awskms.Config{Keys: []string{e}}, nil, codec.ErrUnknownKey},
		{"its Region is down", ofWest, ec, awskms.Config{Keys: both}, map[string]sealtest.Fault{west: {Reset: true}}, codec.ErrKeyUnavailable},
		{"another Region is down", ofWest, wrong, awskms.Config{Keys: both}, map[string]sealtest.Fault{east: {Reset: true}}, codec.ErrKeyUnavailable},
		{"the policy keeps to its own Region", ofWest, ec, awskms.Config{Keys: []string{w, e}, LocalOnly: true}, nil, codec.ErrKeyUnavailable},
		{"moved, where the policy keeps to its own Region", ofEast, wrong, awskms.Config{Keys: both, LocalOnly: true}, nil, codec.ErrUnwrap},
		{"longer than KMS takes", append(bytes.Clone(ofEast), make([]byte, 7000)...), ec, awskms.Config{Keys: both}, nil, codec.ErrLimit},
	} {
		k.Heal()
		ring := blobRing(t, k, c.conf)
		for region, f := range c.fault {
			k.SetFault(region, f)
		}
		_, err := ring.DecryptBlob(t.Context(), c.blob, c.ec)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	k.Heal()
	if got, err := blobRing(t, k, awskms.Config{Keys: both, LocalOnly: true}).DecryptBlob(t.Context(), ofEast, ec); err != nil || string(got) != "x" {
		t.Errorf("in its own Region: %v", err)
	}
}

// TestDeadlinesAreKeptTo50Milliseconds while KMS hangs, on every way to it.
func TestDeadlinesAreKeptTo50Milliseconds(t *testing.T) {
	k := fake(t)
	e, w := k.CreateKey(east), k.CreateKey(west)
	one, two := newCodec(t, k, awskms.Config{Keys: []string{e}}), newCodec(t, k, awskms.Config{Keys: []string{e, w}, Degrade: true})
	ring := blobRing(t, k, awskms.Config{Keys: []string{e, w}})
	kept, err := cache.New(cache.Config{Keyring: ring, MaxAge: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	cached, err := codec.New(codec.Config{Materials: kept})
	if err != nil {
		t.Fatal(err)
	}
	m, blob := seal(t, two), encrypt(t, k, east, e, ec, "x")
	ways := map[string]func(context.Context) error{
		"encrypt":             func(ctx context.Context) error { _, err := one.Encrypt(ctx, nil, nil, ec); return err },
		"decrypt":             func(ctx context.Context) error { _, err := one.Decrypt(ctx, nil, m, ec); return err },
		"encrypt, two keys":   func(ctx context.Context) error { _, err := two.Encrypt(ctx, nil, nil, ec); return err },
		"decrypt, two keys":   func(ctx context.Context) error { _, err := two.Decrypt(ctx, nil, m, ec); return err },
		"encrypt, cached":     func(ctx context.Context) error { _, err := cached.Encrypt(ctx, nil, nil, ec); return err },
		"decrypt, cached":     func(ctx context.Context) error { _, err := cached.Decrypt(ctx, nil, m, ec); return err },
		"a legacy ciphertext": func(ctx context.Context) error { _, err := ring.DecryptBlob(ctx, blob, ec); return err },
	}
	k.SetFault(east, sealtest.Fault{Hang: true})
	k.SetFault(west, sealtest.Fault{Hang: true})
	for name, f := range ways {
		const within = 150 * time.Millisecond
		late, err := time.Hour, error(nil)
		for range 3 { // a busy machine may be late by itself
			ctx, cancel := context.WithTimeout(t.Context(), within)
			began := time.Now()
			err = f(ctx)
			late = min(late, time.Since(began)-within)
			cancel()
			if late <= 50*time.Millisecond {
				break
			}
		}
		if late > 50*time.Millisecond || !errors.Is(err, codec.ErrKeyUnavailable) {
			t.Errorf("%s: %v after the deadline: %v", name, late, err)
		}
	}
	if len(ways) != 7 {
		t.Error("the number of ways changed")
	}
	k.Heal()
}
