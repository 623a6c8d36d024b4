//go:build !race

package compact_test

import (
	"context"
	"testing"
)

// TestSealAndOpenAllocate at most a value and a plaintext each, and a key stream
// each for long ones. The race detector's pools drop what they are given.
func TestSealAndOpenAllocate(t *testing.T) {
	c := newCodec(t, ring{derive(t, branchKey, 1, here)})
	for n, most := range map[int]float64{11: 2, 128: 2, 1024: 4} {
		text := make([]byte, n)
		got := testing.AllocsPerRun(100, func() {
			v, err := c.Seal(context.Background(), nil, text, row)
			if err == nil {
				_, err = c.Open(context.Background(), nil, v, row)
			}
			if err != nil {
				t.Error(err)
			}
		})
		if got > most {
			t.Errorf("%d bytes: seal and open make %v allocations, want %v", n, got, most)
		}
	}
}
