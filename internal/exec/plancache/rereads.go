package plancache

import (
	"maps"
	"sync"
	"time"
)

// RereadAfter is for how long a relation that refusals rest on counts as just read.
const RereadAfter = time.Second

// Rereads tells when relations were read again. It is safe for concurrent use.
type Rereads struct {
	mu sync.Mutex
	// next is when each relation may be read again, if it is read once in RereadAfter.
	next map[string]time.Time
}

// mostRereads bounds the relations that are remembered: texts may make up names.
const mostRereads = 4096

// Due reports whether a relation was not read again lately, and claims the reading for the
// caller.
func (r *Rereads) Due(name string, now time.Time) bool { return r.due(name, 1, now) }

// inARow is how often a relation is read again in a row where much depends on it. The
// average is once in RereadAfter.
const inARow = 32

// DueFor is Due, but if much depends on the relation, up to inARow readings may follow each
// other at once.
func (r *Rereads) DueFor(name string, much bool, now time.Time) bool {
	if much {
		return r.due("\x00"+name, inARow, now)
	}
	return r.due(name, 1, now)
}

func (r *Rereads) due(name string, most int, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.next[name]
	if next.Before(now) {
		next = now
	}
	if next.Sub(now) > time.Duration(most-1)*RereadAfter {
		return false
	}
	if len(r.next) >= mostRereads {
		maps.DeleteFunc(r.next, func(_ string, next time.Time) bool { return !next.After(now) })
	}
	if r.next == nil || len(r.next) >= mostRereads {
		r.next = make(map[string]time.Time)
	}
	r.next[name] = next.Add(RereadAfter)
	return true
}

// Doubt makes a name due again.
func (r *Rereads) Doubt(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.next, name)
}
