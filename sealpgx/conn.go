package sealpgx

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sealsql/sealsql/driver"
)

// Conn is a pgx.Conn that seals and opens protected values. Like a pgx.Conn it is not
// safe for concurrent use.
type Conn struct {
	conn *conn
	// shared is set for a connection that does not come from a pool.
	shared *shared
}

// WrapConn wraps a connection. The options are those of [driver.NewConnector]: each
// connection that is wrapped so has a policy, keys and connections to the catalog of its
// own, which Close ends. [WrapConnWith] shares them.
//
// A statement that was prepared on the connection before may be sent by its name.
func WrapConn(ctx context.Context, base *pgx.Conn, opts ...driver.Option) (*Conn, error) {
	connector, err := driver.NewConnector(stdlib.GetConnector(*askingConfig(base.Config())), opts...)
	if err != nil {
		return nil, err
	}
	c, err := wrap(ctx, base, connector, true)
	if err != nil {
		return nil, errors.Join(err, connector.Close())
	}
	return c, nil
}

// WrapConnWith wraps a connection under an existing connector, as [NewPoolWith] does a
// pool.
func WrapConnWith(ctx context.Context, base *pgx.Conn, connector *driver.Connector) (*Conn, error) {
	return wrap(ctx, base, connector, false)
}

func wrap(ctx context.Context, base *pgx.Conn, connector *driver.Connector, owned bool) (*Conn, error) {
	s, err := under(connector, owned)
	if err != nil {
		return nil, err
	}
	state, err := s.admit(ctx, base)
	if err != nil {
		return nil, err
	}
	return &Conn{conn: state, shared: s}, nil
}

// Conn returns the connection beneath. What is sent through it is neither sealed nor
// opened: LISTEN, replication and the methods of PgConn go there.
func (c *Conn) Conn() *pgx.Conn { return c.conn.bare() }

// Exec carries out a statement.
func (c *Conn) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return c.conn.exec(ctx, sql, args)
}

// Query carries out a query. pgx's options come before the arguments.
func (c *Conn) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return c.conn.query(ctx, sql, args, nil)
}

// QueryRow is Query for at most one row. Errors are Scan's.
func (c *Conn) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return c.conn.queryRow(ctx, sql, args)
}

// Prepare prepares a statement, which Exec and Query then take by its name. The
// description is that of the user's text: protected columns and parameters have the
// policy's types.
func (c *Conn) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	return c.conn.prepare(ctx, name, sql)
}

// Deallocate gives up a prepared statement.
func (c *Conn) Deallocate(ctx context.Context, name string) error {
	return c.conn.deallocate(ctx, name)
}

// DeallocateAll gives up every prepared statement.
func (c *Conn) DeallocateAll(ctx context.Context) error {
	clear(c.conn.prepared)
	return c.conn.base.DeallocateAll(ctx)
}

// Begin begins a transaction.
func (c *Conn) Begin(ctx context.Context) (pgx.Tx, error) { return c.BeginTx(ctx, pgx.TxOptions{}) }

// BeginTx begins a transaction with options. The transaction is a [*Tx].
func (c *Conn) BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error) {
	tx, err := c.conn.begin(ctx, opts)
	if err != nil {
		return nil, err
	}
	return tx, nil
}

// SendBatch sends a batch.
func (c *Conn) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return c.conn.sendBatch(ctx, b, c.conn.base.SendBatch)
}

// CopyFrom copies rows into a table.
func (c *Conn) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, source pgx.CopyFromSource) (int64, error) {
	return c.conn.copyFrom(ctx, table, columns, source)
}

// Ping asks the server for a sign of life.
func (c *Conn) Ping(ctx context.Context) error { return c.conn.base.Ping(ctx) }

// WaitForNotification waits for a notification of a channel that the connection listens
// to.
func (c *Conn) WaitForNotification(ctx context.Context) (*pgconn.Notification, error) {
	return c.conn.base.WaitForNotification(ctx)
}

// LoadType reads a type from the database.
func (c *Conn) LoadType(ctx context.Context, name string) (*pgtype.Type, error) {
	return c.conn.base.LoadType(ctx, name)
}

// LoadTypes reads types from the database, with those that they depend on.
func (c *Conn) LoadTypes(ctx context.Context, names []string) ([]*pgtype.Type, error) {
	return c.conn.base.LoadTypes(ctx, names)
}

// TypeMap returns the types that the connection knows. Protected values are scanned with
// them.
func (c *Conn) TypeMap() *pgtype.Map { return c.conn.base.TypeMap() }

// PgConn returns the connection's lower level. What is sent through it is neither sealed
// nor opened.
func (c *Conn) PgConn() *pgconn.PgConn { return c.conn.base.PgConn() }

// Config returns a copy of the connection's configuration.
func (c *Conn) Config() *pgx.ConnConfig { return c.conn.base.Config() }

// IsClosed reports whether the connection is closed.
func (c *Conn) IsClosed() bool { return c.conn.base.IsClosed() }

// Close closes the connection, and the connector if [WrapConn] made it.
func (c *Conn) Close(ctx context.Context) error {
	forget(c.conn.base)
	err := c.conn.base.Close(ctx)
	if c.shared != nil {
		err = errors.Join(err, c.shared.close())
	}
	return err
}

// wrapped leaves the name Conn to the method of a [PoolConn].
type wrapped = Conn

// PoolConn is a connection that was taken from a [Pool].
type PoolConn struct {
	wrapped
	base *pgxpool.Conn
}

// Release gives the connection back. Later calls do nothing.
func (c *PoolConn) Release() { c.base.Release() }

// Hijack takes the connection out of the pool: the caller closes it.
func (c *PoolConn) Hijack() *Conn {
	c.base.Hijack()
	return &c.wrapped
}
