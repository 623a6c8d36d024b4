package sealtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealsql/sealsql/alert"
)

// Recorder keeps every alert that sealsql raises, in their order. It is a
// [alert.Sink]: pass it to driver.WithSink. The zero value is ready.
//
// sealsql delivers alerts after the query that raised them returned, so a test
// asks for the one it expects with WaitFor. That no alert was raised is
// certain only after the sql.DB was closed, which delivers what is queued.
type Recorder struct {
	mu      sync.Mutex
	events  []alert.Event
	taken   []bool
	changed chan struct{} // closed and replaced when an event arrives
}

var _ alert.Sink = (*Recorder)(nil)

// Alert implements [alert.Sink].
func (r *Recorder) Alert(_ context.Context, e alert.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events, r.taken = append(r.events, e), append(r.taken, false)
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
	return nil
}

// Events returns what was recorded so far.
func (r *Recorder) Events() []alert.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Count returns how many events of a kind were recorded so far, waited for or not.
func (r *Recorder) Count(kind alert.Kind) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, e := range r.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// WaitFor returns the first event of the kind that no call of WaitFor returned
// before, as soon as there is one. It fails when ctx ends first, and says what
// was recorded instead.
func (r *Recorder) WaitFor(ctx context.Context, kind alert.Kind) (alert.Event, error) {
	for {
		e, ok, changed := r.take(kind)
		if ok {
			return e, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return alert.Event{}, fmt.Errorf("sealtest: no alert of kind %s was raised (recorded: %s): %w", kind, r, context.Cause(ctx))
		}
	}
}

// take returns an event of the kind, or the channel that is closed when
// another event arrives.
func (r *Recorder) take(kind alert.Kind) (e alert.Event, ok bool, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, e := range r.events {
		if e.Kind == kind && !r.taken[i] {
			r.taken[i] = true
			return e, true, nil
		}
	}
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return e, false, r.changed
}

// patience is how long Want waits.
const patience = 10 * time.Second

// Want is WaitFor for at most ten seconds; it ends the test if there is no
// such event.
func (r *Recorder) Want(t testing.TB, kind alert.Kind) alert.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	e, err := r.WaitFor(ctx, kind)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// WantNone fails the test if an alert was raised that WaitFor did not return.
// Close the sql.DB first.
func (r *Recorder) WantNone(t testing.TB) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, e := range r.events {
		if !r.taken[i] {
			t.Errorf("sealtest: an unexpected alert: %v", e.LogValue())
		}
	}
}

// String lists the kinds of what was recorded.
func (r *Recorder) String() string {
	var kinds []string
	for _, e := range r.Events() {
		kinds = append(kinds, e.Kind.String())
	}
	if kinds == nil {
		return "nothing"
	}
	return strings.Join(kinds, ", ")
}
