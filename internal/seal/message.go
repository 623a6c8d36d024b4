package seal

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/inspect"
	"github.com/sealsql/sealsql/policy"
)

// messageForm is that of AWS Encryption SDK messages.
type messageForm struct{}

func (f messageForm) find(l Layout, h held) (Found, bool) {
	if h.err != nil {
		return Found{}, false
	}
	m, err := codec.Parse(h.raw)
	switch {
	case err == nil:
		return Found{Kind: inspect.Message, form: f, bytes: h.raw, msg: m}, true
	case errors.Is(err, codec.ErrNotMessage), l.clear(len(h.raw)):
		return Found{}, false
	}
	return Found{Kind: inspect.Damaged, form: f, bytes: h.raw, cause: err}, true
}

// leastMessage is the length of the shortest message: of version 1, with one wrapped key
// of no bytes, no context and no content.
const leastMessage = 107

// clear reports whether n bytes that begin like a message and cannot be read as a message
// count as a value that was never sealed: there may be such values, and no message is as
// short.
func (l Layout) clear(n int) bool { return l.Plaintexts && n < leastMessage }

// MessageOf returns the message that a value of either storage holds.
func MessageOf(stored any) (*codec.Message, error) {
	var found Found
	for _, l := range [...]Layout{{}, {Base64: true}} {
		if found = l.Classify(stored); found.msg != nil {
			return found.msg, nil
		}
		if found.Kind == inspect.Damaged {
			break
		}
	}
	if found.cause == nil {
		return nil, codec.ErrNotMessage
	}
	return nil, found.cause
}

// seal implements format.
func (messageForm) seal(ctx context.Context, c *Column, plaintext []byte, ec codec.Context) ([]byte, error) {
	return c.codec.Encrypt(ctx, nil, plaintext, ec)
}

func (messageForm) compare(f *Funnel, in *inspect.Value, c *Column, found Found, sources []string) {
	if found.msg != nil {
		f.compare(in, c, found.msg, sources)
	}
}

// empty is a last frame that is the first, with no content: its mark and sequence number,
// its IV, which is the sequence number, and the content's length (message-body, "framed
// data" of the AWS Encryption SDK specification). The tag follows.
func (messageForm) empty() EmptyShape {
	tail := make([]byte, 0, 24)
	tail = append(tail, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1)
	tail = append(tail, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
	tail = append(tail, 0, 0, 0, 0)
	return EmptyShape{Tail: tail, Before: len(tail) + 16}
}

// size is not known: a message stores its encryption context and its wrapped keys.
func (messageForm) size(int) (int, bool) { return 0, false }

// open verifies a message's context against the row. What the row does not show is
// not compared, and says so.
func (messageForm) open(ctx context.Context, r Request, found Found) opened {
	if found.msg == nil {
		return opened{kind: kindOf(found.cause), cause: found.cause}
	}
	col := r.Column
	if r.anywhere {
		return openUnbound(ctx, r, found)
	}
	expected := col.bound.borrow(r.Row.Sources)
	complete := r.Strict || r.Row.Known == nil || col.bound.forgetUnknown(expected, r.Row.Known)
	if !complete && col.bound.hides(r.Row.Known) {
		return opened{kind: alert.Unverifiable}
	}
	decrypt := col.codec.DecryptOnce
	if r.First {
		decrypt = col.codec.Decrypt
	}
	plaintext, err := decrypt(ctx, nil, found.msg, expected)
	if err != nil {
		return opened{kind: kindOfOpen(err, found.msg, expected), cause: err}
	}
	col.giveBack(expected)
	if !complete && col.policy.unverifiable != policy.UnverifiableAllow {
		return opened{plaintext: plaintext, noted: alert.Unverifiable}
	}
	return opened{plaintext: plaintext}
}

// openUnbound opens a message under the context that it was written with.
func openUnbound(ctx context.Context, r Request, found Found) opened {
	plaintext, err := r.Column.codec.Decrypt(ctx, nil, found.msg, nil)
	if err != nil {
		return opened{kind: kindOf(err), cause: err}
	}
	return opened{plaintext: plaintext}
}

// kindOfOpen classifies the failure to open a message for a row. A wrapped key
// that is rejected under a context of which the message shows only a part was made
// under another context: the value belongs elsewhere.
func kindOfOpen(err error, m *codec.Message, expected codec.Context) alert.Kind {
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

func (messageForm) evidence(found Found, e *alert.Event) {
	if found.msg != nil {
		e.Found = alert.Digests(found.msg.Context())
		e.MessageID = hex.EncodeToString(found.msg.ID())
	}
}

func (messageForm) show(found Found, in *inspect.Value) {
	m := found.msg
	if m == nil {
		return
	}
	in.Version, in.Suite, in.MessageID = m.Version(), m.Suite(), hex.EncodeToString(m.ID())
	in.Context, in.FrameLength = m.Context(), m.FrameLength()
	for _, k := range m.WrappedKeys() {
		in.Wrappings = append(in.Wrappings, wrapping(k))
	}
}

func wrapping(k codec.WrappedKey) inspect.Wrapping {
	w := inspect.Wrapping{Provider: k.ProviderID, Key: string(k.ProviderInfo), Bytes: len(k.Ciphertext)}
	switch k.ProviderID {
	case awskms.ProviderID:
		if arn, err := awskms.ParseARN(w.Key); err == nil {
			w.Region = arn.Region
		}
	case branchkey.ProviderID:
		w.Version, _ = branchkey.VersionOf(k)
	default:
		// A raw keyring's info is the key's name, then the tag's and the IV's
		// length and the IV.
		if n := len(k.ProviderInfo) - 4 - 4 - 12; n >= 0 {
			w.Key = string(k.ProviderInfo[:n])
		}
	}
	return w
}
