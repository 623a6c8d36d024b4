package driver

import (
	"strings"

	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Sends reports whether sealsql may send text for the statement. Literals of protected
// columns may be any ciphertext or NULL. A statement that is carried out row by row may
// be for any number of rows.
func (x *Explanation) Sends(text string) bool {
	for _, s := range x.Steps {
		if s.SQL == text {
			return true
		}
	}
	if !x.Protected {
		return false
	}
	if r, ok := x.plan().Route.(*sqlplan.RowByRow); ok {
		// The text grows with the rows.
		for rows, length := 2, 0; rows <= r.Tables[0].MaxRows && length <= len(text); rows++ {
			t := r.Build(rows).Text
			if t == text {
				return true
			}
			length = len(t)
		}
		return text == r.Empty().Text
	}
	return x.inlined(&x.plan().Main, text)
}

// inlined reports whether text is the template with literals in its holes.
func (x *Explanation) inlined(t *sqlplan.Template, text string) bool {
	for p := range t.Pieces() {
		if !p.Hole() {
			rest, ok := strings.CutPrefix(text, p.Text)
			if !ok {
				return false
			}
			text = rest
			continue
		}
		n := 0
		if p.Literal && p.Arg.Kind == sqlplan.ArgSeal {
			n = x.literalLength(text)
		}
		if n == 0 {
			return false
		}
		text = text[n:]
	}
	return text == ""
}

// literalLength is the length of the literal at the start of text if it is
// NULL or holds a ciphertext; else 0.
func (x *Explanation) literalLength(text string) int {
	if strings.HasPrefix(text, "NULL") {
		return len("NULL")
	}
	b, n := x.server.ReadLiteral(text)
	if !seal.Sealed(b) {
		return 0
	}
	return n
}
