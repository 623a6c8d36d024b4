package awskms

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/sealsql/sealsql/codec"
)

// Client is what a [Shield] needs of a KMS client; [kms.Client] has it.
type Client interface {
	GenerateDataKey(context.Context, *kms.GenerateDataKeyInput, ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error)
	GenerateDataKeyWithoutPlaintext(context.Context, *kms.GenerateDataKeyWithoutPlaintextInput, ...func(*kms.Options)) (*kms.GenerateDataKeyWithoutPlaintextOutput, error)
	Encrypt(context.Context, *kms.EncryptInput, ...func(*kms.Options)) (*kms.EncryptOutput, error)
	Decrypt(context.Context, *kms.DecryptInput, ...func(*kms.Options)) (*kms.DecryptOutput, error)
	ReEncrypt(context.Context, *kms.ReEncryptInput, ...func(*kms.Options)) (*kms.ReEncryptOutput, error)
}

var _ Client = (*kms.Client)(nil)

// Call describes one call of KMS, for metrics. Each attempt is a call.
type Call struct {
	Region, Operation string
	// Outcome is "ok", "denied", "throttled", "invalid_ciphertext", "canceled",
	// "unusable" (the key: disabled, deleted, pending deletion) or
	// "unavailable" (the Region: no answer, or an internal error).
	Outcome string
	// Duration is the call's own; Waited what came before it: the rate limit
	// and the bound on calls in flight.
	Duration, Waited time.Duration
	// Attempt counts from 1; it is 0 for a probe of a Region that is held back.
	Attempt int
	KeyARN  string
}

// request is one thing asked of KMS in a Region, tried until it is answered.
type request[T any] struct {
	key       ARN
	operation string
	run       func(context.Context, Client) (T, error)
	// discard zeroes an answer that nobody waits for any more; it may be nil.
	discard func(T)
	// secret, if set, is what run reads: it is zeroed when nobody does any more.
	secret *lease
	// probe asks the same of KMS with nothing secret in it; nil means that run
	// holds nothing secret.
	probe func(context.Context, Client) error
	// alternative says that the caller can do without this Region, so that it
	// need not wait for one that is slow; slow is how long that is.
	alternative bool
	slow        time.Duration
}

// probing is the request as a probe repeats it.
func (q request[T]) probing() func(context.Context, Client) error {
	if q.probe != nil {
		return q.probe
	}
	run, discard := q.run, q.discard
	return func(ctx context.Context, c Client) error {
		out, err := run(ctx, c)
		if err == nil && discard != nil {
			discard(out)
		}
		return err
	}
}

// send carries out a request: it waits for the Region's turn, tries, and tries
// again after throttling and passing failures, all within the caller's deadline.
func send[T any](ctx context.Context, s *Shield, q request[T]) (T, error) {
	var none T
	r := s.region(q.key.Region)
	r.canProbe(q.key, q.operation, q.probing())
	for attempt := 1; ; attempt++ {
		out, outcome, timedOut, err := try(ctx, s, r, q, attempt)
		if err == nil {
			return out, nil
		}
		if !again(outcome, timedOut, q.alternative, attempt, s.config.MaxAttempts) {
			return none, err
		}
		pause := jitter(attempt)
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause {
			return none, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return none, gaveUp(ctx, q.operation, q.key)
		}
	}
}

// again says whether to try once more. A Region that took its time to give no
// answer is not asked a third time, nor a second time by who can do without it.
func again(outcome string, timedOut, alternative bool, attempt, most int) bool {
	switch {
	case outcome == "throttled":
		return !alternative && attempt < most
	case outcome != "unavailable":
		return false
	case timedOut:
		return !alternative && attempt < 2
	case alternative:
		return attempt < 2
	}
	return attempt < most
}

// try makes one call.
func try[T any](ctx context.Context, s *Shield, r *region, q request[T], attempt int) (out T, outcome string, timedOut bool, err error) {
	arrived := time.Now()
	avoid, err := r.enter(ctx, q.key, q.operation, q.alternative)
	if err != nil {
		return out, "", false, err
	}
	defer r.leave()
	began := time.Now()
	within, cancel := context.WithTimeout(ctx, s.config.AttemptTimeout)
	defer cancel()
	var strike *time.Timer
	if q.alternative {
		strike = time.AfterFunc(r.breaker.patience(q.slow), func() { r.strike(began) })
		defer strike.Stop()
	}
	out, left, err := answer(within, r.client, q, avoid)
	outcome, kind := classify(q.operation, err)
	switch {
	case left == leftCaller || err != nil && ctx.Err() != nil:
		outcome = "canceled"
	case left != stayed:
		outcome, kind, timedOut = "unavailable", codec.ErrKeyUnavailable, true
	}
	took := time.Since(began)
	if s.config.OnCall != nil {
		s.config.OnCall(Call{q.key.Region, q.operation, outcome, took, began.Sub(arrived), attempt, q.key.String()})
	}
	r.done(outcome, left == leftAvoided)
	switch {
	case outcome == "ok":
		return out, outcome, false, nil
	case outcome == "canceled":
		return out, outcome, false, gaveUp(ctx, q.operation, q.key)
	case left != stayed:
		return out, outcome, timedOut, failed(kind, q.operation, q.key, "KMS in this Region does not answer", nil)
	}
	return out, outcome, timedOut || errors.Is(err, context.DeadlineExceeded), failed(kind, q.operation, q.key, "", shorn(err))
}

