package otel

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/sealsql/sealsql/alert"
)

// The instruments' names.
const (
	MetricCalls            = "rpc.client.call.duration"
	MetricEvents           = "sealsql.events"
	MetricEventsDropped    = "sealsql.events.dropped"
	MetricSinkFailures     = "sealsql.sink.failures"
	MetricValues           = "sealsql.values"
	MetricWrappingsMissing = "sealsql.wrappings.missing"
	MetricKMSRetries       = "sealsql.kms.retries"
	MetricKMSThrottles     = "sealsql.kms.throttles"
	MetricBreakersOpen     = "sealsql.kms.breakers.open"
	MetricCacheLookups     = "sealsql.cache.lookups"
	MetricCacheEntries     = "sealsql.cache.entries"
	MetricPlansCached      = "sealsql.plans.cached"
	MetricPlanLookups      = "sealsql.plans.lookups"
	MetricRowsReadAhead    = "sealsql.rows.read_ahead"
	MetricLineageRefused   = "sealsql.lineage.refused"
	MetricRefused          = "sealsql.statements.refused"
)

// Metrics lists the names.
func Metrics() []string {
	return []string{MetricCalls, MetricEvents, MetricEventsDropped, MetricSinkFailures, MetricValues, MetricWrappingsMissing,
		MetricKMSRetries, MetricKMSThrottles, MetricBreakersOpen, MetricCacheLookups, MetricCacheEntries, MetricPlansCached,
		MetricPlanLookups, MetricRowsReadAhead, MetricLineageRefused, MetricRefused}
}

type instruments struct {
	calls metric.Float64Histogram

	events, dropped, failures, values, missing, retries, throttles metric.Int64Counter

	cacheLookups, planLookups, ahead metric.Int64Counter
	statements

	// What is held now: each connector adds and takes away its own share.
	breakers, cacheEntries, plans metric.Int64UpDownCounter
}

// statements count those that sealsql did not send.
type statements struct{ lineage, refused metric.Int64Counter }

func newInstruments(m metric.Meter) (*instruments, error) {
	var in instruments
	var errs []error
	bounds := alert.KMSLatencyBounds()
	seconds := make([]float64, len(bounds))
	for i, b := range bounds {
		seconds[i] = b.Seconds()
	}
	var err error
	in.calls, err = m.Float64Histogram(MetricCalls, metric.WithUnit("s"),
		metric.WithDescription("Measures the duration of an outgoing Remote Procedure Call (RPC)."), metric.WithExplicitBucketBoundaries(seconds...))
	errs = append(errs, err)
	for _, c := range []struct {
		to         *metric.Int64Counter
		name, unit string
		what       string
	}{
		{&in.events, MetricEvents, "{event}", "Events raised, by kind."},
		{&in.dropped, MetricEventsDropped, "{event}", "Events that a sink got in a summary only."},
		{&in.failures, MetricSinkFailures, "{failure}", "Errors and panics of sinks."},
		{&in.values, MetricValues, "{value}", "Values sealed and opened, by outcome."},
		{&in.missing, MetricWrappingsMissing, "{wrapping}", "Wrappings that values were written without."},
		{&in.retries, MetricKMSRetries, "{call}", "Repeated calls of KMS."},
		{&in.throttles, MetricKMSThrottles, "{call}", "Calls that KMS throttled."},
		{&in.cacheLookups, MetricCacheLookups, "{lookup}", "Look-ups of kept data keys or branch keys."},
		{&in.planLookups, MetricPlanLookups, "{lookup}", "Look-ups of kept plans."},
		{&in.ahead, MetricRowsReadAhead, "{row}", "Rows read before they were asked for."},
		{&in.lineage, MetricLineageRefused, "{statement}", "Statements whose result the server described otherwise than the analysis."},
		{&in.refused, MetricRefused, "{statement}", "Statements that were not sent, by reason."},
	} {
		*c.to, err = m.Int64Counter(c.name, metric.WithUnit(c.unit), metric.WithDescription(c.what))
		errs = append(errs, err)
	}
	for _, c := range []struct {
		to         *metric.Int64UpDownCounter
		name, unit string
		what       string
	}{
		{&in.breakers, MetricBreakersOpen, "{breaker}", "Circuit breakers that hold back calls of a Region's KMS."},
		{&in.cacheEntries, MetricCacheEntries, "{entry}", "Data keys or branch keys that are kept."},
		{&in.plans, MetricPlansCached, "{plan}", "SQL texts whose plan is kept."},
	} {
		*c.to, err = m.Int64UpDownCounter(c.name, metric.WithUnit(c.unit), metric.WithDescription(c.what))
		errs = append(errs, err)
	}
	return &in, errors.Join(errs...)
}

