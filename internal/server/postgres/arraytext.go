package postgres

import (
	"errors"
	"strings"
)

var errArrayText = errors.New("the text is not an array's")

// arrayElements reads an array's text as the server does: the elements of all dimensions one
// after another, nil for NULL.
func arrayElements(text string) ([]*string, error) {
	r := &arrayReader{rest: strings.Trim(text, arraySpace)}
	if strings.HasPrefix(r.rest, "[") { // the bounds of the dimensions
		_, rest, ok := strings.Cut(r.rest, "=")
		if !ok {
			return nil, errArrayText
		}
		r.rest = strings.TrimLeft(rest, arraySpace)
	}
	if err := r.list(0); err != nil {
		return nil, err
	}
	if r.rest != "" {
		return nil, errArrayText
	}
	return r.elements, nil
}

// arraySpace is what may stand around an element.
const arraySpace = " \t\n\r\v\f"

// arrayReader takes elements off the beginning of an array's text.
type arrayReader struct {
	rest     string
	elements []*string
}

// maxDimensions is the most dimensions that an array has.
const maxDimensions = 6

// list reads one pair of braces.
func (r *arrayReader) list(depth int) error {
	if !strings.HasPrefix(r.rest, "{") || depth >= maxDimensions {
		return errArrayText
	}
	r.skip(1)
	if strings.HasPrefix(r.rest, "}") {
		r.skip(1)
		return nil
	}
	for {
		read := r.element
		if strings.HasPrefix(r.rest, "{") {
			read = func() error { return r.list(depth + 1) }
		}
		if err := read(); err != nil {
			return err
		}
		if r.rest == "" {
			return errArrayText
		}
		end := r.rest[0]
		switch r.skip(1); end {
		case '}':
			return nil
		case ',':
		default:
			return errArrayText
		}
	}
}

// skip drops n bytes, and the space behind them.
func (r *arrayReader) skip(n int) { r.rest = strings.TrimLeft(r.rest[n:], arraySpace) }

// element reads one element: in quotes or not.
func (r *arrayReader) element() error {
	if strings.HasPrefix(r.rest, `"`) {
		return r.quoted()
	}
	var b strings.Builder
	kept := 0 // up to the last byte that is no space
	escaped := false
	for i := 0; i < len(r.rest); i++ {
		c := r.rest[i]
		switch {
		case c == ',' || c == '}':
			text := b.String()[:kept]
			if r.rest = r.rest[i:]; text == "" {
				return errArrayText
			}
			r.add(text, !escaped && strings.EqualFold(text, "NULL"))
			return nil
		case c == '"' || c == '{':
			return errArrayText
		case c == '\\':
			if i++; i == len(r.rest) {
				return errArrayText
			}
			b.WriteByte(r.rest[i])
			escaped, kept = true, b.Len()
		default:
			if b.WriteByte(c); strings.IndexByte(arraySpace, c) < 0 {
				kept = b.Len()
			}
		}
	}
	return errArrayText
}

// quoted reads an element in quotes.
func (r *arrayReader) quoted() error {
	var b strings.Builder
	for i := 1; i < len(r.rest); i++ {
		switch c := r.rest[i]; c {
		case '"':
			r.skip(i + 1)
			r.add(b.String(), false)
			return nil
		case '\\':
			if i++; i < len(r.rest) {
				b.WriteByte(r.rest[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return errArrayText
}

func (r *arrayReader) add(text string, null bool) {
	if null {
		r.elements = append(r.elements, nil)
		return
	}
	r.elements = append(r.elements, &text)
}
