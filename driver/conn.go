package driver

//lint:file-ignore SA1019 a wrapper exposes whatever the base has, older interfaces too

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"

	"github.com/sealsql/sealsql/internal/exec"
)

// conn wraps one connection of the base driver. It has the mandatory methods
// of driver.Conn; the optional methods are on the types below. combos.go
// combines them so that a connection has exactly the methods of the base connection.
//
// Like every driver.Conn it is used by one goroutine at a time.
type conn struct {
	base sqldriver.Conn
	ctor *Connector
	// inTx is true while a transaction that database/sql began is open; pinned
	// is the engine that was in force when it began.
	inTx    bool
	pinned  *exec.Engine
	session exec.Session
}

type (
	connPinger        conn
	connPreparer      conn
	connBeginner      conn
	connResetter      conn
	connValidator     conn
	connChecker       conn
	connExecer        conn
	connQueryer       conn
	connLegacyExecer  conn
	connLegacyQueryer conn
)

var (
	_ sqldriver.Conn               = (*conn)(nil)
	_ sqldriver.Pinger             = (*connPinger)(nil)
	_ sqldriver.ConnPrepareContext = (*connPreparer)(nil)
	_ sqldriver.ConnBeginTx        = (*connBeginner)(nil)
	_ sqldriver.SessionResetter    = (*connResetter)(nil)
	_ sqldriver.Validator          = (*connValidator)(nil)
	_ sqldriver.NamedValueChecker  = (*connChecker)(nil)
	_ sqldriver.ExecerContext      = (*connExecer)(nil)
	_ sqldriver.QueryerContext     = (*connQueryer)(nil)
	_ sqldriver.Execer             = (*connLegacyExecer)(nil)
	_ sqldriver.Queryer            = (*connLegacyQueryer)(nil)
)

// wrapConn returns a connection with the optional interfaces of base.
//
// ExecerContext and QueryerContext come as a pair, and so do the legacy two: a
// base that has one of a pair gets the other as a method that returns
// driver.ErrSkip, which database/sql defines to mean that it is not there.
func wrapConn(base sqldriver.Conn, ctor *Connector) sqldriver.Conn {
	return combineConn(&conn{base: base, ctor: ctor}, connSet(base))
}

func connSet(base sqldriver.Conn) uint {
	_, pinger := base.(sqldriver.Pinger)
	_, preparer := base.(sqldriver.ConnPrepareContext)
	_, beginner := base.(sqldriver.ConnBeginTx)
	_, resetter := base.(sqldriver.SessionResetter)
	_, validator := base.(sqldriver.Validator)
	_, checker := base.(sqldriver.NamedValueChecker)
	_, execer := base.(sqldriver.ExecerContext)
	_, queryer := base.(sqldriver.QueryerContext)
	_, legacyExecer := base.(sqldriver.Execer)
	_, legacyQueryer := base.(sqldriver.Queryer)
	return bits(pinger, preparer, beginner, resetter, validator, checker, execer || queryer, legacyExecer || legacyQueryer)
}

func bits(set ...bool) uint {
	var n uint
	for i, b := range set {
		if b {
			n |= 1 << i
		}
	}
	return n
}

// unwrapper is implemented by the connections, statements and rows of this
// package.
type unwrapper interface{ Unwrap() any }

// Unwrap returns the base driver's object beneath x, which is what
// [database/sql.Conn.Raw] passes to its function, or x itself if it is not one
// of this package's. What is sent through the base object is neither sealed nor opened.
func Unwrap(x any) any {
	if u, ok := x.(unwrapper); ok {
		return u.Unwrap()
	}
	return x
}

// engine returns the engine that plans the next statement: a transaction keeps to one
// policy.
func (c *conn) engine() *exec.Engine {
	if c.inTx {
		return c.pinned
	}
	return c.ctor.engine.Load()
}

// Unwrap returns the base driver's connection.
func (c *conn) Unwrap() any { return c.base }

func (c *conn) Prepare(query string) (sqldriver.Stmt, error) {
	return c.prepare(context.Background(), query, func(_ context.Context, text string) (sqldriver.Stmt, error) { return c.base.Prepare(text) })
}

func (c *conn) Close() error {
	c.session.Close()
	return c.base.Close()
}

func (c *conn) Begin() (sqldriver.Tx, error) {
	return c.began(c.base.Begin())
}

func (c *connPinger) Ping(ctx context.Context) error {
	c.session.Uncounted()
	return c.base.(sqldriver.Pinger).Ping(ctx)
}

func (c *connPreparer) PrepareContext(ctx context.Context, query string) (sqldriver.Stmt, error) {
	return (*conn)(c).prepare(ctx, query, c.base.(sqldriver.ConnPrepareContext).PrepareContext)
}

func (c *connBeginner) BeginTx(ctx context.Context, opts sqldriver.TxOptions) (sqldriver.Tx, error) {
	return (*conn)(c).began(c.base.(sqldriver.ConnBeginTx).BeginTx(ctx, opts))
}

func (c *connResetter) ResetSession(ctx context.Context) error {
	(*conn)(c).ended()
	if c.ctor.resets {
		c.session.Doubt()
	}
	return c.base.(sqldriver.SessionResetter).ResetSession(ctx)
}

func (c *connValidator) IsValid() bool { return c.base.(sqldriver.Validator).IsValid() }

func (c *connChecker) CheckNamedValue(nv *sqldriver.NamedValue) error {
	return c.base.(sqldriver.NamedValueChecker).CheckNamedValue(nv)
}

func (c *connExecer) ExecContext(ctx context.Context, query string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	base, ok := c.base.(sqldriver.ExecerContext)
	if !ok {
		return nil, sqldriver.ErrSkip
	}
	return (*conn)(c).exec(ctx, base.ExecContext, query, args)
}

func (c *connQueryer) QueryContext(ctx context.Context, query string, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	base, ok := c.base.(sqldriver.QueryerContext)
	if !ok {
		return nil, sqldriver.ErrSkip
	}
	return (*conn)(c).query(ctx, base.QueryContext, query, args)
}

func (c *connLegacyExecer) Exec(query string, args []sqldriver.Value) (sqldriver.Result, error) {
	base, ok := c.base.(sqldriver.Execer)
	if !ok {
		return nil, sqldriver.ErrSkip
	}
	send := func(_ context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
		values, err := unnamed(args)
		if err != nil {
			return nil, err
		}
		return base.Exec(text, values)
	}
	return (*conn)(c).exec(context.Background(), send, query, named(args))
}

func (c *connLegacyQueryer) Query(query string, args []sqldriver.Value) (sqldriver.Rows, error) {
	base, ok := c.base.(sqldriver.Queryer)
	if !ok {
		return nil, sqldriver.ErrSkip
	}
	send := func(_ context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
		values, err := unnamed(args)
		if err != nil {
			return nil, err
		}
		return base.Query(text, values)
	}
	return (*conn)(c).query(context.Background(), send, query, named(args))
}

func named(args []sqldriver.Value) []sqldriver.NamedValue {
	out := make([]sqldriver.NamedValue, len(args))
	for i, a := range args {
		out[i] = sqldriver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return out
}

func unnamed(args []sqldriver.NamedValue) ([]sqldriver.Value, error) {
	out := make([]sqldriver.Value, len(args))
	for i, a := range args {
		if a.Name != "" {
			return nil, errors.New("sql: driver does not support the use of Named Parameters")
		}
		out[i] = a.Value
	}
	return out, nil
}
