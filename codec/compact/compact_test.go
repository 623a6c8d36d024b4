package compact_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/compact"
)

var (
	here      = compact.Location{Table: "accounts", Column: "ssn"}
	row       = codec.Context{"account_number": "1234567890", "sealsql:table": "accounts", "sealsql:column": "ssn"}
	branchKey = []byte("0123456789abcdef0123456789abcdef")
)

// ring is a list of keys, the first in force.
type ring []*compact.Key

func (r ring) Current(context.Context, codec.Context, compact.Location) (*compact.Key, error) {
	return r[0], nil
}

func (r ring) Find(_ context.Context, _ codec.Context, _ compact.Location, id compact.ID, n int) (*compact.Key, error) {
	for _, k := range r {
		if k.ID() == id {
			if n == 0 {
				return k, nil
			}
			n--
		}
	}
	return nil, nil
}

func derive(t testing.TB, branchKey []byte, version byte, at compact.Location) *compact.Key {
	t.Helper()
	k, err := compact.Derive(branchKey, "customers", [16]byte{version}, at)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newCodec(t testing.TB, r ring) *compact.Codec {
	t.Helper()
	c, err := compact.New(compact.Config{Keys: r, Location: here})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func seal(t testing.TB, c *compact.Codec, plaintext string) []byte {
	t.Helper()
	v, err := c.Seal(t.Context(), nil, []byte(plaintext), row)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// bare is the format written down again with the standard library's own HKDF,
// HMAC and counter mode.
type bare struct {
	block cipher.Block
	mac   []byte
}

func newBare(branchKey []byte, at compact.Location) bare {
	lp := func(s string) string { return string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s }
	key := func(use string) []byte {
		k, err := hkdf.Key(sha256.New, branchKey, nil, "sealsql/compact/v1"+lp(use)+lp(at.Table)+lp(at.Column), 32)
		if err != nil {
			panic(err)
		}
		return k
	}
	block, err := aes.NewCipher(key("enc"))
	if err != nil {
		panic(err)
	}
	return bare{block, key("mac")}
}

func (b bare) tag(aad, text []byte) []byte {
	h := hmac.New(sha256.New, b.mac)
	h.Write(aad)
	h.Write(text)
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(8*len(aad))))
	return h.Sum(nil)
}

func (b bare) open(value, aad []byte) ([]byte, bool) {
	if len(value) < 53 || !hmac.Equal(b.tag(aad, value[5:len(value)-32]), value[len(value)-32:]) {
		return nil, false
	}
	out := make([]byte, len(value)-53)
	cipher.NewCTR(b.block, value[5:21]).XORKeyStream(out, value[21:len(value)-32])
	return out, true
}

func (b bare) seal(id compact.ID, iv, plaintext, aad []byte) []byte {
	v := append(append([]byte{1}, id[:]...), iv...)
	v = append(v, make([]byte, len(plaintext))...)
	cipher.NewCTR(b.block, iv).XORKeyStream(v[21:], plaintext)
	return append(v, b.tag(aad, v[5:])...)
}

// TestTheFormatIsItsDescription at lengths around every block boundary, and at
// counters that overflow.
func TestTheFormatIsItsDescription(t *testing.T) {
	k, b := derive(t, branchKey, 1, here), newBare(branchKey, here)
	aad, err := codec.AppendContext(nil, row)
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for n := range 300 {
		text := bytes.Repeat([]byte{byte(n)}, n)
		v := k.Seal([]byte("before"), text, aad)
		if !bytes.HasPrefix(v, []byte("before\x01")) || len(v) != 6+compact.Size(n) {
			t.Fatalf("%d bytes: % x", n, v)
		}
		if got, ok := b.open(v[6:], aad); !ok || !bytes.Equal(got, text) {
			t.Fatalf("%d bytes: the description does not open the value", n)
		}
		for _, iv := range [][]byte{bytes.Repeat([]byte{0xff}, 16), append(make([]byte, 12), 0xff, 0xff, 0xff, 0xfe)} {
			got, ok := k.Open([]byte("before"), b.seal(k.ID(), iv, text, aad), aad)
			if !ok || string(got) != "before"+string(text) {
				t.Fatalf("%d bytes: got %q, %v", n, got, ok)
			}
			cases++
		}
	}
	if cases != 600 {
		t.Errorf("%d cases", cases)
	}
}

func TestEveryChangeIsNoticed(t *testing.T) {
	c := newCodec(t, ring{derive(t, branchKey, 1, here)})
	v := seal(t, c, "123-45-6789")
	changes := 0
	for i := range v {
		for bit := range 8 {
			changed := bytes.Clone(v)
			changed[i] ^= 1 << bit
			want := codec.ErrUnauthentic
			switch {
			case i == 0:
				want = codec.ErrNotCompact
			case i < 5:
				want = codec.ErrUnknownKey
			}
			got, err := c.Open(t.Context(), []byte("x"), changed, row)
			if !errors.Is(err, want) || string(got) != "x" {
				t.Errorf("bit %d of byte %d: %q, %v", bit, i, got, err)
			}
			changes++
		}
	}
	for n := range len(v) {
		if _, err := c.Open(t.Context(), nil, v[:n], row); err == nil {
			t.Errorf("%d of %d bytes open", n, len(v))
		}
		changes++
	}
	if _, err := c.Open(t.Context(), nil, append(bytes.Clone(v), 0), row); !errors.Is(err, codec.ErrUnauthentic) {
		t.Error("a byte more:", err)
	}
	if changes != 9*64 {
		t.Errorf("%d changes", changes)
	}
}

func TestAMovedValueIsNotOpened(t *testing.T) {
	k := derive(t, branchKey, 1, here)
	v := seal(t, newCodec(t, ring{k}), "123-45-6789")
	elsewhere := compact.Location{Table: "accounts", Column: "phone"}
	for name, c := range map[string]struct {
		ec   codec.Context
		at   compact.Location
		want error
	}{
		"another row":                          {codec.Context{"account_number": "1234567891", "sealsql:table": "accounts", "sealsql:column": "ssn"}, here, codec.ErrUnauthentic},
		"a pair less":                          {codec.Context{"account_number": "1234567890", "sealsql:table": "accounts"}, here, codec.ErrUnauthentic},
		"no context":                           {nil, here, codec.ErrUnauthentic},
		"another column":                       {row, elsewhere, codec.ErrUnknownKey},
		"values without a location":            {row, compact.Location{}, codec.ErrUnknownKey},
		"table and column cut apart elsewhere": {row, compact.Location{Table: "accountss", Column: "sn"}, codec.ErrUnknownKey},
	} {
		o, err := compact.New(compact.Config{Keys: ring{derive(t, branchKey, 1, c.at)}, Location: c.at})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := o.Open(t.Context(), nil, v, c.ec); !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestUnauthenticMayBeBoth: nothing in the value tells a moved one from a changed
// one, so that a caller who asks for either is told.
func TestUnauthenticMayBeBoth(t *testing.T) {
	err := error(&codec.Error{Kind: codec.ErrUnauthentic})
	if !errors.Is(err, codec.ErrTampered) || !errors.Is(err, codec.ErrContextMismatch) {
		t.Error(err)
	}
}

func TestOlderVersionsOpen(t *testing.T) {
	older, newer := derive(t, branchKey, 1, here), derive(t, bytes.ToUpper(branchKey), 2, here)
	v := seal(t, newCodec(t, ring{older}), "123-45-6789")
	if got, err := newCodec(t, ring{newer, older}).Open(t.Context(), nil, v, row); err != nil || string(got) != "123-45-6789" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := newCodec(t, ring{newer}).Open(t.Context(), nil, v, row); !errors.Is(err, codec.ErrUnknownKey) {
		t.Error("an unknown version:", err)
	}
}

func TestVersionsThatShareAnIDAreAllTried(t *testing.T) {
	// Same id, other keys: the id does not depend on the key.
	one, two := derive(t, branchKey, 1, here), derive(t, bytes.ToUpper(branchKey), 1, here)
	for _, sealer := range []*compact.Key{one, two} {
		v := seal(t, newCodec(t, ring{sealer}), "123-45-6789")
		if got, err := newCodec(t, ring{one, two}).Open(t.Context(), nil, v, row); err != nil || string(got) != "123-45-6789" {
			t.Errorf("%q, %v", got, err)
		}
		v[30] ^= 1
		if _, err := newCodec(t, ring{one, two}).Open(t.Context(), nil, v, row); !errors.Is(err, codec.ErrUnauthentic) {
			t.Error(err)
		}
	}
}

func TestContextsThatCannotBeSealedUnder(t *testing.T) {
	c := newCodec(t, ring{derive(t, branchKey, 1, here)})
	for name, ec := range map[string]codec.Context{
		"an empty key": {"": "x"}, "a reserved key": {"aws-crypto-public-key": "x"}, "not UTF-8": {"k": "\xff"}, "too long": {"k": strings.Repeat("x", 65536)},
	} {
		if _, err := c.Seal(t.Context(), nil, nil, ec); !errors.Is(err, codec.ErrInvalidContext) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLimits(t *testing.T) {
	k := derive(t, branchKey, 1, here)
	c, err := compact.New(compact.Config{Keys: ring{k}, Location: here, MaxPlaintext: 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Seal(t.Context(), nil, make([]byte, 11), row); !errors.Is(err, codec.ErrLimit) {
		t.Error(err)
	}
	if _, err := c.Open(t.Context(), nil, k.Seal(nil, make([]byte, 11), nil), row); !errors.Is(err, codec.ErrLimit) {
		t.Error(err)
	}
	if _, err := compact.Derive(branchKey[1:], "customers", [16]byte{}, here); !errors.Is(err, codec.ErrUnwrap) {
		t.Error(err)
	}
	if _, err := compact.Derive(branchKey, "customers", [16]byte{}, compact.Location{Table: strings.Repeat("x", 65536)}); !errors.Is(err, codec.ErrLimit) {
		t.Error(err)
	}
}

func TestAKeyFormatsAsARedaction(t *testing.T) {
	k := derive(t, branchKey, 1, here)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", k)
	j, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(k), fmt.Sprintf("%+v %#v %s %x %d", k, k, k, k, k), string(j), log.String()} {
		if !strings.Contains(s, "[compact key]") || len(s) > 160 {
			t.Errorf("%s", s)
		}
	}
}

// TestManyGoroutines shares a codec and its pool: run it with -race.
func TestManyGoroutines(t *testing.T) {
	c := newCodec(t, ring{derive(t, branchKey, 1, here)})
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			text := bytes.Repeat([]byte{byte(g)}, 7*g)
			for range 50 {
				v, err := c.Seal(context.Background(), nil, text, row)
				if err == nil {
					text, err = c.Open(context.Background(), nil, v, row)
				}
				if err != nil || !bytes.Equal(text, bytes.Repeat([]byte{byte(g)}, 7*g)) {
					t.Errorf("%d: %v", g, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkRoundTrip(b *testing.B) {
	for _, n := range []int{11, 128, 1024} {
		text := make([]byte, n)
		aad, err := codec.AppendContext(nil, row)
		if err != nil {
			b.Fatal(err)
		}
		c, k := newCodec(b, ring{derive(b, branchKey, 1, here)}), derive(b, branchKey, 1, here)
		b.Run(fmt.Sprintf("codec/%dB", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v, err := c.Seal(b.Context(), nil, text, row)
				if err == nil {
					_, err = c.Open(b.Context(), nil, v, row)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("key/%dB", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := k.Open(nil, k.Seal(nil, text, aad), aad); !ok {
					b.Fatal()
				}
			}
		})
		b.Run(fmt.Sprintf("bare/%dB", n), func(b *testing.B) {
			floor := newBare(branchKey, here)
			iv := make([]byte, 16)
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := floor.open(floor.seal(k.ID(), iv, text, aad), aad); !ok {
					b.Fatal()
				}
			}
		})
	}
}
