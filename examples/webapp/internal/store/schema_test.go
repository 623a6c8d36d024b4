package store

import (
	"strings"
	"testing"
)

func TestAUserNameThatIsNoWordIsRefused(t *testing.T) {
	cases := [][2]string{{"app'; DROP TABLE accounts; --", "hunter2"}, {"app", "it's"}, {"app", `back\slash`}, {"", "hunter2"}, {"app", ""}, {"app", strings.Repeat("x", 129)}}
	for _, c := range cases {
		err := CreateUser(t.Context(), nil, "postgres", c[0], c[1], false) // a nil database: nothing may be sent
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", c[0], err)
		}
	}
	if len(cases) != 6 {
		t.Error("the number of cases changed")
	}
	if _, err := Schema("oracle"); err == nil {
		t.Error("an engine that is not known has a schema")
	}
}
