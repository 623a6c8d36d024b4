package alert

import (
	"sync"
	"time"
)

// rateLimit is a token bucket for each kind of event, so that a flood of one
// kind never hides another. Urgent kinds have larger ones.
type rateLimit struct {
	mu      sync.Mutex
	buckets [kinds]struct {
		tokens float64
		last   time.Time
	}
}

// Events of one kind that are delivered one by one; beyond, they are counted
// in summaries.
const (
	ratePerSecond, rateBurst     = 100, 500
	urgentPerSecond, urgentBurst = 1000, 20_000
)

func (r *rateLimit) allow(k Kind, now time.Time) bool {
	perSecond, burst := float64(ratePerSecond), float64(rateBurst)
	if k.Urgent() {
		perSecond, burst = urgentPerSecond, urgentBurst
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b := &r.buckets[k]
	if b.last.IsZero() {
		b.tokens = burst
	} else {
		b.tokens = min(burst, b.tokens+max(0, now.Sub(b.last).Seconds())*perSecond)
	}
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
