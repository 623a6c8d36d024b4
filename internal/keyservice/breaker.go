package keyservice

import (
	"sync"
	"time"
)

// breaker is an endpoint's circuit breaker. It is open after failures in a row:
// nobody calls the endpoint. It is slow when calls stay unanswered: callers with an
// alternative avoid the endpoint. A probe in the background closes the breaker; no
// user's call is spent on that.
type breaker struct {
	mu       sync.Mutex
	state    state
	failures int
	strikes  int
	answered time.Time // the last answer of any kind
	avoid    chan struct{}
}

type state uint8

const (
	closed state = iota
	slow
	open
)

const breakAfter = 3

func newBreaker() *breaker { return &breaker{avoid: make(chan struct{})} }

// allows reports whether a call may be made. A call that has an alternative also
// gets a channel that is closed when the endpoint turns slow or open.
func (b *breaker) allows(alternative bool) (avoid <-chan struct{}, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.state == open, b.state == slow && alternative:
		return nil, false
	case alternative:
		return b.avoid, true
	}
	return nil, true
}

func (b *breaker) now() state {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

// patience is how long a call waits before it counts against the endpoint. It is
// longer until the first answer, since the first call looks up and connects.
func (b *breaker) patience(d time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.answered.IsZero() {
		return 3 * d
	}
	return d
}

// strike notes that a call that began at the given time still has no answer. It
// reports whether the state changed.
func (b *breaker) strike(began time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.answered.After(began) {
		return false // other calls are answered: the endpoint is not slow
	}
	b.strikes++
	return b.strikes >= breakAfter && b.become(slow)
}

// done notes how a call ended and reports whether the state changed. A call says
// nothing about the endpoint if its caller gave up, or if it was given up because
// callers avoid the endpoint.
func (b *breaker) done(outcome Outcome, avoided bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case outcome == Canceled || avoided:
		return false
	case outcome == Unavailable:
		b.failures++
		return b.failures >= breakAfter && b.become(open)
	}
	b.failures, b.strikes, b.answered = 0, 0, time.Now()
	return false
}

// become changes the state for the worse.
func (b *breaker) become(s state) bool {
	if b.state >= s {
		return false
	}
	if b.state == closed {
		close(b.avoid)
	}
	b.state = s
	return true
}

// answeredProbe closes the breaker.
func (b *breaker) answeredProbe() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.strikes, b.answered = 0, 0, time.Now()
	if b.state != closed {
		b.state, b.avoid = closed, make(chan struct{})
	}
}
