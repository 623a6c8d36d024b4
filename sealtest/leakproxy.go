package sealtest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode/utf16"
)

// LeakProxy is a TCP proxy between an application and its database that
// watches for plaintexts in both directions: as they are, in hexadecimal (as
// SQL literals spell bytes), in base64 of either alphabet, and in UTF-16 of either byte
// order, also across packets. It cannot see into TLS or compression: connect
// without; Check fails if a connection began TLS. It is safe for concurrent use.
type LeakProxy struct {
	listener net.Listener
	target   string
	passed   atomic.Int64
	tls      atomic.Bool

	mu       sync.Mutex
	patterns []pattern
	longest  int
	leaks    []Leak
	conns    map[net.Conn]bool
	closed   bool
	wg       sync.WaitGroup
}

// Leak is a plaintext that passed. It does not hold the value.
type Leak struct {
	Value    int    // which of the watched values, in the order they were given
	Form     string // raw, hex, base64 or utf-16
	ToServer bool
}

// String describes the leak.
func (l Leak) String() string {
	to := "from"
	if l.ToServer {
		to = "to"
	}
	return fmt.Sprintf("watched value %d passed %s the server as %s", l.Value, to, l.Form)
}

type pattern struct {
	value int
	form  string
	bytes []byte
}

// NewLeakProxy listens on loopback and forwards to target, an address host:port or
// the path of a Unix socket.
func NewLeakProxy(target string) (*LeakProxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &LeakProxy{listener: l, target: target, conns: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	return p, nil
}

// Addr is the address to connect to, host:port.
func (p *LeakProxy) Addr() string { return p.listener.Addr().String() }

// minWatched is the least length of a value that does not turn up by chance.
const minWatched = 6

// Watch adds values to look for; their numbers go on from the last call's. Values
// shorter than 6 bytes are refused, since they would turn up by chance.
func (p *LeakProxy) Watch(values ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := 0
	if n := len(p.patterns); n > 0 {
		first = p.patterns[n-1].value + 1
	}
	for i, v := range values {
		if len(v) < minWatched {
			return errors.New("sealtest: a value of less than 6 bytes turns up by chance; watch a longer one")
		}
		p.add(first+i, v)
	}
	return nil
}

func (p *LeakProxy) add(value int, v string) {
	put := func(form, s string) {
		p.patterns = append(p.patterns, pattern{value, form, []byte(s)})
		p.longest = max(p.longest, len(s))
	}
	put("raw", v)
	h := hex.EncodeToString([]byte(v))
	put("hex", h)
	put("hex", strings.ToUpper(h))
	var little, big []byte
	for _, c := range utf16.Encode([]rune(v)) {
		little, big = binary.LittleEndian.AppendUint16(little, c), binary.BigEndian.AppendUint16(big, c)
	}
	put("utf-16", string(little))
	put("utf-16", string(big))
	// In base64 a value looks in three ways, by where it begins; the
	// characters that also depend on its neighbours are left out.
	for lead := range 3 {
		s := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\x00", lead) + v))
		s = s[(lead*4+2)/3:]
		if tail := (lead + len(v)) % 3; tail > 0 {
			s = s[:len(s)-1]
		}
		put("base64", s)
		if url := strings.NewReplacer("+", "-", "/", "_").Replace(s); url != s {
			put("base64", url)
		}
	}
}

// Leaks returns what was found so far.
func (p *LeakProxy) Leaks() []Leak {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Leak(nil), p.leaks...)
}

// Bytes is how many bytes have passed in both directions.
func (p *LeakProxy) Bytes() int64 { return p.passed.Load() }

// Check fails the test if a watched value has passed, if a connection began TLS,
// or if nothing has passed at all.
func (p *LeakProxy) Check(t testing.TB) {
	t.Helper()
	for _, l := range p.Leaks() {
		t.Errorf("leak: %s", l)
	}
	if p.tls.Load() {
		t.Error("a connection through the leak proxy was encrypted, so that it saw nothing; connect without TLS")
	}
	if p.Bytes() == 0 {
		t.Error("nothing passed the leak proxy; connect through its address")
	}
}

// Close stops listening and closes every connection.
func (p *LeakProxy) Close() error {
	p.mu.Lock()
	p.closed = true
	for c := range p.conns {
		_ = c.Close() // they are being given up
	}
	p.mu.Unlock()
	err := p.listener.Close()
	p.wg.Wait()
	return err
}

func (p *LeakProxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		network := "tcp"
		if strings.HasPrefix(p.target, "/") {
			network = "unix"
		}
		server, err := net.Dial(network, p.target)
		if err != nil {
			_ = client.Close() // the client sees the end
			continue
		}
		if !p.track(client, server) {
			continue
		}
		p.wg.Go(func() { p.pump(server, client, true) })
		p.wg.Go(func() { p.pump(client, server, false) })
	}
}

func (p *LeakProxy) track(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.closed {
			_ = c.Close() // too late
			continue
		}
		p.conns[c] = true
	}
	return !p.closed
}

func (p *LeakProxy) pump(to, from net.Conn, toServer bool) {
	defer func() {
		_, _ = to.Close(), from.Close()
		p.mu.Lock()
		delete(p.conns, to)
		delete(p.conns, from)
		p.mu.Unlock()
	}()
	buf := make([]byte, 64<<10)
	var window []byte
	for {
		n, err := from.Read(buf)
		p.passed.Add(int64(n))
		if toServer && isClientHello(buf[:n]) {
			p.tls.Store(true)
		}
		window = p.search(append(window, buf[:n]...), n, toServer)
		if _, werr := to.Write(buf[:n]); werr != nil || err != nil {
			return // either end is gone; the other sees the same
		}
	}
}

// isClientHello recognises the first record of a TLS client (RFC 8446, 5.1):
// handshake, version 3.x, length, client_hello.
func isClientHello(b []byte) bool {
	return len(b) > 5 && b[0] == 0x16 && b[1] == 3 && b[2] <= 4 && b[5] == 1
}

// search looks for the patterns in what the last n bytes completed, and
// returns the bytes that a later match may begin in.
func (p *LeakProxy) search(window []byte, n int, toServer bool) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pat := range p.patterns {
		from := max(0, len(window)-n-len(pat.bytes)+1)
		if bytes.Contains(window[from:], pat.bytes) {
			p.leaks = append(p.leaks, Leak{pat.value, pat.form, toServer})
		}
	}
	keep := min(len(window), max(p.longest-1, 0))
	return append(window[:0], window[len(window)-keep:]...)
}
