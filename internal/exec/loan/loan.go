// Package loan lends a connection of a base driver to a sql.DB.
package loan

//lint:file-ignore SA1019 a wrapper exposes whatever the base has, older interfaces too

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
)

// loan is a base connection on loan to a sql.DB of sealsql's own, which asks the
// catalog or the session through it. Closing the sql.DB leaves the connection open.
// So no connection is opened but those that database/sql asked for.
type loan struct {
	base   sqldriver.Conn
	driver sqldriver.Driver
	taken  bool
}

var (
	_ sqldriver.Connector          = (*loan)(nil)
	_ sqldriver.QueryerContext     = loanConn{}
	_ sqldriver.ConnPrepareContext = loanConn{}
	_ sqldriver.NamedValueChecker  = loanConn{}
)

// DB returns a sql.DB over one connection, which it does not close.
func DB(base sqldriver.Conn, d sqldriver.Driver) *sql.DB {
	db := sql.OpenDB(&loan{base: base, driver: d})
	db.SetMaxOpenConns(1)
	return db
}

// Connect hands out the connection once: when it breaks there is no other.
func (l *loan) Connect(context.Context) (sqldriver.Conn, error) {
	if l.taken {
		return nil, sqldriver.ErrBadConn
	}
	l.taken = true
	return loanConn{l.base}, nil
}

func (l *loan) Driver() sqldriver.Driver { return l.driver }

// loanConn has what queries need; each part says that it is not there where the
// base has none.
type loanConn struct{ base sqldriver.Conn }

func (c loanConn) Prepare(text string) (sqldriver.Stmt, error) { return c.base.Prepare(text) }

// Unwrap returns the base driver's connection.
func (c loanConn) Unwrap() any { return c.base }

func (c loanConn) Close() error { return nil }

func (c loanConn) Begin() (sqldriver.Tx, error) {
	return nil, errors.New("sealsql: a connection on loan begins no transaction")
}

func (c loanConn) PrepareContext(ctx context.Context, text string) (sqldriver.Stmt, error) {
	if x, ok := c.base.(sqldriver.ConnPrepareContext); ok {
		return x.PrepareContext(ctx, text)
	}
	return c.base.Prepare(text)
}

func (c loanConn) QueryContext(ctx context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	if x, ok := c.base.(sqldriver.QueryerContext); ok {
		return x.QueryContext(ctx, text, args)
	}
	return nil, sqldriver.ErrSkip
}

func (c loanConn) CheckNamedValue(nv *sqldriver.NamedValue) error {
	if x, ok := c.base.(sqldriver.NamedValueChecker); ok {
		return x.CheckNamedValue(nv)
	}
	return sqldriver.ErrSkip
}
