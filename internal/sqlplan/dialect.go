package sqlplan

// Dialect is what the rules need to know of a server's SQL. Implementations
// are immutable and safe for concurrent use.
type Dialect interface {
	// Parse translates a text. It returns an error if the text cannot be read;
	// the planner then looks for protected names with Words.
	Parse(text string) (*Script, error)

	// Words calls yield with every identifier-like word and every string
	// constant of the text, unquoted and unescaped, as far as the text can be
	// scanned; ok is false if some of it could not be.
	Words(text string, yield func(word string)) (ok bool)

	// Obscured reports whether the text may spell a name in a way that a
	// case-insensitive search of its bytes does not find (escapes, doubled
	// quotes).
	Obscured(text string) bool

	// SameTable and SameColumn compare names as the server does.
	SameTable(a, b string) bool
	SameColumn(a, b string) bool

	// Quote writes a name so that the server reads exactly that name.
	Quote(name string) string

	// Bytes writes a constant of bytes.
	Bytes(b []byte) string

	// Placeholder writes the n-th placeholder (1-based).
	Placeholder(n int) string

	// NumberedPlaceholders is true if placeholders carry numbers and may be
	// repeated ($1), false if each stands for itself in order (?).
	NumberedPlaceholders() bool

	// SealCast is what is written before and after a placeholder that carries a
	// sealed value of the column, where the server would infer its type from
	// what is around it ("" and "::bytea").
	SealCast(c *Column) (before, after string)

	// DocumentCast is what is written after a placeholder that carries a JSON document for
	// a column of the type, where the server does not take its type from there ("::jsonb").
	DocumentCast(columnType string) string

	// DocumentText writes the text at a path of members of a document; columnType is its
	// type. It is empty for keys that cannot be written.
	DocumentText(document, columnType string, keys []string) string

	// ScalarOfDocument is what is written in the place of JSON_VALUE, and of the parenthesis
	// that closes its arguments, where it does not show every ciphertext; both are empty
	// where it does.
	ScalarOfDocument() (before, after string)

	// KeyCast is what is written after a placeholder in a select list that
	// carries a value of the column ("::bigint").
	KeyCast(c RelationColumn) string

	// ExactText is what is written before and after an expression of the type so
	// that it is read as text which no setting of the base driver changes, both
	// empty if the base driver reads every value of the type as it is.
	ExactText(columnType string) (before, after string)

	// AllRows is the clause by which a SELECT returns every row whatever the
	// session's settings say, empty if none limits it. It comes before LockClause.
	AllRows() string

	// StoredAs is what is written before and after a value that is compared with a
	// column of the type, so that it equals what the column holds after it was stored
	// there; both are empty where the comparison converts as storing does.
	StoredAs(columnType string) (before, after string)

	// LockedKeyIs is the operator that compares a row key with that of a locked row,
	// beside the statement's own condition, whose meaning it must not change.
	LockedKeyIs() string

	// Exactly is what is written before and after a column and a value, so that the two
	// are equal only if the column holds just that value; ok is false where they cannot be
	// compared so.
	Exactly(c RelationColumn) (before, after string, ok bool)

	// Fails is a condition that ends the statement with an error wherever it is
	// evaluated. column is a column of a row at hand.
	Fails(column string) string

	// InIsEqual reports whether IN compares a column of the type with values as its
	// equality does, whatever values stand together in the list.
	InIsEqual(columnType string) bool

	// LockClause is appended to a SELECT that locks the rows of the alias;
	// rekey is true if the statement will change the row key.
	LockClause(alias string, rekey bool) string

	// Evaluate returns the text that yields rows rows of the columns'
	// defaults, or "" if the dialect lets the server make keys during INSERT.
	Evaluate(r *Relation, columns []RelationColumn, rows int) string

	// DefaultOf writes the default that the server evaluates for a column, as the column
	// stores it; "" if it is known during INSERT only.
	DefaultOf(r *Relation, c RelationColumn) string

	// StoredCast is what is written after a value so that it becomes what the column would
	// store of it, as the expression of a generated column sees it; empty if no cast does that.
	StoredCast(c RelationColumn) string

	// Assigned is what is written before and after an expression that the server computes
	// for a column, so that it yields what the column stores; a text that is too long is
	// not cut.
	Assigned(c RelationColumn) (before, after string)

	// GivesDefault reports whether a whole number that stands as a column's default
	// may be taken as if the statement gave it.
	GivesDefault() bool

	// ValuesSeeRow is true if an expression of VALUES may name the row's other
	// columns (MySQL).
	ValuesSeeRow() bool

	// SameType reports whether a value cast to castType keeps its identity
	// when it is stored in or compared with a column of columnType.
	SameType(castType, columnType string) bool

	// LiteralFits reports whether a column of columnType that compares equal to a
	// literal of that kind holds just that value (MySQL compares a text
	// column with a number as numbers).
	LiteralFits(kind LiteralKind, columnType string) bool

	// ZeroIsGiven is false if the server makes a key of its own in place of 0 (MySQL
	// without NO_AUTO_VALUE_ON_ZERO).
	ZeroIsGiven() bool
	// NullIsLastKey is true if IS NULL of a column that the server counts up finds, once,
	// the row that was inserted last (MySQL with sql_auto_is_null).
	NullIsLastKey() bool

	// LooseLiterals is true if TRUE is 1, bits are a number in a number's place, and a
	// number with an exponent is a floating-point number (MySQL).
	LooseLiterals() bool

	// ExactAliasLists is true if a column alias list must name every column
	// of a derived table or CTE (MySQL).
	ExactAliasLists() bool

	// Measure is what a function of that name, in lower case, counts of a string, or of
	// bytes. It is MeasureNone if there is no such function.
	Measure(function string, bytes bool) Measure

	// SystemColumn reports whether every table has a column of this name that
	// SELECT * does not show (ctid, xmin).
	SystemColumn(name string) bool

	// FieldCalls is true if table.f, for a table without a column f, calls the
	// function f with the whole row (Postgres).
	FieldCalls() bool

	// StrictGroups is true if the server refuses a column that is not
	// determined by GROUP BY; else it picks one from any row of the group.
	StrictGroups() bool

	// SetsInOrder is true if an assignment of UPDATE sees what those before it
	// assigned (MySQL), false if all see the row as it was.
	SetsInOrder() bool

	// PreservedSideFirst is true if a star over a join with USING or NATURAL shows the
	// side whose rows are all kept first, and the shared columns in that side's
	// order (MySQL); else the left side comes first, and the shared columns are in
	// the order of USING.
	PreservedSideFirst() bool

	// ValuesColumn is the name of column j (0-based) of a VALUES list.
	ValuesColumn(j int) string

	// TypedNull writes a NULL of a type as the catalog names it.
	TypedNull(columnType string) string

	// NameByText is the name of a column of a select list that has no alias, where the
	// server names it by the text of its expression (MySQL), with a mark in place of
	// each value; ok is false where the server does not, and where the text cannot be read.
	NameByText(text string) (name string, ok bool)

	// RunsSQL reports whether the function runs SQL text given as an argument.
	RunsSQL(function string) bool

	// BuiltinSchema reports whether the server's own functions lie in the schema.
	BuiltinSchema(schema string) bool

	DefiningDialect
}

