package otel_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/alert/otel"
)

// source stands in for connectors.
type source struct{ s alert.Snapshot }

func (s *source) get() alert.Snapshot { return s.s }

func full() alert.Snapshot {
	return alert.Snapshot{
		Columns: []alert.ColumnStats{{Table: "accounts", Column: "ssn", Sealed: 3, Opened: 7, PlaintextReads: 2,
			Failed: map[alert.Kind]uint64{alert.Mismatch: 1}, SealFailed: map[alert.Kind]uint64{alert.KeyDenied: 4}}},
		KMSRegions:       map[string]alert.KMSRegion{"eu-west-1": {Retries: 5, Throttles: 6, BreakerOpen: true}},
		WrappingsMissing: map[string]uint64{"eu-west-1": 8},
		Caches:           map[string]alert.CacheStats{"pii": {Hits: 9, Misses: 10, Entries: 11}},
		Plans:            alert.CacheStats{Entries: 12, Hits: 13, Misses: 14}, RowsReadAhead: 15, EventsDropped: 16, SinkFailures: 17, LineageRefused: 18, Refused: map[string]uint64{"a reason": 19},
	}
}

// points returns every number that the reader collects, by name, unit and
// attributes.
func points(t *testing.T, reader *sdkmetric.ManualReader) map[string]float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	label := func(m metricdata.Metrics, set attribute.Set) string {
		return fmt.Sprintf("%s %s %s", m.Name, m.Unit, set.Encoded(attribute.DefaultEncoder()))
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					out[label(m, p.Attributes)] = float64(p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					out[label(m, p.Attributes)] = p.Sum
				}
			default:
				t.Errorf("%s is a %T", m.Name, d)
			}
		}
	}
	return out
}

var expected = map[string]float64{
	"sealsql.values {value} db.collection.name=accounts,sealsql.column=ssn,sealsql.operation=seal,sealsql.outcome=ok":         3,
	"sealsql.values {value} db.collection.name=accounts,sealsql.column=ssn,sealsql.operation=open,sealsql.outcome=ok":         5,
	"sealsql.values {value} db.collection.name=accounts,sealsql.column=ssn,sealsql.operation=open,sealsql.outcome=plaintext":  2,
	"sealsql.values {value} db.collection.name=accounts,sealsql.column=ssn,sealsql.operation=open,sealsql.outcome=mismatch":   1,
	"sealsql.values {value} db.collection.name=accounts,sealsql.column=ssn,sealsql.operation=seal,sealsql.outcome=key_denied": 4,
	"sealsql.kms.retries {call} cloud.region=eu-west-1":                                                                       5,
	"sealsql.kms.throttles {call} cloud.region=eu-west-1":                                                                     6,
	"sealsql.kms.breakers.open {breaker} cloud.region=eu-west-1":                                                              1,
	"sealsql.wrappings.missing {wrapping} cloud.region=eu-west-1":                                                             8,
	"sealsql.cache.lookups {lookup} sealsql.cache.result=hit,sealsql.keyring=pii":                                             9,
	"sealsql.cache.lookups {lookup} sealsql.cache.result=miss,sealsql.keyring=pii":                                            10,
	"sealsql.cache.entries {entry} sealsql.keyring=pii":                                                                       11,
	"sealsql.plans.cached {plan} ":                                   12,
	"sealsql.plans.lookups {lookup} sealsql.cache.result=hit":        13,
	"sealsql.plans.lookups {lookup} sealsql.cache.result=miss":       14,
	"sealsql.rows.read_ahead {row} ":                                 15,
	"sealsql.lineage.refused {statement} ":                           18,
	"sealsql.statements.refused {statement} sealsql.reason=a reason": 19,
	"sealsql.events.dropped {event} ":                                16,
	"sealsql.sink.failures {failure} ":                               17,
	"sealsql.events {event} cloud.region=eu-west-1,db.collection.name=accounts,sealsql.column=ssn,sealsql.event.kind=mismatch": 42,
	"rpc.client.call.duration s cloud.region=eu-west-1,rpc.method=KMS/Decrypt,rpc.system.name=aws-api":                         0.25,
	"rpc.client.call.duration s cloud.region=eu-west-1,error.type=throttled,rpc.method=KMS/Decrypt,rpc.system.name=aws-api":    0.5,
}

