package cache_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/cache"
	"github.com/sealsql/sealsql/codec/rawaes"
)

// counting is a keyring that counts its calls and can be made to hang and to
// fail. It remembers the data keys that it handed out.
type counting struct {
	codec.Keyring
	encrypts, decrypts atomic.Int64
	hang               time.Duration // every call lasts so long
	fail               error

	mu   sync.Mutex
	keys []codec.DataKey
}

func newCounting(t testing.TB) *counting {
	t.Helper()
	k, err := rawaes.New("test", "key", bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return &counting{Keyring: k}
}

func (k *counting) call(ctx context.Context) error {
	if k.hang > 0 {
		select {
		case <-time.After(k.hang):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return k.fail
}

func (k *counting) made(key codec.DataKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = append(k.keys, key)
}

func (k *counting) OnEncrypt(ctx context.Context, m *codec.EncryptionMaterials) error {
	k.encrypts.Add(1)
	if err := k.call(ctx); err != nil {
		return err
	}
	err := k.Keyring.OnEncrypt(ctx, m)
	k.made(m.DataKey)
	return err
}

func (k *counting) OnDecrypt(ctx context.Context, m *codec.DecryptionMaterials, keys []codec.WrappedKey) error {
	k.decrypts.Add(1)
	if err := k.call(ctx); err != nil {
		return err
	}
	err := k.Keyring.OnDecrypt(ctx, m, keys)
	k.made(m.DataKey)
	return err
}

// zeroed counts the keys that were overwritten.
func (k *counting) zeroed() (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range k.keys {
		if bytes.Equal(key.Bytes(), make([]byte, key.Len())) {
			n++
		}
	}
	return n
}

func newCache(t testing.TB, c cache.Config) *cache.Materials {
	t.Helper()
	if c.MaxAge == 0 {
		c.MaxAge = time.Minute
	}
	m, err := cache.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func newCodec(t testing.TB, c codec.Config) *codec.Codec {
	t.Helper()
	out, err := codec.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tenant(i int) codec.Context { return codec.Context{"tenant": fmt.Sprint(i)} }

// seal and open carry out one message each.
func seal(t testing.TB, c *codec.Codec, n int, ec codec.Context) *codec.Message {
	t.Helper()
	raw, err := c.Encrypt(t.Context(), nil, make([]byte, n), ec)
	if err != nil {
		t.Fatal(err)
	}
	m, err := codec.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t testing.TB, c *codec.Codec, m *codec.Message, ec codec.Context) {
	t.Helper()
	if _, err := c.Decrypt(t.Context(), nil, m, ec); err != nil {
		t.Fatal(err)
	}
}

// want compares the figures of a cache and its keyring.
func want(t testing.TB, m *cache.Materials, s cache.Stats) {
	t.Helper()
	if got := m.Stats(); got != s {
		t.Errorf("%+v, want %+v", got, s)
	}
}

func TestTheConfigurationIsChecked(t *testing.T) {
	ring := newCounting(t)
	for name, c := range map[string]cache.Config{
		"no keyring":          {MaxAge: 1},
		"no age":              {Keyring: ring},
		"a negative age":      {Keyring: ring, MaxAge: -1},
		"negative messages":   {Keyring: ring, MaxAge: 1, MaxMessages: -1},
		"negative bytes":      {Keyring: ring, MaxAge: 1, MaxBytes: -1},
		"a negative capacity": {Keyring: ring, MaxAge: 1, Capacity: -1},
	} {
		if _, err := cache.New(c); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestOneCallServesAllMessagesOfAContext(t *testing.T) {
	for _, suite := range []codec.Suite{codec.SuiteCommit, codec.SuiteCommitSigned} {
		t.Run(suite.String(), func(t *testing.T) {
			ring := newCounting(t)
			m := newCache(t, cache.Config{Keyring: ring})
			c := newCodec(t, codec.Config{Materials: m, Suite: suite})
			reader := newCodec(t, codec.Config{Keyring: ring.Keyring})
			ids := map[string]bool{}
			for range 20 {
				msg := seal(t, c, 11, tenant(1))
				open(t, c, msg, tenant(1))
				open(t, reader, msg, tenant(1)) // without the cache
				ids[string(msg.ID())] = true
			}
			if len(ids) != 20 {
				t.Errorf("%d message ids, want 20", len(ids))
			}
			want(t, m, cache.Stats{Hits: 38, Misses: 2, Entries: 2})
			if e, d := ring.encrypts.Load(), ring.decrypts.Load(); e != 1 || d != 1 {
				t.Errorf("%d and %d calls, want one each", e, d)
			}
		})
	}
}

// TestARowUniqueContextDefeatsIt is what the documentation says plainly.
func TestARowUniqueContextDefeatsIt(t *testing.T) {
	ring := newCounting(t)
	m := newCache(t, cache.Config{Keyring: ring})
	c := newCodec(t, codec.Config{Materials: m})
	for row := range 200 {
		open(t, c, seal(t, c, 11, tenant(row)), tenant(row))
	}
	if e, d := ring.encrypts.Load(), ring.decrypts.Load(); e != 200 || d != 200 {
		t.Errorf("%d and %d calls, want 200 each", e, d)
	}
}

func TestRequiredPairsAreTheRequestsOwn(t *testing.T) {
	ring := newCounting(t)
	m := newCache(t, cache.Config{Keyring: ring})
	stored, required := newCodec(t, codec.Config{Materials: m}), newCodec(t, codec.Config{Materials: m, RequiredKeys: []string{"tenant"}})
	for range 2 {
		a, b := seal(t, stored, 11, tenant(1)), seal(t, required, 11, tenant(1))
		if len(a.Context()) != 1 || len(b.Context()) != 0 {
			t.Errorf("contexts %v and %v", a.Context(), b.Context())
		}
		open(t, stored, a, tenant(1))
		open(t, stored, b, tenant(1))
		if _, err := stored.Decrypt(t.Context(), nil, b, nil); !errors.Is(err, codec.ErrUnwrap) {
			t.Errorf("without the required pair: %v", err)
		}
		if _, err := stored.Decrypt(t.Context(), nil, b, tenant(2)); !errors.Is(err, codec.ErrUnwrap) {
			t.Errorf("with another row's pair: %v", err)
		}
		if _, err := stored.Decrypt(t.Context(), nil, a, tenant(2)); !errors.Is(err, codec.ErrContextMismatch) {
			t.Errorf("with another row's pair, stored: %v", err)
		}
	}
}

func TestSuitesWithoutDerivationAreNeverCached(t *testing.T) {
	ring := newCounting(t)
	m := newCache(t, cache.Config{Keyring: ring})
	for _, suite := range []codec.Suite{codec.Suite128, codec.Suite192, codec.Suite256} {
		c := newCodec(t, codec.Config{Materials: m, Suite: suite, Commitment: codec.CommitmentForbidEncryptAllowDecrypt})
		for range 2 {
			open(t, c, seal(t, c, 11, tenant(1)), tenant(1))
		}
	}
	want(t, m, cache.Stats{Bypassed: 12})
	if ring.zeroed() != 12 {
		t.Errorf("%d keys were zeroed after use, want 12", ring.zeroed())
	}
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name     string
		config   cache.Config
		messages []int // lengths
		calls    int64
		bypassed uint64
	}{
		{"one message", cache.Config{MaxMessages: 1}, []int{1, 1, 1}, 3, 0},
		{"two messages", cache.Config{MaxMessages: 2}, []int{1, 1, 1, 1, 1}, 3, 0},
		{"bytes to the last", cache.Config{MaxBytes: 10}, []int{5, 5, 1}, 2, 0},
		{"a message that would pass the limit starts anew", cache.Config{MaxBytes: 10}, []int{6, 5, 5, 0, 1}, 3, 0},
		{"a long message passes by", cache.Config{MaxBytes: 10}, []int{5, 11, 5}, 2, 1},
		{"no limit", cache.Config{}, []int{100, 100, 100}, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			ring := newCounting(t)
			c.config.Keyring = ring
			m := newCache(t, c.config)
			cc := newCodec(t, codec.Config{Materials: m})
			for _, n := range c.messages {
				seal(t, cc, n, tenant(1))
			}
			if got := ring.encrypts.Load(); got != c.calls {
				t.Errorf("%d calls, want %d", got, c.calls)
			}
			if got := m.Stats().Bypassed; got != c.bypassed {
				t.Errorf("%d passed by, want %d", got, c.bypassed)
			}
		})
	}
}

func TestKeysExpireAndAreZeroed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := newCounting(t)
		m := newCache(t, cache.Config{Keyring: ring, MaxAge: time.Minute})
		c := newCodec(t, codec.Config{Materials: m})
		msg := seal(t, c, 11, tenant(1))
		time.Sleep(time.Minute - time.Nanosecond)
		seal(t, c, 11, tenant(1))
		open(t, c, msg, tenant(1))
		if ring.encrypts.Load() != 1 || ring.zeroed() != 0 {
			t.Errorf("%d calls and %d zeroed before the key's age", ring.encrypts.Load(), ring.zeroed())
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		// Nobody asked: it expired all the same.
		want(t, m, cache.Stats{Hits: 1, Misses: 2, Entries: 1, Expired: 1})
		if ring.zeroed() != 1 {
			t.Errorf("%d keys were zeroed, want 1", ring.zeroed())
		}
		seal(t, c, 11, tenant(1))
		time.Sleep(time.Hour)
		synctest.Wait()
		want(t, m, cache.Stats{Hits: 1, Misses: 3, Expired: 3})
		if ring.zeroed() != 3 {
			t.Errorf("%d keys were zeroed, want 3", ring.zeroed())
		}
	})
}

func TestTheLeastRecentlyUsedIsPushedOutAndZeroed(t *testing.T) {
	ring := newCounting(t)
	m := newCache(t, cache.Config{Keyring: ring, Capacity: 2})
	c := newCodec(t, codec.Config{Materials: m})
	for _, i := range []int{1, 2, 1, 3, 1, 2} { // 3 pushes out 2, and 2 then 3
		seal(t, c, 11, tenant(i))
	}
	want(t, m, cache.Stats{Hits: 2, Misses: 4, Entries: 2, Evictions: 2})
	if ring.zeroed() != 2 {
		t.Errorf("%d keys were zeroed, want 2", ring.zeroed())
	}
}

func TestCloseZeroesEverything(t *testing.T) {
	ring := newCounting(t)
	m := newCache(t, cache.Config{Keyring: ring})
	c := newCodec(t, codec.Config{Materials: m})
	msg := seal(t, c, 11, tenant(1))
	open(t, c, msg, tenant(1))
	for range 2 {
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if ring.zeroed() != 2 {
		t.Errorf("%d keys were zeroed, want 2", ring.zeroed())
	}
	if _, err := c.Encrypt(t.Context(), nil, nil, tenant(1)); !errors.Is(err, codec.ErrClosed) {
		t.Errorf("encrypt: %v", err)
	}
	if _, err := c.Decrypt(t.Context(), nil, msg, nil); !errors.Is(err, codec.ErrClosed) {
		t.Errorf("decrypt: %v", err)
	}
	old := newCodec(t, codec.Config{Materials: m, Suite: codec.Suite256, Commitment: codec.CommitmentForbidEncryptAllowDecrypt})
	if _, err := old.Encrypt(t.Context(), nil, nil, nil); !errors.Is(err, codec.ErrClosed) {
		t.Errorf("a suite that is not cached: %v", err)
	}
}

// TestAKeyInUseIsNotZeroed: who was handed materials before the entry went
// works on with them.
func TestAKeyInUseIsNotZeroed(t *testing.T) {
	ring := newCounting(t)
	m := newCache(t, cache.Config{Keyring: ring, Capacity: 1})
	request := codec.EncryptionRequest{Suite: codec.SuiteCommit, Context: tenant(1), PlaintextLength: 11}
	first, err := m.Encryption(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	second, err := m.Encryption(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	key := bytes.Clone(first.DataKey.Bytes())
	if !bytes.Equal(key, second.DataKey.Bytes()) || bytes.Equal(key, make([]byte, 32)) {
		t.Fatal("the two messages do not share a key")
	}
	m.Done(second.DataKey)
	if !bytes.Equal(second.DataKey.Bytes(), make([]byte, 32)) {
		t.Error("a key that was taken back is not zeroed")
	}
	request.Context = tenant(2)
	if _, err := m.Encryption(t.Context(), request); err != nil { // pushes the first out
		t.Fatal(err)
	}
	_ = m.Close()
	if ring.zeroed() != 2 || !bytes.Equal(key, first.DataKey.Bytes()) {
		t.Errorf("%d kept keys zeroed; the one in use is untouched: %v", ring.zeroed(), bytes.Equal(key, first.DataKey.Bytes()))
	}
}

func TestConcurrentMissesMakeOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := newCounting(t)
		ring.hang = time.Second
		m := newCache(t, cache.Config{Keyring: ring})
		c := newCodec(t, codec.Config{Materials: m})
		msgs := make([]*codec.Message, 64)
		var wg sync.WaitGroup
		for i := range msgs {
			wg.Go(func() { msgs[i] = seal(t, c, 11, tenant(1)) })
		}
		wg.Wait()
		for _, msg := range msgs {
			wg.Go(func() { open(t, c, msg, tenant(1)) })
		}
		wg.Wait()
		want(t, m, cache.Stats{Hits: 126, Misses: 2, Entries: 2})
	})
}

// TestConcurrentMissesKeepTheLimits: no key serves more messages than it may,
// however many wait for it.
func TestConcurrentMissesKeepTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := newCounting(t)
		ring.hang = time.Second
		m := newCache(t, cache.Config{Keyring: ring, MaxMessages: 10})
		c := newCodec(t, codec.Config{Materials: m})
		var wg sync.WaitGroup
		var mu sync.Mutex
		perKey := map[string]int{}
		for range 64 {
			wg.Go(func() {
				msg := seal(t, c, 11, tenant(1))
				mu.Lock()
				defer mu.Unlock()
				perKey[string(msg.WrappedKeys()[0].Ciphertext)]++
			})
		}
		wg.Wait()
		for _, n := range perKey {
			if n > 10 {
				t.Errorf("a key served %d messages", n)
			}
		}
		if got := ring.encrypts.Load(); got != 7 {
			t.Errorf("%d calls for 64 messages of 10 each, want 7", got)
		}
	})
}

