package policy_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/policy"
)

// paths lists the schema's fields by their whole path, map keys as in
// docs/POLICY.md: K, T, C and P.
func paths(schema map[string]any, at string, into map[string]bool) {
	keys := map[string]string{"keyrings": "K", "tables": "T", "tables.T.columns": "C", "tables.T.columns.C.context": "P", "tables.T.columns.C.paths": "P"}
	join := func(name string) string { return strings.TrimPrefix(at+"."+name, ".") }
	props, _ := schema["properties"].(map[string]any)
	for name, sub := range props {
		into[join(name)] = true
		paths(sub.(map[string]any), join(name), into)
	}
	if more, ok := schema["additionalProperties"].(map[string]any); ok && keys[at] != "" {
		paths(more, join(keys[at]), into)
	}
	if items, ok := schema["items"].(map[string]any); ok {
		paths(items, at, into)
	}
	alternatives, _ := schema["anyOf"].([]any)
	for _, a := range alternatives {
		paths(a.(map[string]any), at, into)
		values, _ := a.(map[string]any)["enum"].([]any)
		for _, v := range values {
			if at == "alerts" { // kinds that may stand by themselves
				into[join(v.(string))] = true
			}
		}
	}
}

// TestTheDocumentListsEveryField holds docs/POLICY.md to the schema, both ways.
func TestTheDocumentListsEveryField(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal(policy.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	paths(schema, "", known)
	text, err := os.ReadFile("../docs/POLICY.md")
	if err != nil {
		t.Fatal(err)
	}
	table, _, ok := strings.Cut(string(text), "\n## ")
	if !ok {
		t.Fatal("the document has no sections after its table")
	}
	listed := map[string]bool{}
	field := regexp.MustCompile("`([a-zA-Z_.]+)`")
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		for _, m := range field.FindAllStringSubmatch(cells[1], -1) {
			listed[m[1]] = true
		}
	}
	for p := range known {
		if !listed[p] {
			t.Errorf("docs/POLICY.md does not list %s", p)
		}
	}
	for p := range listed {
		if !known[p] {
			t.Errorf("docs/POLICY.md lists %s, which is no field", p)
		}
	}
	if len(listed) < 50 {
		t.Errorf("%d fields are listed", len(listed))
	}
}

// TestTheExampleIsForNewcomers: every field that stands in the example is
// explained beside it or above it, and every top-level field stands there.
func TestTheExampleIsForNewcomers(t *testing.T) {
	text, err := os.ReadFile("../policy.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	comments := 0
	for _, l := range lines {
		if strings.Contains(l, "#") {
			comments++
		}
	}
	if comments*3 < len(lines) {
		t.Errorf("%d of %d lines have a comment", comments, len(lines))
	}
	var schema struct{ Properties map[string]any }
	if err := json.Unmarshal(policy.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	for name := range schema.Properties {
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(strings.TrimPrefix(l, "# "), name+":") }) {
			t.Errorf("the example does not show %s", name)
		}
	}
}
