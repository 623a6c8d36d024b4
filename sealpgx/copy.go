package sealpgx

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// copyFrom copies rows into a table. What it means for the table's protected columns is
// what an INSERT of the same columns means.
func (c *conn) copyFrom(ctx context.Context, table pgx.Identifier, columns []string, source pgx.CopyFromSource) (int64, error) {
	text := insertOf(table, columns)
	e, plan, err := c.plan(ctx, text)
	if err != nil {
		return 0, err
	}
	if !plan.Protected {
		n, err := c.base.CopyFrom(ctx, table, columns, source)
		c.session.Sent(plan, err)
		return n, err
	}
	r := request{text: text, mode: pgx.QueryExecModeDescribeExec, prepared: true} // COPY's values have types in every mode
	s := &sealedRows{ctx: ctx, run: c.run(e, plan, &r), source: source, width: len(columns)}
	into, err := s.columns(columns)
	if err != nil {
		return 0, c.failed(ctx, text, err)
	}
	n, err := c.base.CopyFrom(ctx, table, into, s)
	c.session.Sent(plan, err)
	if s.err != nil {
		err = s.err
	}
	return n, c.failed(ctx, text, e.Named(ctx, text, err))
}

// insertOf is the INSERT of one row of the columns.
func insertOf(table pgx.Identifier, columns []string) string {
	names, holes := make([]string, len(columns)), make([]string, len(columns))
	for i, name := range columns {
		names[i], holes[i] = pgx.Identifier{name}.Sanitize(), fmt.Sprintf("$%d", i+1)
	}
	return "INSERT INTO " + table.Sanitize() + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(holes, ", ") + ")"
}

// sealedRows are rows whose protected values are sealed as pgx asks for each. pgx asks in
// a goroutine of its own, while the connection sends.
type sealedRows struct {
	ctx    context.Context
	run    exec.Run
	source pgx.CopyFromSource
	width  int
	err    error
}

var _ pgx.CopyFromSource = (*sealedRows)(nil)

// errCopied stands for an error of the rows: pgx sends its text to the server, and the
// error may quote a value.
var errCopied = errors.New("sealpgx: the rows to copy failed")

// columns are the columns that are copied into.
func (s *sealedRows) columns(named []string) ([]string, error) {
	if _, direct := s.run.Plan.Route.(sqlplan.Direct); !direct {
		return nil, &fault.RefusedError{What: "rows are copied into a table with a protected column, without the row key that its values are bound to",
			Hint: "copy the row key too: take its values from the sequence first, or insert the rows"}
	}
	return s.run.Copied(s.ctx, named)
}

// Next implements pgx.CopyFromSource.
func (s *sealedRows) Next() bool { return s.err == nil && s.source.Next() }

// Values implements pgx.CopyFromSource.
func (s *sealedRows) Values() ([]any, error) {
	values, err := s.source.Values()
	if err == nil && len(values) != s.width {
		err = fmt.Errorf("expected %d values, got %d values", s.width, len(values))
	}
	var b exec.Bound
	if err == nil {
		s.run.Args.Params = numbered(values)
		b, err = s.run.Bind(s.ctx)
	}
	if err != nil {
		s.err = err
		return nil, errCopied
	}
	return plain(b.Args[len(s.run.Args.Options):]), nil
}

// Err implements pgx.CopyFromSource.
func (s *sealedRows) Err() error {
	if err := s.source.Err(); err != nil && s.err == nil {
		s.err = err
	}
	if s.err != nil {
		return errCopied
	}
	return nil
}
