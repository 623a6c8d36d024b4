package sealing

import (
	sqldriver "database/sql/driver"
	"testing"
)

// TestArgumentsAreCopiedOnce: a statement of many rows whose keys are sent in another form
// has its arguments copied once, and the user's stay as they are.
func TestArgumentsAreCopiedOnce(t *testing.T) {
	user := make([]sqldriver.NamedValue, 1000)
	for i := range user {
		user[i].Value = i
	}
	b := &Binding{Params: user}
	n := testing.AllocsPerRun(1, func() {
		for i := range user {
			b.send(i, "x")
		}
	})
	if n > 1 {
		t.Errorf("%v allocations for %d arguments", n, len(user))
	}
	for i := range user {
		if user[i].Value != i || b.Params[i].Value != "x" {
			t.Fatalf("argument %d: the user's is %v, sent is %v", i, user[i].Value, b.Params[i].Value)
		}
	}
}
