package sqlplan

// Term describes the equality term that lies beside a protected column: a keyed hash of
// the column's value, in a column of its own. Applications do not see that column: it
// is in no star and in no INSERT without a column list, and a text that names it is
// refused.
type Term struct {
	// Column is the column of the table that holds the term.
	Column string
	// Base64 is true if the term is stored as base64 text. Size is its length in bytes as
	// it is stored.
	Base64 bool
	Size   int
	// Exact is true if equal terms mean equal normalised values.
	Exact bool
	// Folds and Trims say what the normalisers do to letters and to white space at the
	// ends: comparisons of lower(c) and trim(c) are comparisons of terms.
	Folds, Trims bool
	// Scope is equal for columns whose values share terms, so that one can be compared
	// with the other.
	Scope string
	// Sources lists the indexes in Table.Sources that the term depends on beside the
	// value. A statement must pin each by equality.
	Sources []int
	// Always is true if a row that is found by a term is opened and compared even where
	// the statement does not show the value.
	Always bool
}

// TermUse says what is sent in place of a protected value.
type TermUse uint8

// Tests reports whether what is sent compares given values with each other.
func (u TermUse) Tests() bool { return u == TermTest || u == TermTestLoose }

// The uses. The zero value sends the ciphertext.
const (
	TermUnused TermUse = iota
	TermValue          // the value's term
	// TermNull tells whether the value is NULL, and no more.
	TermNull
	// TermOther is the value's other term, for Column.Other.
	TermOther
	// TermTest tells which given values are equal as they are, before any normaliser, and
	// no more. TermTestLoose counts texts that differ in case or in spaces at the end as
	// equal.
	TermTest
	TermTestLoose
)
