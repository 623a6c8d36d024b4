package jsondoc

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func paths(t testing.TB, texts ...string) (list Paths) {
	for _, text := range texts {
		p, err := ParsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

// marked is the document with S in the place of each value found.
func marked(p Paths, doc string) (string, error) {
	found, err := p.Find([]byte(doc))
	if err != nil {
		return "", err
	}
	texts := make([][]byte, len(found))
	for i := range texts {
		texts[i] = []byte(`"S"`)
	}
	return string(Splice([]byte(doc), found, texts)), nil
}

func TestValuesAtPathsAreReplacedAndNothingElse(t *testing.T) {
	p := paths(t, "$.email", "$.contact.phones[*]", `$.a["b c"]`, "$.items[*].ssn", "$.deep.er.still")
	cases := map[string]string{
		`{"email":"x"}`:                                      `{"email":"S"}`,
		` { "email" : "x" , "n" : 1.0e2 } `:                  ` { "email" : "S" , "n" : 1.0e2 } `,
		`{"email":"x","email":2,"z":0}`:                      `{"email":"S","email":"S","z":0}`,
		`{"\u0065mail":"x"}`:                                 `{"\u0065mail":"S"}`,
		`{"Email":"x","email ":"y"}`:                         `{"Email":"x","email ":"y"}`,
		`{"email":null}`:                                     `{"email":null}`,
		`{"email":""}`:                                       `{"email":"S"}`,
		`{"email":12345678901234567890123}`:                  `{"email":"S"}`,
		`{"email":{"a":[1,{"b":"}"}]}}`:                      `{"email":"S"}`,
		`{"email":[]}`:                                       `{"email":"S"}`,
		`{"email":true,"x":false}`:                           `{"email":"S","x":false}`,
		`{"x":{"email":"x"}}`:                                `{"x":{"email":"x"}}`,
		`[{"email":"x"},{"email":"y"},[{"email":1}]]`:        `[{"email":"S"},{"email":"S"},[{"email":"S"}]]`,
		`{"contact":{"phones":["1","2",null,{"n":3}]}}`:      `{"contact":{"phones":["S","S",null,"S"]}}`,
		`{"contact":{"phones":[]}}`:                          `{"contact":{"phones":[]}}`,
		`{"contact":{"phones":"555"}}`:                       `{"contact":{"phones":"S"}}`,
		`{"contact":{"phones":{"a":1}}}`:                     `{"contact":{"phones":"S"}}`,
		`{"contact":{"phones":[[1,2],[]]}}`:                  `{"contact":{"phones":["S","S"]}}`,
		`{"contact":[{"phones":["1"]}]}`:                     `{"contact":[{"phones":["S"]}]}`,
		`{"contact":"none"}`:                                 `{"contact":"none"}`,
		`{"a":{"b c":1,"b":2}}`:                              `{"a":{"b c":"S","b":2}}`,
		`{"items":[{"ssn":"1","p":2},{"p":3},{"ssn":null}]}`: `{"items":[{"ssn":"S","p":2},{"p":3},{"ssn":null}]}`,
		`{"items":{"ssn":"1"}}`:                              `{"items":{"ssn":"S"}}`,
		`{"deep":{"er":{"still":-0.0},"x":"\\\""}}`:          `{"deep":{"er":{"still":"S"},"x":"\\\""}}`,
		`{"k\"ey":"\"email\":","email":"\\"}`:                `{"k\"ey":"\"email\":","email":"S"}`,
		`"email"`:                                            `"email"`, `7`: `7`, `null`: `null`, `[]`: `[]`, `{}`: `{}`, ` [ ] `: ` [ ] `,
		"{\"email\"\n:\t\"\\ud800\"}": "{\"email\"\n:\t\"S\"}",
	}
	for doc, want := range cases {
		if got, err := marked(p, doc); err != nil || got != want {
			t.Errorf("%s became %s, %v; want %s", doc, got, err, want)
		}
	}
	if got, err := marked(paths(t, "$[*]"), `[1,"a",[2],null,{}]`); err != nil || got != `["S","S","S",null,"S"]` {
		t.Errorf("the elements of the root became %s, %v", got, err)
	}
}

func TestTextsThatAreNotJSONYieldNoValue(t *testing.T) {
	p := paths(t, "$.email")
	for _, doc := range []string{"", " ", "{", `{"email":"x"`, `{"email":"x"}}`, `{"email":"x"} {}`, `{email:"x"}`, `{'email':'x'}`, `{"email":01}`, `{"email":NaN}`, `{"email":"x",}`,
		"{\"email\":\"\x01\"}", "{\"email\":\"\xff\"}", "\ufeff{}", `{"email":"\x"}`, `// {"email":1}`} {
		if found, err := p.Find([]byte(doc)); err != ErrNotJSON {
			t.Errorf("%q: %v, %v", doc, found, err)
		}
	}
}

func TestDeepDocuments(t *testing.T) {
	const depth = 9000
	doc := strings.Repeat("[", depth) + `{"email":"x"}` + strings.Repeat("]", depth)
	want := strings.Repeat("[", depth) + `{"email":"S"}` + strings.Repeat("]", depth)
	if got, err := marked(paths(t, "$.email"), doc); err != nil || got != want {
		t.Error("a value in a deep document is not found", err)
	}
	if _, err := marked(paths(t, "$.email"), "["+strings.Repeat(doc, 1)+strings.Repeat("]", 2000)); err == nil {
		t.Error("a document with too many brackets is taken")
	}
}

// protect is what [Paths.Find] does, on a decoded document.
func protect(v any, steps Path) any {
	list, isArray := v.([]any)
	for !isArray && len(steps) > 0 && steps[0].Kind == Each {
		steps = steps[1:]
	}
	if len(steps) == 0 {
		if v == nil {
			return nil
		}
		return "S"
	}
	if isArray {
		if steps[0].Kind == Each {
			steps = steps[1:]
		}
		for i := range list {
			list[i] = protect(list[i], steps)
		}
	}
	if object, ok := v.(map[string]any); ok {
		if member, ok := object[steps[0].Key]; ok {
			object[steps[0].Key] = protect(member, steps[1:])
		}
	}
	return v
}

func decode(t *testing.T, doc []byte) (v any) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%q does not decode: %v", doc, err)
	}
	return v
}

