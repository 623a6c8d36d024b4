package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"sync"
	"time"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
)

const (
	// openLimit bounds how many values of one result are opened at a time.
	openLimit = 128
	// aheadPatience is how long one call goes on reading rows that were not
	// asked for yet.
	aheadPatience = 2 * time.Millisecond
	// slowRow is how long the server takes for a row before nothing is read
	// ahead until the queue is empty: a row that is there is not held up for long
	// by one that the server still has to find.
	slowRow = 10 * time.Millisecond
)

// reader reads rows ahead and opens their values at the same time. When n
// rows have been handed out, up to 2n more are read, up to the policy's caps, and
// their values are opened in the background: the first row is never held up by the
// ones after it, a result that is left half-way has cost little, and a long one is
// opened at full speed while the application works on the rows it has.
//
// The base driver is called by the caller's goroutine only. Those in the background
// open values, nothing else, and end when the rows are closed. What fails in
// one row is reported when that row is asked for, after the rows before it.
type reader struct {
	ctx    context.Context
	engine *engine
	text   string
	next   func([]sqldriver.Value) error // the base driver's
	width  int
	shown  []shown

	queue  []*slot // rows that were read and not handed out
	size   int     // bytes in queue
	handed int     // rows handed out
	slow   bool    // the server takes its time
	end    error   // what ended the reading: io.EOF or an error
	out    *slot   // the row that was handed out last
	spare  []*slot // to be used again

	background context.Context
	cancel     context.CancelFunc // of background
	openers    *openers
	same       map[string]*opening // the values of queue, by what they are made of
	key        []byte              // scratch
}

// slot is a row.
type slot struct {
	cells    []sqldriver.Value
	number   int // of the row
	size     int
	started  bool
	openings []*opening // by shown; nil for NULL
}

// opening is a value on its way to being opened, or opened.
type opening struct {
	by    int // the number of the row that it is opened for
	from  *shown
	row   []sqldriver.Value
	done  chan struct{}
	value any
	err   error
	key   string // in reader.same, with users rows of queue; empty if it is not there
	users int
}

// shown is a server column that shows a protected value.
type shown struct {
	index int
	from  *sqlplan.ResultProtected
	col   *column
	// once is true if a value that several rows show needs to be opened once
	// only: no event is due for a value that is handed out.
	once bool
}

func (r *reader) reset(set *sqlplan.ResultSet, width int) {
	r.stop()
	*r = reader{ctx: r.ctx, engine: r.engine, text: r.text, next: r.next, width: width}
	if set == nil {
		return
	}
	for i := range set.Columns {
		if p := set.Columns[i].Protected; p != nil {
			c := r.engine.columns[p.Column]
			r.shown = append(r.shown, shown{index: i, from: p, col: c, once: !p.Unverifiable &&
				c.onMismatch == policy.MismatchError && c.plaintextReads == policy.Deny})
		}
	}
}

// stop ends what is opened in the background.
func (r *reader) stop() {
	if r.cancel != nil {
		r.cancel()
		r.openers.stop()
	}
}

// row returns the next row as the server sent it, with its values opened. The
// slice is valid until the next call.
func (r *reader) row() ([]sqldriver.Value, error) {
	if r.out != nil {
		r.spare, r.out = append(r.spare, r.out), nil
	}
	if len(r.queue) == 0 {
		began := time.Now()
		if r.end != nil || !r.read() {
			r.stop()
			return nil, r.end
		}
		r.slow = r.handed > 0 && time.Since(began) > slowRow
	}
	r.readAhead()
	s := r.queue[0]
	r.queue = append(r.queue[:0], r.queue[1:]...)
	r.size -= s.size
	r.handed++
	if err := r.finish(s); err != nil {
		return nil, err
	}
	r.out = s
	return s.cells, nil
}

// read takes one row from the base driver.
func (r *reader) read() bool {
	var s *slot
	if n := len(r.spare); n > 0 {
		s, r.spare = r.spare[n-1], r.spare[:n-1]
		s.size, s.started = 0, false
		clear(s.openings)
	} else {
		s = &slot{cells: make([]sqldriver.Value, r.width), openings: make([]*opening, len(r.shown))}
	}
	if r.end = r.next(s.cells); r.end != nil {
		return false
	}
	for i, v := range s.cells {
		s.cells[i] = owned(v) // the base driver may use its buffers again
		switch v := v.(type) {
		case []byte:
			s.size += len(v)
		case string:
			s.size += len(v)
		}
	}
	s.number = r.handed + len(r.queue)
	r.queue = append(r.queue, s)
	r.size += s.size
	return true
}

