package exec

//lint:file-ignore SA1019 a wrapper exposes whatever the base has, older interfaces too

import (
	"context"
	sqldriver "database/sql/driver"

	"github.com/sealsql/sealsql/internal/exec/reading"
)

// Base is a connection beneath, as far as routes need it. Texts are sealsql's own.
type Base interface {
	// Exec sends a text.
	Exec(ctx context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Result, error)
	// Query sends a text, passes its rows to read, and closes them.
	Query(ctx context.Context, text string, args []sqldriver.NamedValue, read func(sqldriver.Rows) error) error
	// Begin begins a transaction.
	Begin(ctx context.Context) (sqldriver.Tx, error)
	// Waits reports whether something holds for what is sent next alone (SET TRANSACTION),
	// or the session may hold table locks.
	Waits() bool
	// InTx reports whether a transaction of the user's is open.
	InTx(ctx context.Context) (bool, error)
}

// query sends a text and reads the whole of its first result set, at most limit
// rows, or any number if limit is negative. The frozen rows hold its columns' metadata.
func query(ctx context.Context, base Base, text string, args []sqldriver.NamedValue, limit int) (all [][]any, meta *reading.Frozen, err error) {
	err = base.Query(ctx, text, args, func(rows sqldriver.Rows) (err error) {
		meta = reading.Freeze(rows)
		all, err = reading.All(rows, limit)
		return err
	})
	return all, meta, err
}

// Prepare prepares a text with a base connection.
func Prepare(ctx context.Context, base sqldriver.Conn, text string) (sqldriver.Stmt, error) {
	if x, ok := base.(sqldriver.ConnPrepareContext); ok {
		return x.PrepareContext(ctx, text)
	}
	return base.Prepare(text)
}
