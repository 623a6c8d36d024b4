package keyservice

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// Defaults of [Config].
const (
	DefaultAttemptTimeout = 2 * time.Second
	DefaultMaxAttempts    = 4
	DefaultMaxInFlight    = 128
	DefaultSlowRead       = 300 * time.Millisecond
	DefaultSlowWrite      = time.Second
	DefaultProbeEvery     = time.Second
)

// Config describes a [Service]; C is the provider's client. Name, Client and
// Classify are required.
type Config[C any] struct {
	// Name is how errors call an endpoint, such as "KMS in this Region".
	Name string
	// Client returns the client of an endpoint. It is called once for each.
	Client func(endpoint string) C
	// Classify says what an error of an operation means, nil included: its
	// outcome and the sentinel of package codec.
	Classify func(operation string, err error) (Outcome, error)
	// Trim returns an error without the request and the answer that it refers
	// to; nil keeps errors as they are.
	Trim func(error) error
	// Renew has an endpoint's client ask for its credentials anew, after a call that
	// ended as Unproven; nil has it called again as it is.
	Renew func(client C)
	// AttemptTimeout bounds one call; zero means two seconds. The caller's
	// deadline bounds all of them.
	AttemptTimeout time.Duration
	// MaxAttempts is how often a request is tried while the service throttles or
	// fails; zero means 4. Pauses between attempts are of random length, up to 400 ms.
	MaxAttempts int
	// CallsPerSecond bounds the calls to each endpoint. Zero means no limit until
	// the service throttles: then the rate is cut, and raised again step by step.
	CallsPerSecond float64
	// MaxInFlight bounds the calls to each endpoint that wait for an answer; zero
	// means 128. Further calls wait for their turn.
	MaxInFlight int
	// SlowRead and SlowWrite are how long a call with an alternative stays
	// unanswered before it counts against the endpoint; zero means 300 ms and one
	// second.
	SlowRead, SlowWrite time.Duration
	// ProbeEvery is the longest pause between two probes of an endpoint that is
	// held back; zero means one second.
	ProbeEvery time.Duration
	// OnCall is told of each call, OnProbe of each probe, OnBreaker of each
	// endpoint that is held back from now on or used again. Each may be nil and must
	// return at once.
	OnCall, OnProbe func(Call)
	OnBreaker       func(endpoint string, heldBack bool)
}

// Service is a key service with all its endpoints. It is safe for concurrent use.
type Service[C any] struct {
	config Config[C]
	life   context.Context
	end    context.CancelFunc

	mu        sync.Mutex
	endpoints map[string]*endpoint[C]
}

// New checks the configuration and returns a service. Nothing is called.
func New[C any](c Config[C]) (*Service[C], error) {
	if c.CallsPerSecond < 0 || c.MaxInFlight < 0 || c.MaxAttempts < 0 {
		return nil, errors.New("a limit is negative")
	}
	c.AttemptTimeout = or(c.AttemptTimeout, DefaultAttemptTimeout)
	c.MaxAttempts = or(c.MaxAttempts, DefaultMaxAttempts)
	c.MaxInFlight = or(c.MaxInFlight, DefaultMaxInFlight)
	c.SlowRead = or(c.SlowRead, DefaultSlowRead)
	c.SlowWrite = or(c.SlowWrite, DefaultSlowWrite)
	c.ProbeEvery = or(c.ProbeEvery, DefaultProbeEvery)
	s := &Service[C]{config: c, endpoints: map[string]*endpoint[C]{}}
	s.life, s.end = context.WithCancel(context.Background())
	return s, nil
}

func or[T int | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// Config returns the configuration with its defaults filled in.
func (s *Service[C]) Config() Config[C] { return s.config }

// Close ends the probes. Calls go on working.
func (s *Service[C]) Close() { s.end() }

// Down reports whether calls to the endpoint are held back because they failed.
func (s *Service[C]) Down(name string) bool { return s.endpoint(name).breaker.now() != closed }

// Stats describes an endpoint.
type Stats struct {
	Endpoint string
	// HeldBack is true while calls go on without the endpoint.
	HeldBack bool
	// InFlight is the number of calls that wait for an answer.
	InFlight int
	// CallsPerSecond is the rate limit in force; zero is none.
	CallsPerSecond float64
}

// Stats describes the endpoints that were used, in the order of their names.
func (s *Service[C]) Stats() []Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Stats
	for name, e := range s.endpoints {
		out = append(out, Stats{name, e.breaker.now() != closed, len(e.places), e.limiter.now()})
	}
	slices.SortFunc(out, func(a, b Stats) int { return strings.Compare(a.Endpoint, b.Endpoint) })
	return out
}

func (s *Service[C]) endpoint(name string) *endpoint[C] {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.endpoints[name]
	if e == nil {
		e = &endpoint[C]{service: s, name: name, client: s.config.Client(name), breaker: newBreaker(),
			limiter: newLimiter(s.config.CallsPerSecond), places: make(chan struct{}, s.config.MaxInFlight)}
		s.endpoints[name] = e
	}
	return e
}
