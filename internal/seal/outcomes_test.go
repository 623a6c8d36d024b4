package seal_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/seal"
)

// outcome is what opening a value comes to.
type outcome struct {
	err    error // a sentinel, or nil
	null   bool
	event  alert.Kind // 0 for none
	handed bool       // the event says that the value was handed out
}

var (
	opens       = outcome{}
	isNull      = outcome{null: true}
	mismatch    = outcome{err: fault.ErrMismatch, event: alert.Mismatch}
	tampered    = outcome{err: fault.ErrTampered, event: alert.Tampered}
	unauthentic = outcome{err: fault.ErrUnauthentic, event: alert.Unauthentic}
	notSealed   = outcome{err: fault.ErrNotCiphertext, event: alert.NotCiphertext}
	hidden      = outcome{err: fault.ErrUnverifiable, event: alert.Unverifiable}
)

// TestWhatOpeningComesTo opens a value of each form for its own row, for another row and
// for a row that the statement does not show whole, as the policy has mismatches dealt with.
func TestWhatOpeningComesTo(t *testing.T) {
	f := newFixture(t)
	nobody := map[string]any{}
	blob := f.blob(map[string]string{"tenant": "t1", "account": "a1"})
	changed := func(stored any) []byte {
		b := bytes.Clone(stored.([]byte))
		b[len(b)-1] ^= 1
		return b
	}
	cases := []struct {
		name, column string
		stored       any
		row          map[string]any
		strict       bool
		want         outcome
	}{
		{"NULL is NULL", "ssn", nil, ours, false, isNull},
		{"NULL is NULL for sealsql's own use", "ssn", nil, ours, true, isNull},

		{"a message opens for its row", "ssn", f.sealed("ssn", ours), ours, false, opens},
		{"a message in base64 opens for its row", "note", f.sealed("note", ours), ours, false, opens},
		{"a compact value opens for its row", "small", f.sealed("small", ours), ours, false, opens},
		{"a bare ciphertext opens for its row", "script", blob, ours, false, opens},
		{"a message opens where bare ciphertexts are read", "script", f.sealed("script", ours), ours, false, opens},

		{"a message of another row is a mismatch", "ssn", f.sealed("ssn", ours), theirs, false, mismatch},
		{"a message of another column is a mismatch", "ssn", f.sealed("nulled", ours), ours, false, mismatch},
		{"a compact value of another row is unauthentic", "small", f.sealed("small", ours), theirs, false, unauthentic},
		{"a bare ciphertext of another row is a mismatch", "script", blob, theirs, false, mismatch},
		{"a message of another region is a mismatch", "region_bound", f.sealed("region_bound", ours), map[string]any{"tenant": "t1", "account": "a1", "region": "us"}, false, mismatch},

		{"a changed message is tampered with", "ssn", changed(f.sealed("ssn", ours)), ours, false, tampered},
		{"a changed compact value is unauthentic", "small", changed(f.sealed("small", ours)), ours, false, unauthentic},

		{"a plaintext is rejected", "ssn", ssn, ours, false, notSealed},
		{"a plaintext is handed out where the policy allows it", "clear", ssn, ours, false, outcome{event: alert.PlaintextRead, handed: true}},
		{"a plaintext is rejected for sealsql's own use, whatever the policy allows", "clear", ssn, ours, true, notSealed},
		{"a bare ciphertext is a plaintext where none is declared", "ssn", blob, ours, false, notSealed},

		{"on_mismatch: null has NULL in place of another row's value", "nulled", f.sealed("nulled", ours), theirs, false, outcome{null: true, event: alert.Mismatch}},
		{"on_mismatch: null rejects a changed value", "nulled", changed(f.sealed("nulled", ours)), ours, false, tampered},
		{"on_mismatch: null rejects a plaintext", "nulled", ssn, ours, false, notSealed},
		{"on_mismatch: null is an error for sealsql's own use", "nulled", f.sealed("nulled", ours), theirs, true, mismatch},
		{"on_mismatch: alert_only hands out another row's value", "shown", f.sealed("shown", ours), theirs, false, outcome{event: alert.Mismatch, handed: true}},
		{"on_mismatch: alert_only rejects a changed value", "shown", changed(f.sealed("shown", ours)), ours, false, tampered},
		{"on_mismatch: alert_only is an error for sealsql's own use", "shown", f.sealed("shown", ours), theirs, true, mismatch},
		{"on_mismatch: alert_only cannot hand out a value with a pair that it does not store", "unstored", f.sealed("unstored", ours), theirs, false, mismatch},

		{"a message of a row that is not shown opens, and says so", "ssn", f.sealed("ssn", ours), nobody, false, outcome{event: alert.Unverifiable, handed: true}},
		{"a message of half a row opens, and says so", "ssn", f.sealed("ssn", ours), map[string]any{"tenant": "t1"}, false, outcome{event: alert.Unverifiable, handed: true}},
		{"a message of half another row is a mismatch", "ssn", f.sealed("ssn", ours), map[string]any{"tenant": "t2"}, false, mismatch},
		{"a message that does not store the account does not open without it", "unstored", f.sealed("unstored", ours), map[string]any{"tenant": "t1"}, false, hidden},
		{"a compact value of half a row does not open", "small", f.sealed("small", ours), map[string]any{"tenant": "t1"}, false, hidden},
		{"a bare ciphertext of half a row does not open", "script", blob, map[string]any{"tenant": "t1"}, false, hidden},
	}
	for _, c := range cases {
		o := f.observe()
		col := o.column(c.column)
		plaintext, null, err := o.funnel.Open(t.Context(), seal.Request{Column: col, Stored: c.stored, Row: row(t, col, c.row), Strict: c.strict, Statement: "SELECT " + c.column + " FROM accounts"})
		got := outcome{null: null && err == nil}
		if value, ok := errors.AsType[*fault.ValueError](err); ok {
			got.err = value.Kind
			if value.Table != "accounts" || value.Column != c.column || value.Hint == "" {
				t.Errorf("%s: the error says %+v", c.name, value)
			}
		} else if err != nil {
			t.Errorf("%s: %v (%T)", c.name, err, err)
		}
		events := o.raised()
		if len(events) > 1 {
			t.Errorf("%s: %d events", c.name, len(events))
		}
		for _, e := range events {
			got.event, got.handed = e.Kind, e.Handed
			if e.Table != "accounts" || e.Column != c.column || e.Statement == "" {
				t.Errorf("%s: the event says %+v", c.name, e)
			}
		}
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if handedOut := err == nil && !null; handedOut != (string(plaintext) == ssn) || !handedOut && plaintext != nil {
			t.Errorf("%s: handed out %d bytes, error %v", c.name, len(plaintext), err)
		}
		if told := fmt.Sprint(err, events); strings.Contains(told, ssn) || strings.Contains(told, "a1") && strings.Contains(told, "t1") {
			t.Errorf("%s: the error or the event shows the value or its row", c.name)
		}
		if fits, err := o.funnel.Fits(t.Context(), seal.Request{Column: col, Stored: c.stored, Row: row(t, col, c.row)}); err != nil || fits && c.want.err != nil {
			t.Errorf("%s: fits its row: %v, %v", c.name, fits, err)
		}
	}
	if len(cases) != 32 {
		t.Errorf("%d cases", len(cases))
	}
}

