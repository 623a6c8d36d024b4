package plancache

import (
	"strconv"
	"testing"
	"time"
)

func TestARelationIsReadAgainOnceInASecond(t *testing.T) {
	var r Rereads
	now := time.Now()
	for i, want := range []bool{true, false, false, true} {
		at := now.Add([]time.Duration{0, time.Millisecond, RereadAfter - 1, RereadAfter}[i])
		if got := r.Due("people", at); got != want {
			t.Errorf("after %v: %v, want %v", at.Sub(now), got, want)
		}
	}
	if !r.Due("accounts", now) {
		t.Error("another relation waits for the first")
	}
	for i := range 3 * mostRereads {
		r.Due(strconv.Itoa(i), now)
	}
	if len(r.at) > mostRereads {
		t.Errorf("%d relations are remembered", len(r.at))
	}
}
