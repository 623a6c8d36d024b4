// Package otel gives sealsql's events and statistics to OpenTelemetry, through
// its API alone: metrics, and span events on the queries' own spans.
//
// Importing it, which driver/postgres and driver/mysql do, lets a policy name it:
//
//	alerts: [otel]
//
// The global providers are used unless [New] is given others and passed to
// [driver.WithSink]. The metrics are listed in docs/OPERATIONS.md; where OpenTelemetry's
// semantic conventions (version 1.43.0) have a name, it is theirs. Attributes are
// kinds, tables, columns, Regions, outcomes and digests; never a value.
//
// Importing the package also lets every other sink know the trace of an event.
package otel

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/sealsql/sealsql/alert"
)

// Scope is the instrumentation scope of the metrics.
const Scope = "github.com/sealsql/sealsql/alert/otel"

func init() {
	alert.Register("otel", func(alert.Settings) (alert.Sink, error) { return New(nil) })
	alert.RegisterTraceID(func(ctx context.Context) string {
		if id := trace.SpanContextFromContext(ctx).TraceID(); id.IsValid() {
			return id.String()
		}
		return ""
	})
}

// Sink adds to the metrics, and adds an event to the span of the query that
// raised one. It is made for each connector by Bind.
type Sink struct {
	instruments *instruments
	stats       func() alert.Snapshot

	mu     sync.Mutex
	before alert.Snapshot
}

var (
	_ alert.Binder       = (*Sink)(nil)
	_ alert.Flusher      = (*Sink)(nil)
	_ alert.CallObserver = (*Sink)(nil)
	_ alert.Annotator    = (*Sink)(nil)
)

// New returns a sink over a provider of meters; nil is the global one.
func New(meters metric.MeterProvider) (*Sink, error) {
	if meters == nil {
		meters = otel.GetMeterProvider()
	}
	in, err := newInstruments(meters.Meter(Scope, metric.WithSchemaURL(semconv.SchemaURL)))
	if err != nil {
		return nil, err
	}
	return &Sink{instruments: in}, nil
}

// Bind implements [alert.Binder].
func (s *Sink) Bind(stats func() alert.Snapshot) alert.Sink {
	return &Sink{instruments: s.instruments, stats: stats}
}

// Alert implements [alert.Sink]: it counts the event.
func (s *Sink) Alert(_ context.Context, e alert.Event) error {
	attrs := append(located(e.Table, e.Column), KindKey.String(e.Kind.String()))
	if e.Region != "" {
		attrs = append(attrs, semconv.CloudRegion(e.Region))
	}
	s.instruments.events.Add(e.Context(), int64(e.Count()), metric.WithAttributes(attrs...))
	return nil
}

// The attributes that semantic conventions have no name for.
const (
	// KindKey is the event's kind, or the kind of failure of a value.
	KindKey = attribute.Key("sealsql.event.kind")
	// ColumnKey is the protected column; its table is db.collection.name.
	ColumnKey = attribute.Key("sealsql.column")
	// OperationKey is "seal" or "open".
	OperationKey = attribute.Key("sealsql.operation")
	// OutcomeKey is "ok", "plaintext" or an event's kind; for calls of KMS, see
	// [alert.KMSCall].
	OutcomeKey = attribute.Key("sealsql.outcome")
	// KeyringKey is the name of a keyring.
	KeyringKey = attribute.Key("sealsql.keyring")
	// ResultKey is "hit" or "miss".
	ResultKey = attribute.Key("sealsql.cache.result")
	// ReasonKey is why a statement was not sent.
	ReasonKey = attribute.Key("sealsql.reason")
)

func located(table, column string) []attribute.KeyValue {
	if table == "" {
		return nil
	}
	return []attribute.KeyValue{semconv.DBCollectionName(table), ColumnKey.String(column)}
}

// Annotate implements [alert.Annotator]: it adds the event to the query's
// span, if that is recorded.
func (s *Sink) Annotate(ctx context.Context, e alert.Event) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	attrs := append(located(e.Table, e.Column), KindKey.String(e.Kind.String()), attribute.Bool("sealsql.handed_out", e.Handed))
	for _, p := range [...]struct {
		key   attribute.Key
		value string
	}{
		{"sealsql.row", e.RowKeyDigest}, {"sealsql.message_id", e.MessageID}, {"sealsql.statement", e.Statement},
		{semconv.CloudRegionKey, e.Region}, {"sealsql.key_arn", e.KeyARN}, {"sealsql.error", e.Err},
	} {
		if p.value != "" {
			attrs = append(attrs, p.key.String(p.value))
		}
	}
	span.AddEvent("sealsql."+e.Kind.String(), trace.WithTimestamp(e.Time), trace.WithAttributes(attrs...))
}

// ObserveCall implements [alert.CallObserver].
func (s *Sink) ObserveCall(ctx context.Context, c alert.KMSCall, took time.Duration) {
	attrs := []attribute.KeyValue{semconv.RPCSystemNameKey.String("aws-api"), semconv.RPCMethod("KMS/" + c.Operation), semconv.CloudRegion(c.Region)}
	if c.Outcome != "ok" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(c.Outcome))
	}
	s.instruments.calls.Record(ctx, took.Seconds(), metric.WithAttributes(attrs...))
}

// Flush implements [alert.Flusher]: it adds what happened since the last time.
func (s *Sink) Flush(ctx context.Context) error {
	if s.stats == nil {
		return errors.New("otel: the sink was given to no connector")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	current := s.stats()
	s.instruments.add(ctx, current.Since(s.before), s.before)
	s.before = current
	return nil
}

// Close implements [io.Closer]: it takes the connector's share out of what
// counts things held now.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instruments.addHeld(context.Background(), alert.Snapshot{}, s.before)
	s.before = alert.Snapshot{}
	return nil
}
