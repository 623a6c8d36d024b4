package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/policy"
)

// maxRoom is how many context sources most tables have at most.
const maxRoom = 4

// sourceRoom is where the sources of one value lie, mostly.
type sourceRoom struct {
	sources [maxRoom]string
	known   [maxRoom]bool
}

// take returns the room for n sources, empty.
func (r *sourceRoom) take(n int) (sources []string, known []bool) {
	if n > maxRoom {
		return make([]string, n), make([]bool, n)
	}
	*r = sourceRoom{}
	return r.sources[:n], r.known[:n]
}

// openShown opens the value that a row shows in a protected column. First says
// that it is the result's first row, which for many statements is the only one: its
// content key may be kept.
func (e *engine) openShown(ctx context.Context, s *shown, row []sqldriver.Value, room *sourceRoom, text string, first bool) (any, error) {
	col := s.col
	sources, known := room.take(len(s.from.Sources))
	keys, err := e.keyColumns(ctx, s.from.Table)
	if err != nil {
		return nil, err
	}
	values := e.values()
	for _, i := range col.plan.Context {
		at := s.from.Sources[i]
		if at < 0 {
			continue
		}
		// A NULL or unreadable row key is no row: nothing was written for it.
		known[i] = true
		if sources[i], err = values.Shown(&keys.columns[i], row[at]); err != nil {
			return e.failed(ctx, finding{col: col, text: text, kind: alert.Mismatch, cause: err})
		}
	}
	for _, i := range col.plan.Legacy { // messages open without them
		if at := s.from.Sources[i]; at >= 0 {
			sources[i], err = values.Shown(&keys.columns[i], row[at])
			known[i] = err == nil
		}
	}
	return e.openValue(ctx, col, row[s.index], sources, known, text, first)
}

// openValue opens a stored value for the row that sources describe; known says
// which of them the statement shows.
func (e *engine) openValue(ctx context.Context, col *column, stored any, sources []string, known []bool, text string, first bool) (any, error) {
	plaintext, handed, err := e.open(ctx, col, stored, sources, known, text, first)
	if err != nil || handed == handNull {
		return nil, err
	}
	v, err := decodePlaintext(col.typ, plaintext)
	if err != nil {
		return nil, col.valueError(ErrValue, "", "it was sealed as another type: mend the column's type in the policy", err)
	}
	col.Opened.Add(1)
	return v, nil
}

// openBytes opens a stored value for sealsql's own use: policies that hand out
// what does not verify do not apply. known says which sources of legacy values alone
// are known; the others must be.
func (e *engine) openBytes(ctx context.Context, col *column, stored any, sources []string, known []bool, text string) ([]byte, error) {
	var m *codec.Message
	raw, err := col.ciphertext(stored)
	if err == nil {
		m, err = codec.Parse(raw)
	}
	if errors.Is(err, codec.ErrNotMessage) {
		if blob, ok := col.blob(stored); ok {
			plaintext, _, err := e.openBlob(ctx, finding{col: col, text: text, sources: sources, known: known, strict: true}, blob)
			return plaintext, err
		}
	}
	if err != nil {
		_, err = e.failed(ctx, finding{col: col, text: text, kind: kindOf(err), sources: sources, strict: true, cause: err})
		return nil, err
	}
	plaintext, err := col.codec.Decrypt(ctx, nil, m, col.context(sources))
	if err != nil {
		_, err = e.failed(ctx, finding{col: col, text: text, kind: e.kindOfOpen(err, m, col.context(sources)), sources: sources, message: m, strict: true, cause: err})
		return nil, err
	}
	return plaintext, nil
}

// handing says what becomes of a value.
type handing uint8

const (
	handValue handing = iota
	handNull
)

func (e *engine) open(ctx context.Context, col *column, stored any, sources []string, known []bool, text string, first bool) ([]byte, handing, error) {
	f := finding{col: col, text: text, sources: sources, known: known}
	raw, err := col.ciphertext(stored)
	if err == nil {
		f.message, err = codec.Parse(raw)
	}
	if errors.Is(err, codec.ErrNotMessage) {
		if blob, ok := col.blob(stored); ok {
			return e.openBlob(ctx, f, blob)
		}
		return e.plaintextRead(ctx, f, stored, err)
	}
	if err != nil {
		f.kind, f.cause = kindOf(err), err
		return e.outcome(ctx, f)
	}
	expected := col.borrow(sources)
	complete := col.forgetUnknown(expected, known)
	if !complete && col.hides(known) {
		f.kind = alert.Unverifiable
		return e.outcome(ctx, f)
	}
	decrypt := col.codec.DecryptOnce
	if first {
		decrypt = col.codec.Decrypt
	}
	plaintext, err := decrypt(ctx, nil, f.message, expected)
	if err != nil {
		f.kind, f.cause = e.kindOfOpen(err, f.message, expected), err
		return e.outcome(ctx, f)
	}
	col.giveBack(expected)
	if !complete {
		f.kind = alert.Unverifiable
		if col.unverifiable != policy.UnverifiableAllow {
			e.raise(ctx, f, true)
		}
	}
	return plaintext, handValue, nil
}

