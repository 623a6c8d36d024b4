package applications

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
)

// events holds what sealsql raises, since an application may swallow the error beside it.
type events struct {
	mu     sync.Mutex
	t      *testing.T
	raised []string
}

// record takes the events of the policies' log until the test ends.
func record(t *testing.T) *events {
	e := &events{t: t}
	before := slog.Default()
	slog.SetDefault(slog.New(e))
	t.Cleanup(func() { slog.SetDefault(before) })
	return e
}

// list returns what was raised since the last call.
func (e *events) list() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	raised := e.raised
	e.raised = nil
	return raised
}

// leftOut checks that the migrations raised nothing but that indexes were left out.
func (e *events) leftOut() {
	e.t.Helper()
	for _, r := range e.list() {
		if !strings.HasPrefix(r, "sealsql: left_out") {
			e.t.Errorf("the migrations raise %s", r)
		}
	}
}

// Enabled implements [slog.Handler].
func (e *events) Enabled(_ context.Context, l slog.Level) bool { return true }

// Handle implements [slog.Handler].
func (e *events) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Contains(e.raised, text) {
		e.raised = append(e.raised, text)
	}
	return nil
}

// WithAttrs and WithGroup implement [slog.Handler].
func (e *events) WithAttrs([]slog.Attr) slog.Handler { return e }

// WithGroup implements [slog.Handler].
func (e *events) WithGroup(string) slog.Handler { return e }
