package policy_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/policy"
)

// fields collects, for every object of the schema, its fields in order.
func fields(schema map[string]any, into map[string]bool) {
	if props, ok := schema["properties"].(map[string]any); ok {
		into[strings.Join(slices.Sorted(maps.Keys(props)), " ")] = true
	}
	for _, v := range schema {
		switch v := v.(type) {
		case map[string]any:
			fields(v, into)
		case []any:
			for _, x := range v {
				if m, ok := x.(map[string]any); ok {
					fields(m, into)
				}
			}
		}
	}
}

var quoted = regexp.MustCompile(`"([a-z_]+)"`)

// TestTheSchemaKnowsTheParsersFields reads the lists of fields out of the
// parser's source and looks for each in the schema, and the other way round.
func TestTheSchemaKnowsTheParsersFields(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal(policy.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	fields(schema, known)
	parser := map[string]bool{}
	joined := regexp.MustCompile(`join\([^()]*\)`)
	call := regexp.MustCompile(`d\.fields\(([^()]*)\)`)
	words := regexp.MustCompile(`(?:topFields =|kinds :=) \[\]string\{([^}]*)\}`)
	for _, f := range []string{"parse.go", "keyring.go", "datakey.go", "table.go", "search.go", "paths.go"} {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(joined.ReplaceAllString(string(src), "path"), "\n") {
			var args []string
			if m := call.FindStringSubmatch(line); m != nil {
				args = strings.Split(m[1], ", ")[2:] // after the node and its path
			} else if m := words.FindStringSubmatch(line); m != nil {
				args = strings.Split(m[1], ", ")
			}
			var names []string
			for _, q := range args {
				if m := quoted.FindStringSubmatch(q); m != nil {
					names = append(names, m[1])
				}
			}
			if len(names) == 0 {
				continue
			}
			slices.Sort(names)
			parser[strings.Join(names, " ")] = true
		}
	}
	for list := range parser {
		if !known[list] {
			t.Errorf("the schema has no object with the fields %s", list)
		}
	}
	for list := range known {
		if !parser[list] {
			t.Errorf("the parser reads no mapping with the fields %s", list)
		}
	}
	if len(parser) < 10 {
		t.Errorf("found %d mappings in the parser", len(parser))
	}
}

// TestTheSchemaKnowsTheTypes compares the words for a column's type with the constants.
func TestTheSchemaKnowsTheTypes(t *testing.T) {
	types := []policy.ValueType{policy.TypeString, policy.TypeBytes, policy.TypeInt64, policy.TypeFloat64, policy.TypeBool,
		policy.TypeTimestamp, policy.TypeDate, policy.TypeDecimal, policy.TypeUUID, policy.TypeJSON}
	for _, typ := range types {
		if !strings.Contains(string(policy.Schema()), `"`+string(typ)+`"`) {
			t.Errorf("the schema lacks the type %s", typ)
		}
	}
}