// plaintextRead deals with a protected column that holds no message.
func (e *engine) plaintextRead(ctx context.Context, f finding, stored any, cause error) ([]byte, handing, error) {
	f.kind, f.cause = alert.NotCiphertext, cause
	if f.col.plaintextReads != policy.Allow {
		return e.outcome(ctx, f)
	}
	plaintext, null, err := encodePlaintext(f.col.typ, stored)
	if err != nil || null {
		return e.outcome(ctx, f)
	}
	f.kind = alert.PlaintextRead
	f.col.PlaintextReads.Add(1)
	e.raise(ctx, f, true)
	return plaintext, handValue, nil
}

// outcome applies on_mismatch to a value that does not verify.
func (e *engine) outcome(ctx context.Context, f finding) ([]byte, handing, error) {
	_, err := e.failed(ctx, f)
	if err == nil {
		return e.handOver(ctx, f)
	}
	return nil, handNull, err
}

// handOver is on_mismatch: null or alert_only, after the alert.
func (e *engine) handOver(ctx context.Context, f finding) ([]byte, handing, error) {
	if f.col.onMismatch == policy.MismatchNull || f.message == nil {
		return nil, handNull, nil
	}
	// The value opens under the context that it was written with.
	plaintext, err := f.col.codec.Decrypt(ctx, nil, f.message, nil)
	if err != nil {
		f.strict = true
		f.kind, f.cause = kindOf(err), err
		_, err := e.failed(ctx, f)
		return nil, handNull, err
	}
	return plaintext, handValue, nil
}

// finding is what was found wrong with a value.
type finding struct {
	col     *column
	text    string
	kind    alert.Kind
	sources []string
	known   []bool
	message *codec.Message
	cause   error
	// strict findings are errors whatever on_mismatch says.
	strict bool
}

// failed raises the event and returns the error, or no error if on_mismatch
// says that a mismatch is not one.
func (e *engine) failed(ctx context.Context, f finding) (any, error) {
	if err := ctx.Err(); err != nil && (errors.Is(f.cause, context.Canceled) || errors.Is(f.cause, context.DeadlineExceeded)) {
		return nil, err // the caller gave up; nothing is known of the value
	}
	// Without the pairs that it does not store, a value of another row does not
	// open: alert_only has nothing to hand out.
	lenient := !f.strict && f.kind == alert.Mismatch && f.col.onMismatch != policy.MismatchError &&
		(f.col.onMismatch == policy.MismatchNull || len(f.col.required) == 0)
	e.raise(ctx, f, lenient && f.col.onMismatch == policy.MismatchAlertOnly && f.message != nil)
	f.col.Failed(f.kind)
	if lenient {
		return nil, nil
	}
	s := sentinels[f.kind]
	return nil, f.col.valueError(s.err, f.digest(), s.mend, f.cause)
}

var sentinels = map[alert.Kind]struct {
	err  error
	mend string
}{
	alert.Mismatch:       {ErrMismatch, "find out who moved it; write the row's own value again to mend the row"},
	alert.Tampered:       {ErrTampered, "find out who changed it; restore the value from a backup"},
	alert.NotCiphertext:  {ErrNotCiphertext, "run sealsql backfill, and set plaintext_reads: allow for the column while it runs"},
	alert.UnknownKey:     {ErrUnknownKey, "add the wrapping key to the column's keyring, or re-encrypt the value"},
	alert.KeyDenied:      {ErrKeyDenied, "grant kms:Decrypt and kms:GenerateDataKey on the key to the process's role"},
	alert.KMSUnavailable: {ErrKeyUnavailable, "check the Region's KMS endpoint and the key's state, then try again"},
	alert.Unverifiable:   {ErrUnverifiable, "select the row key beside the value, in a statement without DISTINCT, GROUP BY or set operations"},
	alert.Shredded:       {ErrShredded, "restore the branch key if it was deleted by mistake"},
}

// digest identifies the row, if the statement shows it.
func (f *finding) digest() string {
	if f.sources == nil {
		return ""
	}
	n := len(f.col.plan.Table.RowKey)
	for i := range n {
		if f.known != nil && !f.known[i] {
			return ""
		}
	}
	return alert.RowKeyDigest(f.col.table, f.sources[:n]...)
}

func (e *engine) raise(ctx context.Context, f finding, handed bool) {
	e.alerts.Raise(ctx, alert.Event{Kind: f.kind, Table: f.col.table, Column: f.col.name, Handed: handed}, f.describe)
}

// describe adds the evidence to an event.
func (f *finding) describe(e *alert.Event) {
	e.RowKeyDigest = f.digest()
	if f.text != "" {
		e.Statement = alert.Fingerprint(f.text)
	}
	if f.sources != nil {
		expected := f.col.context(f.sources)
		if f.known != nil {
			f.col.forgetUnknown(expected, f.known)
		}
		e.Expected = alert.Digests(expected)
	}
	if f.message != nil {
		e.Found = alert.Digests(f.message.Context())
		e.MessageID = hex.EncodeToString(f.message.ID())
	}
	if ce, ok := errors.AsType[*codec.Error](f.cause); ok {
		e.Region, e.KeyARN = ce.Region, ce.KeyARN
	}
	if f.cause != nil {
		e.Err = f.cause.Error()
	}
}

