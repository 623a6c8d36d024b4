package seal

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/inspect"
	"github.com/sealsql/sealsql/internal/jsondoc"
	"github.com/sealsql/sealsql/policy"
)

// Form answers, for one way in which a value lies in its column: is it there, what
// does it show of itself, and what is its plaintext? A new format is a new Form in
// [forms].
type Form interface {
	// find looks for a value of the form in what a column holds, see [Layout].
	find(l Layout, held held) (Found, bool)
	// open returns the plaintext of a value that find found, if it verifies for
	// the request's row.
	open(ctx context.Context, r Request, found Found) opened
	// show adds to an inspection what the value shows of itself without a key.
	show(found Found, in *inspect.Value)
	// evidence adds to an event what the value shows of itself.
	evidence(found Found, e *alert.Event)
}

// format is a form in which new values are written.
type format interface {
	Form
	// seal returns the ciphertext of a plaintext under the row's context.
	seal(ctx context.Context, c *Column, plaintext []byte, ec codec.Context) ([]byte, error)
	// compare adds to an inspection how a value differs from what the policy would
	// write. sources are nil if the row is not known.
	compare(f *Funnel, in *inspect.Value, c *Column, found Found, sources []string)
	// empty is what the ciphertexts of an empty plaintext have in common.
	empty() EmptyShape
	// size is the length of a ciphertext; known is false if it depends on more than
	// the plaintext's length.
	size(plaintext int) (n int, known bool)
}

// writtenForms are the forms in which a policy has new values written.
var writtenForms = map[policy.Format]format{policy.FormatMessage: messageForm{}, policy.FormatCompact: compactForm{}}

// preparations let a column read the forms that its policy names, and write one.
var preparations = [...]func(*Funnel, *Column, policy.Column) error{(*Funnel).addCompact, (*Funnel).addLegacy}

// Size is the length in bytes of a ciphertext of the format; known is false if it
// depends on more than the plaintext's length.
func Size(f policy.Format, plaintext int) (n int, known bool) {
	if format, ok := writtenForms[f]; ok {
		return format.size(plaintext)
	}
	return 0, false
}

// forms are in the order in which they are looked for. The last finds everything.
var (
	formsBesideCompact = []Form{messageForm{}, kmsBlobForm{}, plaintextForm{}}
	forms              = append([]Form{compactForm{}}, formsBesideCompact...)
)

// Layout says how a column stores its values.
type Layout struct {
	// Base64 is true if ciphertexts are stored as base64 text.
	Base64 bool
	// Plaintexts is true for a column that may hold values that were never sealed.
	Plaintexts bool
	// Legacy is true for a column that also holds bare ciphertexts of KMS, whose
	// form is not documented: bytes that cannot be a plaintext of Type may be one.
	Legacy bool
	Type   policy.ValueType
	// Element is set for a column of values in JSON documents.
	Element element
	// Compact is true for a column that reads compact values, WritesCompact for
	// one whose new values are compact.
	Compact, WritesCompact bool
}

// Found is what lies in a column.
type Found struct {
	Kind  inspect.Form
	form  Form
	bytes []byte         // of the ciphertext
	msg   *codec.Message // of messageForm
	cause error          // why it is no message, for plaintexts and damaged messages
}

// held is what a column holds, read once for all forms.
type held struct {
	stored any
	text   []byte // as stored; nil for a value that is neither bytes nor text
	raw    []byte // decoded, where the layout says so
	err    error  // why raw is not there
}

// Classify returns what lies in a column that holds stored.
func (l Layout) Classify(stored any) Found {
	if IsNull(stored) {
		return Found{Kind: inspect.Null}
	}
	return l.find(l.read(stored), forms)
}

// Sealed reports whether raw has the form of a ciphertext that sealsql writes.
func Sealed(raw []byte) bool {
	k := Layout{Compact: true}.Classify(raw).Kind
	return k.Sealed()
}

func (l Layout) find(h held, forms []Form) Found {
	for _, f := range forms {
		if found, ok := f.find(l, h); ok {
			return found
		}
	}
	panic("seal: no form finds everything")
}

func (l Layout) read(stored any) held {
	h := held{stored: stored}
	switch v := stored.(type) {
	case []byte:
		h.text = v
	case string:
		h.text = []byte(v)
	default:
		h.err = fmt.Errorf("%w: the column holds a Go %T", codec.ErrNotMessage, stored)
		return h
	}
	if !l.Base64 {
		h.raw = h.text
		return h
	}
	if l.Element == elementJSON {
		text, ok := jsondoc.Text(h.text)
		if !ok {
			h.err = fmt.Errorf("%w: the document holds no string there", codec.ErrNotMessage)
			return h
		}
		h.text = []byte(text)
	}
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(h.text)))
	n, err := base64.StdEncoding.Decode(raw, h.text)
	if err != nil {
		h.err = fmt.Errorf("%w: the column holds no base64", codec.ErrNotMessage)
		return h
	}
	h.raw = raw[:n]
	return h
}

// IsNull reports whether a column that holds stored holds NULL.
func IsNull(stored any) bool {
	b, isBytes := stored.([]byte)
	return stored == nil || isBytes && b == nil
}
