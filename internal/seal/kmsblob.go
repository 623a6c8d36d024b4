package seal

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
	"github.com/sealsql/sealsql/inspect"
	"github.com/sealsql/sealsql/internal/keyrings"
	"github.com/sealsql/sealsql/policy"
)

// kmsBlobForm is that of bare ciphertexts of KMS's Encrypt, from before sealsql.
type kmsBlobForm struct{}

// leastBlob is below the length of any ciphertext of KMS.
const leastBlob = 64

// find recognises a bare ciphertext. Scripts store them as they are or in base64,
// whatever the column's messages are stored as.
func (f kmsBlobForm) find(l Layout, h held) (Found, bool) {
	for i, b := range [][]byte{h.text, h.raw} {
		if i > 0 && !l.Base64 {
			break
		}
		if awskms.IsBlob(b) {
			return Found{Kind: inspect.KMSBlob, form: f, bytes: b, cause: notMessage(h)}, true
		}
		decoded, err := base64.StdEncoding.AppendDecode(nil, bytes.TrimSpace(b))
		if err == nil && awskms.IsBlob(decoded) {
			return Found{Kind: inspect.KMSBlob, form: f, bytes: decoded, cause: notMessage(h)}, true
		}
	}
	// The form of blobs is not documented, and other services than AWS's have
	// others. What can be no text may be one; a text never leaves for KMS.
	b := h.text
	if l.Base64 {
		if decoded, err := base64.StdEncoding.AppendDecode(nil, bytes.TrimSpace(b)); err == nil {
			b = decoded
		}
	}
	if !l.Legacy || l.Type == policy.TypeBytes || len(b) < leastBlob || utf8.Valid(b) {
		return Found{}, false
	}
	_, err := codec.Parse(b)
	return Found{Kind: inspect.KMSBlob, form: f, bytes: b, cause: err}, errors.Is(err, codec.ErrNotMessage)
}

// notMessage is why h is no message.
func notMessage(h held) error {
	if h.err != nil {
		return h.err
	}
	_, err := codec.Parse(h.raw)
	return err
}

// open opens a blob. It is bound to its row by its context alone: under another
// row's KMS rejects it. A column that is not declared to hold blobs holds plaintexts
// that happen to look like one.
func (kmsBlobForm) open(ctx context.Context, r Request, found Found) opened {
	l := r.Column.legacy
	if l == nil || r.anywhere {
		return plaintextForm{}.open(ctx, r, found)
	}
	ec, complete := l.context(r.Row)
	if !complete || !l.bound && r.Column.policy.unverifiable == policy.UnverifiableError {
		return opened{kind: alert.Unverifiable}
	}
	plaintext, err := l.keys.DecryptBlob(ctx, found.bytes, ec)
	if err != nil {
		o := opened{kind: kindOf(err), cause: err}
		if errors.Is(err, codec.ErrUnwrap) {
			o.kind = alert.Mismatch
		}
		return o
	}
	r.Column.LegacyReads.Add(1)
	if !l.bound && r.Column.policy.unverifiable != policy.UnverifiableAllow {
		return opened{plaintext: plaintext, noted: alert.Unverifiable}
	}
	return opened{plaintext: plaintext}
}

func (kmsBlobForm) show(Found, *inspect.Value)   {}
func (kmsBlobForm) evidence(Found, *alert.Event) {}

// legacy is how a column's bare ciphertexts are read.
type legacy struct {
	keys   keyrings.BlobOpener
	static codec.Context
	pairs  []pair
	// bound says that the context names the row, or that the policy does not ask
	// for it.
	bound bool
}

// addLegacy makes a column read bare ciphertexts, if the policy says so.
func (f *Funnel) addLegacy(col *Column, c policy.Column) error {
	if c.Legacy == "" {
		return nil
	}
	keys, err := f.keys.Blobs(f.policy, c.Keyring)
	if err != nil {
		return err
	}
	pairs := c.LegacyContext
	if pairs == nil {
		pairs = c.Context
	}
	l := &legacy{keys: keys, static: codec.Context{}, bound: true}
	for _, p := range pairs {
		if p.Source == "" {
			l.static[p.Key] = p.Value
			continue
		}
		i := col.Table.source(p.Source)
		l.pairs = append(l.pairs, pair{p.Key, i})
		if !slices.Contains(col.Context, i) && !slices.Contains(col.Legacy, i) {
			col.Legacy = append(col.Legacy, i)
		}
	}
	for i := range col.Table.RowKey {
		named := slices.ContainsFunc(l.pairs, func(p pair) bool { return p.source == i })
		l.bound = l.bound && (named || c.Unbound)
	}
	col.legacy, col.layout.Legacy = l, true
	return nil
}

// context returns the encryption context that a bare ciphertext of the row was made
// with; ok is false if not all of it is known.
func (l *legacy) context(row Row) (ec codec.Context, ok bool) {
	ec = make(codec.Context, len(l.static)+len(l.pairs))
	for k, v := range l.static {
		ec[k] = v
	}
	for _, p := range l.pairs {
		if row.Known != nil && !row.Known[p.source] {
			return nil, false
		}
		ec[p.key] = row.Sources[p.source]
	}
	return ec, true
}
