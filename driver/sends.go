package driver

import (
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Sends reports whether text is one that sealsql sends for the statement:
// literals of protected columns may be any ciphertext or NULL in it, and what is
// carried out row by row may be for any number of rows.
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
		return text == r.Empty.Text
	}
	return inlined(x.plan().Main.Pieces, text)
}

// inlined reports whether text is the pieces with literals in their holes.
func inlined(pieces []sqlplan.Piece, text string) bool {
	for _, p := range pieces {
		if p.Arg == nil {
			rest, ok := strings.CutPrefix(text, p.Text)
			if !ok {
				return false
			}
			text = rest
			continue
		}
		n := 0
		if p.Literal && p.Arg.Kind == sqlplan.ArgSeal {
			n = literalLength(text)
		}
		if n == 0 {
			return false
		}
		text = text[n:]
	}
	return text == ""
}

// literalLength is the length of the literal at the start of text if it is
// NULL or holds a ciphertext as a server spells it; else 0.
func literalLength(text string) int {
	if strings.HasPrefix(text, "NULL") {
		return len("NULL")
	}
	open := strings.IndexByte(text, '\'')
	if open < 0 || open > 1 {
		return 0
	}
	end := strings.IndexByte(text[open+1:], '\'')
	if end < 0 {
		return 0
	}
	body, n := text[open+1:open+1+end], open+1+end+1
	var raw []byte
	var err error
	switch {
	case text[:open] == "x":
		raw, err = hex.DecodeString(body)
	case text[:open] == "E" && strings.HasPrefix(body, `\\x`) && strings.HasPrefix(text[n:], "::bytea"):
		raw, err = hex.DecodeString(body[3:])
		n += len("::bytea")
	default:
		raw, err = base64.StdEncoding.DecodeString(body)
	}
	if err != nil || !seal.Sealed(raw) {
		return 0
	}
	return n
}