// readAhead fills the queue and starts to open what is in it.
func (r *reader) readAhead() {
	want := min(r.engine.readAhead.rows, 2*r.handed)
	if want < 2 || r.slow {
		return
	}
	if r.background == nil {
		r.background, r.cancel = context.WithCancel(r.ctx)
		r.openers, r.same = newOpeners(r.background, r.engine, r.text), make(map[string]*opening)
	}
	if s := r.queue[0]; !s.started {
		r.start(s)
	}
	began := time.Now()
	now := began
	for n := len(r.queue); n < want && r.size < r.engine.readAhead.bytes && r.end == nil && now.Sub(began) < aheadPatience && !r.slow; n++ {
		if !r.read() {
			return
		}
		r.engine.stats.rowsAhead.Add(1)
		r.start(r.queue[n])
		before := now
		now = time.Now()
		r.slow = now.Sub(before) > slowRow
	}
}

// start opens the row's values in the background, each once for all rows in
// the queue that show it.
func (r *reader) start(s *slot) {
	s.started = true
	for i := range r.shown {
		if s.cells[r.shown[i].index] == nil {
			continue
		}
		shareable := r.describe(&r.shown[i], i, s.cells)
		if shareable {
			if o := r.same[string(r.key)]; o != nil {
				o.users++
				s.openings[i] = o
				continue
			}
		}
		o := &opening{by: s.number, from: &r.shown[i], row: s.cells, done: make(chan struct{})}
		if shareable {
			o.key, o.users = string(r.key), 1
			r.same[o.key] = o
		}
		s.openings[i] = o
		r.openers.add(o)
	}
}

// describe writes into r.key what the value that a row shows is made of: the
// ciphertext and the row's values that it is verified against. It reports false
// for values that it cannot write unambiguously.
func (r *reader) describe(s *shown, at int, row []sqldriver.Value) bool {
	r.key = append(r.key[:0], byte(at), byte(at>>8))
	ok := s.once && r.describeCell(row[s.index])
	for _, i := range s.col.plan.Reads() {
		if from := s.from.Sources[i]; from >= 0 {
			ok = ok && r.describeCell(row[from])
		}
	}
	return ok
}

func (r *reader) describeCell(v sqldriver.Value) bool {
	length := func(kind byte, n int) {
		r.key = append(r.key, kind, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	}
	switch v := v.(type) {
	case nil:
		r.key = append(r.key, 'n')
	case []byte:
		length('b', len(v))
		r.key = append(r.key, v...)
	case string:
		length('s', len(v))
		r.key = append(r.key, v...)
	case int64:
		u := uint64(v)
		r.key = append(r.key, 'i', byte(u), byte(u>>8), byte(u>>16), byte(u>>24), byte(u>>32), byte(u>>40), byte(u>>48), byte(u>>56))
	default:
		return false
	}
	return true
}

// finish waits for the row's values, or opens them, and puts them in place of
// the ciphertexts. All of a row's sources are read before its first value is replaced.
func (r *reader) finish(s *slot) error {
	if !s.started {
		r.openNow(s)
	}
	for i, o := range s.openings {
		if o == nil {
			continue
		}
		select {
		case <-o.done:
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
		if o.users--; o.users == 0 {
			delete(r.same, o.key)
		}
		if o.err != nil && o.by != s.number {
			// What is wrong is wrong with this row too: it gets its own event.
			own := &opening{by: s.number}
			own.value, own.err = r.engine.openShown(r.ctx, &r.shown[i], s.cells, r.text)
			s.openings[i] = own
		}
	}
	for _, o := range s.openings {
		if o != nil && o.err != nil {
			if err := r.ctx.Err(); err != nil {
				return err
			}
			return o.err
		}
	}
	for i, o := range s.openings {
		if o == nil {
			continue
		}
		if o.by != s.number {
			r.shown[i].col.opened.Add(1)
		}
		s.cells[r.shown[i].index] = o.value
		if o.key != "" {
			s.cells[r.shown[i].index] = owned(o.value) // it may go to several rows
		}
		s.openings[i] = nil
	}
	return nil
}

// openNow opens the row's values, several at the same time, one of them in the
// caller's goroutine.
func (r *reader) openNow(s *slot) {
	s.started = true
	var wg sync.WaitGroup
	last := -1
	for i := range r.shown {
		if s.cells[r.shown[i].index] == nil {
			continue
		}
		s.openings[i] = &opening{by: s.number, done: closed}
		open := func(i int) {
			o := s.openings[i]
			o.value, o.err = r.engine.openShown(r.ctx, &r.shown[i], s.cells, r.text)
		}
		if last >= 0 {
			before := last
			wg.Go(func() { open(before) })
		}
		last = i
	}
	if last >= 0 {
		o := s.openings[last]
		o.value, o.err = r.engine.openShown(r.ctx, &r.shown[last], s.cells, r.text)
	}
	wg.Wait()
}

// closed is the done of what is open already.
var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()
