package driver

import (
	"cmp"
	"context"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// lane is one sink with its queues and the goroutine that calls it.
type lane struct {
	name      string
	sink      Sink
	bound     bool         // sink was made by a Binder
	flusher   Flusher      // nil if the sink is none
	observer  CallObserver // likewise
	annotator Annotator    // likewise

	urgent, queue chan Event
	calls         chan observedCall
	wake          chan struct{} // something was lost
	stop, done    chan struct{}
	ctx           context.Context // ends when the close timeout has passed
	cancel        context.CancelFunc

	delivered, failed, dropped atomic.Uint64

	mu   sync.Mutex
	lost map[eventKey]uint64 // not reported yet
}

type observedCall struct {
	ctx  context.Context
	call KMSCall
	took time.Duration
}

// What a lane holds while its sink is busy.
const (
	urgentCapacity = 4096
	laneCapacity   = 1024
	callCapacity   = 4096
)

const (
	// summaryPause is how long summaries wait for more of the same.
	summaryPause = time.Second
	// sinkTimeout bounds one call of a sink.
	sinkTimeout = 30 * time.Second
)

func newLane(s namedSink) *lane {
	l := &lane{name: s.name, sink: s.sink, urgent: make(chan Event, urgentCapacity), queue: make(chan Event, laneCapacity),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}), lost: map[eventKey]uint64{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

func (l *lane) start(stats func() Snapshot) {
	if b, ok := l.sink.(Binder); ok {
		_ = l.guard(func() error { l.sink, l.bound = b.Bind(stats), true; return nil })
	}
	l.flusher, _ = l.sink.(Flusher)
	l.annotator, _ = l.sink.(Annotator)
	if l.observer, _ = l.sink.(CallObserver); l.observer != nil {
		l.calls = make(chan observedCall, callCapacity)
	}
	go l.run()
}

// offer queues an event, or counts it as lost. It never waits.
func (l *lane) offer(e Event, key eventKey) {
	if l.annotator != nil {
		_ = l.guard(func() error { l.annotator.Annotate(e.Context(), e); return nil })
	}
	q := l.queue
	if e.Kind.Urgent() {
		q = l.urgent
	}
	select {
	case q <- e:
	default:
		l.lose(key)
	}
}

func (l *lane) offerCall(ctx context.Context, c KMSCall, took time.Duration) {
	if l.calls == nil {
		return
	}
	select {
	case l.calls <- observedCall{context.WithoutCancel(ctx), c, took}:
	default:
	}
}

// lose counts an event that is not delivered by itself.
func (l *lane) lose(key eventKey) {
	l.dropped.Add(1)
	l.mu.Lock()
	l.lost[key]++
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *lane) run() {
	defer close(l.done)
	defer l.cancel()
	defer l.closeSink()
	var flush <-chan time.Time
	if l.flusher != nil {
		t := time.NewTicker(FlushInterval)
		defer t.Stop()
		flush = t.C
	}
	var summary <-chan time.Time
	for {
		if l.urgentFirst() {
			continue
		}
		select {
		case e := <-l.urgent:
			l.deliver(e)
		case e := <-l.queue:
			l.deliver(e)
		case c := <-l.calls:
			l.observe(c)
		case <-l.wake:
			if summary == nil {
				summary = time.After(summaryPause)
			}
		case <-summary:
			summary = nil
			l.summarise()
		case <-flush:
			l.flush()
		case <-l.stop:
			l.drain()
			return
		}
	}
}

// urgentFirst delivers an urgent event if one waits; select alone would choose by chance.
func (l *lane) urgentFirst() bool {
	select {
	case e := <-l.urgent:
		l.deliver(e)
		return true
	default:
		return false
	}
}

// drain delivers what is queued when the connector is closed, until the close
// timeout has passed.
func (l *lane) drain() {
	for l.ctx.Err() == nil {
		if l.urgentFirst() {
			continue
		}
		select {
		case e := <-l.urgent:
			l.deliver(e)
		case e := <-l.queue:
			l.deliver(e)
		case c := <-l.calls:
			l.observe(c)
		default:
			l.summarise()
			l.flush()
			return
		}
	}
	l.dropped.Add(uint64(len(l.urgent) + len(l.queue)))
}

// deliver calls the sink. What is urgent and fails, or is a summary and fails,
// goes into the next summary.
func (l *lane) deliver(e Event) {
	err := l.guard(func() error {
		ctx, cancel := context.WithTimeout(l.ctx, sinkTimeout)
		defer cancel()
		return l.sink.Alert(ctx, e)
	})
	switch {
	case err == nil:
		l.delivered.Add(1)
	case e.Kind.Urgent() || e.Suppressed > 0:
		l.again(e)
	}
}

// again has the next summary count an event whose delivery failed.
func (l *lane) again(e Event) {
	l.mu.Lock()
	l.lost[eventKey{e.Kind, e.Table, e.Column, e.Region}] += e.Count()
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *lane) observe(c observedCall) {
	_ = l.guard(func() error { l.observer.ObserveCall(c.ctx, c.call, c.took); return nil })
}

func (l *lane) flush() {
	if l.flusher == nil {
		return
	}
	_ = l.guard(func() error {
		ctx, cancel := context.WithTimeout(l.ctx, sinkTimeout)
		defer cancel()
		return l.flusher.Flush(ctx)
	})
}

// closeSink closes a sink that Bind made and that can be closed. One that the
// application made is the application's to close.
func (l *lane) closeSink() {
	if c, ok := l.sink.(io.Closer); ok && l.bound {
		_ = l.guard(c.Close)
	}
}

// summarise delivers one event for each kind, table, column and Region of which
// events were lost.
func (l *lane) summarise() {
	l.mu.Lock()
	lost := l.lost
	l.lost = map[eventKey]uint64{}
	l.mu.Unlock()
	for _, k := range slices.SortedFunc(maps.Keys(lost), compareKeys) {
		l.deliver(Event{Kind: k.kind, Time: time.Now(), Table: k.table, Column: k.column, Region: k.region, Suppressed: lost[k],
			Err: "a summary of events that were not delivered one by one"})
	}
}

func compareKeys(a, b eventKey) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.table, b.table), cmp.Compare(a.column, b.column), cmp.Compare(a.region, b.region))
}

// errPanic stands for a sink's panic, whose value may hold anything.
type errPanic struct{}

func (errPanic) Error() string { return "the sink panicked" }

// guard calls a sink and counts its failure. The error is not kept: it is the
// sink's own, and may hold anything.
func (l *lane) guard(f func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanic{}
		}
		if err != nil {
			l.failed.Add(1)
		}
	}()
	return f()
}
