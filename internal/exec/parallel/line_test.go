package parallel

import (
	"errors"
	"runtime"
	"testing"
)

// TestALineKeepsItsOrder puts pieces of which each third fails, and takes them behind a
// window of any length.
func TestALineKeepsItsOrder(t *testing.T) {
	odd := errors.New("a third")
	cases := 0
	for _, length := range []int{1, 2, 16} {
		for _, limit := range []int{0, 1, 8} {
			for window := 1; window <= 20; window += 6 {
				cases++
				l := NewLine[int](length, limit)
				next := 0
				take := func() {
					got, err := l.Take()
					if got != next || (next%3 == 0) != errors.Is(err, odd) {
						t.Errorf("length %d, limit %d, window %d: piece %d made %d, %v", length, limit, window, next, got, err)
					}
					next++
				}
				for i := range 200 {
					l.Put(func() (int, error) {
						if i%3 == 0 {
							return i, odd
						}
						runtime.Gosched()
						return i, nil
					})
					if l.Len() == window {
						take()
					}
				}
				for l.Len() > 0 {
					take()
				}
				l.Close()
				if next != 200 {
					t.Errorf("%d pieces were taken", next)
				}
			}
		}
	}
	if cases != 36 {
		t.Errorf("%d cases", cases)
	}
}

// TestAClosedLineLeavesNoGoroutine closes a line while pieces wait.
func TestAClosedLineLeavesNoGoroutine(t *testing.T) {
	l := NewLine[int](16, 8)
	ended := make(chan int, 16)
	for i := range 16 {
		l.Put(func() (int, error) { ended <- i; return i, nil })
	}
	l.Close()
	if len(ended) != 16 {
		t.Errorf("%d pieces were done", len(ended))
	}
}
