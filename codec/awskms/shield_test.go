package awskms_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/sealtest"
)

func newShield(t testing.TB, c awskms.ShieldConfig) *awskms.Shield {
	t.Helper()
	s, err := awskms.NewShield(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func shielded(t testing.TB, s *awskms.Shield, c awskms.Config) *codec.Codec {
	t.Helper()
	c.Shield, c.Region = s, east
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

// TestOneCallForOneWrappedKey however many ask for it, and whoever of them
// gives up.
func TestOneCallForOneWrappedKey(t *testing.T) {
	k := fake(t)
	s := newShield(t, awskms.ShieldConfig{Client: awskms.Clients(k.AWSConfig(east)), AttemptTimeout: time.Minute})
	arn := k.CreateKey(east)
	// Two keyrings of a process share the call.
	a, b := shielded(t, s, awskms.Config{Keys: []string{arn}}), shielded(t, s, awskms.Config{Keys: []string{arn}})
	m := seal(t, a)
	k.ResetCalls()
	k.SetFault(east, sealtest.Fault{Hang: true})
	leader, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var gaveUp error
	wg.Go(func() { _, gaveUp = a.Decrypt(leader, nil, m, ec) })
	if err := k.WaitInFlight(t.Context(), east, 1); err != nil {
		t.Fatal(err)
	}
	for i := range 63 {
		wg.Go(func() {
			if got, err := []*codec.Codec{a, b}[i%2].Decrypt(t.Context(), nil, m, ec); err != nil || string(got) != "123-45-6789" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	for s.Shared() < 63 {
		runtime.Gosched() // until all of them wait
	}
	cancel()
	wg.Go(func() { k.Heal() })
	wg.Wait()
	if gaveUp != nil && !errors.Is(gaveUp, context.Canceled) {
		t.Error(gaveUp)
	}
	if n := k.Count(sealtest.CallKind{Operation: "Decrypt"}); n != 1 {
		t.Errorf("%d calls of KMS for one wrapped key", n)
	}
}

// TestAHangingRegionIsLeft: readers go to the other Region without waiting
// their attempts out, the Region counts as slow, and a probe brings it back.
func TestAHangingRegionIsLeft(t *testing.T) {
	k := fake(t)
	back := make(chan bool, 10)
	var held atomic.Int32
	s := newShield(t, awskms.ShieldConfig{Client: awskms.Clients(k.AWSConfig(east)), AttemptTimeout: time.Hour,
		SlowRead: 200 * time.Millisecond, SlowWrite: 10 * time.Second, ProbeEvery: 20 * time.Millisecond,
		OnBreaker: func(region string, down bool) {
			if region == east && down {
				held.Add(1)
			} else if region == east {
				back <- true
			}
		}})
	c := shielded(t, s, awskms.Config{Keys: []string{k.CreateKey(east), k.CreateKey(west)}, Degrade: true})
	var messages []*codec.Message
	for range 16 {
		messages = append(messages, seal(t, c))
	}
	k.SetFault(east, sealtest.Fault{Hang: true})
	var wg sync.WaitGroup
	for _, m := range messages {
		for range 4 {
			wg.Go(func() {
				if _, err := c.Decrypt(t.Context(), nil, m, ec); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	// Writes go on without the Region: were they to wait, it would be for an hour.
	for range 8 {
		if n := len(seal(t, c).WrappedKeys()); n != 1 && n != 2 {
			t.Errorf("%d wrapped keys", n)
		}
	}
	if !s.Down(east) || held.Load() != 1 {
		t.Errorf("the Region is not held back; told %d times", held.Load())
	}
	k.Heal()
	<-back
	if s.Down(east) {
		t.Error("the Region is still held back")
	}
	if n := len(seal(t, c).WrappedKeys()); n != 2 {
		t.Errorf("%d wrapped keys after the Region came back", n)
	}
}

// TestPassingFailuresAreRetried, each attempt counted.
func TestPassingFailuresAreRetried(t *testing.T) {
	for _, f := range []sealtest.Fault{{Error: "ThrottlingException", Times: 2}, {Status: 503, Times: 2}, {Reset: true, Times: 2}} {
		k := fake(t)
		var attempts []int
		s := newShield(t, awskms.ShieldConfig{Client: awskms.Clients(k.AWSConfig(east)), OnCall: func(c awskms.Call) { attempts = append(attempts, c.Attempt) }})
		c := shielded(t, s, awskms.Config{Keys: []string{k.CreateKey(east)}})
		k.SetFault(east, f)
		seal(t, c)
		if len(attempts) != 3 || attempts[2] != 3 || k.Count(sealtest.CallKind{}) != 3 {
			t.Errorf("%+v: attempts %v, %d calls", f, attempts, k.Count(sealtest.CallKind{}))
		}
	}
}

// TestADisabledKeyIsNotADownRegion: the other keys of the Region go on.
func TestADisabledKeyIsNotADownRegion(t *testing.T) {
	k := fake(t)
	s := newShield(t, awskms.ShieldConfig{Client: awskms.Clients(k.AWSConfig(east))})
	bad, good := k.CreateKey(east), k.CreateKey(east)
	a, b := shielded(t, s, awskms.Config{Keys: []string{bad}}), shielded(t, s, awskms.Config{Keys: []string{good}})
	k.DisableKey(bad)
	for range 10 {
		if _, err := a.Encrypt(t.Context(), nil, nil, ec); !errors.Is(err, codec.ErrKeyUnavailable) {
			t.Fatal(err)
		}
	}
	if s.Down(east) {
		t.Error("the Region is held back for one key")
	}
	seal(t, b)
}

func TestCallsInFlightAreBounded(t *testing.T) {
	k := fake(t)
	s := newShield(t, awskms.ShieldConfig{Client: awskms.Clients(k.AWSConfig(east)), MaxInFlight: 4, AttemptTimeout: time.Minute})
	c := shielded(t, s, awskms.Config{Keys: []string{k.CreateKey(east)}})
	k.SetFault(east, sealtest.Fault{Hang: true})
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() { seal(t, c) })
	}
	if err := k.WaitInFlight(t.Context(), east, 4); err != nil {
		t.Fatal(err)
	}
	k.Heal()
	wg.Wait()
	if n := k.PeakInFlight(east); n != 4 {
		t.Errorf("%d calls were in flight", n)
	}
}

// deaf is a client that does not listen to its context.
type deaf struct {
	awskms.Client
	asked  chan struct{}
	answer chan *kms.GenerateDataKeyOutput
}

func (d deaf) GenerateDataKey(context.Context, *kms.GenerateDataKeyInput, ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error) {
	close(d.asked)
	return <-d.answer, nil
}

// TestADeafClient: the caller's deadline is kept all the same, and a data key
// that comes too late is zeroed.
func TestADeafClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deaf{asked: make(chan struct{}), answer: make(chan *kms.GenerateDataKeyOutput)}
		s := newShield(t, awskms.ShieldConfig{Client: func(string) awskms.Client { return d }, AttemptTimeout: time.Minute})
		c := shielded(t, s, awskms.Config{Keys: []string{"arn:aws:kms:us-east-1:111122223333:key/1"}})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-d.asked
			cancel()
		}()
		if _, err := c.Encrypt(ctx, nil, nil, ec); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		key := []byte("0123456789abcdef0123456789abcdef")
		d.answer <- &kms.GenerateDataKeyOutput{Plaintext: key}
		synctest.Wait()
		if !zeroed(key) {
			t.Error("a late data key was not zeroed")
		}
	})
}

func zeroed(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// BenchmarkDeadlineWhileKMSHangs reports by how much callers overrun their
// deadline of 20 ms, at most and on average, in milliseconds.
func BenchmarkDeadlineWhileKMSHangs(b *testing.B) {
	k := sealtest.NewKMS()
	defer k.Close()
	s := newShield(b, awskms.ShieldConfig{Client: awskms.Clients(k.AWSConfig(east)), AttemptTimeout: time.Minute})
	c := shielded(b, s, awskms.Config{Keys: []string{k.CreateKey(east)}})
	msg, err := c.Encrypt(b.Context(), nil, nil, ec)
	if err != nil {
		b.Fatal(err)
	}
	m, err := codec.Parse(msg)
	if err != nil {
		b.Fatal(err)
	}
	k.SetFault(east, sealtest.Fault{Hang: true})
	var worst, sum time.Duration
	n := 0
	for b.Loop() {
		for _, f := range []func(context.Context) error{
			func(ctx context.Context) error { _, err := c.Encrypt(ctx, nil, nil, ec); return err },
			func(ctx context.Context) error { _, err := c.Decrypt(ctx, nil, m, ec); return err },
		} {
			ctx, cancel := context.WithTimeout(b.Context(), 20*time.Millisecond)
			deadline, _ := ctx.Deadline()
			if err := f(ctx); !errors.Is(err, context.DeadlineExceeded) {
				b.Fatal(err)
			}
			over := time.Since(deadline)
			cancel()
			worst, sum, n = max(worst, over), sum+over, n+1
		}
	}
	b.ReportMetric(float64(worst.Microseconds())/1000, "ms-over-at-most")
	b.ReportMetric(float64(sum.Microseconds())/1000/float64(n), "ms-over-on-average")
}
