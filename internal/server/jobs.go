package server

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Errors of [Jobs].
var (
	// ErrNoReplica keeps a primary's "not behind" from being taken for its replicas'.
	ErrNoReplica = errors.New("the server named as a replica follows no other server; name a replica")
	// ErrLagUnknown is wrapped if the primary cannot say how far its replicas are behind.
	ErrLagUnknown = errors.New("the primary does not say how far its replicas are behind")
)

// Jobs is the SQL of jobs that move a column's values. Rows travel as text: their
// keys stand in checkpoints, and every comparison is made in the column's own type.
type Jobs interface {
	// Quote writes a name so that the server reads exactly that name.
	Quote(name string) string
	// Placeholder writes the n-th argument, from 1.
	Placeholder(n int) string
	// Describe fills in how a column's value travels as text.
	Describe(k *JobColumn, c Column) error
	// Clear is the SQL that yields a column in clear as bytes or text.
	Clear(quoted string, bytes bool) string
	// Shard is a condition that is true for the rows of one shard of n.
	Shard(texts []string, shard, n int) string
	// After is a condition for the rows behind the one that AfterArgs names;
	// its arguments are counted from n.
	After(key []JobColumn, n int) string
	AfterArgs(key []string) []string
	// Order is the order in which After pages.
	Order(key []JobColumn) string
	// Transaction is how pages are written; nil is the server's default.
	Transaction() *sql.TxOptions
	// Write replaces the values of rows that still are as they were read, and
	// reports which it replaced. It fails with [ErrNotStored] if a row holds another
	// value afterwards.
	Write(ctx context.Context, tx *sql.Tx, t *JobTable, changes []*JobChange) ([]bool, error)
	// Lag asks the primary how far its replicas are behind.
	Lag(ctx context.Context, primary *sql.DB) (time.Duration, error)
	// ReplicaLag asks a replica how far it is behind; [ErrNoReplica] if the
	// server follows no other.
	ReplicaLag(ctx context.Context, replica *sql.DB) (time.Duration, error)
	// TryLock takes a lock of that name for the connection's life.
	TryLock(ctx context.Context, c *sql.Conn, name string) (bool, error)
	// Unlock gives up the connection's locks.
	Unlock() string
	// CheckpointTable is the DDL of the table that holds checkpoints.
	CheckpointTable() string
	// Estimate is about how many rows a table has; an empty schema is the
	// session's own.
	Estimate(ctx context.Context, db *sql.DB, schema, table string) (int64, error)
	// Transient reports whether an error means that the same transaction may
	// succeed when it is sent again.
	Transient(err error) bool
}

// JobColumn is a column whose value travels as text.
type JobColumn struct {
	Name, Quoted string
	// Text is the SQL that yields the text, Param the SQL that turns the text
	// %s back into the type, Stable a text that is the same in every session.
	Text, Param, Stable string
	// Hex is true if the text is hexadecimal.
	Hex bool
	// Inexact is true if values that compare equal may differ.
	Inexact bool
}

// JobTable is a table whose column Value a job writes.
type JobTable struct {
	Relation, Value string // quoted
	Base64          bool   // Value holds text
	Document        string // the type of a Value that is a JSON document, else empty
	Key             []JobColumn
	Sources         []JobColumn // other columns that the value is bound to
	From            string      // a column in clear, quoted, or empty
	FromExpr        string      // what yields From
	Terms           []string    // columns that are written beside Value, quoted
}

// JobRow is a row as a job reads it.
type JobRow struct {
	Key, Sources []string // texts, in the order of the table's
	Null         []bool   // of Sources
	Stored       []byte   // nil for NULL
	From         []byte   // nil for NULL
}

// JobChange is a value on its way into the table.
type JobChange struct {
	Row      *JobRow
	Replaces []byte // the value read; nil for NULL
	Value    any    // []byte or string
	Terms    []any  // likewise, in the order of the table's
}

// Lost reports whether a connection is gone.
func Lost(err error) bool {
	var network net.Error
	return errors.Is(err, sqldriver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.As(err, &network)
}

// ErrNotStored is returned by [Jobs.Write] if a trigger or a rule changed what was
// written. The transaction must be rolled back.
var ErrNotStored = errors.New("a trigger or a rule of the table changes the values written to the column; disable it while the job runs")

// Stored fails unless all values that were written were found.
func Stored(found, written int) error {
	if found == written {
		return nil
	}
	return fmt.Errorf("%w: %d of %d values are not as they were written", ErrNotStored, written-found, written)
}

// Done returns the changes that were made, as changes of what was written: Replaces is
// what the row holds now.
func Done(changes []*JobChange, done []bool) (list []*JobChange) {
	for i, c := range changes {
		if !done[i] {
			continue
		}
		now := *c
		switch v := c.Value.(type) {
		case []byte:
			now.Replaces = v
		case string:
			now.Replaces = []byte(v)
		}
		list = append(list, &now)
	}
	return list
}
