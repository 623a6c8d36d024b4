package sealpgx

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sealsql/sealsql/driver"
)

// Pool is a pgxpool.Pool whose connections seal and open protected values. It is safe for
// concurrent use.
type Pool struct {
	base   *pgxpool.Pool
	shared *shared
	config *pgxpool.Config // the user's
}

// NewPool returns a pool. config is made by [pgxpool.ParseConfig], and the options are
// those of [driver.NewConnector]. The policy comes from them, else from the connection
// string's sealsql_policy, else from the file that SEALSQL_POLICY names; without one
// NewPool fails. No connection is opened: the first reads from the database what planning
// depends on. config stays as it is.
//
// Hooks of config get bare connections. What they prepare may be sent by its name through
// the pool.
func NewPool(ctx context.Context, config *pgxpool.Config, opts ...driver.Option) (*Pool, error) {
	original := copyOf(config)
	config = original.Copy()
	found, err := ownParameters(config.ConnConfig)
	if err != nil {
		return nil, err
	}
	connector, err := driver.NewConnector(asking(config), append(found, opts...)...)
	if err != nil {
		return nil, err
	}
	pool, err := newPool(ctx, config, connector, true)
	if err != nil {
		return nil, errors.Join(err, connector.Close())
	}
	pool.config = original
	return pool, nil
}

// NewPoolWith returns a pool under an existing connector: that of a sql.DB, which
// [driver.Of] returns, or of another pool of the same database. They share policy,
// reloads, plans, keys, alerts and counters. The connector stays its owner's.
func NewPoolWith(ctx context.Context, config *pgxpool.Config, connector *driver.Connector) (*Pool, error) {
	original := copyOf(config)
	pool, err := newPool(ctx, original.Copy(), connector, false)
	if err != nil {
		return nil, err
	}
	pool.config = original
	return pool, nil
}

// copyOf copies a configuration. Like pgxpool it panics if [pgxpool.ParseConfig] did not
// make it.
func copyOf(config *pgxpool.Config) *pgxpool.Config {
	if config.ConnConfig == nil {
		panic("config must be created by ParseConfig")
	}
	return config.Copy()
}

func newPool(ctx context.Context, config *pgxpool.Config, connector *driver.Connector, owned bool) (*Pool, error) {
	s, err := under(connector, owned)
	if err != nil {
		return nil, err
	}
	s.hears = true
	//lint:ignore SA1019 pgxpool still calls BeforeAcquire
	s.hooked = config.PrepareConn != nil || config.BeforeAcquire != nil || config.AfterRelease != nil
	listen(config.ConnConfig, &s.heard)
	closing := config.BeforeClose
	config.BeforeClose = func(c *pgx.Conn) {
		if closing != nil {
			closing(c)
		}
		forget(c)
	}
	base, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &Pool{base: base, shared: s}, nil
}

// asking is the connector through which the catalog is asked: its connections have the
// pool's credentials and settings.
func asking(config *pgxpool.Config) sqldriver.Connector {
	var opts []stdlib.OptionOpenDB
	if config.BeforeConnect != nil {
		opts = append(opts, stdlib.OptionBeforeConnect(config.BeforeConnect))
	}
	if config.AfterConnect != nil {
		opts = append(opts, stdlib.OptionAfterConnect(config.AfterConnect))
	}
	return stdlib.GetConnector(*askingConfig(config.ConnConfig), opts...)
}

// askingConfig is a configuration for connections through which the catalog is asked. A
// connection of replication takes no arguments.
func askingConfig(config *pgx.ConnConfig) *pgx.ConnConfig {
	asked := config.Copy()
	delete(asked.RuntimeParams, "replication")
	asked.DefaultQueryExecMode = askedMode(asked)
	return asked
}

// ownParameters takes sealsql's own parameters out of a connection string's.
func ownParameters(config *pgx.ConnConfig) (opts []driver.Option, err error) {
	if path, ok := config.RuntimeParams["sealsql_policy"]; ok {
		delete(config.RuntimeParams, "sealsql_policy")
		opts = append(opts, driver.WithPolicyFile(path))
	}
	if every, ok := config.RuntimeParams["sealsql_policy_watch"]; ok {
		delete(config.RuntimeParams, "sealsql_policy_watch")
		d, err := time.ParseDuration(every)
		if err != nil || d < time.Second/10 {
			return nil, fmt.Errorf("sealpgx: the connection string's sealsql_policy_watch is not a time of at least 100ms, such as 15s")
		}
		opts = append(opts, driver.WithWatch(driver.Watch{Every: d}))
	}
	return opts, nil
}

// Connector returns the connector whose policy, keys and counters the pool uses: for
// [driver.Connector.Stats], Reload, Sealer, Explain, and to share it.
func (p *Pool) Connector() *driver.Connector { return p.shared.connector }

