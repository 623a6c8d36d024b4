package parallel

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

// TestNothingIsLeftOutInSilence: Each has called f for everything, or returns an error, also when
// its context ends at any moment. What it left out would count as NULL.
func TestNothingIsLeftOutInSilence(t *testing.T) {
	cases := 0
	for n := range 6 {
		for _, limit := range []int{1, 2, 64} {
			for ends := 0; ends <= n; ends++ { // before so many calls
				cases++
				ctx, cancel := context.WithCancel(t.Context())
				if ends == 0 {
					cancel()
				}
				var called atomic.Int64
				err := Each(ctx, n, limit, func(context.Context, int) error {
					if called.Add(1) == int64(ends) {
						cancel()
					}
					return nil
				})
				cancel()
				if err == nil && called.Load() != int64(n) {
					t.Errorf("%d of %d, %d at a time, were done and there is no error", called.Load(), n, limit)
				}
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
		}
	}
	if cases != 63 {
		t.Errorf("%d cases", cases)
	}
}