func TestEveryMetricIsRecorded(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	root, err := otel.New(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	if err != nil {
		t.Fatal(err)
	}
	from := &source{full()}
	sink := root.Bind(from.get).(*otel.Sink)
	e := alert.Event{Kind: alert.Mismatch, Table: "accounts", Column: "ssn", Region: "eu-west-1"}
	_ = sink.Alert(t.Context(), e)
	e.Suppressed = 41
	_ = sink.Alert(t.Context(), e)
	sink.ObserveCall(t.Context(), alert.KMSCall{Region: "eu-west-1", Operation: "Decrypt", Outcome: "ok"}, 250*time.Millisecond)
	sink.ObserveCall(t.Context(), alert.KMSCall{Region: "eu-west-1", Operation: "Decrypt", Outcome: "throttled"}, 500*time.Millisecond)
	for range 2 { // the second adds nothing
		if err := sink.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	got := points(t, reader)
	seen := map[string]bool{}
	for k, v := range expected {
		if got[k] != v {
			t.Errorf("%s is %v, want %v", k, got[k], v)
		}
		seen[strings.Fields(k)[0]] = true
	}
	if len(got) != len(expected) || len(expected) != 23 {
		t.Errorf("%d points for %d: %v", len(got), len(expected), got)
	}
	for _, name := range otel.Metrics() {
		if !seen[name] {
			t.Errorf("%s was not recorded", name)
		}
	}
}

func TestTwoConnectorsAddUpAndTakeTheirShareWithThem(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	root, err := otel.New(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	if err != nil {
		t.Fatal(err)
	}
	a, b := &source{full()}, &source{full()}
	first, second := root.Bind(a.get).(*otel.Sink), root.Bind(b.get).(*otel.Sink)
	_, _ = first.Flush(t.Context()), second.Flush(t.Context())
	const plans, sealed = "sealsql.plans.cached {plan} ", "sealsql.values {value} db.collection.name=accounts,sealsql.column=ssn,sealsql.operation=seal,sealsql.outcome=ok"
	if got := points(t, reader); got[plans] != 24 || got[sealed] != 6 {
		t.Errorf("%v plans, %v sealed; want 24, 6", got[plans], got[sealed])
	}
	b.s.Plans.Entries, b.s.KMSRegions = 2, nil
	_ = second.Flush(t.Context())
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	got := points(t, reader)
	if got[plans] != 2 || got[sealed] != 6 || got["sealsql.kms.breakers.open {breaker} cloud.region=eu-west-1"] != 0 {
		t.Errorf("after one left: %v", got)
	}
	var _ io.Closer = first
}

func TestAnEventMarksTheSpanOfItsQuery(t *testing.T) {
	exporter := tracetest.NewInMemoryExporter()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter)).Tracer("test")
	sink, err := otel.New(sdkmetric.NewMeterProvider())
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := tracer.Start(t.Context(), "SELECT")
	sink.Annotate(ctx, alert.Event{Kind: alert.Tampered, Time: time.Now(), Table: "accounts", Column: "ssn", RowKeyDigest: "0123",
		Evidence: alert.Evidence{MessageID: "4567"}, Statement: "89ab", Region: "eu-west-1", KeyARN: "arn:x", Err: "why", Handed: true})
	sink.Annotate(t.Context(), alert.Event{Kind: alert.Tampered}) // no span: nothing happens
	span.End()
	events := exporter.GetSpans()[0].Events
	if len(events) != 1 || events[0].Name != "sealsql.tampered" {
		t.Fatalf("events %+v", events)
	}
	var attrs []string
	for _, a := range events[0].Attributes {
		attrs = append(attrs, string(a.Key)+"="+a.Value.String())
	}
	slices.Sort(attrs)
	want := "cloud.region=eu-west-1 db.collection.name=accounts sealsql.column=ssn sealsql.error=why sealsql.event.kind=tampered sealsql.handed_out=true sealsql.key_arn=arn:x sealsql.message_id=4567 sealsql.row=0123 sealsql.statement=89ab"
	if got := strings.Join(attrs, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestASinkThatIsNotBoundSaysSo(t *testing.T) {
	sink, err := otel.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.Flush(t.Context()); err == nil {
		t.Error("no error")
	}
}
