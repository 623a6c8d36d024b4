package reading

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"sync/atomic"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
)

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
	hash   uint64 // in sharing, with users rows of the queue; 0 users if it is not there
	users  int
	shared bool // other rows show it too

	storage sourceStorage
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
func (o *opening) open(ctx context.Context, by Opener, text string) {
	if o.err = ctx.Err(); o.err == nil {
		o.value, o.err = openShown(ctx, by, o.from, o.row, &o.storage, text, o.by == 0)
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

// maxSources is how many context sources most tables have at most.
const maxSources = 4

// sourceStorage holds the sources of one value, unless the table has more, and the buffers
// that its plaintext and its sources' texts are made in.
type sourceStorage struct {
	sources   [maxSources]string
	known     [maxSources]bool
	plaintext []byte
	short     [48]byte // what plaintext is at first
	digits    seal.Digits
}

// take returns a row of n sources, none of them known.
func (r *sourceStorage) take(n int) seal.Row {
	if n > maxSources {
		return seal.MakeRow(n)
	}
	r.sources, r.known = [maxSources]string{}, [maxSources]bool{}
	return seal.Row{Sources: r.sources[:n], Known: r.known[:n], Digits: &r.digits}
}

// openShown opens the value that a row shows in a protected column. first says
// that it is the result's first row, which for many statements is the only one: its
// content key may be kept.
func openShown(ctx context.Context, by Opener, s *shown, row []sqldriver.Value, storage *sourceStorage, text string, first bool) (any, error) {
	shape, err := by.Shape(ctx, s.col.Table, s.from.Schema)
	if err == nil && s.col.MayHoldDefault(row[s.index], shape) {
		shape, err = by.Reshape(ctx, s.col.Table, s.from.Schema)
	}
	if err != nil {
		return nil, err
	}
	values := by.Values()
	if storage.plaintext == nil {
		storage.plaintext = storage.short[:0]
	}
	request := seal.Request{Column: s.col, Stored: row[s.index], Row: storage.take(len(s.from.Sources)), Statement: text, First: first, Rules: values, Buffer: &storage.plaintext, Defaults: shape.Defaults}
	source := func(i int) (seal.Source, error) {
		at := s.from.Sources[i]
		if at < 0 {
			return seal.Source{}, nil
		}
		return seal.Source{Value: row[at], From: seal.Shown}, nil
	}
	err = s.col.Bind(request.Row, shape, values, true, source)
	if at := s.from.Term; at >= 0 && err == nil {
		request.HoldsTerm, request.Term, request.Among = true, row[at], s.among
		err = s.col.BindTerm(request.Row, shape, values, source)
	}
	if errors.Is(err, server.ErrCharset) {
		return nil, s.col.Error(fault.ErrUnverifiable, "", "", err)
	}
	if err != nil {
		// A NULL or unreadable row key is no row: nothing was written for it.
		return nil, by.Funnel().Mismatch(ctx, request, err)
	}
	return by.Funnel().OpenValue(ctx, request)
}
