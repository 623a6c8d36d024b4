package exec

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec/packet"
	"github.com/sealsql/sealsql/internal/exec/reading"
	"github.com/sealsql/sealsql/internal/exec/sealing"
	"github.com/sealsql/sealsql/internal/exec/written"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Run is one execution of a protected plan on a connection. It takes the plan's
// route: direct here, the others in steps.go and the files beside it.
type Run struct {
	Engine *Engine
	Plan   *sqlplan.Plan
	Args   server.Arguments
	Base   Base
	// Conn is the connection, for the rules of values that it carries.
	Conn sqldriver.Conn
	// Batched is true for a connection that texts were sent together on: the base driver
	// may have prepared them without keeping what the server says of them.
	Batched bool
	// Busy is true if the connection cannot be asked while values are sealed.
	Busy bool
}

// ExecFunc and QueryFunc send one text to the base driver: through the connection,
// or through a statement that was prepared for that text.
type (
	ExecFunc  func(ctx context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Result, error)
	QueryFunc func(ctx context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Rows, error)
)

// Answer is what a query answered with.
type Answer struct {
	// Rows are the base driver's. If Buffer is not nil they were read into it
	// and are closed; their columns' metadata is left.
	Rows   sqldriver.Rows
	Buffer [][]any
	// Sets describes the result sets; empty if Rows are handed out as they are.
	Sets []sqlplan.ResultSet
	// Engine opens the values.
	Engine *Engine
	// Result is that of a statement that returned no rows, if it was carried out in steps.
	Result sqldriver.Result

	among []reading.Wanted
}

// Plain reports whether Rows are handed out as they are.
func (a *Answer) Plain() bool {
	_, frozen := a.Rows.(*reading.Frozen)
	return len(a.Sets) == 0 && !frozen
}

// Offers returns the rows whose optional interfaces count.
func (a *Answer) Offers() sqldriver.Rows {
	if f, ok := a.Rows.(*reading.Frozen); ok {
		return f.Base()
	}
	return a.Rows
}

// FailsLate reports whether reading Rows may yet fail for what the statement writes.
func (r Run) FailsLate() bool {
	return !r.Plan.ReadOnly && r.Engine.config.Server.FailsInRows() && slices.ContainsFunc(r.Engine.funnel.Tables, (*seal.Table).Searches)
}

// Source is what a reader of the answer's rows reads from. text is the statement.
func (a *Answer) Source(text string) reading.Source {
	return reading.Source{Opener: a.Engine, Rows: a.Rows, Buffer: a.Buffer, Among: a.among, Text: text}
}

// Steps reports whether the plan is carried out by texts of sealsql's own.
func Steps(plan *sqlplan.Plan) bool { return plan.Protected && !direct(plan) }

// direct reports whether a plan needs one text to be sent.
func direct(plan *sqlplan.Plan) bool {
	_, ok := plan.Route.(sqlplan.Direct)
	return ok
}

// count checks the number of arguments, since the plan's indexes rely on it.
func (r Run) count() error {
	if r.Plan.UserParams >= 0 && len(r.Args.Params) != r.Plan.UserParams {
		return fmt.Errorf("sealsql: expected %d arguments, got %d", r.Plan.UserParams, len(r.Args.Params))
	}
	return nil
}

// binding returns what the run seals.
func (r Run) binding() *sealing.Binding {
	return sealing.New(r.Engine, r.Engine.config.Server.Values(r.Engine.session, r.Conn, r.Args.Options), r.Args.Text, r.Args.Params, r.sure)
}

// Exec carries out a statement that returns no rows.
func (r Run) Exec(ctx context.Context, send ExecFunc) (sqldriver.Result, error) {
	res, err := r.exec(ctx, send)
	return res, r.Engine.Named(ctx, r.Args.Text, err)
}

func (r Run) exec(ctx context.Context, send ExecFunc) (sqldriver.Result, error) {
	if err := r.count(); err != nil {
		return nil, err
	}
	res, err := r.execOnce(ctx, send)
	if !r.stale(ctx, err) {
		return res, err
	}
	if r, err = r.replanned(ctx); err != nil {
		return nil, err
	}
	return r.execOnce(ctx, r.Base.Exec)
}

func (r Run) execOnce(ctx context.Context, send ExecFunc) (sqldriver.Result, error) {
	if !direct(r.Plan) {
		return r.steps().exec(ctx)
	}
	text, args, _, err := r.bind(ctx)
	if err != nil {
		return nil, err
	}
	return send(ctx, text, args)
}

// Query carries out a statement that returns rows.
func (r Run) Query(ctx context.Context, send QueryFunc) (Answer, error) {
	answer, err := r.query(ctx, send)
	return answer, r.Engine.Named(ctx, r.Args.Text, err)
}

func (r Run) query(ctx context.Context, send QueryFunc) (Answer, error) {
	if err := r.count(); err != nil {
		return Answer{}, err
	}
	answer, err := r.queryOnce(ctx, send)
	switch {
	case !r.stale(ctx, err):
		return answer, err
	}
	old := r.Plan
	if r, err = r.replanned(ctx); err != nil {
		return Answer{}, err
	}
	if r.Args.Prepared && direct(old) && r.Plan.Main.Text != old.Main.Text { // send knows the old text
		return Answer{}, sealing.ErrRetyped
	}
	return r.queryOnce(ctx, send)
}

