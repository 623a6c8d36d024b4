package alert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strconv"
	"time"
)

// Kind says what an [Event] is about.
type Kind uint8

// The kinds of event. The zero value is none of them.
const (
	// Mismatch: a value was found in a row, table or column that it was
	// not written for.
	Mismatch Kind = iota + 1
	// Tampered: a message's bytes were changed.
	Tampered
	// NotCiphertext: a protected column holds no message.
	NotCiphertext
	// UnknownKey: a message is wrapped under no key of its keyring.
	UnknownKey
	// KeyDenied: KMS denied the use of a wrapping key.
	KeyDenied
	// KMSUnavailable: no wrapping key could be used.
	KMSUnavailable
	// WrappingMissing: a value was written without the wrapping of a
	// Region that was down.
	WrappingMissing
	// PlaintextRead: a plaintext was handed out because the policy allows
	// it for the column (plaintext_reads: allow).
	PlaintextRead
	// Unverifiable: a value was read by a statement that hides its row.
	Unverifiable
	// PolicyRejected: a new policy could not be used; the old one stays.
	PolicyRejected
	// Shredded: a value's branch key was deleted.
	Shredded
	// Unauthentic: a compact value was changed, or was found in a row, table or
	// column that it was not written for. Nothing in the value tells which.
	Unauthentic
	// Refused: a statement was not sent. Err says why, as [Snapshot.Refused] counts it.
	Refused
	// IndexMismatch: a row was found by an equality term that its value does not have.
	IndexMismatch
	// LeftOut: a part of DDL was not sent, since it means nothing over ciphertexts. Err
	// says which.
	LeftOut

	kinds = int(LeftOut) + 1
)

var kindNames = [kinds]string{
	"invalid", "mismatch", "tampered", "not_ciphertext", "unknown_key", "key_denied",
	"kms_unavailable", "wrapping_missing", "plaintext_read", "unverifiable",
	"policy_rejected", "shredded", "unauthentic", "refused", "index_mismatch", "left_out",
}

// Kinds lists every kind.
func Kinds() []Kind {
	all := make([]Kind, 0, kinds-1)
	for k := Mismatch; int(k) < kinds; k++ {
		all = append(all, k)
	}
	return all
}

// Urgent reports whether the kind means that somebody may have moved or
// changed values. Urgent events have a queue and a rate of their own, so that no
// other kind, however frequent, holds them up.
func (k Kind) Urgent() bool {
	return k == Mismatch || k == Tampered || k == Unauthentic || k == IndexMismatch
}

// Level is the level at which events of the kind are logged: Warn for reads
// that the policy allows, missing wrappings and refused statements, Error for the rest.
func (k Kind) Level() slog.Level {
	switch k {
	case PlaintextRead, Unverifiable, WrappingMissing, Refused, LeftOut:
		return slog.LevelWarn
	}
	return slog.LevelError
}

// String returns the kind's name as it appears in logs and metrics.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

// Event is something that the security team should know. It never holds a
// plaintext, a parameter or a raw row key: identifying values are digests.
type Event struct {
	Kind Kind
	Time time.Time
	// Table and Column are named as the policy names them.
	Table, Column string
	// RowKeyDigest is the digest of the row that the value was read from or
	// written to, see [RowKeyDigest]; empty if the row is unknown.
	RowKeyDigest string
	Evidence
	// Region and KeyARN name the wrapping key concerned; empty if none is.
	Region, KeyARN string
	// Statement is the Fingerprint of the SQL text: 16 hexadecimal digits.
	Statement string
	// TraceID is the trace that the query ran under: 32 hexadecimal digits;
	// empty if there is none, or if no imported package knows of traces (see
	// [RegisterTraceID]).
	TraceID string
	// Handed says whether the value was handed to the application all the
	// same, because the policy says so.
	Handed bool
	// Err is a short description; it holds no value.
	Err string
	// Suppressed, if it is not zero, makes the event a summary: that many
	// events of this kind, table and column were raised and could not be
	// delivered one by one, because of their rate or because the sink was slow. A
	// summary has no row, context, message or statement.
	Suppressed uint64

	ctx context.Context
}

// Evidence is what an event shows of a value.
type Evidence struct {
	// Expected and Found are the encryption contexts that the row implies and
	// that the message carries, each value replaced by [Digest] of it. Found
	// is nil if the message could not be read.
	Expected, Found map[string]string
	// MessageID is the message's id in hexadecimal; empty if unknown.
	MessageID string
}

// Context returns the context of the query that raised the event, so that a
// sink can find its span. It carries values only: it is never cancelled.
func (e Event) Context() context.Context {
	if e.ctx == nil {
		return context.Background()
	}
	return e.ctx
}

// Count is the number of occurrences that the event stands for.
func (e Event) Count() uint64 { return max(1, e.Suppressed) }

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
	if e.Suppressed > 0 {
		return slog.GroupValue(append(attrs, slog.Uint64("suppressed", e.Suppressed))...)
	}
	return slog.GroupValue(append(attrs, slog.Bool("handed_out", e.Handed))...)
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

// Fingerprint identifies a statement's text in events.
func Fingerprint(text string) string {
	h := fnv.New64a()
	h.Write([]byte(text))
	return fmt.Sprintf("%016x", h.Sum64())
}

// Digests returns an encryption context with each value replaced by its [Digest],
// or nil for nil.
func Digests(ec map[string]string) map[string]string {
	if ec == nil {
		return nil
	}
	out := make(map[string]string, len(ec))
	for k, v := range ec {
		out[k] = Digest(v)
	}
	return out
}
