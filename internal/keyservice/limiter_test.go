package keyservice

import (
	"testing"
	"time"
)

// TestTheRateGivesWay to throttling, and comes back.
func TestTheRateGivesWay(t *testing.T) {
	for _, configured := range []float64{0, 2000} {
		l := newLimiter(configured)
		now := time.Unix(1000, 0)
		for range 2000 {
			l.reserve(now)
			now = now.Add(500 * time.Microsecond)
		}
		l.throttled(now)
		l.throttled(now) // one event
		if r := l.now(); r < 1300 || r > 1500 {
			t.Errorf("configured %v: throttled at 2,000 calls a second, the rate is %v", configured, r)
		}
		if d := l.reserve(now) + l.reserve(now) + l.reserve(now); configured == 0 && d <= 0 {
			t.Error("three calls at once need not wait")
		}
		before := l.now()
		now = now.Add(2 * time.Second)
		l.passed(now)
		if r := l.now(); r <= before || r > 2000 {
			t.Errorf("configured %v: two seconds later the rate is %v", configured, r)
		}
		for range 60 {
			now = now.Add(time.Second)
			l.passed(now)
		}
		if r := l.now(); r != configured {
			t.Errorf("a minute later the rate is %v, configured %v", r, configured)
		}
	}
}

func TestACallWithoutTimeForItsTurnIsRefused(t *testing.T) {
	l := newLimiter(1)
	if d := l.reserve(time.Now()); d != 0 {
		t.Errorf("the first call waits %v", d)
	}
	if d := l.reserve(time.Now()); d < 900*time.Millisecond || d > time.Second {
		t.Errorf("the second call waits %v", d)
	}
}
