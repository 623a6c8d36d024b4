package reading

import (
	sqldriver "database/sql/driver"
	"time"
)

const (
	// handOver is how long a value may take to open before values are handed to other
	// goroutines. A value that is handed over costs the reader about half a microsecond;
	// what is longer than this gains from a second processor, and may wait for a network.
	handOver = 20 * time.Microsecond
	// patience is how many values in a row may take longer: a busy machine holds up any
	// value now and then.
	patience = 4
	// timed is how many of the first values are timed each, and how seldom later ones. The
	// first is not: most results have no other.
	timed = 16
)

// opensHere reports whether the reader opens the values of the result set in its own
// goroutine: there is one protected column, and its keyring opens values of the format
// in about a microsecond.
func (r *Reader) opensHere() bool {
	return len(r.shown) == 1 && r.shown[0].col.Quick()
}

// openHere reads a row and opens its value, in the one slot that it uses for all rows. The
// cells lie in the base driver's buffers, as those of the bare driver do. Once
// values take long, the rows after them are read ahead.
func (r *Reader) openHere() ([]sqldriver.Value, error) {
	if r.end != nil {
		return nil, r.end
	}
	s := r.slot()
	if r.end = r.Fetch(s.cells); r.end != nil {
		return nil, r.end
	}
	s.number = r.handed
	r.queue.out = s
	r.handed++
	c := &r.shown[0]
	if c.empty(s.cells) {
		return s.cells, nil
	}
	began, isTimed := time.Time{}, s.number > 0 && (s.number < timed || s.number%timed == 0 || r.pace.late > 0)
	if isTimed {
		began = time.Now()
	}
	o := s.opening(0, c)
	value, err := openShown(r.ctx, r.opener, c, s.cells, &o.storage, r.text, s.number == 0)
	if isTimed {
		r.pace.took(time.Since(began))
	}
	if err != nil {
		if cause := r.ctx.Err(); cause != nil {
			err = cause
		}
		return nil, err
	}
	s.cells[c.index] = value
	return s.cells, nil
}

// took notes how long a value took to open.
func (p *pace) took(d time.Duration) {
	if d < handOver {
		p.late = 0
		return
	}
	p.late++
	p.direct = p.late < patience
}