func FuzzFindAgainstDecodedDocuments(f *testing.F) {
	for _, doc := range []string{`{"email":"x","a":[1,{"b c":2,"b c":3}]}`, `{"\u0065mail":1e400,"items":[{"ssn":[]},[{"ssn":{}}]]}`, `[[[{"email":"\ud800\u0000"}]]]`,
		`{"contact":{"phones":[1,null,[2]],"phones":12345678901234567890}}`, "[]", `{"a":{"b c":{"b c":1}},"":{}}`, `{"email":{"email":"x"}}`, ` {"a" : [ ] } `} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		p := paths(t, "$.email", "$.contact.phones[*]", `$.a["b c"]`, "$.items[*].ssn", `$[""][*]`)
		found, err := p.Find(doc)
		if err != nil {
			return
		}
		nothing := make([][]byte, len(found))
		if same := Splice(doc, found, nothing); !bytes.Equal(same, doc) {
			t.Fatalf("%q changes by itself to %q", doc, same)
		}
		own, texts := make([][]byte, len(found)), make([][]byte, len(found))
		for i, x := range found {
			own[i], texts[i] = doc[x.Start:x.End], []byte(`"S"`)
		}
		if same := Splice(doc, found, own); !bytes.Equal(same, doc) {
			t.Fatalf("%q with its own values is %q", doc, same)
		}
		want := decode(t, doc)
		for _, path := range p {
			want = protect(want, path)
		}
		if got := decode(t, Splice(doc, found, texts)); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q became %v, want %v", doc, got, want)
		}
	})
}
