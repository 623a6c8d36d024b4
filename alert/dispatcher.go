package alert

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Dispatcher carries events from queries to sinks. A query never waits for
// it: each sink has bounded queues, and what does not fit, or comes at too high a
// rate, is counted and reported in a summary.
type Dispatcher struct {
	workers []*worker
	limit   rateLimit
	raised  [kinds]atomic.Uint64

	mu     sync.RWMutex // guards closed, and keeps workers running while an event is offered
	closed bool
}

// key is what a summary is about.
type key struct {
	kind          Kind
	table, column string
	region        string
}

// NewDispatcher returns a dispatcher that [Dispatcher.Start] sets to work.
func NewDispatcher(sinks []Named) *Dispatcher {
	d := &Dispatcher{}
	for _, s := range sinks {
		d.workers = append(d.workers, newWorker(s))
	}
	return d
}

// Start binds the sinks and starts a goroutine for each; stats is for those
// that ask. It must be called before anything is raised.
func (d *Dispatcher) Start(stats func() Snapshot) {
	for _, w := range d.workers {
		w.start(stats)
	}
}

// Raise counts the event and queues it for every sink. more, which may be nil,
// adds the evidence; it is called only if the event is delivered by itself.
func (d *Dispatcher) Raise(ctx context.Context, e Event, more func(*Event)) {
	d.raised[e.Kind].Add(1)
	if len(d.workers) == 0 {
		return
	}
	e.Time = time.Now()
	key := key{e.Kind, e.Table, e.Column, e.Region}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed || !d.limit.allow(e.Kind, e.Time) {
		for _, w := range d.workers {
			w.lose(key)
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
	for _, w := range d.workers {
		w.offer(e, key)
	}
}

// Observe tells the sinks that ask for it of a call of KMS.
func (d *Dispatcher) Observe(ctx context.Context, c KMSCall, took time.Duration) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return
	}
	for _, w := range d.workers {
		w.offerCall(ctx, c, took)
	}
}

// Close delivers what is queued, for at most the given time.
func (d *Dispatcher) Close(within time.Duration) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	d.closed = true
	d.mu.Unlock()
	for _, w := range d.workers {
		close(w.stop)
	}
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	for _, w := range d.workers {
		select {
		case <-w.done:
			continue
		case <-timeout.C:
		}
		break
	}
	for _, w := range d.workers {
		w.cancel()
	}
}

func (d *Dispatcher) dropped() (n uint64) {
	for _, w := range d.workers {
		n += w.dropped.Load()
	}
	return n
}

func (d *Dispatcher) failures() (n uint64) {
	for _, w := range d.workers {
		n += w.failed.Load()
	}
	return n
}

// Report puts what the dispatcher and its sinks did into s.
func (d *Dispatcher) Report(s *Snapshot) {
	s.Events, s.EventsDropped, s.SinkFailures = byKind(&d.raised), d.dropped(), d.failures()
	for _, w := range d.workers {
		s.Sinks = append(s.Sinks, SinkStats{Kind: w.name, Delivered: w.delivered.Load(), Failed: w.failed.Load(),
			Dropped: w.dropped.Load(), Queued: len(w.urgent) + len(w.queue)})
	}
}
