package driver

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// dispatcher carries events from queries to sinks. A query never waits for
// it: each sink has bounded queues, and what does not fit, or comes at too high a
// rate, is counted and reported in a summary.
type dispatcher struct {
	lanes  []*lane
	limit  rateLimit
	raised [eventKinds]atomic.Uint64

	mu     sync.RWMutex // guards closed, and keeps lanes running while an event is offered
	closed bool
}

// eventKey is what a summary is about.
type eventKey struct {
	kind          EventKind
	table, column string
	region        string
}

func newDispatcher(sinks []namedSink) *dispatcher {
	d := &dispatcher{}
	for _, s := range sinks {
		d.lanes = append(d.lanes, newLane(s))
	}
	return d
}

// start binds the sinks and starts a goroutine for each; stats is for those
// that ask. It must be called before anything is raised.
func (d *dispatcher) start(stats func() Snapshot) {
	for _, l := range d.lanes {
		l.start(stats)
	}
}

// raise counts the event and queues it for every sink. more, which may be nil,
// adds the evidence; it is called only if the event is delivered by itself.
func (d *dispatcher) raise(ctx context.Context, e Event, more func(*Event)) {
	d.raised[e.Kind].Add(1)
	if len(d.lanes) == 0 {
		return
	}
	e.Time = time.Now()
	key := eventKey{e.Kind, e.Table, e.Column, e.Region}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed || !d.limit.allow(e.Kind, e.Time) {
		for _, l := range d.lanes {
			l.lose(key)
		}
		return
	}
	if more != nil {
		more(&e)
	}
	if ctx != nil {
		e.ctx = context.WithoutCancel(ctx)
		e.TraceID = traceID(ctx)
	}
	for _, l := range d.lanes {
		l.offer(e, key)
	}
}

// observe tells the sinks that ask for it of a call of KMS.
func (d *dispatcher) observe(ctx context.Context, c KMSCall, took time.Duration) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return
	}
	for _, l := range d.lanes {
		l.offerCall(ctx, c, took)
	}
}

// close delivers what is queued, for at most the given time.
func (d *dispatcher) close(within time.Duration) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	d.closed = true
	d.mu.Unlock()
	for _, l := range d.lanes {
		close(l.stop)
	}
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	for _, l := range d.lanes {
		select {
		case <-l.done:
			continue
		case <-timeout.C:
		}
		break
	}
	for _, l := range d.lanes {
		l.cancel()
	}
}

func (d *dispatcher) dropped() (n uint64) {
	for _, l := range d.lanes {
		n += l.dropped.Load()
	}
	return n
}

func (d *dispatcher) failures() (n uint64) {
	for _, l := range d.lanes {
		n += l.failed.Load()
	}
	return n
}

// rateLimit is a token bucket for each kind of event, so that a flood of one
// kind never hides another. Urgent kinds have larger ones.
type rateLimit struct {
	mu      sync.Mutex
	buckets [eventKinds]struct {
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

func (r *rateLimit) allow(k EventKind, now time.Time) bool {
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
