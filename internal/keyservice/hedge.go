package keyservice

import (
	"context"
	"time"
)

// Hedge asks up to n places for the same result, one after the other: the next
// one when a place has failed, or has not answered for patience. It returns the first
// result. ask is told which place to ask and whether another one follows; its calls
// run at the same time. discard frees results that come too late. Hedge gives up
// early when final says that no other place can do better, or when ctx ends; it then
// returns every error so far.
func Hedge[T any](ctx context.Context, n int, patience time.Duration, ask func(ctx context.Context, i int, more bool) (T, error),
	discard func(T), final func(error) bool) (result T, errs []error) {
	type reply struct {
		result T
		err    error
	}
	within, cancel := context.WithCancel(ctx)
	replies, asked, pending := make(chan reply, n), 0, 0
	defer func() {
		cancel()
		go func() {
			for range pending {
				if r := <-replies; r.err == nil {
					discard(r.result)
				}
			}
		}()
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	next := func() {
		i := asked
		asked, pending = asked+1, pending+1
		go func() {
			result, err := ask(within, i, i < n-1)
			replies <- reply{result, err}
		}()
		timer.Reset(patience)
	}
	for {
		if pending == 0 {
			if asked == n {
				return result, errs
			}
			next()
		}
		select {
		case r := <-replies:
			pending--
			if r.err == nil {
				return r.result, nil
			}
			errs = append(errs, r.err)
			if ctx.Err() != nil || final(r.err) {
				return result, errs
			}
		case <-timer.C:
			if asked < n {
				next()
			}
		}
	}
}
