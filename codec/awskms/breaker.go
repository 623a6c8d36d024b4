package awskms

import (
	"sync"
	"time"
)

// breaker keeps calls from a Region whose KMS fails: after failures in a row
// it opens, and then lets one call through after each pause to see whether the
// Region is back.
type breaker struct {
	mu       sync.Mutex
	now      func() time.Time
	pause    time.Duration
	failures int
	until    time.Time // open until then; zero: closed
	probing  bool
}

const breakAfter = 3

func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() {
		return true
	}
	if b.probing || b.now().Before(b.until) {
		return false
	}
	b.probing = true
	return true
}

// down reports whether the breaker is open.
func (b *breaker) down() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.until.IsZero()
}

// done notes how a call that allow let through ended. Only what says that the
// Region cannot be used counts; a call that its caller gave up says nothing.
func (b *breaker) done(outcome string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	switch outcome {
	case "unavailable":
		if b.failures++; b.failures >= breakAfter || !b.until.IsZero() {
			b.until = b.now().Add(b.pause)
		}
	case "canceled":
		if !b.until.IsZero() {
			b.until = b.now().Add(b.pause)
		}
	default:
		b.failures, b.until = 0, time.Time{}
	}
}
