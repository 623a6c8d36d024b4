// Package parallel does several things at a time, and loses none.
package parallel

import (
	"context"
	"errors"
	"sync"
)

// Each calls f for 0 to n-1, at most limit at a time, and returns the error of the
// lowest i that failed, or the context's if it ended before all were called. One call
// runs in the caller's goroutine.
func Each(ctx context.Context, n, limit int, f func(ctx context.Context, i int) error) error {
	if n == 0 {
		return nil
	}
	if n == 1 {
		return f(ctx, 0)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		next  int
		first = n
		fail  error
	)
	work := func() {
		for {
			mu.Lock()
			if next == n || ctx.Err() != nil { // what is taken is done: next tells what was left out
				mu.Unlock()
				return
			}
			i := next
			next++
			mu.Unlock()
			if err := f(ctx, i); err != nil {
				mu.Lock()
				// What fails because another failed first says nothing.
				if i < first && (fail == nil || !errors.Is(err, context.Canceled)) {
					first, fail = i, err
				}
				mu.Unlock()
				cancel()
			}
		}
	}
	for range min(limit, n) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	if fail == nil && next < n {
		return ctx.Err()
	}
	return fail
}
