package exec

import (
	"cmp"
	"context"
	sqldriver "database/sql/driver"
	"fmt"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec/reading"
	"github.com/sealsql/sealsql/internal/exec/sealing"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Bound is a run of one text whose values are sealed, for a base driver that sends it
// together with others.
type Bound struct {
	Text string
	Args []sqldriver.NamedValue

	run   Run
	among []reading.Wanted
}

// Bind seals what the plan says, and reads what opening its results takes: the connection
// is not asked again until they are read. A plan of several texts is refused.
func (r Run) Bind(ctx context.Context) (b Bound, err error) {
	if err := r.count(); err != nil {
		return b, err
	}
	if !direct(r.Plan) {
		return b, &fault.RefusedError{What: "the statement takes several exchanges, as for a row key that the server makes or for rows that are read first",
			Hint: "send it by itself, or give each row its key and name rows by their key"}
	}
	b.run = r
	r.Batched = true // pgx prepares the texts of a batch by itself
	if b.Text, b.Args, b.among, err = r.bind(ctx); err != nil {
		return b, err
	}
	return b, r.Engine.learn(ctx, r.Plan.Results)
}

// DescribeNow is Describe by the server's description of now, which takes an exchange
// once for each plan.
func (r Run) DescribeNow(ctx context.Context, text string) error {
	if r.Engine.plans.Described(r.Plan) {
		return nil
	}
	err := r.describe(ctx, text, server.Fresh)
	if err == nil {
		r.Engine.plans.NoteDescribed(r.Args.Text, r.Plan)
	}
	return err
}

// Answer is the answer that the base driver's rows are.
func (b *Bound) Answer(ctx context.Context, base sqldriver.Rows) (Answer, error) {
	results, run := b.run.Plan.Results, b.run
	run.Busy = true
	err := run.shownAs(ctx, base)
	if err != nil && err != sealing.ErrRetyped {
		return Answer{}, err
	}
	if err != nil || len(results) > 0 && !Fits(base, &results[0]) {
		b.run.Engine.TablesChanged()
		return Answer{}, fmt.Errorf("%w: it was carried out, but its result is withheld because it does not have the expected columns", fault.ErrTableChanged)
	}
	return Answer{Rows: base, Sets: results, Engine: b.run.Engine, among: b.among}, nil
}

// Row is a row whose values are read, and are yet to be sealed.
type Row struct {
	b       *sealing.Binding
	run     Run
	todo    []sealing.Unsealed
	unowned bool
}

// Row reads a row of values for a run of one text. own returns a value that stays what it
// is when the caller's changes, or says that there is none.
func (r Run) Row(ctx context.Context, values []sqldriver.NamedValue, own func(any) (any, bool)) (*Row, error) {
	r.Args.Params = values
	if err := r.count(); err != nil {
		return nil, err
	}
	row := &Row{b: r.binding(), run: r}
	var err error
	if row.todo, err = row.b.UnsealAll(ctx, r.Plan.Seals, nil); err != nil {
		sealing.Wipe(row.todo)
		return nil, err
	}
	for _, a := range r.Plan.Main.Args {
		if a.Kind != sqlplan.ArgUser {
			continue
		}
		v, owned := own(row.b.Params[a.Index].Value)
		row.b.Params[a.Index].Value = v
		row.unowned = row.unowned || !owned
	}
	return row, nil
}

// Owned reports whether the row stays what it is when the caller's values change.
func (r *Row) Owned() bool { return !r.unowned }

// Seal returns the values that are sent. It may be called in any goroutine, once.
func (r *Row) Seal(ctx context.Context) ([]sqldriver.NamedValue, error) {
	defer sealing.Wipe(r.todo)
	sealed, err := r.b.SealEach(ctx, r.todo)
	if err != nil {
		return nil, err
	}
	_, args := r.b.Bind(&r.run.Plan.Main, nil, sealed)
	return args, nil
}

// Copied returns the columns that take the values of an INSERT's plan, in the order of
// its arguments: those that the text names, and those of terms. It reads what sealing the
// rows takes, since the connection is busy while they are sent.
func (r Run) Copied(ctx context.Context, named []string) ([]string, error) {
	for _, s := range r.Plan.Seals.All() {
		if _, err := r.Engine.Shape(ctx, r.Engine.tables[s.Table], s.Schema); err != nil {
			return nil, err
		}
		if changed, err := r.Engine.retyped(ctx, s.Column.Table, s.Schema); err != nil || changed {
			return nil, cmp.Or(err, sealing.ErrRetyped)
		}
	}
	var room sqlplan.Seal
	columns := make([]string, len(r.Plan.Main.Args))
	for i, a := range r.Plan.Main.Args {
		switch {
		case a.Kind == sqlplan.ArgUser && int(a.Index) < len(named):
			columns[i] = named[a.Index]
		case a.Kind == sqlplan.ArgSeal:
			columns[i] = sealedColumn(r.Plan.Seals.At(int(a.Index), &room))
		}
		if columns[i] == "" {
			return nil, &fault.RefusedError{What: "rows are copied into a table whose inserts take more than their values", Hint: "insert the rows"}
		}
	}
	return columns, nil
}

// sealedColumn is the column that takes what a seal of an INSERT makes; empty if that is
// no value of a column.
func sealedColumn(s *sqlplan.Seal) string {
	switch s.Term {
	case sqlplan.TermUnused:
		return s.Column.Name
	case sqlplan.TermValue:
		return s.Column.Term.Column
	case sqlplan.TermOther:
		return s.Column.Other.Column
	}
	return ""
}
