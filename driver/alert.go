package driver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// EventKind says what an [Event] is about.
type EventKind uint8

// The kinds of event. The zero value is none of them.
const (
	// EventMismatch: a value was found in a row, table or column that it was
	// not written for.
	EventMismatch EventKind = iota + 1
	// EventTampered: a message's bytes were changed.
	EventTampered
	// EventNotCiphertext: a protected column holds no message.
	EventNotCiphertext
	// EventUnknownKey: a message is wrapped under no key of its keyring.
	EventUnknownKey
	// EventKeyDenied: KMS denied the use of a wrapping key.
	EventKeyDenied
	// EventKMSUnavailable: no wrapping key could be used.
	EventKMSUnavailable
	// EventWrappingMissing: a value was written without the wrapping of a
	// Region that was down.
	EventWrappingMissing
	// EventPlaintextRead: a plaintext was handed out because the policy allows
	// it for the column (plaintext_reads: allow).
	EventPlaintextRead
	// EventUnverifiable: a value was read by a statement that hides its row.
	EventUnverifiable
	// EventPolicyRejected: a new policy could not be used; the old one stays.
	EventPolicyRejected
	// EventShredded: a value's branch key was deleted.
	EventShredded

	eventKinds = int(EventShredded) + 1
)

var eventNames = [eventKinds]string{
	"invalid", "mismatch", "tampered", "not_ciphertext", "unknown_key", "key_denied",
	"kms_unavailable", "wrapping_missing", "plaintext_read", "unverifiable",
	"policy_rejected", "shredded",
}

// String returns the kind's name as it appears in logs and metrics.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "EventKind(" + strconv.Itoa(int(k)) + ")"
}

// Event is something that the security team should know. It never holds a
// plaintext, a parameter or a raw row key: identifying values are digests.
type Event struct {
	Kind EventKind
	Time time.Time
	// Table and Column are named as the policy names them.
	Table, Column string
	// RowKeyDigest is the digest of the row that the value was read from or
	// written to, see [RowKeyDigest]; empty if the row is unknown.
	RowKeyDigest string
	// Expected and Found are the encryption contexts that the row implies and
	// that the message carries, each value replaced by [Digest] of it. Found
	// is nil if the message could not be read.
	Expected, Found map[string]string
	// MessageID is the message's id in hexadecimal; empty if unknown.
	MessageID string
	// Region and KeyARN name the wrapping key concerned; empty if none is.
	Region, KeyARN string
	// Statement is the fingerprint of the SQL text: 16 hexadecimal digits.
	Statement string
	// TraceID is the trace that the query ran under, if a sink's package knows
	// of one; 32 hexadecimal digits or empty.
	TraceID string
	// Handed says whether the value was handed to the application all the
	// same, because the policy says so.
	Handed bool
	// Err is a short description; it holds no value.
	Err string

	ctx context.Context
}

// Context returns the context of the query that raised the event, so that a
// sink can find its span. It carries values only: it is never cancelled.
func (e Event) Context() context.Context {
	if e.ctx == nil {
		return context.Background()
	}
	return e.ctx
}

// LogValue implements [slog.LogValuer].
func (e Event) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("kind", e.Kind.String())}
	for _, p := range [...]struct{ k, v string }{
		{"table", e.Table}, {"column", e.Column}, {"row", e.RowKeyDigest},
		{"message_id", e.MessageID}, {"region", e.Region}, {"key_arn", e.KeyARN},
		{"statement", e.Statement}, {"trace_id", e.TraceID}, {"error", e.Err},
	} {
		if p.v != "" {
			attrs = append(attrs, slog.String(p.k, p.v))
		}
	}
	if len(e.Expected) > 0 {
		attrs = append(attrs, slog.Any("expected", e.Expected))
	}
	if len(e.Found) > 0 {
		attrs = append(attrs, slog.Any("found", e.Found))
	}
	return slog.GroupValue(append(attrs, slog.Bool("handed_out", e.Handed))...)
}

// Sink receives events. Implementations need not be safe for concurrent use
// by one dispatcher: each sink is called from one goroutine of its own, never
// from a query. Errors and panics are counted and otherwise ignored.
type Sink interface {
	// Alert delivers one event. ctx ends when the dispatcher closes.
	Alert(ctx context.Context, e Event) error
}

// SinkFunc is a function as a [Sink].
type SinkFunc func(ctx context.Context, e Event) error

// Alert implements [Sink].
func (f SinkFunc) Alert(ctx context.Context, e Event) error { return f(ctx, e) }