// TestEventsShowTheEvidence: a mismatch names the digests of the context that was
// expected and of the context that was found.
func TestEventsShowTheEvidence(t *testing.T) {
	f := newFixture(t)
	col := f.column("ssn")
	_, _, err := f.funnel.Open(t.Context(), seal.Request{Column: col, Stored: f.sealed("ssn", ours), Row: row(t, col, theirs), Statement: "SELECT ssn FROM accounts"})
	if !errors.Is(err, fault.ErrMismatch) {
		t.Fatal(err)
	}
	events := f.raised()
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	e := events[0]
	if e.RowKeyDigest == "" || e.RowKeyDigest != col.Table.Digest(row(t, col, theirs)) || e.MessageID == "" {
		t.Errorf("the row is %q, the message %q", e.RowKeyDigest, e.MessageID)
	}
	differ := 0
	for k, want := range e.Expected {
		if e.Found[k] != want {
			differ++
		}
		if want == "a2" || e.Found[k] == "a1" {
			t.Errorf("%s is shown in clear", k)
		}
	}
	if differ != 1 || len(e.Expected) != 4 || len(e.Found) != len(e.Expected) {
		t.Errorf("expected %v, found %v", e.Expected, e.Found)
	}
}

// TestACiphertextLongerThanItsColumnIsNotSent on either side of the limit.
func TestACiphertextLongerThanItsColumnIsNotSent(t *testing.T) {
	f := newFixture(t)
	cases := 0
	for _, column := range []string{"ssn", "note", "small"} {
		c := f.column(column)
		size := 0
		switch v := f.sealed(column, ours).(type) {
		case []byte:
			size = len(v)
		case string:
			size = len(v)
		}
		for capacity, fits := range map[int]bool{0: true, size + 1: true, size: true, size - 1: false, 1: false} {
			cases++
			stored, err := f.funnel.Seal(t.Context(), seal.Value{Column: c, Plaintext: []byte(ssn), Row: row(t, c, ours), Capacity: capacity})
			if fits && err != nil || !fits && (!errors.Is(err, fault.ErrValue) || stored != nil) {
				t.Errorf("%s: %d bytes in a column of %d: %v", column, size, capacity, err)
			}
		}
	}
	if cases != 15 {
		t.Errorf("%d cases", cases)
	}
	if events := f.raised(); len(events) != 0 {
		t.Errorf("%d events of values that were not sent", len(events))
	}
}