// kindOf classifies an error of package codec.
func kindOf(err error) alert.Kind {
	switch {
	case errors.Is(err, codec.ErrNotMessage):
		return alert.NotCiphertext
	case errors.Is(err, codec.ErrContextMismatch):
		return alert.Mismatch
	case errors.Is(err, codec.ErrKeyDenied):
		return alert.KeyDenied
	case errors.Is(err, codec.ErrUnknownKey):
		return alert.UnknownKey
	case errors.Is(err, codec.ErrKeyDeleted):
		return alert.Shredded
	case errors.Is(err, codec.ErrKeyUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return alert.KMSUnavailable
	}
	return alert.Tampered
}

// kindOfOpen classifies the failure to open a message for a row. A wrapped key
// that is refused under a context of which the message shows only a part was made
// under another context: the value belongs elsewhere.
func (e *engine) kindOfOpen(err error, m *codec.Message, expected codec.Context) alert.Kind {
	if errors.Is(err, codec.ErrUnwrap) {
		stored := m.Context()
		for k := range expected {
			if _, ok := stored[k]; !ok {
				return alert.Mismatch
			}
		}
		return alert.Tampered
	}
	return kindOf(err)
}

// ciphertext returns the message's bytes as the column stores them.
func (c *column) ciphertext(stored any) ([]byte, error) {
	var b []byte
	switch v := stored.(type) {
	case []byte:
		b = v
	case string:
		b = []byte(v)
	default:
		return nil, fmt.Errorf("%w: the column holds a Go %T", codec.ErrNotMessage, stored)
	}
	if !c.base64 {
		return b, nil
	}
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	n, err := base64.StdEncoding.Decode(raw, b)
	if err != nil {
		return nil, fmt.Errorf("%w: the column holds no base64", codec.ErrNotMessage)
	}
	return raw[:n], nil
}

// context returns the encryption context of a value of the row that sources
// describe.
func (c *column) context(sources []string) codec.Context {
	ec := make(codec.Context, len(c.static)+len(c.pairs))
	maps.Copy(ec, c.static)
	for _, p := range c.pairs {
		ec[p.key] = sources[p.source]
	}
	return ec
}

// borrow is context, in a map that giveBack returned if the keyring keeps none.
func (c *column) borrow(sources []string) codec.Context {
	ec, ok := c.contexts.Get().(codec.Context)
	if !ok {
		return c.context(sources)
	}
	for _, p := range c.pairs {
		ec[p.key] = sources[p.source]
	}
	return ec
}

// giveBack returns a context that is no longer used and whose static pairs are
// as they were.
func (c *column) giveBack(ec codec.Context) {
	if c.local {
		c.contexts.Put(ec)
	}
}

// hides reports whether a pair that messages do not store, and that they
// therefore do not open without, has a source that a statement does not show.
func (c *column) hides(known []bool) bool {
	for _, p := range c.pairs {
		if !known[p.source] && slices.Contains(c.required, p.key) {
			return true
		}
	}
	return false
}

// forgetUnknown drops the pairs whose source a statement does not show, and
// reports whether none was dropped.
func (c *column) forgetUnknown(ec codec.Context, known []bool) bool {
	complete := true
	for _, p := range c.pairs {
		if !known[p.source] {
			delete(ec, p.key)
			complete = false
		}
	}
	return complete
}

func (c *column) valueError(kind error, row, mend string, cause error) error {
	return &fault.ValueError{Kind: kind, Table: c.table, Column: c.name, RowKeyDigest: row, Hint: mend, Cause: cause}
}

// sealFailed classifies the failure to seal a value, which was not sent.
func (e *engine) sealFailed(ctx context.Context, b *binding, col *column, sources []string, err error) error {
	if cause := ctx.Err(); cause != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return cause
	}
	f := finding{col: col, text: b.text, sources: sources, cause: err}
	var sentinel error
	var mend string
	switch {
	case errors.Is(err, codec.ErrKeyDenied):
		f.kind = alert.KeyDenied
	case errors.Is(err, codec.ErrInvalidContext), errors.Is(err, codec.ErrLimit):
		return col.valueError(ErrValue, f.digest(), "shorten the value or the row key", err)
	case errors.Is(err, codec.ErrNoBranchKey):
		f.kind, sentinel, mend = alert.UnknownKey, ErrNoBranchKey, "create it with sealsql keys create, or driver.BranchKeys, and write again"
	case errors.Is(err, codec.ErrTampered):
		f.kind = alert.Tampered // the branch key's item
	case errors.Is(err, codec.ErrUnknownKey):
		f.kind = alert.UnknownKey
	default:
		f.kind = alert.KMSUnavailable
	}
	e.raise(ctx, f, false)
	col.SealFailed(f.kind)
	if sentinel == nil {
		sentinel, mend = sentinels[f.kind].err, sentinels[f.kind].mend
	}
	return col.valueError(sentinel, f.digest(), mend, err)
}
