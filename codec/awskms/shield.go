package awskms

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/internal/keyservice"
)

// Defaults of [ShieldConfig].
const (
	DefaultAttemptTimeout = keyservice.DefaultAttemptTimeout
	DefaultMaxAttempts    = keyservice.DefaultMaxAttempts
	DefaultMaxInFlight    = keyservice.DefaultMaxInFlight
	DefaultSlowRead       = keyservice.DefaultSlowRead
	DefaultSlowWrite      = keyservice.DefaultSlowWrite
	DefaultProbeEvery     = keyservice.DefaultProbeEvery
)

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

// Call describes one call of KMS, for metrics. Each attempt is a call.
type Call struct {
	Region, Operation string
	// Outcome is "ok", "denied", "unproven" (credentials that are expired or unknown, or
	// a wrong clock), "throttled", "invalid_ciphertext", "canceled", "unusable" (the
	// key: disabled, deleted, pending deletion) or "unavailable" (the Region: no answer,
	// or an internal error).
	Outcome string
	// Duration is the call's own. Waited is the time before it: for the rate limit
	// and for the bound on calls in flight.
	Duration, Waited time.Duration
	// Attempt counts from 1; it is 0 for a probe of a Region that is held back.
	Attempt int
	KeyARN  string
}

// Shield stands between all keyrings of a process and KMS, so that neither
// brings the other down: one call in flight for each distinct wrapped key, a rate
// that gives way when KMS throttles, retries with random pauses, a circuit breaker and
// a bound on concurrency in each Region. It is safe for concurrent use.
type Shield struct {
	service *keyservice.Service[Client]

	mu      sync.Mutex
	flights *keyservice.Flights[flightKey, codec.DataKey, codec.DataKey]
	shared  atomic.Uint64
}

// NewShield checks the configuration and returns a shield. KMS is not called.
func NewShield(c ShieldConfig) (*Shield, error) {
	if c.Client == nil {
		return nil, errors.New("awskms: a shield needs Client")
	}
	service, err := keyservice.New(keyservice.Config[Client]{
		Name: "KMS in this Region", Client: c.Client, Classify: classify, Renew: renew, Trim: shorn,
		AttemptTimeout: c.AttemptTimeout, MaxAttempts: c.MaxAttempts, CallsPerSecond: c.CallsPerSecond, MaxInFlight: c.MaxInFlight,
		SlowRead: c.SlowRead, SlowWrite: c.SlowWrite, ProbeEvery: c.ProbeEvery,
		OnCall: told(c.OnCall), OnProbe: told(c.OnProbe), OnBreaker: c.OnBreaker,
	})
	if err != nil {
		return nil, fmt.Errorf("awskms: the shield's configuration: %w", err)
	}
	s := &Shield{service: service}
	s.flights = keyservice.NewFlights(&s.mu, keyservice.Hooks[flightKey, codec.DataKey, codec.DataKey]{
		Done: codec.DataKey.Zero, Return: codec.DataKey.Zero,
	})
	return s, nil
}

// told returns a hook that tells f of calls in KMS's words; nil for nil.
func told(f func(Call)) func(keyservice.Call) {
	if f == nil {
		return nil
	}
	return func(c keyservice.Call) {
		f(Call{c.Endpoint, c.Operation, string(c.Outcome), c.Duration, c.Waited, c.Attempt, c.Key})
	}
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
func (s *Shield) Close() { s.service.Close() }

// Down reports whether calls to the Region are held back because they failed.
func (s *Shield) Down(region string) bool { return s.service.Down(region) }

// RegionStats describes a Region.
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
	var out []RegionStats
	for _, e := range s.service.Stats() {
		out = append(out, RegionStats{e.Endpoint, e.HeldBack, e.InFlight, e.CallsPerSecond})
	}
	return out
}

// Shared is how many unwrappings were answered by the call of another caller.
func (s *Shield) Shared() uint64 { return s.shared.Load() }

// flightKey identifies a wrapped key: a digest of the wrapping key, the blob,
// the context and the grants.
type flightKey [sha256.Size]byte

func keyOf(key ARN, blob []byte, ec codec.Context, grants []string) (flightKey, error) {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 512), uint32(len(blob)))
	b = append(append(b, blob...), key.String()...)
	b = append(b, 0)
	for _, g := range grants {
		b = append(append(b, g...), 0)
	}
	b = append(b, 0)
	b, err := codec.AppendContext(b, ec)
	return sha256.Sum256(b), err
}

// unwrap unwraps a blob under a key. Callers that ask for the same at the same
// time share one call. Each of them gets a copy of the key, which it zeroes.
func (s *Shield) unwrap(ctx context.Context, key ARN, blob []byte, ec codec.Context, grants []string, alternative bool) (codec.DataKey, error) {
	const operation = "Decrypt"
	gaveUp := func(cause error) error {
		return failed(codec.ErrKeyUnavailable, operation, key, "the caller's deadline passed or the caller gave up", cause)
	}
	if err := ctx.Err(); err != nil {
		return codec.DataKey{}, gaveUp(err)
	}
	id, err := keyOf(key, blob, ec, grants)
	if err != nil {
		return codec.DataKey{}, err
	}
	ask := func(ctx context.Context) (codec.DataKey, error) {
		plaintext, err := s.decrypt(ctx, key, blob, ec, grants, alternative)
		return codec.NewDataKey(plaintext), err
	}
	s.mu.Lock()
	if s.flights.Underway(id) {
		s.shared.Add(1)
	}
	w := s.flights.Join(ctx, id, ask, func(plaintext codec.DataKey, _ bool) codec.DataKey { return plaintext.Clone() })
	s.mu.Unlock()
	plaintext, answered, err := w.Wait(ctx)
	if !answered {
		return codec.DataKey{}, gaveUp(err)
	}
	return plaintext, err
}
