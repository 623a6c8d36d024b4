package alert

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// dispatch returns a running Dispatcher over sinks.
func dispatch(sinks ...Sink) *Dispatcher {
	var named []Named
	for _, s := range sinks {
		named = append(named, Named{"test", s})
	}
	d := NewDispatcher(named)
	d.Start(func() Snapshot { return Snapshot{} })
	return d
}

// gather is a sink that keeps what it gets.
type gather struct {
	mu     sync.Mutex
	events []Event
}

func (g *gather) Alert(_ context.Context, e Event) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.events = append(g.events, e)
	return nil
}

// total is the number of occurrences of a kind that a sink learned of.
func (g *gather) total(k Kind) (n uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.events {
		if e.Kind == k {
			n += e.Count()
		}
	}
	return n
}

func TestNoEventIsLostWithoutAWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gather{}
		d := dispatch(g)
		const flood = 50_000
		for range flood {
			d.Raise(t.Context(), Event{Kind: Mismatch, Table: "t", Column: "c"}, nil)
			d.Raise(t.Context(), Event{Kind: PlaintextRead, Table: "t", Column: "c"}, nil)
		}
		d.Close(time.Second)
		for _, k := range []Kind{Mismatch, PlaintextRead} {
			if n := g.total(k); n != flood {
				t.Errorf("the sink learned of %d %ss of %d", n, k, flood)
			}
		}
		if len(g.events) > urgentBurst+rateBurst+2 || d.dropped() < flood {
			t.Errorf("%d events were delivered, %d dropped", len(g.events), d.dropped())
		}
	})
}

func TestASummaryComesWhileTheConnectorRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gather{}
		d := dispatch(g)
		for range rateBurst + 7 {
			d.Raise(t.Context(), Event{Kind: KeyDenied, Table: "t", Column: "c"}, nil)
		}
		time.Sleep(summaryPause + time.Millisecond) // the bubble's clock: nobody waits
		synctest.Wait()
		g.mu.Lock()
		last := g.events[len(g.events)-1]
		g.mu.Unlock()
		if last.Suppressed != 7 || last.Kind != KeyDenied || last.Table != "t" || last.Column != "c" || last.RowKeyDigest != "" {
			t.Errorf("the last event is %+v", last)
		}
		d.Close(time.Second)
	})
}

func TestAFloodOfOneKindDoesNotHoldUpAMismatch(t *testing.T) {
	release, first := make(chan struct{}), make(chan struct{})
	var once sync.Once
	g := &gather{}
	d := dispatch(SinkFunc(func(ctx context.Context, e Event) error {
		once.Do(func() { close(first); <-release })
		return g.Alert(ctx, e)
	}))
	d.Raise(t.Context(), Event{Kind: PlaintextRead}, nil)
	<-first // the sink is busy: what follows queues
	for range 2 * queueCapacity {
		d.Raise(t.Context(), Event{Kind: PlaintextRead}, nil)
	}
	d.Raise(t.Context(), Event{Kind: Mismatch}, nil)
	close(release)
	d.Close(time.Minute)
	if g.events[1].Kind != Mismatch {
		t.Errorf("the sink got %s before the mismatch", g.events[1].Kind)
	}
	if n := g.total(PlaintextRead); n != 2*queueCapacity+1 {
		t.Errorf("the sink learned of %d plaintext reads", n)
	}
}

func TestAMismatchWhoseDeliveryFailedIsInTheNextSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, calls := &gather{}, 0
		d := dispatch(SinkFunc(func(ctx context.Context, e Event) error {
			if calls++; calls == 1 {
				return errors.New("the service does not answer")
			}
			if calls == 2 {
				panic("a fault of the sink's own")
			}
			return g.Alert(ctx, e)
		}))
		d.Raise(t.Context(), Event{Kind: Mismatch, Table: "t", Column: "c"}, nil)
		d.Raise(t.Context(), Event{Kind: Mismatch, Table: "t", Column: "c"}, nil)
		time.Sleep(summaryPause + time.Millisecond)
		synctest.Wait()
		if n := g.total(Mismatch); n != 2 || d.failures() != 2 {
			t.Errorf("the sink learned of %d mismatches, %d failures", n, d.failures())
		}
		d.Close(time.Second)
	})
}

