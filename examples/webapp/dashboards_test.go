package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"gopkg.in/yaml.v3"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/alert/otel"
)

// exported returns the labels of every metric that sealsql gives to Prometheus,
// by the names that queries use, from the code itself: every counter is set.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	registry := prometheus.NewRegistry()
	exporter, err := promexporter.New(promexporter.WithRegisterer(registry))
	if err != nil {
		t.Fatal(err)
	}
	sink, err := otel.New(sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter)))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[alert.Kind]uint64{}
	for _, k := range alert.Kinds() {
		kinds[k] = 1
	}
	bound := sink.Bind(func() alert.Snapshot {
		return alert.Snapshot{
			Columns:          []alert.ColumnStats{{Table: "accounts", Column: "pin", Sealed: 1, Opened: 4, PlaintextReads: 1, LegacyReads: 1, Failed: kinds, SealFailed: kinds}},
			KMSRegions:       map[string]alert.KMSRegion{"eu-west-1": {Retries: 1, Throttles: 1, BreakerOpen: true}},
			WrappingsMissing: map[string]uint64{"eu-west-1": 1},
			Caches:           map[string]alert.CacheStats{"pins": {Hits: 1, Misses: 1, Entries: 1}},
			Plans:            alert.CacheStats{Entries: 1, Hits: 1, Misses: 1}, RowsReadAhead: 1, Refused: map[string]uint64{"a reason": 1}, LineageRefused: 1, EventsDropped: 1, SinkFailures: 1,
		}
	})
	for _, k := range alert.Kinds() {
		if err := bound.Alert(t.Context(), alert.Event{Kind: k, Table: "accounts", Column: "pin", Region: "eu-west-1"}); err != nil {
			t.Fatal(err)
		}
	}
	bound.(alert.CallObserver).ObserveCall(t.Context(), alert.KMSCall{Region: "eu-west-1", Operation: "Decrypt", Outcome: "denied"}, time.Millisecond)
	if err := bound.(alert.Flusher).Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, f := range families {
		names := []string{f.GetName()}
		if f.GetType().String() == "HISTOGRAM" {
			names = []string{f.GetName() + "_count", f.GetName() + "_sum", f.GetName() + "_bucket"}
		}
		for _, name := range names {
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					out[name] = append(out[name], l.GetName())
				}
			}
			if strings.HasSuffix(name, "_bucket") {
				out[name] = append(out[name], "le")
			}
		}
	}
	return out
}

// queries are the expressions of the dashboard and of the rules, by where they are.
func queries(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	read(t, "../../docs/dashboards/sealsql.json", json.Unmarshal, &dashboard)
	for _, p := range dashboard.Panels {
		for _, q := range p.Targets {
			out["panel "+p.Title+" "+q.RefID] = q.Expr
		}
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	read(t, "../../docs/dashboards/sealsql-rules.yaml", strict, &rules)
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || r.Annotations["summary"] == "" || r.Labels["severity"] == "" {
				t.Errorf("rule %s lacks a name, a summary or a severity", r.Alert)
			}
			out["rule "+r.Alert] = r.Expr
		}
	}
	return out
}

// strict decodes YAML without fields that rules do not have.
func strict(text []byte, to any) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	return d.Decode(to)
}

func read(t *testing.T, path string, decode func([]byte, any) error, to any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = decode(text, to)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// check returns what is wrong with a query, and the metrics that it uses.
func check(query string, exported map[string][]string) (problems, used []string) {
	query = strings.NewReplacer("$__rate_interval", "5m", "$__range", "6h", "$job", ".*").Replace(query)
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return []string{err.Error()}, nil
	}
	var known []string // labels of what is below an aggregation
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		has, ok := exported[s.Name]
		if !ok {
			problems = append(problems, "no metric "+s.Name)
		}
		used, known = append(used, s.Name), append(known, has...)
		for _, m := range s.LabelMatchers {
			if m.Name != model.MetricNameLabel && m.Name != "job" && !slices.Contains(has, m.Name) {
				problems = append(problems, s.Name+" has no label "+m.Name)
			}
			if m.Name == "sealsql_event_kind" {
				problems = append(problems, unknownKinds(m.Value)...)
			}
		}
		return nil
	})
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if a, ok := n.(*parser.AggregateExpr); ok {
			for _, l := range a.Grouping {
				if !slices.Contains(known, l) {
					problems = append(problems, "grouped by "+l+", which nothing has")
				}
			}
		}
		return nil
	})
	return problems, used
}

func unknownKinds(value string) (problems []string) {
	for kind := range strings.SplitSeq(value, "|") {
		if !slices.ContainsFunc(alert.Kinds(), func(k alert.Kind) bool { return k.String() == kind }) {
			problems = append(problems, "no kind "+kind)
		}
	}
	return problems
}

func TestDashboardAndRulesUseMetricsThatAreExported(t *testing.T) {
	all := exported(t)
	queried := map[string]bool{}
	checked := queries(t)
	for where, query := range checked {
		problems, used := check(query, all)
		for _, p := range problems {
			t.Errorf("%s: %s", where, p)
		}
		for _, name := range used {
			queried[name] = true
		}
	}
	if len(checked) != 31 {
		t.Errorf("%d queries were checked", len(checked))
	}
	for name := range all {
		if strings.HasPrefix(name, "sealsql_") && !queried[name] {
			t.Errorf("nothing shows %s", name)
		}
	}
	if n := len(otel.Metrics()); n > len(all) {
		t.Errorf("%d metrics are listed and %d are exported", n, len(all))
	}
}

func TestMistakesInQueriesAreFound(t *testing.T) {
	all := exported(t)
	for query, want := range map[string]string{
		`rate(sealsql_event_total[5m])`:                                  "no metric sealsql_event_total",
		`rate(sealsql_events_total{kind="mismatch"}[5m])`:                "sealsql_events_total has no label kind",
		`rate(sealsql_events_total{sealsql_event_kind="missmatch"}[5m])`: "no kind missmatch",
		`sum by (region) (rate(sealsql_kms_retries_total[5m]))`:          "grouped by region, which nothing has",
		`sum by (le) (rate(rpc_client_call_duration_seconds_count[5m]))`: "grouped by le, which nothing has",
		`sum(rate(sealsql_events_total[5m])`:                             "1:35: parse error: unclosed left parenthesis",
	} {
		if problems, _ := check(query, all); len(problems) != 1 || !strings.HasPrefix(problems[0], want) {
			t.Errorf("%s: %q, want %q", query, problems, want)
		}
	}
}
