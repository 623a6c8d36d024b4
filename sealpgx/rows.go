package sealpgx

import (
	"cmp"
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/exec/reading"
)

// rows are the rows of a protected statement: they open the protected values, show them
// as values of the policy's types, and strip the columns that the plan added.
type rows struct {
	conn   *conn
	engine *exec.Engine
	text   string
	base   *fetched // nil if the statement returned no result
	reader reading.Reader
	// cells is a row as a reader that opens nothing reads it.
	cells   []sqldriver.Value
	columns []column
	fields  []pgconn.FieldDescription
	values  [][]byte // of the row in hand
	buf     []byte   // what opened values lie in
	plans   []scanPlan
	err     error
	closed  bool
}

// column is a visible column.
type column struct {
	from int // the server's column
	// look is set for a protected column.
	look      look
	protected bool
}

// scanPlan is pgx's plan for a destination of a type.
type scanPlan struct {
	to   reflect.Type
	plan pgtype.ScanPlan
}

var _ pgx.Rows = (*rows)(nil)

// open hands out the rows of an answer.
func (c *conn) open(ctx context.Context, a *exec.Answer, r *request) pgx.Rows {
	base, buffer := fetchedOf(a)
	if base == nil {
		return &rows{conn: c}
	}
	out := &rows{conn: c, engine: c.engine(), text: r.text, base: base}
	width := len(base.fields) + 1
	source := a.Source(r.text)
	source.Rows, source.Buffer = base, buffer
	out.reader.Init(ctx, source)
	set := firstSet(a.Sets)
	out.reader.Enter(0, set, width)
	if set == nil {
		out.cells = make([]sqldriver.Value, width)
	}
	base.wanted = make([]bool, len(base.fields))
	out.columns, out.fields = make([]column, 0, len(base.fields)), make([]pgconn.FieldDescription, 0, len(base.fields))
	for i, f := range base.fields {
		if set == nil {
			out.columns, out.fields = append(out.columns, column{from: i}), append(out.fields, f)
			continue
		}
		p := set.Columns[i].Protected
		if p != nil {
			base.want(i)
			base.want(p.Term)
			for _, at := range p.Sources {
				base.want(at)
			}
		}
		if set.Columns[i].Hidden {
			continue
		}
		f.Name = cmp.Or(set.Columns[i].Shown, f.Name)
		shown := column{from: i}
		if p != nil {
			shown.look, shown.protected = looks[a.Engine.Column(p.Column).Type], true
			f = shown.look.field(f, c.shownFormat(r, shown.look.oid, len(out.columns)))
		}
		out.columns, out.fields = append(out.columns, shown), append(out.fields, f)
	}
	return out
}

// fetchedOf returns the rows of an answer, and those that were read already: each has the
// raw values behind its columns.
func fetchedOf(a *exec.Answer) (*fetched, [][]any) {
	switch from := a.Rows.(type) {
	case *fetched:
		return from, nil
	case *reading.Frozen:
		base := from.Base().(*fetched)
		buffer := make([][]any, len(a.Buffer))
		for i, row := range a.Buffer {
			buffer[i] = append(row, base.kept[i])
		}
		base.kept = nil
		return base, buffer
	}
	return nil, nil
}

// Close implements pgx.Rows.
func (r *rows) Close() {
	if r.closed {
		return
	}
	r.closed = true
	r.values, r.plans = nil, nil
	r.reader.Stop()
	if r.base == nil {
		return
	}
	if err := r.base.Close(); r.err == nil {
		r.err = err
	}
	r.err = r.engine.Named(context.Background(), r.text, r.err) // the server may say only now what a write violates
}

// Err implements pgx.Rows.
func (r *rows) Err() error { return r.err }

// CommandTag implements pgx.Rows.
func (r *rows) CommandTag() pgconn.CommandTag {
	if r.base == nil || !r.closed {
		return pgconn.CommandTag{}
	}
	return r.base.rows.CommandTag()
}

// FieldDescriptions implements pgx.Rows.
func (r *rows) FieldDescriptions() []pgconn.FieldDescription { return r.fields }

// Conn implements pgx.Rows. What is sent through it is neither sealed nor opened.
func (r *rows) Conn() *pgx.Conn { return r.conn.bare() }

// TypeMap implements pgx.Rows.
func (r *rows) TypeMap() *pgtype.Map { return r.conn.base.TypeMap() }

