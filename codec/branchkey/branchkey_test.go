package branchkey_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/sealtest"
)

const east, west = "us-east-1", "eu-west-1"

var row = codec.Context{"account_number": "1234567890", "tenant": "acme"}

// world is a fake KMS, a file store and what stands on them.
type world struct {
	t     testing.TB
	kms   *sealtest.KMS
	arns  []string
	store branchkey.Store
	keys  *branchkey.Keys
	now   atomic.Int64 // seconds since the start
}

func newWorld(t testing.TB, regions ...string) *world {
	t.Helper()
	w := &world{t: t, kms: sealtest.NewKMS()}
	t.Cleanup(w.kms.Close)
	for _, r := range regions {
		w.arns = append(w.arns, w.kms.CreateKey(r))
	}
	var err error
	if w.store, err = branchkey.NewFileStore(filepath.Join(t.TempDir(), "keys.json")); err != nil {
		t.Fatal(err)
	}
	w.keys = branchkey.NewKeys(w.store, w.wrapper(east, w.arns...))
	return w
}

func (w *world) wrapper(region string, arns ...string) *awskms.Wrapper {
	w.t.Helper()
	s, err := awskms.NewShield(awskms.ShieldConfig{Client: awskms.Clients(w.kms.AWSConfig(region))})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Close)
	out, err := awskms.NewWrapper(awskms.WrapperConfig{Shield: s, Keys: arns, Region: region})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) create(id string) {
	w.t.Helper()
	if _, err := w.keys.Create(w.t.Context(), id, nil); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) clock() time.Time { return time.Unix(1_700_000_000+w.now.Load(), 0) }

func (w *world) cache(k *branchkey.Keys) *branchkey.Cache {
	w.t.Helper()
	c, err := branchkey.NewCache(branchkey.CacheConfig{Keys: k, TTL: time.Minute, Now: w.clock})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

func (w *world) codec(c *branchkey.Cache) *codec.Codec {
	w.t.Helper()
	ring, err := branchkey.NewSupplied(c, func(ec codec.Context) (string, error) { return ec["tenant"], nil })
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := codec.New(codec.Config{Keyring: ring})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) seal(c *codec.Codec) *codec.Message {
	w.t.Helper()
	b, err := c.Encrypt(w.t.Context(), nil, []byte("123-45-6789"), row)
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := codec.Parse(b)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) opens(c *codec.Codec, m *codec.Message) {
	w.t.Helper()
	if got, err := c.Decrypt(w.t.Context(), nil, m, row); err != nil || string(got) != "123-45-6789" {
		w.t.Errorf("got %q, %v", got, err)
	}
}

func (w *world) fails(c *codec.Codec, m *codec.Message, want error) {
	w.t.Helper()
	if got, err := c.Decrypt(w.t.Context(), nil, m, row); !errors.Is(err, want) || len(got) > 0 {
		w.t.Errorf("got %q, %v; want %v", got, err, want)
	}
}

func TestOneCallOfKMSForManyValues(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	w.kms.ResetCalls()
	c := w.codec(w.cache(w.keys))
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 20 {
				w.opens(c, w.seal(c))
			}
		})
	}
	wg.Wait()
	if n := w.kms.Count(sealtest.CallKind{}); n != 1 {
		t.Errorf("%d calls of KMS for 1,280 values", n)
	}
	other := w.codec(w.cache(w.keys))
	w.kms.ResetCalls()
	w.opens(other, w.seal(c))
	if n := w.kms.Count(sealtest.CallKind{}); n != 1 {
		t.Errorf("%d calls of KMS to read in a process that had not written", n)
	}
}

