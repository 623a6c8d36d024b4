package keyservice

import (
	"context"
	"sync"
	"time"

	"github.com/sealsql/sealsql/codec"
)

// idleProbes is how long an endpoint that nobody asks for is probed.
const idleProbes = time.Minute

// endpoint is the service at one place.
type endpoint[C any] struct {
	service *Service[C]
	name    string
	client  C
	breaker *breaker
	limiter *limiter
	places  chan struct{} // one for each call in flight

	mu      sync.Mutex
	probe   probe[C]
	probing bool
	wanted  time.Time // when a call was last rejected
	renewed time.Time // when the client was last told to renew its credentials
}

// probe is a call that shows whether an endpoint is back.
type probe[C any] struct {
	target
	run func(context.Context, C) error
}

func (e *endpoint[C]) setProbe(p probe[C]) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.probe = p
}

// enter waits until a call may be made. The channel that it returns is closed
// when callers with an alternative start to avoid the endpoint.
func (e *endpoint[C]) enter(ctx context.Context, t target, alternative bool) (<-chan struct{}, error) {
	name := e.service.config.Name
	heldBack := func() error {
		e.watch()
		return t.failed(codec.ErrKeyUnavailable, name+" failed before; it is used again once a probe is answered", nil)
	}
	if _, ok := e.breaker.allows(alternative); !ok {
		return nil, heldBack()
	}
	if !e.limiter.wait(ctx, alternative) {
		if ctx.Err() != nil {
			return nil, t.gaveUp(ctx)
		}
		return nil, t.failed(codec.ErrKeyThrottled, name+" throttles, and earlier calls use up its rate", nil)
	}
	avoid, ok := e.breaker.allows(alternative)
	if !ok {
		return nil, heldBack()
	}
	select {
	case e.places <- struct{}{}:
		return avoid, nil
	default:
	}
	select {
	case e.places <- struct{}{}:
		return avoid, nil
	case <-avoid:
		return nil, heldBack()
	case <-ctx.Done():
		return nil, t.gaveUp(ctx)
	}
}

func (e *endpoint[C]) leave() { <-e.places }

// strike notes that a call has been without an answer for too long.
func (e *endpoint[C]) strike(began time.Time) {
	if e.breaker.strike(began) {
		e.holdBack()
	}
}

// renew has the client ask for its credentials anew, unless it has done so since the call
// began: another call had the old ones, too.
func (e *endpoint[C]) renew(began time.Time) {
	f := e.service.config.Renew
	if f == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.renewed.After(began) {
		return
	}
	f(e.client)
	e.renewed = time.Now()
}

// done notes how a call ended.
func (e *endpoint[C]) done(outcome Outcome, avoided bool) {
	switch outcome {
	case Throttled:
		e.limiter.throttled(time.Now())
	case OK:
		e.limiter.passed(time.Now())
	}
	if e.breaker.done(outcome, avoided) {
		e.holdBack()
	}
}

func (e *endpoint[C]) holdBack() {
	if f := e.service.config.OnBreaker; f != nil {
		f(e.name, true)
	}
	e.watch()
}

// watch probes the endpoint in the background until the endpoint answers, or
// until nobody has asked for it for a while.
func (e *endpoint[C]) watch() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.wanted = time.Now()
	if e.probing || e.breaker.now() == closed {
		return
	}
	e.probing = true
	go e.probes()
}

func (e *endpoint[C]) probes() {
	every, life := e.service.config.ProbeEvery, e.service.life
	for pause := every / 16; ; pause = min(2*pause, every) {
		select {
		case <-life.Done():
		case <-time.After(pause):
		}
		e.mu.Lock()
		p := e.probe
		if life.Err() != nil || time.Since(e.wanted) > idleProbes {
			e.probing = false
			e.mu.Unlock()
			return
		}
		e.mu.Unlock()
		if !e.answers(p) {
			continue
		}
		e.mu.Lock()
		e.probing = false
		e.breaker.answeredProbe()
		e.mu.Unlock()
		if f := e.service.config.OnBreaker; f != nil {
			f(e.name, false)
		}
		return
	}
}

// answers makes a probe. An endpoint that was slow must answer fast enough.
func (e *endpoint[C]) answers(p probe[C]) bool {
	c := &e.service.config
	within := c.AttemptTimeout
	if e.breaker.now() == slow {
		within = min(within, c.SlowWrite)
	}
	ctx, cancel := context.WithTimeout(e.service.life, within)
	defer cancel()
	began := time.Now()
	err := p.run(ctx, e.client)
	outcome, _ := c.Classify(p.operation, err)
	if c.OnProbe != nil {
		c.OnProbe(Call{Endpoint: e.name, Operation: p.operation, Key: p.key, Outcome: outcome, Duration: time.Since(began)})
	}
	return outcome != Unavailable
}
