package sealtest

import (
	"context"
	"sync"
	"time"
)

// Fault is what is wrong with a service in a Region. The zero value is a
// healthy one. Latency and throttling apply together with the others; of
// Hang, Reset, Status and Error the first that is set, in that order.
type Fault struct {
	// Latency is how long every answer takes longer.
	Latency time.Duration
	// CallsPerSecond, when above zero, is the rate above which calls fail
	// with ThrottlingException. A second's worth, and at least one call, may
	// come at once.
	CallsPerSecond float64
	// Hang takes calls and does not answer them until the fault changes (then
	// they are answered as the new fault says), the caller gives up, or the
	// service is closed.
	Hang bool
	// Reset breaks the connection without an answer, as a Region does that is
	// gone.
	Reset bool
	// Status, an HTTP status such as 503, answers with it and a page of HTML,
	// as a load balancer does whose service is gone.
	Status int
	// Error answers with an AWS error of that code and its HTTP status, for
	// instance "KMSInternalException", "DependencyTimeoutException" or
	// "ThrottlingException".
	Error string
	// Times, when above zero, is how many calls Hang, Reset, Status or Error
	// hit, after which they end; zero is all.
	Times int
}

// regionFault is a Fault at work: with the state that it needs.
type regionFault struct {
	Fault
	changed chan struct{} // closed when another fault takes its place
	tokens  float64
	filled  time.Time
}

type faults struct {
	mu       sync.Mutex
	byRegion map[string]*regionFault
	everyone *regionFault // of Regions that have no fault of their own
}

func (f *faults) init() {
	f.byRegion = make(map[string]*regionFault)
	f.everyone = &regionFault{changed: make(chan struct{})}
}

// set installs a fault for the region, or for all when region is "".
func (f *faults) set(region string, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := &regionFault{
		Fault: fault, changed: make(chan struct{}),
		tokens: max(1, fault.CallsPerSecond), filled: time.Now(),
	}
	if region != "" {
		if before := f.byRegion[region]; before != nil {
			close(before.changed)
		} else {
			// Calls that hang do so in the fault of all Regions: wake them
			// to look again.
			f.wakeEveryone()
		}
		f.byRegion[region] = next
		return
	}
	for name, before := range f.byRegion {
		close(before.changed)
		delete(f.byRegion, name)
	}
	close(f.everyone.changed)
	f.everyone = next
}

func (f *faults) wakeEveryone() {
	next := *f.everyone
	next.changed = make(chan struct{})
	close(f.everyone.changed)
	f.everyone = &next
}

func (f *faults) get(region string) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.of(region).Fault
}

func (f *faults) of(region string) *regionFault {
	if found := f.byRegion[region]; found != nil {
		return found
	}
	return f.everyone
}

// A verdict is what happens to one call.
type verdict struct {
	reset  bool
	gone   bool // the caller left or the service closed while the call waited
	status int
	code   string
}

// judge waits as long as the Region's fault demands and says what to do with
// the call then.
func (f *faults) judge(ctx context.Context, closing <-chan struct{}, region string) verdict {
	waited := false
	for {
		v, hang, latency, changed := f.next(region)
		if latency > 0 && !waited {
			waited = true
			timer := time.NewTimer(latency)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return verdict{gone: true}
			case <-closing:
				timer.Stop()
				return verdict{gone: true}
			}
		}
		if !hang {
			return v
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return verdict{gone: true}
		case <-closing:
			return verdict{gone: true}
		}
	}
}

func (f *faults) next(region string) (v verdict, hang bool, latency time.Duration, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.of(region)
	latency, changed = r.Latency, r.changed
	if r.CallsPerSecond > 0 && !r.take() {
		return verdict{code: "ThrottlingException"}, false, latency, changed
	}
	if !r.Hang && !r.Reset && r.Status == 0 && r.Error == "" {
		return verdict{}, false, latency, changed
	}
	hang, v = r.Hang, verdict{}
	if !hang {
		v = verdict{reset: r.Reset, status: r.Status, code: r.Error}
	}
	if r.Times > 0 {
		if r.Times--; r.Times == 0 {
			r.Hang, r.Reset, r.Status, r.Error = false, false, 0, ""
		}
	}
	return v, hang, latency, changed
}

func (r *regionFault) take() bool {
	now := time.Now()
	r.tokens = min(max(1, r.CallsPerSecond), r.tokens+now.Sub(r.filled).Seconds()*r.CallsPerSecond)
	r.filled = now
	if r.tokens < 1 {
		return false
	}
	r.tokens--
	return true
}

// SetFault puts the Region's KMS into a state of fault, in place of the one it
// was in; the zero Fault heals it. It takes effect for the next call and for
// those that hang. A region of "" means every Region, including those that
// have a fault of their own.
func (k *KMS) SetFault(region string, fault Fault) { k.faults.set(region, fault) }

// Fault returns the Region's state of fault.
func (k *KMS) Fault(region string) Fault { return k.faults.get(region) }

// Heal ends the faults of all Regions.
func (k *KMS) Heal() { k.faults.set("", Fault{}) }
