package cloudwatch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/alert/cloudwatch"
	"github.com/sealsql/sealsql/internal/testing/fakecloudwatch"
)

func newServer(t *testing.T) (*fakecloudwatch.Server, *sdk.Client) {
	t.Helper()
	s := fakecloudwatch.New()
	t.Cleanup(s.Close)
	return s, sdk.NewFromConfig(aws.Config{Region: "eu-west-1", BaseEndpoint: aws.String(s.URL), Credentials: aws.CredentialsProviderFunc(
		func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "x"}, nil
		})})
}

func event(kind alert.Kind, table, column string) alert.Event {
	return alert.Event{Kind: kind, Time: time.Unix(1_800_000_000, 0), Table: table, Column: column, RowKeyDigest: "0123", Err: "why",
		Evidence: alert.Evidence{Expected: map[string]string{"k": "aa"}, Found: map[string]string{"k": "bb"}}}
}

// snapshots stands in for a connector's statistics.
type snapshots struct{ s alert.Snapshot }

func (s *snapshots) get() alert.Snapshot { return s.s }

func stats() *snapshots {
	latency := alert.KMSLatency{Region: "eu-west-1", Operation: "Decrypt", Count: 3, Buckets: make([]uint64, len(alert.KMSLatencyBounds())+1)}
	latency.Buckets[0], latency.Buckets[len(latency.Buckets)-1] = 2, 1
	return &snapshots{alert.Snapshot{
		KMSCalls:         map[alert.KMSCall]uint64{{Region: "eu-west-1", Operation: "Decrypt", Outcome: "ok"}: 5, {Region: "eu-west-1", Operation: "Encrypt", Outcome: "ok"}: 2},
		KMSRegions:       map[string]alert.KMSRegion{"eu-west-1": {BreakerOpen: true, Retries: 4}, "us-east-1": {}},
		WrappingsMissing: map[string]uint64{"eu-west-1": 3},
		KMSLatency:       []alert.KMSLatency{latency}, EventsDropped: 7, SinkFailures: 1,
	}}
}

func TestEventsAndStatisticsArriveThroughTheRealClient(t *testing.T) {
	server, client := newServer(t)
	source := stats()
	sink := cloudwatch.New(client, "shop").Bind(source.get).(*cloudwatch.Sink)
	for range 3 {
		_ = sink.Alert(t.Context(), event(alert.Mismatch, "accounts", "ssn"))
	}
	summary := event(alert.Mismatch, "accounts", "ssn")
	summary.Suppressed = 40
	_ = sink.Alert(t.Context(), summary)
	_ = sink.Alert(t.Context(), alert.Event{Kind: alert.PolicyRejected, Time: time.Now()})
	if err := sink.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[[2]string]float64{
		{"Events", "Kind=mismatch"}:                           43,
		{"Events", "Kind=mismatch,Table=accounts,Column=ssn"}: 43,
		{"Events", "Kind=policy_rejected"}:                    1,
		{"KMSCalls", "Region=eu-west-1,Outcome=ok"}:           7,
		{"BreakerOpen", "Region=eu-west-1"}:                   1,
		{"BreakerOpen", "Region=us-east-1"}:                   0,
		{"KMSRetries", "Region=eu-west-1"}:                    4,
		{"WrappingsMissing", "Region=eu-west-1"}:              3,
		{"EventsDropped", ""}:                                 7,
		{"SinkFailures", ""}:                                  1,
		{"KMSLatency", "Region=eu-west-1"}:                    2*5 + 20_000,
	}
	got := server.Metrics()
	for _, m := range got {
		if v, ok := want[[2]string{m.Name, m.Dimensions}]; !ok || v != m.Value || m.Namespace != "shop" || m.Region != "eu-west-1" || m.Unit == "" {
			t.Errorf("sent %+v, want %v", m, v)
		}
	}
	if len(got) != len(want) || len(want) != 11 || server.Calls() != 1 {
		t.Errorf("%d metrics in %d calls for %d", len(got), server.Calls(), len(want))
	}

	source.s.KMSCalls = map[alert.KMSCall]uint64{{Region: "eu-west-1", Operation: "Decrypt", Outcome: "ok"}: 6, {Region: "eu-west-1", Operation: "Encrypt", Outcome: "ok"}: 2}
	if err := sink.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if more := server.Metrics()[len(got):]; len(more) != 3 || server.Sum("KMSCalls", "Region=eu-west-1,Outcome=ok") != 8 {
		t.Errorf("the second flush sent %+v", more) // what grew, and the breakers
	}
}

