package driver

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/policy"
)

// Form says what lies in a protected column.
type Form uint8

// The forms. The zero value is invalid.
const (
	FormNull      Form = iota + 1
	FormMessage        // an AWS Encryption SDK message
	FormKMSBlob        // a ciphertext of KMS's Encrypt, without a message around it
	FormPlaintext      // none of these: a value that was never sealed
	FormDamaged        // it starts like a message and cannot be read as one
)

var formNames = [...]string{"invalid", "null", "message", "kms_blob", "plaintext", "damaged"}

// String returns the form's name in reports.
func (f Form) String() string {
	if int(f) < len(formNames) {
		return formNames[f]
	}
	return formNames[0]
}

// MarshalText implements encoding.TextMarshaler.
func (f Form) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// Wrapping is one wrapped data key of a message.
type Wrapping struct {
	// Provider is the format's provider id: "aws-kms", "aws-kms-hierarchy", or a
	// raw keyring's namespace.
	Provider string
	// Key is the wrapping key: a KMS key's ARN, a branch key's id, or a raw
	// key's name. Region is a KMS key's.
	Key, Region string
	// Version is a branch key's version, a UUID.
	Version string
	// Bytes is the wrapped key's length in the message.
	Bytes int
}

// Inspection is what a stored value shows of itself without any key.
type Inspection struct {
	Form Form
	// Bytes is the length as stored: that of the base64 text for such columns.
	Bytes int

	// The following are of messages. Version is the format's, 1 or 2.
	Version     int
	Suite       codec.Suite
	MessageID   string // hexadecimal
	Context     codec.Context
	Wrappings   []Wrapping
	FrameLength uint32

	// What the column's policy says of the value. Missing are the policy's
	// wrapping keys that the value lacks; Superfluous the keys it is wrapped
	// under that the policy does not name; OtherSuite, OtherContext that the policy
	// would write another. OtherContext is known only if the row was given.
	Missing, Superfluous     []string
	OtherSuite, OtherContext bool
}

// Right reports whether the value is what the policy would write today, as far
// as can be seen without a key.
func (i *Inspection) Right() bool {
	return i.Form == FormNull ||
		i.Form == FormMessage && len(i.Missing) == 0 && len(i.Superfluous) == 0 && !i.OtherSuite && !i.OtherContext
}

// Inspect looks at a stored value of a column without any key, and compares it
// with what the policy would write. row may be nil: then the context's fixed pairs alone
// are compared. Nothing is verified.
func (s *ValueSealer) Inspect(ctx context.Context, table, column string, row Row, stored any) (Inspection, error) {
	e, col, err := s.at(ctx, table, column)
	if err != nil {
		return Inspection{}, err
	}
	var sources []string
	if row != nil && !isNull(stored) {
		if sources, _, err = e.rowSources(ctx, col, row); errors.Is(err, ErrCatalog) {
			return Inspection{}, err
		} else if err != nil {
			return Inspection{}, col.valueError(ErrValue, "", "give the row key a value of its column's type", err)
		}
	}
	in, m := examine(stored, col.base64)
	if _, ok := col.blob(stored); ok && m == nil {
		in.Form = FormKMSBlob
	}
	if m != nil {
		in.compare(e, col, m, sources)
	}
	return in, nil
}

// Examine looks at a stored value, a []byte, a string or nil, without any key
// and without a policy. If inBase64 is true the value is base64 text, as a column of
// that storage holds it.
func Examine(stored any, inBase64 bool) Inspection {
	in, _ := examine(stored, inBase64)
	return in
}

func examine(stored any, inBase64 bool) (Inspection, *codec.Message) {
	if isNull(stored) {
		return Inspection{Form: FormNull}, nil
	}
	var b []byte
	switch v := stored.(type) {
	case []byte:
		b = v
	case string:
		b = []byte(v)
	default:
		return Inspection{Form: FormPlaintext}, nil
	}
	in := Inspection{Form: FormPlaintext, Bytes: len(b)}
	if inBase64 {
		raw, err := base64.StdEncoding.AppendDecode(nil, b)
		if err != nil {
			if bytes.HasPrefix(b, []byte("AgR4")) || bytes.HasPrefix(b, []byte("AgV4")) {
				in.Form = FormDamaged // the first bytes of version 2, and no base64 behind them
			}
			return in, nil
		}
		b = raw
	}
	if looksLikeBlob(b) {
		in.Form = FormKMSBlob
		return in, nil
	}
	m, err := codec.Parse(b)
	if err != nil {
		if !errors.Is(err, codec.ErrNotMessage) {
			in.Form = FormDamaged
		}
		return in, nil
	}
	in.Form, in.Version, in.Suite, in.MessageID = FormMessage, m.Version(), m.Suite(), hex.EncodeToString(m.ID())
	in.Context, in.FrameLength = m.Context(), m.FrameLength()
	for _, k := range m.WrappedKeys() {
		in.Wrappings = append(in.Wrappings, wrapping(k))
	}
	return in, m
}

