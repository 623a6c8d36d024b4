package cache

import (
	"container/list"
	"context"
	"math"
	"sync"
	"time"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/internal/keyservice"
)

// entry is what is kept. Only the store touches its key and counts, under its
// lock; the rest does not change.
type entry struct {
	context    codec.Context
	encryption *codec.EncryptionMaterials // one of the two is set
	decryption *codec.DecryptionMaterials

	key             codec.DataKey
	id              id
	expires         time.Time
	messages, bytes int64
	dropped         bool
	byUse, byAge    *list.Element
}

// usage is what a request adds to an entry, and how much an entry may bear.
type usage struct{ bytes, maxMessages, maxBytes int64 }

// unlimited is the usage of decryption, which only age limits.
var unlimited = usage{maxMessages: math.MaxInt64, maxBytes: math.MaxInt64}

// grant is the answer to a request: a copy of the entry's key.
type grant struct {
	entry *entry
	key   codec.DataKey
}

// fetch asks the keyring for an entry.
type fetch func(context.Context) (*entry, error)

// store keeps entries by age and by use.
type store struct {
	maxAge   time.Duration
	capacity int

	mu      sync.Mutex
	entries map[id]*entry
	byUse   list.List // of *entry, the last used in front
	byAge   list.List // of *entry, the oldest in front
	flights *keyservice.Flights[id, *entry, grant]
	sweeper *time.Timer // runs while there are entries
	closed  bool
	stats   Stats
}

func (s *store) init(maxAge time.Duration, capacity int) {
	s.maxAge, s.capacity = maxAge, capacity
	s.entries = make(map[id]*entry)
	s.flights = keyservice.NewFlights(&s.mu, keyservice.Hooks[id, *entry, grant]{
		Land:   s.land,
		Done:   (*entry).unlessKept,
		Return: func(g grant) { g.key.Zero() },
	})
}

func failed(kind error, op, what string, cause error) error {
	return &codec.Error{Kind: kind, Op: op, What: what, Cause: cause}
}

func closedError(op string) error {
	return failed(codec.ErrClosed, op, "the cache of data keys was closed", nil)
}

// bypass counts a request that is not to be cached.
func (s *store) bypass(op string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return closedError(op)
	}
	s.stats.Bypassed++
	return nil
}

// take answers a request from an entry that is kept.
func (s *store) take(id id, use usage) (grant, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.takeLocked(id, use)
}

func (s *store) takeLocked(id id, use usage) (grant, bool) {
	s.expire(time.Now())
	e := s.entries[id]
	if e == nil {
		return grant{}, false
	}
	g, ok := s.grant(e, use)
	if ok {
		s.stats.Hits++
	}
	return g, ok
}

// grant copies the entry's key for a request, unless that would take it past a
// limit. An entry that is used up is dropped.
func (s *store) grant(e *entry, use usage) (grant, bool) {
	if e.dropped {
		return grant{}, false
	}
	if e.messages >= use.maxMessages || e.bytes > use.maxBytes-use.bytes {
		s.stats.Expired++
		s.drop(e)
		return grant{}, false
	}
	g := grant{entry: e, key: e.key.Clone()}
	e.messages++
	e.bytes += use.bytes
	if e.messages == use.maxMessages {
		s.stats.Expired++
		s.drop(e)
	} else {
		s.byUse.MoveToFront(e.byUse)
	}
	return g, true
}

// wait answers a request for which nothing is kept: it joins the call that is
// under way for the entry, or starts it. The call ends when the last request that
// waits for it does.
func (s *store) wait(ctx context.Context, op string, id id, use usage, f fetch) (grant, error) {
	for {
		if err := ctx.Err(); err != nil {
			return grant{}, err
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return grant{}, closedError(op)
		}
		if g, ok := s.takeLocked(id, use); ok {
			s.mu.Unlock()
			return g, nil
		}
		w := s.join(ctx, id, use, f)
		s.mu.Unlock()
		g, answered, err := w.Wait(ctx)
		switch {
		case !answered:
			return grant{}, failed(codec.ErrKeyUnavailable, op, "the caller's deadline passed or the caller gave up", err)
		case err != nil:
			return grant{}, err
		case g.entry != nil:
			return g, nil
		}
	}
}

// join joins the flight of an entry. The share is a grant; an empty grant means
// that callers before this one used the entry up.
func (s *store) join(ctx context.Context, id id, use usage, f fetch) *keyservice.Waiter[*entry, grant] {
	if !s.flights.Underway(id) {
		s.stats.Misses++
	}
	return s.flights.Join(ctx, id, f, func(e *entry, first bool) grant {
		g, ok := s.grant(e, use)
		if ok && !first {
			s.stats.Hits++
		}
		return g
	})
}

// land keeps what the keyring gave.
func (s *store) land(id id, e *entry, err error) {
	if err == nil {
		s.keep(id, e)
	}
}

// unlessKept zeroes the key of an entry that nobody waited for.
func (e *entry) unlessKept() {
	if e.byUse == nil {
		e.key.Zero()
	}
}

// keep adds an entry, and pushes out what has no room any more.
func (s *store) keep(id id, e *entry) {
	for len(s.entries) >= s.capacity {
		s.stats.Evictions++
		s.drop(s.byUse.Back().Value.(*entry))
	}
	e.id, e.expires = id, time.Now().Add(s.maxAge)
	s.entries[id] = e
	e.byUse, e.byAge = s.byUse.PushFront(e), s.byAge.PushBack(e)
	if s.sweeper == nil {
		s.sweeper = time.AfterFunc(s.maxAge, s.sweep)
	}
}

// drop zeroes an entry's key and forgets the entry.
func (s *store) drop(e *entry) {
	e.key.Zero()
	e.dropped = true
	delete(s.entries, e.id)
	s.byUse.Remove(e.byUse)
	s.byAge.Remove(e.byAge)
}

// expire drops what is too old. Entries all live equally long, so the oldest
// are the first of byAge.
func (s *store) expire(now time.Time) {
	for at := s.byAge.Front(); at != nil; at = s.byAge.Front() {
		e := at.Value.(*entry)
		if now.Before(e.expires) {
			return
		}
		s.stats.Expired++
		s.drop(e)
	}
}

// sweep drops expired entries that nobody asks for.
func (s *store) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.expire(now)
	if at := s.byAge.Front(); at != nil && !s.closed {
		s.sweeper = time.AfterFunc(at.Value.(*entry).expires.Sub(now), s.sweep)
	} else {
		s.sweeper = nil
	}
}

func (s *store) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.sweeper != nil {
		s.sweeper.Stop()
	}
	for _, e := range s.entries {
		s.drop(e)
	}
	s.flights.Abort(closedError(""))
}

func (s *store) snapshot() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.stats
	out.Entries = len(s.entries)
	return out
}
