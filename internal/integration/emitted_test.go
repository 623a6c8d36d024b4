package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/alert/cloudwatch"
	"github.com/sealsql/sealsql/alert/otel"
	"github.com/sealsql/sealsql/driver"
)

// emitted gathers what every connector of the whole run puts out: events, log
// records, lines of the embedded metric format, metrics and spans; and the
// parameters that tests passed. TestMain searches the ones for the others.
var emitted = newOutputs()

type outputs struct {
	mu      sync.Mutex
	text    bytes.Buffer
	secrets map[string]bool

	metrics *sdkmetric.ManualReader
	otel    *otel.Sink
	spans   *tracetest.InMemoryExporter
	tracer  *sdktrace.TracerProvider
}

func newOutputs() *outputs {
	o := &outputs{secrets: map[string]bool{}, metrics: sdkmetric.NewManualReader(), spans: tracetest.NewInMemoryExporter()}
	o.tracer = sdktrace.NewTracerProvider(sdktrace.WithSyncer(o.spans))
	var err error
	if o.otel, err = otel.New(sdkmetric.NewMeterProvider(sdkmetric.WithReader(o.metrics))); err != nil {
		panic(err)
	}
	return o
}

// Write implements io.Writer for everything that is text.
func (o *outputs) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// options has a connector put out everything it can.
func (o *outputs) options() []driver.Option {
	return []driver.Option{
		driver.WithLogger(slog.New(slog.NewTextHandler(o, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		driver.WithSink(cloudwatch.NewEMF(o, "")),
		driver.WithSink(o.otel),
		driver.WithAlertFunc(func(e alert.Event) {
			b, err := json.Marshal(e)
			if err != nil {
				panic(err)
			}
			_, _ = fmt.Fprintf(o, "%s %+v\n", b, e)
		}),
	}
}

// secret notes parameters that must not come out anywhere.
func (o *outputs) secret(args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range args {
		s := fmt.Sprint(a)
		if b, ok := a.([]byte); ok {
			s = string(b)
		}
		o.secrets[s] = true
	}
}

// ssns finds every plaintext that looks like the ones of this package's tests.
var ssns = regexp.MustCompile(`900-\d`)

// chance matches what comes out with every event and may spell anything: times,
// digests, identifiers of keys and traces, addresses in memory, long fractions.
var chance = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( m=[+-][\d.]+)?|"Timestamp":\d+|m=[+-][\d.]+|` +
	`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|0x[0-9a-f]+|[0-9a-f]{16,}|\.\d{6,}`)

// certain is the length from which chance does not spell a parameter.
const certain = 12

// leaks lists what came out and must not. Short numbers, and parameters that are
// themselves names in the policy, cannot be told from what may come out. Short
// parameters are searched for outside of what chance makes.
func (o *outputs) leaks() (found []string) {
	o.collect()
	o.mu.Lock()
	defer o.mu.Unlock()
	text := o.text.String()
	if m := ssns.FindStringIndex(text); m != nil {
		found = append(found, around(text, m[0]))
	}
	meant := chance.ReplaceAllString(text, "…")
	for s := range o.secrets {
		switch {
		case len(s) < 2 || len(s) < 6 && strings.Trim(s, "0123456789-.abcdef") == "" || namedInPolicy[s]:
		case len(s) >= certain:
			if i := strings.Index(text, s); i >= 0 {
				found = append(found, fmt.Sprintf("%q in %s", s, around(text, i)))
			}
		default:
			if i := indexApart(meant, s); i >= 0 {
				found = append(found, fmt.Sprintf("%q in %s", s, around(meant, i)))
			}
		}
	}
	return found
}

// indexApart is the index of a word in a text, or -1.
func indexApart(text, word string) int {
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return -1
		}
		if from += i; apart(text, from, from+len(word)) {
			return from
		}
		from++
	}
}

// withoutFloats takes the numbers out of CBOR, whose eight bytes may spell anything.
func withoutFloats(cbor string) string {
	const double = "\xfb" // in no UTF-8 text
	var b strings.Builder
	for {
		before, after, found := strings.Cut(cbor, double)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		cbor = after[min(len(after), 8):]
	}
}

var namedInPolicy = map[string]bool{"accounts": true, "people": true, "ssn": true, "note": true, "balance": true, "id": true, "true": true, "false": true, "<nil>": true}

// apart reports whether no letter or digit adjoins text[from:to].
func apart(text string, from, to int) bool {
	word := func(i int) bool {
		return i >= 0 && i < len(text) && (text[i] == '_' || text[i] >= '0' && text[i] <= '9' || text[i] >= 'a' && text[i] <= 'z' || text[i] >= 'A' && text[i] <= 'Z')
	}
	return !word(from-1) && !word(to)
}

func around(text string, at int) string { return text[max(0, at-60):min(len(text), at+60)] }

// collect adds metrics and spans to the text.
func (o *outputs) collect() {
	var all metricdata.ResourceMetrics
	if err := o.metrics.Collect(context.Background(), &all); err != nil {
		panic(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					_, _ = fmt.Fprintf(o, "%s %s\n", m.Name, p.Attributes.Encoded(attribute.DefaultEncoder()))
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					_, _ = fmt.Fprintf(o, "%s %s\n", m.Name, p.Attributes.Encoded(attribute.DefaultEncoder()))
				}
			}
		}
	}
	for _, s := range o.spans.GetSpans() {
		_, _ = fmt.Fprintf(o, "%s %v\n", s.Name, s.Attributes)
		for _, e := range s.Events {
			_, _ = fmt.Fprintf(o, "%s %v\n", e.Name, e.Attributes)
		}
	}
}

// check is what TestMain runs after all tests.
func (o *outputs) check() error {
	if found := o.leaks(); len(found) > 0 {
		return fmt.Errorf("what the run put out holds plaintexts, parameters or row keys:\n%s", strings.Join(found, "\n"))
	}
	fmt.Printf("emitted: %d bytes of events, logs, metrics and spans searched for %d parameters: none found\n", o.text.Len(), len(o.secrets))
	return nil
}

func TestTheSearchFindsWhatItLooksFor(t *testing.T) {
	cases := []struct {
		text, secret string
		found        bool
	}{
		{"event.error=k1 broke", "k1", true}, {`"row":"k1"`, "k1", true}, {"abck1", "k1", false}, {"x=secret-value-1y", "secret-value-1", true},
		{"the ssn 900-12-3456", "unrelated", true}, {"table=accounts", "accounts", false}, {"n=17", "17", false}, {"nothing", "here", false},
		{"row=2147483647", "2147483647", true}, {"on 1977-07-07", "1977-07-07", true}, {"k1 at 2026-11-27T08:21:39.96Z", "k1", true},
		{"row=00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001", true},
		{"time=2026-11-27T08:21:39.960Z", "2026-11-27", false}, {"Time:2026-11-27 08:21:39.960150432 +0000 UTC m=+1.727605721 Table", "727605721", false},
		{`"Timestamp":1795767699}`, "1795767699", false}, {"key/16777215-59ba-4d6e-a4eb-a7743927b92a", "16777215", false},
		{"row:fa731713d2b52f57", "fa731713d2", false}, {"ctx:{c:0x20830793}", "20830793", false}, {"took 0.16777215 s", "16777215", false},
		{withoutFloats("iTimestamp\xc1\xfb\x41\xda\xc2k1\xfd\x70\xa4dUnit"), "k1", false}, {withoutFloats("eValue\xfb\x41\xda\xc2\x41\xfd\x70\xa4\x00 k1"), "k1", true},
	}
	for _, c := range cases {
		o := newOutputs()
		o.secret(c.secret)
		_, _ = o.Write([]byte(c.text))
		if got := len(o.leaks()) > 0; got != c.found {
			t.Errorf("%q in %q: %v", c.secret, c.text, got)
		}
	}
	if len(cases) != 21 {
		t.Error("the number of cases changed")
	}
}