// looksLikeBlob recognises a bare ciphertext of KMS; a script may have put it into
// a binary column in base64.
func looksLikeBlob(b []byte) bool {
	if awskms.IsBlob(b) {
		return true
	}
	raw, err := base64.StdEncoding.AppendDecode(nil, bytes.TrimSpace(b))
	return err == nil && awskms.IsBlob(raw)
}

func wrapping(k codec.WrappedKey) Wrapping {
	w := Wrapping{Provider: k.ProviderID, Key: string(k.ProviderInfo), Bytes: len(k.Ciphertext)}
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

// compare fills in what the policy says of a message.
func (i *Inspection) compare(e *engine, col *column, m *codec.Message, sources []string) {
	i.OtherSuite = m.Suite() != col.suite
	i.OtherContext = !col.writes(i.Context, sources)
	ring, ok := e.policy.Keyring(col.keyring)
	if e.keys.SetInCode(col.keyring) || !ok {
		return // one set in code: what it wraps under is not known
	}
	var wanted []func(Wrapping) bool
	var names []string
	want := func(name string, f func(Wrapping) bool) { names, wanted = append(names, name), append(wanted, f) }
	switch {
	case ring.DataKey.Per == "branch":
		name, id := branchOf(ring, col, sources)
		want(name, func(w Wrapping) bool { return w.Provider == branchkey.ProviderID && (id == "" || w.Key == id) })
	case ring.RawAES != nil:
		want(ring.RawAES.Name, func(w Wrapping) bool { return w.Provider == ring.RawAES.Namespace && w.Key == ring.RawAES.Name })
	case ring.KMS != nil:
		for _, s := range ring.KMS.ARNs {
			want(s, wrappedUnder(s))
		}
	}
	used := make([]bool, len(i.Wrappings))
	for n, fits := range wanted {
		at := slices.IndexFunc(i.Wrappings, fits)
		if at < 0 {
			i.Missing = append(i.Missing, names[n])
			continue
		}
		used[at] = true
	}
	for n, w := range i.Wrappings {
		if !used[n] {
			i.Superfluous = append(i.Superfluous, w.Key)
		}
	}
}

func wrappedUnder(arn string) func(Wrapping) bool {
	own, err := awskms.ParseARN(arn)
	return func(w Wrapping) bool {
		other, bad := awskms.ParseARN(w.Key)
		return err == nil && bad == nil && w.Provider == awskms.ProviderID && own.Matches(other)
	}
}

// branchOf is the branch key that the policy uses for a row; id is empty if the
// row is not known.
func branchOf(ring policy.Keyring, col *column, sources []string) (name, id string) {
	if ring.DataKey.BranchKey != "" {
		return ring.DataKey.BranchKey, ring.DataKey.BranchKey
	}
	name = "the branch key of " + ring.DataKey.BranchKeyFrom
	if i := slices.Index(col.plan.Table.Sources, ring.DataKey.BranchKeyFrom); i >= 0 && sources != nil {
		id = sources[i]
	}
	return name, id
}

// writes reports whether a stored context is what the column would store for
// the row; without a row the fixed pairs and the keys are compared.
func (c *column) writes(stored codec.Context, sources []string) bool {
	known := sources != nil
	if !known {
		sources = make([]string, len(c.plan.Table.Sources))
	}
	want := c.context(sources)
	for _, k := range c.required {
		delete(want, k)
	}
	n := 0
	for k, v := range stored {
		if strings.HasPrefix(k, "aws-crypto-") {
			continue
		}
		w, ok := want[k]
		if _, static := c.static[k]; !ok || w != v && (known || static) {
			return false
		}
		n++
	}
	return n == len(want)
}

// String is one line about the value, without its context's values.
func (i *Inspection) String() string {
	if i.Form != FormMessage {
		return fmt.Sprintf("%s, %d bytes", i.Form, i.Bytes)
	}
	return fmt.Sprintf("%s, %d bytes, suite %s, %d wrapped keys", i.Form, i.Bytes, i.Suite, len(i.Wrappings))
}
