package keyservice

import (
	"context"
	"time"

	"github.com/sealsql/sealsql/codec"
)

// Outcome says how a call ended. The breaker and the limiter act on it.
type Outcome string

const (
	// OK: the service did what it was asked.
	OK Outcome = "ok"
	// Denied: the process may not use the key.
	Denied Outcome = "denied"
	// Unproven: the service does not know who asks: the process's credentials have
	// expired or are unknown, or its clock is wrong.
	Unproven Outcome = "unproven"
	// Throttled: too many calls were sent.
	Throttled Outcome = "throttled"
	// InvalidCiphertext: the wrapped key is not one of the key's.
	InvalidCiphertext Outcome = "invalid_ciphertext"
	// Canceled: the caller gave up.
	Canceled Outcome = "canceled"
	// Unusable: the key cannot be used. The endpoint answers.
	Unusable Outcome = "unusable"
	// Unavailable: the endpoint did not answer, or failed.
	Unavailable Outcome = "unavailable"
)

// Call describes one call of the service, for metrics. Each attempt is a call.
type Call struct {
	Endpoint, Operation string
	// Key names the wrapping key.
	Key     string
	Outcome Outcome
	// Duration is the call's own. Waited is the time before it: for the rate
	// limit and for the bound on calls in flight.
	Duration, Waited time.Duration
	// Attempt counts from 1; it is 0 for a probe.
	Attempt int
}

// target says what a request asks for, in errors and metrics.
type target struct{ endpoint, key, operation string }

func (t target) failed(kind error, what string, cause error) error {
	return &codec.Error{Kind: kind, Op: t.operation, What: what, Region: t.endpoint, KeyARN: t.key, Cause: cause}
}

func (t target) gaveUp(ctx context.Context) error {
	return t.failed(codec.ErrKeyUnavailable, "the caller's deadline passed or the caller gave up", ctx.Err())
}