// TestWhoGivesUpDoesNotFailTheOthers: the caller that started the call is
// cancelled, another one's deadline passes, and the rest get the key from that call.
func TestWhoGivesUpDoesNotFailTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := newCounting(t)
		ring.hang = time.Minute
		m := newCache(t, cache.Config{Keyring: ring, MaxAge: time.Hour})
		c := newCodec(t, codec.Config{Materials: m})
		var wg sync.WaitGroup
		began := time.Now()
		leader, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			_, err := c.Encrypt(leader, nil, nil, tenant(1))
			if !errors.Is(err, context.Canceled) || !errors.Is(err, codec.ErrKeyUnavailable) {
				t.Errorf("the leader: %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			hasty, stop := context.WithTimeout(t.Context(), 3*time.Second)
			defer stop()
			_, err := c.Encrypt(hasty, nil, nil, tenant(1))
			if waited := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || waited != 3*time.Second {
				t.Errorf("the hasty one: after %v: %v", waited, err)
			}
		})
		for range 62 {
			wg.Go(func() { seal(t, c, 11, tenant(1)) })
		}
		synctest.Wait()
		cancel()
		wg.Wait()
		if waited := time.Since(began); waited != time.Minute || ring.encrypts.Load() != 1 {
			t.Errorf("%d calls, %v", ring.encrypts.Load(), waited)
		}
		want(t, m, cache.Stats{Hits: 61, Misses: 1, Entries: 1})
	})
}

func TestTheCallEndsWithTheLastThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := newCounting(t)
		ring.hang = time.Hour
		m := newCache(t, cache.Config{Keyring: ring})
		c := newCodec(t, codec.Config{Materials: m})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Encrypt(ctx, nil, nil, tenant(1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		ring.hang = 0
		began := time.Now()
		seal(t, c, 11, tenant(1)) // a call of its own
		if time.Since(began) != 0 || ring.encrypts.Load() != 2 {
			t.Errorf("%d calls", ring.encrypts.Load())
		}
	})
}

func TestErrorsAreNotKept(t *testing.T) {
	ring := newCounting(t)
	m := newCache(t, cache.Config{Keyring: ring})
	c := newCodec(t, codec.Config{Materials: m})
	ring.fail = &codec.Error{Kind: codec.ErrKeyDenied, Op: "encrypt"}
	if _, err := c.Encrypt(t.Context(), nil, nil, tenant(1)); !errors.Is(err, codec.ErrKeyDenied) {
		t.Errorf("got %v", err)
	}
	ring.fail = nil
	seal(t, c, 11, tenant(1))
	want(t, m, cache.Stats{Misses: 2, Entries: 1})
}

func TestCloseEndsWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := newCounting(t)
		ring.hang = time.Hour
		m := newCache(t, cache.Config{Keyring: ring})
		c := newCodec(t, codec.Config{Materials: m})
		done := make(chan error)
		for range 2 {
			go func() {
				_, err := c.Encrypt(t.Context(), nil, nil, tenant(1))
				done <- err
			}()
		}
		synctest.Wait()
		_ = m.Close()
		for range 2 {
			if err := <-done; !errors.Is(err, codec.ErrClosed) {
				t.Errorf("got %v", err)
			}
		}
	})
}

