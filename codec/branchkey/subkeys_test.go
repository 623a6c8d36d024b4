package branchkey

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/compact"
)

// plainKMS wraps a key as itself.
type plainKMS struct{}

func (plainKMS) Keys() []string          { return []string{"arn"} }
func (plainKMS) Rank(string) (int, bool) { return 0, true }
func (plainKMS) Generate(_ context.Context, _ string, n int, _ codec.Context) ([]byte, error) {
	return append([]byte(nil), codec.RandomDataKey(n).Bytes()...), nil
}
func (plainKMS) ReEncrypt(_ context.Context, _ string, wrapped []byte, _, _ codec.Context) ([]byte, error) {
	return wrapped, nil
}
func (plainKMS) Wrap(_ context.Context, _ string, k codec.DataKey, _ codec.Context) ([]byte, error) {
	return k.Bytes(), nil
}
func (plainKMS) Unwrap(_ context.Context, _ string, wrapped []byte, _ codec.Context) (codec.DataKey, error) {
	return codec.NewDataKey(append([]byte(nil), wrapped...)), nil
}

// colliding returns two versions whose subkeys for a column have one id.
func colliding(t *testing.T, branch string, at compact.Location) (a, b version) {
	t.Helper()
	seen := map[compact.ID]version{}
	for i := uint64(0); i < 1<<22; i++ {
		var v version
		binary.BigEndian.PutUint64(v[:], i)
		v[6], v[8] = 0x40, 0x80
		binary.BigEndian.PutUint32(v[12:], uint32(i))
		id := compact.IDOf(branch, v, at)
		if other, ok := seen[id]; ok && other != v {
			return other, v
		}
		seen[id] = v
	}
	t.Fatal("no two of four million versions share an id")
	return a, b
}

// TestVersionsWhoseIDsCollideAreBothTried, the one in force first, whichever
// sealed the value.
func TestVersionsWhoseIDsCollideAreBothTried(t *testing.T) {
	at, ctx := compact.Location{Table: "accounts", Column: "ssn"}, t.Context()
	older, newer := colliding(t, "acme", at)
	store, err := NewFileStore(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	keys := NewKeys(store, plainKMS{})
	put := func(v version, put func([]Item) error) {
		t.Helper()
		of, active := newItems("acme", v, "arn", nil, time.Now())
		items, err := keys.wrapped(ctx, of, active)
		if err == nil {
			err = put(items)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	newCodec := func() *compact.Codec {
		t.Helper()
		cache, err := NewCache(CacheConfig{Keys: keys, TTL: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cache.Close)
		ring, err := New(cache, "acme")
		if err != nil {
			t.Fatal(err)
		}
		c, err := compact.New(compact.Config{Keys: ring, Location: at})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	put(older, func(items []Item) error { return store.Create(ctx, items) })
	before := newCodec()
	first, err := before.Seal(ctx, nil, []byte("first"), nil)
	if err != nil {
		t.Fatal(err)
	}
	put(newer, func(items []Item) error {
		found, err := store.Items(ctx, "acme", typeActive)
		if err != nil {
			return err
		}
		return store.Rotate(ctx, items, found[0].Wrapped)
	})
	c := newCodec()
	second, err := c.Seal(ctx, nil, []byte("second"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if string(first[1:5]) != string(second[1:5]) {
		t.Fatalf("the ids % x and % x do not collide", first[1:5], second[1:5])
	}
	for want, v := range map[string][]byte{"first": first, "second": second} {
		if got, err := c.Open(ctx, nil, v, nil); err != nil || string(got) != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	// The cache of a reader that has the older version in force.
	if got, err := before.Open(ctx, nil, second, nil); err != nil || string(got) != "second" {
		t.Errorf("before the TTL has passed: got %q, %v", got, err)
	}
}
