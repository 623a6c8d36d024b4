package barecrypto

import (
	"slices"
	"testing"
	"time"
)

// Side is one of the ways that are compared: Do carries out N operations.
type Side struct {
	N  int
	Do func() error
}

// Measure runs the sides in turn for as long as b asks for, and returns the
// median time of an operation of each, in nanoseconds: whatever else the machine
// does falls on all of them alike.
func Measure(b *testing.B, sides ...Side) []float64 {
	b.Helper()
	times := make([][]float64, len(sides))
	for b.Loop() {
		for i, s := range sides {
			began := time.Now()
			for range s.N {
				if err := s.Do(); err != nil {
					b.Fatal(err)
				}
			}
			times[i] = append(times[i], float64(time.Since(began))/float64(s.N))
		}
	}
	out := make([]float64, len(sides))
	for i, t := range times {
		slices.Sort(t)
		out[i] = t[len(t)/2]
	}
	return out
}
