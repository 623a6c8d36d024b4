// Package fakecloudwatch is an HTTP server that takes Amazon CloudWatch's
// PutMetricData as the AWS SDK for Go sends it (Smithy RPC v2 CBOR), for tests.
package fakecloudwatch

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"github.com/aws/smithy-go/encoding/cbor"
)

// Path is that of a call of PutMetricData.
const Path = "/service/GraniteServiceVersion20100801/operation/PutMetricData"

// Metric is a datum that was sent.
type Metric struct {
	Namespace, Name, Unit string
	// Dimensions are "Name=Value", joined by commas, in the order sent.
	Dimensions string
	// Value is the value, or the sum of the values of a distribution.
	Value float64
	// Region is the one that the request was signed for.
	Region string
}

// Server is a fake CloudWatch. It is safe for concurrent use.
type Server struct {
	*httptest.Server

	mu      sync.Mutex
	metrics []Metric
	bodies  []string
	calls   int
	fail    int
}

// New starts a server. The caller closes it.
func New() *Server {
	s := &Server{}
	s.Server = httptest.NewServer(s)
	return s
}

// FailNext has the next n calls fail with status 400, which the SDK does not
// repeat.
func (s *Server) FailNext(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = n
}

// Metrics returns what was sent so far.
func (s *Server) Metrics() []Metric {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.metrics)
}

// Sum adds up a metric's values for dimensions.
func (s *Server) Sum(name, dimensions string) (sum float64) {
	for _, m := range s.Metrics() {
		if m.Name == name && m.Dimensions == dimensions {
			sum += m.Value
		}
	}
	return sum
}

// Calls is the number of calls that were answered with success.
func (s *Server) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Sent returns the bodies of all calls, one after the other, for searches.
func (s *Server) Sent() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.bodies, "\n")
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := content(r)
	w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	w.Header().Set("Content-Type", "application/cbor")
	if err != nil || r.URL.Path != Path || r.Header.Get("Smithy-Protocol") != "rpc-v2-cbor" {
		http.Error(w, "not PutMetricData in Smithy RPC v2 CBOR", http.StatusNotFound)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies = append(s.bodies, string(body))
	if s.fail > 0 {
		s.fail--
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(cbor.Encode(cbor.Map{"__type": cbor.String("com.amazonaws.cloudwatch#InvalidParameterValueException"), "message": cbor.String("no")}))
		return
	}
	metrics, err := read(body, region(r))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.calls++
	s.metrics = append(s.metrics, metrics...)
	_, _ = w.Write(cbor.Encode(cbor.Map{}))
}

// content is the body, which the SDK may compress.
func content(r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(r.Body)
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// region is the one in the credential scope of the signature.
func region(r *http.Request) string {
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	parts := strings.Split(scope, "/")
	if len(parts) < 3 {
		return ""
	}
	return parts[2]
}

// read holds a request to the service's limits.
func read(body []byte, region string) ([]Metric, error) {
	v, err := cbor.Decode(body)
	if err != nil {
		return nil, err
	}
	in, ok := v.(cbor.Map)
	if !ok {
		return nil, fmt.Errorf("the body is a %T", v)
	}
	data, _ := in["MetricData"].(cbor.List)
	if len(data) == 0 || len(data) > 1000 || len(body) > 1<<20 {
		return nil, fmt.Errorf("%d metrics in %d bytes", len(data), len(body))
	}
	var out []Metric
	for _, d := range data {
		m, err := readDatum(d.(cbor.Map))
		if err != nil {
			return nil, err
		}
		m.Namespace, m.Region = text(in["Namespace"]), region
		out = append(out, m)
	}
	return out, nil
}

func readDatum(d cbor.Map) (Metric, error) {
	m := Metric{Name: text(d["MetricName"]), Unit: text(d["Unit"])}
	var dims []string
	all, _ := d["Dimensions"].(cbor.List)
	for _, x := range all {
		dim := x.(cbor.Map)
		if text(dim["Name"]) == "" || text(dim["Value"]) == "" {
			return m, fmt.Errorf("%s has an empty dimension", m.Name)
		}
		dims = append(dims, text(dim["Name"])+"="+text(dim["Value"]))
	}
	m.Dimensions = strings.Join(dims, ",")
	if _, ok := d["Timestamp"]; !ok || m.Name == "" {
		return m, fmt.Errorf("a metric %q lacks its name or time", m.Name)
	}
	if v, ok := d["Value"]; ok {
		f, err := cbor.AsFloat64(v)
		m.Value = f
		return m, err
	}
	values, _ := d["Values"].(cbor.List)
	counts, _ := d["Counts"].(cbor.List)
	if len(values) == 0 || len(values) != len(counts) || len(values) > 150 {
		return m, fmt.Errorf("%s has %d values and %d counts", m.Name, len(values), len(counts))
	}
	for i := range values {
		v, err := cbor.AsFloat64(values[i])
		if err != nil {
			return m, err
		}
		n, err := cbor.AsFloat64(counts[i])
		if err != nil {
			return m, err
		}
		m.Value += v * n
	}
	return m, nil
}

func text(v cbor.Value) string {
	s, _ := v.(cbor.String)
	return string(s)
}
