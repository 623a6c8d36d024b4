package exec

import (
	"strconv"
	"testing"
	"time"
)

func TestARelationIsReadAgainOnceInASecond(t *testing.T) {
	var r rereads
	now := time.Now()
	for i, want := range []bool{true, false, false, true} {
		at := now.Add([]time.Duration{0, time.Millisecond, rereadAfter - 1, rereadAfter}[i])
		if got := r.due("people", at); got != want {
			t.Errorf("after %v: %v, want %v", at.Sub(now), got, want)
		}
	}
	if !r.due("accounts", now) {
		t.Error("another relation waits for the first")
	}
	for i := range 3 * mostRereads {
		r.due(strconv.Itoa(i), now)
	}
	if len(r.at) > mostRereads {
		t.Errorf("%d relations are remembered", len(r.at))
	}
}
