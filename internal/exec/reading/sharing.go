package reading

import (
	"bytes"
	"hash/maphash"

	sqldriver "database/sql/driver"
)

// sharing finds values that several rows of the queue show, so that each is opened
// once. Its keys are hashes of ciphertexts.
type sharing map[uint64]*opening

var hashSeed = maphash.MakeSeed()

// opening returns the opening of the value that the row shows in a column: that of
// a row before it in the queue which shows the value too, or the row's own, which is
// fresh.
func (m sharing) opening(s *slot, column int, c *shown) (o *opening, fresh bool) {
	stored := s.cells[c.index]
	hash, shareable := hashOf(stored)
	shareable = shareable && c.once
	if shareable {
		if o := m[hash]; o != nil && o.shows(c, s.cells) {
			o.users++
			o.shared = true
			return o, false
		}
	}
	o = s.opening(column, c)
	o.stored = stored
	if shareable && m[hash] == nil {
		o.hash, o.users, m[hash] = hash, 1, o
	}
	return o, true
}

// release ends one row's use of an opening, and reports whether it was the last.
func (m sharing) release(o *opening) (last bool) {
	if o.users--; o.users > 0 {
		return false
	}
	delete(m, o.hash)
	return true
}

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
	lists := [3][]int{c.col.Context, c.col.Legacy}
	if c.from.Term >= 0 {
		if !sameCell(o.row[c.from.Term], row[c.from.Term]) {
			return false
		}
		lists[2] = c.col.TermSources()
	}
	for _, list := range lists {
		for _, i := range list {
			if from := c.from.Sources[i]; from >= 0 && !sameCell(o.row[from], row[from]) {
				return false
			}
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
