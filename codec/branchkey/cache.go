package branchkey

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/compact"
	"github.com/sealsql/sealsql/internal/keyservice"
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
	start  time.Time
	age    func() time.Duration // the time since start

	content *contentKeys // nil if none are kept

	mu       sync.Mutex
	closed   bool
	slots    map[slotKey]*slot
	ring     slot // the list's head: next is the most recently used
	flights  *keyservice.Flights[slotKey, lookup, *secret]
	negative map[slotKey]time.Time
	versions map[string]*versions // by branch key id
	lists    *keyservice.Flights[string, *versions, *versions]
	sweep    *time.Timer
}

// slotKey names a version of a branch key, with active the version in force, or with
// beacon its beacon key.
type slotKey struct {
	id             string
	version        version
	active, beacon bool
}

// slot holds one reference to its secret.
type slot struct {
	key        slotKey
	secret     *secret
	expires    time.Duration // these two since the cache's start
	refresh    time.Duration
	next, prev *slot
}

// secret is an unwrapped branch key. It is zeroed when the last slot and the
// last user let go of it.
type secret struct {
	key     codec.DataKey
	version version
	refs    atomic.Int32
	beacon  *codec.BeaconKey // in the place of key, for a beacon key

	mu      sync.Mutex // held while a subkey is added
	subkeys atomic.Pointer[[]subkey]
}

// subkey is the key of a column's compact values. A list of a few is searched faster
// than a map.
type subkey struct {
	location compact.Location
	key      *compact.Key
}

func (s *secret) hold() *secret {
	s.refs.Add(1)
	return s
}

func (s *secret) release() {
	if s.refs.Add(-1) == 0 {
		s.key.Zero()
		if s.beacon != nil {
			s.beacon.Zero()
		}
	}
}

// lookup is the result of a look-up of the store and KMS. It holds a reference to
// the secret until every caller has one.
type lookup struct {
	secret *secret
	began  time.Time
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
	start := time.Now()
	age := func() time.Duration { return time.Since(start) } // half the cost of time.Now
	if c.Now == nil {
		c.Now = time.Now
	} else {
		start = c.Now()
		age = func() time.Duration { return c.Now().Sub(start) }
	}
	cache := &Cache{config: c, start: start, age: age, slots: map[slotKey]*slot{}, negative: map[slotKey]time.Time{}, versions: map[string]*versions{}}
	if c.ContentKeys > 0 {
		cache.content = &contentKeys{limit: c.ContentKeys, byMessage: map[messageID]cachedKey{}}
	}
	cache.flights = keyservice.NewFlights(&cache.mu, keyservice.Hooks[slotKey, lookup, *secret]{
		Land:   cache.land,
		Done:   func(l lookup) { l.secret.release() },
		Return: (*secret).release,
	})
	none := func(*versions) {}
	cache.lists = keyservice.NewFlights(&cache.mu, keyservice.Hooks[string, *versions, *versions]{Land: cache.landList, Done: none, Return: none})
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
	c.flights.Abort(errClosed())
	c.lists.Abort(errClosed())
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
	return len(c.content.byMessage)
}

// get returns the key with a reference that the caller releases.
func (c *Cache) get(ctx context.Context, key slotKey) (*secret, error) {
	if err := ctx.Err(); err != nil {
		return nil, gaveUp(err)
	}
	s, w, err := c.find(ctx, key)
	if s != nil || err != nil {
		return s, err
	}
	s, answered, err := w.Wait(ctx)
	if !answered {
		return nil, gaveUp(err)
	}
	return s, err
}

// find returns the key, or the caller's place in a look-up of it.
func (c *Cache) find(ctx context.Context, key slotKey) (*secret, *keyservice.Waiter[lookup, *secret], error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, errClosed()
	}
	if s := c.inForce(ctx, key); s != nil {
		c.told(true)
		return s.secret.hold(), nil, nil
	}
	now := c.config.Now()
	if until, ok := c.negative[key]; ok {
		if now.Before(until) {
			return nil, nil, &codec.Error{Kind: codec.ErrKeyDeleted, Op: "decrypt", What: deletedKey}
		}
		delete(c.negative, key)
	}
	c.told(false)
	w := c.flights.Join(ctx, key, c.lookUp(key), func(l lookup, _ bool) *secret { return l.secret.hold() })
	return nil, w, nil
}

