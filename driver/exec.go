package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// execFunc and queryFunc send one text to the base driver: through the
// connection, or through a statement that was prepared for that text.
type (
	execFunc  func(ctx context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Result, error)
	queryFunc func(ctx context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Rows, error)
)

func (c *conn) exec(ctx context.Context, send execFunc, query string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	e, plan, a, err := c.look(ctx, query, args)
	if err != nil {
		return nil, err
	}
	if !plan.Protected {
		return send(ctx, a.Text, passOn(&a, args))
	}
	if c.ctor.skips.Load() && len(args) > 0 {
		return nil, sqldriver.ErrSkip
	}
	return c.execPlan(ctx, e, plan, send, a)
}

func (c *conn) query(ctx context.Context, send queryFunc, query string, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	e, plan, a, err := c.look(ctx, query, args)
	if err != nil {
		return nil, err
	}
	if !plan.Protected {
		return send(ctx, a.Text, passOn(&a, args))
	}
	if c.ctor.skips.Load() && len(args) > 0 {
		return nil, sqldriver.ErrSkip
	}
	return c.queryPlan(ctx, e, plan, send, a)
}

// look finds the plan for a text under the policy in force.
func (c *conn) look(ctx context.Context, query string, args []sqldriver.NamedValue) (*engine, *sqlplan.Plan, server.Arguments, error) {
	a := server.Arguments{Text: query, Params: args}
	if len(args) > 0 {
		var err error
		if a, err = c.ctor.server.Arguments(ctx, query, args); err != nil {
			return nil, nil, a, err
		}
	}
	e, plan, err := c.plan(ctx, a.Text)
	return e, plan, a, err
}

// passOn returns the arguments to pass on for an unprotected statement: the
// user's own slice unless the text was rewritten.
func passOn(a *server.Arguments, args []sqldriver.NamedValue) []sqldriver.NamedValue {
	if len(a.Options)+len(a.Params) == len(args) {
		return args
	}
	return append(append([]sqldriver.NamedValue(nil), a.Options...), a.Params...)
}

// count checks the number of arguments, since the plan's indexes rely on it.
func count(plan *sqlplan.Plan, a *server.Arguments) error {
	if plan.UserParams >= 0 && len(a.Params) != plan.UserParams {
		return fmt.Errorf("sealsql: expected %d arguments, got %d", plan.UserParams, len(a.Params))
	}
	return nil
}

func (c *conn) execPlan(ctx context.Context, e *engine, plan *sqlplan.Plan, send execFunc, a server.Arguments) (sqldriver.Result, error) {
	if err := count(plan, &a); err != nil {
		return nil, err
	}
	if stepwise(plan) {
		return c.execSteps(ctx, newBinding(e, c.base, &a), plan, a)
	}
	text, args, err := c.bindMain(ctx, e, plan, a)
	if err != nil {
		return nil, err
	}
	res, err := send(ctx, text, args)
	return res, c.noteSkip(err)
}

func (c *conn) queryPlan(ctx context.Context, e *engine, plan *sqlplan.Plan, send queryFunc, a server.Arguments) (sqldriver.Rows, error) {
	if err := count(plan, &a); err != nil {
		return nil, err
	}
	if stepwise(plan) {
		return c.querySteps(ctx, newBinding(e, c.base, &a), plan, a)
	}
	text, args, err := c.bindMain(ctx, e, plan, a)
	if err != nil {
		return nil, err
	}
	base, err := send(ctx, text, args)
	if err != nil {
		e.noteStale(err)
		return nil, c.noteSkip(err)
	}
	if len(plan.Results) == 0 {
		return base, nil
	}
	if !fits(base, &plan.Results[0]) {
		return c.queryStale(ctx, base, plan, send, a)
	}
	return wrapRows(ctx, base, e, plan.Results, a.Text), nil
}

// queryStale deals with a result that does not have the columns that the plan
// expects: a table changed since the catalog was read. Nothing of it is handed out.
func (c *conn) queryStale(ctx context.Context, base sqldriver.Rows, plan *sqlplan.Plan, send queryFunc, a server.Arguments) (sqldriver.Rows, error) {
	if err := base.Close(); err != nil {
		return nil, err
	}
	e := c.engine()
	e.tablesChanged()
	if !plan.ReadOnly {
		return nil, fmt.Errorf("%w: it was carried out, but its result is withheld because it does not have the expected columns", ErrTableChanged)
	}
	fresh, err := e.plan(ctx, a.Text)
	if err != nil {
		return nil, err
	}
	if !fresh.Protected || stepwise(fresh) || a.Prepared && fresh.Main.Text != plan.Main.Text {
		return nil, fmt.Errorf("%w: run the statement again", ErrTableChanged)
	}
	text, args, err := c.bindMain(ctx, e, fresh, a)
	if err != nil {
		return nil, err
	}
	if base, err = send(ctx, text, args); err != nil {
		return nil, err
	}
	if len(fresh.Results) == 0 || !fits(base, &fresh.Results[0]) {
		return nil, errors.Join(fmt.Errorf("%w: its result still does not have the expected columns", ErrTableChanged), base.Close())
	}
	return wrapRows(ctx, base, e, fresh.Results, a.Text), nil
}

