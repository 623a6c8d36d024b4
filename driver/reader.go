package driver

import (
	"context"
	sqldriver "database/sql/driver"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// openLimit bounds how many values of one result are opened at a time.
const openLimit = 64

// reader reads rows ahead in batches that grow 1, 2, 4 … up to the policy's
// cap, and opens the values of a batch at the same time. The first row is never
// held up by the ones after it. What fails in one row is reported when that row is
// asked for, after the rows before it.
type reader struct {
	ctx    context.Context
	engine *engine
	text   string
	next   func([]sqldriver.Value) error // the base driver's
	width  int
	shown  []shown
	batch  int
	cells  []sqldriver.Value // the batch's rows, one after the other
	errs   []error           // by row of the batch
	count  int               // rows in the batch
	head   int               // the next row to hand out
	end    error             // what ended the reading: io.EOF or an error
}

// shown is a server column that shows a protected value.
type shown struct {
	index int
	from  *sqlplan.ResultProtected
	col   *column
}

func (r *reader) reset(set *sqlplan.ResultSet, width int) {
	r.width, r.shown, r.batch = width, nil, 0
	r.count, r.head, r.end = 0, 0, nil
	if set == nil {
		return
	}
	for i := range set.Columns {
		if p := set.Columns[i].Protected; p != nil {
			r.shown = append(r.shown, shown{index: i, from: p, col: r.engine.columns[p.Column]})
		}
	}
}

// row returns the next row as the server sent it, with its values opened. The
// slice is valid until the next call.
func (r *reader) row() ([]sqldriver.Value, error) {
	if r.head == r.count {
		if r.end != nil {
			return nil, r.end
		}
		r.fill()
		if r.count == 0 {
			return nil, r.end
		}
	}
	i := r.head
	r.head++
	if err := r.errs[i]; err != nil {
		return nil, err
	}
	return r.cells[i*r.width : (i+1)*r.width], nil
}

// fill reads the next batch and opens its values.
func (r *reader) fill() {
	limits := r.engine.readAhead
	r.batch = min(max(1, r.batch*2), limits.rows)
	if need := r.batch * r.width; len(r.cells) < need {
		r.cells, r.errs = make([]sqldriver.Value, need), make([]error, r.batch)
	}
	clear(r.errs)
	r.count, r.head = 0, 0
	size := 0
	for r.count < r.batch && size < limits.bytes {
		row := r.cells[r.count*r.width : (r.count+1)*r.width]
		if r.end = r.next(row); r.end != nil {
			break
		}
		for i, v := range row {
			row[i] = owned(v)
			if b, ok := v.([]byte); ok {
				size += len(b)
			}
		}
		r.count++
	}
	if r.batch > 1 {
		r.engine.stats.rowsAhead.Add(uint64(max(0, r.count-1)))
	}
	_ = each(r.ctx, r.count, openLimit, func(ctx context.Context, i int) error {
		r.errs[i] = r.open(ctx, r.cells[i*r.width:(i+1)*r.width])
		return nil // rows fail one by one, when they are asked for
	})
	if err := r.ctx.Err(); err != nil {
		for i := range r.count {
			if r.errs[i] == nil {
				r.errs[i] = err
			}
		}
	}
}

// open replaces the ciphertexts of one row by their values. All of a row's
// sources are read before its first value is replaced.
func (r *reader) open(ctx context.Context, row []sqldriver.Value) error {
	values := make([]any, len(r.shown))
	for i := range r.shown {
		s := &r.shown[i]
		if row[s.index] == nil {
			continue
		}
		v, err := r.engine.openShown(ctx, s, row, r.text)
		if err != nil {
			return err
		}
		values[i] = v
	}
	for i := range r.shown {
		row[r.shown[i].index] = values[i]
	}
	return nil
}
