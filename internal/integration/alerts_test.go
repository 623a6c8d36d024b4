package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/fakecloudwatch"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

// database is the name of the site's database.
func (s *site) database() (name string) {
	s.t.Helper()
	if err := s.bare.QueryRow(map[bool]string{true: "SELECT current_database()", false: "SELECT database()"}[s.postgres()]).Scan(&name); err != nil {
		s.t.Fatal(err)
	}
	return name
}

// withPolicy opens the site's database under another policy.
func (s *site) withPolicy(text string, opts ...driver.Option) *sql.DB {
	s.t.Helper()
	p, err := policy.Parse("test", []byte(text))
	if err != nil {
		s.t.Fatal(err)
	}
	bareName, dsn := s.server.DSN(s.proxy.Addr(), s.database())
	return open(s.t, bareName, dsn, append([]driver.Option{driver.WithPolicy(p)}, opts...)...)
}

// awsConfig is a configuration whose clients of KMS and CloudWatch call the
// fakes.
func awsConfig(t *testing.T, k *sealtest.KMS, w *fakecloudwatch.Server) aws.Config {
	t.Helper()
	to, err := url.Parse(k.URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	both := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == fakecloudwatch.Path {
			w.ServeHTTP(rw, r)
			return
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(both.Close)
	cfg := k.AWSConfig("us-east-1")
	cfg.BaseEndpoint = aws.String(both.URL)
	return cfg
}

func TestThePolicyAloneSendsEventsToCloudWatch(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		k, arn := kms()
		w := fakecloudwatch.New()
		t.Cleanup(w.Close)
		t.Setenv("SEALSQL_TEST_KEY", arn)
		db := s.withPolicy(policyText+"alerts:\n  - log\n  - otel\n  - cloudwatch: {namespace: shop, region: eu-west-1}\n", driver.WithAWSConfig(awsConfig(t, k, w)))
		s.exec2(db, "INSERT INTO accounts (account_number, ssn) VALUES (?, ?), (?, ?)", "cw-one", ssn1, "cw-two", ssn2)
		s.exec2(s.bare, "UPDATE accounts SET ssn = ? WHERE account_number = 'cw-one'", []byte("clear-text-of-cw"))
		ctx, span := emitted.tracer.Tracer("test").Start(t.Context(), "SELECT")
		if err := db.QueryRowContext(ctx, "SELECT account_number, ssn FROM accounts WHERE account_number = 'cw-one'").Scan(new(string), new(string)); !errors.Is(err, driver.ErrNotCiphertext) {
			t.Fatal(err)
		}
		span.End()
		st, err := driver.Stats(db)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(st.Sinks); n != 6 { // three of the run's own, and the policy's
			t.Errorf("%d sinks: %+v", n, st.Sinks)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if n := w.Sum("Events", "Kind=not_ciphertext,Table=accounts,Column=ssn"); n != 1 {
			t.Errorf("CloudWatch got %v events: %+v", n, w.Metrics())
		}
		if n := w.Sum("KMSCalls", "Region=us-east-1,Outcome=ok"); n < 2 {
			t.Errorf("CloudWatch got %v calls", n)
		}
		for _, m := range w.Metrics() {
			if m.Namespace != "shop" || m.Region != "eu-west-1" {
				t.Errorf("got %+v", m)
			}
		}
		_, _ = emitted.Write([]byte(withoutFloats(w.Sent())))
		marked := 0
		for _, sp := range emitted.spans.GetSpans() {
			if sp.SpanContext.TraceID() == span.SpanContext().TraceID() {
				marked += len(sp.Events)
			}
		}
		if marked != 2 { // the run's own sink, and the policy's
			t.Errorf("%d events on the span", marked)
		}
	})
}

func TestAnEventKnowsItsTrace(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.exec("INSERT INTO accounts (account_number, ssn) VALUES ('trace', ?)", ssn1)
		s.exec2(s.bare, "UPDATE accounts SET ssn = ? WHERE account_number = 'trace'", []byte("clear-text-of-trace"))
		ctx, span := emitted.tracer.Tracer("test").Start(t.Context(), "SELECT")
		defer span.End()
		if err := s.sealed.QueryRowContext(ctx, "SELECT ssn FROM accounts").Scan(new(string)); err == nil {
			t.Fatal("no error")
		}
		if err := s.sealed.Close(); err != nil {
			t.Fatal(err)
		}
		if len(s.events) != 1 || s.events[0].TraceID != span.SpanContext().TraceID().String() {
			t.Errorf("events %+v", s.events)
		}
	})
}

// mismatchPolicy has a column for each on_mismatch.
func mismatchPolicy() string {
	text := strings.Replace(policyText, "ssn: {keyring: pii, type: string}", "ssn: {keyring: pii, type: string, on_mismatch: null}", 1)
	return strings.Replace(text, "storage: base64}", "storage: base64, on_mismatch: alert_only}", 1)
}

