package driver

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/internal/keyrings"
	"github.com/sealsql/sealsql/policy"
)

// legacy is how a column's values from before sealsql are read.
type legacy struct {
	keys   keyrings.BlobOpener
	static codec.Context
	pairs  []pair
	// bound says that the context names the row, or that the policy does not ask
	// for it.
	bound bool
}

// addLegacy makes a column read legacy values, if the policy says so.
func (e *engine) addLegacy(col *column, c policy.Column) error {
	if c.Legacy == "" {
		return nil
	}
	ring, err := e.keys.Blobs(e.policy, c.Keyring)
	if err != nil {
		return err
	}
	pairs := c.LegacyContext
	if pairs == nil {
		pairs = c.Context
	}
	l := &legacy{keys: ring, static: codec.Context{}}
	for _, p := range pairs {
		if p.Source == "" {
			l.static[p.Key] = p.Value
			continue
		}
		i := sourceIndex(col.plan.Table, p.Source)
		l.pairs = append(l.pairs, pair{p.Key, i})
		col.draw(i)
	}
	l.bound = true
	for i := range col.plan.Table.RowKey {
		named := slices.ContainsFunc(l.pairs, func(p pair) bool { return p.source == i })
		l.bound = l.bound && (named || c.Unbound)
	}
	col.legacy = l
	return nil
}

// draw makes the planner show a source beside the column when it is read.
func (c *column) draw(source int) {
	if !slices.Contains(c.plan.Context, source) && !slices.Contains(c.plan.Legacy, source) {
		c.plan.Legacy = append(c.plan.Legacy, source)
	}
}

// blob returns the bare ciphertext that a value is, if it is one. Scripts store
// them as they are or in base64, whatever the column's messages are stored as.
func (c *column) blob(stored any) ([]byte, bool) {
	if c.legacy == nil {
		return nil, false
	}
	var b []byte
	switch v := stored.(type) {
	case []byte:
		b = v
	case string:
		b = []byte(v)
	}
	if awskms.IsBlob(b) {
		return b, true
	}
	decoded, err := base64.StdEncoding.AppendDecode(nil, bytes.TrimSpace(b))
	if err == nil && awskms.IsBlob(decoded) {
		return decoded, true
	}
	// The form of blobs is not documented, and other services than AWS's have
	// others. What can be no text may be one; a text never leaves for KMS.
	if c.base64 && err == nil {
		b = decoded
	}
	const least = 64
	_, err = codec.Parse(b)
	return b, c.typ != policy.TypeBytes && len(b) >= least && !utf8.Valid(b) && errors.Is(err, codec.ErrNotMessage)
}

// context returns the encryption context that a legacy value of the row was
// made with; ok is false if the statement does not show all of it. A nil known
// means that all is known.
func (l *legacy) context(sources []string, known []bool) (ec codec.Context, ok bool) {
	ec = make(codec.Context, len(l.static)+len(l.pairs))
	for k, v := range l.static {
		ec[k] = v
	}
	for _, p := range l.pairs {
		if known != nil && !known[p.source] {
			return nil, false
		}
		ec[p.key] = sources[p.source]
	}
	return ec, true
}

// openBlob opens a legacy value. It is bound to its row by its context alone:
// under another row's KMS refuses it.
func (e *engine) openBlob(ctx context.Context, f finding, blob []byte) ([]byte, handing, error) {
	l := f.col.legacy
	ec, complete := l.context(f.sources, f.known)
	if !complete || !l.bound && f.col.unverifiable == policy.UnverifiableError {
		f.kind = alert.Unverifiable
		return e.outcome(ctx, f)
	}
	plaintext, err := l.keys.DecryptBlob(ctx, blob, ec)
	if err != nil {
		if f.kind, f.cause = kindOf(err), err; errors.Is(err, codec.ErrUnwrap) {
			f.kind = alert.Mismatch
		}
		return e.outcome(ctx, f)
	}
	f.col.LegacyReads.Add(1)
	if !l.bound && f.col.unverifiable != policy.UnverifiableAllow {
		f.kind = alert.Unverifiable
		e.raise(ctx, f, true)
	}
	return plaintext, handValue, nil
}
