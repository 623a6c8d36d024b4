package awskms

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealsql/sealsql/codec"
)

// Defaults of [ShieldConfig].
const (
	DefaultAttemptTimeout = 2 * time.Second
	DefaultMaxAttempts    = 4
	DefaultMaxInFlight    = 128
	DefaultSlowRead       = 300 * time.Millisecond
	DefaultSlowWrite      = time.Second
	DefaultProbeEvery     = time.Second
)

// idleProbes is how long a Region that nobody asks for is probed.
const idleProbes = time.Minute

// ShieldConfig describes a [Shield]. Only Client is required.
type ShieldConfig struct {
	// Client returns the client of a Region; it is called once for each.
	Client func(region string) Client
	// AttemptTimeout bounds one call; zero means two seconds. The caller's
	// deadline bounds all of them.
	AttemptTimeout time.Duration
	// MaxAttempts is how often a call is tried when KMS throttles or fails in
	// passing; zero means 4. Pauses between them are of random length, up to 400 ms.
	MaxAttempts int
	// CallsPerSecond is the most that is sent to each Region; set it below the
	// account's quota. Zero means no limit until KMS throttles: then the rate is
	// cut, and raised again step by step.
	CallsPerSecond float64
	// MaxInFlight bounds the calls of each Region that wait for an answer; zero
	// means 128. Others wait for their turn.
	MaxInFlight int
	// SlowRead and SlowWrite are how long a call waits before another Region is
	// asked too (reads) and the Region counts as slow, if there is another one;
	// zero means 300 ms and one second. A write is given more time since it would
	// go without the Region's wrapping.
	SlowRead, SlowWrite time.Duration
	// ProbeEvery is the longest pause between two probes of a Region that is
	// held back; zero means one second.
	ProbeEvery time.Duration
	// OnCall, if set, is told of each call of KMS, OnProbe of those that probe a
	// Region, which no caller waits for; OnBreaker of each Region that is held back
	// from now on or used again. They must return at once.
	OnCall    func(Call)
	OnProbe   func(Call)
	OnBreaker func(region string, heldBack bool)
}

// Shield stands between all keyrings of a process and KMS, so that neither
// brings the other down: one call in flight for each distinct wrapped key, a rate
// that gives way when KMS throttles, retries with random pauses, a circuit breaker and
// a bound on concurrency in each Region. It is safe for concurrent use.
type Shield struct {
	config ShieldConfig
	life   context.Context
	end    context.CancelFunc

	mu      sync.Mutex
	regions map[string]*region
	flights map[flightKey]*flight
	shared  atomic.Uint64
}

// NewShield checks the configuration and returns a shield. KMS is not called.
func NewShield(c ShieldConfig) (*Shield, error) {
	if c.Client == nil {
		return nil, errors.New("awskms: a shield needs Client")
	}
	if c.CallsPerSecond < 0 || c.MaxInFlight < 0 || c.MaxAttempts < 0 {
		return nil, errors.New("awskms: a limit of the shield is negative")
	}
	c.AttemptTimeout = or(c.AttemptTimeout, DefaultAttemptTimeout)
	c.MaxAttempts = or(c.MaxAttempts, DefaultMaxAttempts)
	c.MaxInFlight = or(c.MaxInFlight, DefaultMaxInFlight)
	c.SlowRead = or(c.SlowRead, DefaultSlowRead)
	c.SlowWrite = or(c.SlowWrite, DefaultSlowWrite)
	c.ProbeEvery = or(c.ProbeEvery, DefaultProbeEvery)
	s := &Shield{config: c, regions: map[string]*region{}, flights: map[flightKey]*flight{}}
	s.life, s.end = context.WithCancel(context.Background())
	return s, nil
}

func or[T int | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// Clients returns a [ShieldConfig.Client] that makes the SDK's clients from cfg.
// The SDK's own retries are off, unless cfg sets a Retryer: the shield's keep to
// the caller's deadline and are counted.
func Clients(cfg aws.Config) func(region string) Client {
	return func(region string) Client {
		return kms.NewFromConfig(cfg, func(o *kms.Options) {
			o.Region = region
			if cfg.Retryer == nil {
				o.Retryer = aws.NopRetryer{}
			}
		})
	}
}

// Close ends the probes. Calls go on working.
func (s *Shield) Close() { s.end() }

// Down reports whether calls to the Region are held back because they failed.
func (s *Shield) Down(region string) bool { return s.region(region).breaker.now() != closed }

// RegionStats says how a Region does.
type RegionStats struct {
	Region string
	// HeldBack is true while calls go on without the Region.
	HeldBack bool
	// InFlight is the number of calls that wait for an answer.
	InFlight int
	// CallsPerSecond is the rate limit in force; zero is none.
	CallsPerSecond float64
}

// Regions lists the Regions that were used.
func (s *Shield) Regions() []RegionStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []RegionStats
	for name, r := range s.regions {
		out = append(out, RegionStats{name, r.breaker.now() != closed, len(r.places), r.limiter.now()})
	}
	slices.SortFunc(out, func(a, b RegionStats) int { return strings.Compare(a.Region, b.Region) })
	return out
}

