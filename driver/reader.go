package driver

import (
	"bytes"
	"context"
	sqldriver "database/sql/driver"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
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
	base   sqldriver.Rows
	next   func([]sqldriver.Value) error // in place of base.Next, if set
	width  int
	shown  []shown
	at     []int // by server column, the index into shown, or -1

	queue  []*slot // rows that were read and not handed out, from head
	head   int
	size   int     // bytes in queue
	handed int     // rows handed out
	slow   bool    // the server takes its time
	end    error   // what ended the reading: io.EOF or an error
	out    *slot   // the row that was handed out last
	spare  []*slot // to be used again

	background context.Context
	cancel     context.CancelFunc // of background
	openers    *openers
	same       map[uint64]*opening // the values of queue, by a hash of their ciphertexts
}

// slot is a row.
type slot struct {
	cells    []sqldriver.Value
	number   int // of the row
	size     int
	started  bool
	openings []*opening // by shown; nil for NULL
	own      []opening  // what openings points to, but for values that rows before show too
	buffers  [][]byte   // by shown; what the ciphertexts lie in
}

// narrow is how many columns most results have at most.
const narrow = 4

// newSlot returns a slot; a narrow one takes one allocation.
func newSlot(width, shown int) *slot {
	if width > narrow || shown > 1 {
		return &slot{cells: make([]sqldriver.Value, width), openings: make([]*opening, shown), own: make([]opening, shown), buffers: make([][]byte, shown)}
	}
	one := new(struct {
		slot
		cells    [narrow]sqldriver.Value
		openings [1]*opening
		own      [1]opening
		buffers  [1][]byte
	})
	one.slot.cells, one.slot.openings, one.slot.own, one.slot.buffers = one.cells[:width], one.openings[:shown], one.own[:shown], one.buffers[:shown]
	return &one.slot
}

// opening is a value on its way to being opened, or opened.
type opening struct {
	by    int // the number of the row that it is opened for
	from  *shown
	row   []sqldriver.Value
	state atomic.Int32
	done  chan struct{} // of what is awaited
	value any
	err   error

	stored any    // the ciphertext
	hash   uint64 // in reader.same, with users rows of queue; 0 users if it is not there
	users  int
	shared bool // other rows show it too

	room sourceRoom
}

// The states of an opening. What waits is opened by whoever claims it first: a
// goroutine in the background, or the caller's when the row is asked for.
const (
	waiting int32 = iota
	claimed
	awaited
	opened
)

func (o *opening) claim() bool { return o.state.CompareAndSwap(waiting, claimed) }

// open opens what was claimed. Nothing touches o afterwards but the reader.
func (o *opening) open(ctx context.Context, e *engine, text string) {
	if o.err = ctx.Err(); o.err == nil {
		o.value, o.err = e.openShown(ctx, o.from, o.row, &o.room, text, o.by == 0)
	}
	if o.state.Swap(opened) == awaited {
		close(o.done)
	}
}

