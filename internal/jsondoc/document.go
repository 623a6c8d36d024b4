package jsondoc

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// Paths are the paths whose values are looked for. They are immutable and safe for
// concurrent use.
type Paths []Path

// Found is a value that one of the paths reaches.
type Found struct {
	// Path is the index of the path in Paths.
	Path int
	// Start and End are the value's place in the text.
	Start, End int
	// Object and Key are where the object begins that holds the value as a member, and the
	// member's key; -1 for a value that is no member.
	Object, Key int
	// Null is true for a null, which [Paths.Find] leaves out.
	Null bool
}

// ErrNotJSON is the error of a text that is not one JSON text in UTF-8.
var ErrNotJSON = errors.New("it is not JSON")

// Find returns the values of the document that the paths reach, in the order of the
// text. A null is no value. No two overlap unless paths do.
func (p Paths) Find(doc []byte) ([]Found, error) {
	all, err := p.FindAll(doc)
	found := all[:0]
	for _, f := range all {
		if !f.Null {
			found = append(found, f)
		}
	}
	return found, err
}

// FindAll is Find that returns each null too.
func (p Paths) FindAll(doc []byte) ([]Found, error) {
	if !utf8.Valid(doc) || !json.Valid(doc) {
		return nil, ErrNotJSON
	}
	s := scanner{text: doc, paths: p, objectAt: -1, key: -1}
	open := make([]place, len(p))
	for i := range p {
		open[i] = place{path: i}
	}
	s.value(s.space(0), open)
	return s.found, nil
}

// Splice returns the document with other texts in the place of what [Paths.Find] found.
// A nil text leaves the value as it is. The result shares no memory with doc.
func Splice(doc []byte, found []Found, texts [][]byte) []byte {
	size := len(doc)
	for _, t := range texts {
		size += len(t)
	}
	out, at := make([]byte, 0, size), 0
	for i, f := range found {
		if texts[i] == nil {
			continue
		}
		out = append(append(out, doc[at:f.Start]...), texts[i]...)
		at = f.End
	}
	return append(out, doc[at:]...)
}

// Remove returns the document without members that [Paths.FindAll] found. The result shares
// no memory with doc.
func Remove(doc []byte, members []Found) []byte {
	out, at, first := make([]byte, 0, len(doc)), 0, false
	s := scanner{text: doc}
	for _, m := range members {
		start, end := m.Key-1, m.End
		for start > 0 && bytes.IndexByte([]byte(" \t\n\r"), doc[start]) >= 0 {
			start--
		}
		// The first member of its object takes the comma behind it along.
		first = doc[start] == '{' || start < at && first
		if first {
			start = m.Key
			if after := s.space(end); doc[after] == ',' {
				end = s.space(after + 1)
			}
		}
		out = append(out, doc[at:max(start, at)]...)
		at = end
	}
	return append(out, doc[at:]...)
}

// place is how far along a path the scanner is.
type place struct{ path, step int }

// scanner walks over a text that is known to be JSON.
type scanner struct {
	text  []byte
	paths Paths
	found []Found

	objectAt, key int // of the member at hand
}

// value walks over the value at i and returns where it ends. open are the paths that lead
// on from here.
func (s *scanner) value(i int, open []place) (end int) {
	isArray := s.text[i] == '['
	var onward []place // what leads into the value
	reached := -1
	for _, o := range open {
		path := s.paths[o.path]
		for !isArray && o.step < len(path) && path[o.step].Kind == Each {
			o.step++ // not an array: the value stands for itself
		}
		if o.step == len(path) {
			reached = o.path
			continue
		}
		onward = append(onward, o)
	}
	if reached >= 0 {
		end = s.skip(i)
		s.found = append(s.found, Found{Path: reached, Start: i, End: end, Object: s.objectAt, Key: s.key, Null: bytes.Equal(s.text[i:end], []byte("null"))})
		return end
	}
	switch {
	case len(onward) == 0:
		return s.skip(i)
	case isArray:
		return s.array(i, onward)
	case s.text[i] == '{':
		return s.object(i, onward)
	}
	return s.skip(i)
}

// array walks over an array. A path with [*] goes on behind it in each element; another
// goes on in each element with the step that it has.
func (s *scanner) array(i int, open []place) (end int) {
	inner := make([]place, len(open))
	for k, o := range open {
		if s.paths[o.path][o.step].Kind == Each {
			o.step++
		}
		inner[k] = o
	}
	if i = s.space(i + 1); s.text[i] == ']' {
		return i + 1
	}
	for {
		i = s.space(s.value(i, inner))
		if s.text[i] == ']' {
			return i + 1
		}
		i = s.space(i + 1) // behind the comma
	}
}

func (s *scanner) object(i int, open []place) (end int) {
	begin := i
	if i = s.space(i + 1); s.text[i] == '}' {
		return i + 1
	}
	for {
		end := stringEnd(s.text, i)
		inner := s.within(s.text[i:end], open)
		s.objectAt, s.key = begin, i
		i = s.space(s.space(end) + 1) // behind the colon
		i = s.space(s.value(i, inner))
		if s.text[i] == '}' {
			return i + 1
		}
		i = s.space(i + 1)
	}
}

// within are the paths that go on in the member with the key.
func (s *scanner) within(quoted []byte, open []place) (inner []place) {
	key, ok := unquote(quoted)
	for _, o := range open {
		if ok && s.paths[o.path][o.step].Key == key {
			inner = append(inner, place{o.path, o.step + 1})
		}
	}
	return inner
}

// skip returns where the value at i ends.
func (s *scanner) skip(i int) int {
	depth := 0
	for {
		switch s.text[i] {
		case '"':
			i = stringEnd(s.text, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
		default:
			i = s.word(i)
		}
		if depth == 0 {
			return i
		}
	}
}

// word returns where a number, true, false or null ends.
func (s *scanner) word(i int) int {
	for i < len(s.text) && bytes.IndexByte([]byte(",:]} \t\n\r"), s.text[i]) < 0 {
		i++
	}
	return i
}

// space returns where the spaces at i end.
func (s *scanner) space(i int) int {
	for i < len(s.text) && bytes.IndexByte([]byte(" \t\n\r"), s.text[i]) >= 0 {
		i++
	}
	return i
}

// stringEnd returns the offset behind the string that begins at i, or -1 if there is no
// whole string.
func stringEnd[T string | []byte](text T, i int) int {
	if i >= len(text) || text[i] != '"' {
		return -1
	}
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// unquote decodes a JSON string. It reports false for what is none.
func unquote(quoted []byte) (string, bool) {
	var s string
	if len(quoted) == 0 || quoted[0] != '"' || json.Unmarshal(quoted, &s) != nil {
		return "", false
	}
	return s, true
}

// Text returns the text of a JSON string, and reports false for every other value.
func Text(value []byte) (string, bool) { return unquote(value) }

// Quote writes a text as a JSON string.
func Quote(s string) string { return quote(s) }
