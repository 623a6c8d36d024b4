package branchkey

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealsql/sealsql/codec"
)

// DefaultCapacity is how many branch keys and versions a [Cache] keeps unless
// told otherwise.
const DefaultCapacity = 1000

const (
	// fetchTimeout bounds a look-up of the store and KMS, whatever the
	// deadlines of those who wait for it.
	fetchTimeout = 30 * time.Second
	// negativeTTL is how long a deleted branch key is not asked for again by
	// readers: a scan of shredded rows does not become a scan of the store.
	negativeTTL = time.Second
)

// CacheConfig describes a [Cache].
type CacheConfig struct {
	Keys *Keys
	// TTL is how long an unwrapped branch key may be used. It is required and
	// the most that a deleted branch key goes on opening.
	TTL time.Duration
	// Capacity is how many keys are kept; zero means 1000. The least recently
	// used goes first.
	Capacity int
	// ContentKeys is how many content keys are kept beside the branch keys that
	// their data keys are wrapped under: a message that is opened again costs a
	// third. They go with their branch key, or when there are more. Each takes about
	// 2 KiB. Zero means none.
	ContentKeys int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// OnLookup, if set, is told of each look-up: a hit made no call of the
	// store and none of KMS. It must return at once.
	OnLookup func(hit bool)
}

// Cache keeps unwrapped branch keys in memory. It is safe for concurrent use.
// Concurrent misses for one key make one look-up, and each caller keeps its own
// deadline.
type Cache struct {
	config CacheConfig

	content *contentKeys // nil if none are kept

	mu       sync.Mutex
	closed   bool
	slots    map[slotKey]*slot
	ring     slot // the list's head: next is the most recently used
	flights  map[slotKey]*flight
	negative map[slotKey]time.Time
	sweep    *time.Timer
}

// slotKey names a version of a branch key, or with active the version in force.
type slotKey struct {
	id      string
	version version
	active  bool
}

// slot holds one reference to its secret.
type slot struct {
	key        slotKey
	secret     *secret
	expires    time.Time
	refresh    time.Time
	next, prev *slot
}

// secret is an unwrapped branch key. It is zeroed when the last slot and the
// last user let go of it.
type secret struct {
	key     codec.DataKey
	version version
	refs    atomic.Int32
}

func (s *secret) release() {
	if s.refs.Add(-1) == 0 {
		s.key.Zero()
	}
}

// flight is a look-up under way.
type flight struct {
	cancel  context.CancelFunc
	done    chan struct{}
	waiters int
	// Set before done is closed. Every waiter has a reference to the secret.
	secret *secret
	err    error
}

// NewCache checks the configuration and returns an empty cache. Whoever made
// it closes it.
func NewCache(c CacheConfig) (*Cache, error) {
	switch {
	case c.Keys == nil:
		return nil, errors.New("branchkey: a cache needs Keys")
	case c.TTL <= 0:
		return nil, errors.New("branchkey: a cache needs a TTL above zero: the most that a deleted branch key goes on opening")
	case c.Capacity < 0 || c.ContentKeys < 0:
		return nil, errors.New("branchkey: the cache's capacity is negative")
	}
	if c.Capacity == 0 {
		c.Capacity = DefaultCapacity
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	cache := &Cache{config: c, slots: map[slotKey]*slot{}, flights: map[slotKey]*flight{}, negative: map[slotKey]time.Time{}}
	if c.ContentKeys > 0 {
		cache.content = &contentKeys{limit: c.ContentKeys, kept: map[messageID]kept{}}
	}
	cache.ring.next, cache.ring.prev = &cache.ring, &cache.ring
	return cache, nil
}

// Close forgets every branch key; those in use are zeroed when their users are
// done. Afterwards look-ups fail with an error that wraps [codec.ErrClosed].
func (c *Cache) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, s := range c.slots {
		c.drop(s)
	}
	for _, f := range c.flights {
		f.cancel()
	}
	if c.sweep != nil {
		c.sweep.Stop()
	}
}

// Len is the number of keys that the cache holds.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.slots)
}

// ContentKeys is the number of content keys that the cache holds.
func (c *Cache) ContentKeys() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.content == nil {
		return 0
	}
	return len(c.content.kept)
}

// get returns the key with a reference that the caller releases.
func (c *Cache) get(ctx context.Context, key slotKey) (*secret, error) {
	if err := ctx.Err(); err != nil {
		return nil, gaveUp(err)
	}
	s, f, err := c.find(ctx, key)
	if s != nil || err != nil {
		return s, err
	}
	select {
	case <-f.done:
		return f.secret, f.err
	case <-ctx.Done():
		c.leave(key, f)
		return nil, gaveUp(ctx.Err())
	}
}

// find returns the key, or a flight that the caller waits for.
func (c *Cache) find(ctx context.Context, key slotKey) (*secret, *flight, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, &codec.Error{Kind: codec.ErrClosed, What: "the cache of branch keys"}
	}
	if s := c.inForce(ctx, key); s != nil {
		s.secret.refs.Add(1)
		c.told(true)
		return s.secret, nil, nil
	}
	now := c.config.Now()
	if until, ok := c.negative[key]; ok {
		if now.Before(until) {
			return nil, nil, &codec.Error{Kind: codec.ErrKeyDeleted, Op: "decrypt", What: deletedKey}
		}
		delete(c.negative, key)
	}
	c.told(false)
	f := c.fetch(ctx, key)
	f.waiters++
	return nil, f, nil
}