func count(ctx context.Context, c metric.Int64Counter, n uint64, attrs ...attribute.KeyValue) {
	if n > 0 {
		c.Add(ctx, int64(n), metric.WithAttributes(attrs...))
	}
}

// add adds what grew, and what is held beyond what was before.
func (in *instruments) add(ctx context.Context, grown, before alert.Snapshot) {
	for _, c := range grown.Columns {
		at := located(c.Table, c.Column)
		with := func(operation, outcome string) []attribute.KeyValue {
			return append(at[:len(at):len(at)], OperationKey.String(operation), OutcomeKey.String(outcome))
		}
		count(ctx, in.values, c.Sealed, with("seal", "ok")...)
		count(ctx, in.values, c.Opened-min(c.Opened, c.PlaintextReads+c.LegacyReads), with("open", "ok")...)
		count(ctx, in.values, c.PlaintextReads, with("open", "plaintext")...)
		count(ctx, in.values, c.LegacyReads, with("open", "legacy")...)
		for kind, n := range c.Failed {
			count(ctx, in.values, n, with("open", kind.String())...)
		}
		for kind, n := range c.SealFailed {
			count(ctx, in.values, n, with("seal", kind.String())...)
		}
	}
	for region, r := range grown.KMSRegions {
		count(ctx, in.retries, r.Retries, semconv.CloudRegion(region))
		count(ctx, in.throttles, r.Throttles, semconv.CloudRegion(region))
	}
	for region, n := range grown.WrappingsMissing {
		count(ctx, in.missing, n, semconv.CloudRegion(region))
	}
	for name, c := range grown.Caches {
		count(ctx, in.cacheLookups, c.Hits, KeyringKey.String(name), ResultKey.String("hit"))
		count(ctx, in.cacheLookups, c.Misses, KeyringKey.String(name), ResultKey.String("miss"))
	}
	count(ctx, in.planLookups, grown.Plans.Hits, ResultKey.String("hit"))
	count(ctx, in.planLookups, grown.Plans.Misses, ResultKey.String("miss"))
	count(ctx, in.ahead, grown.RowsReadAhead)
	count(ctx, in.lineage, grown.LineageRefused)
	for reason, n := range grown.Refused {
		count(ctx, in.refused, n, ReasonKey.String(reason))
	}
	count(ctx, in.dropped, grown.EventsDropped)
	count(ctx, in.failures, grown.SinkFailures)
	in.addHeld(ctx, grown, before)
}

// addHeld moves what is held now from one snapshot's to another's. A Region
// without an open breaker is reported as zero, so that an alarm has data.
func (in *instruments) addHeld(ctx context.Context, now, before alert.Snapshot) {
	open := func(s alert.Snapshot, region string) int64 {
		if s.KMSRegions[region].BreakerOpen {
			return 1
		}
		return 0
	}
	for _, region := range keysOf(now.KMSRegions, before.KMSRegions) {
		in.breakers.Add(ctx, open(now, region)-open(before, region), metric.WithAttributes(semconv.CloudRegion(region)))
	}
	for _, name := range keysOf(now.Caches, before.Caches) {
		in.cacheEntries.Add(ctx, int64(now.Caches[name].Entries-before.Caches[name].Entries), metric.WithAttributes(KeyringKey.String(name)))
	}
	in.plans.Add(ctx, int64(now.Plans.Entries-before.Plans.Entries))
}

func keysOf[V any](a, b map[string]V) []string {
	var out []string
	for k := range a {
		out = append(out, k)
	}
	for k := range b {
		if _, both := a[k]; !both {
			out = append(out, k)
		}
	}
	return out
}
