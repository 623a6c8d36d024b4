package alert

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

// worker is one sink with its queues and the goroutine that calls it.
type worker struct {
	name  string
	sink  Sink
	bound bool // sink was made by a Binder
	optional
	queues
	tally
	ctx    context.Context // ends when the close timeout has passed
	cancel context.CancelFunc

	mu   sync.Mutex
	lost map[key]uint64 // not reported yet
}

// optional holds what a sink may be beside a Sink; nil where it is not.
type optional struct {
	flusher   Flusher
	observer  CallObserver
	annotator Annotator
}

// queues lead to a worker's goroutine.
type queues struct {
	urgent, queue chan Event
	calls         chan observedCall
	wake          chan struct{} // something was lost
	stop, done    chan struct{}
}

// tally counts what became of events.
type tally struct{ delivered, failed, dropped atomic.Uint64 }

type observedCall struct {
	ctx  context.Context
	call KMSCall
	took time.Duration
}

// What a worker holds while its sink is busy.
const (
	urgentCapacity = 4096
	queueCapacity  = 1024
	callCapacity   = 4096
)

const (
	// summaryPause is how long summaries wait for more of the same.
	summaryPause = time.Second
	// sinkTimeout bounds one call of a sink.
	sinkTimeout = 30 * time.Second
)

func newWorker(s Named) *worker {
	w := &worker{name: s.Name, sink: s.Sink, lost: map[key]uint64{}}
	w.queues = queues{urgent: make(chan Event, urgentCapacity), queue: make(chan Event, queueCapacity),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

func (w *worker) start(stats func() Snapshot) {
	if b, ok := w.sink.(Binder); ok {
		_ = w.guard(func() error { w.sink, w.bound = b.Bind(stats), true; return nil })
	}
	w.flusher, _ = w.sink.(Flusher)
	w.annotator, _ = w.sink.(Annotator)
	if w.observer, _ = w.sink.(CallObserver); w.observer != nil {
		w.calls = make(chan observedCall, callCapacity)
	}
	go w.run()
}

// offer queues an event, or counts it as lost. It never waits.
func (w *worker) offer(e Event, key key) {
	if w.annotator != nil {
		_ = w.guard(func() error { w.annotator.Annotate(e.Context(), e); return nil })
	}
	q := w.queue
	if e.Kind.Urgent() {
		q = w.urgent
	}
	select {
	case q <- e:
	default:
		w.lose(key)
	}
}

func (w *worker) offerCall(ctx context.Context, c KMSCall, took time.Duration) {
	if w.calls == nil {
		return
	}
	select {
	case w.calls <- observedCall{context.WithoutCancel(ctx), c, took}:
	default:
	}
}

// lose counts an event that is not delivered by itself.
func (w *worker) lose(key key) {
	w.dropped.Add(1)
	w.mu.Lock()
	w.lost[key]++
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *worker) run() {
	defer close(w.done)
	defer w.cancel()
	defer w.closeSink()
	var flush <-chan time.Time
	if w.flusher != nil {
		t := time.NewTicker(FlushInterval)
		defer t.Stop()
		flush = t.C
	}
	var summary <-chan time.Time
	for {
		if w.urgentFirst() {
			continue
		}
		select {
		case e := <-w.urgent:
			w.deliver(e)
		case e := <-w.queue:
			w.deliver(e)
		case c := <-w.calls:
			w.observe(c)
		case <-w.wake:
			if summary == nil {
				summary = time.After(summaryPause)
			}
		case <-summary:
			summary = nil
			w.summarise()
		case <-flush:
			w.flush()
		case <-w.stop:
			w.drain()
			return
		}
	}
}

// urgentFirst delivers an urgent event if one waits; select alone would choose by chance.
func (w *worker) urgentFirst() bool {
	select {
	case e := <-w.urgent:
		w.deliver(e)
		return true
	default:
		return false
	}
}

// drain delivers what is queued when the connector is closed, until the close
// timeout has passed.
func (w *worker) drain() {
	for w.ctx.Err() == nil {
		if w.urgentFirst() {
			continue
		}
		select {
		case e := <-w.urgent:
			w.deliver(e)
		case e := <-w.queue:
			w.deliver(e)
		case c := <-w.calls:
			w.observe(c)
		default:
			w.summarise()
			w.flush()
			return
		}
	}
	w.dropped.Add(uint64(len(w.urgent) + len(w.queue)))
}

// deliver calls the sink. What is urgent and fails, or is a summary and fails,
// goes into the next summary.
func (w *worker) deliver(e Event) {
	err := w.guard(func() error {
		ctx, cancel := context.WithTimeout(w.ctx, sinkTimeout)
		defer cancel()
		return w.sink.Alert(ctx, e)
	})
	switch {
	case err == nil:
		w.delivered.Add(1)
	case e.Kind.Urgent() || e.Suppressed > 0:
		w.again(e)
	}
}

// again has the next summary count an event whose delivery failed.
func (w *worker) again(e Event) {
	w.mu.Lock()
	w.lost[key{e.Kind, e.Table, e.Column, e.Region}] += e.Count()
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *worker) observe(c observedCall) {
	_ = w.guard(func() error { w.observer.ObserveCall(c.ctx, c.call, c.took); return nil })
}

func (w *worker) flush() {
	if w.flusher == nil {
		return
	}
	_ = w.guard(func() error {
		ctx, cancel := context.WithTimeout(w.ctx, sinkTimeout)
		defer cancel()
		return w.flusher.Flush(ctx)
	})
}

// closeSink closes a sink that Bind made and that can be closed. One that the
// application made is the application's to close.
func (w *worker) closeSink() {
	if c, ok := w.sink.(io.Closer); ok && w.bound {
		_ = w.guard(c.Close)
	}
}

// summarise delivers one event for each kind, table, column and Region of which
// events were lost.
func (w *worker) summarise() {
	w.mu.Lock()
	lost := w.lost
	w.lost = map[key]uint64{}
	w.mu.Unlock()
	for _, k := range slices.SortedFunc(maps.Keys(lost), compareKeys) {
		w.deliver(Event{Kind: k.kind, Time: time.Now(), Table: k.table, Column: k.column, Region: k.region, Suppressed: lost[k],
			Err: "a summary of events that were not delivered one by one"})
	}
}

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.table, b.table), cmp.Compare(a.column, b.column), cmp.Compare(a.region, b.region))
}

// errPanic stands for a sink's panic, whose value may hold anything.
type errPanic struct{}

func (errPanic) Error() string { return "the sink panicked" }

// guard calls a sink and counts its failure. The error is not kept: it is the
// sink's own, and may hold anything.
func (w *worker) guard(f func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanic{}
		}
		if err != nil {
			w.failed.Add(1)
		}
	}()
	return f()
}