// inForce returns the slot of a key that may be used, and has it looked up
// again in good time; nil if there is none.
func (c *Cache) inForce(ctx context.Context, key slotKey) *slot {
	s := c.slots[key]
	if s == nil {
		return nil
	}
	now := c.config.Now()
	if !now.Before(s.expires) {
		c.drop(s)
		return nil
	}
	c.touch(s)
	if !now.Before(s.refresh) {
		// Once for each third of what is left, whether it works or not.
		s.refresh = now.Add(max(s.expires.Sub(now)/3, time.Millisecond))
		c.fetch(ctx, key)
	}
	return s
}

func (c *Cache) told(hit bool) {
	if c.config.OnLookup != nil {
		c.config.OnLookup(hit)
	}
}

// leave gives up waiting for a flight; with its last waiter it ends, and who
// asks again starts another.
func (c *Cache) leave(key slotKey, f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-f.done:
		if f.secret != nil {
			f.secret.release()
		}
		return
	default:
	}
	if f.waiters--; f.waiters == 0 {
		f.cancel()
		if c.flights[key] == f {
			delete(c.flights, key)
		}
	}
}

// fetch joins or starts a look-up. It outlives the caller that started it: the
// others still wait.
func (c *Cache) fetch(ctx context.Context, key slotKey) *flight {
	if f := c.flights[key]; f != nil {
		return f
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	f := &flight{cancel: cancel, done: make(chan struct{})}
	c.flights[key] = f
	go func() {
		defer cancel()
		// A look-up is as old as its beginning: what the store lost since then
		// must not open for longer than the TTL.
		began := c.config.Now()
		s, err := c.lookUp(ctx, key)
		c.land(key, f, s, err, began)
	}()
	return f
}

func (c *Cache) lookUp(ctx context.Context, key slotKey) (*secret, error) {
	s := &secret{version: key.version}
	var err error
	if key.active {
		s.key, s.version, err = c.config.Keys.active(ctx, key.id)
	} else {
		s.key, err = c.config.Keys.version(ctx, key.id, key.version)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// land keeps what a flight brought and hands it to those who wait.
func (c *Cache) land(key slotKey, f *flight, s *secret, err error, began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights[key] != f { // everybody left
		if s != nil {
			s.key.Zero()
		}
		close(f.done)
		return
	}
	delete(c.flights, key)
	switch {
	case s != nil && c.closed:
		s.key.Zero()
		s, err = nil, &codec.Error{Kind: codec.ErrClosed, What: "the cache of branch keys"}
	case s != nil:
		s.refs.Store(int32(f.waiters))
		c.keep(key, s, began)
		if key.active {
			// The active version is that version, too.
			c.keep(slotKey{id: key.id, version: s.version}, s, began)
		}
		if s.refs.Load() == 0 {
			s.key.Zero()
		}
	case errors.Is(err, codec.ErrKeyDeleted):
		c.forget(key.id)
		if len(c.negative) >= c.config.Capacity {
			clear(c.negative)
		}
		c.negative[key] = c.config.Now().Add(min(negativeTTL, c.config.TTL))
	case errors.Is(err, codec.ErrNoBranchKey):
		c.forget(key.id)
	}
	f.secret, f.err = s, err
	close(f.done)
}

// forget drops what the cache has of a branch key that was deleted.
func (c *Cache) forget(id string) {
	for key, s := range c.slots {
		if key.id == id {
			c.drop(s)
		}
	}
}

// keep puts a key into the cache, in place of the one it has.
func (c *Cache) keep(key slotKey, s *secret, began time.Time) {
	expires := began.Add(c.config.TTL)
	if !c.config.Now().Before(expires) {
		return
	}
	if old := c.slots[key]; old != nil {
		c.drop(old)
	}
	for len(c.slots) >= c.config.Capacity {
		c.drop(c.ring.prev)
	}
	s.refs.Add(1)
	n := &slot{key: key, secret: s, expires: expires, refresh: began.Add(c.config.TTL * 2 / 3)}
	c.slots[key] = n
	c.insert(n)
	if c.sweep == nil {
		c.sweep = time.AfterFunc(c.config.TTL, c.prune)
	}
}

// prune drops what has expired and nobody asked for.
func (c *Cache) prune() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.config.Now()
	for _, s := range c.slots {
		if !now.Before(s.expires) {
			c.drop(s)
		}
	}
	if c.sweep = nil; len(c.slots) > 0 && !c.closed {
		c.sweep = time.AfterFunc(c.config.TTL, c.prune)
	}
}

func (c *Cache) drop(s *slot) {
	delete(c.slots, s.key)
	s.prev.next, s.next.prev = s.next, s.prev
	if c.content != nil && !s.key.active {
		c.content.forget(s.secret)
	}
	s.secret.release()
}

func (c *Cache) insert(s *slot) {
	s.prev, s.next = &c.ring, c.ring.next
	s.prev.next, s.next.prev = s, s
}

func (c *Cache) touch(s *slot) {
	if c.ring.next != s {
		s.prev.next, s.next.prev = s.next, s.prev
		c.insert(s)
	}
}

func gaveUp(cause error) error {
	return &codec.Error{Kind: codec.ErrKeyUnavailable, What: "the caller's deadline passed or the caller gave up while the branch key was looked up", Cause: cause}
}
