package sealtest_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealsql/sealsql/sealtest"
)

func describe(ctx context.Context, client *kms.Client, arn string) error {
	_, err := client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &arn})
	return err
}

func TestLatencyDelaysOnlyItsRegion(t *testing.T) {
	k := newKMS(t)
	arns := k.CreateMultiRegionKey(virginia, ireland)
	const latency = 60 * time.Millisecond
	k.SetFault(virginia, sealtest.Fault{Latency: latency})
	start := time.Now()
	if err := describe(t.Context(), k.Client(virginia), arns[0]); err != nil {
		t.Fatal(err)
	}
	slow := time.Since(start)
	start = time.Now()
	if err := describe(t.Context(), k.Client(ireland), arns[1]); err != nil {
		t.Fatal(err)
	}
	if fast := time.Since(start); slow < latency || fast >= latency {
		t.Errorf("took %v with and %v without a latency of %v", slow, fast, latency)
	}
}

func TestThrottlingRefusesWhatIsAboveTheRate(t *testing.T) {
	k := newKMS(t)
	arn := k.CreateKey(virginia)
	client := k.Client(virginia, once)
	k.SetFault(virginia, sealtest.Fault{CallsPerSecond: 5})
	refused := 0
	for range 20 {
		if err := describe(t.Context(), client, arn); err != nil {
			wantCode(t, err, "ThrottlingException", 400)
			refused++
		}
	}
	if refused < 10 || refused > 15 {
		t.Errorf("%d of 20 calls at once were refused at 5 a second, want about 15", refused)
	}
	if n := k.Count(sealtest.CallKind{Region: virginia, Outcome: "ThrottlingException"}); n != refused {
		t.Errorf("counted %d throttled calls, want %d", n, refused)
	}
}

func TestAResetBreaksTheConnection(t *testing.T) {
	k := newKMS(t)
	arn := k.CreateKey(virginia)
	k.SetFault(virginia, sealtest.Fault{Reset: true})
	err := describe(t.Context(), k.Client(virginia, once), arn)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a connection reset", err)
	}
	k.SetFault(virginia, sealtest.Fault{})
	if err := describe(t.Context(), k.Client(virginia, once), arn); err != nil {
		t.Errorf("after the fault: %v", err)
	}
}

func TestTheSDKRetriesPastAFaultOfSomeCalls(t *testing.T) {
	for name, c := range map[string]struct {
		fault   sealtest.Fault
		outcome string
	}{
		"resets":          {sealtest.Fault{Reset: true, Times: 2}, sealtest.NoAnswer},
		"a page of HTML":  {sealtest.Fault{Status: 503, Times: 2}, "503"},
		"internal errors": {sealtest.Fault{Error: "KMSInternalException", Times: 2}, "KMSInternalException"},
		"throttling":      {sealtest.Fault{Error: "ThrottlingException", Times: 2}, "ThrottlingException"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKMS(t)
			arn := k.CreateKey(virginia)
			k.SetFault(virginia, c.fault)
			quick := func(o *kms.Options) { o.RetryMaxAttempts = 3; o.Retryer = quickRetry() }
			if err := describe(t.Context(), k.Client(virginia, quick), arn); err != nil {
				t.Fatal(err)
			}
			if n := k.Count(sealtest.CallKind{Outcome: c.outcome}); n != 2 {
				t.Errorf("counted %d calls of the outcome %s, want 2 of %v", n, c.outcome, k.Counts())
			}
		})
	}
}

func TestErrorFaultsCarryTheServicesStatus(t *testing.T) {
	k := newKMS(t)
	arn := k.CreateKey(virginia)
	for code, status := range map[string]int{
		"KMSInternalException": 500, "KeyUnavailableException": 500, "DependencyTimeoutException": 503,
		"ThrottlingException": 400, "AccessDeniedException": 400,
	} {
		k.SetFault(virginia, sealtest.Fault{Error: code})
		wantCode(t, describe(t.Context(), k.Client(virginia, once), arn), code, status)
	}
	k.SetFault("", sealtest.Fault{Error: "KMSInternalException"})
	var internal *types.KMSInternalException
	if err := describe(t.Context(), k.Client(virginia, once), arn); !errors.As(err, &internal) {
		t.Errorf("got %v, want the SDK's own type", err)
	}
	k.Heal()
	if err := describe(t.Context(), k.Client(virginia, once), arn); err != nil || k.Fault(virginia) != (sealtest.Fault{}) {
		t.Errorf("after Heal: %v, %+v", err, k.Fault(virginia))
	}
}

func TestAHangAnswersWhenItEnds(t *testing.T) {
	for name, change := range map[string]struct {
		set, release func(*sealtest.KMS)
	}{
		"when its Region heals": {
			func(k *sealtest.KMS) { k.SetFault(virginia, sealtest.Fault{Hang: true}) },
			func(k *sealtest.KMS) { k.SetFault(virginia, sealtest.Fault{}) },
		},
		"when all Regions heal": {
			func(k *sealtest.KMS) { k.SetFault("", sealtest.Fault{Hang: true}) },
			(*sealtest.KMS).Heal,
		},
		"when one Region of all heals": {
			func(k *sealtest.KMS) { k.SetFault("", sealtest.Fault{Hang: true}) },
			func(k *sealtest.KMS) { k.SetFault(virginia, sealtest.Fault{}) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKMS(t)
			arn := k.CreateKey(virginia)
			change.set(k)
			answered := make(chan error, 3)
			for range 3 {
				go func() { answered <- describe(t.Context(), k.Client(virginia, once), arn) }()
			}
			if err := k.WaitInFlight(t.Context(), virginia, 3); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-answered:
				t.Fatalf("a call came back while the Region hung: %v", err)
			default:
			}
			change.release(k)
			for range 3 {
				if err := <-answered; err != nil {
					t.Error(err)
				}
			}
			if k.InFlight(virginia) != 0 || k.PeakInFlight(virginia) != 3 {
				t.Errorf("%d calls in flight, %d at most; want 0 and 3", k.InFlight(virginia), k.PeakInFlight(virginia))
			}
		})
	}
}

