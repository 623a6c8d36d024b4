package cloudwatch

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/sealsql/sealsql/alert"
)

// The metrics' names.
const (
	// MetricEvents counts events, by Kind, and by Kind, Table and Column.
	MetricEvents = "Events"
	// MetricKMSCalls counts calls of KMS, by Region and Outcome.
	MetricKMSCalls = "KMSCalls"
	// MetricKMSLatency is the time that calls of KMS took, by Region, in
	// milliseconds, each rounded up to a bound of [alert.KMSLatencyBounds].
	// It is not part of the embedded metric format's lines.
	MetricKMSLatency = "KMSLatency"
	// MetricKMSRetries counts repeated calls of KMS, by Region.
	MetricKMSRetries = "KMSRetries"
	// MetricBreakerOpen is 1 while calls to a Region are held back, by Region.
	MetricBreakerOpen = "BreakerOpen"
	// MetricWrappingsMissing counts wrappings that values were written
	// without, by Region.
	MetricWrappingsMissing = "WrappingsMissing"
	// MetricEventsDropped counts events that were delivered in summaries only,
	// MetricSinkFailures errors and panics of sinks.
	MetricEventsDropped = "EventsDropped"
	MetricSinkFailures  = "SinkFailures"
)

// Metrics lists the names.
func Metrics() []string {
	return []string{MetricEvents, MetricKMSCalls, MetricKMSLatency, MetricKMSRetries, MetricBreakerOpen,
		MetricWrappingsMissing, MetricEventsDropped, MetricSinkFailures}
}

type dim struct{ name, value string }

// metric is a value, or a distribution of values, of one metric.
type metric struct {
	name           string
	unit           types.StandardUnit // none: Count
	dims           []dim
	value          float64
	values, counts []float64
}

// statistics are the metrics of what happened since the last flush. Counters
// that did not grow are left out; BreakerOpen is always there, so that an alarm on
// it has data.
func statistics(s alert.Snapshot, distributions bool) (out []metric) {
	byOutcome := map[[2]string]float64{}
	for call, n := range s.KMSCalls {
		byOutcome[[2]string{call.Region, call.Outcome}] += float64(n)
	}
	for _, k := range slices.SortedFunc(maps.Keys(byOutcome), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	}) {
		out = append(out, metric{name: MetricKMSCalls, dims: []dim{{"Region", k[0]}, {"Outcome", k[1]}}, value: byOutcome[k]})
	}
	for _, region := range slices.Sorted(maps.Keys(s.KMSRegions)) {
		r := s.KMSRegions[region]
		open := metric{name: MetricBreakerOpen, unit: types.StandardUnitNone, dims: []dim{{"Region", region}}}
		if r.BreakerOpen {
			open.value = 1
		}
		out = append(out, open)
		if r.Retries > 0 {
			out = append(out, metric{name: MetricKMSRetries, dims: []dim{{"Region", region}}, value: float64(r.Retries)})
		}
	}
	for _, region := range slices.Sorted(maps.Keys(s.WrappingsMissing)) {
		out = append(out, metric{name: MetricWrappingsMissing, dims: []dim{{"Region", region}}, value: float64(s.WrappingsMissing[region])})
	}
	if s.EventsDropped > 0 {
		out = append(out, metric{name: MetricEventsDropped, value: float64(s.EventsDropped)})
	}
	if s.SinkFailures > 0 {
		out = append(out, metric{name: MetricSinkFailures, value: float64(s.SinkFailures)})
	}
	if distributions {
		out = append(out, latencies(s.KMSLatency)...)
	}
	return out
}

// latencies merges a Region's operations.
func latencies(all []alert.KMSLatency) (out []metric) {
	bounds := append(alert.KMSLatencyBounds(), 0)
	bounds[len(bounds)-1] = 2 * bounds[len(bounds)-2] // longer than the last bound
	merged := map[string][]uint64{}
	for _, l := range all {
		if merged[l.Region] == nil {
			merged[l.Region] = make([]uint64, len(bounds))
		}
		for i, n := range l.Buckets {
			merged[l.Region][i] += n
		}
	}
	for _, region := range slices.Sorted(maps.Keys(merged)) {
		m := metric{name: MetricKMSLatency, unit: types.StandardUnitMilliseconds, dims: []dim{{"Region", region}}}
		for i, n := range merged[region] {
			if n > 0 {
				m.values = append(m.values, float64(bounds[i])/float64(time.Millisecond))
				m.counts = append(m.counts, float64(n))
			}
		}
		out = append(out, m)
	}
	return out
}
