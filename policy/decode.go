package policy

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// decoder collects the mistakes of one file.
type decoder struct {
	file     string
	getenv   func(string) (string, bool)
	mistakes Mistakes
	warnings []Finding
	searches map[string]*yaml.Node // the sections search.equality, by path
}

func (d *decoder) fail(n *yaml.Node, path, what, hint string) {
	m := Mistake{File: d.file, Path: path, What: what, Hint: hint}
	if n != nil {
		m.Line, m.Column = n.Line, n.Column
	}
	d.mistakes = append(d.mistakes, m)
}

func (d *decoder) warn(n *yaml.Node, path, what string) {
	d.warnings = append(d.warnings, Finding{n.Line, path, what})
}

// fields reads a mapping. known lists the fields that it may have; nil means
// any. Entries come in the order of the file.
type entry struct {
	key   string
	name  *yaml.Node
	value *yaml.Node
}

func (d *decoder) fields(n *yaml.Node, path string, known ...string) []entry {
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "must be a mapping", "write fields as name: value, indented below")
		return nil
	}
	var list []entry
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		name := k.Value
		switch {
		case k.Kind != yaml.ScalarNode || name == "" || name == "<<":
			d.fail(k, path, "a field's name must be plain text", "merge keys and complex keys are not read")
			continue
		case seen[name]:
			d.fail(k, join(path, name), "duplicate field", "keep one of them")
			continue
		case known != nil && !contains(known, name):
			d.fail(k, join(path, name), "the field is not known", suggest(name, known))
			continue
		case v.Kind == yaml.AliasNode || v.Anchor != "":
			d.fail(v, join(path, name), "anchors and aliases are not read", "write the value out")
			continue
		}
		seen[name] = true
		list = append(list, entry{name, k, v})
	}
	return list
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// suggest names the field that was probably meant.
func suggest(name string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if n := edits(strings.ToLower(name), k); n < distance {
			best, distance = k, n
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	return "the fields here are " + strings.Join(known, ", ")
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(row[j+1]+1, row[j]+1, cost)
		}
	}
	return row[len(b)]
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// text reads a non-empty scalar.
func (d *decoder) text(n *yaml.Node, path string) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "" {
		d.fail(n, path, "must be a string", "")
		return ""
	}
	return n.Value
}

// oneOf reads one of a few words. The word null may be written without quotes,
// though YAML takes it for no value at all.
func (d *decoder) oneOf(n *yaml.Node, path string, words ...string) string {
	if n.Kind == yaml.ScalarNode && n.Value == "null" && contains(words, "null") {
		return "null"
	}
	s := d.text(n, path)
	if s != "" && !contains(words, s) {
		d.fail(n, path, fmt.Sprintf("%q is not known here", s), "write one of "+strings.Join(words, ", "))
		return words[0]
	}
	return s
}

func (d *decoder) boolean(n *yaml.Node, path string) bool {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		d.fail(n, path, "must be true or false", "")
	}
	return n.Value == "true"
}

func (d *decoder) number(n *yaml.Node, path string, least, most int64) int64 {
	v, err := strconv.ParseInt(n.Value, 10, 64)
	if n.Kind != yaml.ScalarNode || err != nil || v < least || v > most {
		d.fail(n, path, fmt.Sprintf("must be a whole number from %d to %d", least, most), "")
		return least
	}
	return v
}

func (d *decoder) duration(n *yaml.Node, path string) time.Duration {
	v, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || v <= 0 {
		d.fail(n, path, "must be a duration above zero", "write it like 15m or 90s")
		return time.Minute
	}
	return v
}

// list reads a sequence.
func (d *decoder) list(n *yaml.Node, path string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.fail(n, path, "must be a list of at least one entry", "write [a, b], or one entry a line after a dash")
		return nil
	}
	for _, c := range n.Content {
		if c.Kind == yaml.AliasNode {
			d.fail(c, path, "anchors and aliases are not read", "write the value out")
			return nil
		}
	}
	return n.Content
}

func (d *decoder) texts(n *yaml.Node, path string) []string {
	var out []string
	for _, c := range d.list(n, path) {
		s := d.text(c, path)
		for _, x := range out {
			if strings.EqualFold(x, s) && s != "" {
				d.fail(c, path, fmt.Sprintf("duplicate entry %q", s), "keep one of them")
			}
		}
		out = append(out, s)
	}
	return out
}

// expand replaces ${NAME} by the environment's value.
func (d *decoder) expand(n *yaml.Node, path, s string) string {
	for {
		before, rest, ok := strings.Cut(s, "${")
		if !ok {
			return s
		}
		name, after, ok := strings.Cut(rest, "}")
		value, set := d.getenv(name)
		if !ok || !set || value == "" || strings.Contains(value, "${") {
			d.fail(n, path, fmt.Sprintf("the environment variable %s is not set", name), "set it, or write the ARN out")
			return ""
		}
		s = before + value + after
	}
}