// TestManyGoroutines mixes everything: hits, misses, limits, evictions, expiry,
// callers that give up, and Close in the middle of it.
func TestManyGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := newCounting(t)
		ring.hang = 10 * time.Millisecond
		m := newCache(t, cache.Config{Keyring: ring, MaxAge: 50 * time.Millisecond, MaxMessages: 9, MaxBytes: 200, Capacity: 7})
		c := newCodec(t, codec.Config{Materials: m})
		reader := newCodec(t, codec.Config{Keyring: ring.Keyring})
		var wg sync.WaitGroup
		var sealed, gaveUp, closed atomic.Int64
		for g := range 64 {
			wg.Go(func() {
				for i := range 60 {
					ec := tenant((g + i) % 11)
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(5+(g*i)%40)*time.Millisecond)
					plaintext := make([]byte, (g*i)%60)
					_, _ = rand.Read(plaintext)
					raw, err := c.Encrypt(ctx, nil, plaintext, ec)
					var got []byte
					if err == nil {
						msg, perr := codec.Parse(raw)
						if perr != nil {
							t.Error(perr)
						}
						// What was sealed is readable without the cache, whatever became of the entry.
						if plain, rerr := reader.Decrypt(t.Context(), nil, msg, ec); rerr != nil || !bytes.Equal(plain, plaintext) {
							t.Errorf("a message does not open: %v", rerr)
						}
						sealed.Add(1)
						if got, err = c.Decrypt(ctx, nil, msg, ec); err == nil && !bytes.Equal(got, plaintext) {
							t.Error("another plaintext")
						}
					}
					cancel()
					switch {
					case errors.Is(err, context.DeadlineExceeded):
						gaveUp.Add(1)
					case errors.Is(err, codec.ErrClosed):
						closed.Add(1)
						return
					case err != nil:
						t.Error(err)
					}
				}
			})
		}
		time.AfterFunc(300*time.Millisecond, func() { _ = m.Close() })
		wg.Wait()
		synctest.Wait()
		s := m.Stats()
		if sealed.Load() == 0 || gaveUp.Load() == 0 || closed.Load() == 0 || s.Evictions == 0 || s.Expired == 0 || s.Hits == 0 || s.Entries != 0 {
			t.Errorf("not everything happened: %d sealed, %d gave up, %d closed, %+v", sealed.Load(), gaveUp.Load(), closed.Load(), s)
		}
		if ring.zeroed() != len(ring.keys) {
			t.Errorf("%d of %d keys were zeroed", ring.zeroed(), len(ring.keys))
		}
	})
}

