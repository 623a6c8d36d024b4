package keyservice

import (
	"context"
	"slices"
	"sync"
)

// Flights joins requests for the same result into one call: K identifies the
// result, R is the result, and S is the share of it that each caller gets.
// Callers keep their own deadlines. The call does not end with the caller that
// started it, but with the last caller that waits for it.
//
// The owner's mutex guards the flights: an owner that keeps results looks a
// result up and joins its flight in one step. Every hook runs with the mutex held.
type Flights[K comparable, R, S any] struct {
	mu      *sync.Mutex
	hooks   Hooks[K, R, S]
	flights map[K]*flight[R, S]
}

// Hooks tell [Flights] what to do with results. Only Land may be nil.
type Hooks[K comparable, R, S any] struct {
	// Land is called once for each call that ends while it is wanted, before the
	// callers get their shares. The owner may keep the result.
	Land func(key K, result R, err error)
	// Done ends the call's hold on a result: every caller has a share, or none
	// waits any more. It is called once for each result.
	Done func(R)
	// Return takes back the share of a caller that had given up.
	Return func(S)
}

// flight is a call under way.
type flight[R, S any] struct {
	cancel  context.CancelFunc
	waiters []*Waiter[R, S]
}

// Waiter is a caller's place in a flight.
type Waiter[R, S any] struct {
	take  func(result R, first bool) S
	ready chan answer[S] // has room for the one answer
	leave func()
}

// answer is what a waiter gets.
type answer[S any] struct {
	share S
	err   error
}

// NewFlights returns flights that mu, the owner's mutex, guards.
func NewFlights[K comparable, R, S any](mu *sync.Mutex, h Hooks[K, R, S]) *Flights[K, R, S] {
	return &Flights[K, R, S]{mu: mu, hooks: h, flights: map[K]*flight[R, S]{}}
}

// Start calls ask unless a call for key is under way, and reports whether it
// did. The call has the values of ctx, but neither its deadline nor its end.
// The owner holds the mutex.
func (f *Flights[K, R, S]) Start(ctx context.Context, key K, ask func(context.Context) (R, error)) bool {
	if f.Underway(key) {
		return false
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	fl := &flight[R, S]{cancel: cancel}
	f.flights[key] = fl
	go func() {
		defer cancel()
		result, err := ask(ctx)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.land(key, fl, result, err)
	}()
	return true
}

// Join waits for the call for key, which it starts if there is none. take makes
// the caller's share, and is told if the share is the result's first. Callers get
// their shares in the order in which they joined.
// The owner holds the mutex, and calls Wait without it.
func (f *Flights[K, R, S]) Join(ctx context.Context, key K, ask func(context.Context) (R, error), take func(result R, first bool) S) *Waiter[R, S] {
	f.Start(ctx, key, ask)
	fl := f.flights[key]
	w := &Waiter[R, S]{take: take, ready: make(chan answer[S], 1)}
	w.leave = func() { f.giveUp(key, fl, w) }
	fl.waiters = append(fl.waiters, w)
	return w
}

// Underway reports whether a call for key is under way. The owner holds the
// mutex.
func (f *Flights[K, R, S]) Underway(key K) bool { return f.flights[key] != nil }

// Wait returns the caller's share or the call's error. If ctx ends first,
// answered is false and err is the context's.
func (w *Waiter[R, S]) Wait(ctx context.Context) (share S, answered bool, err error) {
	select {
	case a := <-w.ready:
		return a.share, true, a.err
	case <-ctx.Done():
		w.leave()
		return share, false, ctx.Err()
	}
}

// Abort answers every caller with err and ends every call. The owner holds the
// mutex.
func (f *Flights[K, R, S]) Abort(err error) {
	for key, fl := range f.flights {
		delete(f.flights, key)
		fl.cancel()
		for _, w := range fl.waiters {
			w.ready <- answer[S]{err: err}
		}
	}
}

// land hands a result to those who wait.
func (f *Flights[K, R, S]) land(key K, fl *flight[R, S], result R, err error) {
	if err == nil {
		defer f.hooks.Done(result)
	}
	if f.flights[key] != fl {
		return // every caller left, or the flights were aborted
	}
	delete(f.flights, key)
	if f.hooks.Land != nil {
		f.hooks.Land(key, result, err)
	}
	for i, w := range fl.waiters {
		a := answer[S]{err: err}
		if err == nil {
			a.share = w.take(result, i == 0)
		}
		w.ready <- a
	}
}

// giveUp removes a caller from its flight. The last one ends the call, and the
// next caller starts another.
func (f *Flights[K, R, S]) giveUp(key K, fl *flight[R, S], w *Waiter[R, S]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case a := <-w.ready: // it was answered meanwhile
		if a.err == nil {
			f.hooks.Return(a.share)
		}
		return
	default:
	}
	fl.waiters = slices.DeleteFunc(fl.waiters, func(other *Waiter[R, S]) bool { return other == w })
	if len(fl.waiters) == 0 {
		fl.cancel()
		delete(f.flights, key)
	}
}
