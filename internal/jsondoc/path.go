// Package jsondoc finds values in JSON texts by their paths, and changes those values
// without changing any other byte of the text.
//
// A document is never decoded and encoded again: numbers, spaces, escapes, duplicate keys
// and the order of members stay as they were written. A member is found by its decoded
// key, so that "\u0065mail" is the member email; every occurrence of a duplicate key is
// found. A text that is not JSON, or not UTF-8, is an error and yields no value.
//
// Paths are lax, to the side of protection: an array where a path has a member stands for
// each of its elements, and a value that is not an array, where a path has [*], stands for
// itself. The package knows neither SQL nor cryptography.
package jsondoc

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// StepKind says what a step of a path goes to. The zero value is invalid.
type StepKind uint8

// The kinds of step.
const (
	Member StepKind = iota + 1 // the member of an object that has the key
	Each                       // every element of an array
	Index                      // one element of an array
	Either                     // a member or an element, by what the document has: '{0}' of Postgres
)

// Step is one step of a path.
type Step struct {
	Kind StepKind
	Key  string // of Member and Either
}

// Path is a path from the root of a document. The empty path is the root.
type Path []Step

// maxSteps bounds a path: no server's documents nest so deep that a longer one matters.
const maxSteps = 100

// ParsePath reads a path as a policy writes it: $.name, $.a["b c"], $.list[*]. It takes
// no path of other kinds of step, and not the root.
func ParsePath(text string) (Path, error) {
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return nil, errors.New("a path begins with $")
	}
	var p Path
	for rest != "" {
		step, after, err := parseStep(rest)
		if err != nil {
			return nil, err
		}
		p, rest = append(p, step), after
	}
	switch {
	case len(p) == 0:
		return nil, errors.New("$ alone is the whole document")
	case len(p) > maxSteps:
		return nil, fmt.Errorf("a path has at most %d steps", maxSteps)
	}
	return p, nil
}

func parseStep(rest string) (step Step, after string, err error) {
	switch {
	case strings.HasPrefix(rest, "[*]"):
		return Step{Kind: Each}, rest[3:], nil
	case strings.HasPrefix(rest, "["):
		key, after, ok := cutString(rest[1:])
		if !ok || !strings.HasPrefix(after, "]") {
			return Step{}, "", errors.New(`in brackets stand * or a key in double quotes, as in ["b c"]`)
		}
		return Step{Kind: Member, Key: key}, after[1:], nil
	case strings.HasPrefix(rest, "."):
		n := nameLength(rest[1:])
		if n == 0 {
			return Step{}, "", errors.New(`after a dot stands a name of letters, digits and _; write another key as ["b c"]`)
		}
		return Step{Kind: Member, Key: rest[1 : 1+n]}, rest[1+n:], nil
	}
	return Step{}, "", errors.New("each step is .name, [\"key\"] or [*]")
}

// cutString reads a JSON string at the beginning of s.
func cutString(s string) (value, after string, ok bool) {
	end := stringEnd(s, 0)
	if end < 0 {
		return "", "", false
	}
	value, ok = unquote([]byte(s[:end]))
	return value, s[end:], ok
}

// nameLength is how many bytes at the beginning of s are a name that needs no quotes.
func nameLength(s string) int {
	for i, r := range s {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return i
		}
	}
	return len(s)
}

// String writes the path in one form for each path: names as .name where they can be, and
// as ["key"] elsewhere.
func (p Path) String() string {
	var b strings.Builder
	b.WriteByte('$')
	for _, s := range p {
		switch {
		case s.Kind == Each:
			b.WriteString("[*]")
		case s.Kind == Index:
			b.WriteString("[n]")
		case s.Key != "" && nameLength(s.Key) == len(s.Key):
			b.WriteString("." + s.Key)
		default:
			b.WriteString("[" + quote(s.Key) + "]")
		}
	}
	return b.String()
}

// quote writes a text as a JSON string, with no more escapes than JSON asks for.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return strconv.Quote(s) // strings always encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Same reports whether a path of a statement reaches values of p and nothing else: each
// step is that of p, with one element in the place of every element.
func (p Path) Same(asked Path) bool {
	return slices.EqualFunc(p, asked, func(own, s Step) bool {
		if own.Kind == Each {
			return s.Kind == Index || s.Kind == Either
		}
		return (s.Kind == Member || s.Kind == Either) && s.Key == own.Key
	})
}

// Members is how many steps of a path go to members of objects, and how many may.
func (p Path) Members() (least, most int) {
	for _, s := range p {
		switch s.Kind {
		case Member:
			least, most = least+1, most+1
		case Either:
			most++
		}
	}
	return least, most
}

// Overlaps reports whether a value at a path of a statement may be a value at p, contain
// it, or lie in it. Steps into arrays are passed over on both sides, since paths are lax.
func (p Path) Overlaps(asked Path) bool {
	for len(p) > 0 && (p[0].Kind == Each || p[0].Kind == Index) {
		p = p[1:]
	}
	for len(asked) > 0 && (asked[0].Kind == Each || asked[0].Kind == Index) {
		asked = asked[1:]
	}
	if len(p) == 0 || len(asked) == 0 {
		return true
	}
	if asked[0].Kind == Either && p.Overlaps(asked[1:]) {
		return true
	}
	return p[0].Key == asked[0].Key && p[1:].Overlaps(asked[1:])
}
