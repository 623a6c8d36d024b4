package branchkey

import (
	"strconv"
	"testing"
	"time"

	"github.com/sealsql/sealsql/codec"
)

// TestKeysAreZeroed when the cache and the last user have let go, and not
// before.
func TestKeysAreZeroed(t *testing.T) {
	c, err := NewCache(CacheConfig{Keys: &Keys{}, TTL: time.Hour, Capacity: 2})
	if err != nil {
		t.Fatal(err)
	}
	put := func(id string) *secret {
		s := &secret{key: codec.NewDataKey([]byte("0123456789abcdef0123456789abcdef"))}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.keep(slotKey{id: id, active: true}, s, time.Now())
		return s
	}
	zero := func(s *secret) bool { return s.key.Bytes()[0] == 0 }
	a := put("a")
	user, err := c.get(t.Context(), slotKey{id: "a", active: true})
	if err != nil || user != a {
		t.Fatal(err)
	}
	b, d := put("b"), put("d") // a is evicted
	if zero(a) {
		t.Error("a key was zeroed while in use")
	}
	if user.release(); !zero(a) {
		t.Error("an evicted key was not zeroed when its user was done")
	}
	put("b")
	if !zero(b) || zero(d) {
		t.Error("a key that was replaced was not zeroed, or another was")
	}
	c.Close()
	if !zero(d) {
		t.Error("a key was not zeroed on close")
	}
}

func TestExpiredKeysAreZeroed(t *testing.T) {
	now := time.Now()
	c, err := NewCache(CacheConfig{Keys: &Keys{}, TTL: time.Hour, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := &secret{key: codec.NewDataKey([]byte("0123456789abcdef0123456789abcdef"))}
	c.mu.Lock()
	c.keep(slotKey{id: "a"}, s, now)
	c.mu.Unlock()
	now = now.Add(time.Hour)
	c.prune()
	if s.key.Bytes()[0] != 0 || c.Len() != 0 {
		t.Error("an expired key was kept")
	}
}

func TestVersions(t *testing.T) {
	for i := range 100 {
		v := newVersion()
		if back, ok := parseVersion(typeVersion + v.String()); !ok || back != v {
			t.Fatalf("%s", v)
		}
		if v.String()[14] != '4' {
			t.Fatalf("%s is no version 4 UUID (number %s)", v, strconv.Itoa(i))
		}
	}
	for _, bad := range []string{"", "branch:version:", "branch:ACTIVE", "branch:version:0-0", typeVersion + "0123456789abcdef0123456789abcdef"} {
		if _, ok := parseVersion(bad); ok {
			t.Errorf("%q was read as a version", bad)
		}
	}
}
