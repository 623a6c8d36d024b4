package sqlplan

import "fmt"

// Refusal says why a statement is not sent. Its text holds no argument, no
// literal and no row-key value.
type Refusal struct {
	// Line and Column are 1-based, in bytes, in the user's text; 0 if the
	// refusal concerns the text as a whole.
	Line, Column int
	// Object is the protected "table.column" or "table" concerned, if known.
	Object string
	// What is refused, and Hint is what to do instead.
	What, Hint string
	// Asked lists what the catalog was asked for before the text was refused. The
	// refusal rests on it: it stands as long as the catalog would answer the same.
	Asked []Asked
	// Apart, if it is not nil, are the statements of the text, of which each might be
	// carried out by itself. The refusal is that they are sent as one text.
	Apart *Apart
}

// Apart are the statements of a text, which mean the same if they are sent one after the other.
type Apart struct {
	Texts []string
	// OneTransaction is true if the server runs them in one transaction, which they do not
	// begin themselves.
	OneTransaction bool
	// Ask is a text of several statements that does nothing. A server that does not take
	// it does not take theirs. It is empty for a server that takes such texts.
	Ask string
}

// Asked is a relation that the catalog was asked for; nil if there was none.
type Asked struct {
	Schema, Name string
	Relation     *Relation
}

// Error implements error.
func (r *Refusal) Error() string {
	var at string
	if r.Line > 0 {
		at = fmt.Sprintf(" at %d:%d", r.Line, r.Column)
	}
	var of string
	if r.Object != "" {
		of = " (" + r.Object + ")"
	}
	if r.Hint == "" {
		return fmt.Sprintf("%s%s%s", r.What, of, at)
	}
	return fmt.Sprintf("%s%s%s; %s", r.What, of, at, r.Hint)
}

// Refuse returns a refusal of what stands at the byte offset off of text; a
// negative off concerns the text as a whole.
func Refuse(text string, off int, object, what, hint string) *Refusal {
	r := &Refusal{Object: object, What: what, Hint: hint}
	if off < 0 || off > len(text) {
		return r
	}
	r.Line, r.Column = 1, 1
	for _, c := range []byte(text[:off]) {
		if c == '\n' {
			r.Line++
			r.Column = 0
		}
		r.Column++
	}
	return r
}
