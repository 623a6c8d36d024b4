package driver

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"time"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Dialect is what sealsql knows of one family of servers. The packages
// driver/postgres and driver/mysql provide the implementations; the interface
// mentions internal types and is not meant to be implemented elsewhere.
type Dialect interface {
	// Name is "postgres" or "mysql".
	Name() string
	// Recognises reports whether connections of the driver speak the dialect.
	Recognises(base sqldriver.Driver) bool
	// Session reads the settings of a connection that change how text is
	// read. It fails if sealsql cannot work under them.
	Session(ctx context.Context, db *sql.DB) (Session, error)
	// Relation describes a relation, or returns nil if there is none.
	Relation(ctx context.Context, db *sql.DB, schema, name string) (*sqlplan.Relation, error)
	// Readers lists the views that read protected columns, directly or
	// through other views.
	Readers(ctx context.Context, db *sql.DB, rules *sqlplan.Rules) ([]*sqlplan.Relation, error)
	// Planner returns a planner for the session's settings.
	Planner(rules *sqlplan.Rules, catalog sqlplan.Catalog, s Session) Planner
	// KeyType says how the values of a column of the given type are brought
	// into canonical text.
	KeyType(c sqlplan.RelationColumn) KeyType
	// TypeName is the DatabaseTypeName that a column of plaintexts of the given
	// policy type reports.
	TypeName(policyType string) string
	// Arguments takes the driver's own options out of args: what is not a
	// parameter of the statement. It may rewrite the text, as pgx's
	// QueryRewriter does. It returns its input where there is nothing to do.
	Arguments(ctx context.Context, text string, args []sqldriver.NamedValue) (Arguments, error)
	// InTransaction reports whether the connection is in a transaction that
	// database/sql does not know of (BEGIN sent as text).
	InTransaction(ctx context.Context, c sqldriver.Conn) (bool, error)
	// Bytes and Text spell a value as a literal of the dialect. Text is given
	// base64 only.
	Bytes(b []byte) string
	Text(s string) string
}

// Planner plans one SQL text. Implementations are safe for concurrent use.
type Planner interface {
	Plan(ctx context.Context, text string) (*sqlplan.Plan, error)
}

// Session holds the settings of a server session that sealsql depends on.
type Session struct {
	// SQLMode is MySQL's sql_mode.
	SQLMode string
	// AutoIncrementIncrement is MySQL's auto_increment_increment, at least 1.
	AutoIncrementIncrement int64
	// Location is the zone in which the base driver writes a time.Time into a
	// column without a zone; nil means UTC.
	Location *time.Location
	// MariaDB is true for MariaDB servers.
	MariaDB bool
	// Path is what decides which relation an unqualified name means: the
	// search path, the role and temporary tables, or the database in use.
	Path string
	// FoldTableNames is true if the server compares table names without case.
	FoldTableNames bool
}

// Arguments is a statement's text and arguments, sorted apart.
type Arguments struct {
	Text string
	// Options are passed to the base driver before the parameters, as they are.
	Options []sqldriver.NamedValue
	// Params are the statement's parameters, in their order.
	Params []sqldriver.NamedValue

	// prepared is true if the base driver prepared the plan's text, whose
	// holes must then all be arguments.
	prepared bool
}

// KeyType is how a row-key or other context column's values are brought into
// one canonical text, whatever Go type or wire format they arrive in.
type KeyType uint8

// The key types. The zero value refuses every value.
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
)
