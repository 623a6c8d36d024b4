package branchkey_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/branchkey"
)

// keeping is a cache that keeps up to n content keys.
func (w *world) keeping(n int) *branchkey.Cache {
	w.t.Helper()
	c, err := branchkey.NewCache(branchkey.CacheConfig{Keys: w.keys, TTL: time.Minute, Now: w.clock, ContentKeys: n})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

func (w *world) keeps(c *branchkey.Cache, n int) {
	w.t.Helper()
	if got := c.ContentKeys(); got != n {
		w.t.Errorf("the cache keeps %d content keys, want %d", got, n)
	}
}

func TestAValueReadAgainKeepsItsContentKey(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	cache := w.keeping(10)
	c := w.codec(cache)
	m := w.seal(c)
	w.opens(c, m)
	w.keeps(cache, 0) // it was read once
	for range 3 {
		w.opens(c, m)
		w.keeps(cache, 1)
	}
	for range 3 { // what asks for no kept key leaves none
		once := w.seal(c)
		for range 3 {
			if got, err := c.DecryptOnce(t.Context(), nil, once, row); err != nil || string(got) != "123-45-6789" {
				t.Errorf("got %q, %v", got, err)
			}
		}
	}
	w.keeps(cache, 1)
	for range 100 { // a scan drives nothing out
		w.opens(c, w.seal(c))
	}
	w.keeps(cache, 1)
	for range 20 { // no more than the limit
		m := w.seal(c)
		w.opens(c, m)
		w.opens(c, m)
	}
	w.keeps(cache, 10)
}

func TestWhatIsLongIsNotKept(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	cache := w.keeping(10)
	ring, err := branchkey.New(cache, "acme")
	if err != nil {
		t.Fatal(err)
	}
	for name, required := range map[string][]string{"in the header": nil, "beside the header": {"long"}} {
		c, err := codec.New(codec.Config{Keyring: ring, RequiredKeys: required})
		if err != nil {
			t.Fatal(err)
		}
		for length, want := range map[int]int{5000: 0, 60_000: 0, 1000: 1} {
			ec := codec.Context{"tenant": "acme", "long": strings.Repeat("x", length)}
			raw, err := c.Encrypt(t.Context(), nil, nil, ec)
			if err != nil {
				t.Fatal(err)
			}
			m, err := codec.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			before := cache.ContentKeys()
			for range 3 {
				if _, err := c.Decrypt(t.Context(), nil, m, ec); err != nil {
					t.Fatal(err)
				}
			}
			if got := cache.ContentKeys() - before; got != want {
				t.Errorf("%d bytes %s: %d content keys were kept, want %d", length, name, got, want)
			}
		}
	}
}

func TestContentKeysGoWithTheirBranchKey(t *testing.T) {
	cases := map[string]func(w *world, c *branchkey.Cache){
		"the ttl is over": func(w *world, _ *branchkey.Cache) { w.now.Add(61) },
		"the cache is closed": func(_ *world, c *branchkey.Cache) {
			c.Close()
		},
		"it was deleted, and the ttl is over": func(w *world, _ *branchkey.Cache) {
			if err := w.keys.Delete(w.t.Context(), "acme"); err != nil {
				w.t.Fatal(err)
			}
			w.now.Add(61)
		},
	}
	for name, end := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, east)
			w.create("acme")
			cache := w.keeping(10)
			c := w.codec(cache)
			m := w.seal(c)
			w.opens(c, m)
			w.opens(c, m)
			w.keeps(cache, 1)
			end(w, cache)
			got, err := c.Decrypt(t.Context(), nil, m, row)
			w.keeps(cache, 0)
			if name == "the ttl is over" {
				if err != nil || string(got) != "123-45-6789" {
					t.Errorf("got %q, %v", got, err)
				}
			} else if err == nil {
				t.Errorf("it still opens: %q", got)
			}
		})
	}
	if len(cases) != 3 {
		t.Errorf("%d cases", len(cases))
	}
}

// A codec that keeps content keys tells what it is given from what it knows by
// every byte: it ends as one does that keeps none.
func TestKeptContentKeysOpenNothingElse(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	w.create("other")
	ring, err := branchkey.NewSupplied(w.keeping(10), func(ec codec.Context) (string, error) { return ec["tenant"], nil })
	if err != nil {
		t.Fatal(err)
	}
	for name, required := range map[string][]string{"stored context": nil, "required context": {"account_number"}} {
		t.Run(name, func(t *testing.T) {
			c, err := codec.New(codec.Config{Keyring: ring, RequiredKeys: required})
			if err != nil {
				t.Fatal(err)
			}
			plain := w.codec(w.cache(w.keys))
			raw, err := c.Encrypt(t.Context(), nil, []byte("123-45-6789"), row)
			if err != nil {
				t.Fatal(err)
			}
			parse := func(b []byte) *codec.Message {
				m, _ := codec.Parse(b)
				return m
			}
			for range 3 {
				w.opens(c, parse(raw))
			}
			n := 0
			same := func(what string, m *codec.Message, ec codec.Context) {
				n++
				got, err := c.Decrypt(t.Context(), nil, m, ec)
				want, wantErr := plain.Decrypt(t.Context(), nil, m, ec)
				if !bytes.Equal(got, want) || (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
					t.Errorf("%s: got %q, %v; without kept keys %q, %v", what, got, err, want, wantErr)
				}
			}
			for i := range raw {
				for _, bit := range []byte{1, 0x80} {
					changed := bytes.Clone(raw)
					changed[i] ^= bit
					if m := parse(changed); m != nil {
						same("a flipped bit", m, row)
					}
				}
			}
			same("bytes behind it", parse(append(bytes.Clone(raw), 0)), row)
			same("cut short", parse(raw[:len(raw)-1]), row)
			for _, ec := range []codec.Context{
				{"account_number": "1234567891", "tenant": "acme"}, {"account_number": "1234567890", "tenant": "other"},
				{"account_number": "1234567890", "tenant": "acme", "more": "x"}, {"tenant": "acme"}, {"account_number": "1234567890"}, nil,
			} {
				same("another context", parse(raw), ec)
			}
			if least := 2*len(raw) - 200; n < least {
				t.Errorf("%d cases, want at least %d", n, least)
			}
			if _, err := c.Decrypt(t.Context(), nil, parse(raw), row); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestContentKeysAreSafeTogether(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	cache := w.keeping(8)
	c := w.codec(cache)
	var messages []*codec.Message
	for range 16 {
		messages = append(messages, w.seal(c))
	}
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			for i := range 50 {
				if g == 0 && i%10 == 9 {
					w.now.Add(61) // every key expires
				}
				w.opens(c, messages[(g+i)%len(messages)])
			}
		})
	}
	wg.Wait()
	cache.Close()
	w.keeps(cache, 0)
	if _, err := c.Decrypt(t.Context(), nil, messages[0], row); !errors.Is(err, codec.ErrClosed) {
		t.Errorf("got %v after the cache was closed", err)
	}
}
