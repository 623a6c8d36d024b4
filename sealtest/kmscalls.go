package sealtest

import (
	"context"
	"maps"
	"sync"
)

// Outcomes of a call that are not error codes of AWS.
const (
	// OK is a call that was answered without an error.
	OK = "OK"
	// NoAnswer is a call whose connection was reset, or whose caller left or
	// whose service closed before the answer.
	NoAnswer = "NoAnswer"
)

// CallKind says what a call was: by Region, operation ("Decrypt"), key (its
// ARN; as the request had it when there is no such key) and outcome ([OK],
// [NoAnswer], an error code such as "ThrottlingException", or a number for an
// HTTP status without one).
type CallKind struct {
	Region, Operation, Key, Outcome string
}

func (k CallKind) matches(call CallKind) bool {
	return (k.Region == "" || k.Region == call.Region) &&
		(k.Operation == "" || k.Operation == call.Operation) &&
		(k.Key == "" || k.Key == call.Key) &&
		(k.Outcome == "" || k.Outcome == call.Outcome)
}

// Call is one call that the KMS took.
type Call struct {
	CallKind
	// Context is the encryption context of the request; nil when it had none.
	// Of ReEncrypt it is the source's.
	Context map[string]string
	// DestinationContext is the second context of ReEncrypt.
	DestinationContext map[string]string
	// GrantTokens are those of the request.
	GrantTokens []string
}

type callLog struct {
	mu       sync.Mutex
	keep     int
	calls    []Call
	counts   map[CallKind]int
	inFlight map[string]int
	peak     map[string]int
	waiters  map[chan struct{}]struct{}
}

func (l *callLog) init(keep int) {
	l.keep = keep
	l.counts = make(map[CallKind]int)
	l.inFlight = make(map[string]int)
	l.peak = make(map[string]int)
	l.waiters = make(map[chan struct{}]struct{})
}

func (l *callLog) arrive(region string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight[region]++
	l.peak[region] = max(l.peak[region], l.inFlight[region])
	for waiter := range l.waiters {
		select {
		case waiter <- struct{}{}:
		default:
		}
	}
}

// done records the call. It runs before the answer leaves, so that a caller
// who has the answer finds the call counted.
func (l *callLog) done(call Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight[call.Region]--
	l.counts[call.CallKind]++
	if len(l.calls) < l.keep {
		l.calls = append(l.calls, call)
	}
}

// Count returns how many calls of that kind were answered or given up since
// the start or the last ResetCalls. An empty field of kind matches all:
// Count(CallKind{Operation: "Decrypt"}) is the Decrypt calls of all Regions,
// keys and outcomes. Retries by the SDK are calls of their own.
func (k *KMS) Count(kind CallKind) int {
	k.log.mu.Lock()
	defer k.log.mu.Unlock()
	total := 0
	for call, n := range k.log.counts {
		if kind.matches(call) {
			total += n
		}
	}
	return total
}

// Counts returns the counts by kind.
func (k *KMS) Counts() map[CallKind]int {
	k.log.mu.Lock()
	defer k.log.mu.Unlock()
	return maps.Clone(k.log.counts)
}

// Calls returns the calls since the start or the last ResetCalls, in the order
// in which they ended, up to the number that WithCallLog set: the first ones
// are kept. The caller must not change their maps.
func (k *KMS) Calls() []Call {
	k.log.mu.Lock()
	defer k.log.mu.Unlock()
	return append([]Call(nil), k.log.calls...)
}

// Contexts returns the encryption contexts of the calls that Calls returns,
// both of ReEncrypt, without the empty ones.
func (k *KMS) Contexts() []map[string]string {
	var contexts []map[string]string
	for _, call := range k.Calls() {
		for _, context := range []map[string]string{call.Context, call.DestinationContext} {
			if len(context) > 0 {
				contexts = append(contexts, context)
			}
		}
	}
	return contexts
}

// ResetCalls forgets the calls, the counts and the peaks.
func (k *KMS) ResetCalls() {
	k.log.mu.Lock()
	defer k.log.mu.Unlock()
	k.log.calls = nil
	clear(k.log.counts)
	clear(k.log.peak)
	for region, n := range k.log.inFlight {
		k.log.peak[region] = n
	}
}

// InFlight returns how many calls of the Region wait for their answer: those
// that hang among them.
func (k *KMS) InFlight(region string) int {
	k.log.mu.Lock()
	defer k.log.mu.Unlock()
	return k.log.inFlight[region]
}

// PeakInFlight returns the most calls of the Region that waited for their
// answers at once since the start or the last ResetCalls.
func (k *KMS) PeakInFlight(region string) int {
	k.log.mu.Lock()
	defer k.log.mu.Unlock()
	return k.log.peak[region]
}

// WaitInFlight waits until at least n calls of the Region wait for their
// answers, so that a test need not sleep until its calls hang. It returns
// ctx's error when ctx ends first.
func (k *KMS) WaitInFlight(ctx context.Context, region string, n int) error {
	arrived := make(chan struct{}, 1)
	k.log.mu.Lock()
	k.log.waiters[arrived] = struct{}{}
	k.log.mu.Unlock()
	defer func() {
		k.log.mu.Lock()
		delete(k.log.waiters, arrived)
		k.log.mu.Unlock()
	}()
	for k.InFlight(region) < n {
		select {
		case <-arrived:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
