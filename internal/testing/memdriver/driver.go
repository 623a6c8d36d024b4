// Package memdriver is a base driver in memory, for tests and benchmarks of the
// wrapper: it answers each text with the rows that are set for it and reports what
// it is sent. Its objects have the optional interfaces that pgx's have.
package memdriver

import (
	"context"
	sqldriver "database/sql/driver"
	"io"
	"reflect"
	"strings"
	"sync/atomic"
)

// Base makes connections. Its fields are set before the first one.
type Base struct {
	// Columns and Rows are what every query yields.
	Columns []string
	Rows    [][]sqldriver.Value
	// Sent is called with each text that is executed or queried, and with its
	// arguments, which it must not keep; by several goroutines. It may be nil.
	Sent func(text string, args []sqldriver.NamedValue)
	// Connects counts connections, Prepares statements.
	Connects, Prepares atomic.Int64
}

var (
	_ sqldriver.Connector                      = (*Base)(nil)
	_ sqldriver.Driver                         = drv{}
	_ sqldriver.Pinger                         = (*conn)(nil)
	_ sqldriver.ConnPrepareContext             = (*conn)(nil)
	_ sqldriver.ConnBeginTx                    = (*conn)(nil)
	_ sqldriver.SessionResetter                = (*conn)(nil)
	_ sqldriver.NamedValueChecker              = (*conn)(nil)
	_ sqldriver.ExecerContext                  = (*conn)(nil)
	_ sqldriver.QueryerContext                 = (*conn)(nil)
	_ sqldriver.StmtExecContext                = (*stmt)(nil)
	_ sqldriver.StmtQueryContext               = (*stmt)(nil)
	_ sqldriver.RowsColumnTypeScanType         = (*rows)(nil)
	_ sqldriver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
)

// Connect implements driver.Connector.
func (b *Base) Connect(context.Context) (sqldriver.Conn, error) {
	b.Connects.Add(1)
	return &conn{base: b}, nil
}

// Driver implements driver.Connector.
func (b *Base) Driver() sqldriver.Driver { return drv{b} }

type drv struct{ base *Base }

func (d drv) Open(string) (sqldriver.Conn, error) { return d.base.Connect(context.Background()) }

type conn struct{ base *Base }

func (c *conn) Prepare(text string) (sqldriver.Stmt, error) {
	c.base.Prepares.Add(1)
	return &stmt{base: c.base, text: text, inputs: strings.Count(text, "$")}, nil
}

func (c *conn) PrepareContext(_ context.Context, text string) (sqldriver.Stmt, error) {
	return c.Prepare(text)
}
func (c *conn) Close() error                                { return nil }
func (c *conn) Begin() (sqldriver.Tx, error)                { return tx{}, nil }
func (c *conn) Ping(context.Context) error                  { return nil }
func (c *conn) ResetSession(context.Context) error          { return nil }
func (c *conn) CheckNamedValue(*sqldriver.NamedValue) error { return nil }

func (c *conn) BeginTx(context.Context, sqldriver.TxOptions) (sqldriver.Tx, error) { return tx{}, nil }

func (c *conn) ExecContext(_ context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	return c.base.exec(text, args), nil
}

func (c *conn) QueryContext(_ context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	return c.base.query(text, args), nil
}

func (b *Base) exec(text string, args []sqldriver.NamedValue) sqldriver.Result {
	if b.Sent != nil {
		b.Sent(text, args)
	}
	return sqldriver.RowsAffected(1)
}

func (b *Base) query(text string, args []sqldriver.NamedValue) sqldriver.Rows {
	if b.Sent != nil {
		b.Sent(text, args)
	}
	return &rows{base: b}
}

type tx struct{}

func (tx) Commit() error   { return nil }
func (tx) Rollback() error { return nil }

type stmt struct {
	base   *Base
	text   string
	inputs int
}

func (s *stmt) Close() error  { return nil }
func (s *stmt) NumInput() int { return s.inputs }

func (s *stmt) Exec(args []sqldriver.Value) (sqldriver.Result, error) {
	return s.base.exec(s.text, named(args)), nil
}

func (s *stmt) Query(args []sqldriver.Value) (sqldriver.Rows, error) {
	return s.base.query(s.text, named(args)), nil
}

func (s *stmt) ExecContext(_ context.Context, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	return s.base.exec(s.text, args), nil
}

func (s *stmt) QueryContext(_ context.Context, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	return s.base.query(s.text, args), nil
}

func named(args []sqldriver.Value) []sqldriver.NamedValue {
	out := make([]sqldriver.NamedValue, len(args))
	for i, a := range args {
		out[i] = sqldriver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return out
}

type rows struct {
	base *Base
	at   int
}

func (r *rows) Columns() []string { return r.base.Columns }
func (r *rows) Close() error      { return nil }

func (r *rows) Next(dest []sqldriver.Value) error {
	if r.at == len(r.base.Rows) {
		return io.EOF
	}
	copy(dest, r.base.Rows[r.at])
	r.at++
	return nil
}

func (r *rows) ColumnTypeScanType(int) reflect.Type   { return reflect.TypeFor[any]() }
func (r *rows) ColumnTypeDatabaseTypeName(int) string { return "TEXT" }
