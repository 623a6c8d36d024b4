// Package reading hands out the rows of a result with their protected values opened. It
// reads rows ahead and opens their values in the background.
//
// Words of this package:
//
//	reader    the rows of one result ([Reader])
//	opener    opens values for readers: an engine ([Opener])
//	slot      a row that was read and not handed out
//	opening   a value on its way to its plaintext
//	frozen    rows that are read and closed, with their columns' metadata ([Frozen])
//
// Every value passes through [seal.Funnel]. The base driver is called by the caller's
// goroutine only.
package reading

import (
	"cmp"
	"context"
	sqldriver "database/sql/driver"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
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
	// ahead until the queue is empty: the rows in hand do not wait for a row that the
	// server still looks for.
	slowRow = 10 * time.Millisecond
)

// Narrow is how many columns most results have at most.
const Narrow = 4

// Reader reads rows ahead and opens their values at the same time. When n
// rows have been handed out, up to 2n more are read, up to the policy's caps, and
// their values are opened in the background: the first row is never held up by the
// ones after it, a result that is left half-way has cost little, and a long one is
// opened at full speed while the application works on the rows it has.
//
// Values that take less to open than to hand over are not read ahead (direct.go).
//
// The other parts have a file each: the rows that wait ([rowQueue]), the values that
// several rows show ([sharing]), one value's opening ([opening]), and the goroutines
// that open values ([openers]).
//
// The base driver is called by the caller's goroutine only. Those in the background
// open values, nothing else, and end when the rows are closed. What fails in
// one row is reported when that row is asked for, after the rows before it.
type Reader struct {
	opener Opener
	ctx    context.Context
	text   string
	base   sqldriver.Rows
	next   func([]sqldriver.Value) error // in place of base.Next, if set
	filter filter

	width   int
	shown   []shown
	index   []int // by server column, the index into shown, or -1
	storage readerStorage

	pace   pace
	queue  rowQueue
	handed int   // rows handed out
	end    error // what ended the reading: io.EOF or an error

	ahead *lookahead // nil until rows are read ahead
}

// filter is which rows are handed out: those that hold a value searched for, and of them
// those of a page.
type filter struct {
	among []Wanted
	page  Page
}

// pace is how the rows of a result come.
type pace struct {
	slow   bool // the server takes its time
	direct bool // values open here and now, see [Reader.openHere]
	late   int  // how many values in a row have taken long so
}

// lookahead is what opening values in the background takes.
type lookahead struct {
	cancel  context.CancelFunc
	openers *openers
	shared  sharing
}

// shown is a server column that shows a protected value.
type shown struct {
	index int
	from  *sqlplan.ResultProtected
	col   *seal.Column
	// once is true if a value that several rows show needs to be opened once
	// only: no event is due for a value that is handed out.
	once bool
	// reuses is true if nothing keeps a ciphertext once it is opened.
	reuses bool
	// among are the values that are searched for by a short term.
	among []seal.Among
	// inPlace is what the column shows in place of NULL.
	inPlace sqldriver.Value
	// measure is what the column shows of the value.
	measure sqlplan.Measure
}

// empty reports whether a row shows NULL, so that nothing is to be opened. A row that
// was found by a term has a value.
func (c *shown) empty(row []sqldriver.Value) bool {
	return row[c.index] == nil && (c.from.Term < 0 || row[c.from.Term] == nil)
}

// putInPlace has the row show what is asked for in place of NULL, or of a value.
func (r *Reader) putInPlace(row []sqldriver.Value) {
	for i := range r.shown {
		c := &r.shown[i]
		switch v := row[c.index]; {
		case v == nil:
			row[c.index] = c.inPlace
		case c.measure != sqlplan.MeasureNone:
			row[c.index] = measured(c.measure, v)
		}
	}
}