func TestAMismatchIsReportedWhateverThePolicyMakesOfIt(t *testing.T) {
	const reads = 700 // more than are delivered one by one of any kind that is not urgent
	onBoth(t, func(t *testing.T, s *site) {
		k, arn := kms()
		t.Setenv("SEALSQL_TEST_KEY", arn)
		var got []alert.Event
		db := s.withPolicy(mismatchPolicy(), driver.WithAWSConfig(k.AWSConfig("us-east-1")), driver.WithAlertFunc(func(e alert.Event) { got = append(got, e) }))
		s.exec2(db, "INSERT INTO accounts (account_number, ssn, note, balance) VALUES (?, ?, 'note one', 1), (?, ?, 'note two', 2)", "row-one", ssn1, "row-two", ssn2)
		for _, c := range []string{"ssn", "note", "balance"} {
			s.exec2(s.bare, fmt.Sprintf("UPDATE accounts SET %s = (SELECT v FROM (SELECT %s AS v FROM accounts WHERE account_number = 'row-two') x) WHERE account_number = 'row-one'", c, c))
		}
		for range reads {
			var ssn, note sql.NullString
			if err := db.QueryRow("SELECT ssn, note FROM accounts WHERE account_number = 'row-one'").Scan(&ssn, &note); err != nil || ssn.Valid || note.String != "note two" {
				t.Fatalf("got %v, %v, %v", ssn, note, err)
			}
		}
		if err := db.QueryRow("SELECT balance FROM accounts WHERE account_number = 'row-one'").Scan(new(int)); !errors.Is(err, driver.ErrMismatch) {
			t.Errorf("got %v", err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		byColumn := map[string]uint64{}
		for _, e := range got {
			byColumn[e.Column] += e.Count()
			if e.Kind != alert.Mismatch || e.Suppressed > 0 || e.Handed != (e.Column == "note") || e.RowKeyDigest != alert.RowKeyDigest("accounts", "row-one") ||
				e.Found["account_number"] != alert.Digest("row-two") || e.Expected["account_number"] != alert.Digest("row-one") {
				t.Fatalf("event %+v", e)
			}
		}
		if byColumn["ssn"] != reads || byColumn["note"] != reads || byColumn["balance"] != 1 || len(byColumn) != 3 {
			t.Errorf("reported %v", byColumn)
		}
	})
}

// threeRegions is a policy with a key in each of three Regions.
func threeRegions(t *testing.T, k *sealtest.KMS, when string) string {
	t.Helper()
	keys := fmt.Sprintf("{keys: [%s, %s, %s], %s}", k.CreateKey("us-east-1"), k.CreateKey("eu-west-1"), k.CreateKey("ap-southeast-2"), when)
	return strings.Replace(policyText, `{keys: ["${SEALSQL_TEST_KEY}"]}`, keys, 1)
}

func TestARegionThatIsDown(t *testing.T) {
	cases := []struct {
		when    string
		down    []string
		want    error
		missing []string
	}{
		{"when_region_down: degrade", []string{"eu-west-1"}, nil, []string{"eu-west-1"}},
		{"when_region_down: degrade", []string{"us-east-1"}, nil, []string{"us-east-1"}}, // the one that makes data keys
		{"when_region_down: degrade", []string{"us-east-1", "eu-west-1"}, nil, []string{"us-east-1", "eu-west-1"}},
		{"when_region_down: degrade", []string{"us-east-1", "eu-west-1", "ap-southeast-2"}, driver.ErrKeyUnavailable, nil},
		{"when_region_down: degrade, min_wrappings: 2", []string{"eu-west-1"}, nil, []string{"eu-west-1"}},
		{"when_region_down: degrade, min_wrappings: 2", []string{"us-east-1", "eu-west-1"}, driver.ErrKeyUnavailable, nil},
		{"when_region_down: fail", []string{"ap-southeast-2"}, driver.ErrKeyUnavailable, nil},
		{"when_region_down: fail", nil, nil, nil},
	}
	onBoth(t, func(t *testing.T, s *site) {
		for i, c := range cases {
			k := sealtest.NewKMS()
			var events []alert.Event
			db := s.withPolicy(threeRegions(t, k, c.when), driver.WithAWSConfig(k.AWSConfig("us-east-1")), driver.WithAlertFunc(func(e alert.Event) { events = append(events, e) }))
			// The base driver may ask for a prepared statement at the first argument.
			warm := fmt.Sprintf("region-warm-%d", i)
			s.exec2(db, "INSERT INTO accounts (account_number, ssn) VALUES (?, ?)", warm, ssn1)
			for _, r := range c.down {
				k.SetFault(r, sealtest.Fault{Reset: true})
			}
			key := fmt.Sprintf("region-row-%d", i)
			emitted.secret(key)
			_, err := db.ExecContext(context.Background(), s.q("INSERT INTO accounts (account_number, ssn) VALUES (?, ?)"), key, ssn1)
			if !errors.Is(err, c.want) {
				t.Errorf("%s, down %v: %v", c.when, c.down, err)
			}
			st, statsErr := driver.Stats(db)
			if err := errors.Join(statsErr, db.Close()); err != nil {
				t.Fatal(err)
			}
			missing := 0
			for _, e := range events {
				if e.Kind != alert.WrappingMissing {
					continue
				}
				if missing++; e.Table != "accounts" || e.Column != "ssn" || e.RowKeyDigest != alert.RowKeyDigest("accounts", key) || e.Statement == "" || e.KeyARN == "" || st.WrappingsMissing[e.Region] != 1 {
					t.Errorf("%s, down %v: event %+v, counted %v", c.when, c.down, e, st.WrappingsMissing)
				}
			}
			if missing != len(c.missing) || len(st.WrappingsMissing) != len(c.missing) {
				t.Errorf("%s, down %v: %d missing wrappings reported, counted %v", c.when, c.down, missing, st.WrappingsMissing)
			}
			var n int
			if err := s.bare.QueryRow(s.q("SELECT count(*) FROM accounts WHERE account_number = ?"), key).Scan(&n); err != nil || (n == 1) != (c.want == nil) {
				t.Errorf("%s, down %v: %d rows, %v", c.when, c.down, n, err)
			}
			k.Close()
		}
		if len(cases) != 8 {
			t.Error("the number of cases changed")
		}
	})
}
