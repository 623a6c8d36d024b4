package cloudwatch

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/sealsql/sealsql/alert"
)

// EMF writes one line of JSON in CloudWatch's embedded metric format for each
// event, with the event itself beside the metric, and lines for the connector's
// statistics at every flush. Each line is one Write.
//
// The format is that of the CloudWatch user guide, "Specification: Embedded
// metric format".
type EMF struct {
	out       *output
	namespace string
	stats     func() alert.Snapshot
	before    alert.Snapshot
}

// output is shared by the connectors that a sink was given to.
type output struct {
	mu sync.Mutex
	w  io.Writer
}

var (
	_ alert.Binder  = (*EMF)(nil)
	_ alert.Flusher = (*EMF)(nil)
)

// NewEMF returns a sink that writes to w: standard output on Fargate and
// Lambda, or a connection to the CloudWatch agent. An empty namespace is [DefaultNamespace].
func NewEMF(w io.Writer, namespace string) *EMF {
	return &EMF{out: &output{w: w}, namespace: cmp.Or(namespace, DefaultNamespace)}
}

// Bind implements [alert.Binder].
func (s *EMF) Bind(stats func() alert.Snapshot) alert.Sink {
	return &EMF{out: s.out, namespace: s.namespace, stats: stats}
}

// Alert implements [alert.Sink].
func (s *EMF) Alert(_ context.Context, e alert.Event) error {
	line := map[string]any{MetricEvents: e.Count(), "Kind": e.Kind.String(), "handed_out": e.Handed}
	dimensions := [][]string{{"Kind"}}
	if e.Table != "" && e.Column != "" {
		dimensions = append(dimensions, []string{"Kind", "Table", "Column"})
	}
	for name, value := range map[string]string{
		"Table": e.Table, "Column": e.Column, "row": e.RowKeyDigest, "message_id": e.MessageID, "region": e.Region,
		"key_arn": e.KeyARN, "statement": e.Statement, "trace_id": e.TraceID, "error": e.Err,
	} {
		if value != "" {
			line[name] = value
		}
	}
	if len(e.Expected) > 0 {
		line["expected"] = e.Expected
	}
	if len(e.Found) > 0 {
		line["found"] = e.Found
	}
	if e.Suppressed > 0 {
		line["suppressed"] = e.Suppressed
	}
	return s.write(line, e.Time, MetricEvents, types.StandardUnitCount, dimensions)
}

// Flush implements [alert.Flusher].
func (s *EMF) Flush(context.Context) error {
	if s.stats == nil {
		return nil
	}
	current := s.stats()
	var fail error
	for _, m := range statistics(current.Since(s.before), false) {
		line, names := map[string]any{m.name: m.value}, []string{}
		for _, d := range m.dims {
			line[d.name] = d.value
			names = append(names, d.name)
		}
		if err := s.write(line, time.Now(), m.name, cmp.Or(m.unit, types.StandardUnitCount), [][]string{names}); err != nil {
			fail = err
		}
	}
	s.before = current
	return fail
}

// write adds the metadata and writes the line.
func (s *EMF) write(line map[string]any, at time.Time, name string, unit types.StandardUnit, dimensions [][]string) error {
	line["_aws"] = map[string]any{
		"Timestamp": at.UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{"Namespace": s.namespace, "Dimensions": dimensions,
			"Metrics": []any{map[string]any{"Name": name, "Unit": unit}}}},
	}
	b, err := json.Marshal(line)
	if err != nil {
		return err
	}
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	_, err = s.out.w.Write(append(b, '\n'))
	return err
}
