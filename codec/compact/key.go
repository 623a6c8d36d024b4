package compact

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"slices"

	"github.com/sealsql/sealsql/codec"
)

const (
	prefix    = 1
	idLength  = 4
	ivLength  = aes.BlockSize
	tagLength = sha256.Size
	ivAt      = 1 + idLength
	bodyAt    = ivAt + ivLength

	// Overhead is what a value takes beside its plaintext, in bytes.
	Overhead = bodyAt + tagLength

	label     = "sealsql/compact/v1"
	keyLength = 32
)

// ID names a subkey: a version of a branch key, and a column. It is not secret, and
// not unique: two versions may share one.
type ID [idLength]byte

// Location is the column that values are bound to. The zero value binds to none.
type Location struct{ Table, Column string }

// IDOf returns the id of the subkey of a branch key's version for a column.
func IDOf(branchKeyID string, version [16]byte, at Location) ID {
	b := make([]byte, 0, 256)
	b = append(appendField(b, branchKeyID), version[:]...)
	b = appendField(appendField(b, at.Table), at.Column)
	sum := sha256.Sum256(b)
	return ID(sum[:idLength])
}

func appendField(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

// Key seals and opens the values of one column under one version of a branch key.
// It is immutable and safe for concurrent use, and formats as a redaction. It cannot be
// zeroed: Go cannot overwrite AES key schedules.
type Key struct {
	id           ID
	block        cipher.Block
	inner, outer []byte // states of SHA-256, keyed for HMAC
}

// Derive returns the key of a column under a version of a branch key. The caller
// keeps branchKey and may zero it. It fails for a table or column name of more than
// 65,535 bytes and for a branch key of another length than 32 bytes.
func Derive(branchKey []byte, branchKeyID string, version [16]byte, at Location) (*Key, error) {
	switch {
	case len(branchKey) != keyLength:
		return nil, &codec.Error{Kind: codec.ErrUnwrap, What: "a branch key has another length"}
	case max(len(branchKeyID), len(at.Table), len(at.Column)) > math.MaxUint16:
		return nil, &codec.Error{Kind: codec.ErrLimit, What: "a table or column name is longer than 65,535 bytes"}
	}
	k := &Key{id: IDOf(branchKeyID, version, at)}
	enc, err := subkey(branchKey, "enc", at)
	if err != nil {
		return nil, err
	}
	defer clear(enc)
	mac, err := subkey(branchKey, "mac", at)
	if err != nil {
		return nil, err
	}
	defer clear(mac)
	if k.block, err = aes.NewCipher(enc); err != nil {
		return nil, err
	}
	s := scratches.Get().(*scratch)
	defer s.free()
	k.inner, k.outer, err = s.states(mac)
	return k, err
}

func subkey(branchKey []byte, use string, at Location) ([]byte, error) {
	info := appendField([]byte(label), use)
	info = appendField(appendField(info, at.Table), at.Column)
	return hkdf.Key(sha256.New, branchKey, nil, string(info), keyLength)
}

// ID returns the key's id.
func (k *Key) ID() ID { return k.id }

// Seal appends a value that holds plaintext, bound to aad, to dst. dst must not
// overlap plaintext.
func (k *Key) Seal(dst, plaintext, aad []byte) []byte {
	s := scratches.Get().(*scratch)
	defer s.free()
	return k.seal(s, dst, plaintext, aad)
}

func (k *Key) seal(s *scratch, dst, plaintext, aad []byte) []byte {
	at := len(dst)
	out := slices.Grow(dst, Overhead+len(plaintext))[:at+Overhead+len(plaintext)]
	v := out[at:]
	v[0] = prefix
	copy(v[1:], k.id[:])
	_, _ = rand.Read(v[ivAt:bodyAt]) // never fails
	end := bodyAt + len(plaintext)
	s.xor(v[bodyAt:end], plaintext, k.block, v[ivAt:bodyAt])
	s.mac(v[end:end], k, aad, v[ivAt:end])
	return out
}

// Open appends the plaintext of a value to dst. It returns ok false, and dst
// unchanged, if the value is too short or does not authenticate under k and aad. It does
// not look at the value's prefix and key id.
func (k *Key) Open(dst, value, aad []byte) (out []byte, ok bool) {
	s := scratches.Get().(*scratch)
	defer s.free()
	return k.open(s, dst, value, aad)
}

func (k *Key) open(s *scratch, dst, value, aad []byte) ([]byte, bool) {
	if len(value) < Overhead {
		return dst, false
	}
	end := len(value) - tagLength
	s.mac(s.tag[:0], k, aad, value[ivAt:end])
	if subtle.ConstantTimeCompare(s.tag[:], value[end:]) != 1 {
		return dst, false
	}
	at, n := len(dst), end-bodyAt
	out := slices.Grow(dst, n)[:at+n]
	s.xor(out[at:], value[bodyAt:end], k.block, value[ivAt:bodyAt])
	return out, true
}

// Format implements fmt.Formatter: fmt would print the key's schedule.
func (k *Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText implements encoding.TextMarshaler, which JSON uses.
func (k *Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (k *Key) LogValue() slog.Value { return slog.StringValue(redacted) }

const redacted = "[compact key]"
