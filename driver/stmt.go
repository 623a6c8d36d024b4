package driver

//lint:file-ignore SA1019 a wrapper exposes whatever the base has, older interfaces too

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"io"

	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// stmt wraps a prepared statement of the base driver. As with conn, the
// optional interfaces are on the types below.
type stmt struct {
	base sqldriver.Stmt
	conn *conn
	text string // the user's
	// planned is the text that the plan is of: the user's, but for Session.Recount. name
	// names the columns of its result.
	planned string
	name    func(string) string
	// again prepares another text as the user's call did, for when the policy
	// or a table changed since.
	again  prepareFunc
	engine *exec.Engine
	plan   *sqlplan.Plan
	params params
}

type (
	stmtExecer    stmt
	stmtQueryer   stmt
	stmtChecker   stmt
	stmtConverter stmt
)

var (
	_ sqldriver.Stmt              = (*stmt)(nil)
	_ sqldriver.StmtExecContext   = (*stmtExecer)(nil)
	_ sqldriver.StmtQueryContext  = (*stmtQueryer)(nil)
	_ sqldriver.NamedValueChecker = (*stmtChecker)(nil)
	_ sqldriver.ColumnConverter   = (*stmtConverter)(nil)
)

// prepareFunc prepares a text with the base driver.
type prepareFunc func(ctx context.Context, text string) (sqldriver.Stmt, error)

// prepare plans the text and prepares, through send, what the plan sends.
func (c *conn) prepare(ctx context.Context, query string, send prepareFunc) (sqldriver.Stmt, error) {
	e, plan, err := c.plan(ctx, query)
	if err != nil {
		return nil, err
	}
	return c.preparePlan(ctx, e, plan, query, send)
}

func (c *conn) preparePlan(ctx context.Context, e *exec.Engine, plan *sqlplan.Plan, query string, send prepareFunc) (sqldriver.Stmt, error) {
	base, err := send(ctx, preparedText(plan, query))
	if err != nil {
		return nil, e.Named(ctx, query, err)
	}
	s := &stmt{base: base, conn: c, text: query, planned: query, again: send, engine: e, plan: plan}
	_, execer := base.(sqldriver.StmtExecContext)
	_, queryer := base.(sqldriver.StmtQueryContext)
	_, checker := base.(sqldriver.NamedValueChecker)
	_, converter := base.(sqldriver.ColumnConverter)
	return combineStmt(s, bits(execer, queryer, checker, converter)), nil
}

// preparedText is what the base driver prepares. A statement that is carried
// out in steps prepares the text that writes nothing, so that the server says
// now what is wrong with it.
func preparedText(plan *sqlplan.Plan, query string) string {
	if !plan.Protected {
		return query
	}
	if r, ok := plan.Route.(*sqlplan.RowByRow); ok {
		return r.Empty().Text
	}
	if definesByValues(plan) {
		return "SELECT 1"
	}
	return plan.Main.Text
}

// definesByValues reports whether the plan is of DDL that has values of protected columns, such
// as the predicate of a partial index. DDL takes no parameters, so that it is not prepared:
// each execution sends it with literals.
func definesByValues(plan *sqlplan.Plan) bool { return plan.Defines && len(plan.Main.Args) > 0 }

// current makes sure that the statement follows the policy in force.
func (s *stmt) current(ctx context.Context) error {
	var text string
	text, s.name = s.conn.session.Recount(s.conn.ctor.server, s.text)
	s.conn.session.Note(s.plan)
	if text == s.planned && s.conn.session.PlanCurrent(s.plan, s.engine, s.conn.engine(), s.conn.base) {
		return nil
	}
	e, plan, err := s.conn.plan(ctx, text)
	if err != nil {
		return err
	}
	if preparedText(plan, text) != preparedText(s.plan, s.planned) {
		base, err := s.again(ctx, preparedText(plan, text))
		if err != nil {
			return e.Named(ctx, s.text, err)
		}
		_ = s.base.Close() // the new one serves; a failure to close shows on the connection
		s.base = base
	}
	s.engine, s.plan, s.planned = e, plan, text
	return nil
}

// Unwrap returns the base driver's statement.
func (s *stmt) Unwrap() any { return s.base }

func (s *stmt) Close() error { return s.base.Close() }

// NumInput is the number of the user's parameters, not of those sent.
func (s *stmt) NumInput() int {
	if s.plan.Protected {
		return s.plan.UserParams
	}
	return s.base.NumInput()
}

func (s *stmt) Exec(args []sqldriver.Value) (sqldriver.Result, error) {
	ctx := context.Background()
	if err := s.current(ctx); err != nil {
		return nil, err
	}
	if !s.plan.Protected {
		res, err := s.base.Exec(args)
		return res, s.conn.sent(ctx, s.engine, s.plan, s.planned, err)
	}
	return s.conn.execPlan(ctx, s.engine, s.plan, s.execBase, server.Arguments{Text: s.planned, Params: named(args), Prepared: !definesByValues(s.plan)})
}

