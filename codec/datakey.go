package codec

import (
	"crypto/rand"
	"fmt"
	"log/slog"
)

// DataKey is a plaintext data key. It formats as a redaction wherever it is
// printed, logged or marshalled; only Bytes shows it. The zero value is no key.
type DataKey struct{ secret *secret }

// secret keeps the bytes from fmt, which prints the fields of a nested value
// without asking its methods: of a pointer it prints the address, unless the verb does
// not fit pointers (%s does not); then it prints what the pointer points to, and of the
// pointer therein the address. Hence two of them.
type secret struct{ in *inner }

type inner struct {
	b      []byte
	inline [32]byte // what b lies in, if it was made here
}

// held is a secret in one allocation.
type held struct {
	s  secret
	in inner
}

// hold returns the secret of h, unused.
func (h *held) hold() *secret {
	h.s.in = &h.in
	return &h.s
}

// NewDataKey takes ownership of b.
func NewDataKey(b []byte) DataKey {
	s := new(held).hold()
	s.in.b = b
	return DataKey{s}
}

// MakeDataKey returns a key of n zero bytes, for the caller to fill.
func MakeDataKey(n int) DataKey { return new(held).hold().use(n) }

// use returns s as a key of n zero bytes, or a new one if s was used before.
func (s *secret) use(n int) DataKey {
	if s == nil || s.in.b != nil {
		s = new(held).hold()
	}
	if s.in.b = s.in.inline[:]; n > len(s.in.inline) {
		s.in.b = make([]byte, n)
	}
	s.in.b = s.in.b[:n:n]
	return DataKey{s}
}

// RandomDataKey returns a random key of n bytes.
func RandomDataKey(n int) DataKey {
	k := MakeDataKey(n)
	_, _ = rand.Read(k.Bytes()) // never fails
	return k
}

// Clone returns a copy of the key, which is zeroed on its own.
func (k DataKey) Clone() DataKey {
	c := MakeDataKey(k.Len())
	copy(c.Bytes(), k.Bytes())
	return c
}

// Bytes returns the key itself, not a copy. It must not outlive the key.
func (k DataKey) Bytes() []byte {
	if k.secret == nil {
		return nil
	}
	return k.secret.in.b
}

// Len is the key's length in bytes, 0 for no key.
func (k DataKey) Len() int { return len(k.Bytes()) }

// Zero overwrites the key.
func (k DataKey) Zero() { clear(k.Bytes()) }

const redacted = "[data key]"

// String implements fmt.Stringer.
func (k DataKey) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (k DataKey) GoString() string { return redacted }

// Format implements fmt.Formatter, for every verb.
func (k DataKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText implements encoding.TextMarshaler, which JSON uses.
func (k DataKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (k DataKey) LogValue() slog.Value { return slog.StringValue(redacted) }