// Shared is how many unwrappings were answered by a call that another had
// under way.
func (s *Shield) Shared() uint64 { return s.shared.Load() }

func (s *Shield) region(name string) *region {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.regions[name]
	if r == nil {
		r = &region{shield: s, name: name, client: s.config.Client(name), breaker: newBreaker(),
			limiter: newLimiter(s.config.CallsPerSecond), places: make(chan struct{}, s.config.MaxInFlight)}
		s.regions[name] = r
	}
	return r
}

// region is KMS in one Region.
type region struct {
	shield  *Shield
	name    string
	client  Client
	breaker *breaker
	limiter *limiter
	places  chan struct{} // one for each call in flight

	mu      sync.Mutex
	probe   probe
	probing bool
	wanted  time.Time // when a call was last refused
}

// probe is a call that shows whether a Region is back.
type probe struct {
	key       ARN
	operation string
	run       func(context.Context, Client) error
}

func (r *region) canProbe(key ARN, operation string, run func(context.Context, Client) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.probe = probe{key, operation, run}
}

// enter waits until a call may be made. The channel it returns is closed when
// the caller had better go elsewhere.
func (r *region) enter(ctx context.Context, key ARN, operation string, alternative bool) (<-chan struct{}, error) {
	refused := func() error {
		r.watch()
		return failed(codec.ErrKeyUnavailable, operation, key, "KMS in this Region failed before; it is used again once a probe is answered", nil)
	}
	if _, ok := r.breaker.allows(alternative); !ok {
		return nil, refused()
	}
	if !r.limiter.wait(ctx, alternative) {
		if ctx.Err() != nil {
			return nil, gaveUp(ctx, operation, key)
		}
		return nil, failed(codec.ErrKeyThrottled, operation, key, "KMS throttles in this Region, and the calls before this one use up what it takes", nil)
	}
	avoid, ok := r.breaker.allows(alternative)
	if !ok {
		return nil, refused()
	}
	select {
	case r.places <- struct{}{}:
		return avoid, nil
	default:
	}
	select {
	case r.places <- struct{}{}:
		return avoid, nil
	case <-avoid:
		return nil, refused()
	case <-ctx.Done():
		return nil, gaveUp(ctx, operation, key)
	}
}

func (r *region) leave() { <-r.places }

func (r *region) strike(began time.Time) {
	if r.breaker.strike(began) {
		r.heldBack()
	}
}

func (r *region) done(outcome string, avoided bool) {
	switch outcome {
	case "throttled":
		r.limiter.throttled(time.Now())
	case "ok":
		r.limiter.passed(time.Now())
	}
	if r.breaker.done(outcome, avoided) {
		r.heldBack()
	}
}

func (r *region) heldBack() {
	if f := r.shield.config.OnBreaker; f != nil {
		f(r.name, true)
	}
	r.watch()
}

// watch probes the Region in the background until it answers, or nobody has
// asked for it for a while.
func (r *region) watch() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wanted = time.Now()
	if r.probing || r.breaker.now() == closed {
		return
	}
	r.probing = true
	go r.probes()
}

func (r *region) probes() {
	every := r.shield.config.ProbeEvery
	for pause := every / 16; ; pause = min(2*pause, every) {
		select {
		case <-r.shield.life.Done():
		case <-time.After(pause):
		}
		r.mu.Lock()
		p := r.probe
		if r.shield.life.Err() != nil || time.Since(r.wanted) > idleProbes {
			r.probing = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		if !r.answers(p) {
			continue
		}
		r.mu.Lock()
		r.probing = false
		r.breaker.probed(true)
		r.mu.Unlock()
		if f := r.shield.config.OnBreaker; f != nil {
			f(r.name, false)
		}
		return
	}
}

// answers makes a probe. A Region that was slow must answer fast enough.
func (r *region) answers(p probe) bool {
	within := r.shield.config.AttemptTimeout
	if r.breaker.now() == slow {
		within = min(within, r.shield.config.SlowWrite)
	}
	ctx, cancel := context.WithTimeout(r.shield.life, within)
	defer cancel()
	began := time.Now()
	err := p.run(ctx, r.client)
	outcome, _ := classify(p.operation, err)
	if f := r.shield.config.OnProbe; f != nil {
		f(Call{r.name, p.operation, outcome, time.Since(began), 0, 0, p.key.String()})
	}
	return outcome != "unavailable"
}
