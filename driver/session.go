package driver

//lint:file-ignore SA1019 a wrapper exposes whatever the base has, older interfaces too

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// plan returns the plan for a text on this connection, and the engine that
// made it.
//
// Most connections keep the settings they were opened with, and share plans.
// One on which a text changed what names mean or how texts are read (the search
// path, the role, sql_mode, a temporary table) asks its own session, whenever a
// text names a protected table: such settings come and go with transactions.
func (c *conn) plan(ctx context.Context, text string) (*engine, *sqlplan.Plan, error) {
	e := c.engine()
	plan, err := e.plan(ctx, text)
	if c.own && (err != nil || plan.Named) {
		own, failed := e.forSession(ctx, c)
		if failed != nil {
			return nil, nil, failed
		}
		if own != e {
			e = own
			plan, err = e.plan(ctx, text)
		}
	}
	if err == nil && plan.Session {
		c.own = true
	}
	return e, plan, err
}

// forSession returns an engine that plans by the settings and the catalog of
// the connection's session as they are now: e itself if they are its own. It serves
// one statement.
func (e *engine) forSession(ctx context.Context, c *conn) (*engine, error) {
	if c.borrowed == nil {
		c.borrowed = sql.OpenDB(borrower{c.base, c.ctor.driver})
		c.borrowed.SetMaxOpenConns(1)
	}
	s, err := e.server.Session(ctx, c.borrowed)
	if err != nil {
		return nil, err
	}
	if s == e.session {
		return e, nil
	}
	own := &engine{policy: e.policy, server: e.server, rules: e.rules, columns: e.columns, keys: e.keys, alerts: e.alerts, stats: e.stats,
		plans: newPlanCache(1, cachedTextBytes), starting: make(chan struct{}, 1), session: s}
	own.readAhead = e.readAhead
	own.catalog = e.catalog.of(c.borrowed)
	own.planner = e.server.Planner(e.rules, own.catalog, s)
	own.ready.Store(true)
	return own, nil
}

// of is a catalog that asks db, and takes over the list of views.
func (c *catalog) of(db *sql.DB) *catalog {
	c.mu.Lock()
	defer c.mu.Unlock()
	own := &catalog{server: c.server, db: db, relations: make(map[string]*sqlplan.Relation), readers: c.readers}
	own.version.Store(c.version.Load())
	return own
}

// borrower lends a connection that is in use to a sql.DB, for questions to its
// session. Closing the sql.DB leaves the connection open.
type borrower struct {
	conn   sqldriver.Conn
	driver sqldriver.Driver
}

func (b borrower) Connect(context.Context) (sqldriver.Conn, error) { return guest{b.conn}, nil }
func (b borrower) Driver() sqldriver.Driver                        { return b.driver }

// guest has of the connection what asking takes.
type guest struct{ sqldriver.Conn }

var _ sqldriver.QueryerContext = guest{}

// Unwrap returns the base driver's connection.
func (l guest) Unwrap() any { return l.Conn }

func (guest) Close() error { return nil }

func (l guest) QueryContext(ctx context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	if q, ok := l.Conn.(sqldriver.QueryerContext); ok {
		return q.QueryContext(ctx, text, args)
	}
	return nil, sqldriver.ErrSkip
}

func (l guest) PrepareContext(ctx context.Context, text string) (sqldriver.Stmt, error) {
	if p, ok := l.Conn.(sqldriver.ConnPrepareContext); ok {
		return p.PrepareContext(ctx, text)
	}
	return l.Conn.Prepare(text)
}

func (l guest) CheckNamedValue(nv *sqldriver.NamedValue) error {
	if x, ok := l.Conn.(sqldriver.NamedValueChecker); ok {
		return x.CheckNamedValue(nv)
	}
	return sqldriver.ErrSkip
}
