package alert

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Sink receives events. A connector calls it from one goroutine, never from a
// query's, so that a sink may take its time: what waits meanwhile is bounded, and
// what does not fit is counted and reported in a summary, see [Event]. Errors and
// panics are counted in [Snapshot] and otherwise ignored. A sink given to
// several connectors must be safe for concurrent use, or be a [Binder].
//
// A Sink may also be a [Binder], a [Flusher], a [CallObserver] or an [Annotator].
type Sink interface {
	// Alert delivers one event. ctx ends after half a minute and when the
	// connector's close timeout has passed.
	Alert(ctx context.Context, e Event) error
}

// Binder is a Sink with state for each connector: Bind is called once for each
// connector, and what it returns is used in the sink's place.
type Binder interface {
	Sink
	// Bind returns the connector's own sink. stats may be called at any time
	// from then on, by any goroutine. If the sink is an [io.Closer], Close is the
	// last that is called.
	Bind(stats func() Snapshot) Sink
}

// Flusher is a Sink that gathers events or publishes statistics: Flush is
// called every [FlushInterval] and once more when the connector is closed, from the
// goroutine that calls Alert.
type Flusher interface {
	Sink
	Flush(ctx context.Context) error
}

// FlushInterval is how often a [Flusher] is flushed.
const FlushInterval = 10 * time.Second

// CallObserver is a Sink that is told of calls of KMS, from the goroutine that
// calls Alert. When many wait, some are left out: [Snapshot] counts all of them.
type CallObserver interface {
	Sink
	ObserveCall(ctx context.Context, c KMSCall, took time.Duration)
}

// Annotator is a Sink that marks the query's own trace. Unlike everything else
// a sink does, Annotate is called in the query's goroutine, while the query's span is
// open: it must not block. Panics are counted.
type Annotator interface {
	Sink
	Annotate(ctx context.Context, e Event)
}

// SinkFunc is a function as a [Sink].
type SinkFunc func(ctx context.Context, e Event) error

// Alert implements [Sink].
func (f SinkFunc) Alert(ctx context.Context, e Event) error { return f(ctx, e) }

// LogSink returns a sink that writes each event as one record to l, at its
// kind's [Kind.Level], with the context of the query, so that handlers that
// know of traces find its span.
func LogSink(l *slog.Logger) Sink {
	return SinkFunc(func(_ context.Context, e Event) error {
		l.LogAttrs(e.Context(), e.Kind.Level(), "sealsql: "+e.Kind.String(), slog.Any("event", e))
		return nil
	})
}

// Settings is what a sink that the policy names is made from.
type Settings struct {
	// Namespace and EMF are those of the policy's entry, for CloudWatch.
	Namespace string
	EMF       bool
	// Region is that of the entry, else the process's as the policy gives it;
	// empty if the policy gives none.
	Region string
	// AWS returns the connector's AWS configuration: the one set in code, or
	// that of the AWS SDK's standard sources.
	AWS func() (aws.Config, error)
	// Logger is the connector's logger.
	Logger *slog.Logger
}

// registry holds what the sinks' packages registered. Keyed by kind.
var registry struct {
	mu    sync.Mutex
	sinks map[string]func(Settings) (Sink, error)
	trace atomic.Pointer[func(context.Context) string]
}

// Register makes a kind of sink known, so that a policy's alerts can name
// it. The packages alert/cloudwatch and alert/otel call it when they are
// imported, which driver/postgres and driver/mysql do. It panics if the kind is taken.
func Register(kind string, make func(Settings) (Sink, error)) {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if _, taken := registry.sinks[kind]; taken || kind == "log" {
		panic("sealsql: the kind of sink " + kind + " is registered twice")
	}
	if registry.sinks == nil {
		registry.sinks = map[string]func(Settings) (Sink, error){}
	}
	registry.sinks[kind] = make
}

// Open makes a sink of a kind: "log" or a kind that a package registered.
func Open(kind string, s Settings) (Sink, error) {
	if kind == "log" {
		return LogSink(s.Logger), nil
	}
	registry.mu.Lock()
	make := registry.sinks[kind]
	registry.mu.Unlock()
	if make == nil {
		return nil, fmt.Errorf("%s needs its package: import _ \"github.com/sealsql/sealsql/alert/%s\"", kind, kind)
	}
	sink, err := make(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return sink, nil
}

// RegisterTraceID sets how the id of the trace that a context runs under is
// found: 32 hexadecimal digits, or empty. Package alert/otel calls it.
func RegisterTraceID(f func(context.Context) string) { registry.trace.Store(&f) }

func traceID(ctx context.Context) string {
	if f := registry.trace.Load(); f != nil && ctx != nil {
		return (*f)(ctx)
	}
	return ""
}

// Named is a sink under the name that statistics give it.
type Named struct {
	// Name is the kind that a policy's alerts give, or "code".
	Name string
	Sink Sink
}