// DefiningDialect is what the rules need to know of a server's DDL.
type DefiningDialect interface {
	// StorageType is the type of a column that holds the ciphertexts of c.
	StorageType(c *Column) string

	// Stores reports whether a column of the type, named in lower case without its
	// modifiers, of which size is the first number, holds the ciphertexts of c.
	Stores(c *Column, typeName string, size int) bool

	// Converts reports whether the server changes a column of the type to the
	// StorageType of c, and keeps the values that it holds.
	Converts(c *Column, typeName string) bool

	// TermType is the type of a column that holds terms.
	TermType(t *Term) string

	// ClearDefault is DEFAULT's value for a column of the StorageType of c that holds text.
	// alter is true for SET DEFAULT.
	ClearDefault(c *Column, text string, alter bool) string

	// ClearText is the text that a default of the catalog makes, if it is a constant.
	ClearText(def string) (text string, ok bool)

	// KeyName is how the server names an index over columns of the table that has no
	// name of its own; empty where it is uncertain.
	KeyName(table string, columns []string, constraint bool) string

	// NameKey is what is written at NameAt of a key to name it.
	NameKey(key *DefinedKey, name string) string

	// KeyClause is a unique or primary key over a column, as an element of CREATE TABLE.
	KeyClause(name string, primary bool, column string) string

	// Nothing is a statement without an effect.
	Nothing() string
}