// noteStale forgets what is known of tables when Postgres says that a
// statement the base driver prepared returns other columns now: the plan is as old.
func (e *engine) noteStale(err error) {
	if s, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err); ok && s.SQLState() == "0A000" {
		e.tablesChanged()
	}
}

// bindMain seals what the plan says and fills its main text.
func (c *conn) bindMain(ctx context.Context, e *engine, plan *sqlplan.Plan, a server.Arguments) (string, []sqldriver.NamedValue, error) {
	if len(plan.Seals) == 0 && len(a.Options) == 0 && userArguments(&plan.Main, len(a.Params)) {
		return plan.Main.Text, a.Params, nil
	}
	b := newBinding(e, c.base, &a)
	sealed, err := b.sealAll(ctx, plan.Seals, nil)
	if err != nil {
		return "", nil, err
	}
	if !a.Prepared && len(a.Params) == 0 && len(plan.Main.Args) > 0 {
		if text, ok := inline(b.engine.server, &plan.Main, sealed); ok {
			return text, a.Options, nil
		}
	}
	text, args := b.bind(&plan.Main, a.Options, sealed)
	return text, args, nil
}

// userArguments reports whether a template takes a user's n arguments as they
// are.
func userArguments(t *sqlplan.Template, n int) bool {
	if len(t.Args) != n {
		return false
	}
	for i, a := range t.Args {
		if a.Kind != sqlplan.ArgUser || a.Index != i {
			return false
		}
	}
	return true
}

// noteSkip remembers that the base driver takes no arguments without a
// prepared statement, so that later values are not sealed twice.
func (c *conn) noteSkip(err error) error {
	if err == sqldriver.ErrSkip {
		c.ctor.skips.Store(true)
	}
	return err
}

// baseExec runs a text of sealsql's own on the connection.
func (c *conn) baseExec(ctx context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	if x, ok := c.base.(sqldriver.ExecerContext); ok {
		if res, err := x.ExecContext(ctx, text, args); err != sqldriver.ErrSkip {
			return res, err
		}
	}
	s, err := c.basePrepare(ctx, text)
	if err != nil {
		return nil, err
	}
	res, err := execStmt(ctx, s, args)
	return res, firstError(err, s.Close())
}

// baseQuery runs a query of sealsql's own and reads the whole of its first
// result set. The base rows are returned closed, for their columns' metadata.
func (c *conn) baseQuery(ctx context.Context, text string, args []sqldriver.NamedValue, limit int) ([][]any, sqldriver.Rows, error) {
	if x, ok := c.base.(sqldriver.QueryerContext); ok {
		rows, err := x.QueryContext(ctx, text, args)
		if err == nil {
			frozen := freeze(rows)
			all, err := readAll(rows, limit)
			return all, frozen, firstError(err, rows.Close())
		}
		if err != sqldriver.ErrSkip {
			return nil, nil, err
		}
	}
	s, err := c.basePrepare(ctx, text)
	if err != nil {
		return nil, nil, err
	}
	rows, err := queryStmt(ctx, s, args)
	if err != nil {
		return nil, nil, firstError(err, s.Close())
	}
	frozen := freeze(rows)
	all, err := readAll(rows, limit)
	return all, frozen, firstError(err, rows.Close(), s.Close())
}

func (c *conn) basePrepare(ctx context.Context, text string) (sqldriver.Stmt, error) {
	if x, ok := c.base.(sqldriver.ConnPrepareContext); ok {
		return x.PrepareContext(ctx, text)
	}
	return c.base.Prepare(text)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
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
			row[i] = owned(v)
		}
		all = append(all, row)
	}
}

// owned copies bytes that may be a buffer of the base driver.
func owned(v sqldriver.Value) sqldriver.Value {
	if b, ok := v.([]byte); ok && b != nil {
		return append(make([]byte, 0, len(b)), b...)
	}
	return v
}
