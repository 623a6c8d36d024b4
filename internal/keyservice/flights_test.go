package keyservice_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/sealsql/sealsql/internal/keyservice"
)

// counted is an owner of flights whose results are numbers. Every share and
// every result that is handed out has to come back.
type counted struct {
	mu                     sync.Mutex
	flights                *keyservice.Flights[string, int, int]
	calls, landed          int
	results, shares, given int
	answer                 chan int
	fail                   error
	canceled               int
}

func newCounted() *counted {
	c := &counted{answer: make(chan int)}
	c.flights = keyservice.NewFlights(&c.mu, keyservice.Hooks[string, int, int]{
		Land:   func(string, int, error) { c.landed++ },
		Done:   func(int) { c.results-- },
		Return: func(int) { c.shares-- },
	})
	return c
}

func (c *counted) ask(ctx context.Context) (int, error) {
	c.mu.Lock()
	c.calls++
	c.mu.Unlock()
	select {
	case n := <-c.answer:
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.fail == nil {
			c.results++
		}
		return n, c.fail
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		c.canceled++
		return 0, ctx.Err()
	}
}

func (c *counted) get(ctx context.Context) (int, bool, error) {
	c.mu.Lock()
	w := c.flights.Join(ctx, "key", c.ask, func(n int, _ bool) int {
		c.shares++
		c.given++
		return n + c.given
	})
	c.mu.Unlock()
	return w.Wait(ctx)
}

func TestManyCallersShareOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounted()
		got := map[int]bool{}
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				n, answered, err := c.get(t.Context())
				if !answered || err != nil {
					t.Error(answered, err)
				}
				c.mu.Lock()
				got[n] = true
				c.mu.Unlock()
			})
		}
		synctest.Wait()
		c.answer <- 100
		wg.Wait()
		if c.calls != 1 || c.landed != 1 || c.results != 0 || c.shares != 64 || len(got) != 64 {
			t.Errorf("%d calls, %d landed, %d results left, %d shares, %d of them distinct", c.calls, c.landed, c.results, c.shares, len(got))
		}
	})
}

func TestTheCallOutlivesItsFirstCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounted()
		first, cancel := context.WithCancel(t.Context())
		go func() {
			if _, answered, err := c.get(first); answered || !errors.Is(err, context.Canceled) {
				t.Error("the first caller:", answered, err)
			}
		}()
		synctest.Wait()
		go func() {
			if _, answered, err := c.get(t.Context()); !answered || err != nil {
				t.Error("the second caller:", answered, err)
			}
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		c.answer <- 1
		synctest.Wait()
		if c.calls != 1 || c.canceled != 0 || c.results != 0 || c.shares != 1 {
			t.Errorf("%d calls, %d canceled, %d results left, %d shares", c.calls, c.canceled, c.results, c.shares)
		}
	})
}

func TestTheLastCallerThatGivesUpEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounted()
		ctx, cancel := context.WithCancel(t.Context())
		for range 3 {
			go func() { _, _, _ = c.get(ctx) }()
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		if c.calls != 1 || c.canceled != 1 || c.landed != 0 {
			t.Errorf("%d calls, %d canceled, %d landed", c.calls, c.canceled, c.landed)
		}
		go func() { c.answer <- 1 }()
		if _, answered, err := c.get(t.Context()); !answered || err != nil || c.calls != 2 {
			t.Errorf("the next caller: %v, %v, %d calls", answered, err, c.calls)
		}
	})
}

func TestAnErrorReachesEveryCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounted()
		c.fail = errors.New("denied")
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, answered, err := c.get(t.Context()); !answered || !errors.Is(err, c.fail) {
					t.Error(answered, err)
				}
			})
		}
		synctest.Wait()
		c.answer <- 0
		wg.Wait()
		if c.landed != 1 || c.shares != 0 || c.results != 0 {
			t.Errorf("%d landed, %d shares, %d results left", c.landed, c.shares, c.results)
		}
	})
}

func TestAbortAnswersEveryCallerAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounted()
		closed := errors.New("closed")
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, answered, err := c.get(t.Context()); !answered || !errors.Is(err, closed) {
				t.Error(answered, err)
			}
		})
		synctest.Wait()
		c.mu.Lock()
		c.flights.Abort(closed)
		c.mu.Unlock()
		wg.Wait()
		synctest.Wait()
		if c.canceled != 1 || c.landed != 0 {
			t.Errorf("%d canceled, %d landed", c.canceled, c.landed)
		}
	})
}

func TestACallWithoutCallersLands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounted()
		c.mu.Lock()
		if !c.flights.Start(t.Context(), "key", c.ask) || c.flights.Start(t.Context(), "key", c.ask) {
			t.Error("one of two calls has to start")
		}
		c.mu.Unlock()
		c.answer <- 1
		synctest.Wait()
		if c.calls != 1 || c.landed != 1 || c.results != 0 {
			t.Errorf("%d calls, %d landed, %d results left", c.calls, c.landed, c.results)
		}
	})
}

// TestManyThatGiveUp looks for a share that is lost between an answer and a
// caller that gives up.
func TestManyThatGiveUp(t *testing.T) {
	c := newCounted()
	stop := make(chan struct{})
	var answers, callers sync.WaitGroup
	answers.Go(func() {
		for {
			select {
			case c.answer <- 1:
			case <-stop:
				return
			}
		}
	})
	for range 64 {
		callers.Go(func() {
			for i := range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				if i%2 == 0 {
					go cancel()
				}
				if _, answered, err := c.get(ctx); answered && err == nil {
					c.mu.Lock()
					c.shares--
					c.mu.Unlock()
				}
				cancel()
			}
		})
	}
	callers.Wait()
	close(stop)
	answers.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shares != 0 {
		t.Errorf("%d shares were lost", c.shares)
	}
}
