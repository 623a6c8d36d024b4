package postgres

import (
	"strings"
	"testing"
)

// TestTextsOfArrays reads texts of arrays as the server does.
func TestTextsOfArrays(t *testing.T) {
	cases := []struct{ text, want string }{
		{`{}`, ""},
		{` { } `, ""},
		{`{a,b}`, "a|b"},
		{` { a , b c ,"d e" } `, "a|b c|d e"},
		{`{NULL,null,"NULL",N\ULL,"null"}`, "-|-|NULL|NULL|null"},
		{`{"a\"b","a\\b",a\"b,a\\b,a\,b}`, `a"b|a\b|a"b|a\b|a,b`},
		{`{{a,b},{c,"}{,"}}`, "a|b|c|}{,"},
		{`[2:3]={a,b}`, "a|b"},
		{`[0:1][1:1] = {{a},{b}}`, "a|b"},
		{`{"",a}`, "|a"},
		{`{a\ ,b}`, "a |b"},
		{"{ä,\"\n\"}", "ä|\n"},
		{`{a,}`, "error"},
		{`{,a}`, "error"},
		{`{a`, "error"},
		{`{"a}`, "error"},
		{`{"a"b}`, "error"},
		{`{a"b"}`, "error"},
		{`{a}b`, "error"},
		{`a`, "error"},
		{``, "error"},
		{`[1:2]`, "error"},
		{`{a\`, "error"},
		{strings.Repeat("{", 7) + strings.Repeat("}", 7), "error"},
	}
	for _, c := range cases {
		elements, err := arrayElements(c.text)
		list := make([]string, len(elements))
		for i, e := range elements {
			if list[i] = "-"; e != nil {
				list[i] = *e
			}
		}
		got := strings.Join(list, "|")
		if err != nil {
			got = "error"
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.text, got, c.want)
		}
	}
	if len(cases) != 24 {
		t.Errorf("ran %d cases", len(cases))
	}
}
