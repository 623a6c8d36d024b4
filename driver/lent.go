package driver

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
)

// lent is a base connection on loan to a sql.DB of sealsql's own, which asks the
// catalog through it and is then closed while the connection stays open. So no
// connection is opened but those that database/sql asked for.
type lent struct {
	base   sqldriver.Conn
	driver sqldriver.Driver
	taken  bool
}

var (
	_ sqldriver.Connector          = (*lent)(nil)
	_ sqldriver.QueryerContext     = lentConn{}
	_ sqldriver.ConnPrepareContext = lentConn{}
	_ sqldriver.NamedValueChecker  = lentConn{}
)

// lend returns a sql.DB over one connection, which it does not close.
func lend(base sqldriver.Conn, d sqldriver.Driver) *sql.DB {
	db := sql.OpenDB(&lent{base: base, driver: d})
	db.SetMaxOpenConns(1)
	return db
}

// Connect hands out the connection once: when it breaks there is no other.
func (l *lent) Connect(context.Context) (sqldriver.Conn, error) {
	if l.taken {
		return nil, sqldriver.ErrBadConn
	}
	l.taken = true
	return lentConn{l.base}, nil
}

func (l *lent) Driver() sqldriver.Driver { return l.driver }

// lentConn has what queries need; each part says that it is not there where the
// base has none.
type lentConn struct{ base sqldriver.Conn }

func (c lentConn) Prepare(text string) (sqldriver.Stmt, error) { return c.base.Prepare(text) }

// Unwrap returns the base driver's connection.
func (c lentConn) Unwrap() any { return c.base }

func (c lentConn) Close() error { return nil }

func (c lentConn) Begin() (sqldriver.Tx, error) {
	return nil, errors.New("sealsql: a connection on loan begins no transaction")
}

func (c lentConn) PrepareContext(ctx context.Context, text string) (sqldriver.Stmt, error) {
	return (&conn{base: c.base}).basePrepare(ctx, text)
}

func (c lentConn) QueryContext(ctx context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	if x, ok := c.base.(sqldriver.QueryerContext); ok {
		return x.QueryContext(ctx, text, args)
	}
	return nil, sqldriver.ErrSkip
}

func (c lentConn) CheckNamedValue(nv *sqldriver.NamedValue) error {
	if x, ok := c.base.(sqldriver.NamedValueChecker); ok {
		return x.CheckNamedValue(nv)
	}
	return sqldriver.ErrSkip
}
