// Package inspect describes what a stored value shows of itself without any key.
// Nothing that it says is verified.
package inspect

import (
	"fmt"

	"github.com/sealsql/sealsql/codec"
)

// Form names one way in which a value lies in its column. The zero value is invalid.
type Form uint8

// The forms, and the absence of a value.
const (
	Null      Form = iota + 1
	Message        // an AWS Encryption SDK message
	KMSBlob        // a ciphertext of KMS's Encrypt, without a message around it
	Plaintext      // none of these: a value that was never sealed
	Damaged        // it starts like a message and cannot be read as one
	Compact        // a compact value
)

var formNames = [...]string{"invalid", "null", "message", "kms_blob", "plaintext", "damaged", "compact"}

// String returns the form's name in reports.
func (f Form) String() string {
	if int(f) < len(formNames) {
		return formNames[f]
	}
	return formNames[0]
}

// Sealed reports whether sealsql writes values of the form.
func (f Form) Sealed() bool { return f == Message || f == Compact }

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

// Value is what a stored value shows of itself without any key.
type Value struct {
	Form Form
	// Bytes is the length as stored: that of the base64 text for such columns.
	Bytes int

	// KeyID is a compact value's key id, hexadecimal. It names a version of a
	// branch key and the column.
	KeyID string

	// The following are of messages. Version is the format's, 1 or 2.
	Version     int
	Suite       codec.Suite
	MessageID   string // hexadecimal
	Context     codec.Context
	FrameLength uint32
	// Wrappings are a message's wrapped data keys. Of a compact value the policy's
	// branch key stands here, if the row is known, without a version.
	Wrappings []Wrapping

	// What the column's policy says of the value. Missing are the policy's
	// wrapping keys that the value lacks; Superfluous the keys it is wrapped
	// under that the policy does not name; OtherSuite, OtherContext that the policy
	// would write another. OtherContext is known only if the row was given.
	// OtherFormat: the policy would write a message in the place of a compact value,
	// or the reverse.
	Missing, Superfluous                  []string
	OtherSuite, OtherContext, OtherFormat bool
}

// Right reports whether the value is what the policy would write today, as far
// as can be seen without a key.
func (v *Value) Right() bool {
	return v.Form == Null || v.Form == Compact && !v.OtherFormat ||
		v.Form == Message && !v.OtherFormat && len(v.Missing) == 0 && len(v.Superfluous) == 0 && !v.OtherSuite && !v.OtherContext
}

// String is one line about the value, without its context's values.
func (v *Value) String() string {
	switch v.Form {
	case Message:
	case Compact:
		return fmt.Sprintf("%s, %d bytes, key id %s", v.Form, v.Bytes, v.KeyID)
	default:
		return fmt.Sprintf("%s, %d bytes", v.Form, v.Bytes)
	}
	return fmt.Sprintf("%s, %d bytes, suite %s, %d wrapped keys", v.Form, v.Bytes, v.Suite, len(v.Wrappings))
}