func (s *stmt) Query(args []sqldriver.Value) (sqldriver.Rows, error) {
	ctx := context.Background()
	if err := s.current(ctx); err != nil {
		return nil, err
	}
	if !s.plan.Protected {
		if err := s.describe(ctx); err != nil {
			return nil, err
		}
		rows, err := s.base.Query(args)
		return renamed(ctx, s.engine, rows, s.planned, s.name), s.conn.sent(ctx, s.engine, s.plan, s.planned, err)
	}
	return s.conn.queryPlan(ctx, s.engine, s.plan, s.queryBase, server.Arguments{Text: s.planned, Params: named(args), Prepared: !definesByValues(s.plan)}, s.name)
}

func (s *stmtExecer) ExecContext(ctx context.Context, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	st := (*stmt)(s)
	if err := st.current(ctx); err != nil {
		return nil, err
	}
	if !s.plan.Protected {
		res, err := s.base.(sqldriver.StmtExecContext).ExecContext(ctx, args)
		return res, s.conn.sent(ctx, s.engine, s.plan, s.planned, err)
	}
	return s.conn.execPlan(ctx, s.engine, s.plan, st.execBase, server.Arguments{Text: s.planned, Params: args, Prepared: !definesByValues(s.plan)})
}

func (s *stmtQueryer) QueryContext(ctx context.Context, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	st := (*stmt)(s)
	if err := st.current(ctx); err != nil {
		return nil, err
	}
	if !s.plan.Protected {
		if err := st.describe(ctx); err != nil {
			return nil, err
		}
		rows, err := s.base.(sqldriver.StmtQueryContext).QueryContext(ctx, args)
		return renamed(ctx, s.engine, rows, s.planned, s.name), s.conn.sent(ctx, s.engine, s.plan, s.planned, err)
	}
	return s.conn.queryPlan(ctx, s.engine, s.plan, st.queryBase, server.Arguments{Text: s.planned, Params: args, Prepared: !definesByValues(s.plan)}, s.name)
}

// describe compares the plan of a text that may concern a protected column with what
// the server says of its result.
func (s *stmt) describe(ctx context.Context) error {
	if !s.plan.Named {
		return nil
	}
	return s.conn.run(s.engine, s.plan, server.Arguments{Text: s.planned, Prepared: true}).Describe(ctx, s.planned)
}

// CheckNamedValue leaves a plaintext alone, since the base statement would
// convert it to the ciphertext column's type; sealing converts it.
func (s *stmtChecker) CheckNamedValue(nv *sqldriver.NamedValue) error {
	if s.params.of(s.plan).isSealed(nv.Ordinal - 1) {
		return nil
	}
	return s.base.(sqldriver.NamedValueChecker).CheckNamedValue(nv)
}

func (s *stmtConverter) ColumnConverter(idx int) sqldriver.ValueConverter {
	if !s.plan.Protected {
		return s.base.(sqldriver.ColumnConverter).ColumnConverter(idx)
	}
	// The user's parameter may be sent at another place than its own.
	if place, sent := s.params.of(s.plan).place(idx); sent {
		return s.base.(sqldriver.ColumnConverter).ColumnConverter(place)
	}
	return sqldriver.DefaultParameterConverter
}

// execBase runs the prepared base statement. Its text is the plan's text.
func (s *stmt) execBase(ctx context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	if base, ok := s.conn.base.(sqldriver.ExecerContext); ok && definesByValues(s.plan) {
		return base.ExecContext(ctx, text, args)
	}
	if len(s.plan.Results) > 0 && !s.engine.ExecsRows() {
		return s.drain(ctx, args)
	}
	return execStmt(ctx, s.base, args)
}

// drain runs the prepared base statement and drops the rows that it returns.
func (s *stmt) drain(ctx context.Context, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	rows, err := queryStmt(ctx, s.base, args)
	if err != nil {
		return nil, err
	}
	row := make([]sqldriver.Value, len(rows.Columns()))
	for err == nil {
		err = rows.Next(row)
	}
	if err != io.EOF {
		return nil, errors.Join(err, rows.Close())
	}
	return exec.Dropped{}, rows.Close()
}

func (s *stmt) queryBase(ctx context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	if base, ok := s.conn.base.(sqldriver.QueryerContext); ok && definesByValues(s.plan) {
		return base.QueryContext(ctx, text, args)
	}
	return queryStmt(ctx, s.base, args)
}

// execStmt runs a base statement as database/sql would.
func execStmt(ctx context.Context, base sqldriver.Stmt, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	if x, ok := base.(sqldriver.StmtExecContext); ok {
		return x.ExecContext(ctx, args)
	}
	values, err := unnamed(args)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return base.Exec(values)
}

func queryStmt(ctx context.Context, base sqldriver.Stmt, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	if x, ok := base.(sqldriver.StmtQueryContext); ok {
		return x.QueryContext(ctx, args)
	}
	values, err := unnamed(args)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return base.Query(values)
}
