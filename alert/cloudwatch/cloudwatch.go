// Package cloudwatch sends sealsql's events and statistics to Amazon
// CloudWatch: as metrics through PutMetricData, or as lines in the embedded metric
// format, which Fargate and Lambda turn into metrics and searchable logs.
//
// Importing it, which driver/postgres and driver/mysql do, lets a policy name it:
//
//	alerts:
//	  - cloudwatch: {namespace: shop, region: eu-west-1}   # PutMetricData
//	  - cloudwatch: {namespace: shop, emf: true}           # lines on standard output
//
// In code, [New] and [NewEMF] are passed to [driver.WithSink]. The metrics and their
// dimensions are listed in docs/OPERATIONS.md. Dimensions are kinds, tables, columns and
// Regions only; a line holds what [alert.Event] holds.
package cloudwatch

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/sealsql/sealsql/alert"
)

// DefaultNamespace is the namespace of metrics if no other is given.
const DefaultNamespace = "sealsql"

// Client is what the sink needs of a CloudWatch client; [cloudwatch.Client] has
// it. It needs the permission cloudwatch:PutMetricData.
type Client interface {
	PutMetricData(context.Context, *cloudwatch.PutMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.PutMetricDataOutput, error)
}

func init() {
	alert.Register("cloudwatch", func(s alert.Settings) (alert.Sink, error) {
		if s.EMF {
			return NewEMF(os.Stdout, s.Namespace), nil
		}
		cfg, err := s.AWS()
		if err != nil {
			return nil, err
		}
		region := cmp.Or(s.Region, cfg.Region)
		if region == "" {
			return nil, errors.New("no Region is known; set region of the entry or of the policy, or AWS_REGION")
		}
		return New(cloudwatch.NewFromConfig(cfg, func(o *cloudwatch.Options) { o.Region = region }), s.Namespace), nil
	})
}

// Sink gathers events and sends their counts, with the connector's
// statistics, at every flush: every [alert.FlushInterval] and when the connector is
// closed. What a failed call could not send is sent with the next.
type Sink struct {
	client    Client
	namespace string
	stats     func() alert.Snapshot

	mu     sync.Mutex
	counts map[series]float64
	since  map[series]time.Time
	before alert.Snapshot
	unsent []types.MetricDatum
}

var (
	_ alert.Binder  = (*Sink)(nil)
	_ alert.Flusher = (*Sink)(nil)
)

// New returns a sink that calls PutMetricData. An empty namespace is
// [DefaultNamespace].
func New(client Client, namespace string) *Sink {
	return &Sink{client: client, namespace: cmp.Or(namespace, DefaultNamespace), counts: map[series]float64{}, since: map[series]time.Time{}}
}

// Bind implements [alert.Binder].
func (s *Sink) Bind(stats func() alert.Snapshot) alert.Sink {
	own := New(s.client, s.namespace)
	own.stats = stats
	return own
}

// series is a metric of events.
type series struct{ kind, table, column string }

// Alert implements [alert.Sink]: it counts the event until the next flush.
func (s *Sink) Alert(_ context.Context, e alert.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []series{{kind: e.Kind.String()}}
	if e.Table != "" {
		all = append(all, series{e.Kind.String(), e.Table, e.Column})
	}
	for _, k := range all {
		if s.counts[k] == 0 {
			s.since[k] = e.Time
		}
		s.counts[k] += float64(e.Count())
	}
	return nil
}

// A request of PutMetricData may hold 1,000 metrics and 1 MB.
const (
	perRequest = 500
	// keepUnsent bounds what is kept for the next flush when calls fail.
	keepUnsent = 20 * perRequest
)

// Flush implements [alert.Flusher].
func (s *Sink) Flush(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gather(time.Now())
	for len(s.unsent) > 0 {
		n := min(perRequest, len(s.unsent))
		if _, err := s.client.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{Namespace: &s.namespace, MetricData: s.unsent[:n]}); err != nil {
			if over := len(s.unsent) - keepUnsent; over > 0 {
				s.unsent = s.unsent[over:] // the oldest
			}
			return err
		}
		s.unsent = s.unsent[n:]
	}
	s.unsent = nil
	return nil
}

// gather turns what was counted since the last flush into metrics.
func (s *Sink) gather(now time.Time) {
	for _, k := range slices.SortedFunc(maps.Keys(s.counts), func(a, b series) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.table, b.table), cmp.Compare(a.column, b.column))
	}) {
		d := metric{name: MetricEvents, dims: []dim{{"Kind", k.kind}}, value: s.counts[k]}
		if k.table != "" {
			d.dims = append(d.dims, dim{"Table", k.table}, dim{"Column", k.column})
		}
		s.unsent = append(s.unsent, d.datum(s.since[k]))
	}
	clear(s.counts)
	clear(s.since)
	if s.stats == nil {
		return
	}
	current := s.stats()
	for _, m := range statistics(current.Since(s.before), true) {
		s.unsent = append(s.unsent, m.datum(now))
	}
	s.before = current
}

func (m metric) datum(at time.Time) types.MetricDatum {
	d := types.MetricDatum{MetricName: aws.String(m.name), Timestamp: aws.Time(at), Unit: cmp.Or(m.unit, types.StandardUnitCount)}
	for _, p := range m.dims {
		d.Dimensions = append(d.Dimensions, types.Dimension{Name: aws.String(p.name), Value: aws.String(p.value)})
	}
	if m.values != nil {
		d.Values, d.Counts = m.values, m.counts
	} else {
		d.Value = aws.Float64(m.value)
	}
	return d
}
