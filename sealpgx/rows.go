package sealpgx

import (
	"cmp"
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/exec/reading"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// rows are the rows of a protected statement: they open the protected values, show them
// as values of the policy's types, and strip the columns that the plan added.
type rows struct {
	conn   *conn
	engine *exec.Engine
	text   string
	// desk is what reading takes; nil once the rows are closed.
	desk *desk
	// base is what the rows are read from, mostly the desk's; nil if the statement returned
	// no result, and once the rows are closed.
	base *fetched
	// pooled goes back to its pool when the rows end; nil if no pool waits for it.
	pooled *pgxpool.Conn
	fields []pgconn.FieldDescription
	// protected says which columns are, field by field.
	protected []bool
	values    [][]byte // of the row in hand
	buf       []byte   // what opened values lie in
	plans     []scanPlan
	tag       pgconn.CommandTag // once the rows are closed
	err       error
	closed    bool
	// narrow holds the parts of a narrow result.
	narrow struct {
		fields    [narrow]pgconn.FieldDescription
		protected [narrow]bool
		values    [narrow][]byte
		buf       [48]byte
		plans     [1]scanPlan
	}
}

// column is a visible column.
type column struct {
	from int // the server's column
	// look is set for a protected column.
	look *look
}

// scanPlan is pgx's plan for a destination of a type.
type scanPlan struct {
	to   reflect.Type
	plan pgtype.ScanPlan
}

var _ pgx.Rows = (*rows)(nil)

// open hands out the rows of an answer.
func (r *rows) open(ctx context.Context, a *exec.Answer, q *request) {
	c := r.conn
	base, buffer := fetchedOf(a)
	if base == nil {
		return
	}
	d, n := r.desk, len(base.fields)
	r.engine, r.text, r.base = c.engine(), q.text, base
	source := a.Source(q.text)
	source.Rows, source.Buffer = base, buffer
	base.reader = &d.reader
	d.reader.Init(ctx, source)
	set := firstSet(a.Sets)
	d.reader.Enter(0, set, n+1)
	r.fields, r.protected = slices.Grow(r.narrow.fields[:0], n), slices.Grow(r.narrow.protected[:0], n)
	d.columns, base.wanted = slices.Grow(d.narrow.columns[:0], n), slices.Grow(d.narrow.wanted[:0], n)[:n]
	d.filtered = set != nil && len(set.Filters) > 0
	if set == nil {
		d.cells, base.lends = make([]sqldriver.Value, n+1), true
	}
	for i, f := range base.fields {
		if set == nil {
			r.add(column{from: i}, f)
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
			shown.look = lookOf(a.Engine.Column(p.Column), f.DataTypeOID)
			if p.Measure != sqlplan.MeasureNone {
				shown.look = lengthLook
			}
			f = shown.look.field(f, c.shownFormat(q, shown.look.oid, len(d.columns)))
		}
		r.add(shown, f)
	}
}

// add adds a visible column.
func (r *rows) add(c column, f pgconn.FieldDescription) {
	r.desk.columns, r.fields, r.protected = append(r.desk.columns, c), append(r.fields, f), append(r.protected, c.look != nil)
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
	if r.pooled != nil {
		defer r.pooled.Release()
	}
	d, base, filtered, handed := r.desk, r.base, r.desk.filtered, r.desk.handed
	r.desk, r.base = nil, nil
	d.reader.Stop()
	defer d.clear()
	if base == nil {
		return
	}
	if err := base.Close(); r.err == nil {
		r.err = err
	}
	if r.tag = base.rows.CommandTag(); filtered {
		r.tag = pgconn.NewCommandTag("SELECT " + strconv.Itoa(handed))
	}
	r.err = r.engine.Named(context.Background(), r.text, r.err) // the server may say only now what a write violates
}

// Err implements pgx.Rows.
func (r *rows) Err() error { return r.err }

// CommandTag implements pgx.Rows.
func (r *rows) CommandTag() pgconn.CommandTag { return r.tag }

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
		r.desk.handed++
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
	d := r.desk
	cells := d.cells
	if cells == nil {
		cells, err = d.reader.Row()
	} else {
		err = d.reader.Fetch(cells)
	}
	if err != nil {
		return err
	}
	if r.values == nil {
		r.values, r.buf = append(r.narrow.values[:0], make([][]byte, len(d.columns))...), r.narrow.buf[:0]
	}
	sent := *cells[len(cells)-1].(*raw)
	buf := r.buf[:0]
	for i := range d.columns {
		c := &d.columns[i]
		if c.look == nil {
			r.values[i] = sent[c.from]
			continue
		}
		if r.values[i] = nil; cells[c.from] == nil {
			continue
		}
		at := len(buf)
		if buf, err = c.look.write(buf, r.fields[i].Format, cells[c.from]); err != nil {
			return err
		}
		r.values[i] = buf[at:len(buf):len(buf)]
	}
	r.buf = buf
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
		r.plans = append(r.narrow.plans[:0], make([]scanPlan, len(dest))...)
	}
	plans, values, protected := r.plans, r.values, r.protected // a Scanner may close the rows
	for i, d := range dest {
		if d == nil {
			continue
		}
		p, to := &plans[i], reflect.TypeOf(d)
		if p.to != to {
			p.to, p.plan = to, r.TypeMap().PlanScan(r.fields[i].DataTypeOID, r.fields[i].Format, d)
		}
		if err := p.plan.Scan(values[i], d); err != nil {
			if protected[i] {
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
	values := r.values
	out := make([]any, len(values))
	for i, v := range values {
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
		if err != nil && r.protected[i] {
			err = &scanError{out, err}
		}
		return out, err
	}
	if f.Format == pgx.TextFormatCode {
		return string(v), nil
	}
	return append([]byte(nil), v...), nil
}