// lease is a secret of a request: a call may outlive the caller that made it.
type lease struct {
	b    []byte
	refs atomic.Int32
}

func (l *lease) hold() {
	if l != nil {
		l.refs.Add(1)
	}
}

func (l *lease) release() {
	if l != nil && l.refs.Add(-1) == 0 {
		clear(l.b)
	}
}

// leaving is why a call was given up before its answer.
type leaving uint8

const (
	stayed      leaving = iota
	leftCaller          // the caller's context ended
	leftTimeout         // the attempt's time is up
	leftAvoided         // the Region became one to avoid
)

// answer runs the call in a goroutine of its own, so that the caller's deadline
// is kept whatever the client does, and zeroes an answer that comes too late.
func answer[T any](ctx context.Context, c Client, q request[T], avoid <-chan struct{}) (out T, left leaving, err error) {
	type reply struct {
		out T
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	ch := make(chan reply, 1)
	q.secret.hold()
	go func() {
		defer q.secret.release()
		out, err := q.run(ctx, c)
		ch <- reply{out, err} // it has room: nobody need wait
	}()
	select {
	case r := <-ch:
		cancel()
		if r.err != nil && ctx.Err() != nil && errors.Is(r.err, context.DeadlineExceeded) {
			return out, leftTimeout, r.err
		}
		return r.out, stayed, r.err
	case <-avoid:
		left = leftAvoided
	case <-ctx.Done():
		if left = leftCaller; errors.Is(ctx.Err(), context.DeadlineExceeded) {
			left = leftTimeout
		}
	}
	cancel()
	go func() {
		if r := <-ch; r.err == nil && q.discard != nil {
			q.discard(r.out)
		}
	}()
	return out, left, context.Cause(ctx)
}

func gaveUp(ctx context.Context, operation string, key ARN) error {
	return failed(codec.ErrKeyUnavailable, operation, key, "the caller's deadline passed or the caller gave up", ctx.Err())
}

func failed(kind error, operation string, key ARN, what string, cause error) error {
	return &codec.Error{Kind: kind, Op: operation, What: what, Region: key.Region, KeyARN: key.String(), Cause: cause}
}

// classify says what an error of an operation of KMS means.
func classify(operation string, err error) (outcome string, kind error) {
	var api smithy.APIError
	switch {
	case err == nil:
		return "ok", nil
	case !errors.As(err, &api):
		return "unavailable", codec.ErrKeyUnavailable // network, timeout, no credentials
	}
	switch api.ErrorCode() {
	case "AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException", "InvalidGrantTokenException":
		return "denied", codec.ErrKeyDenied
	case "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "LimitExceededException":
		return "throttled", codec.ErrKeyThrottled
	case "InvalidCiphertextException", "IncorrectKeyException", "InvalidCiphertext":
		return "invalid_ciphertext", codec.ErrUnwrap
	case "ValidationException":
		// The request itself is at fault: a context that is too long, and for
		// what was stored a ciphertext that KMS never made.
		if operation == "Decrypt" || operation == "ReEncrypt" {
			return "invalid_ciphertext", codec.ErrUnwrap
		}
		return "unusable", codec.ErrInvalidContext
	case "DisabledException", "KMSInvalidStateException", "NotFoundException", "KeyUnavailableException", "InvalidKeyUsageException":
		return "unusable", codec.ErrKeyUnavailable // this key; the Region answers
	}
	var invalid *types.InvalidCiphertextException
	if errors.As(err, &invalid) {
		return "invalid_ciphertext", codec.ErrUnwrap
	}
	var status interface{ HTTPStatusCode() int }
	if errors.As(err, &status) && status.HTTPStatusCode() < 500 {
		return "unusable", codec.ErrKeyUnavailable
	}
	return "unavailable", codec.ErrKeyUnavailable
}
