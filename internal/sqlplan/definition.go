package sqlplan

// DefinitionKind is the kind of a [Definition].
type DefinitionKind uint8

// The kinds. DefineOther is judged by its Names and by the expressions in its span alone.
const (
	DefineOther   DefinitionKind = iota
	DefineColumn                 // a column of CREATE TABLE or of ADD COLUMN
	DefineChange                 // MODIFY, CHANGE, ALTER COLUMN … TYPE
	DefineDefault                // ALTER COLUMN … SET DEFAULT
	DefineKey                    // an index, a unique constraint, a primary key
	DefineDrop                   // DROP COLUMN
	DefineDropKey                // DROP INDEX of the name in Key
)

// Defining is what a UtilityDefine does to its first relation.
type Defining struct {
	// Definitions are the parts that make or change the relation.
	Definitions []*Definition
	// Altered is true if the relation is there before the statement.
	Altered bool
	// Indexes are the names of indexes that a statement drops which names no relation;
	// IfExistsAt is the offset where IF EXISTS goes.
	Indexes    []string
	IfExistsAt int
	// Excludes is true for a statement of another kind that may lock relations against all
	// others until its transaction ends, or runs what may.
	Excludes bool
}

// Definition is a part of a [Utility] that defines: an element of CREATE TABLE, an
// action of ALTER TABLE, an index.
type Definition struct {
	Span // without the comma
	Kind DefinitionKind
	// Names are the columns that the server works with: keys, computed values, defaults
	// that are not NULL.
	Names []string
	// Column is the column of the kinds that concern one, Key the index of DefineDropKey.
	Column, Key string
	// Renamed is a column's old name and its new one, if there is one.
	Renamed []string
	// Verb is what stands before a further column of the kind, "ADD COLUMN " or "DROP
	// COLUMN IF EXISTS "; empty in the list of CREATE TABLE.
	Verb string
	// Type is the column's type with its modifiers, TypeName its name in lower case
	// without them, Size the first number among them.
	Type     Span
	TypeName string
	Size     int
	// OfType are clauses that fit the type as it is written and no other: COLLATE,
	// CHARACTER SET, USING.
	OfType  []Span
	Default *DefinedDefault
	// Keys are the keys of the column's own clauses, or the one of a DefineKey.
	Keys []DefinedKey
	// Unknown is the first word of a clause that is not carried over to a protected
	// column; empty if there is none.
	Unknown string
}

// DefinedDefault is a DEFAULT clause.
type DefinedDefault struct {
	Span     // of the value
	Null     bool
	Constant bool // Literal is the value
	Literal  Literal
}

// DefinedKey is an index or a constraint over columns.
type DefinedKey struct {
	Span
	Unique, Primary bool
	// Name is empty for a key that the server names. NameAt is the offset where a name
	// may be written; it is negative where none may.
	Name   string
	NameAt int
	Parts  []KeyPart
	// Included are the columns of INCLUDE.
	Included []string
	// Special is true for an index that is not a tree or a hash: FULLTEXT, USING gin.
	Special bool
	// Alone is true for CREATE INDEX, whose span is the statement.
	Alone bool
}

// KeyPart is one column or expression of a key.
type KeyPart struct {
	// Span is the part without ASC, DESC and NULLS FIRST.
	Span
	// Column is empty for an expression. Lowered is true for lower(Column).
	Column  string
	Lowered bool
	// Reads are the names in the part.
	Reads []string
}

// LeftOut is a part of a statement that is not sent.
type LeftOut struct {
	Object string // a protected column
	What   string
}
