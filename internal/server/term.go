package server

// TermColumn is a column of equality terms that a policy asks for.
type TermColumn struct {
	// Schema is empty for the table that the session finds.
	Schema, Table, Column string
	Size                  int  // of a term in bytes, as it is stored
	Text                  bool // base64
	Unique                bool // the values are unique
}

// IndexName is the name of the column's index.
func (t TermColumn) IndexName() string { return t.Table + "_" + t.Column }
