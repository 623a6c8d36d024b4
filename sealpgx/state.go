package sealpgx

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// conn is what sealsql keeps of one connection of pgx. Like a pgx.Conn it is used by one
// goroutine at a time.
type conn struct {
	base    *pgx.Conn
	host    exec.Host
	session exec.Session
	// pinned is the engine that was in force when the open transaction began.
	pinned   *exec.Engine
	prepared names
	heard    *heard // by the pool
	// unheard is true if pgx may hold statements that prepared lacks.
	unheard bool
	// mode is the connection's own mode.
	mode pgx.QueryExecMode
	// batched is true once a batch was sent.
	batched bool
}

// bare returns the connection beneath. Its user may change its settings.
func (c *conn) bare() *pgx.Conn {
	c.session.Doubt()
	return c.base
}

// engine returns the engine that plans the next statement: a transaction keeps to one
// policy.
func (c *conn) engine() *exec.Engine {
	if c.pinned != nil && c.base.PgConn().TxStatus() == 'I' {
		c.pinned = nil
	}
	if c.pinned != nil {
		return c.pinned
	}
	return c.host.Engine()
}

// request is a statement as it is planned: its options are sorted out, and a
// QueryRewriter has rewritten it.
type request struct {
	text string // planned
	args []any
	// sent and sentArgs are passed on if the text is not protected.
	sent     string
	sentArgs []any

	mode    pgx.QueryExecMode // 0 for the connection's own
	formats pgx.QueryResultFormats
	byOID   pgx.QueryResultFormatsByOID
	// prepared is true for a statement that the user prepared.
	prepared bool
	// spelt is true once an argument was replaced, see [conn.spell].
	spelt bool
}

// call is the kind of a call of pgx: each takes the options of those before it, and more.
type call uint8

const (
	queued  call = iota + 1 // takes a QueryRewriter
	execed                  // takes a QueryExecMode, too
	queried                 // takes result formats, too
)

// request sorts out the arguments of a call as pgx does.
func (c *conn) request(ctx context.Context, sql string, args []any, by call) (request, error) {
	r := request{text: sql, args: args, sentArgs: args}
	var rewriter pgx.QueryRewriter
	n := r.options(args, by, &rewriter)
	r.args = args[n:]
	if rewriter != nil {
		text, rewritten, err := rewriter.RewriteQuery(ctx, c.base, sql, r.args)
		if !pure(rewriter) {
			c.session.Doubt()
		}
		if err != nil {
			return r, fmt.Errorf("rewrite query failed: %w", err)
		}
		r.text, r.args = text, rewritten
		r.sentArgs = append(r.passedOn(), rewritten...)
	}
	p, known, sent := c.statement(r.text)
	switch r.sent = sent; {
	case known && p.kept == r.text:
		r.text, r.prepared = p.text, true
	case known:
		r.text, r.sent, r.prepared = p.text, p.text, true
	}
	return r, nil
}

// options reads pgx's own options at the start of args, and returns their number.
func (r *request) options(args []any, by call, rewriter *pgx.QueryRewriter) int {
	for n, arg := range args {
		least := queried
		switch v := arg.(type) {
		case pgx.QueryExecMode:
			if least = execed; by >= least {
				r.mode = v
			}
		case pgx.QueryResultFormats:
			if by >= least {
				r.formats = v
			}
		case pgx.QueryResultFormatsByOID:
			if by >= least {
				r.byOID = v
			}
		case pgx.QueryRewriter:
			*rewriter, least = v, queued
		default:
			return n
		}
		if by < least {
			return n
		}
	}
	return len(args)
}

// passedOn are the options for pgx, without a rewriter.
func (r *request) passedOn() (options []any) {
	if r.mode != 0 {
		options = append(options, r.mode)
	}
	if r.formats != nil {
		options = append(options, r.formats)
	}
	if r.byOID != nil {
		options = append(options, r.byOID)
	}
	return options
}