// Bare returns the pool beneath. What is sent through it is neither sealed nor opened.
func (p *Pool) Bare() *pgxpool.Pool { return p.base }

// Close closes all connections, and the connector if [NewPool] made it. It waits for the
// connections that are in use.
func (p *Pool) Close() {
	p.base.Close()
	_ = p.shared.close() // a catalog's connection that does not close is closed with the process
}

// Acquire takes a connection from the pool.
func (p *Pool) Acquire(ctx context.Context) (*PoolConn, error) {
	base, state, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	return &PoolConn{wrapped: Conn{conn: state}, base: base}, nil
}

// acquire takes a connection from the pool, and its state.
func (p *Pool) acquire(ctx context.Context) (*pgxpool.Conn, *conn, error) {
	base, err := p.base.Acquire(ctx)
	if err != nil {
		return nil, nil, err
	}
	state, err := p.shared.admit(ctx, base.Conn())
	if err != nil {
		base.Release()
		return nil, nil, err
	}
	return base, state, nil
}

// AcquireFunc calls f with a connection, and releases it.
func (p *Pool) AcquireFunc(ctx context.Context, f func(*PoolConn) error) error {
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return f(c)
}

// AcquireAllIdle takes every idle connection.
func (p *Pool) AcquireAllIdle(ctx context.Context) []*PoolConn {
	var all []*PoolConn
	for _, base := range p.base.AcquireAllIdle(ctx) {
		state, err := p.shared.admit(ctx, base.Conn())
		if err != nil {
			base.Release()
			continue
		}
		all = append(all, &PoolConn{wrapped: Conn{conn: state}, base: base})
	}
	return all
}

// passes reports whether a call goes to the pool beneath as it is.
func (p *Pool) passes(ctx context.Context, sql string, args []any) bool {
	if p.shared.heard.has(sql) || !p.shared.host.Engine().Passes(ctx, sql) {
		return false
	}
	for _, arg := range args {
		switch arg.(type) {
		case pgx.QueryExecMode, pgx.QueryResultFormats, pgx.QueryResultFormatsByOID:
			continue
		case pgx.QueryRewriter:
			return false
		}
		break
	}
	return true
}

// Exec carries out a statement on a connection of the pool.
func (p *Pool) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if p.passes(ctx, sql, args) {
		return p.base.Exec(ctx, sql, args...)
	}
	base, state, err := p.acquire(ctx)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	defer base.Release()
	return state.exec(ctx, sql, args)
}

// Query carries out a query on a connection of the pool, which the rows give back when
// they end.
func (p *Pool) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if p.passes(ctx, sql, args) {
		return p.base.Query(ctx, sql, args...)
	}
	base, state, err := p.acquire(ctx)
	if err != nil {
		return failedRows{err}, err
	}
	return state.query(ctx, sql, args, base)
}

// QueryRow is Query for at most one row. Errors are Scan's.
func (p *Pool) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if p.passes(ctx, sql, args) {
		return p.base.QueryRow(ctx, sql, args...)
	}
	rows, err := p.Query(ctx, sql, args...)
	return &row{rows, err}
}

// Begin begins a transaction.
func (p *Pool) Begin(ctx context.Context) (pgx.Tx, error) { return p.BeginTx(ctx, pgx.TxOptions{}) }

// BeginTx begins a transaction with options. The transaction is a [*Tx]; its end gives the
// connection back.
func (p *Pool) BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error) {
	c, err := p.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	tx, err := c.conn.begin(ctx, opts)
	if err != nil {
		c.Release()
		return nil, err
	}
	tx.release = c.Release
	return tx, nil
}

// SendBatch sends a batch on a connection of the pool, which Close of the results gives
// back, or the end of the transaction that the batch began.
func (p *Pool) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	c, err := p.Acquire(ctx)
	if err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	results := c.conn.sendBatch(ctx, b, c.conn.base.SendBatch)
	switch r, sent := results.(*batchResults); {
	case !sent:
		c.Release()
	case r.tx != nil:
		r.tx.release = c.Release
	default:
		r.release = c.Release
	}
	return results
}

// CopyFrom copies rows into a table.
func (p *Pool) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, source pgx.CopyFromSource) (int64, error) {
	c, err := p.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Release()
	return c.CopyFrom(ctx, table, columns, source)
}

// Ping asks the server for a sign of life.
func (p *Pool) Ping(ctx context.Context) error { return p.base.Ping(ctx) }

// Stat returns the pool's statistics.
func (p *Pool) Stat() *pgxpool.Stat { return p.base.Stat() }

// Reset closes all connections. Those in use are closed when they are released.
func (p *Pool) Reset() { p.base.Reset() }

// Config returns a copy of the configuration that the pool was made with.
func (p *Pool) Config() *pgxpool.Config { return p.config.Copy() }
