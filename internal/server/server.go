// Package server holds all that sealsql knows of one family of servers, in one
// place for each: package postgres and package mysql below it implement [Server].
//
// Canonical text is the form in which the values of row-key columns enter
// encryption contexts. A column's canonical texts are one to one with the values
// that the column can hold, whatever Go type, wire format, driver setting or session
// setting a value arrives in. A value whose canonical text is uncertain is an error.
package server

import (
	"cmp"
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"
	"sync"
	"time"

	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
)

// LengthType is the type of the lengths of plaintexts.
const LengthType = "length"

// Server is one family of servers. Implementations are safe for concurrent use.
type Server interface {
	// Name is the name under which the server is registered.
	Name() string
	// Recognises reports whether connections of the driver reach such a server.
	Recognises(base sqldriver.Driver) bool

	// Session reads the settings of a connection that change how texts are
	// read, in one exchange.
	Session(ctx context.Context, db *sql.DB) (Session, error)
	// Reported reports whether s agrees with what the server said of the
	// connection's session with its last answers. It takes no exchange.
	Reported(base sqldriver.Conn, s Session) bool
	// Settled reports whether settings that were just read stay until a text
	// changes them: some servers take changes back when a transaction ends.
	Settled(base sqldriver.Conn) bool
	// Resets reports whether the connector was given a function that may change a session
	// each time that database/sql uses its connection again.
	Resets(base sqldriver.Connector) bool
	// InTransaction reports whether the connection is in a transaction that
	// database/sql does not know of (BEGIN sent as text). doubt says that the last
	// answer was an error, with which a server does not say it.
	InTransaction(ctx context.Context, base sqldriver.Conn, doubt bool) (bool, error)

	// Transaction returns the texts of a transaction of sealsql's own on the
	// connection. locked says that the session may hold table locks.
	Transaction(base sqldriver.Conn, locked bool) Transaction

	// Relation describes a relation, or returns nil if there is none.
	Relation(ctx context.Context, db *sql.DB, schema, name string) (*sqlplan.Relation, error)
	// SchemasOf lists the schemas that have a relation of the name.
	SchemasOf(ctx context.Context, db *sql.DB, name string) ([]string, error)
	// Readers lists the views that read protected columns, directly or
	// through other views.
	Readers(ctx context.Context, db *sql.DB, rules *sqlplan.Rules) ([]*sqlplan.Relation, error)

	// Attaching reports whether a transaction may be open that makes a relation a partition or
	// a child of a table of the name.
	Attaching(ctx context.Context, db *sql.DB, parent string) (bool, error)

	// Violation returns what an error of the base driver's says of a constraint that a
	// write violated; ok is false for every other error.
	Violation(err error) (v Violation, ok bool)
	// Failed reports whether an error of the base driver's may be that of
	// [sqlplan.Dialect.Fails].
	Failed(err error) bool
	// NoRelation reports whether an error of the base driver's says that there is no
	// relation of a name.
	NoRelation(err error) bool
	// FailsInRows reports whether a statement that writes and returns rows may fail
	// after its first rows were sent.
	FailsInRows() bool
	// ExecsRows reports whether Exec of the base driver's prepared statements is safe for
	// a statement that returns rows.
	ExecsRows() bool

	// Dependents lists the triggers, generated columns, checks and indexes of a table.
	Dependents(ctx context.Context, db *sql.DB, schema, table string) ([]Dependent, error)

	// Statements calls yield for each statement that the server keeps of those that
	// the database in use was sent, until yield returns an error, which it returns.
	Statements(ctx context.Context, db *sql.DB, yield func(CountedStatement) error) error

	// Planner returns a planner for the session's settings.
	Planner(rules *sqlplan.Rules, catalog sqlplan.Catalog, s Session) Planner
	// Arguments takes the driver's own options out of args: what is not a
	// parameter of the statement. It may rewrite the text, as pgx's
	// QueryRewriter does, which may use the connection, and it replaces a name that the
	// base driver takes for a statement. It returns its input where there is nothing to do.
	Arguments(ctx context.Context, base sqldriver.Conn, text string, args []sqldriver.NamedValue) (Arguments, error)

	// Recount replaces the calls of the text's first statement that ask for the number of
	// rows which the last statement wrote, by that number. A server that has no such calls
	// returns none.
	Recount(text string, s Session, rows int64) (sent string, calls []Call)

	// Describe returns where the server says that the columns of a text's first
	// result come from. known is false where the base driver cannot tell without a
	// further exchange. An error is the server's about the text, as the base driver
	// returns it.
	Describe(ctx context.Context, base sqldriver.Conn, text string, from Description) (columns []Origin, known bool, err error)
	// Parameters returns what the server takes the parameters of a text as, in the order
	// of their numbers: KeyUnsupported for a type that is none of the others. It returns nil
	// where arguments have no types of their own. kept is false if it took an exchange.
	Parameters(ctx context.Context, base sqldriver.Conn, text string, from Description, options []sqldriver.NamedValue) (types []KeyType, kept bool, err error)
	// Columns names the relation of an [Origin] and its columns, by number; no
	// columns if there is no such relation.
	Columns(ctx context.Context, db *sql.DB, relation uint32) (schema, name string, columns map[int]string, err error)

	// KeyType is the canonical form of a column's values.
	KeyType(c sqlplan.RelationColumn) KeyType
	// Values returns the rules for values that one statement carries. base is
	// the connection that the statement runs on, nil if there is none; options are
	// those that Arguments took out.
	Values(s Session, base sqldriver.Conn, options []sqldriver.NamedValue) Values
	// Capacity is how many bytes of a ciphertext a column holds, if the server
	// may cut off the rest.
	Capacity(c sqlplan.RelationColumn) (bytes int, limited bool)

	// BranchKeySQL is how the server spells the statements of branch key stores.
	BranchKeySQL() branchkey.SQL
	// Jobs returns the SQL of jobs that move a column's values.
	Jobs() Jobs
	// BinaryType is the type of a column that holds ciphertexts as bytes.
	BinaryType() string
	// StorageAdvice is what should be known of a column that holds ciphertexts,
	// and a hint; both are empty if there is nothing.
	StorageAdvice(c sqlplan.RelationColumn) (fact, hint string)
	// ClearText is the text that a default of the catalog makes, if it is a constant.
	ClearText(def string) (text string, ok bool)
	// TypeName is the DatabaseTypeName that a column of plaintexts of the given
	// policy type, or of [LengthType], reports.
	TypeName(policyType string) string
	// ColumnType is what the base driver reports, beside its name, of a column in clear that has
	// plaintexts of the given type.
	ColumnType(policyType string) ColumnType
	// BytesLiteral spells bytes, TextLiteral a base64 text, as a literal.
	BytesLiteral(b []byte) string
	TextLiteral(s string) string
	// ReadLiteral reads a literal of BytesLiteral, or one of TextLiteral, at the start of
	// text. It returns the bytes, those of a text decoded, and the length of the literal;
	// the length is 0 if text does not begin with such a literal.
	ReadLiteral(text string) (b []byte, length int)

	// Literals writes values as literals that mean what the arguments would, where the
	// base driver takes an exchange of its own to prepare a text that has arguments; nil
	// where it does not. ok is false for a value that is to stay an argument. A sealed
	// value is bytes or base64; other bytes are text to the base driver.
	Literals(base sqldriver.Conn, s Session) func(v any, sealed bool) (literal string, ok bool)

	// AddGuard returns the statements that add a guard to its table, DropGuard
	// the one that takes it away.
	AddGuard(g Guard) []string
	DropGuard(g Guard) string
	// AddTerm returns the statements that add a column of terms and its index,
	// DropTerm the one that takes it away.
	AddTerm(t TermColumn) []string
	DropTerm(t TermColumn) string
	// TermText is the expression of the terms that lie in documents, as applications'
	// comparisons of the path are sent. AddTermPath returns the statements that add an index
	// over it, DropTermPath the one that takes it away. They are empty for keys that cannot be
	// written so that every session reads them alike.
	TermText(t TermPath) string
	AddTermPath(t TermPath) []string
	DropTermPath(t TermPath) string
	// Guards lists the names of a table's guards. enforced is false for one that
	// does not hold for every row.
	Guards(ctx context.Context, db *sql.DB, schema, table string) (enforced map[string]bool, err error)
}

