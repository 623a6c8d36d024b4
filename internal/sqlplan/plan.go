// Package sqlplan decides what sealsql does with one SQL text.
//
// Words of this package:
//
//	site      a place where the text of a statement may grow ([Template] has the result)
//	route     how a plan is carried out ([Route])
//	source    a column that values are bound to: it enters encryption contexts
//	pin       a source that a condition fixes for every row it holds for
//	lineage   where a value of a query comes from: a row's column, the text, nothing known
//
// It answers, once for each text: which parameter or literal lands in which
// protected column of which row, where the values of that row's encryption
// context come from, and which result columns show protected values. The
// dialect packages below it translate a syntax tree into this package's
// statements; names, scopes, lineage and the rules are here, free of dialect.
//
// The package promises that a text it does not fully understand, and that
// touches a protected table, yields a [*Refusal] and no plan. It never sees an
// argument's value and never sends anything.
package sqlplan

import (
	"iter"
	"slices"
)

// Span is a range of bytes [Start, End) of a statement's original text.
type Span struct{ Start, End int }

// Plan is what the analysis of one SQL text yields. It is immutable and safe
// for concurrent use; connections share it.
type Plan struct {
	// Protected is false for a text that touches nothing the policy names:
	// the driver then sends it untouched, and every other field is empty.
	Protected bool

	// Named is true if a protected name may occur in the text, whether or not
	// it means a protected table.
	Named bool

	// Session is true for a text that changes what later texts of the same
	// connection mean: its search path, its role, its sql_mode.
	Session bool

	// Doubt is true for a text after which the session may have other settings, or
	// names other meanings: it sets some, or runs what the text does not show.
	Doubt bool

	// Locks is true for a text after which the session may hold table locks (LOCK
	// TABLES), Unlocks for a text that gives up all of them.
	Locks, Unlocks bool

	// Once is true for a text that sets what the next transaction alone has (SET
	// TRANSACTION).
	Once bool

	// UserParams is how many arguments the user passes (driver.Stmt's
	// NumInput), or -1 when the text does not show it.
	UserParams int

	// Main is the text to send. It is empty for the route [*RowByRow].
	Main Template

	// Seals are the values that Main's arguments refer to. The route
	// [*RowByRow] has its own.
	Seals Seals

	// Results describes the result sets in the order in which the server
	// returns them. It is empty if the text returns no protected value and
	// has no hidden column.
	Results []ResultSet

	// Route says how the plan is carried out. It is never nil.
	Route Route

	RelationUse

	// ReadOnly is true if the text consists of plain SELECTs, so that it may
	// be sent again after the catalog was found stale.
	ReadOnly bool
}

// RelationUse is what a plan takes for granted of relations, and changes of them.
type RelationUse struct {
	// Version is that of the catalog when the text was planned.
	Version uint64

	// Implied are the relations whose columns the text names by their order
	// alone: it means what the plan says only if that order still holds.
	Implied []*Relation

	// Asked lists what the catalog was asked for, where the text shows a value and hides
	// its row: whether that is refused rests on it.
	Asked []Asked

	// Attaches are relations that hold rows of a protected table once the text was
	// carried out: partitions and inheritance children that it makes.
	Attaches []Attached

	// Defines is true for a text that changes what relations are: nothing that was known
	// of tables holds once it was sent.
	Defines bool

	// Excludes is true for a text that may have locked relations, until its transaction
	// ends, against others that ask what they are.
	Excludes bool

	// LeftOut are the parts of DDL that are not sent, since they mean nothing over
	// ciphertexts.
	LeftOut []LeftOut
}

// Route is how a plan is carried out: [Direct], [*RowByRow], [*ServerKey] or
// [*KeyChecks].
type Route interface{ route() }

// Direct sends Main and nothing else.
type Direct struct{}

func (Direct) route()     {}
func (*RowByRow) route()  {}
func (*ServerKey) route() {}
func (*KeyChecks) route() {}

