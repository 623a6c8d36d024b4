package main

import "testing"

// TestConstraintsThatOnlyTestNull reads constraints as the servers write them.
func TestConstraintsThatOnlyTestNull(t *testing.T) {
	cases := []struct {
		name, text string
		want       bool
	}{
		{"a test for NULL", "CHECK ((email IS NOT NULL))", true},
		{"two columns, in MySQL's quotes", "((`email` is not null) or (`phone` is not null))", true},
		{"in MariaDB's way of writing", "`email` is not null", true},
		{"in quotes", `CHECK (("email" IS NULL))`, true},
		{"a value", "CHECK ((email <> ''::text))", false},
		{"a value beside a test", "CHECK (((email IS NULL) OR (length(email) > 3)))", false},
		{"a function's test", "CHECK ((NULLIF(email, ''::text) IS NOT NULL))", false},
		{"another column of a longer name", "CHECK ((work_email IS NULL) OR (email > ''))", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := onlyTestsNull(c.text, "email"); got != c.want {
				t.Errorf("%s: %v", c.text, got)
			}
		})
	}
}
