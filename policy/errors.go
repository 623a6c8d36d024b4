package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrInvalid is what every error about a policy's content wraps.
var ErrInvalid = errors.New("policy is not valid")

// Mistake is one mistake of a policy.
type Mistake struct {
	File         string
	Line, Column int    // 1-based; 0 if the file as a whole is meant
	Path         string // such as tables.accounts.columns.ssn.context
	What, Hint   string
}

// Error implements error.
func (m Mistake) Error() string {
	at := m.File
	if m.Line > 0 {
		at = fmt.Sprintf("%s:%d:%d", m.File, m.Line, m.Column)
	}
	if m.Path != "" {
		at += ": " + m.Path
	}
	if m.Hint == "" {
		return at + ": " + m.What
	}
	return at + ": " + m.What + "; " + m.Hint
}

// Unwrap returns [ErrInvalid].
func (m Mistake) Unwrap() error { return ErrInvalid }

// Mistakes are all the mistakes of a policy, in the order of the file. It is
// what [Load] and [Parse] return.
type Mistakes []Mistake

// Error implements error.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, x := range m {
		lines[i] = x.Error()
	}
	return "policy: " + strings.Join(lines, "\npolicy: ")
}

// Unwrap returns [ErrInvalid].
func (m Mistakes) Unwrap() error { return ErrInvalid }

func (m Mistakes) sort() {
	slices.SortStableFunc(m, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