// inPlace is the value of a literal that a column shows in place of NULL; nil if there is
// none.
func (r *Reader) inPlace(l *sqlplan.Literal) sqldriver.Value {
	if l == nil {
		return nil
	}
	if l.Kind == sqlplan.LiteralInteger {
		if n, err := strconv.ParseInt(l.Text, 10, 64); err == nil {
			return n
		}
	}
	if r.opener.Values().ShowsBytes(policy.TypeString) {
		return []byte(l.Text)
	}
	return l.Text
}

// readerStorage holds the columns of a narrow result, and a row. Values that are opened in the
// background may refer to it later, so it serves the first result set only.
type readerStorage struct {
	used  bool
	shown [1]shown
	index [Narrow]int
	slot  oneSlot
	taken bool // the slot
}

// Source is what a reader reads from.
type Source struct {
	// Opener opens the values.
	Opener Opener
	// Rows are the base driver's.
	Rows sqldriver.Rows
	// Buffer, if it is not nil, holds the rows in place of Rows.
	Buffer [][]any
	// Among are the values that the statement searches for by short terms: rows that
	// show others are left out.
	Among []Wanted
	// Text is the statement, for events.
	Text string
}

// Wanted are the values of a column of a result that are searched for.
type Wanted struct {
	// Set is the index of the result set, Column that of the column.
	Set, Column int
	Values      seal.Among
	// Page says which of the rows that stay are handed out; nil means all.
	Page *Page
}

// Page is LIMIT and OFFSET of a result whose rows are filtered.
type Page struct {
	Skip, Most uint64
	Limited    bool
}

// done reports whether the last row of the page was handed out.
func (p *Page) done() bool { return p.Limited && p.Most == 0 }

// takes counts a row that stays. It reports whether the row is on the page.
func (p *Page) takes() bool {
	if p.Skip > 0 {
		p.Skip--
		return false
	}
	p.Most--
	return true
}

// Opener opens values for a reader. It is safe for concurrent use.
type Opener interface {
	// Column returns the protected column that a plan names.
	Column(c *sqlplan.Column) *seal.Column
	// Shape describes a table's sources as the live catalog shows them. schema is the
	// schema that the text names, if the policy means the table in every schema.
	Shape(ctx context.Context, t *seal.Table, schema string) (*seal.Shape, error)
	// Reshape is Shape of the table as it is now. Shape's answer stands if the table was read
	// again lately, or cannot be read.
	Reshape(ctx context.Context, t *seal.Table, schema string) (*seal.Shape, error)
	// Values are the server's rules of values.
	Values() server.Values
	// Funnel is the way to plaintexts.
	Funnel() *seal.Funnel
	// ReadAhead bounds the rows that wait.
	ReadAhead() Limits
	// CountAhead counts a row that was read ahead.
	CountAhead()
}

// Limits bound the rows that wait for the caller, and the bytes in them.
type Limits struct{ Rows, Bytes int }

// Init sets the reader up to read from a source.
func (r *Reader) Init(ctx context.Context, s Source) {
	r.ctx, r.opener, r.text, r.base, r.filter.among = ctx, s.Opener, s.Text, s.Rows, s.Among
	if s.Buffer != nil {
		r.next = fromBuffer(s.Buffer)
	}
}

func fromBuffer(buffer [][]any) func([]sqldriver.Value) error {
	i := 0
	return func(dest []sqldriver.Value) error {
		if i == len(buffer) {
			return io.EOF
		}
		for j, v := range buffer[i] {
			dest[j] = v
		}
		i++
		return nil
	}
}

// Fail has the reader answer with err from now on.
func (r *Reader) Fail(err error) { r.next = func([]sqldriver.Value) error { return err } }

// Fetch reads a row from the base driver as it is.
func (r *Reader) Fetch(row []sqldriver.Value) error {
	if r.next != nil {
		return r.next(row)
	}
	return r.base.Next(row)
}

// Direct reports whether the row that is fetched next is handed out before another one is
// fetched.
func (r *Reader) Direct() bool { return r.pace.direct }

// Alone reports whether nothing in the background refers to the reader.
func (r *Reader) Alone() bool { return r.ahead == nil }