func TestAHangEndsWithTheCallersContext(t *testing.T) {
	k := newKMS(t)
	arn := k.CreateKey(virginia)
	k.SetFault(virginia, sealtest.Fault{Hang: true, Times: 1})
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() { answered <- describe(ctx, k.Client(virginia, once), arn) }()
	if err := k.WaitInFlight(t.Context(), virginia, 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	if err := describe(t.Context(), k.Client(virginia, once), arn); err != nil {
		t.Errorf("the call after the one that hung: %v", err)
	}
}

func TestCloseBreaksCallsThatHangAndCanBeCalledAgain(t *testing.T) {
	k := newKMS(t)
	arn := k.CreateKey(virginia)
	k.SetFault(virginia, sealtest.Fault{Hang: true})
	k.SetFault(ireland, sealtest.Fault{Latency: time.Hour})
	answered := make(chan error, 16)
	for i := range 16 {
		go func() {
			region := []string{virginia, ireland}[i%2]
			answered <- describe(context.Background(), k.Client(region, once), arn)
		}()
	}
	for _, region := range []string{virginia, ireland} {
		if err := k.WaitInFlight(t.Context(), region, 8); err != nil {
			t.Fatal(err)
		}
	}
	var closers sync.WaitGroup
	for range 4 {
		closers.Go(k.Close)
	}
	closers.Wait()
	for range 16 {
		if err := <-answered; err == nil {
			t.Error("a call that hung got an answer from a closed KMS")
		}
	}
	if err := describe(t.Context(), k.Client(virginia, once), arn); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a closed KMS: got %v, want a refused connection", err)
	}
}

func TestWaitInFlightEndsWithItsContext(t *testing.T) {
	k := newKMS(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.WaitInFlight(ctx, virginia, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAMisspelledKeyInATestPanics(t *testing.T) {
	k := newKMS(t)
	defer func() {
		if recover() == nil {
			t.Error("DisableKey of a key that is not there did not panic")
		}
		k.CreateKey(virginia) // the lock was given back
	}()
	k.DisableKey("arn:aws:kms:us-east-1:111122223333:key/0")
}

func TestManyCallersKeysAndFaultsAtOnce(t *testing.T) {
	k := newKMS(t)
	regions := []string{virginia, ireland, tokyo}
	arns := k.CreateMultiRegionKey(regions...)
	doomed := k.CreateKey(virginia)
	const callers, rounds = 64, 12
	var opened, failed atomic.Int64
	stop := make(chan struct{})
	var meddler, group sync.WaitGroup
	meddler.Go(func() {
		faults := []sealtest.Fault{{Reset: true, Times: 3}, {Hang: true, Times: 2}, {CallsPerSecond: 500}, {Status: 502, Times: 1}, {Latency: time.Millisecond}}
		for i := 0; ; i++ {
			select {
			case <-stop:
				k.Heal()
				return
			default:
			}
			k.SetFault(regions[i%2], faults[i%len(faults)])
			k.DisableKey(doomed)
			k.RotateKey(arns[0])
			k.EnableKey(doomed)
			k.CreateAlias("alias/moving", doomed)
			k.Calls()
			k.Counts()
			if i%7 == 0 {
				k.Heal()
			}
		}
	})
	for caller := range callers {
		group.Go(func() {
			for round := range rounds {
				i := (caller + round) % len(regions)
				client := k.Client(regions[i])
				out, err := client.GenerateDataKeyWithoutPlaintext(t.Context(), &kms.GenerateDataKeyWithoutPlaintextInput{KeyId: &arns[i], KeySpec: types.DataKeySpecAes256})
				if err != nil {
					failed.Add(1)
					continue
				}
				j := (i + 1) % len(regions)
				if _, err := k.Client(regions[j]).Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: out.CiphertextBlob, KeyId: &arns[j]}); err != nil {
					failed.Add(1)
					continue
				}
				opened.Add(1)
			}
		})
	}
	group.Wait()
	close(stop)
	meddler.Wait()
	if opened.Load()+failed.Load() != callers*rounds || opened.Load() == 0 {
		t.Errorf("%d opened and %d failed of %d", opened.Load(), failed.Load(), callers*rounds)
	}
	ok := k.Count(sealtest.CallKind{Outcome: sealtest.OK})
	if int64(ok) < 2*opened.Load() {
		t.Errorf("counted %d good calls for %d round trips", ok, opened.Load())
	}
	for _, region := range regions {
		if n := k.InFlight(region); n != 0 {
			t.Errorf("%d calls of %s are still counted as in flight", n, region)
		}
	}
	fresh := dataKey(t, k.Client(virginia), arns[0], nil)
	got, err := k.Client(tokyo).Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: fresh.CiphertextBlob})
	if err != nil || !bytes.Equal(got.Plaintext, fresh.Plaintext) {
		t.Errorf("after all that: %v", err)
	}
}

// quickRetry is the SDK's retryer without its waits.
func quickRetry() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
	})
}
