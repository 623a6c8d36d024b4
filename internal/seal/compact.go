package seal

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/codec/compact"
	"github.com/sealsql/sealsql/inspect"
	"github.com/sealsql/sealsql/policy"
)

// compactForm is that of compact values. They store no context: a row of which a
// source is unknown cannot be compared, and its values do not open.
//
// A compact value begins with 01. So do messages of version 1, bare ciphertexts of
// KMS, and some plaintexts that are bytes. Where a value may be both, the policy
// decides: in a column whose new values are compact it is a compact value, and if no
// key has its id it is the other, see [Layout.besideCompact]. In other columns a whole
// message and a declared ciphertext of KMS come first.
type compactForm struct{}

func (f compactForm) find(l Layout, h held) (Found, bool) {
	if !l.Compact || h.err != nil || !compact.Is(h.raw) {
		return Found{}, false
	}
	isBlob := l.Legacy && awskms.IsBlob(h.raw)
	if mayBeMessage := h.raw[1] == 0x80; !l.WritesCompact && (mayBeMessage || isBlob) {
		if other := l.find(h, formsBesideCompact); other.Kind == inspect.Message || isBlob {
			return other, true
		}
	}
	return Found{Kind: inspect.Compact, form: f, bytes: h.raw}, true
}

// besideCompact returns what a value that begins like a compact one is, if no key has
// its key id; ok is false if it can be nothing else. plaintexts says whether a value
// that was never sealed may be handed out.
func (l Layout) besideCompact(stored any, plaintexts bool) (other Found, ok bool) {
	other = l.find(l.read(stored), formsBesideCompact)
	switch other.Kind {
	case inspect.Message:
		ok = true
	case inspect.KMSBlob:
		ok = l.Legacy
	case inspect.Damaged:
		ok = !l.WritesCompact
	case inspect.Plaintext:
		ok = plaintexts && l.Type == policy.TypeBytes && !l.Base64
	}
	return other, ok
}

func (compactForm) open(ctx context.Context, r Request, found Found) opened {
	col := r.Column
	if r.anywhere {
		return opened{kind: alert.Unverifiable, cause: errNoContext}
	}
	if !r.Strict && r.Row.Known != nil {
		for _, p := range col.bound.pairs {
			if !r.Row.Known[p.source] {
				return opened{kind: alert.Unverifiable}
			}
		}
	}
	expected := col.bound.borrow(r.Row.Sources)
	var buffer []byte
	if r.Buffer != nil {
		buffer = (*r.Buffer)[:0]
	}
	plaintext, err := col.compact.Open(ctx, buffer, found.bytes, expected)
	if errors.Is(err, codec.ErrUnknownKey) {
		err = col.movedFrom(ctx, found, expected, err)
	}
	if err != nil {
		return opened{kind: kindOf(err), cause: err}
	}
	if r.Buffer != nil && cap(plaintext) <= maxBuffer {
		*r.Buffer = plaintext[:0]
	}
	col.giveBack(expected)
	return opened{plaintext: plaintext}
}

// maxBuffer bounds the buffer that a reader keeps for plaintexts, in bytes.
const maxBuffer = 4096

// movedFrom asks whether a value whose key id is unknown in its column has the id of
// another column under the same branch key. Then the value was moved. Else it returns
// unknown, the error of the opening.
func (c *Column) movedFrom(ctx context.Context, found Found, ec codec.Context, unknown error) error {
	id, _ := compact.KeyID(found.bytes)
	for _, other := range c.peers() {
		if other == c || other.keyring != c.keyring || other.compact == nil || other.location == c.location {
			continue
		}
		if k, err := c.compactKeys.Find(ctx, ec, other.location, id, 0); err == nil && k != nil {
			return &codec.Error{Kind: codec.ErrUnauthentic, Op: "decrypt", What: "its key id is that of " + other.Table.Label + "." + other.Name}
		}
	}
	return unknown
}

// errNoContext says why a compact value is not opened without its row.
var errNoContext = errors.New("a compact value does not store the context that it was written under")

func (compactForm) show(found Found, in *inspect.Value) {
	id, _ := compact.KeyID(found.bytes)
	in.KeyID = hex.EncodeToString(id[:])
}

// evidence adds nothing: the value does not show the row that it was written for.
func (compactForm) evidence(Found, *alert.Event) {}

// formats is the format of a column's new values, and what the column reads compact
// values with.
type formats struct {
	format      format
	compact     *compact.Codec // nil for a column that reads none
	compactKeys compact.Keys
	location    compact.Location // that values are bound to
	peers       func() []*Column // every protected column
}

// seal implements format.
func (compactForm) seal(ctx context.Context, c *Column, plaintext []byte, ec codec.Context) ([]byte, error) {
	return c.compact.Seal(ctx, nil, plaintext, ec)
}

// compare names the branch key, which the value does not show.
func (compactForm) compare(f *Funnel, in *inspect.Value, c *Column, _ Found, sources []string) {
	f.nameBranchKey(in, c, sources)
}

func (compactForm) empty() EmptyShape { return EmptyShape{Length: compact.Size(0), Head: []byte{1}} }

func (compactForm) size(plaintext int) (int, bool) { return compact.Size(plaintext), true }

// addCompact lets the column read compact values, if its keyring has branch keys,
// and write them, if the policy says so.
func (f *Funnel) addCompact(col *Column, c policy.Column) error {
	keys, err := f.keys.Compact(f.policy, c)
	if err != nil || keys == nil {
		return err
	}
	if c.BindLocation {
		col.location = compact.Location{Table: col.Table.Label, Column: c.Name}
	}
	if col.compact, err = compact.New(compact.Config{Keys: keys, Location: col.location}); err != nil {
		return err
	}
	col.compactKeys, col.peers = keys, f.columns
	ring, ok := f.policy.Keyring(c.Keyring)
	col.layout.Compact = true
	if ok && ring.Format == policy.FormatCompact {
		col.layout.WritesCompact, col.format = true, compactForm{}
	}
	return nil
}

// columns lists every protected column.
func (f *Funnel) columns() []*Column {
	var all []*Column
	for _, t := range f.Tables {
		all = append(all, t.Columns...)
	}
	return all
}
