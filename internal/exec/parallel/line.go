package parallel

import (
	"sync"
	"sync/atomic"
)

// Line does pieces of work in several goroutines, and hands out what they made in the
// order in which they were put. Put, Take and Close are for one goroutine. The zero value
// does everything in that goroutine.
type Line[T any] struct {
	limit   int
	waiting []*piece[T] // the oldest first
	work    chan *piece[T]
	workers int
	running sync.WaitGroup
}

// piece is one piece of work. Who takes it does it.
type piece[T any] struct {
	do    func() (T, error)
	taken atomic.Bool
	done  chan struct{}
	made  T
	err   error
}

// NewLine returns a line of at most length pieces, which takes up to limit goroutines.
func NewLine[T any](length, limit int) *Line[T] {
	return &Line[T]{limit: limit, work: make(chan *piece[T], length)}
}

// Len is the number of pieces that wait to be taken.
func (l *Line[T]) Len() int { return len(l.waiting) }

// Put has a piece of work done.
func (l *Line[T]) Put(do func() (T, error)) {
	p := &piece[T]{do: do, done: make(chan struct{})}
	l.waiting = append(l.waiting, p)
	if l.workers < l.limit && l.workers < len(l.waiting)-1 { // the first is done by who takes it
		l.workers++
		l.running.Go(func() {
			for p := range l.work {
				p.run()
			}
		})
	}
	select {
	case l.work <- p:
	default: // is done by who takes it
	}
}

func (p *piece[T]) run() {
	if p.taken.CompareAndSwap(false, true) {
		p.made, p.err = p.do()
		close(p.done)
	}
}

// Take returns what the oldest piece made. It does that piece itself if nobody has begun.
func (l *Line[T]) Take() (T, error) {
	p := l.waiting[0]
	l.waiting[0] = nil
	l.waiting = l.waiting[1:]
	p.run()
	<-p.done
	return p.made, p.err
}

// Close waits for the goroutines, which first do what was put.
func (l *Line[T]) Close() {
	if l.work != nil {
		close(l.work)
	}
	l.running.Wait()
}
