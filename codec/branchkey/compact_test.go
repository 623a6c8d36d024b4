package branchkey_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/codec/compact"
)

func (w *world) compact(c *branchkey.Cache) *compact.Codec {
	w.t.Helper()
	ring, err := branchkey.NewSupplied(c, func(ec codec.Context) (string, error) { return ec["tenant"], nil })
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := compact.New(compact.Config{Keys: ring, Location: compact.Location{Table: "accounts", Column: "ssn"}})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) sealCompact(c *compact.Codec) []byte {
	w.t.Helper()
	b, err := c.Seal(w.t.Context(), nil, []byte("123-45-6789"), row)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) opensCompact(c *compact.Codec, v []byte) {
	w.t.Helper()
	if got, err := c.Open(w.t.Context(), nil, v, row); err != nil || string(got) != "123-45-6789" {
		w.t.Errorf("got %q, %v", got, err)
	}
}

func (w *world) failsCompact(c *compact.Codec, v []byte, want error) {
	w.t.Helper()
	if got, err := c.Open(w.t.Context(), nil, v, row); !errors.Is(err, want) || len(got) > 0 {
		w.t.Errorf("got %q, %v; want %v", got, err, want)
	}
}

func (w *world) rotate(id string) {
	w.t.Helper()
	if _, err := w.keys.Rotate(w.t.Context(), id); err != nil {
		w.t.Fatal(err)
	}
}

func TestCompactValuesOfEveryVersionOpen(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	var values [][]byte
	for range 4 {
		values = append(values, w.sealCompact(w.compact(w.cache(w.keys))))
		w.rotate("acme")
	}
	reader := w.compact(w.cache(w.keys))
	for _, v := range values {
		w.opensCompact(reader, v)
	}
	if len(values) != 4 {
		t.Error(len(values))
	}
}

// TestAReaderFindsAVersionThatIsNewerThanItsCache: another process rotated the
// branch key while the reader has the old version and the list of versions cached.
func TestAReaderFindsAVersionThatIsNewerThanItsCache(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	reader := w.compact(w.cache(w.keys))
	old := w.sealCompact(reader)
	w.rotate("acme")
	w.opensCompact(reader, w.sealCompact(w.compact(w.cache(w.keys))))
	w.rotate("acme")
	w.now.Add(2) // a list that lacks an id is asked for again after a second
	w.opensCompact(reader, w.sealCompact(w.compact(w.cache(w.keys))))
	w.opensCompact(reader, old)
}

// countingStore counts the readings of the whole store.
type countingStore struct {
	branchkey.Store
	all atomic.Int32
}

func (s *countingStore) All(ctx context.Context) iter.Seq2[branchkey.Item, error] {
	s.all.Add(1)
	return s.Store.All(ctx)
}

func TestAnIDOfNoVersionIsUnknown(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	store := &countingStore{Store: w.store}
	c := w.compact(w.cache(branchkey.NewKeys(store, w.wrapper(east, w.arns...))))
	v := w.sealCompact(c)
	v[2] ^= 1
	w.failsCompact(c, v, codec.ErrUnknownKey)
	asked := store.all.Load()
	for range 100 {
		w.failsCompact(c, v, codec.ErrUnknownKey)
	}
	if n := store.all.Load(); n != asked {
		t.Errorf("the store was asked %d times more", n-asked)
	}
}

func TestADeletedBranchKeyShredsCompactValues(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	c := w.compact(w.cache(w.keys))
	old := w.sealCompact(c)
	w.rotate("acme")
	w.now.Add(61)
	v := w.sealCompact(c)
	w.opensCompact(c, v)
	w.opensCompact(c, old)
	if err := w.keys.Delete(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	w.opensCompact(c, v) // until the TTL has passed
	w.now.Add(61)
	w.failsCompact(c, v, codec.ErrKeyDeleted)
	w.failsCompact(c, old, codec.ErrKeyDeleted)
	w.failsCompact(w.compact(w.cache(w.keys)), v, codec.ErrKeyDeleted)
	if _, err := c.Seal(t.Context(), nil, nil, row); !errors.Is(err, codec.ErrNoBranchKey) {
		t.Error(err)
	}
}

func TestAnotherBranchKeyIsUnknown(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	w.create("globex")
	c := w.compact(w.cache(w.keys))
	v := w.sealCompact(c)
	other := codec.Context{"account_number": row["account_number"], "tenant": "globex"}
	if _, err := c.Open(t.Context(), nil, v, other); !errors.Is(err, codec.ErrUnknownKey) {
		t.Error(err)
	}
}

func TestAClosedCacheSealsNoCompactValues(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	cache := w.cache(w.keys)
	c := w.compact(cache)
	v := w.sealCompact(c)
	cache.Close()
	w.failsCompact(c, v, codec.ErrClosed)
}

// TestManyGoroutinesShareSubkeys while the branch key expires and is rotated: run
// it with -race.
func TestManyGoroutinesShareSubkeys(t *testing.T) {
	w := newWorld(t, east)
	w.create("acme")
	cache, err := branchkey.NewCache(branchkey.CacheConfig{Keys: w.keys, TTL: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cache.Close)
	c := w.compact(cache)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 5 {
			if _, err := w.keys.Rotate(context.Background(), "acme"); err != nil {
				t.Error(err)
			}
		}
	})
	for range 64 {
		wg.Go(func() {
			for range 50 {
				v, err := c.Seal(context.Background(), nil, []byte("x"), row)
				if err == nil {
					_, err = c.Open(context.Background(), nil, v, row)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkWarmCompact(b *testing.B) {
	w := newWorld(b, east)
	w.create("acme")
	cache, err := branchkey.NewCache(branchkey.CacheConfig{Keys: w.keys, TTL: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(cache.Close)
	c := w.compact(cache)
	text := make([]byte, 11)
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
}
