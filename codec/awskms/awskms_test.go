package awskms_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/sealtest"
)

const east, west = "us-east-1", "eu-west-1"

var ec = codec.Context{"account_number": "1234567890"}

func fake(t *testing.T) *sealtest.KMS {
	t.Helper()
	k := sealtest.NewKMS()
	t.Cleanup(k.Close)
	return k
}

func newCodec(t *testing.T, k *sealtest.KMS, c awskms.Config) *codec.Codec {
	t.Helper()
	if c.Client == nil {
		c.Client = awskms.Clients(k.AWSConfig(east))
	}
	if c.Region == "" {
		c.Region = east
	}
	ring, err := awskms.New(c)
	if err != nil {
		t.Fatal(err)
	}
	out, err := codec.New(codec.Config{Keyring: ring})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func seal(t *testing.T, c *codec.Codec) *codec.Message {
	t.Helper()
	msg, err := c.Encrypt(t.Context(), nil, []byte("123-45-6789"), ec)
	if err != nil {
		t.Fatal(err)
	}
	m, err := codec.Parse(msg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEveryRegionReadsWhatOneWrote(t *testing.T) {
	k := fake(t)
	e, w := k.CreateKey(east), k.CreateKey(west)
	both := []string{e, w}
	m := seal(t, newCodec(t, k, awskms.Config{Keys: both}))
	if n := len(m.WrappedKeys()); n != 2 {
		t.Fatalf("%d wrapped keys", n)
	}
	for _, region := range both {
		c := newCodec(t, k, awskms.Config{Keys: []string{region}, Region: strings.Split(region, ":")[3]})
		if got, err := c.Decrypt(t.Context(), nil, m, ec); err != nil || string(got) != "123-45-6789" {
			t.Errorf("%s: %v", region, err)
		}
	}
}

func TestAReplicaReadsAMultiRegionKey(t *testing.T) {
	k := fake(t)
	arns := k.CreateMultiRegionKey(east, west)
	m := seal(t, newCodec(t, k, awskms.Config{Keys: arns[:1]}))
	k.SetFault(east, sealtest.Fault{Reset: true})
	// The west's process has the same policy: its replica is used.
	c := newCodec(t, k, awskms.Config{Keys: arns[:1], Region: west})
	if _, err := c.Decrypt(t.Context(), nil, m, ec); err != nil {
		t.Error(err)
	}
	if _, err := awskms.New(awskms.Config{Keys: arns, Client: awskms.Clients(k.AWSConfig(east))}); err == nil {
		t.Error("related multi-Region keys were accepted in one keyring")
	}
}

func TestDegradedWrites(t *testing.T) {
	k := fake(t)
	keys := []string{k.CreateKey(east), k.CreateKey(west)}
	for _, down := range []string{east, west} {
		k.Heal()
		k.SetFault(down, sealtest.Fault{Reset: true})
		var missing []string
		degrade := awskms.Config{Keys: keys, Degrade: true, OnMissing: func(_ context.Context, a awskms.ARN, _ error) { missing = append(missing, a.Region) }}
		m := seal(t, newCodec(t, k, degrade))
		if len(m.WrappedKeys()) != 1 || len(missing) != 1 || missing[0] != down {
			t.Errorf("%s down: %d wrapped keys, missing %v", down, len(m.WrappedKeys()), missing)
		}
		if _, err := newCodec(t, k, degrade).Decrypt(t.Context(), nil, m, ec); err != nil {
			t.Errorf("%s down: %v", down, err)
		}
		for name, c := range map[string]awskms.Config{"fail": {Keys: keys}, "two wrappings at least": {Keys: keys, Degrade: true, MinWrappings: 2}} {
			if _, err := newCodec(t, k, c).Encrypt(t.Context(), nil, nil, ec); !errors.Is(err, codec.ErrKeyUnavailable) {
				t.Errorf("%s down, %s: %v", down, name, err)
			}
		}
	}
}

// TestFaultsAreToldApart: each way that KMS fails has its sentinel, and nothing
// secret is in the error.
func TestFaultsAreToldApart(t *testing.T) {
	cases := []struct {
		name  string
		fault func(k *sealtest.KMS, arn string)
		want  error
	}{
		{"denied", func(k *sealtest.KMS, arn string) { k.Deny(arn, "Decrypt") }, codec.ErrKeyDenied},
		{"disabled", func(k *sealtest.KMS, arn string) { k.DisableKey(arn) }, codec.ErrKeyUnavailable},
		{"to be deleted", func(k *sealtest.KMS, arn string) { k.ScheduleKeyDeletion(arn) }, codec.ErrKeyUnavailable},
		{"deleted", func(k *sealtest.KMS, arn string) { k.DeleteKey(arn) }, codec.ErrKeyUnavailable},
		{"throttled", func(k *sealtest.KMS, _ string) { k.SetFault(east, sealtest.Fault{CallsPerSecond: 1e-9}) }, codec.ErrKeyThrottled},
		{"gone", func(k *sealtest.KMS, _ string) { k.SetFault(east, sealtest.Fault{Reset: true}) }, codec.ErrKeyUnavailable},
	}
	for _, c := range cases {
		k := fake(t)
		arn := k.CreateKey(east)
		cd := newCodec(t, k, awskms.Config{Keys: []string{arn}})
		m := seal(t, cd)
		c.fault(k, arn)
		if c.name == "throttled" {
			_, _ = cd.Decrypt(t.Context(), nil, m, ec) // takes the one call that is let through
		}
		got, err := cd.Decrypt(t.Context(), nil, m, ec)
		if !errors.Is(err, c.want) || len(got) > 0 {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && strings.Contains(err.Error(), "1234567890") {
			t.Errorf("%s: the error holds a context value", c.name)
		}
	}
	if len(cases) != 6 {
		t.Error("the number of cases changed")
	}
	k := fake(t)
	m := seal(t, newCodec(t, k, awskms.Config{Keys: []string{k.CreateKey(east)}}))
	if _, err := newCodec(t, k, awskms.Config{Keys: []string{k.CreateKey(east)}}).Decrypt(t.Context(), nil, m, ec); !errors.Is(err, codec.ErrUnknownKey) {
		t.Errorf("another key: %v", err)
	}
}

// TestTheCallersDeadlineIsKept while KMS takes calls and never answers.
func TestTheCallersDeadlineIsKept(t *testing.T) {
	k := fake(t)
	c := newCodec(t, k, awskms.Config{Keys: []string{k.CreateKey(east)}, AttemptTimeout: time.Minute})
	k.SetFault(east, sealtest.Fault{Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var err error
	wg.Go(func() { _, err = c.Encrypt(ctx, nil, nil, ec) })
	if e := k.WaitInFlight(t.Context(), east, 1); e != nil {
		t.Fatal(e)
	}
	cancel()
	wg.Wait() // the attempt's own timeout is a minute away
	if !errors.Is(err, context.Canceled) || !errors.Is(err, codec.ErrKeyUnavailable) {
		t.Errorf("got %v", err)
	}
}

// TestADownRegionIsLeftAlone: after some failures, calls go on without the Region.
func TestADownRegionIsLeftAlone(t *testing.T) {
	k := fake(t)
	keys := []string{k.CreateKey(east), k.CreateKey(west)}
	calls := map[string]int{}
	var mu sync.Mutex
	c := newCodec(t, k, awskms.Config{Keys: keys, Degrade: true, OnCall: func(c awskms.Call) {
		mu.Lock()
		defer mu.Unlock()
		if c.Outcome == "unavailable" {
			calls[c.Region]++
		}
	}})
	k.SetFault(west, sealtest.Fault{Reset: true})
	for range 50 {
		if _, err := c.Encrypt(t.Context(), nil, nil, ec); err != nil {
			t.Fatal(err)
		}
	}
	if n := calls[west]; n < 3 || n > 20 {
		t.Errorf("%d calls went to the Region that is down, for 50 writes", n)
	}
}

func TestARNs(t *testing.T) {
	for _, bad := range []string{"", "x", "alias/x", "arn:aws:kms:us-east-1:111122223333:alias/x", "arn:aws:kms::111122223333:key/x",
		"arn:aws:s3:us-east-1:111122223333:key/x", "arn:aws:kms:us-east-1::key/x", "arn:aws:kms:us-east-1:111122223333:key/", "arn::kms:us-east-1:111122223333:key/x",
		"arn:aws:kms:evil.example/:111122223333:key/mrk-1", "arn:aws:kms:x@evil:111122223333:key/mrk-1", "arn:aws:kms:US EAST:111122223333:key/x"} {
		if _, err := awskms.ParseARN(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	mrk := awskms.ARN{Partition: "aws", Region: east, Account: "1", ID: "mrk-1"}
	replica, other, single := mrk, mrk, mrk
	replica.Region, other.Account, single.ID = west, "2", "1"
	elsewhere := single
	elsewhere.Region = west
	if !mrk.Matches(replica) || mrk.Matches(other) || single.Matches(elsewhere) || !single.Matches(single) {
		t.Error("multi-Region keys are matched wrongly")
	}
}

// TestReadKeysOnlyRead: what another key wrapped opens, and nothing is wrapped under it.
func TestReadKeysOnlyRead(t *testing.T) {
	k := fake(t)
	old, now := k.CreateKey(east), k.CreateKey(east)
	before := seal(t, newCodec(t, k, awskms.Config{Keys: []string{old}}))
	c := newCodec(t, k, awskms.Config{Keys: []string{now}, ReadKeys: []string{old}})
	if got, err := c.Decrypt(t.Context(), nil, before, ec); err != nil || string(got) != "123-45-6789" {
		t.Errorf("the old key's value: %v", err)
	}
	after := seal(t, c)
	if keys := after.WrappedKeys(); len(keys) != 1 || string(keys[0].ProviderInfo) != now {
		t.Errorf("a new value is wrapped under %d keys", len(keys))
	}
	if _, err := awskms.New(awskms.Config{Keys: []string{now}, ReadKeys: []string{now}, Client: awskms.Clients(k.AWSConfig(east))}); err == nil {
		t.Error("a key that stands in both lists was accepted")
	}
}
