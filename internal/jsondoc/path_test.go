package jsondoc

import (
	"strings"
	"testing"
)

func TestPathsAsPoliciesWriteThem(t *testing.T) {
	for text, want := range map[string]string{
		"$.email":                       "$.email",
		"$.contact.phones[*]":           "$.contact.phones[*]",
		`$.a["b c"]`:                    `$.a["b c"]`,
		`$["email"]`:                    "$.email",
		`$["\u0065mail"]`:               "$.email",
		`$["a\"]"].b`:                   `$["a\"]"].b`,
		"$[*][*].x_1":                   "$[*][*].x_1",
		`$["é"]`:                        `$["é"]`,
		`$["<&>"]`:                      `$["<&>"]`,
		`$[""]`:                         `$[""]`,
		"$" + strings.Repeat(".a", 100): "$" + strings.Repeat(".a", 100),
	} {
		p, err := ParsePath(text)
		if err != nil || p.String() != want {
			t.Errorf("%s is %v, %v; want %s", text, p, err, want)
		}
		if again, err := ParsePath(p.String()); err != nil || again.String() != want {
			t.Errorf("%s does not read back: %v", want, err)
		}
	}
	for _, text := range []string{"", "$", "email", "$email", "$.", "$..a", "$.a.", "$.*", "$.a[0]", "$.a[", "$.a[]", "$.a[*", "$['a']", `$["a]`, `$["a"`, "$.a b", "$.1a", "$.a-b",
		"$.é", "$ .a", "lax $.a", "$.a ? (@ > 1)", "$**.a", "$" + strings.Repeat(".a", 101)} {
		if p, err := ParsePath(text); err == nil {
			t.Errorf("%q is read as %s", text, p)
		}
	}
}

func TestPathsThatAStatementAsksFor(t *testing.T) {
	member := func(key string) Step { return Step{Kind: Member, Key: key} }
	either := func(key string) Step { return Step{Kind: Either, Key: key} }
	at := Step{Kind: Index}
	const same, overlaps, apart = "same", "overlaps", "apart"
	cases := []struct {
		own   string
		asked Path
		want  string
	}{
		{"$.email", Path{member("email")}, same},
		{"$.email", Path{either("email")}, same},
		{"$.email", Path{member("Email")}, apart},
		{"$.email", Path{member("action")}, apart},
		{"$.email", Path{}, overlaps},
		{"$.email", Path{member("email"), member("x")}, overlaps},
		{"$.email", Path{at, member("email")}, overlaps},
		{"$.email", Path{at}, overlaps},
		{"$.email", Path{at, member("action")}, apart},
		{"$.email", Path{member("email"), at}, overlaps},
		{"$.contact.email", Path{member("contact")}, overlaps},
		{"$.contact.email", Path{member("contact"), member("city")}, apart},
		{"$.contact.email", Path{member("contact"), at, member("email")}, overlaps},
		{"$.contact.email", Path{member("contact"), either("0")}, overlaps},
		{"$.contact.email", Path{member("contact"), either("0"), member("city")}, apart},
		{"$.phones[*]", Path{member("phones"), at}, same},
		{"$.phones[*]", Path{member("phones"), either("0")}, same},
		{"$.phones[*]", Path{member("phones")}, overlaps},
		{"$.phones[*]", Path{member("phones"), member("x")}, overlaps},
		{"$.phones[*]", Path{member("phones"), at, at}, overlaps},
		{"$.items[*].ssn", Path{member("items"), at, member("ssn")}, same},
		{"$.items[*].ssn", Path{member("items"), member("ssn")}, overlaps},
		{"$.items[*].ssn", Path{member("items"), at, member("price")}, apart},
		{"$.items[*].ssn", Path{member("items"), at}, overlaps},
		{"$[*]", Path{at}, same},
		{"$[*]", Path{member("x")}, overlaps},
		{`$["0"]`, Path{either("0")}, same},
		{`$["0"]`, Path{at}, overlaps},
		{`$["0"].a`, Path{either("0"), member("a")}, same},
		{`$.a`, Path{either("0"), member("a")}, overlaps},
	}
	for _, c := range cases {
		own, err := ParsePath(c.own)
		if err != nil {
			t.Fatal(err)
		}
		got := apart
		if own.Overlaps(c.asked) {
			got = overlaps
		}
		if own.Same(c.asked) {
			if got == apart {
				t.Errorf("%s and %v are the same and do not overlap", c.own, c.asked)
			}
			got = same
		}
		if got != c.want {
			t.Errorf("%s and %v: %s, want %s", c.own, c.asked, got, c.want)
		}
	}
}