// inForce returns the slot of a key that may be used, and has it looked up
// again in good time; nil if there is none.
func (c *Cache) inForce(ctx context.Context, key slotKey) *slot {
	s := c.ring.next // mostly the same as before
	if s == &c.ring || s.key != key {
		if s = c.slots[key]; s == nil {
			return nil
		}
	}
	now := c.age()
	if now >= s.expires {
		c.drop(s)
		return nil
	}
	c.touch(s)
	if now >= s.refresh {
		// Once for each third of what is left, whether it works or not.
		s.refresh = now + max((s.expires-now)/3, time.Millisecond)
		c.flights.Start(ctx, key, c.lookUp(key))
	}
	return s
}

func (c *Cache) told(hit bool) {
	if c.config.OnLookup != nil {
		c.config.OnLookup(hit)
	}
}

// lookUp returns the look-up of a key, which may outlive the caller that
// started it: others may wait for it.
func (c *Cache) lookUp(key slotKey) func(context.Context) (lookup, error) {
	return func(ctx context.Context) (lookup, error) {
		ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
		defer cancel()
		// A look-up is as old as its beginning: a branch key that was deleted since
		// then must not open for longer than the TTL.
		l := lookup{secret: &secret{version: key.version}, began: c.config.Now()}
		l.secret.refs.Store(1)
		var err error
		switch {
		case key.beacon:
			l.secret.beacon, err = c.config.Keys.beacon(ctx, key.id)
		case key.active:
			l.secret.key, l.secret.version, err = c.config.Keys.active(ctx, key.id)
		default:
			l.secret.key, err = c.config.Keys.version(ctx, key.id, key.version)
		}
		return l, err
	}
}

// land keeps the result of a look-up.
func (c *Cache) land(key slotKey, l lookup, err error) {
	switch {
	case err == nil:
		c.keep(key, l.secret, l.began)
		if key.active {
			// The active version is that version, too.
			c.keep(slotKey{id: key.id, version: l.secret.version}, l.secret, l.began)
		}
	case errors.Is(err, codec.ErrKeyDeleted):
		c.forget(key.id)
		if len(c.negative) >= c.config.Capacity {
			clear(c.negative)
		}
		c.negative[key] = c.config.Now().Add(min(negativeTTL, c.config.TTL))
	case errors.Is(err, codec.ErrNoBranchKey) && !key.beacon: // a branch key may lack one
		c.forget(key.id)
	}
}

// forget drops every version of a branch key that was deleted.
func (c *Cache) forget(id string) {
	delete(c.versions, id)
	for key, s := range c.slots {
		if key.id == id {
			c.drop(s)
		}
	}
}

// keep puts a key into the cache, in place of the one it has.
func (c *Cache) keep(key slotKey, s *secret, began time.Time) {
	age := began.Sub(c.start)
	if c.age() >= age+c.config.TTL {
		return
	}
	if old := c.slots[key]; old != nil {
		c.drop(old)
	}
	for len(c.slots) >= c.config.Capacity {
		c.drop(c.ring.prev)
	}
	n := &slot{key: key, secret: s.hold(), expires: age + c.config.TTL, refresh: age + c.config.TTL*2/3}
	c.slots[key] = n
	c.insert(n)
	if c.sweep == nil {
		c.sweep = time.AfterFunc(c.config.TTL, c.prune)
	}
}

// prune drops expired keys that nobody asked for.
func (c *Cache) prune() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.age()
	for _, s := range c.slots {
		if now >= s.expires {
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
	if c.content != nil && !s.key.active && !s.key.beacon {
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

func errClosed() error {
	return &codec.Error{Kind: codec.ErrClosed, What: "the cache of branch keys"}
}

func gaveUp(cause error) error {
	return &codec.Error{Kind: codec.ErrKeyUnavailable, What: "the caller's deadline passed or the caller gave up while the branch key was looked up", Cause: cause}
}
