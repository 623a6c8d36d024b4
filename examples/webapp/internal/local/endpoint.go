package local

import (
	"io"
	"net"
	"sync"
)

// endpoint is a stable address before a database server, as a cluster endpoint
// is: what is behind it changes when a replica is promoted or rebuilt.
type endpoint struct {
	listener net.Listener

	mu     sync.Mutex
	target string // empty while there is no server
	conns  map[net.Conn]bool
	wg     sync.WaitGroup
}

func newEndpoint(target string) (*endpoint, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &endpoint{listener: l, target: target, conns: map[net.Conn]bool{}}
	e.wg.Go(e.accept)
	return e, nil
}

func (e *endpoint) addr() string { return e.listener.Addr().String() }

// lead has new connections go to a target and breaks those that there are.
func (e *endpoint) lead(target string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.target = target
	e.breakAll()
}

// disconnect breaks the connections that there are.
func (e *endpoint) disconnect() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.breakAll()
}

func (e *endpoint) breakAll() {
	for c := range e.conns {
		_ = c.Close() // its copies end with it
	}
}

func (e *endpoint) close() {
	_ = e.listener.Close() // nothing else holds it
	e.lead("")
	e.wg.Wait()
}

func (e *endpoint) accept() {
	for {
		in, err := e.listener.Accept()
		if err != nil {
			return
		}
		e.wg.Go(func() { e.forward(in) })
	}
}

func (e *endpoint) forward(in net.Conn) {
	defer in.Close()
	e.mu.Lock()
	target := e.target
	e.mu.Unlock()
	if target == "" {
		return
	}
	out, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer out.Close()
	if !e.add(target, in, out) {
		return
	}
	defer e.remove(in, out)
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		e.wg.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // either end may break at any time
			done <- struct{}{}
		})
	}
	<-done
}

func (e *endpoint) add(target string, conns ...net.Conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.target != target {
		return false
	}
	for _, c := range conns {
		e.conns[c] = true
	}
	return true
}

func (e *endpoint) remove(conns ...net.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range conns {
		delete(e.conns, c)
	}
}
