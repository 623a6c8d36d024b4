package cache

import (
	"container/list"
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/sealsql/sealsql/codec"
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
	err   error
}

// fetch asks the keyring for an entry.
type fetch func(context.Context) (*entry, error)

// flight is a call of the keyring and who waits for it.
type flight struct {
	waiters []*waiter
	cancel  context.CancelFunc
}

type waiter struct {
	use   usage
	ready chan grant // of one; a grant without entry and error means: ask again
}

// store keeps entries by age and by use.
type store struct {
	maxAge   time.Duration
	capacity int

	mu      sync.Mutex
	entries map[id]*entry
	byUse   list.List // of *entry, the last used in front
	byAge   list.List // of *entry, the oldest in front
	flights map[id]*flight
	sweeper *time.Timer // runs while there are entries
	closed  bool
	stats   Stats
}

func (s *store) init(maxAge time.Duration, capacity int) {
	s.maxAge, s.capacity = maxAge, capacity
	s.entries, s.flights = make(map[id]*entry), make(map[id]*flight)
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
// under way for the entry, or starts it. The call does not end with the request, but
// with the last one that waits for it.
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
		select {
		case g := <-w.ready:
			if g.entry != nil || g.err != nil {
				return g, g.err
			}
		case <-ctx.Done():
			s.leave(id, w)
			return grant{}, failed(codec.ErrKeyUnavailable, op, "the caller's deadline passed or the caller gave up", ctx.Err())
		}
	}
}

// join adds a waiter to the entry's flight, which it starts if there is none.
func (s *store) join(ctx context.Context, id id, use usage, f fetch) *waiter {
	w := &waiter{use, make(chan grant, 1)}
	fl := s.flights[id]
	if fl == nil {
		within, cancel := context.WithCancel(context.WithoutCancel(ctx))
		fl = &flight{cancel: cancel}
		s.flights[id] = fl
		s.stats.Misses++
		go s.fly(within, id, fl, f)
	}
	fl.waiters = append(fl.waiters, w)
	return w
}

// fly makes the call, keeps what it gives and answers who waits, in the order
// they came.
func (s *store) fly(ctx context.Context, id id, fl *flight, f fetch) {
	defer fl.cancel()
	e, err := f(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flights[id] != fl { // everyone left, or the cache was closed
		if err == nil {
			e.key.Zero()
		}
		return
	}
	delete(s.flights, id)
	if err == nil {
		s.keep(id, e)
	}
	for i, w := range fl.waiters {
		g := grant{err: err}
		if err == nil {
			var ok bool
			if g, ok = s.grant(e, w.use); ok && i > 0 {
				s.stats.Hits++
			}
		}
		w.ready <- g
	}
}

// leave ends the wait of one that gave up. The last one to leave ends the call.
func (s *store) leave(id id, w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fl := s.flights[id]
	at := -1
	if fl != nil {
		at = slices.Index(fl.waiters, w)
	}
	if at < 0 { // it was answered all the same
		select {
		case g := <-w.ready:
			g.key.Zero()
		default:
		}
		return
	}
	fl.waiters = slices.Delete(fl.waiters, at, at+1)
	if len(fl.waiters) == 0 {
		delete(s.flights, id)
		fl.cancel()
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
	for id, fl := range s.flights {
		delete(s.flights, id)
		fl.cancel()
		for _, w := range fl.waiters {
			w.ready <- grant{err: closedError("")}
		}
	}
}

func (s *store) snapshot() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.stats
	out.Entries = len(s.entries)
	return out
}
