// Package seal turns values of protected columns into ciphertexts and back. It is
// one funnel: [Funnel.Open] is the only way to a plaintext and [Funnel.Seal] the
// only way to a ciphertext, for rows, RETURNING, statements carried out row by row,
// single values, jobs and inspections alike.
//
// Words of this package:
//
//	source    a column of the row that encryption contexts draw on
//	row       the canonical texts of a row's sources ([Row]); made by [Column.Bind]
//	form      one way in which a value lies in its column ([Form])
//	finding   what is wrong with a value, with the evidence for its event
//	strict    an opening that the policy's on_mismatch and plaintext_reads do not soften
//
// A value that does not verify for its row is not handed out, unless the policy says
// so for the column, and always raises an event. Errors and events hold no plaintext,
// no parameter and no raw row key.
package seal

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/keyrings"
)

// Value is a plaintext on its way to being sealed for a row.
type Value struct {
	Column *Column
	// Plaintext is the value's plain text form. It is the caller's.
	Plaintext []byte
	Row       Row
	// Capacity is how many bytes of a ciphertext the column holds; 0 stands for
	// no limit.
	Capacity int
	// Statement is the SQL text, for events; empty if there is none.
	Statement string
}

// Seal seals a value for its row and returns it as the column stores it: a []byte,
// or a string of base64. What else a column stores beside its value, such as an
// equality term, belongs here. A column whose policy says writes: clear is not protected
// yet: its value is returned as it is.
func (f *Funnel) Seal(ctx context.Context, v Value) (any, error) {
	col := v.Column
	if col.WritesClear() {
		return col.unsealed(v.Plaintext), nil
	}
	switch {
	case col.document != nil:
		return f.sealDocument(ctx, v)
	case col.layout.Element != 0:
		return f.sealPart(ctx, v)
	}
	return f.sealValue(ctx, v)
}

// sealValue is Seal for a column that its values lie in by themselves.
func (f *Funnel) sealValue(ctx context.Context, v Value) (any, error) {
	col := v.Column
	if !col.local { // a wrapping may be missing
		ctx = context.WithValue(ctx, sealing{}, &finding{Request: Request{Column: col, Row: v.Row, Statement: v.Statement}})
	}
	expected := col.bound.borrow(v.Row.Sources)
	ciphertext, err := col.format.seal(ctx, col, v.Plaintext, expected)
	if err != nil {
		return nil, f.sealFailed(ctx, v, err)
	}
	col.giveBack(expected)
	stored, size := any(ciphertext), len(ciphertext)
	if col.layout.Base64 {
		text := base64.StdEncoding.EncodeToString(ciphertext)
		stored, size = text, len(text)
	}
	if v.Capacity > 0 && size > v.Capacity {
		return nil, col.Error(fault.ErrValue, "", "make the column wider",
			&CapacityError{fmt.Sprintf("the ciphertext takes %d bytes, and the column holds %d", size, v.Capacity)})
	}
	col.Sealed.Add(1)
	return stored, nil
}

// CapacityError says that a column is too narrow for what is stored in it.
type CapacityError struct{ what string }

// Error implements error.
func (e *CapacityError) Error() string { return e.what }

// sealing is the key under which a context carries the [finding] that says which
// value is being sealed.
type sealing struct{}

// ReportMissing raises the event of a wrapping that a value is written without. ctx
// is that of the value's sealing.
func ReportMissing(ctx context.Context, alerts *alert.Dispatcher, m keyrings.Missing) {
	e := alert.Event{Kind: alert.WrappingMissing, Region: m.Region}
	f, _ := ctx.Value(sealing{}).(*finding)
	if f != nil {
		e.Table, e.Column = f.Column.Table.Label, f.Column.Name
	}
	alerts.Raise(ctx, e, func(e *alert.Event) {
		e.KeyARN, e.Err = m.KeyARN, "a value was written without this wrapping (keyring "+m.Keyring+")"
		if f != nil {
			f.describe(e)
		}
	})
}

// sealFailed classifies the failure to seal a value, which was not sent.
func (f *Funnel) sealFailed(ctx context.Context, v Value, err error) error {
	if cause := ctx.Err(); cause != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return cause
	}
	found := finding{Request: Request{Column: v.Column, Row: v.Row, Statement: v.Statement}, cause: err}
	var sentinel error
	var hint string
	switch {
	case errors.Is(err, codec.ErrKeyDenied):
		found.kind = alert.KeyDenied
	case errors.Is(err, codec.ErrInvalidContext), errors.Is(err, codec.ErrLimit):
		return v.Column.Error(fault.ErrValue, found.digest(), "shorten the value or the row key", err)
	case errors.Is(err, codec.ErrNoBranchKey):
		found.kind, sentinel, hint = alert.UnknownKey, fault.ErrNoBranchKey, "create it with sealsql keys create, or driver.BranchKeys, and write again"
	case errors.Is(err, codec.ErrTampered):
		found.kind = alert.Tampered // the branch key's item
	case errors.Is(err, codec.ErrUnknownKey):
		found.kind = alert.UnknownKey
	default:
		found.kind = alert.KMSUnavailable
	}
	f.raise(ctx, found, false)
	v.Column.SealFailed(found.kind)
	if sentinel == nil {
		sentinel, hint = sentinels[found.kind].err, sentinels[found.kind].hint
	}
	return v.Column.Error(sentinel, found.digest(), hint, err)
}