// Enter sets the reader up for the result set of a number and of width columns; a nil
// set shows nothing protected.
func (r *Reader) Enter(number int, set *sqlplan.ResultSet, width int) {
	r.Stop()
	r.width, r.shown, r.index = width, nil, nil
	r.filter.page, r.pace, r.queue, r.handed, r.end, r.ahead = Page{}, pace{}, rowQueue{}, 0, nil, nil
	if set == nil {
		return
	}
	if !r.storage.used && width <= Narrow {
		r.shown, r.index = r.storage.shown[:0], r.storage.index[:width]
	} else {
		r.index = make([]int, width)
	}
	r.storage.used = true
	for i := range r.index {
		r.index[i] = -1
	}
	for i := range set.Columns {
		if p := set.Columns[i].Protected; p != nil {
			c := r.opener.Column(p.Column)
			r.index[i] = len(r.shown)
			s := shown{index: i, from: p, col: c, once: !p.Unverifiable && c.Silent(), reuses: c.Reusable(), inPlace: r.inPlace(p.InPlace), measure: p.Measure}
			for _, w := range r.filter.among {
				if w.Set == number && w.Column == i {
					s.among = append(s.among, w.Values)
					if w.Page != nil {
						r.filter.page = *w.Page
					}
				}
			}
			r.shown = append(r.shown, s)
		}
	}
	r.pace.direct = r.opensHere()
}

// Stop ends what is opened in the background.
func (r *Reader) Stop() {
	if r.ahead != nil {
		r.ahead.cancel()
		r.ahead.openers.stop()
	}
}

// Row returns the next row as the server sent it, with its values opened. The
// slice is valid until the next call.
func (r *Reader) Row() ([]sqldriver.Value, error) {
	for !r.filter.page.done() {
		row, err := r.row()
		if err == seal.ErrNotAmong || err == nil && !r.filter.page.takes() {
			continue
		}
		if err == nil {
			r.putInPlace(row)
		}
		return row, err
	}
	r.Stop()
	return nil, io.EOF
}

// row is Row; its error is [seal.ErrNotAmong] for a row that is left out.
func (r *Reader) row() ([]sqldriver.Value, error) {
	r.queue.reclaim()
	if r.pace.direct {
		return r.openHere()
	}
	if r.queue.len() == 0 {
		var began time.Time
		if r.handed > 0 {
			began = time.Now()
		}
		if r.end != nil || !r.read() {
			r.Stop()
			return nil, r.end
		}
		r.pace.slow = r.handed > 0 && time.Since(began) > slowRow
	}
	r.readAhead()
	s := r.queue.pop()
	r.handed++
	lent, err := r.finish(s)
	if err != nil {
		return nil, err
	}
	if !lent {
		r.queue.out = s
	}
	return s.cells, nil
}

// slot returns a slot for a row. The first slot lies in the reader itself.
func (r *Reader) slot() *slot {
	if r.storage.taken || len(r.shown) > 1 {
		return r.queue.slot(r.width, len(r.shown))
	}
	r.storage.taken = true
	return r.storage.slot.of(r.width, len(r.shown))
}

// read takes one row from the base driver.
func (r *Reader) read() bool {
	s := r.slot()
	if r.end = r.Fetch(s.cells); r.end != nil {
		return false
	}
	r.copyBuffers(s)
	s.number = r.handed + r.queue.len()
	r.queue.push(s)
	return true
}

// copyBuffers copies the row's bytes out of buffers that the base driver uses again. If
// the column's keyring keeps nothing, a ciphertext overwrites the slot's previous
// ciphertext, since no caller holds it. The first row stays in the base driver's buffers:
// the caller gets it before the next row is read.
func (r *Reader) copyBuffers(s *slot) {
	first := r.handed == 0
	for i, v := range s.cells {
		switch v := v.(type) {
		case []byte:
			s.size += len(v)
			n := r.index[i]
			if first && (n < 0 || r.shown[n].reuses) {
				continue
			}
			if v == nil || n < 0 || !r.shown[n].reuses {
				s.cells[i] = copied(v)
				continue
			}
			s.cells[i] = s.keep(n, v)
		case string:
			s.size += len(v)
		}
	}
}