func TestWhatACallCouldNotSendIsSentWithTheNext(t *testing.T) {
	server, client := newServer(t)
	sink := cloudwatch.New(client, "")
	server.FailNext(1)
	_ = sink.Alert(t.Context(), event(alert.Tampered, "t", "c"))
	if err := sink.Flush(t.Context()); err == nil {
		t.Fatal("the failure is not reported")
	}
	_ = sink.Alert(t.Context(), event(alert.Tampered, "t", "c"))
	if err := sink.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := server.Sum("Events", "Kind=tampered"); n != 2 {
		t.Errorf("%v events were sent, want 2", n)
	}
	if m := server.Metrics(); m[0].Namespace != cloudwatch.DefaultNamespace {
		t.Errorf("namespace %q", m[0].Namespace)
	}
	if err := sink.Flush(t.Context()); err != nil || server.Calls() != 1 {
		t.Errorf("nothing to send made call %d, %v", server.Calls(), err)
	}
}

func TestManyColumnsAreSentInSeveralCalls(t *testing.T) {
	server, client := newServer(t)
	sink := cloudwatch.New(client, "")
	for i := range 1200 {
		_ = sink.Alert(t.Context(), event(alert.Mismatch, "t", "c"+strings.Repeat("x", i)[:i%200]+string(rune('a'+i/200))))
	}
	if err := sink.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if server.Calls() != 3 || len(server.Metrics()) != 1201 || server.Sum("Events", "Kind=mismatch") != 1200 {
		t.Errorf("%d metrics in %d calls", len(server.Metrics()), server.Calls())
	}
}

func TestAHungServiceIsLeftWhenTheContextEnds(t *testing.T) {
	_, client := newServer(t)
	sink := cloudwatch.New(client, "")
	_ = sink.Alert(t.Context(), event(alert.Mismatch, "t", "c"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sink.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestEmbeddedMetricFormat(t *testing.T) {
	var out bytes.Buffer
	sink := cloudwatch.NewEMF(&out, "shop").Bind(stats().get).(*cloudwatch.EMF)
	e := event(alert.Mismatch, "accounts", "ssn")
	e.TraceID, e.MessageID, e.Statement = "aaaa", "bbbb", "cccc"
	if err := errors.Join(sink.Alert(t.Context(), e), sink.Alert(t.Context(), alert.Event{Kind: alert.PolicyRejected, Time: time.Now()}), sink.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for _, l := range lines {
		checkEMF(t, l)
	}
	for _, part := range []string{`"Kind":"mismatch"`, `"Table":"accounts"`, `"Column":"ssn"`, `"row":"0123"`, `"expected":{"k":"aa"}`,
		`"found":{"k":"bb"}`, `"trace_id":"aaaa"`, `"message_id":"bbbb"`, `"statement":"cccc"`, `"Timestamp":1800000000000`,
		`"Dimensions":[["Kind"],["Kind","Table","Column"]]`, `"Namespace":"shop"`} {
		if !strings.Contains(lines[0], part) {
			t.Errorf("the line lacks %s: %s", part, lines[0])
		}
	}
	if len(lines) != 9 { // 2 events, KMSCalls, 2 BreakerOpen, KMSRetries, WrappingsMissing, EventsDropped, SinkFailures
		t.Errorf("%d lines:\n%s", len(lines), out.String())
	}
}

// checkEMF holds a line to the specification's rules: what Metrics and
// Dimensions name are members of the root, dimensions are texts.
func checkEMF(t *testing.T, line string) {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal([]byte(line), &root); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	meta := root["_aws"].(map[string]any)
	if _, ok := meta["Timestamp"].(float64); !ok {
		t.Errorf("no Timestamp: %s", line)
	}
	for _, d := range meta["CloudWatchMetrics"].([]any) {
		directive := d.(map[string]any)
		for _, set := range directive["Dimensions"].([]any) {
			for _, name := range set.([]any) {
				if v, ok := root[name.(string)].(string); !ok || v == "" {
					t.Errorf("dimension %v is no text: %s", name, line)
				}
			}
		}
		for _, m := range directive["Metrics"].([]any) {
			if _, ok := root[m.(map[string]any)["Name"].(string)].(float64); !ok {
				t.Errorf("metric %v is no number: %s", m, line)
			}
		}
	}
}
