package equality

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Normalisers are applied to a value's plain text one after the other before its term is
// made. The zero value changes nothing: values are then equal byte by byte.
type Normalisers struct {
	names []string
	steps []func([]byte) []byte
}

// maxCharacters bounds N in "first N" and "last N".
const maxCharacters = 1000

// Parse reads normalisers as a policy writes them:
//
//	nfkc      Unicode's normalisation form KC (UAX #15)
//	casefold  full case folding (Unicode, section 3.13); after nfkc, the result is in form KC again
//	trim      white space (Unicode's White_Space) at both ends goes
//	digits    every character but 0 to 9 goes
//	first N   the first N characters; last N the last
//
// No normaliser may stand twice.
func Parse(names []string) (Normalisers, error) {
	var n Normalisers
	kc := false
	for _, name := range names {
		if slices.Contains(n.names, name) {
			return n, fmt.Errorf("duplicate normaliser %s; remove one", name)
		}
		var step func([]byte) []byte
		switch name {
		case "nfkc":
			step, kc = norm.NFKC.Bytes, true
		case "casefold":
			if step = foldCase; kc {
				step = foldCompatible
			}
		case "trim":
			step = func(b []byte) []byte { return bytes.TrimFunc(b, unicode.IsSpace) }
		case "digits":
			step = digits
		default:
			var err error
			if step, err = part(name); err != nil {
				return n, err
			}
		}
		n.names, n.steps = append(n.names, name), append(n.steps, step)
	}
	return n, nil
}

// String is the normalisers as the policy writes them, joined by a comma.
func (n Normalisers) String() string { return strings.Join(n.names, ",") }

// FoldCase reports whether values that differ in case alone have one term.
func (n Normalisers) FoldCase() bool { return slices.Contains(n.names, "casefold") }

// Apply normalises a text. It does not change b; the result may be b itself.
func (n Normalisers) Apply(b []byte) []byte {
	for _, step := range n.steps {
		b = step(b)
	}
	return b
}

func foldCase(b []byte) []byte { return cases.Fold().Bytes(b) }

// foldCompatible folds until case folding and form KC agree: folding may leave what
// KC composes, and what KC makes may fold once more.
func foldCompatible(b []byte) []byte {
	for range 4 { // Unicode's texts settle at the second round
		next := norm.NFKC.Bytes(foldCase(b))
		if bytes.Equal(next, b) {
			break
		}
		b = next
	}
	return b
}

func digits(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if c >= '0' && c <= '9' {
			out = append(out, c)
		}
	}
	return out
}

// part reads "first N" and "last N".
func part(name string) (func([]byte) []byte, error) {
	what, number, _ := strings.Cut(name, " ")
	count, err := strconv.Atoi(number)
	if what != "first" && what != "last" {
		return nil, fmt.Errorf("unknown normaliser %q; write nfkc, casefold, trim, digits, first N or last N", name)
	}
	if err != nil || count < 1 || count > maxCharacters || strconv.Itoa(count) != number {
		return nil, fmt.Errorf("normaliser %q needs a number of characters from 1 to %d, as in %q", name, maxCharacters, what+" 4")
	}
	return func(b []byte) []byte {
		if what == "first" {
			return b[:advance(b, count)]
		}
		return b[advance(b, max(0, utf8.RuneCount(b)-count)):]
	}, nil
}

// advance is the offset of the character with the given index.
func advance(b []byte, characters int) int {
	at := 0
	for ; characters > 0 && at < len(b); characters-- {
		_, n := utf8.DecodeRune(b[at:])
		at += n
	}
	return at
}
