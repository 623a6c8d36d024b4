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
	if len(r.next) > mostRereads {
		t.Errorf("%d relations are remembered", len(r.next))
	}
}

func TestMuchHasReadingsInARow(t *testing.T) {
	var r Rereads
	now := time.Now()
	for i := range 2 * inARow {
		if got, want := r.DueFor("people", true, now), i < inARow; got != want {
			t.Errorf("reading %d: %v, want %v", i, got, want)
		}
	}
	for i, want := range []bool{false, true, false} {
		at := now.Add([]time.Duration{RereadAfter - 1, RereadAfter, RereadAfter + 1}[i])
		if got := r.DueFor("people", true, at); got != want {
			t.Errorf("after %v: %v, want %v", at.Sub(now), got, want)
		}
	}
	if !r.DueFor("people", false, now) || r.DueFor("people", false, now) {
		t.Error("other readings are counted by themselves, and one at a time")
	}
}
