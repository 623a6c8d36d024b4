package driver

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/internal/seal"
)

// Form says what lies in a protected column.
type Form uint8

// The forms. The zero value is invalid.
const (
	FormNull      = Form(seal.Null)
	FormMessage   = Form(seal.Message)   // an AWS Encryption SDK message
	FormKMSBlob   = Form(seal.KMSBlob)   // a ciphertext of KMS's Encrypt, without a message around it
	FormPlaintext = Form(seal.Plaintext) // none of these: a value that was never sealed
	FormDamaged   = Form(seal.Damaged)   // it starts like a message and cannot be read as one
)

// String returns the form's name in reports.
func (f Form) String() string { return seal.Kind(f).String() }

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

// String is one line about the value, without its context's values.
func (i *Inspection) String() string {
	if i.Form != FormMessage {
		return fmt.Sprintf("%s, %d bytes", i.Form, i.Bytes)
	}
	return fmt.Sprintf("%s, %d bytes, suite %s, %d wrapped keys", i.Form, i.Bytes, i.Suite, len(i.Wrappings))
}

// Inspect looks at a stored value of a column without any key, and compares it
// with what the policy would write. row may be nil: then the context's fixed pairs alone
// are compared. Nothing is verified.
func (s *ValueSealer) Inspect(ctx context.Context, table, column string, row Row, stored any) (Inspection, error) {
	e, col, err := s.column(ctx, table, column)
	if err != nil {
		return Inspection{}, err
	}
	var bound seal.Row
	if row != nil && !seal.IsNull(stored) {
		if bound, err = e.Row(ctx, col, row, false); errors.Is(err, ErrCatalog) {
			return Inspection{}, err
		} else if err != nil {
			return Inspection{}, col.Error(ErrValue, "", "give the row key a value of its column's type", err)
		}
	}
	return inspection(e.Funnel().Inspect(col, stored, bound.Sources)), nil
}

// Examine looks at a stored value, a []byte, a string or nil, without any key
// and without a policy. If inBase64 is true the value is base64 text, as a column of
// that storage holds it.
func Examine(stored any, inBase64 bool) Inspection { return inspection(seal.Examine(stored, inBase64)) }

func inspection(in seal.Inspection) Inspection {
	out := Inspection{Form: Form(in.Form), Bytes: in.Bytes, Version: in.Version, Suite: in.Suite, MessageID: in.MessageID,
		Context: in.Context, FrameLength: in.FrameLength, Missing: in.Missing, Superfluous: in.Superfluous,
		OtherSuite: in.OtherSuite, OtherContext: in.OtherContext}
	for _, w := range in.Wrappings {
		out.Wrappings = append(out.Wrappings, Wrapping(w))
	}
	return out
}
