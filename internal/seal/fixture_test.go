package seal_test

import (
	"context"
	"encoding/base64"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/internal/keyrings"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/server/postgres"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

// accounts has a column for each way in which the policy has values stored and
// mismatches dealt with. Its row key is the tenant and the account.
const accounts = `version: 1
keyrings:
  pii: {kms: {keys: [ARN]}}
  shop:
    kms: {keys: [ARN]}
    data_key: {per: branch, store: "file:STORE", ttl: 15m, branch_key: shop}
    format: compact
tables:
  accounts:
    row_key: [tenant, account]
    columns:
      ssn: {keyring: pii, type: string}
      note: {keyring: pii, type: string, storage: base64}
      small: {keyring: shop, type: string}
      photo: {keyring: shop, type: bytes}
      script: {keyring: pii, type: string, legacy: kms_blob}
      clear: {keyring: pii, type: string, plaintext_reads: allow}
      nulled: {keyring: pii, type: string, on_mismatch: null}
      shown: {keyring: pii, type: string, on_mismatch: alert_only}
      region_bound: {keyring: pii, type: string, context: {tenant: tenant, account: account, region: region, use: {value: crm}}}
      unstored: {keyring: pii, type: string, on_mismatch: alert_only, context: {tenant: tenant, account: {from: account, stored: false}}}
`

// ssn is the plaintext of every test here. No error and no event may show it.
const ssn = "900-12-3456"

// fixture is a policy at work over a fake KMS.
type fixture struct {
	t      *testing.T
	kms    *sealtest.KMS
	arn    string
	policy *policy.Policy
	keys   *keyrings.Set
	*observed
}

// observed is a funnel, and the events that it raised.
type observed struct {
	funnel *seal.Funnel
	alerts *alert.Dispatcher

	mu     sync.Mutex
	events []alert.Event
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, kms: sealtest.NewKMS()}
	t.Cleanup(f.kms.Close)
	f.arn = f.kms.CreateKey("us-east-1")
	text := strings.NewReplacer("ARN", f.arn, "STORE", filepath.Join(t.TempDir(), "keys.json")).Replace(accounts)
	var err error
	if f.policy, err = policy.Parse("policy.yaml", []byte(text)); err != nil {
		t.Fatal(err)
	}
	config := f.kms.AWSConfig("us-east-1")
	f.keys = keyrings.New(keyrings.Config{AWS: &config, Counters: alert.NewCounters(), OnCall: func(alert.KMSCall, time.Duration) {}, OnMissing: func(context.Context, keyrings.Missing) {}})
	t.Cleanup(f.keys.Close)
	branch, err := f.keys.BranchKeys(f.policy, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := branch.Create(t.Context(), "shop", nil); err != nil {
		t.Fatal(err)
	}
	f.observed = f.observe()
	return f
}

// observe returns a funnel whose events are collected apart.
func (f *fixture) observe() *observed {
	f.t.Helper()
	o := &observed{}
	o.alerts = alert.NewDispatcher([]alert.Named{{Name: "code", Sink: alert.SinkFunc(func(_ context.Context, e alert.Event) error {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.events = append(o.events, e)
		return nil
	})}})
	o.alerts.Start(func() alert.Snapshot { return alert.Snapshot{} })
	var err error
	if o.funnel, err = seal.New(f.policy, f.keys, o.alerts, alert.NewCounters()); err != nil {
		f.t.Fatal(err)
	}
	return o
}

// raised ends the dispatcher and returns what was raised.
func (o *observed) raised() []alert.Event {
	o.alerts.Close(time.Minute)
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.events
}

func (o *observed) column(name string) *seal.Column { return o.funnel.Tables[0].Find(name) }

// row binds the column to the row of a tenant and an account; a source that is not
// given is not known.
func row(t *testing.T, c *seal.Column, sources map[string]any) seal.Row {
	t.Helper()
	r := seal.MakeRow(len(c.Table.Sources))
	err := c.Bind(r, textShape(c), values(), true, func(i int) (seal.Source, error) {
		v, ok := sources[c.Table.Sources[i]]
		if !ok {
			return seal.Source{}, nil
		}
		return seal.Source{Value: v, From: seal.Given}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func values() server.Values { return postgres.Server{}.Values(server.Session{}, nil, nil) }

// textShape says that every source is a text.
func textShape(c *seal.Column) *seal.Shape {
	s := &seal.Shape{Sources: make([]server.Column, len(c.Table.Sources))}
	for i, name := range c.Table.Sources {
		s.Sources[i] = server.Column{RelationColumn: sqlplan.RelationColumn{Name: name, Type: "text", Full: "text"}, Key: server.KeyText}
	}
	return s
}

// sealed seals the plaintext for the row.
func (f *fixture) sealed(column string, sources map[string]any) any {
	f.t.Helper()
	c := f.column(column)
	stored, err := f.funnel.Seal(f.t.Context(), seal.Value{Column: c, Plaintext: []byte(ssn), Row: row(f.t, c, sources)})
	if err != nil {
		f.t.Fatal(err)
	}
	return stored
}

// blob is what a script that calls KMS by itself would store.
func (f *fixture) blob(ec map[string]string) []byte {
	f.t.Helper()
	out, err := f.kms.Client("us-east-1").Encrypt(f.t.Context(), &kms.EncryptInput{KeyId: aws.String(f.arn), Plaintext: []byte(ssn), EncryptionContext: ec})
	if err != nil {
		f.t.Fatal(err)
	}
	return out.CiphertextBlob
}

func in64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

var (
	ours   = map[string]any{"tenant": "t1", "account": "a1", "region": "eu"}
	theirs = map[string]any{"tenant": "t1", "account": "a2", "region": "eu"}
)
