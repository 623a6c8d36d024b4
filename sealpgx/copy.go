package sealpgx

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/exec/parallel"
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
	run := c.run(e, plan, &r)
	run.Conn = copying{(*link)(c), c.base.PgConn().ParameterStatus("TimeZone")}
	into, err := copiedInto(ctx, run, columns)
	run.Busy = true
	if err != nil {
		return 0, c.failed(ctx, text, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &sealedRows{ctx: ctx, conn: c, run: run, source: source, width: len(columns), line: parallel.NewLine[[]any](rowsAhead, sealers)}
	defer s.line.Close()
	defer cancel()
	n, err := c.base.CopyFrom(ctx, table, into, s)
	c.session.Sent(plan, err)
	if s.err != nil {
		err = s.err
	}
	return n, c.failed(ctx, text, e.Named(ctx, text, err))
}

// copying is a connection that is busy: its time zone was asked for before.
type copying struct {
	*link
	zone string
}

// TimeZone returns the session's time zone.
func (c copying) TimeZone() string { return c.zone }

// insertOf is the INSERT of one row of the columns.
func insertOf(table pgx.Identifier, columns []string) string {
	names, holes := make([]string, len(columns)), make([]string, len(columns))
	for i, name := range columns {
		names[i], holes[i] = pgx.Identifier{name}.Sanitize(), fmt.Sprintf("$%d", i+1)
	}
	return "INSERT INTO " + table.Sanitize() + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(holes, ", ") + ")"
}

const (
	// rowsAhead bounds the rows that are read and not sent yet.
	rowsAhead = 64
	// sealers bounds the goroutines that seal them; more than there are processors, since
	// a key service may be asked for each value.
	sealers = 16
)

// sealedRows are rows whose protected values are sealed. pgx asks for rows in a goroutine
// of its own, while the connection sends. The source is read in that goroutine, some rows
// ahead, and the rows are sealed in several.
type sealedRows struct {
	ctx    context.Context
	conn   *conn
	run    exec.Run
	source pgx.CopyFromSource
	width  int
	line   *parallel.Line[[]any]
	// ended is true if the source has no more rows, or one that failed; lent is true while
	// the newest row has values that are the source's until it is asked for the next.
	ended, lent bool
	err         error
}

// errCopied stands for an error of the rows: pgx sends its text to the server, and the
// error may quote a value.
var errCopied = errors.New("sealpgx: the rows to copy failed")

// copiedInto returns the columns that are copied into.
func copiedInto(ctx context.Context, run exec.Run, named []string) ([]string, error) {
	if _, direct := run.Plan.Route.(sqlplan.Direct); !direct {
		return nil, &fault.RefusedError{What: "rows are copied into a table with a protected column, without the row key that its values are bound to",
			Hint: "copy the row key too: take its values from the sequence first, or insert the rows"}
	}
	return run.Copied(ctx, named)
}

// Next implements pgx.CopyFromSource. It reads rows ahead.
func (s *sealedRows) Next() bool {
	if s.err != nil {
		return false
	}
	for s.line.Len() < rowsAhead && !s.ended && !(s.lent && s.line.Len() > 0) {
		if !s.source.Next() {
			s.ended = true
			break
		}
		row, err := s.read()
		if err != nil {
			s.ended = true
			s.line.Put(func() ([]any, error) { return nil, err })
			break
		}
		s.lent = !row.Owned()
		s.line.Put(func() ([]any, error) {
			args, err := row.Seal(s.ctx)
			return plain(args), err
		})
	}
	return s.line.Len() > 0
}

// read reads the source's row.
func (s *sealedRows) read() (*exec.Row, error) {
	values, err := s.source.Values()
	if err != nil {
		return nil, err
	}
	if len(values) != s.width {
		return nil, fmt.Errorf("expected %d values, got %d values", s.width, len(values))
	}
	args := numbered(values)
	s.conn.spell(s.run.Engine, s.run.Plan, pgx.QueryExecModeDescribeExec, args)
	return s.run.Row(s.ctx, args, own)
}

// Values implements pgx.CopyFromSource.
func (s *sealedRows) Values() (values []any, err error) {
	if values, err = s.line.Take(); err != nil {
		s.err = err
		return nil, errCopied
	}
	return values, nil
}

// Err implements pgx.CopyFromSource. An error of the source comes after its rows.
func (s *sealedRows) Err() error {
	if s.err == nil && s.ended && s.line.Len() == 0 {
		s.err = s.source.Err()
	}
	if s.err != nil {
		return errCopied
	}
	return nil
}
