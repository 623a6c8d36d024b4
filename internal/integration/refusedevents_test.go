package integration

import (
	"errors"
	"testing"
	"time"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
)

// TestARefusalIsSeen: an application that swallows the error leaves an event, a count and
// no row.
func TestARefusalIsSeen(t *testing.T) {
	refusals := []struct {
		name, text    string
		table, column string
		args          []any
		prepared      bool
	}{
		{"a comparison", "SELECT id FROM people WHERE ssn LIKE ?", "people", "ssn", []any{"9%"}, false},
		{"a sort, prepared", "SELECT id FROM people ORDER BY ssn", "people", "ssn", nil, true},
		{"a value that is computed", "INSERT INTO people (id, ssn) VALUES (?, lower('A'))", "people", "ssn", []any{3}, false},
	}
	onBoth(t, func(t *testing.T, s *site) {
		s.exec("INSERT INTO people (id, ssn) VALUES (?, ?)", 1, "900-00-0001")
		for _, r := range refusals {
			before := s.stats()
			seen := len(s.log())
			var err error
			if r.prepared {
				_, err = s.sealed.Prepare(s.q(r.text))
			} else {
				_, err = s.sealed.Exec(s.q(r.text), r.args...)
			}
			refused, ok := errors.AsType[*driver.RefusedError](err)
			if !ok {
				t.Errorf("%s: %v, want a refusal", r.name, err)
				continue
			}
			if grown := s.stats().Since(before); len(grown.Refused) != 1 || grown.Refused[refused.What] != 1 {
				t.Errorf("%s: counted %v, want one for %q", r.name, grown.Refused, refused.What)
			}
			var events []alert.Event
			for began := time.Now(); len(events) == 0; { // they are delivered by another goroutine
				if events = s.log()[seen:]; time.Since(began) > 10*time.Second {
					t.Fatalf("%s: no event", r.name)
				}
			}
			e := events[0]
			if e.Kind != alert.Refused || e.Table != r.table || e.Column != r.column || e.Err != refused.What || e.Statement != alert.Fingerprint(s.q(r.text)) {
				t.Errorf("%s: the event is %+v", r.name, e)
			}
		}
		if len(refusals) != 3 {
			t.Errorf("%d refusals were tried", len(refusals))
		}
	})
}

func (s *site) stats() alert.Snapshot {
	s.t.Helper()
	snapshot, err := driver.Stats(s.sealed)
	if err != nil {
		s.t.Fatal(err)
	}
	return snapshot
}

func (s *site) log() []alert.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]alert.Event(nil), s.events...)
}
