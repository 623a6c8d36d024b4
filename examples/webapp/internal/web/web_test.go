package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealsql/sealsql/alert"
)

func TestACookieThatWasChangedIsNoSession(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	s := &Server{c: Config{Region: "us-east-1", SessionKey: []byte("one key"), Now: func() time.Time { return now }}}
	other := &Server{c: Config{Region: "us-east-1", SessionKey: []byte("another"), Now: s.c.Now}}
	w := httptest.NewRecorder()
	s.setSession(w, operator, &session{ID: "a", Expires: now.Add(time.Minute)})
	cookie := w.Result().Cookies()[0]
	text, mac, _ := strings.Cut(cookie.Value, ".")
	cases := []struct {
		name, cookie, value string
		server              *Server
		kind                string
		after               time.Duration
		want                bool
	}{
		{"the cookie as it is", cookie.Name, cookie.Value, s, operator, 0, true},
		{"after its time", cookie.Name, cookie.Value, s, operator, time.Minute, false},
		{"without its signature", cookie.Name, text, s, operator, 0, false},
		{"with another text", cookie.Name, text[1:] + "." + mac, s, operator, 0, false},
		{"with another signature", cookie.Name, text + "." + mac[1:], s, operator, 0, false},
		{"signed with another key", cookie.Name, cookie.Value, other, operator, 0, false},
		{"a visitor's in an operator's place", s.cookieName(visitor), cookie.Value, s, visitor, 0, false},
		{"empty", cookie.Name, "", s, operator, 0, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			began := now
			defer func() { now = began }()
			now = now.Add(c.after)
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.AddCookie(&http.Cookie{Name: c.cookie, Value: c.value})
			if got := c.server.session(r, c.kind) != nil; got != c.want {
				t.Errorf("a session: %t", got)
			}
		})
	}
	if len(cases) != 8 {
		t.Error("the number of cases changed")
	}
}

func TestAttemptsAtTheSameTimeAreCounted(t *testing.T) {
	now := time.Now()
	l := &limiter{max: 5, window: time.Minute, now: func() time.Time { return now }}
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, ok := l.attempt("a"); ok {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if passed.Load() != 5 {
		t.Errorf("%d attempts passed", passed.Load())
	}
	if _, ok := l.attempt("b"); !ok {
		t.Error("another key is turned away")
	}
	if wait, ok := l.attempt("a"); ok || wait != time.Minute {
		t.Errorf("passed: %t, wait %s", ok, wait)
	}
	l.uncount("a")
	if _, ok := l.attempt("a"); !ok {
		t.Error("an attempt that was taken back counts")
	}
	l.forgive("a")
	if _, ok := l.attempt("a"); !ok {
		t.Error("a key that was forgiven is turned away")
	}
	for range 5 {
		_, _ = l.attempt("c")
	}
	now = now.Add(time.Minute)
	if _, ok := l.attempt("c"); !ok {
		t.Error("a key is turned away after the window")
	}
}

func TestAPageThatReconnectsGetsWhatItMissed(t *testing.T) {
	f := NewFeed()
	raise := func(n int) {
		for range n {
			f.Alert(alert.Event{Kind: alert.Mismatch, Table: "accounts", Column: "pin"})
		}
	}
	raise(3)
	missed, page := f.subscribe(1)
	if len(missed) != 2 || missed[0].ID != 2 {
		t.Errorf("missed %v", missed)
	}
	raise(1)
	if a := <-page; a.ID != 4 || a.Kind != "mismatch" || a.Column != "accounts.pin" || !a.Urgent {
		t.Errorf("got %+v", a)
	}
	raise(1000) // nobody reads: the page is given up, and nothing blocks
	open := true
	for open {
		_, open = <-page
	}
	if all := f.Since(0); len(all) != remembered || all[len(all)-1].ID != 1004 {
		t.Errorf("%d alerts are remembered", len(all))
	}
	if f.Counts()["mismatch"] != 1004 {
		t.Errorf("counted %d", f.Counts()["mismatch"])
	}
	if len(f.Since(1004)) != 0 {
		t.Error("there is something newer than the newest")
	}
}

func TestTheVisitorsAddressIsTheLoadBalancersWord(t *testing.T) {
	for _, c := range []struct {
		name, forwarded string
		proxied         bool
		want            string
	}{
		{"behind a load balancer the last address counts", "10.9.9.9, 198.51.100.7", true, "198.51.100.7"},
		{"what a visitor claims counts for nothing without one", "10.9.9.9", false, "192.0.2.1"},
		{"a load balancer that says nothing", "", true, "192.0.2.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil) // from 192.0.2.1
			if c.forwarded != "" {
				r.Header.Set("X-Forwarded-For", c.forwarded)
			}
			if got := (&Server{c: Config{Proxied: c.proxied}}).address(r); got != c.want {
				t.Errorf("%s", got)
			}
		})
	}
}