// wait waits for what another goroutine claimed.
func (o *opening) wait(ctx context.Context) error {
	switch o.state.Load() {
	case opened:
		return nil
	case claimed: // else it was waited for before, in vain
		o.done = make(chan struct{})
		if !o.state.CompareAndSwap(claimed, awaited) {
			return nil // it was opened meanwhile
		}
	}
	select {
	case <-o.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// shown is a server column that shows a protected value.
type shown struct {
	index int
	from  *sqlplan.ResultProtected
	col   *column
	// once is true if a value that several rows show needs to be opened once
	// only: no event is due for a value that is handed out.
	once bool
	// reuses is true if nothing keeps a ciphertext once it is opened.
	reuses bool
}

// reset sets the reader up for a result set; room, if there is one, serves it.
func (r *reader) reset(set *sqlplan.ResultSet, width int, room *rowsRoom) {
	r.stop()
	*r = reader{ctx: r.ctx, engine: r.engine, text: r.text, base: r.base, next: r.next, width: width}
	if set == nil {
		return
	}
	if room != nil && width <= narrow {
		r.shown, r.at = room.shown[:0], room.at[:width]
	} else {
		r.at = make([]int, width)
	}
	for i := range r.at {
		r.at[i] = -1
	}
	for i := range set.Columns {
		if p := set.Columns[i].Protected; p != nil {
			c := r.engine.columns[p.Column]
			r.at[i] = len(r.shown)
			r.shown = append(r.shown, shown{index: i, from: p, col: c, once: !p.Unverifiable &&
				c.onMismatch == policy.MismatchError && c.plaintextReads == policy.Deny,
				reuses: c.local && c.plaintextReads == policy.Deny})
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
	if r.queued() == 0 {
		var began time.Time
		if r.handed > 0 {
			began = time.Now()
		}
		if r.end != nil || !r.read() {
			r.stop()
			return nil, r.end
		}
		r.slow = r.handed > 0 && time.Since(began) > slowRow
	}
	r.readAhead()
	s := r.queue[r.head]
	r.queue[r.head] = nil
	r.head++
	r.size -= s.size
	r.handed++
	lent, err := r.finish(s)
	if err != nil {
		return nil, err
	}
	if !lent {
		r.out = s
	}
	return s.cells, nil
}

// queued is how many rows were read and not handed out.
func (r *reader) queued() int { return len(r.queue) - r.head }

// read takes one row from the base driver.
func (r *reader) read() bool {
	var s *slot
	if n := len(r.spare); n > 0 {
		s, r.spare = r.spare[n-1], r.spare[:n-1]
		s.size, s.started = 0, false
		clear(s.openings)
	} else {
		s = newSlot(r.width, len(r.shown))
	}
	if r.end = r.fetch(s.cells); r.end != nil {
		return false
	}
	r.own(s)
	s.number = r.handed + r.queued()
	if r.head > 0 && len(r.queue) == cap(r.queue) {
		r.queue, r.head = r.queue[:copy(r.queue, r.queue[r.head:])], 0
	}
	r.queue = append(r.queue, s)
	r.size += s.size
	return true
}

// fetch reads a row from the base driver.
func (r *reader) fetch(row []sqldriver.Value) error {
	if r.next != nil {
		return r.next(row)
	}
	return r.base.Next(row)
}

// own copies what the base driver may use its buffers again for. A ciphertext
// goes where the slot's last one was if the column's keyring keeps nothing: nobody is
// handed it. The first row is handed out before the base driver is asked for
// another: it stays where it is.
func (r *reader) own(s *slot) {
	first := r.handed == 0
	for i, v := range s.cells {
		switch v := v.(type) {
		case []byte:
			s.size += len(v)
			at := r.at[i]
			if first && (at < 0 || r.shown[at].reuses) {
				continue
			}
			if v == nil || at < 0 || !r.shown[at].reuses {
				s.cells[i] = owned(v)
				continue
			}
			s.buffers[at] = append(s.buffers[at][:0], v...)
			s.cells[i] = s.buffers[at]
		case string:
			s.size += len(v)
		}
	}
}

// readAhead fills the queue and starts to open what is in it.
func (r *reader) readAhead() {
	want := min(r.engine.readAhead.rows, 2*r.handed)
	if want < 2 || r.slow {
		return
	}
	if r.background == nil {
		r.background, r.cancel = context.WithCancel(r.ctx)
		local := !slices.ContainsFunc(r.shown, func(s shown) bool { return !s.col.local })
		r.openers, r.same = newOpeners(r.background, r.engine, r.text, local), make(map[uint64]*opening)
	}
	if s := r.queue[r.head]; !s.started {
		r.start(s)
	}
	began := time.Now()
	now := began
	for n := r.queued(); n < want && r.size < r.engine.readAhead.bytes && r.end == nil && now.Sub(began) < aheadPatience && !r.slow; n++ {
		if !r.read() {
			return
		}
		r.engine.stats.RowsAhead.Add(1)
		r.start(r.queue[len(r.queue)-1])
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
		c := &r.shown[i]
		stored := s.cells[c.index]
		hash, shareable := hashOf(stored)
		shareable = shareable && c.once
		if shareable {
			if o := r.same[hash]; o != nil && o.shows(c, s.cells) {
				o.users++
				o.shared = true
				s.openings[i] = o
				continue
			}
		}
		o := &s.own[i]
		o.by, o.from, o.row, o.value, o.err = s.number, c, s.cells, nil, nil
		o.stored, o.hash, o.users, o.shared = stored, hash, 0, false
		if shareable && r.same[hash] == nil {
			o.users, r.same[hash] = 1, o
		}
		s.openings[i] = o
		o.state.Store(waiting)
		r.openers.add(o)
	}
}

var hashSeed = maphash.MakeSeed()

// hashOf hashes a ciphertext; ok is false for what is none.
func hashOf(stored any) (hash uint64, ok bool) {
	switch v := stored.(type) {
	case []byte:
		return maphash.Bytes(hashSeed, v), true
	case string:
		return maphash.String(hashSeed, v), true
	}
	return 0, false
}

// shows reports whether another row shows the same value: the ciphertext and the
// row's values that it is verified against. The row that o is opened for may have
// been handed out; what was read from it for o's column has not changed.
func (o *opening) shows(c *shown, row []sqldriver.Value) bool {
	if o.from != c || !sameCell(o.stored, row[c.index]) {
		return false
	}
	for _, i := range c.col.plan.Reads() {
		if from := c.from.Sources[i]; from >= 0 && !sameCell(o.row[from], row[from]) {
			return false
		}
	}
	return true
}

// sameCell compares what can be compared without doubt.
func sameCell(a, b any) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case []byte:
		b, ok := b.([]byte)
		return ok && (a == nil) == (b == nil) && bytes.Equal(a, b)
	case string:
		b, ok := b.(string)
		return ok && a == b
	case int64:
		b, ok := b.(int64)
		return ok && a == b
	}
	return false
}

// finish waits for the row's values, or opens them, and puts them in place of
// the ciphertexts. All of a row's sources are read before its first value is replaced.
// A row is lent while rows behind it show one of its values.
func (r *reader) finish(s *slot) (lent bool, err error) {
	if !s.started {
		r.openNow(s)
	}
	for i, o := range s.openings {
		if o == nil {
			continue
		}
		if o.claim() {
			began := time.Now()
			o.open(r.ctx, r.engine, r.text)
			r.openers.took(time.Since(began))
		} else if err := o.wait(r.ctx); err != nil {
			return false, err
		}
		if o.users > 0 {
			if o.users--; o.users == 0 {
				delete(r.same, o.hash)
			}
			lent = lent || o.users > 0 && o.by == s.number
		}
		if o.err != nil && o.by != s.number {
			// What is wrong is wrong with this row too: it gets its own event.
			own := &opening{by: s.number}
			own.value, own.err = r.engine.openShown(r.ctx, &r.shown[i], s.cells, &own.room, r.text, false)
			s.openings[i] = own
		}
	}
	for _, o := range s.openings {
		if o != nil && o.err != nil {
			if err := r.ctx.Err(); err != nil {
				return false, err
			}
			return false, o.err
		}
	}
	for i, o := range s.openings {
		if o == nil {
			continue
		}
		if o.by != s.number {
			r.shown[i].col.Opened.Add(1)
		}
		s.cells[r.shown[i].index] = o.value
		if o.shared {
			s.cells[r.shown[i].index] = owned(o.value) // it goes to several rows
		}
		s.openings[i] = nil
	}
	return lent, nil
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
		o := &s.own[i]
		o.by, o.from, o.row, o.users, o.shared = s.number, &r.shown[i], s.cells, 0, false
		o.state.Store(claimed)
		s.openings[i] = o
		if last >= 0 {
			before := s.openings[last]
			wg.Go(func() { before.open(r.ctx, r.engine, r.text) })
		}
		last = i
	}
	if last >= 0 {
		s.openings[last].open(r.ctx, r.engine, r.text)
	}
	wg.Wait()
}
