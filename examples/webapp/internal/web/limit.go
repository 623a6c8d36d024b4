package web

import (
	"sync"
	"time"
)

// limiter bounds attempts by key: after max failures within window, further
// attempts are turned away until the window has passed. An attempt counts as a
// failure until it is forgiven, so that attempts at the same time count too.
// It is safe for concurrent use.
type limiter struct {
	max    int
	window time.Duration
	now    func() time.Time

	mu   sync.Mutex
	keys map[string]*attempts
}

type attempts struct {
	n     int
	until time.Time
}

// attempt counts an attempt. If it is turned away, wait is how long for.
func (l *limiter) attempt(key string) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if len(l.keys) > 10_000 {
		for k, a := range l.keys {
			if !now.Before(a.until) {
				delete(l.keys, k)
			}
		}
	}
	a := l.keys[key]
	if a == nil || !now.Before(a.until) {
		if l.keys == nil {
			l.keys = map[string]*attempts{}
		}
		a = &attempts{until: now.Add(l.window)}
		l.keys[key] = a
	}
	if a.n >= l.max {
		return a.until.Sub(now), false
	}
	a.n++
	return 0, true
}

// forgive takes a key's failures back.
func (l *limiter) forgive(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.keys, key)
}

// uncount takes one attempt back, which neither succeeded nor failed.
func (l *limiter) uncount(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.keys[key]; a != nil && a.n > 0 {
		a.n--
	}
}