func TestCloseWaitsNoLongerThanItsDeadlineAndLeavesNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
		g := &gather{}
		d := dispatch(SinkFunc(func(ctx context.Context, _ Event) error { <-ctx.Done(); return ctx.Err() }), g)
		for range 100 {
			d.Raise(t.Context(), Event{Kind: Tampered}, nil)
		}
		began := time.Now()
		d.Close(3 * time.Second)
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("close took %s", took)
		}
		if n := g.total(Tampered); n != 100 {
			t.Errorf("the other sink got %d of 100", n)
		}
		d.Close(time.Second) // nothing more
		d.Raise(t.Context(), Event{Kind: Tampered}, nil)
		d.Observe(t.Context(), KMSCall{}, 0)
	})
}

// full is a sink with everything a sink may have.
type full struct {
	gather
	stats     func() Snapshot
	flushed   int
	calls     int
	annotated atomic.Int64
	closed    bool
}

func (f *full) Bind(stats func() Snapshot) Sink { return &full{stats: stats} }
func (f *full) Flush(context.Context) error     { f.flushed++; return nil }
func (f *full) ObserveCall(context.Context, KMSCall, time.Duration) {
	f.calls++
	panic("a fault of the sink's own")
}
func (f *full) Annotate(context.Context, Event) { f.annotated.Add(1); panic("likewise") }
func (f *full) Close() error                    { f.closed = true; return nil }

func TestOptionalInterfacesAreUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := &full{}
		d := dispatch(root)
		own := d.workers[0].sink.(*full)
		if own == root || own.stats == nil {
			t.Fatal("Bind was not called")
		}
		d.Raise(t.Context(), Event{Kind: Tampered}, nil)
		d.Observe(t.Context(), KMSCall{}, time.Second)
		time.Sleep(FlushInterval + time.Second)
		synctest.Wait()
		if own.flushed != 1 || own.calls != 1 || own.annotated.Load() != 1 || len(own.events) != 1 {
			t.Errorf("%d flushes, %d calls, %d annotated, %d events", own.flushed, own.calls, own.annotated.Load(), len(own.events))
		}
		d.Close(time.Second)
		if own.flushed != 2 || !own.closed || d.failures() != 2 {
			t.Errorf("%d flushes, closed %v, %d failures", own.flushed, own.closed, d.failures())
		}
	})
}

func TestEvidenceIsMadeForDeliveredEventsOnly(t *testing.T) {
	made := 0
	d := dispatch()
	d.Raise(t.Context(), Event{Kind: Mismatch}, func(*Event) { made++ })
	d.Close(0)
	if made != 0 {
		t.Error("evidence was made without a sink")
	}
	d = dispatch(&gather{})
	for range rateBurst + 100 {
		d.Raise(t.Context(), Event{Kind: KeyDenied}, func(*Event) { made++ })
	}
	d.Close(time.Second)
	if made < rateBurst || made > rateBurst+50 {
		t.Errorf("evidence was made %d times", made)
	}
}

func TestLogSinkLevels(t *testing.T) {
	var out bytes.Buffer
	sink := LogSink(slog.New(slog.NewTextHandler(&out, nil)))
	warn := 0
	for _, k := range Kinds() {
		out.Reset()
		if err := sink.Alert(t.Context(), Event{Kind: k, Table: "t", Suppressed: 2}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "kind="+k.String()) || !strings.Contains(out.String(), "suppressed=2") {
			t.Errorf("%s", out.String())
		}
		if strings.Contains(out.String(), "level=WARN") {
			warn++
		}
	}
	if warn != 5 || len(Kinds()) != 15 {
		t.Errorf("%d of %d kinds are warnings", warn, len(Kinds()))
	}
}
