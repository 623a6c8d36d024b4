package driver

import (
	"context"
	"sync"
)

// openers are the goroutines that open one result's values in the background.
// They are started when there is work that none of them is free for, up to
// openLimit, and stay until stop: cryptography needs a deep stack, and a goroutine
// for each value would grow one each time, which costs as much as the value.
type openers struct {
	ctx    context.Context
	engine *engine
	text   string

	mu      sync.Mutex
	wake    sync.Cond // there is work, or stopped
	work    []*opening
	next    int // index into work
	running int
	idle    int
	stopped bool
}

func newOpeners(ctx context.Context, e *engine, text string) *openers {
	p := &openers{ctx: ctx, engine: e, text: text}
	p.wake.L = &p.mu
	return p
}

// add has a value opened: what o.from shows in o.row.
func (p *openers) add(o *opening) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.work = append(p.work, o)
	// One that was woken counts as idle until it runs, and so does its work.
	if p.idle >= len(p.work)-p.next {
		p.wake.Signal()
	} else if p.running < openLimit {
		p.running++
		go p.run()
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
	for o := p.take(); o != nil; o = p.take() {
		if o.err = p.ctx.Err(); o.err == nil {
			o.value, o.err = p.engine.openShown(p.ctx, o.from, o.row, p.text)
		}
		close(o.done)
	}
}

// take waits for work; nil is the end.
func (p *openers) take() *opening {
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
	o := p.work[p.next]
	p.work[p.next] = nil
	p.next++
	return o
}