// AllSeals lists every value that the plan seals, on whatever route. A seal must not be
// changed, nor kept beyond the iteration.
func (p *Plan) AllSeals() iter.Seq[*Seal] {
	return func(yield func(*Seal) bool) {
		lists := []*Seals{&p.Seals}
		if r, ok := p.Route.(*RowByRow); ok {
			for _, t := range r.Tables {
				lists = append(lists, &t.Seals)
			}
		}
		for _, list := range lists {
			for _, s := range list.All() {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// unprotected is the plan of a text that touches nothing the policy names.
func unprotected(params int, named bool) *Plan {
	return &Plan{UserParams: params, Named: named, Route: Direct{}}
}

// Seal is one value of one protected column of one row.
type Seal struct {
	Table *Table
	// Schema is what the text names for a table that the policy means in every
	// schema; "" is the schema that the session finds.
	Schema string
	Column *Column
	Value  Operand
	// Sources are the values of Table.Sources for the row, in that order.
	// Entries that Column's context does not use may be zero; for a term, those that
	// Column.Term.Sources does not list.
	Sources []Operand
	// Term is set if the value's equality term is sent, not its ciphertext.
	Term TermUse
	// Compared is true for a term of a value that the column is compared with: a
	// server may compare text and a number as numbers.
	Compared bool
	// NotNull is true for a term in the place of which the server would store an empty one
	// if the value is NULL.
	NotNull bool
}

// RowsDiffer reports whether the value is each element of an array, and belongs to another row
// for each.
func (s *Seal) RowsDiffer() bool {
	return slices.ContainsFunc(s.Sources, func(o Operand) bool { return o.Kind == OperandEach || o.Kind == OperandServer })
}

// AwaitsKey reports whether the row's key, or another source, is one that the server makes.
func (s *Seal) AwaitsKey() bool {
	return slices.ContainsFunc(s.Sources, func(o Operand) bool { return o.Kind == OperandServer })
}

// OperandKind says what stands for a value in the text.
type OperandKind uint8

// The kinds of operand.
const (
	OperandNone    OperandKind = iota
	OperandParam               // the user's argument Param (0-based)
	OperandLiteral             // Literal
	OperandNull                // NULL
	OperandServer              // made by the server: entry Param of ServerKey.Columns
	OperandStored              // what the row holds already: entry Param of Table.Sources (row by row)
	// OperandEach is each element of the user's argument Param, an array: an array of as many
	// values is sent. A seal whose value is such has a source of this kind for what belongs to
	// the same element, and other kinds for what belongs to all of them.
	OperandEach
)

// Argument returns the user's argument that gives the value, or the values, of the operand.
func (o *Operand) Argument() (param int, ok bool) {
	return o.Param, o.Kind == OperandParam || o.Kind == OperandEach
}

// Operand is what stands for a value in the text.
type Operand struct {
	Kind OperandKind
	// NotZero is set for a row key for which the server makes a value of its
	// own if it is given 0 or NULL (MySQL's AUTO_INCREMENT): such a value must
	// be refused.
	NotZero bool
	// Written is set for a value that the statement puts into the source column. A
	// value that the server would change (round, cut, pad) must be refused.
	Written bool
	// Sought is set for a value that the source column must equal for the value to be written:
	// if it is NULL, no row is.
	Sought bool
	// At is the offset of a literal in the text, from 1, or 0 for a value that the text
	// does not show.
	At    int32
	Param int
	// Row is the row of the statement, from 0, for OperandServer.
	Row     int
	Literal Literal
	// NullIf is set for a value that is NULL if it equals a literal: NULLIF(?, '').
	NullIf *NullIf
	// Of is set for a source that is the term of a protected column: the operand gives
	// that column's value.
	Of *Column
}

// NullIf is a literal whose equal is NULL. Loose equality takes no notice of case and of
// spaces at the end.
type NullIf struct {
	Literal Literal
	Loose   bool
}

// LiteralKind is the type of a literal as the text spells it.
type LiteralKind uint8

// The kinds of literal.
const (
	LiteralString  LiteralKind = iota + 1 // Text is the string's value, unescaped
	LiteralInteger                        // Text is decimal digits with an optional minus sign
	LiteralDecimal                        // Text is as written
	LiteralFloat                          // Text is as written
	LiteralBool                           // Text is "true" or "false"
	LiteralBytes                          // Text holds the raw bytes
	LiteralBits                           // the same; in a number's place they are a number
)

// Literal is a literal's value.
type Literal struct {
	Kind LiteralKind
	Text string
}

// ResultSet describes the columns of one result set as the server returns it.
type ResultSet struct {
	Columns []ResultColumn
	// AnyCase is true if names of columns that differ in case alone are one.
	AnyCase bool
	// Protected is true if a column shows a protected value or is hidden.
	Protected bool
	// Filters drop the rows that short terms find beside those that are searched for.
	Filters []Filter
	// Page says which of the rows that stay are handed out, if it is not nil.
	Page *Page
}

// Page is LIMIT and OFFSET of a result whose rows are filtered. An operand that is NULL
// limits nothing.
type Page struct{ Count, Offset Operand }

// Filter drops rows whose value is not one of those that are searched for.
type Filter struct {
	// Column is the index of the result column that shows the value.
	Column int
	// Seals are the indexes in Plan.Seals of the values searched for. The row stays if
	// its value, normalised, equals one of them.
	Seals []int
}

// ResultColumn is one column that the server returns.
type ResultColumn struct {
	// Name is the expected name, or "" where the server makes it up. It is
	// compared with what arrives, so that a table that changed shape since
	// the plan was made is noticed.
	Name string
	// Shown is the name that the driver shows in place of the server's, or "". The user's
	// name of the column holds values, which the server is not told.
	Shown string
	// Hidden columns were added by the plan and are stripped.
	Hidden bool
	// Protected is set for a column that shows a protected value.
	Protected *ResultProtected
}

// ResultProtected says whose value a result column shows.
type ResultProtected struct {
	Table *Table
	// Schema is as in [Seal].
	Schema string
	Column *Column
	// Sources are the indexes, among the server's columns, of the values of
	// Table.Sources for the row; -1 where the result does not show one.
	Sources []int
	// Unverifiable is true if a source that Column's context needs is -1: the
	// policy says what happens.
	Unverifiable bool
	// Term is the index, among the server's columns, of the stored term that the opened
	// value is held to; -1 if it is not shown.
	Term int
	// InPlace is what is shown in place of NULL: COALESCE of the column and a literal. It
	// is nil for NULL.
	InPlace *Literal
	// Measure is what is shown of the value.
	Measure Measure
}

// RowByRow carries out an UPDATE whose rows are known only after they were
// read. Each table's Lock is sent first, within the transaction that the text
// of Build runs in.
type RowByRow struct {
	// Tables are the protected tables that the statement writes.
	Tables []*LockedTable
	// Build returns the text and the arguments that write the given number of
	// rows of each of Tables. ArgKey and ArgRowSeal refer to the rows in the
	// order in which Lock returned them.
	Build func(rows ...int) Template
	// Guarded is another way to carry out the statement, which locks nothing; nil if there
	// is none.
	Guarded *Guarded
	// Counted is true if the server reports every row that the text of Build
	// writes, once. CountsChanges is true if rows to which a value is written
	// that they hold already, NULL, are not among them.
	Counted, CountsChanges bool

	writes []*updating // of Tables, while the text is planned
	text   *draftText
}

// Empty returns the text that writes nothing but returns what the server returns for a
// statement that hits no row (command tag, columns of RETURNING).
func (r *RowByRow) Empty() Template { return r.Build() }

// LockedTable is one protected table of a [RowByRow].
type LockedTable struct {
	Table *Table
	// Lock returns, for each row to be written: the values of Table.RowKey,
	// then of Table.Sources, then the stored values of the columns in Old.
	Lock Template
	// Old are the protected columns whose stored value is opened and sealed
	// again because the statement changes a source of their context.
	Old []*Column
	// Seals are the values to seal for each row. OperandStored sources are
	// taken from what Lock returned; a Value of kind OperandStored means the
	// opened old value of Column.
	Seals Seals
	// MaxRows is the policy's limit.
	MaxRows int
	// Count returns the text that counts the rows whose keys are those of the first
	// rows that Lock returned. Another number means that a key, as it is sent, is not
	// the key that was read.
	Count func(rows int) Template
	// Rekeys is true if the statement changes the row key.
	Rekeys bool
}

// Column is the column that entry i of what Lock returns holds.
func (t *LockedTable) Column(i int) string {
	return t.Table.Sources[t.Table.Source(i)]
}

// Source is the source that entry i of what a table's Lock returns holds: the row key comes
// first, and then all sources.
func (t *Table) Source(i int) int {
	if keys := len(t.RowKey); i >= keys {
		return i - keys
	}
	return i
}

// ServerKeyMode is how a server-made row key becomes known.
type ServerKeyMode uint8

// The modes.
const (
	// ServerKeyEvaluate: Evaluate returns a row for each row to be inserted
	// with the defaults of Columns; Main takes them as ArgServer arguments.
	ServerKeyEvaluate ServerKeyMode = iota + 1
	// ServerKeyInsertThenSeal: Main inserts with placeholders, the first
	// row's key is the result's LastInsertId, later rows follow by the
	// session's auto-increment step (or Main returns each key), and Update seals
	// each, all in one transaction.
	ServerKeyInsertThenSeal
	// ServerKeyReserve: Reserve inserts the rows with fillers and is undone. Main
	// inserts them under the keys that the server made for it, as ArgServer
	// arguments: nothing in the table sees another statement.
	ServerKeyReserve
	// ServerKeyFillThenSeal: Main writes the rows with fillers in the place of values.
	// Filled finds the rows and has the values put there.
	ServerKeyFillThenSeal
)

// InsertedRows says how many rows an INSERT inserts: Rows, or as many as the longest of the
// arguments Arrays has elements, if they are not nil.
type InsertedRows struct {
	Rows   int
	Arrays []int
}

// ServerKey carries out an INSERT whose row key the server makes.
type ServerKey struct {
	Mode    ServerKeyMode
	Table   *Table
	Columns []string
	// MayInsertNone is true if the statement may insert no row, or change
	// another (REPLACE, INSERT IGNORE, upserts): Update then hits no row.
	MayInsertNone bool
	InsertedRows
	// Evaluate is the text that returns Rows rows of the Columns' defaults.
	Evaluate Template
	// Reserve is the text whose keys Main uses.
	Reserve Template
	// Update writes the sealed values of one row: ArgRowSeal arguments (Index
	// into Plan.Seals; Row is 0) and ArgServer for the key.
	Update []Template
	// UpdateRow gives, for each entry of Update, the row it belongs to.
	UpdateRow []int
	// Returning is true if Reserve has a RETURNING clause (MariaDB): the keys are
	// then in column Returned of its result, a row for each row inserted.
	Returning bool
	Returned  int
	// Checks, for ServerKeyEvaluate, reads the rows that an upsert wrote; nil if it need
	// not.
	Checks *KeyChecks
	// Filled is set for ServerKeyFillThenSeal.
	Filled *Filled

	shows *column // becomes Returned
	rel   *Relation
}
