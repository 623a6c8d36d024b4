package exec

//lint:file-ignore SA1019 a wrapper exposes whatever the base has, older interfaces too

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"io"
)

// Base is a connection beneath, as far as routes need it. Texts are sealsql's own.
type Base interface {
	// Exec sends a text.
	Exec(ctx context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Result, error)
	// Query sends a text, passes its rows to read, and closes them.
	Query(ctx context.Context, text string, args []sqldriver.NamedValue, read func(sqldriver.Rows) error) error
	// Begin begins a transaction.
	Begin(ctx context.Context) (sqldriver.Tx, error)
	// InTx reports whether a transaction of the user's is open.
	InTx(ctx context.Context) (bool, error)
}

// query sends a text and reads the whole of its first result set, at most limit
// rows, or any number if limit is negative. The frozen rows hold its columns' metadata.
func query(ctx context.Context, base Base, text string, args []sqldriver.NamedValue, limit int) (all [][]any, meta *frozenRows, err error) {
	err = base.Query(ctx, text, args, func(rows sqldriver.Rows) (err error) {
		meta = freeze(rows)
		all, err = readAll(rows, limit)
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

// errTooManyRows is returned by readAll for more rows than its limit.
var errTooManyRows = errors.New("too many rows")

// readAll copies every row; the base driver may reuse its buffers.
func readAll(rows sqldriver.Rows, limit int) ([][]any, error) {
	width := len(rows.Columns())
	buf := make([]sqldriver.Value, width)
	var all [][]any
	for {
		if err := rows.Next(buf); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		if len(all) == limit {
			return nil, errTooManyRows
		}
		row := make([]any, width)
		for i, v := range buf {
			row[i] = copied(v)
		}
		all = append(all, row)
	}
}

// copied copies bytes that may be a buffer of the base driver.
func copied(v sqldriver.Value) sqldriver.Value {
	if b, ok := v.([]byte); ok && b != nil {
		return append(make([]byte, 0, len(b)), b...)
	}
	return v
}
