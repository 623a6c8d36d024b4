package awskms

import (
	"sync"
	"time"
)

// breaker says whether a Region is to be used. It has three states: a Region
// in which failures come in a row is open (nobody calls it), one in which nothing is
// answered any more is slow (who can do without it does). A probe in the
// background closes it; no user's call is spent on that.
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

// allows reports whether a call may be made, and returns a channel that is closed
// when the Region becomes one to avoid; nil for a call that has no alternative.
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

// patience is how long a call waits before the Region counts as slow: longer
// while nothing was answered yet, since the first call looks up and connects.
func (b *breaker) patience(d time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.answered.IsZero() {
		return 3 * d
	}
	return d
}

// strike notes that a call which began then is still without an answer, and
// reports whether that changed the state.
func (b *breaker) strike(began time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.answered.After(began) {
		return false // others are answered: it is this call's bad luck
	}
	b.strikes++
	return b.strikes >= breakAfter && b.become(slow)
}

// done notes how a call ended, and reports whether that changed the state. A
// call that its caller gave up says nothing, nor does one that ended because the
// Region had become one to avoid.
func (b *breaker) done(outcome string, avoided bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case outcome == "canceled" || avoided:
		return false
	case outcome == "unavailable":
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

// probed notes a probe's answer and reports whether the Region may be used again.
func (b *breaker) probed(answered bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !answered {
		return false
	}
	b.failures, b.strikes, b.answered = 0, 0, time.Now()
	if b.state != closed {
		b.state, b.avoid = closed, make(chan struct{})
	}
	return true
}
