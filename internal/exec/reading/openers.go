package reading

import (
	"context"
	"runtime"
	"sync"
	"time"
)

const (
	// openBatch is how many values a goroutine takes at a time while they open
	// without a network.
	openBatch = 16
	// slowOpening is how long a value takes to open if something was waited for.
	slowOpening = 2 * time.Millisecond
)

// openers are the goroutines that open one result's values in the background.
// They are started when there is work that none of them is free for, up to
// openLimit, and stay until stop: cryptography needs a deep stack, and a goroutine
// for each value would grow one each time, which costs as much as the value.
//
// While values open in microseconds, as they do when their keys are at hand, one
// goroutine a core takes them by the batch: to wake one for each value takes longer
// than the value.
type openers struct {
	ctx    context.Context
	opener Opener
	text   string

	mu      sync.Mutex
	wake    sync.Cond // there is work, or stopped
	work    []*opening
	next    int // index into work
	running int
	idle    int
	stopped bool
	fast    bool // values open in microseconds
}

// newOpeners returns openers; local says that the values' keys are at hand,
// mostly.
func newOpeners(ctx context.Context, by Opener, text string, local bool) *openers {
	p := &openers{ctx: ctx, opener: by, text: text, fast: local}
	p.wake.L = &p.mu
	return p
}

// add has a value opened: what o.from shows in o.row. In the fast mode a value that does
// not fill a batch may wait until the reader opens it.
func (p *openers) add(o *opening) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next > len(p.work)/2 {
		n := copy(p.work, p.work[p.next:])
		clear(p.work[n:])
		p.work, p.next = p.work[:n], 0
	}
	p.work = append(p.work, o)
	if !p.fast || len(p.work)%openBatch == 0 {
		p.rouse()
	}
}

// rouse wakes or starts a goroutine, if there is work that none is free for.
func (p *openers) rouse() {
	limit, waits := openLimit, len(p.work)-p.next
	if p.fast {
		limit, waits = runtime.GOMAXPROCS(0), (waits+openBatch-1)/openBatch
	}
	// One that was woken counts as idle until it runs, and so does its work.
	if p.idle >= waits {
		p.wake.Signal()
	} else if p.running < limit {
		p.running++
		go p.run()
	}
}

// took notes how long a value took to open, and ends the fast mode if that was
// long: what waits in batches is then spread.
func (p *openers) took(d time.Duration, rest ...*opening) {
	if d < slowOpening {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.work = append(p.work, rest...)
	p.fast = false
	for range len(p.work) - p.next {
		p.rouse()
	}
}

// stop ends the goroutines. What is not opened by then never is.
func (p *openers) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	p.wake.Broadcast()
}

func (p *openers) run() {
	var buf [openBatch]*opening
	for batch := p.take(buf[:]); len(batch) > 0; batch = p.take(buf[:]) {
		for i, o := range batch {
			if !o.claim() {
				continue // the reader was faster
			}
			began := time.Now()
			o.open(p.ctx, p.opener, p.text)
			if took := time.Since(began); took >= slowOpening {
				p.took(took, batch[i+1:]...)
				break
			}
		}
	}
}

// take waits for work and moves it to batch; an empty result is the end.
func (p *openers) take(batch []*opening) []*opening {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.stopped && p.next == len(p.work) {
		p.work, p.next = p.work[:0], 0
		p.idle++
		p.wake.Wait()
		p.idle--
	}
	if p.stopped {
		return nil
	}
	if !p.fast {
		batch = batch[:1]
	}
	n := copy(batch, p.work[p.next:])
	clear(p.work[p.next : p.next+n])
	p.next += n
	return batch[:n]
}