// LogSink returns a sink that writes each event as one record to l at level
// Error; plaintext reads, unverifiable reads and missing wrappings at Warn.
func LogSink(l *slog.Logger) Sink {
	return SinkFunc(func(ctx context.Context, e Event) error {
		level := slog.LevelError
		switch e.Kind {
		case EventPlaintextRead, EventUnverifiable, EventWrappingMissing:
			level = slog.LevelWarn
		}
		l.LogAttrs(ctx, level, "sealsql: "+e.Kind.String(), slog.Any("event", e))
		return nil
	})
}

// Digest is how events show a context value without showing it: the first 16
// bytes of SHA-256 of "sealsql:value" 0x00 value, in hexadecimal. Whoever
// knows a candidate value can recognise it; low-entropy values can be guessed.
func Digest(value string) string {
	h := sha256.Sum256([]byte("sealsql:value\x00" + value))
	return hex.EncodeToString(h[:16])
}

// RowKeyDigest is how events and errors name a row: the first 16 bytes of
// SHA-256 of "sealsql:row" 0x00 table, then for each row-key value, in the
// policy's order and canonical text form, 0x00 length 0x00 value; in hexadecimal.
func RowKeyDigest(table string, rowKey ...string) string {
	h := sha256.New()
	h.Write([]byte("sealsql:row\x00" + table))
	for _, v := range rowKey {
		fmt.Fprintf(h, "\x00%d\x00%s", len(v), v)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// fingerprint identifies a statement's text in events.
func fingerprint(text string) string {
	h := fnv.New64a()
	h.Write([]byte(text))
	return fmt.Sprintf("%016x", h.Sum64())
}

func digested(ec map[string]string) map[string]string {
	if ec == nil {
		return nil
	}
	out := make(map[string]string, len(ec))
	for k, v := range ec {
		out[k] = Digest(v)
	}
	return out
}

// dispatcher carries events from queries to sinks. A query never waits for
// it: each sink has a bounded queue, and what does not fit is counted.
type dispatcher struct {
	lanes   []*lane
	limit   rateLimit
	raised  [eventKinds]atomic.Uint64
	dropped atomic.Uint64

	mu     sync.RWMutex // guards closed, and keeps queues open while an event is offered
	closed bool
}

// lane is one sink with its queue.
type lane struct {
	sink   Sink
	queue  chan Event
	done   chan struct{}
	failed atomic.Uint64
	cancel context.CancelFunc
}

const laneCapacity = 1024

func newDispatcher(sinks []Sink) *dispatcher {
	d := &dispatcher{limit: rateLimit{perSecond: 100, burst: 500}}
	for _, s := range sinks {
		ctx, cancel := context.WithCancel(context.Background())
		l := &lane{sink: s, queue: make(chan Event, laneCapacity), done: make(chan struct{}), cancel: cancel}
		d.lanes = append(d.lanes, l)
		go l.run(ctx)
	}
	return d
}

func (l *lane) run(ctx context.Context) {
	defer close(l.done)
	for e := range l.queue {
		l.deliver(ctx, e)
	}
}

func (l *lane) deliver(ctx context.Context, e Event) {
	defer func() {
		if recover() != nil {
			l.failed.Add(1)
		}
	}()
	if err := l.sink.Alert(ctx, e); err != nil {
		l.failed.Add(1)
	}
}

// raise queues the event for every sink.
func (d *dispatcher) raise(ctx context.Context, e Event) {
	d.raised[e.Kind].Add(1)
	if len(d.lanes) == 0 {
		return
	}
	e.Time = time.Now()
	if ctx != nil {
		e.ctx = context.WithoutCancel(ctx)
	}
	if !d.limit.allow(e.Kind, e.Time) {
		d.dropped.Add(1)
		return
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, l := range d.lanes {
		if d.closed {
			d.dropped.Add(1)
			continue
		}
		select {
		case l.queue <- e:
		default:
			d.dropped.Add(1)
		}
	}
}

// close delivers what is queued, for at most the given time.
func (d *dispatcher) close(within time.Duration) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	d.closed = true
	for _, l := range d.lanes {
		close(l.queue)
	}
	d.mu.Unlock()
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	for _, l := range d.lanes {
		select {
		case <-l.done:
		case <-timeout.C:
			for _, l := range d.lanes {
				l.cancel()
			}
			return
		}
	}
	for _, l := range d.lanes {
		l.cancel()
	}
}

// rateLimit is a token bucket for each kind of event, so that a flood of one
// kind never hides another.
type rateLimit struct {
	perSecond, burst float64
	mu               sync.Mutex
	buckets          [eventKinds]struct {
		tokens float64
		last   time.Time
	}
}

func (r *rateLimit) allow(k EventKind, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := &r.buckets[k]
	if b.last.IsZero() {
		b.tokens = r.burst
	} else {
		b.tokens = min(r.burst, b.tokens+now.Sub(b.last).Seconds()*r.perSecond)
	}
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