// Call is a call in a text of the user's, as it was Written and as it is Sent. No other
// call is sent in the same way.
type Call struct{ Written, Sent string }

// CountedStatement is a statement that a server keeps, with parameters in the place of its values as
// far as the server puts them there.
type CountedStatement struct {
	Text, Digest string
	Calls        uint64
}

// EachStatement scans rows of text, digest and calls, and closes them.
func EachStatement(rows *sql.Rows, yield func(CountedStatement) error) (err error) {
	defer func() { err = cmp.Or(err, rows.Err()); _ = rows.Close() }() // Err reports what matters
	for rows.Next() {
		var text, digest sql.NullString
		k := CountedStatement{}
		if err := rows.Scan(&text, &digest, &k.Calls); err != nil {
			return err
		}
		k.Text, k.Digest = text.String, digest.String
		if err := yield(k); err != nil {
			return err
		}
	}
	return nil
}

// Planner plans one SQL text. Implementations are safe for concurrent use.
type Planner interface {
	// Check fails if a name of the rules cannot be a name on the server.
	Check() error
	Plan(ctx context.Context, text string) (*sqlplan.Plan, error)
}

// Values are the rules by which values of context columns become canonical text.
// Errors hold no value.
type Values interface {
	// Given returns the canonical text of what the column holds after the base
	// driver sent v to it: an argument, or the value of a literal.
	Given(c *Column, v any) (string, error)
	// Shown returns the canonical text of a value that the base driver read
	// from the column.
	Shown(c *Column, v any) (string, error)
	// Sent returns what the base driver sends for an argument, or the text for a
	// literal, where a column of the type takes it: a value that [Plain] knows, sent in
	// the place of v it means the same. A driver.Valuer is asked once.
	Sent(t KeyType, v any) (any, error)
	// Elements returns the elements of an array argument for a column of the type:
	// values that Sent returns, nil for NULL. null is true for an array that is NULL.
	Elements(t KeyType, v any) (elements []any, null bool, err error)
	// Array returns the argument that an array of canonical texts, for a column of the type,
	// is sent as.
	Array(t KeyType, texts []string) (any, error)
	// Again returns a key that the base driver read as the driver is to send it, so
	// that the server compares it as it compares the column's own values.
	// A [Spelled] is written into the text.
	Again(v any) any
	// Moment returns a value given for a protected column of the policy type
	// timestamp or date in a form that no driver setting changes: a time.Time, or a
	// text with a zone or without a time. It stands for what a column in clear would hold.
	// v was reduced by [Plain].
	Moment(t policy.ValueType, v any) (any, error)
	// Show returns a protected value, as [policy.ValueType] has it, as the base driver
	// reads one from a column in clear. A timestamp or date is given in UTC.
	Show(t policy.ValueType, v any) any
	// ShowsBytes reports whether the base driver reads text of the type from a column in
	// clear as []byte.
	ShowsBytes(t policy.ValueType) bool
	// CheckExact fails with [ErrNotExact] if the column would hold another value than
	// v, whose canonical text is text. A column whose full type is unknown is not checked.
	CheckExact(c *Column, v any, text string) error
}