func TestOldVersionsStillOpen(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	c := w.codec(w.cache(w.keys))
	first := w.seal(c)
	before, err := w.keys.Get(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	after, err := w.keys.Rotate(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if after.Version == before.Version || after.Versions != 2 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	c = w.codec(w.cache(w.keys))
	second := w.seal(c)
	w.opens(c, first)
	w.opens(c, second)
	a, b := first.WrappedKeys()[0].Ciphertext, second.WrappedKeys()[0].Ciphertext
	if len(a) != 92 || len(b) != 92 || string(a[28:44]) == string(b[28:44]) {
		t.Errorf("%d and %d bytes; the second is not wrapped under the new version", len(a), len(b))
	}
}

// TestADeletedKeyOpensNothing once the TTL has passed, and not before a
// process without it in memory.
func TestADeletedKeyOpensNothing(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	w.create("other")
	c := w.codec(w.cache(w.keys))
	m := w.seal(c)
	if err := w.keys.Delete(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	w.fails(w.codec(w.cache(w.keys)), m, codec.ErrKeyDeleted)
	w.opens(c, m) // cached, within the TTL
	w.now.Add(60)
	w.fails(c, m, codec.ErrKeyDeleted)
	if _, err := c.Encrypt(t.Context(), nil, nil, row); !errors.Is(err, codec.ErrNoBranchKey) || !strings.Contains(err.Error(), "keys create") || strings.Contains(err.Error(), "acme") {
		t.Errorf("sealing under a deleted key: %v", err)
	}
	// Made again it is another key: what was shredded stays so.
	w.create("acme")
	w.now.Add(2)
	w.seal(c)
	w.fails(c, m, codec.ErrUnwrap)
	if err := w.keys.Delete(t.Context(), "nobody"); !errors.Is(err, branchkey.ErrNotFound) {
		t.Error(err)
	}
}

// TestTheTTLIsTheBound while KMS or the store is down: within it, values
// open; after it they do not.
func TestTheTTLIsTheBound(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	c := w.codec(w.cache(w.keys))
	m := w.seal(c)
	w.kms.SetFault(east, sealtest.Fault{Reset: true})
	w.now.Store(59)
	w.opens(c, m)
	w.now.Store(60)
	w.fails(c, m, codec.ErrKeyUnavailable)
	if _, err := c.Encrypt(t.Context(), nil, nil, row); !errors.Is(err, codec.ErrKeyUnavailable) {
		t.Error(err)
	}
}

// TestKeysInUseAreFetchedAgain in the background before their TTL has passed.
func TestKeysInUseAreFetchedAgain(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	c := w.codec(w.cache(w.keys))
	m := w.seal(c)
	w.kms.ResetCalls()
	w.now.Store(41)
	for w.kms.Count(sealtest.CallKind{Operation: "Decrypt", Outcome: sealtest.OK}) == 0 {
		w.opens(c, m)
	}
	w.kms.SetFault(east, sealtest.Fault{Reset: true})
	w.now.Store(70) // past the first TTL, within the second
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if _, err := c.Decrypt(t.Context(), nil, m, row); err == nil {
			return
		}
	}
	t.Error("the key was not kept")
}

func TestTwoRotators(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	var done, conflicts atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			switch _, err := w.keys.Rotate(context.Background(), "acme"); {
			case err == nil:
				done.Add(1)
			case errors.Is(err, branchkey.ErrConflict):
				conflicts.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	info, err := w.keys.Get(t.Context(), "acme")
	if err != nil || info.Versions != 1+int(done.Load()) || done.Load() == 0 || done.Load()+conflicts.Load() != 8 {
		t.Errorf("%d rotated, %d conflicts, %+v, %v", done.Load(), conflicts.Load(), info, err)
	}
	if _, err := w.keys.Create(t.Context(), "acme", nil); !errors.Is(err, branchkey.ErrExists) {
		t.Errorf("made twice: %v", err)
	}
}

// TestARegionIsLost: a branch key under two Regions' keys is read with either.
func TestARegionIsLost(t *testing.T) {
	w := newWorld(t, east, west)
	w.create("acme")
	if _, err := w.keys.Rotate(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	info, err := w.keys.Get(t.Context(), "acme")
	if err != nil || len(info.KeyARNs) != 2 || info.Versions != 2 {
		t.Fatalf("%+v, %v", info, err)
	}
	m := w.seal(w.codec(w.cache(w.keys)))
	for _, down := range []string{east, west} {
		w.kms.Heal()
		w.kms.SetFault(down, sealtest.Fault{Reset: true})
		for _, at := range []string{east, west} {
			c := w.codec(w.cache(branchkey.NewKeys(w.store, w.wrapper(at, w.arns...))))
			w.opens(c, m)
			w.opens(c, w.seal(c))
		}
	}
	w.kms.Heal()
	// A process that knows one of the keys only.
	w.opens(w.codec(w.cache(branchkey.NewKeys(w.store, w.wrapper(west, w.arns[1])))), m)
	w.fails(w.codec(w.cache(branchkey.NewKeys(w.store, w.wrapper(east, w.kms.CreateKey(east))))), m, codec.ErrUnknownKey)
}

func TestAMultiRegionKey(t *testing.T) {
	w := newWorld(t, east)
	arns := w.kms.CreateMultiRegionKey(east, west)
	w.keys = branchkey.NewKeys(w.store, w.wrapper(east, arns[0]))
	w.create("acme")
	m := w.seal(w.codec(w.cache(w.keys)))
	for _, down := range []string{east, west} {
		w.kms.Heal()
		w.kms.SetFault(down, sealtest.Fault{Reset: true})
		w.opens(w.codec(w.cache(branchkey.NewKeys(w.store, w.wrapper(west, arns[0])))), m)
	}
}

// TestForgeries: what an attacker with write access to values or to the store
// can change does not open.
func TestForgeries(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	w.create("other")
	c := w.codec(w.cache(w.keys))
	m := w.seal(c)
	cache := w.cache(w.keys)
	good := m.WrappedKeys()[0]
	changed := func(at int) []byte {
		b := append([]byte(nil), good.Ciphertext...)
		b[at] ^= 1
		return b
	}
	cases := []struct {
		name string
		id   string
		key  []byte
		want error
	}{
		{"as it is", "acme", good.Ciphertext, nil},
		{"another branch key's id", "other", good.Ciphertext, codec.ErrContextMismatch},
		{"no branch key's id", "", good.Ciphertext, codec.ErrContextMismatch},
		{"salt", "acme", changed(0), codec.ErrUnwrap},
		{"IV", "acme", changed(16), codec.ErrUnwrap},
		{"version", "acme", changed(28), codec.ErrUnwrap},
		{"key", "acme", changed(44), codec.ErrUnwrap},
		{"tag", "acme", changed(91), codec.ErrUnwrap},
		{"cut short", "acme", good.Ciphertext[:91], codec.ErrTampered},
		{"nothing", "acme", nil, codec.ErrTampered},
		{"too long", "acme", append(changed(0), 0), codec.ErrTampered},
	}
	for _, x := range cases {
		ring, err := branchkey.NewSupplied(cache, func(ec codec.Context) (string, error) { return ec["tenant"], nil })
		if err != nil {
			t.Fatal(err)
		}
		d := &codec.DecryptionMaterials{Suite: codec.SuiteCommit, Context: m.Context()}
		err = ring.OnDecrypt(t.Context(), d, []codec.WrappedKey{{ProviderID: branchkey.ProviderID, ProviderInfo: []byte(x.id), Ciphertext: x.key}})
		if !errors.Is(err, x.want) || (err != nil) != (d.DataKey.Len() == 0) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
	if len(cases) != 11 {
		t.Error("the number of cases changed")
	}
}

// TestAChangedStoreIsNoticed: every attribute of an item is bound to its key.
func TestAChangedStoreIsNoticed(t *testing.T) {
	w := newWorld(t, east)
	if _, err := w.keys.Create(t.Context(), "acme", map[string]string{"department": "payments"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.keys.Create(t.Context(), "other", nil); err != nil {
		t.Fatal(err)
	}
	other, err := w.store.Items(t.Context(), "other", "branch:ACTIVE")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]func(*branchkey.Item){
		"another key's": func(i *branchkey.Item) { i.Wrapped = other[0].Wrapped },
		"version":       func(i *branchkey.Item) { i.Version = other[0].Version },
		"time":          func(i *branchkey.Item) { i.CreateTime = "2001-01-01T00:00:00.000000Z" },
		"context":       func(i *branchkey.Item) { i.Context = map[string]string{"department": "sales"} },
		"no context":    func(i *branchkey.Item) { i.Context = nil },
		"blob":          func(i *branchkey.Item) { i.Wrapped = i.Wrapped[:len(i.Wrapped)-1] },
		// What KMS refuses by its form is not KMS being down.
		"no blob":             func(i *branchkey.Item) { i.Wrapped = nil },
		"an empty blob":       func(i *branchkey.Item) { i.Wrapped = []byte{} },
		"a long blob":         func(i *branchkey.Item) { i.Wrapped = make([]byte, 6145) },
		"a long context":      func(i *branchkey.Item) { i.Context = map[string]string{"department": strings.Repeat("x", 8193)} },
		"another's blob, too": func(i *branchkey.Item) { i.Wrapped = append(bytes.Clone(i.Wrapped), other[0].Wrapped...) },
	}
	for name, change := range cases {
		k := branchkey.NewKeys(changedStore{w.store, change}, w.wrapper(east, w.arns...))
		c := w.codec(w.cache(k))
		if _, err := c.Encrypt(t.Context(), nil, nil, row); !errors.Is(err, codec.ErrTampered) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := k.Rotate(t.Context(), "acme"); !errors.Is(err, codec.ErrTampered) {
			t.Errorf("%s: rotate: %v", name, err)
		}
	}
	if len(cases) != 11 {
		t.Error("the number of cases changed")
	}
}

// TestAnItemThatNamesAnotherRegion: whoever writes to the store has no say in
// where KMS is called.
func TestAnItemThatNamesAnotherRegion(t *testing.T) {
	w := newWorld(t, east)
	arn := w.kms.CreateMultiRegionKey(east, west)[0]
	w.keys = branchkey.NewKeys(w.store, w.wrapper(east, arn))
	w.create("acme")
	cases := []struct {
		region string
		blob   func([]byte) []byte
		want   error
	}{
		{west, bytes.Clone, codec.ErrTampered},
		{"xx-evil-1", bytes.Clone, codec.ErrTampered},
		{"xx-evil-1", func([]byte) []byte { return nil }, codec.ErrTampered},
		{"xx-evil-1", func([]byte) []byte { return make([]byte, 7000) }, codec.ErrTampered},
		{"evil.example/", bytes.Clone, codec.ErrUnknownKey},
		{"evil.example#", bytes.Clone, codec.ErrUnknownKey},
		{"x@evil.example", bytes.Clone, codec.ErrUnknownKey},
		{"", bytes.Clone, codec.ErrUnknownKey},
	}
	for _, x := range cases {
		change := func(i *branchkey.Item) {
			i.KeyARN = strings.Replace(arn, east, x.region, 1)
			i.Wrapped = x.blob(i.Wrapped)
		}
		w.kms.ResetCalls()
		c := w.codec(w.cache(branchkey.NewKeys(changedStore{w.store, change}, w.wrapper(east, arn))))
		if _, err := c.Encrypt(t.Context(), nil, nil, row); !errors.Is(err, x.want) {
			t.Errorf("%q: %v", x.region, err)
		}
		for _, call := range w.kms.Calls() {
			if call.Region != east {
				t.Errorf("%q: KMS was called in %q", x.region, call.Region)
			}
		}
	}
	if len(cases) != 8 {
		t.Error("the number of cases changed")
	}
}

type changedStore struct {
	branchkey.Store
	change func(*branchkey.Item)
}

func (s changedStore) Items(ctx context.Context, id, typ string) ([]branchkey.Item, error) {
	items, err := s.Store.Items(ctx, id, typ)
	for i := range items {
		s.change(&items[i])
	}
	return items, err
}

// hangingStore answers when its gate opens.
type hangingStore struct {
	branchkey.Store
	gate    chan struct{}
	entered chan struct{}
	asked   atomic.Int32
}

func (s *hangingStore) Items(ctx context.Context, id, typ string) ([]branchkey.Item, error) {
	s.asked.Add(1)
	s.entered <- struct{}{}
	select {
	case <-s.gate:
		return s.Store.Items(ctx, id, typ)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestEachCallerKeepsItsDeadline while one look-up serves them all.
func TestEachCallerKeepsItsDeadline(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	s := &hangingStore{Store: w.store, gate: make(chan struct{}), entered: make(chan struct{}, 100)}
	c := w.codec(w.cache(branchkey.NewKeys(s, w.wrapper(east, w.arns...))))
	first, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var gaveUp error
	wg.Go(func() { _, gaveUp = c.Encrypt(first, nil, nil, row) })
	<-s.entered
	for range 63 {
		wg.Go(func() {
			if _, err := c.Encrypt(t.Context(), nil, nil, row); err != nil {
				t.Error(err)
			}
		})
	}
	// The one that started the look-up leaves; the others get their key.
	cancel()
	wg.Go(func() { close(s.gate) })
	wg.Wait()
	if !errors.Is(gaveUp, context.Canceled) {
		// It may have had the key before it looked at its context.
		if gaveUp != nil {
			t.Error(gaveUp)
		}
	}
	if n := s.asked.Load(); n > 2 {
		t.Errorf("the store was asked %d times", n)
	}
}

// deafStore does not heed its first caller's context.
type deafStore struct {
	branchkey.Store
	gate, entered chan struct{}
	asked         atomic.Int32
}

func (s *deafStore) Items(ctx context.Context, id, typ string) ([]branchkey.Item, error) {
	if s.asked.Add(1) == 1 {
		close(s.entered)
		<-s.gate
	}
	return s.Store.Items(ctx, id, typ)
}

// TestALookUpThatEverybodyLeft is nobody's any more: who asks afterwards gets one of
// his own, and not the error of a look-up that others gave up.
func TestALookUpThatEverybodyLeft(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	s := &deafStore{Store: w.store, gate: make(chan struct{}), entered: make(chan struct{})}
	cache := w.cache(branchkey.NewKeys(s, w.wrapper(east, w.arns...)))
	c := w.codec(cache)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var err error
	wg.Go(func() { _, err = c.Encrypt(ctx, nil, nil, row) })
	<-s.entered
	cancel()
	wg.Wait()
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("who left: %v", err)
	}
	patient, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var wrote []byte
	if wrote, err = c.Encrypt(patient, nil, []byte("123-45-6789"), row); err != nil {
		t.Errorf("who came afterwards: %v", err)
	}
	close(s.gate) // the first look-up ends, late and in vain
	m, err := codec.Parse(wrote)
	if err != nil {
		t.Fatal(err)
	}
	w.opens(c, m)
	if n := cache.Len(); n != 2 { // the active version, and that version
		t.Errorf("the cache holds %d keys", n)
	}
}

func TestAClosedCache(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	cache := w.cache(w.keys)
	c := w.codec(cache)
	m := w.seal(c)
	cache.Close()
	w.fails(c, m, codec.ErrClosed)
	if n := cache.Len(); n != 0 {
		t.Errorf("a closed cache holds %d keys", n)
	}
	cache.Close()
}

// BenchmarkWarm seals and opens an 11-byte value with the branch key in memory.
func BenchmarkWarm(b *testing.B) {
	w := newWorld(b, east)
	w.create("acme")
	c := w.codec(w.cache(w.keys))
	w.seal(c)
	plaintext := []byte("123-45-6789")
	var buf, out []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = c.Encrypt(b.Context(), buf[:0], plaintext, row); err != nil {
			b.Fatal(err)
		}
		m, err := codec.Parse(buf)
		if err == nil {
			out, err = c.Decrypt(b.Context(), out[:0], m, row)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzWrappedKey: no other bytes open than those that were written.
func FuzzWrappedKey(f *testing.F) {
	w := newWorld(f, east)
	w.create("acme")
	cache := w.cache(w.keys)
	good := w.seal(w.codec(cache)).WrappedKeys()[0].Ciphertext
	f.Add(good)
	f.Add(good[:91])
	f.Add(append([]byte{0}, good...))
	f.Add([]byte{})
	ring, err := branchkey.New(cache, "acme")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &codec.DecryptionMaterials{Suite: codec.SuiteCommit, Context: row}
		err := ring.OnDecrypt(t.Context(), d, []codec.WrappedKey{{ProviderID: branchkey.ProviderID, ProviderInfo: []byte("acme"), Ciphertext: b}})
		if (err == nil) != bytes.Equal(b, good) || (err == nil) != (d.DataKey.Len() == 32) {
			t.Errorf("%x: %v", b, err)
		}
	})
}
