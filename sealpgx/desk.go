package sealpgx

import (
	sqldriver "database/sql/driver"
	"sync"

	"github.com/sealsql/sealsql/internal/exec/reading"
)

// narrow is how many columns a result may have whose description needs no memory of its
// own.
const narrow = 3

// desk is what rows are read with. It serves other rows once these are closed. What rows
// hand out lies elsewhere: a caller may keep it.
type desk struct {
	fetched fetched
	reader  reading.Reader
	// cells is a row as a reader that opens nothing reads it.
	cells   []sqldriver.Value
	columns []column
	// filtered is true if the driver drops some of the server's rows. handed counts the rows
	// that the caller got.
	filtered bool
	handed   int
	// narrow holds the parts of a narrow result.
	narrow struct {
		columns [narrow]column
		wanted  [narrow]bool
	}
}

var desks = sync.Pool{New: func() any { return new(desk) }}

// newRows returns rows of a connection, with a desk.
func newRows(c *conn) *rows { return &rows{conn: c, desk: desks.Get().(*desk)} }

// clear wipes the desk and lets other rows have it, unless goroutines in the background
// may still use it.
func (d *desk) clear() {
	if d.reader.Alone() {
		*d = desk{}
		desks.Put(d)
	}
}