// pure reports whether a rewriter of pgx's own leaves the connection alone.
func pure(r pgx.QueryRewriter) bool {
	switch r.(type) {
	case pgx.NamedArgs, pgx.StrictNamedArgs:
		return true
	}
	return false
}

// plan finds the plan of a text on the connection, and the engine that made it.
func (c *conn) plan(ctx context.Context, text string) (*exec.Engine, *sqlplan.Plan, error) {
	e, plan, err := c.session.Plan(ctx, c.engine(), (*link)(c), base(), text)
	if err != nil {
		err = c.unplanned(ctx, text, err)
	}
	return e, plan, err
}

// unplanned takes note of a text that has no plan, and returns what the user sees.
func (c *conn) unplanned(ctx context.Context, text string, err error) error {
	c.engine().NoteRefused(ctx, text, err)
	return c.known(ctx, err)
}

// run is one execution of a plan.
func (c *conn) run(e *exec.Engine, plan *sqlplan.Plan, r *request) exec.Run {
	a := server.Arguments{Text: r.text, Params: numbered(r.args), Prepared: r.prepared}
	r.spelt = c.spell(e, plan, r.mode, a.Params)
	if r.mode != 0 {
		a.Options = []sqldriver.NamedValue{{Ordinal: 1, Value: r.mode}}
	}
	return exec.Run{Engine: e, Plan: plan, Args: a, Base: (*routed)(c), Conn: (*link)(c), Batched: c.batched && c.mode == pgx.QueryExecModeCacheStatement}
}

// exec carries out a statement that returns no rows.
func (c *conn) exec(ctx context.Context, sql string, args []any) (pgconn.CommandTag, error) {
	r, err := c.request(ctx, sql, args, execed)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	e, plan, err := c.session.Plan(ctx, c.engine(), (*link)(c), base(), r.text)
	if apart := exec.Apart(err); apart != nil && len(r.args) == 0 {
		return c.execApart(ctx, apart)
	}
	if err != nil {
		return pgconn.CommandTag{}, c.unplanned(ctx, r.text, err)
	}
	if !plan.Protected {
		tag, err := c.base.Exec(ctx, r.sent, r.sentArgs...)
		c.done(ctx, e, plan, r.text, err)
		return tag, e.Named(ctx, r.text, err)
	}
	res, err := c.run(e, plan, &r).Exec(ctx, (*routed)(c).Exec)
	c.done(ctx, e, plan, r.text, err)
	return tagOf(res), c.failed(ctx, r.text, err)
}

// execApart carries out the statements of a text that is refused as one. The tag is that of
// the last statement that was carried out, as pgx's.
func (c *conn) execApart(ctx context.Context, apart *sqlplan.Apart) (tag pgconn.CommandTag, err error) {
	err = exec.OneByOne(ctx, (*routed)(c), apart, func(text string) error {
		t, err := c.exec(ctx, text, nil)
		if err == nil {
			tag = t
		}
		return err
	})
	return tag, err
}

// query carries out a statement that returns rows. The end of the rows, or an error, gives
// pooled back to its pool; it is nil for a connection that stays with the caller.
func (c *conn) query(ctx context.Context, sql string, args []any, pooled *pgxpool.Conn) (pgx.Rows, error) {
	own, others, err := c.queryRows(ctx, sql, args)
	switch {
	case pooled == nil:
	case err != nil:
		if others != nil {
			others.Close()
		}
		pooled.Release()
	case own != nil:
		own.pooled = pooled
	default:
		others = &ending{Rows: others, end: pooled.Release}
	}
	switch {
	case own != nil:
		return own, nil
	case others == nil:
		return failedRows{err}, err
	}
	return others, err
}