// RawValues implements pgx.Rows. A protected value is shown as its plaintext, in the
// format of its field description.
func (r *rows) RawValues() [][]byte { return r.values }

// fail closes the rows with an error.
func (r *rows) fail(err error) {
	if r.err == nil {
		r.err = err
		r.Close()
	}
}

// Next implements pgx.Rows.
func (r *rows) Next() bool {
	if r.closed {
		return false
	}
	err := io.EOF
	if r.base != nil {
		err = r.next()
	}
	switch err {
	case nil:
		return true
	case io.EOF:
		r.Close()
	default:
		r.fail(err)
	}
	return false
}

// next reads a row and writes its protected values as the server would.
func (r *rows) next() (err error) {
	cells := r.cells
	if cells == nil {
		cells, err = r.reader.Row()
	} else {
		err = r.reader.Fetch(cells)
	}
	if err != nil {
		return err
	}
	if r.values == nil {
		r.values, r.buf = make([][]byte, len(r.columns)), []byte{} // an empty value is not NULL
	}
	sent := cells[len(cells)-1].(raw)
	r.buf = r.buf[:0]
	for i := range r.columns {
		c := &r.columns[i]
		if !c.protected {
			r.values[i] = sent[c.from]
			continue
		}
		if r.values[i] = nil; cells[c.from] == nil {
			continue
		}
		at := len(r.buf)
		if r.buf, err = c.look.write(r.buf, r.fields[i].Format, cells[c.from]); err != nil {
			return err
		}
		r.values[i] = r.buf[at:len(r.buf):len(r.buf)]
	}
	return nil
}

// Scan implements pgx.Rows.
func (r *rows) Scan(dest ...any) error {
	if len(r.fields) != len(r.values) {
		return r.scanFailed(fmt.Errorf("number of field descriptions must equal number of values, got %d and %d", len(r.fields), len(r.values)))
	}
	if len(dest) == 1 {
		if whole, ok := dest[0].(pgx.RowScanner); ok {
			if err := whole.ScanRow(r); err != nil {
				return r.scanFailed(err)
			}
			return nil
		}
	}
	if len(r.fields) != len(dest) {
		return r.scanFailed(fmt.Errorf("number of field descriptions must equal number of destinations, got %d and %d", len(r.fields), len(dest)))
	}
	if r.plans == nil {
		r.plans = make([]scanPlan, len(dest))
	}
	for i, d := range dest {
		if d == nil {
			continue
		}
		p, to := &r.plans[i], reflect.TypeOf(d)
		if p.to != to {
			p.to, p.plan = to, r.TypeMap().PlanScan(r.fields[i].DataTypeOID, r.fields[i].Format, d)
		}
		if err := p.plan.Scan(r.values[i], d); err != nil {
			if r.columns[i].protected {
				err = &scanError{d, err}
			}
			return r.scanFailed(pgx.ScanArgError{ColumnIndex: i, FieldName: r.fields[i].Name, Err: err})
		}
	}
	return nil
}

func (r *rows) scanFailed(err error) error {
	r.fail(err)
	return err
}

// scanError is an error about a protected value. Its text leaves out what pgx, or a
// Scanner, says of the value.
type scanError struct {
	dest  any
	cause error
}

// Error implements error.
func (e *scanError) Error() string {
	return fmt.Sprintf("a protected value cannot be scanned into %T", e.dest)
}

// Unwrap returns the cause, which may quote the value.
func (e *scanError) Unwrap() error { return e.cause }

// Values implements pgx.Rows.
func (r *rows) Values() ([]any, error) {
	if r.closed {
		return nil, errors.New("rows is closed")
	}
	out := make([]any, len(r.values))
	for i, v := range r.values {
		var err error
		if out[i], err = r.value(i, v); err != nil {
			r.fail(err)
			return nil, err
		}
	}
	return out, nil
}

func (r *rows) value(i int, v []byte) (any, error) {
	if v == nil {
		return nil, nil
	}
	f := &r.fields[i]
	if t, known := r.TypeMap().TypeForOID(f.DataTypeOID); known {
		out, err := t.Codec.DecodeValue(r.TypeMap(), f.DataTypeOID, f.Format, v)
		if err != nil && r.columns[i].protected {
			err = &scanError{out, err}
		}
		return out, err
	}
	if f.Format == pgx.TextFormatCode {
		return string(v), nil
	}
	return append([]byte(nil), v...), nil
}
