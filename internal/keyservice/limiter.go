package keyservice

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	firstPause   = 25 * time.Millisecond
	longestPause = 400 * time.Millisecond

	cutTo      = 0.7         // the share of the rate that throttling leaves
	cutPause   = time.Second // throttling within it is one event
	raise      = 0.05        // of the rate that was throttled, a second
	leastRaise = 5.0         // calls a second, each second
	// smallRate is too low for a quota: the endpoint is in trouble. Such a rate more
	// than doubles each second, so that an endpoint that recovers is soon used as before.
	smallRate = 1000.0
	leastRate = 1.0 // calls a second

	// turnPatience is how long a call that has an alternative waits for its turn.
	turnPatience = 2 * time.Millisecond
)

// jitter is the pause after the given attempt: up to a limit that doubles
// ("full jitter").
func jitter(attempt int) time.Duration {
	return rand.N(min(firstPause<<(attempt-1), longestPause))
}

// limiter is a token bucket. Without a configured rate it lets every call pass
// until the service throttles. Then it cuts the rate below the rate of the calls that
// were sent, and raises it again step by step.
type limiter struct {
	configured float64 // calls a second; 0: no limit

	mu     sync.Mutex
	rate   float64 // in force; 0: no limit
	tokens float64
	filled time.Time
	cut    time.Time // when the rate was last cut
	raised time.Time
	peak   float64 // the rate that was throttled

	second time.Time // the calls of this second and of the one before
	sent   [2]float64
}

func newLimiter(perSecond float64) *limiter {
	return &limiter{configured: perSecond, rate: perSecond, tokens: burst(perSecond)}
}

// burst is a tenth of a second's worth, one call at least.
func burst(rate float64) float64 { return max(1, rate/10) }

// reserve takes a token and returns how long to wait before using it.
func (l *limiter) reserve(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if gone := now.Sub(l.second); gone >= time.Second {
		before := l.sent[0]
		if gone >= 2*time.Second {
			before = 0
		}
		l.sent, l.second = [2]float64{0, before}, now
	}
	l.sent[0]++
	if l.rate == 0 {
		return 0
	}
	l.tokens = min(burst(l.rate), l.tokens+now.Sub(l.filled).Seconds()*l.rate)
	l.filled = now
	l.tokens--
	if l.tokens >= 0 {
		return 0
	}
	return time.Duration(-l.tokens / l.rate * float64(time.Second))
}

func (l *limiter) giveBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens++
	l.sent[0]--
}

// wait waits for the call's turn. It reports false at once if the turn comes after
// the caller's deadline, or if the call has an alternative and would wait long. It
// reports false when the context ends.
func (l *limiter) wait(ctx context.Context, alternative bool) bool {
	d := l.reserve(time.Now())
	if d <= 0 {
		return true
	}
	if alternative && d > turnPatience {
		l.giveBack()
		return false
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		l.giveBack()
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		l.giveBack()
		return false
	}
}

// throttled cuts the rate.
func (l *limiter) throttled(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.cut) < cutPause {
		return
	}
	from := l.rate
	if from == 0 {
		from = max(l.sent[0], l.sent[1])
		l.tokens, l.filled = 0, now
	}
	l.peak = max(from, leastRate)
	l.rate = max(from*cutTo, leastRate)
	l.cut, l.raised = now, now
}

// passed raises a rate that was cut, up to the configured one; without one,
// the limit ends at twice the rate that was throttled.
func (l *limiter) passed(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut.IsZero() || l.rate == l.configured {
		return
	}
	each := max(l.peak*raise, leastRaise)
	if l.rate < smallRate {
		each = max(each, l.rate)
	}
	l.rate += min(1, now.Sub(l.raised).Seconds()) * each
	l.raised = now
	switch {
	case l.configured > 0 && l.rate >= l.configured:
		l.rate, l.cut = l.configured, time.Time{}
	case l.configured == 0 && l.rate >= 2*l.peak:
		l.rate, l.cut = 0, time.Time{}
	}
}

func (l *limiter) now() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rate
}