// readAhead fills the queue and starts to open what is in it.
func (r *Reader) readAhead() {
	limits := r.opener.ReadAhead()
	want := min(limits.Rows, 2*r.handed)
	if want < 2 || r.pace.slow {
		return
	}
	if r.ahead == nil {
		local := !slices.ContainsFunc(r.shown, func(s shown) bool { return !s.col.Local() })
		ctx, cancel := context.WithCancel(r.ctx)
		r.ahead = &lookahead{cancel: cancel, openers: newOpeners(ctx, r.opener, r.text, local), shared: make(sharing)}
	}
	if s := r.queue.first(); !s.started {
		r.start(s)
	}
	began := time.Now()
	now := began
	for n := r.queue.len(); n < want && r.queue.size < limits.Bytes && r.end == nil && now.Sub(began) < aheadPatience && !r.pace.slow; n++ {
		if !r.read() {
			return
		}
		r.opener.CountAhead()
		r.start(r.queue.last())
		before := now
		now = time.Now()
		r.pace.slow = now.Sub(before) > slowRow
	}
}

// start opens the row's values in the background, each once for all rows in
// the queue that show it.
func (r *Reader) start(s *slot) {
	s.started = true
	for i := range r.shown {
		c := &r.shown[i]
		if c.empty(s.cells) {
			continue
		}
		o, fresh := r.ahead.shared.opening(s, i, c)
		s.openings[i] = o
		if fresh {
			o.state.Store(waiting)
			r.ahead.openers.add(o)
		}
	}
}

// finish waits for the row's values, or opens them, and puts them in place of
// the ciphertexts. All of a row's sources are read before its first value is replaced.
// A row is lent while rows behind it show one of its values.
func (r *Reader) finish(s *slot) (lent bool, err error) {
	if !s.started {
		r.openNow(s)
	}
	for i, o := range s.openings {
		if o == nil {
			continue
		}
		if o.claim() {
			began := time.Now()
			o.open(r.ctx, r.opener, r.text)
			r.ahead.openers.took(time.Since(began))
		} else if err := o.wait(r.ctx); err != nil {
			return false, err
		}
		if o.users > 0 {
			last := r.ahead.shared.release(o)
			lent = lent || !last && o.by == s.number
		}
		if o.err != nil && o.err != seal.ErrNotAmong && o.by != s.number {
			// What is wrong is wrong with this row too: it gets its own event.
			again := &opening{by: s.number}
			again.value, again.err = openShown(r.ctx, r.opener, &r.shown[i], s.cells, &again.storage, r.text, false)
			s.openings[i] = again
		}
	}
	if err := r.failed(s); err != nil {
		return false, err
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
			s.cells[r.shown[i].index] = copied(o.value) // it goes to several rows
		}
		s.openings[i] = nil
	}
	return lent, nil
}

// failed is what went wrong with the row: that it is not among those which were searched
// for, before anything else.
func (r *Reader) failed(s *slot) (first error) {
	for _, o := range s.openings {
		switch {
		case o == nil || o.err == nil:
		case o.err == seal.ErrNotAmong:
			return o.err
		case first == nil:
			first = o.err
		}
	}
	if first == nil {
		return nil
	}
	return cmp.Or(r.ctx.Err(), first)
}

// openNow opens the row's values, several at the same time, one of them in the
// caller's goroutine.
func (r *Reader) openNow(s *slot) {
	s.started = true
	var wg sync.WaitGroup
	last := -1
	for i := range r.shown {
		if r.shown[i].empty(s.cells) {
			continue
		}
		o := s.opening(i, &r.shown[i])
		o.state.Store(claimed)
		s.openings[i] = o
		if last >= 0 {
			before := s.openings[last]
			wg.Go(func() { before.open(r.ctx, r.opener, r.text) })
		}
		last = i
	}
	if last >= 0 {
		s.openings[last].open(r.ctx, r.opener, r.text)
	}
	wg.Wait()
}