// queryRows returns the rows of a query: own, or those of another type.
func (c *conn) queryRows(ctx context.Context, sql string, args []any) (own *rows, others pgx.Rows, err error) {
	r, err := c.request(ctx, sql, args, queried)
	if err != nil {
		return nil, nil, err
	}
	e, plan, err := c.plan(ctx, r.text)
	if err == nil && !plan.Protected {
		others, err = c.queryBare(ctx, e, plan, &r)
		return nil, others, err
	}
	if err == nil {
		err = r.fits(plan)
	}
	if err != nil {
		return nil, nil, err
	}
	own = newRows(c)
	run := c.run(e, plan, &r)
	var failed error // after the server took the text
	answer, err := run.Query(ctx, func(ctx context.Context, text string, bound []sqldriver.NamedValue) (sqldriver.Rows, error) {
		given := r.args
		if r.spelt || !sameSlice(bound, run.Args.Params) {
			given = plain(bound)
		}
		into := &own.desk.fetched
		if into.rows != nil { // the text is sent again
			into = new(fetched)
		}
		err := into.send(ctx, c, text, r.withFormats(plan, given))
		if failed = nil; into.failed {
			failed = err
		}
		return into, err
	})
	if err != nil {
		own.desk.clear()
		c.done(ctx, e, plan, r.text, err)
		if err = c.failed(ctx, r.text, err); failed != nil && errors.Is(err, failed) {
			return nil, failedRows{err}, nil // as pgx does, whose rows tell of it
		}
		return nil, nil, err
	}
	c.session.Sent(plan, nil)
	own.open(ctx, &answer, &r)
	if noted := c.noted(ctx, e, plan, r.text, own); noted != pgx.Rows(own) {
		return nil, noted, nil
	}
	return own, nil, nil
}

// sameSlice reports whether two slices are one piece of memory.
func sameSlice(a, b []sqldriver.NamedValue) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// queryBare sends a text that is not protected. pgx's own rows are handed out.
func (c *conn) queryBare(ctx context.Context, e *exec.Engine, plan *sqlplan.Plan, r *request) (pgx.Rows, error) {
	if plan.Named {
		described := *r
		described.prepared = false // pgx keeps it under the user's name
		if err := c.failed(ctx, r.text, c.run(e, plan, &described).Describe(ctx, r.text)); err != nil {
			return failedRows{err}, err
		}
	}
	rows, err := c.base.Query(ctx, r.sent, r.sentArgs...)
	if err != nil {
		c.done(ctx, e, plan, r.text, err)
		return rows, e.Named(ctx, r.text, err)
	}
	c.session.Sent(plan, nil)
	return c.noted(ctx, e, plan, r.text, rows), nil
}

// done takes note of what a text, or a plan's route, ended in.
func (c *conn) done(ctx context.Context, e *exec.Engine, plan *sqlplan.Plan, text string, err error) {
	c.session.Sent(plan, err)
	c.session.Defined(ctx, (*routed)(c), e, c.engine(), plan, text, err)
}

// noted has the end of DDL's rows noted: pgx says only then that it was carried out.
func (c *conn) noted(ctx context.Context, e *exec.Engine, plan *sqlplan.Plan, text string, rows pgx.Rows) pgx.Rows {
	if !plan.Defines && !plan.Excludes && !c.session.Defines() {
		return rows
	}
	return &ending{Rows: rows, end: func() { c.session.Defined(ctx, (*routed)(c), e, c.engine(), plan, text, rows.Err()) }}
}

// queryRow is query for at most one row.
func (c *conn) queryRow(ctx context.Context, sql string, args []any) pgx.Row {
	rows, err := c.query(ctx, sql, args, nil)
	return &row{rows, err}
}

// failed takes note of what a protected statement failed with.
func (c *conn) failed(ctx context.Context, text string, err error) error {
	if err == nil {
		return nil
	}
	c.engine().NoteRefused(ctx, text, err)
	return c.known(ctx, err)
}

// known returns pgx's error of a connection that is closed in the place of
// database/sql's, which would have the statement sent again.
func (c *conn) known(ctx context.Context, err error) error {
	if err != sqldriver.ErrBadConn {
		return err
	}
	if err := c.base.Ping(ctx); err != nil {
		return err
	}
	return fmt.Errorf("%w: the connection failed before the statement was sent; run it again", fault.ErrCatalog)
}
