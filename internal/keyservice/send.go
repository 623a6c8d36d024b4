package keyservice

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sealsql/sealsql/codec"
)

// Request is one thing asked of an endpoint, tried until it is answered.
type Request[C, T any] struct {
	// Endpoint is the place that is asked. Key and Operation are for errors and
	// metrics.
	Endpoint, Key, Operation string
	Run                      func(context.Context, C) (T, error)
	// Discard zeroes an answer that nobody waits for any more. It may be nil.
	Discard func(T)
	// Secret, if set, is read by Run. It is zeroed when no call reads it any more.
	Secret *Lease
	// Probe asks for the same operation without a secret; nil means that Run holds
	// none.
	Probe func(context.Context, C) error
	// Alternative says that the caller can do without this endpoint, and need not
	// wait for it when it is slow. Slow is how long that is.
	Alternative bool
	Slow        time.Duration
}

func (q Request[C, T]) target() target { return target{q.Endpoint, q.Key, q.Operation} }

// probe is the request as a probe repeats it.
func (q Request[C, T]) probe() probe[C] {
	p := probe[C]{q.target(), q.Probe}
	if p.run == nil {
		run, discard := q.Run, q.Discard // not the whole request: it may hold a secret
		p.run = func(ctx context.Context, c C) error {
			out, err := run(ctx, c)
			if err == nil && discard != nil {
				discard(out)
			}
			return err
		}
	}
	return p
}

// Send carries out a request: it waits for the endpoint's turn, tries, and tries
// again after throttling and passing failures, all within the caller's deadline.
func Send[C, T any](ctx context.Context, s *Service[C], q Request[C, T]) (T, error) {
	var none T
	e := s.endpoint(q.Endpoint)
	e.setProbe(q.probe())
	for attempt := 1; ; attempt++ {
		out, outcome, timedOut, err := try(ctx, e, q, attempt)
		if err == nil {
			return out, nil
		}
		if !again(outcome, timedOut, q.Alternative, attempt, s.config.MaxAttempts) {
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
			return none, q.target().gaveUp(ctx)
		}
	}
}

// again says whether to try once more. An endpoint that used up an attempt's
// time is not asked a third time; a caller with an alternative does not ask it again.
func again(outcome Outcome, timedOut, alternative bool, attempt, most int) bool {
	switch {
	case outcome == Throttled:
		return !alternative && attempt < most
	case outcome == Unproven:
		return attempt < 2
	case outcome != Unavailable:
		return false
	case timedOut:
		return !alternative && attempt < 2
	case alternative:
		return attempt < 2
	}
	return attempt < most
}

// try makes one call.
func try[C, T any](ctx context.Context, e *endpoint[C], q Request[C, T], attempt int) (out T, outcome Outcome, late bool, err error) {
	c := &e.service.config
	arrived := time.Now()
	avoid, err := e.enter(ctx, q.target(), q.Alternative)
	if err != nil {
		return out, "", false, err
	}
	defer e.leave()
	began := time.Now()
	within, cancel := context.WithTimeout(ctx, c.AttemptTimeout)
	defer cancel()
	if q.Alternative {
		strike := time.AfterFunc(e.breaker.patience(q.Slow), func() { e.strike(began) })
		defer strike.Stop()
	}
	out, left, err := answerOf(within, e.client, q, avoid)
	outcome, kind := c.Classify(q.Operation, err)
	switch {
	case left == leftCaller || err != nil && ctx.Err() != nil:
		outcome = Canceled
	case left != stayed:
		outcome, kind, late = Unavailable, codec.ErrKeyUnavailable, true
	}
	if c.OnCall != nil {
		c.OnCall(Call{q.Endpoint, q.Operation, q.Key, outcome, time.Since(began), began.Sub(arrived), attempt})
	}
	e.done(outcome, left == leftAvoided)
	if outcome == Unproven {
		e.renew(began)
	}
	switch {
	case outcome == OK:
		return out, outcome, false, nil
	case outcome == Canceled:
		return out, outcome, false, q.target().gaveUp(ctx)
	case left != stayed:
		return out, outcome, late, q.target().failed(kind, c.Name+" does not answer", nil)
	}
	late = late || errors.Is(err, context.DeadlineExceeded)
	if c.Trim != nil {
		err = c.Trim(err)
	}
	return out, outcome, late, q.target().failed(kind, "", err)
}

// Lease is a secret of a request. A call may outlive the caller that made it, so
// the bytes are zeroed when the last holder releases them. A nil Lease is no secret.
type Lease struct {
	b    []byte
	refs atomic.Int32
}

// NewLease returns a lease of b that the caller holds.
func NewLease(b []byte) *Lease {
	l := &Lease{b: b}
	l.hold()
	return l
}

// Bytes returns the secret, for a holder.
func (l *Lease) Bytes() []byte { return l.b }

func (l *Lease) hold() {
	if l != nil {
		l.refs.Add(1)
	}
}

// Release ends the caller's hold.
func (l *Lease) Release() {
	if l != nil && l.refs.Add(-1) == 0 {
		clear(l.b)
	}
}

// leaving is why a call was given up before its answer.
type leaving uint8

const (
	stayed      leaving = iota
	leftCaller          // the caller's context ended
	leftTimeout         // the attempt's time was up
	leftAvoided         // callers avoid the endpoint
)

// answerOf runs the call in a goroutine of its own, so that the caller's deadline
// holds whatever the client does. It zeroes an answer that comes too late.
func answerOf[C, T any](ctx context.Context, c C, q Request[C, T], avoid <-chan struct{}) (out T, left leaving, err error) {
	type reply struct {
		out T
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	ch := make(chan reply, 1)
	q.Secret.hold()
	go func() {
		defer q.Secret.Release()
		out, err := q.Run(ctx, c)
		ch <- reply{out, err} // has room: nobody need wait
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
		if r := <-ch; r.err == nil && q.Discard != nil {
			q.Discard(r.out)
		}
	}()
	return out, left, context.Cause(ctx)
}
