package server

// Violation is what an error of a server's says of the constraint that a write
// violated: a unique key, or a column's NOT NULL.
type Violation struct {
	// Schema and Table are empty where the server does not name the table.
	Schema, Table string
	// Key is the unique key, Column the column that takes no NULL; one of them is set.
	Key, Column string
	// Columns are the columns of Key, if the server names them.
	Columns []string
	// Naming returns the error with a fact added to its text. Where the error names the
	// column by itself, it names column instead. Type and code of the error stay.
	Naming func(column, fact string) error
}

// Adding returns an error whose text is that of err and the fact. If err is the base
// driver's own error, first, it returns own: applications assert its type. Else err is
// wrapped.
func Adding(err, first, own error, fact string) error {
	if err == first {
		return own
	}
	return &added{err, fact}
}

type added struct {
	error
	fact string
}

// Error implements error.
func (a *added) Error() string { return a.error.Error() + a.fact }

// Unwrap returns the error beneath.
func (a *added) Unwrap() error { return a.error }
