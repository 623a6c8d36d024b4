package overhead

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
)

// ratios are how much longer, or how many times more, one takes than another,
// round by round.
type ratios []float64

// quartile returns the value below which the share q of the rounds lies.
func (r ratios) quartile(q float64) float64 {
	s := slices.Clone(r)
	slices.Sort(s)
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

func (r ratios) String() string {
	return fmt.Sprintf("%.3f (%.3f to %.3f)", r.quartile(0.5), r.quartile(0.25), r.quartile(0.75))
}

// contender is one way to do the same.
type contender struct {
	name string
	do   func() error
}

// compare runs the contenders in turn, n times in each of the rounds, and returns
// each one's time over the first one's: by the clock, and of the processors. They run in
// another order in each round, and none pays for another one's garbage.
func compare(b *testing.B, rounds, n int, all []contender) (clock, used map[string]ratios) {
	b.Helper()
	clock, used = map[string]ratios{}, map[string]ratios{}
	for round := range rounds + 1 {
		took, spent := make([]time.Duration, len(all)), make([]time.Duration, len(all))
		for _, at := range rand.Perm(len(all)) {
			runtime.GC()
			start, before := time.Now(), cpu()
			for range n {
				if err := all[at].do(); err != nil {
					b.Fatalf("%s: %v", all[at].name, err)
				}
			}
			took[at], spent[at] = time.Since(start), cpu()-before
		}
		if round == 0 {
			continue // warms up
		}
		for i, c := range all {
			clock[c.name] = append(clock[c.name], float64(took[i])/float64(took[0]))
			used[c.name] = append(used[c.name], float64(spent[i])/float64(spent[0]))
		}
	}
	return clock, used
}

// cpu is the processor time that this process has used. Where others use the
// same machine, it tells more than the clock.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// allocations is how many objects one call allocates.
func allocations(b testing.TB, c contender) float64 {
	b.Helper()
	runtime.GC()
	return testing.AllocsPerRun(200, func() {
		if err := c.do(); err != nil {
			b.Fatalf("%s: %v", c.name, err)
		}
	})
}