// Session holds the settings of a server session that sealsql depends on.
// Sessions with equal settings are equal.
type Session struct {
	// SQLMode is MySQL's sql_mode.
	SQLMode string
	// AutoIncrementIncrement is MySQL's auto_increment_increment, at least 1.
	AutoIncrementIncrement int64
	// AutoIsNull is MySQL's sql_auto_is_null.
	AutoIsNull bool
	// MaxPacket is how many bytes of one command the server takes (MySQL's
	// max_allowed_packet); 0 if that is not limited, or not known.
	MaxPacket int64
	// Path is what decides which relation an unqualified name means: the
	// schemas that are searched, temporary tables and the role, or the database in use.
	Path string
	// Database is the database in use, where unqualified names mean its tables.
	Database string
	// SearchPath is the setting, where the server reports its changes.
	SearchPath string
	// Charset is the character set of texts and arguments, Results that of
	// result sets, both in lower case; empty if they are UTF-8 or unknown.
	Charset, Results string
	// Unfit says why sealsql cannot read texts as this session's server does, and Hint
	// what to do about it. Empty if it can.
	Unfit, Hint string
	// Wire is how the base driver writes and reads points in time.
	Wire Wire
}

// Transaction holds the texts that begin and end a transaction of sealsql's own, where
// the base driver's do not serve: settings of the session may make more of them. An empty
// text stands for the base driver's.
type Transaction struct {
	Begin, Commit, Rollback string
	// After is sent after either end, if it is not empty.
	After string
	// Keeps is true if a savepoint may stay: another of its name takes its place.
	Keeps bool
	// Survives is true if a transaction goes on after a statement that failed, without what
	// that statement wrote.
	Survives bool
}

