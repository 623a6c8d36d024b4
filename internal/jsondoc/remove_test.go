package jsondoc

import (
	"encoding/json"
	"testing"
)

// removed takes the members at two paths out of a document.
func removed(t testing.TB, doc string) string {
	p := paths(t, "$.x", "$.in.y")
	found, err := p.FindAll([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return string(Remove([]byte(doc), found))
}

func TestMembersAreRemovedWithOneComma(t *testing.T) {
	tests := map[string]string{
		`{"x":1}`:                          `{}`,
		`{"x":1,"a":2}`:                    `{"a":2}`,
		`{"a":2,"x":1}`:                    `{"a":2}`,
		`{"a":2 , "x" : 1 , "b":3}`:        `{"a":2  , "b":3}`,
		`{"x":1,"x":null,"a":3}`:           `{"a":3}`,
		`{ "x" : 1 , "\u0078":2 , "a":3 }`: `{ "a":3 }`,
		`{"a":1,"x":1,"x":2}`:              `{"a":1}`,
		`{"x":1,"in":{"y":1,"z":{"y":2}}}`: `{"in":{"z":{"y":2}}}`,
		`{"in":{"y":1,"a":1},"x":2}`:       `{"in":{"a":1}}`,
		`[{"x":[1,{"x":2}]},{"x":{}}]`:     `[{},{}]`,
		`{"in":[{"y":1},{"a":2,"y":3}]}`:   `{"in":[{},{"a":2}]}`,
		`{"a":{"x":1}}`:                    `{"a":{"x":1}}`,
		`7`:                                `7`,
	}
	for doc, want := range tests {
		if got := removed(t, doc); got != want {
			t.Errorf("%s: %s, want %s", doc, got, want)
		}
	}
}

// FuzzRemoveLeavesJSON: what is left is JSON, has none of the members, and is unchanged if
// there were none.
func FuzzRemoveLeavesJSON(f *testing.F) {
	for _, doc := range []string{`{"x":1,"a":{"x":2}}`, `[{"x":1,"x":2,"in":{"y":3}}]`, `{"in":{"y":[{"y":1}],"b":" , "},"x":"}"}`, `{"x":{"in":{"y":1}}}`, `null`, `{"in":[[{"y":1,"y":2}]],"x":null,"é":1}`} {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		p := paths(t, "$.x", "$.in.y")
		found, err := p.FindAll([]byte(doc))
		if err != nil {
			return
		}
		left := Remove([]byte(doc), found)
		again, err := p.FindAll(left)
		if !json.Valid(left) || err != nil || len(again) > 0 || len(found) == 0 && string(left) != doc {
			t.Errorf("%q leaves %q", doc, left)
		}
	})
}
