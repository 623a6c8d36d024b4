package seal

import (
	"bytes"
	"context"
	"errors"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/inspect"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// Request asks for the plaintext of what a protected column holds.
type Request struct {
	Column *Column
	Stored any
	// Row is the row that the value was read from.
	Row Row
	// Statement is the SQL text, for events; empty if there is none.
	Statement string
	// First is true if no other value is about to be opened: its content key may
	// be kept.
	First bool
	// Rules say how the value is shown; nil shows points in time in UTC.
	Rules server.Values
	// Defaults are the constants that columns of the row's table have as their DEFAULT,
	// by name.
	Defaults map[string]string
	// Strict is true for sealsql's own use: nothing that does not verify is
	// returned, whatever the policy hands out to applications. All sources that
	// messages need must be known.
	Strict bool
	// HoldsTerm is set if the row was found by a term: Term is what the column of terms
	// holds, and the value is handed out only if that is its own.
	HoldsTerm bool
	Term      any
	// Buffer, if it is not nil, holds a buffer for the plaintext, which [Funnel.OpenValue]
	// overwrites. A larger one takes its place when it is needed.
	Buffer *[]byte
	// Among, if there are any, hold normalised values: the value is handed out only if
	// each of them has it. Else the error is [ErrNotAmong].
	Among []Among

	// Mixed is for a job that seals the rest of a document: values that were never sealed
	// are handed out too, without an event.
	Mixed bool

	anywhere bool // under the context that the value carries
}

// readsPlaintexts reports whether a value that was never sealed may be handed out: the
// policy says so, or it is the column's DEFAULT, which rows hold that ADD COLUMN filled.
func (r *Request) readsPlaintexts() bool {
	return r.Mixed || !r.Strict && (r.Column.policy.plaintextReads == policy.Allow || r.holdsDefault())
}

// holdsDefault reports whether the column holds its DEFAULT in clear.
func (r *Request) holdsDefault() bool {
	text, ok := r.Defaults[r.Column.Name]
	named := r.Column.policy.constant
	if !ok && named == nil {
		return false
	}
	held, _ := server.AsText(r.Stored)
	return ok && held == text || named != nil && held == *named
}

// opened is what a form made of a value: a plaintext, or what is wrong.
type opened struct {
	plaintext []byte
	// kind is what is wrong; 0 for a plaintext.
	kind  alert.Kind
	cause error
	// noted is the event that a plaintext that is handed out raises, or 0.
	noted alert.Kind
}

// Open opens a stored value for a row. It is the only way to a plaintext. null is
// true for NULL, and for a value in whose place the policy has NULL.
func (f *Funnel) Open(ctx context.Context, r Request) (plaintext []byte, null bool, err error) {
	if r.Column.document != nil {
		return f.openDocument(ctx, r)
	}
	if r.Column.isJSONNull(r.Stored) {
		return []byte("null"), false, nil
	}
	found := r.Column.layout.Classify(r.Stored)
	if found.Kind == inspect.Null {
		if r.HoldsTerm && !IsNull(r.Term) {
			return nil, true, f.failed(ctx, finding{Request: r, found: found, kind: alert.IndexMismatch})
		}
		return nil, true, nil
	}
	o := found.form.open(ctx, r, found)
	if o.kind == alert.UnknownKey && found.Kind == inspect.Compact {
		if other, ok := r.Column.layout.besideCompact(r.Stored, r.readsPlaintexts()); ok {
			found = other
			o = found.form.open(ctx, r, found)
		}
	}
	if o.kind != 0 {
		return f.outcome(ctx, finding{Request: r, found: found, kind: o.kind, cause: o.cause})
	}
	if r.HoldsTerm {
		if null, err := f.holdsTerm(ctx, finding{Request: r, found: found}, o.plaintext); null || err != nil {
			clear(o.plaintext)
			return nil, true, err
		}
	}
	if !r.Column.among(r.Among, o.plaintext) {
		clear(o.plaintext)
		return nil, true, ErrNotAmong
	}
	if o.noted != 0 && !r.Mixed {
		f.raise(ctx, finding{Request: r, found: found, kind: o.noted, cause: o.cause}, true)
	}
	return o.plaintext, false, nil
}

// OpenValue is Open as a column's Go value: string, []byte, int64, float64, bool or
// time.Time by the column's type, or what r.Rules show in its place; nil for NULL. It
// counts the value.
func (f *Funnel) OpenValue(ctx context.Context, r Request) (any, error) {
	plaintext, null, err := f.Open(ctx, r)
	if err != nil || null {
		return nil, err
	}
	if r.Column.KeepsType() {
		r.Column.Opened.Add(1)
		return r.Column.asStored(r.Stored, plaintext), nil
	}
	asBytes := r.Column.Type == policy.TypeBytes || r.Rules != nil && isText(r.Column.Type) && r.Rules.ShowsBytes(r.Column.Type)
	if r.Buffer != nil && asBytes {
		own := bytes.Clone(plaintext)
		clear(plaintext)
		plaintext = own
	}
	v, err := decodePlaintext(r.Column.Type, plaintext, asBytes)
	if err != nil {
		return nil, r.Column.Error(fault.ErrValue, "", "it was sealed as another type; correct the column's type in the policy", err)
	}
	r.Column.Opened.Add(1)
	if r.Rules != nil {
		return r.Rules.Show(r.Column.Type, v), nil
	}
	return v, nil
}

// Fits reports whether a stored value verifies for a row. It hands out nothing and
// raises no event. The error says why that is not known.
func (f *Funnel) Fits(ctx context.Context, r Request) (bool, error) {
	if r.Column.document != nil {
		return f.documentFits(ctx, r)
	}
	found := r.Column.layout.Classify(r.Stored)
	if found.Kind == inspect.Null {
		return false, nil
	}
	r.Strict = true
	o := found.form.open(ctx, r, found)
	clear(o.plaintext)
	switch o.kind {
	case alert.KMSUnavailable, alert.KeyDenied:
		return false, r.Column.Error(sentinels[o.kind].err, "", sentinels[o.kind].hint, o.cause)
	}
	return o.kind == 0, nil
}

// OpenAnywhere opens a stored value under the context that it carries, whatever row
// it was written for. It is for moving values whose context was made wrongly.
func (f *Funnel) OpenAnywhere(ctx context.Context, c *Column, stored any) ([]byte, error) {
	plaintext, _, err := f.Open(ctx, Request{Column: c, Stored: stored, First: true, Strict: true, anywhere: true})
	return plaintext, err
}

// Mismatch is the outcome of a value whose row cannot be made out: nothing was
// written for such a row. It returns no error if the policy says so.
func (f *Funnel) Mismatch(ctx context.Context, r Request, cause error) error {
	return f.failed(ctx, finding{Request: Request{Column: r.Column, Statement: r.Statement, Strict: r.Strict}, kind: alert.Mismatch, cause: cause})
}

// outcome applies on_mismatch to a value that does not verify.
func (f *Funnel) outcome(ctx context.Context, found finding) ([]byte, bool, error) {
	if err := f.failed(ctx, found); err != nil {
		return nil, true, err
	}
	if found.Column.policy.onMismatch == policy.MismatchNull || found.found.msg == nil {
		return nil, true, nil
	}
	// alert_only: the value opens under the context that it was written with.
	o := openUnbound(ctx, found.Request, found.found)
	if o.kind == 0 {
		return o.plaintext, false, nil
	}
	found.Strict = true
	found.kind, found.cause = o.kind, o.cause
	return nil, true, f.failed(ctx, found)
}

// failed raises the event and returns the error, or no error if on_mismatch says
// that a mismatch is not one.
func (f *Funnel) failed(ctx context.Context, found finding) error {
	if err := ctx.Err(); err != nil && (errors.Is(found.cause, context.Canceled) || errors.Is(found.cause, context.DeadlineExceeded)) {
		return err // the caller gave up; nothing is known of the value
	}
	col := found.Column
	// Without the pairs that it does not store, a value of another row does not
	// open: alert_only has nothing to hand out.
	movable := found.kind == alert.Mismatch && len(col.bound.required) == 0
	lenient := !found.Strict && (col.policy.onMismatch == policy.MismatchNull && (found.kind == alert.Mismatch || found.kind == alert.IndexMismatch) ||
		col.policy.onMismatch == policy.MismatchAlertOnly && movable)
	f.raise(ctx, found, lenient && col.policy.onMismatch == policy.MismatchAlertOnly && found.found.msg != nil)
	col.Failed(found.kind)
	if lenient {
		return nil
	}
	s := sentinels[found.kind]
	return col.Error(s.err, found.digest(), s.hint, found.cause)
}

func (f *Funnel) raise(ctx context.Context, found finding, handed bool) {
	f.alerts.Raise(ctx, alert.Event{Kind: found.kind, Table: found.Column.Table.Label, Column: found.Column.Name, Handed: handed}, found.describe)
}

// finding is what is wrong with a value, or worth an event.
type finding struct {
	Request
	found Found
	kind  alert.Kind
	cause error
}

// digest identifies the row, if the statement shows it.
func (f *finding) digest() string { return f.Column.Table.Digest(f.Row) }

// describe adds the evidence to an event.
func (f *finding) describe(e *alert.Event) {
	e.RowKeyDigest = f.digest()
	if f.Statement != "" {
		e.Statement = alert.Fingerprint(f.Statement)
	}
	if f.Row.Sources != nil {
		expected := f.Column.bound.context(f.Row.Sources)
		if f.Row.Known != nil {
			f.Column.bound.forgetUnknown(expected, f.Row.Known)
		}
		e.Expected = alert.Digests(expected)
	}
	if f.found.form != nil {
		f.found.form.evidence(f.found, e)
	}
	if ce, ok := errors.AsType[*codec.Error](f.cause); ok {
		e.Region, e.KeyARN = ce.Region, ce.KeyARN
	}
	if f.cause != nil {
		e.Err = f.cause.Error()
	}
}

var sentinels = map[alert.Kind]struct {
	err  error
	hint string
}{
	alert.Mismatch:       {fault.ErrMismatch, "find out who moved it; write the row's own value again to repair the row"},
	alert.Tampered:       {fault.ErrTampered, "find out who changed it; restore the value from a backup"},
	alert.Unauthentic:    {fault.ErrUnauthentic, "find out who moved or changed it, with sealsql verify --find-origin; write the row's own value again or restore it from a backup"},
	alert.IndexMismatch:  {fault.ErrIndexMismatch, "find out who changed the terms; sealsql reindex makes them anew"},
	alert.NotCiphertext:  {fault.ErrNotCiphertext, "run sealsql backfill, and set plaintext_reads: allow for the column while it runs"},
	alert.UnknownKey:     {fault.ErrUnknownKey, "add the wrapping key to the column's keyring, or re-encrypt the value"},
	alert.KeyDenied:      {fault.ErrKeyDenied, "grant kms:Decrypt and kms:GenerateDataKey on the key to the process's role"},
	alert.KMSUnavailable: {fault.ErrKeyUnavailable, "check the Region's KMS endpoint and the key's state, then try again"},
	alert.Unverifiable:   {fault.ErrUnverifiable, "select the row key beside the value, in a statement without DISTINCT, GROUP BY or set operations"},
	alert.Shredded:       {fault.ErrShredded, "restore the branch key if it was deleted by mistake"},
}

// kindOf classifies an error of package codec.
func kindOf(err error) alert.Kind {
	switch {
	case errors.Is(err, codec.ErrNotMessage):
		return alert.NotCiphertext
	case errors.Is(err, codec.ErrUnauthentic):
		return alert.Unauthentic
	case errors.Is(err, codec.ErrContextMismatch):
		return alert.Mismatch
	case errors.Is(err, codec.ErrKeyDenied):
		return alert.KeyDenied
	case errors.Is(err, codec.ErrUnknownKey), errors.Is(err, codec.ErrNoBranchKey):
		return alert.UnknownKey
	case errors.Is(err, codec.ErrKeyDeleted):
		return alert.Shredded
	case errors.Is(err, codec.ErrKeyUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return alert.KMSUnavailable
	}
	return alert.Tampered
}
