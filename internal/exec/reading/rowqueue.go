package reading

import sqldriver "database/sql/driver"

// rowQueue holds the rows that were read and not handed out, and the slots that
// rows to come use again.
type rowQueue struct {
	slots []*slot // from head
	head  int
	size  int     // bytes of the rows
	out   *slot   // the row that was handed out last
	spare []*slot // to be used again
	one   [1]*slot
}

// slot is a row.
type slot struct {
	cells    []sqldriver.Value
	number   int // of the row
	size     int
	started  bool
	openings []*opening // by shown column; nil for NULL
	inline   []opening  // what openings points to, but for values that rows before show too
	buffers  [][]byte   // by shown column; what the ciphertexts lie in
}

// oneSlot is a slot for one protected column, and the memory of its parts.
type oneSlot struct {
	slot
	cells    [Narrow]sqldriver.Value
	openings [1]*opening
	own      [1]opening
	buffers  [1][]byte
}

// of returns the slot, for rows of a width. They have one protected column, or none.
func (o *oneSlot) of(width, shown int) *slot {
	o.slot.openings, o.slot.inline, o.slot.buffers = o.openings[:shown], o.own[:shown], o.buffers[:shown]
	if o.slot.cells = o.cells[:min(width, Narrow)]; width > Narrow {
		o.slot.cells = make([]sqldriver.Value, width)
	}
	return &o.slot
}

// newSlot returns a slot. A narrow one takes one allocation.
func newSlot(width, shown int) *slot {
	if shown <= 1 {
		return new(oneSlot).of(width, shown)
	}
	return &slot{cells: make([]sqldriver.Value, width), openings: make([]*opening, shown), inline: make([]opening, shown), buffers: make([][]byte, shown)}
}

// keep copies a ciphertext to where the slot's last one of the column lay.
func (s *slot) keep(column int, v []byte) []byte {
	s.buffers[column] = append(s.buffers[column][:0], v...)
	return s.buffers[column]
}

// opening returns the slot's own opening of a column.
func (s *slot) opening(column int, c *shown) *opening {
	o := &s.inline[column]
	o.by, o.from, o.row, o.value, o.err = s.number, c, s.cells, nil, nil
	o.users, o.shared = 0, false
	return o
}

// slot returns a slot for a row: a spare one if there is one.
func (q *rowQueue) slot(width, shown int) *slot {
	n := len(q.spare)
	if n == 0 {
		return newSlot(width, shown)
	}
	s := q.spare[n-1]
	q.spare = q.spare[:n-1]
	s.size, s.started = 0, false
	clear(s.openings)
	return s
}

// reclaim makes the row that was handed out last a spare one.
func (q *rowQueue) reclaim() {
	if q.out == nil {
		return
	}
	if q.spare == nil {
		q.spare = q.one[:0]
	}
	q.spare, q.out = append(q.spare, q.out), nil
}

func (q *rowQueue) len() int     { return len(q.slots) - q.head }
func (q *rowQueue) first() *slot { return q.slots[q.head] }
func (q *rowQueue) last() *slot  { return q.slots[len(q.slots)-1] }

func (q *rowQueue) push(s *slot) {
	if q.head > 0 && len(q.slots) == cap(q.slots) {
		q.slots, q.head = q.slots[:copy(q.slots, q.slots[q.head:])], 0
	}
	q.slots = append(q.slots, s)
	q.size += s.size
}

func (q *rowQueue) pop() *slot {
	s := q.slots[q.head]
	q.slots[q.head] = nil
	q.head++
	q.size -= s.size
	return s
}
