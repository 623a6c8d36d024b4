package plancache

import (
	"maps"
	"sync"
	"time"
)

// RereadAfter is for how long a relation that refusals rest on counts as just read.
const RereadAfter = time.Second

// Rereads tells when relations were read again for refusals. It is safe for concurrent
// use.
type Rereads struct {
	mu sync.Mutex
	at map[string]time.Time
}

// mostRereads bounds the relations that are remembered: texts may make up names.
const mostRereads = 4096

// Due reports whether a relation was not read again lately, and claims the reading for the
// caller.
func (r *Rereads) Due(name string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, known := r.at[name]; known && now.Sub(last) < RereadAfter {
		return false
	}
	if len(r.at) >= mostRereads {
		maps.DeleteFunc(r.at, func(_ string, last time.Time) bool { return now.Sub(last) >= RereadAfter })
	}
	if r.at == nil || len(r.at) >= mostRereads {
		r.at = make(map[string]time.Time)
	}
	r.at[name] = now
	return true
}

// Doubt makes a name due again.
func (r *Rereads) Doubt(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.at, name)
}