// Wire is how a base driver writes and reads values. The zero value is points in time
// in UTC, read as text, and arguments sent beside the text.
type Wire struct {
	// Location is the zone of the wall clocks that a time.Time is written as; nil
	// is UTC.
	Location *time.Location
	// Unknown is true if Location is not known.
	Unknown bool
	// Truncate is the unit that the driver cuts a time.Time to, 0 for none.
	Truncate time.Duration
	// ParsesTime is true if the driver reads dates and times as time.Time.
	ParsesTime bool
	// Interpolates is true if the driver writes arguments into the text: bytes are
	// then a binary string, which a text column takes as bytes of its own character set.
	Interpolates bool
}

// Description says which description of a text is asked for.
type Description uint8

// The descriptions. One that the base driver keeps may be older than a change of the
// table.
const (
	Cached   Description = iota + 1 // that of a text which the base driver prepares by itself
	Prepared                        // that of a text which it prepared for the user
	Fresh                           // the server's of now, which takes an exchange
)

// Origin is the column that a result column shows, by the server's own numbers; zero
// for a column that the server computes.
type Origin struct {
	Relation uint32
	Column   int
}

// Arguments is a statement's text and arguments, sorted apart.
type Arguments struct {
	Text string
	// Rewritten is true if the base driver's way to rewrite a text made Text and Params.
	Rewritten bool
	// Ran is true if that way is the user's, who may have used the connection.
	Ran bool
	// Options are passed to the base driver before the parameters, as they are.
	Options []sqldriver.NamedValue
	// Params are the statement's parameters, in their order.
	Params []sqldriver.NamedValue
	// Prepared is true if the base driver prepared the plan's text, whose holes
	// must then all be arguments.
	Prepared bool
}

// Column is a column whose values enter encryption contexts.
type Column struct {
	sqlplan.RelationColumn
	Key KeyType
}

// KeyType is the canonical form of a context column's values.
type KeyType uint8

// The key types. The zero value rejects every value.
const (
	KeyUnsupported KeyType = iota
	KeyText                // as it is, UTF-8
	KeyPaddedText          // trailing spaces removed (char(n))
	KeyInteger             // decimal digits, no leading zeros
	KeyNumeric             // decimal, no exponent, no trailing zeros after the point
	KeyBool                // true, false
	KeyUUID                // 8-4-4-4-12, lower case
	KeyBytes               // hexadecimal, lower case
	KeyTimestampTZ         // RFC 3339 in UTC, up to nanoseconds
	KeyTimestamp           // the same without a zone: wall clock
	KeyDate                // YYYY-MM-DD
	KeyRange               // Postgres's ranges as the server shows them, bounds in their own form
)

var registry struct {
	sync.Mutex
	servers []Server
}

// Register makes a server known by its name. A second registration of a name
// does nothing.
func Register(s Server) {
	registry.Lock()
	defer registry.Unlock()
	for _, known := range registry.servers {
		if known.Name() == s.Name() {
			return
		}
	}
	registry.servers = append(registry.servers, s)
}

// Named returns the registered server of the name. An unknown name is an error.
func Named(name string) (Server, error) {
	registry.Lock()
	defer registry.Unlock()
	for _, s := range registry.servers {
		if s.Name() == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("sealsql: unknown dialect %q; import driver/postgres or driver/mysql and use its Dialect", name)
}

// Recognise returns the registered server that the driver's connections reach,
// or nil.
func Recognise(d sqldriver.Driver) Server {
	registry.Lock()
	defer registry.Unlock()
	for _, s := range registry.servers {
		if s.Recognises(d) {
			return s
		}
	}
	return nil
}

// Unwrap returns the object beneath wrappers that have a method Unwrap.
func Unwrap(x any) any {
	for {
		u, ok := x.(interface{ Unwrap() any })
		if !ok {
			return x
		}
		x = u.Unwrap()
	}
}

// Spelled is a value as a literal of the server, for a value that an argument of the
// session's character set cannot carry.
type Spelled string