func (r Run) queryOnce(ctx context.Context, send QueryFunc) (Answer, error) {
	if !direct(r.Plan) {
		return r.steps().query(ctx)
	}
	text, args, among, err := r.bind(ctx)
	if err != nil {
		return Answer{}, err
	}
	if err := r.Describe(ctx, text); err != nil {
		r.Engine.noteStale(err)
		return Answer{}, err
	}
	if err := r.Engine.learn(ctx, r.Plan.Results); err != nil {
		return Answer{}, err
	}
	base, err := send(ctx, text, args)
	if err != nil {
		r.Engine.noteStale(err)
		return Answer{}, err
	}
	if err = r.shownAs(ctx, base); err != nil && err != sealing.ErrRetyped {
		return Answer{}, errors.Join(err, base.Close())
	}
	if err != nil || len(r.Plan.Results) > 0 && !Fits(base, &r.Plan.Results[0]) {
		return r.queryStale(ctx, base, send)
	}
	return Answer{Rows: base, Sets: r.Plan.Results, Engine: r.Engine, among: among}, nil
}

// queryStale deals with a result that does not have the columns that the plan
// expects: a table changed since the catalog was read. Nothing of it is handed out.
func (r Run) queryStale(ctx context.Context, base sqldriver.Rows, send QueryFunc) (Answer, error) {
	if err := base.Close(); err != nil {
		return Answer{}, err
	}
	old := r.Plan
	r.Engine.TablesChanged()
	if !old.ReadOnly {
		return Answer{}, fmt.Errorf("%w: it was carried out, but its result is withheld because it does not have the expected columns", fault.ErrTableChanged)
	}
	var err error
	if r.Plan, err = r.Engine.Plan(ctx, r.Args.Text); err != nil {
		return Answer{}, err
	}
	if !r.Plan.Protected || !direct(r.Plan) || r.Args.Prepared && r.Plan.Main.Text != old.Main.Text {
		return Answer{}, fmt.Errorf("%w: run the statement again", fault.ErrTableChanged)
	}
	text, args, among, err := r.bind(ctx)
	if err != nil {
		return Answer{}, err
	}
	if base, err = send(ctx, text, args); err != nil {
		return Answer{}, err
	}
	if len(r.Plan.Results) == 0 || !Fits(base, &r.Plan.Results[0]) {
		return Answer{}, errors.Join(fmt.Errorf("%w: its result still does not have the expected columns", fault.ErrTableChanged), base.Close())
	}
	return Answer{Rows: base, Sets: r.Plan.Results, Engine: r.Engine, among: among}, nil
}

// Fits reports whether the result has the columns that the plan expects.
func Fits(base sqldriver.Rows, set *sqlplan.ResultSet) bool { return set.Fits(base.Columns()) }

// noteStale forgets what is known of tables when Postgres says that a statement
// the base driver prepared returns other columns now, and reports whether it says so: the
// plan is as old.
func (e *Engine) noteStale(err error) bool {
	s, ok := errors.AsType[stateError](err)
	if ok = ok && s.SQLState() == "0A000"; ok {
		e.TablesChanged()
	}
	return ok
}

// bind seals what the plan says and fills its main text. among are the values that are
// searched for by short terms.
func (r Run) bind(ctx context.Context) (text string, args []sqldriver.NamedValue, among []reading.Wanted, err error) {
	main := &r.Plan.Main
	if r.Plan.Seals.Len() == 0 && len(r.Args.Options) == 0 && userArguments(main, len(r.Args.Params)) {
		return main.Text, r.Args.Params, nil, nil
	}
	b := r.binding()
	todo, err := b.UnsealAll(ctx, r.Plan.Seals, nil)
	defer sealing.Wipe(todo)
	if err != nil {
		return "", nil, nil, err
	}
	if among, err = b.Wanted(r.Plan.Results, todo); err != nil {
		return "", nil, nil, err
	}
	sealed, err := b.SealEach(ctx, todo)
	if err != nil {
		return "", nil, nil, err
	}
	if !r.Args.Prepared && len(r.Args.Params) == 0 && len(main.Args) > 0 {
		if text, ok := written.Inline(r.Engine.config.Server, main, sealed); ok {
			return text, r.Args.Options, among, packet.Fits(text, nil, r.Engine.session.MaxPacket)
		}
	}
	text, args = b.Bind(main, r.Args.Options, sealed)
	if err = packet.Fits(text, args, r.Engine.session.MaxPacket); err == nil {
		err = r.typed(ctx, b, text, main, r.Plan.Seals)
	}
	return text, args, among, err
}

// userArguments reports whether a template takes a user's n arguments as they
// are.
func userArguments(t *sqlplan.Template, n int) bool {
	if len(t.Args) != n {
		return false
	}
	for i, a := range t.Args {
		if a.Kind != sqlplan.ArgUser || int(a.Index) != i {
			return false
		}
	}
	return true
}