// BenchmarkHit encrypts and decrypts one value with kept keys.
func BenchmarkHit(b *testing.B) {
	m := newCache(b, cache.Config{Keyring: newCounting(b)})
	c := newCodec(b, codec.Config{Materials: m})
	open(b, c, seal(b, c, 11, tenant(1)), tenant(1))
	b.ReportAllocs()
	for b.Loop() {
		msg := seal(b, c, 11, tenant(1))
		open(b, c, msg, tenant(1))
	}
}

// willing is a keyring that unwraps whatever it is asked to, so that nothing but
// the cache tells requests apart.
type willing struct{ counting }

func (k *willing) OnDecrypt(_ context.Context, m *codec.DecryptionMaterials, _ []codec.WrappedKey) error {
	k.decrypts.Add(1)
	m.DataKey = codec.RandomDataKey(m.Suite.KeyLength())
	return nil
}

// TestAKeptKeyIsForItsRequestAlone: what was unwrapped for one message serves no
// request that differs in anything, however alike the bytes are when put in a row.
func TestAKeptKeyIsForItsRequestAlone(t *testing.T) {
	type request = codec.DecryptionRequest
	key := func(provider, info, ciphertext string) codec.WrappedKey {
		return codec.WrappedKey{ProviderID: provider, ProviderInfo: []byte(info), Ciphertext: []byte(ciphertext)}
	}
	one, two := key("ab", "cd", "ef"), key("gh", "ij", "kl")
	row := codec.Context{"account": "1", "tenant": "2"}
	base := request{Suite: codec.SuiteCommit, Context: row, WrappedKeys: []codec.WrappedKey{one, two}}
	cases := []struct {
		name   string
		change func(*request)
		same   bool
	}{
		{"the same", func(*request) {}, true},
		{"its keys in another order", func(r *request) { r.WrappedKeys = []codec.WrappedKey{two, one} }, true},
		{"another row", func(r *request) { r.Context = codec.Context{"account": "2", "tenant": "2"} }, false},
		{"values that changed places", func(r *request) { r.Context = codec.Context{"account": "2", "tenant": "1"} }, false},
		{"a pair less", func(r *request) { r.Context = codec.Context{"account": "1"} }, false},
		{"a pair more", func(r *request) { r.Context = codec.Context{"account": "1", "tenant": "2", "x": ""} }, false},
		{"no context", func(r *request) { r.Context = nil }, false},
		{"a value that runs into the next key", func(r *request) { r.Context = codec.Context{"account": "1\x00\x06tenant\x00\x012"} }, false},
		{"another suite of the same key length", func(r *request) { r.Suite = codec.Suite256HKDF }, false},
		{"a suite of another key length", func(r *request) { r.Suite = codec.Suite128HKDF }, false},
		{"one of the keys", func(r *request) { r.WrappedKeys = r.WrappedKeys[:1] }, false},
		{"one of the keys twice", func(r *request) { r.WrappedKeys = []codec.WrappedKey{one, one} }, false},
		{"another key", func(r *request) { r.WrappedKeys = []codec.WrappedKey{one, key("gh", "ij", "km")} }, false},
		{"another provider", func(r *request) { r.WrappedKeys = []codec.WrappedKey{one, key("gx", "ij", "kl")} }, false},
		{"a shifted boundary", func(r *request) { r.WrappedKeys = []codec.WrappedKey{key("abc", "d", "ef"), two} }, false},
		{"fields that changed places", func(r *request) { r.WrappedKeys = []codec.WrappedKey{key("cd", "ab", "ef"), two} }, false},
		{"two keys as one", func(r *request) {
			r.WrappedKeys = []codec.WrappedKey{key("ab", "cd", "ef\x00\x02gh\x00\x02ij\x00\x02kl")}
		}, false},
	}
	for _, c := range cases {
		k := &willing{}
		m := newCache(t, cache.Config{Keyring: k})
		first, err := m.Decryption(t.Context(), base)
		if err != nil {
			t.Fatal(err)
		}
		r := base
		c.change(&r)
		second, err := m.Decryption(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if same := bytes.Equal(first.DataKey.Bytes(), second.DataKey.Bytes()); same != c.same || k.decrypts.Load() == 1 != c.same {
			t.Errorf("%s: the same key: %v; %d calls", c.name, same, k.decrypts.Load())
		}
		// What the request said is what comes back, not what was kept.
		if second.Suite != r.Suite || fmt.Sprint(second.Context) != fmt.Sprint(r.Context) {
			t.Errorf("%s: the answer is another request's", c.name)
		}
		// Nor does one cache know of another's.
		other := newCache(t, cache.Config{Keyring: k})
		if third, err := other.Decryption(t.Context(), base); err != nil || bytes.Equal(third.DataKey.Bytes(), first.DataKey.Bytes()) {
			t.Errorf("%s: two caches share a key, %v", c.name, err)
		}
	}
	if len(cases) != 17 {
		t.Errorf("%d cases", len(cases))
	}
}
