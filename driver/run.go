package driver

import (
	"context"
	sqldriver "database/sql/driver"

	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// exec carries out a text that returns no rows.
func (c *conn) exec(ctx context.Context, send exec.ExecFunc, query string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	query, _ = c.session.Recount(c.ctor.server, query)
	e, plan, a, err := c.planCall(ctx, query, args)
	if err != nil {
		if apart := exec.Apart(err); apart != nil && len(args) == 0 && exec.Takes(ctx, (*connBase)(c), apart) {
			return c.execApart(ctx, send, apart)
		}
		c.engine().NoteRefused(ctx, a.Text, err)
		return nil, err
	}
	if !plan.Protected {
		res, err := send(ctx, a.Text, passOn(&a, args))
		return res, c.sent(ctx, e, plan, a.Text, err)
	}
	if c.skipped(plan, args) {
		return nil, sqldriver.ErrSkip
	}
	return c.execPlan(ctx, e, plan, send, a)
}

// query carries out a text that returns rows.
func (c *conn) query(ctx context.Context, send exec.QueryFunc, query string, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	query, name := c.session.Recount(c.ctor.server, query)
	e, plan, a, err := c.planCall(ctx, query, args)
	if err != nil {
		c.engine().NoteRefused(ctx, a.Text, err)
		return nil, err
	}
	if !plan.Protected {
		if plan.Named {
			if err := c.run(e, plan, a).Describe(ctx, a.Text); err != nil {
				return nil, err
			}
		}
		rows, err := send(ctx, a.Text, passOn(&a, args))
		return renamed(ctx, e, rows, a.Text, name), c.sent(ctx, e, plan, a.Text, err)
	}
	if c.skipped(plan, args) {
		return nil, sqldriver.ErrSkip
	}
	return c.queryPlan(ctx, e, plan, send, a, name)
}

// renamed returns the rows of an unprotected text with other names of columns, where name
// gives them.
func renamed(ctx context.Context, e *exec.Engine, rows sqldriver.Rows, text string, name func(string) string) sqldriver.Rows {
	if name == nil || rows == nil {
		return rows
	}
	answer := exec.Answer{Rows: rows}
	answer.Rename(e, name)
	return wrapRows(ctx, &answer, text)
}

// sent takes note of what an unprotected text ended in, and returns err with the
// protected column's name where a constraint of its terms was violated: the text may
// commit, or write nothing but the key's other columns.
func (c *conn) sent(ctx context.Context, e *exec.Engine, plan *sqlplan.Plan, text string, err error) error {
	c.done(ctx, e, plan, text, err)
	return e.Named(ctx, text, err)
}

// done takes note of what a text, or a plan's route, ended in.
func (c *conn) done(ctx context.Context, e *exec.Engine, plan *sqlplan.Plan, text string, err error) {
	c.session.Sent(plan, err)
	c.session.Defined(ctx, (*connBase)(c), e, c.engine(), plan, text, err)
}

// skipped reports whether database/sql must prepare the text first, because the base
// driver takes arguments of prepared statements only. A plan of several texts prepares
// its texts by itself; its arguments must have passed the base driver's check.
func (c *conn) skipped(plan *sqlplan.Plan, args []sqldriver.NamedValue) bool {
	if len(args) == 0 || !c.ctor.skips.Load() {
		return false
	}
	_, checks := c.base.(sqldriver.NamedValueChecker)
	return !checks || !exec.Steps(plan)
}

// planCall finds the plan for a call under the policy in force.
func (c *conn) planCall(ctx context.Context, query string, args []sqldriver.NamedValue) (*exec.Engine, *sqlplan.Plan, server.Arguments, error) {
	a, err := c.ctor.server.Arguments(ctx, c.base, query, args)
	if err != nil {
		return nil, nil, a, err
	}
	if a.Ran {
		c.session.Doubt()
	}
	e, plan, err := c.session.Plan(ctx, c.engine(), c.base, c.ctor.driver, a.Text)
	return e, plan, a, err
}

// plan returns the plan for a text on this connection, and the engine that made it. It
// takes note of a refusal.
func (c *conn) plan(ctx context.Context, text string) (*exec.Engine, *sqlplan.Plan, error) {
	current := c.engine()
	e, plan, err := c.session.Plan(ctx, current, c.base, c.ctor.driver, text)
	current.NoteRefused(ctx, text, err)
	return e, plan, err
}

// execApart carries out the statements of a text that is refused as one.
func (c *conn) execApart(ctx context.Context, send exec.ExecFunc, apart *sqlplan.Apart) (res sqldriver.Result, err error) {
	err = exec.OneByOne(ctx, (*connBase)(c), apart, func(text string) (err error) {
		res, err = c.exec(ctx, send, text, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	return res, nil // as pgx reports what the last statement did
}

// passOn returns the arguments to pass on for an unprotected statement: the
// user's own slice unless the text was rewritten.
func passOn(a *server.Arguments, args []sqldriver.NamedValue) []sqldriver.NamedValue {
	if !a.Rewritten {
		return args
	}
	return append(append([]sqldriver.NamedValue(nil), a.Options...), a.Params...)
}

func (c *conn) run(e *exec.Engine, plan *sqlplan.Plan, a server.Arguments) exec.Run {
	return exec.Run{Engine: e, Plan: plan, Args: a, Base: (*connBase)(c), Conn: c.base}
}

func (c *conn) execPlan(ctx context.Context, e *exec.Engine, plan *sqlplan.Plan, send exec.ExecFunc, a server.Arguments) (sqldriver.Result, error) {
	res, err := c.run(e, plan, a).Exec(ctx, send)
	c.done(ctx, e, plan, a.Text, err)
	if exec.Steps(plan) {
		c.session.Wrote(plan, res, err)
	}
	e.NoteRefused(ctx, a.Text, err)
	return res, c.noteSkip(err)
}

func (c *conn) queryPlan(ctx context.Context, e *exec.Engine, plan *sqlplan.Plan, send exec.QueryFunc, a server.Arguments, name func(string) string) (sqldriver.Rows, error) {
	run := c.run(e, plan, a)
	answer, err := run.Query(ctx, send)
	c.done(ctx, e, plan, a.Text, err)
	if exec.Steps(plan) {
		c.session.Wrote(plan, answer.Result, err)
	}
	e.NoteRefused(ctx, a.Text, err)
	if err != nil {
		return nil, c.noteSkip(err)
	}
	answer.Rename(e, name)
	if answer.Plain() && !run.FailsLate() {
		return answer.Rows, nil
	}
	return wrapRows(ctx, &answer, a.Text), nil
}

// noteSkip remembers that the base driver takes no arguments without a
// prepared statement, so that later values are not sealed twice.
func (c *conn) noteSkip(err error) error {
	if err == sqldriver.ErrSkip {
		c.ctor.skips.Store(true)
	}
	return err
}
