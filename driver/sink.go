package driver

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sealsql/sealsql/policy"
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
// kind's [EventKind.Level], with the context of the query, so that handlers that
// know of traces find its span.
func LogSink(l *slog.Logger) Sink {
	return SinkFunc(func(_ context.Context, e Event) error {
		l.LogAttrs(e.Context(), e.Kind.Level(), "sealsql: "+e.Kind.String(), slog.Any("event", e))
		return nil
	})
}

// SinkSettings is what a sink that the policy names is made from.
type SinkSettings struct {
	// Alert is the policy's entry.
	Alert policy.Alert
	// Region is the process's Region, if the policy names it.
	Region string
	// AWS returns the AWS configuration of [WithAWSConfig], or that of the
	// AWS SDK's standard sources.
	AWS func() (aws.Config, error)
	// Logger is that of [WithLogger], or slog.Default().
	Logger *slog.Logger
}

// registry holds what the sinks' packages registered. Keyed by kind.
var registry struct {
	mu    sync.Mutex
	sinks map[string]func(SinkSettings) (Sink, error)
	trace atomic.Pointer[func(context.Context) string]
}

// RegisterSink makes a kind of sink known, so that a policy's alerts can name
// it. The packages driver/cloudwatch and driver/otel call it when they are
// imported, which driver/postgres and driver/mysql do. It panics if the kind is taken.
func RegisterSink(kind string, make func(SinkSettings) (Sink, error)) {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if _, taken := registry.sinks[kind]; taken || kind == "log" {
		panic("sealsql: the kind of sink " + kind + " is registered twice")
	}
	if registry.sinks == nil {
		registry.sinks = map[string]func(SinkSettings) (Sink, error){}
	}
	registry.sinks[kind] = make
}

// RegisterTraceID sets how the id of the trace that a context runs under is
// found: 32 hexadecimal digits, or empty. Package driver/otel calls it.
func RegisterTraceID(f func(context.Context) string) { registry.trace.Store(&f) }

func traceID(ctx context.Context) string {
	if f := registry.trace.Load(); f != nil && ctx != nil {
		return (*f)(ctx)
	}
	return ""
}

// alertSinks returns the sinks that the policy names and those set in code.
func (s *settings) alertSinks(p *policy.Policy, config func() (aws.Config, error)) ([]namedSink, error) {
	sinks := s.codeSinks()
	l := s.logger
	if l == nil {
		l = slog.Default()
	}
	for _, a := range p.Alerts() {
		if a.Kind == "log" {
			sinks = append(sinks, namedSink{a.Kind, LogSink(l)})
			continue
		}
		registry.mu.Lock()
		make := registry.sinks[a.Kind]
		registry.mu.Unlock()
		if make == nil {
			return nil, fmt.Errorf("%w: alerts: %s needs its package: import _ \"github.com/sealsql/sealsql/driver/%s\"", ErrPolicy, a.Kind, a.Kind)
		}
		k, err := make(SinkSettings{Alert: a, Region: p.Region(), AWS: config, Logger: l})
		if err != nil {
			return nil, fmt.Errorf("%w: alerts: %s: %w", ErrPolicy, a.Kind, err)
		}
		sinks = append(sinks, namedSink{a.Kind, k})
	}
	return sinks, nil
}

// codeSinks returns the sinks set in code.
func (s *settings) codeSinks() (sinks []namedSink) {
	for _, k := range s.sinks {
		sinks = append(sinks, namedSink{"code", k})
	}
	return sinks
}

// namedSink is a sink and how statistics name it.
type namedSink struct {
	name string
	sink Sink
}
