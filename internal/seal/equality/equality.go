// Package equality makes equality terms: keyed hashes of protected values, which lie in
// a column beside the value and make it searchable by an ordinary index.
//
// A term is made from the value's plain text form after normalisation. Two values of
// one scope have the same term of at least 128 bits when and only when their normalised
// texts are the same bytes; shorter terms are shared by several values. A term tells
// nothing of its value to who lacks the beacon key, but shows which rows share a value.
//
// The derivation, where lp is a two-byte big-endian length and the bytes:
//
//	K    = HKDF-SHA-512(beacon key, no salt, "sealsql/eq/v1" ‖ lp(scope) ‖ lp(normalisers), 32 bytes)
//	term = the first bits of HMAC-SHA-256(K, lp(per) ‖ normalised text)
//
// HKDF is RFC 5869's, HMAC RFC 2104's. The scope is the group's name, or table ‖ 00 ‖
// column: no server takes a zero byte in a name. The normalisers are written as the
// policy writes them, joined by a comma.
package equality

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math"
	"strings"
	"sync"
)

// The bounds of a term's length in bits. A term of at least Exact bits stands for its
// value alone.
const (
	MinBits = 8
	MaxBits = 256
	Exact   = 128
)

const (
	label     = "sealsql/eq/v1"
	keyLength = 32
)

// ErrTooLong is returned for a name or a per value of more than 65,535 bytes.
var ErrTooLong = errors.New("longer than 65,535 bytes")

// Scope says which values share terms: those of one column, or of all columns of a
// group.
type Scope struct {
	// Group is empty for a column that shares terms with no other.
	Group string
	// Table and Column are as the policy writes them. They count if Group is empty.
	Table, Column string
}

func (s Scope) String() string {
	if s.Group != "" {
		return s.Group
	}
	return s.Table + "\x00" + s.Column
}

// Hasher makes the terms of one scope under one beacon key. It is safe for
// concurrent use. It holds a key: Zero it when it goes.
type Hasher struct {
	normalise Normalisers
	bits      int
	key       [keyLength]byte
	macs      sync.Pool // of *mac
}

type mac struct {
	hash.Hash
	sum [sha256.Size]byte
}

// NewHasher derives the scope's key from a beacon key. The caller keeps the beacon key.
// It fails for a beacon key of less than 32 bytes, for bits outside of MinBits and
// MaxBits, and for names longer than 65,535 bytes.
func NewHasher(beacon []byte, s Scope, n Normalisers, bits int) (*Hasher, error) {
	if len(beacon) < keyLength {
		return nil, fmt.Errorf("the beacon key has %d bytes; it must have at least %d", len(beacon), keyLength)
	}
	if bits < MinBits || bits > MaxBits {
		return nil, fmt.Errorf("a term of %d bits is not possible; set bits from %d to %d", bits, MinBits, MaxBits)
	}
	info, err := appendField([]byte(label), s.String())
	if err == nil {
		info, err = appendField(info, n.String())
	}
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha512.New, beacon, nil, string(info), keyLength)
	if err != nil {
		return nil, err
	}
	h := &Hasher{normalise: n, bits: bits, key: [keyLength]byte(key)}
	clear(key)
	return h, nil
}

// Size is the length of a term in bytes: bits divided by eight, rounded up.
func (h *Hasher) Size() int { return (h.bits + 7) / 8 }

// Exact reports whether equal terms mean equal normalised values.
func (h *Hasher) Exact() bool { return h.bits >= Exact }

// Append appends the term of a value to dst. plaintext is the value's plain text form
// in UTF-8; per is the canonical text of the column that the term depends on, else
// empty. Bits of the last byte beyond the term's length are zero.
func (h *Hasher) Append(dst []byte, per string, plaintext []byte) ([]byte, error) {
	if len(per) > math.MaxUint16 {
		return nil, fmt.Errorf("the column that the term depends on: %w", ErrTooLong)
	}
	text := h.normalise.Apply(plaintext)
	m, ok := h.macs.Get().(*mac)
	if !ok {
		m = &mac{Hash: hmac.New(sha256.New, h.key[:])}
	}
	m.Reset()
	var length [2]byte
	binary.BigEndian.PutUint16(length[:], uint16(len(per)))
	m.Write(length[:])
	m.Write([]byte(per))
	m.Write(text)
	sum := m.Sum(m.sum[:0])
	dst = append(dst, sum[:h.Size()]...)
	if rest := h.bits % 8; rest != 0 {
		dst[len(dst)-1] &= 0xff << (8 - rest)
	}
	clear(m.sum[:])
	h.macs.Put(m)
	return dst, nil
}

// Zero overwrites the key. The Hasher must not be used any more. Hash states that
// are derived from the key are left to the garbage collector.
func (h *Hasher) Zero() { clear(h.key[:]) }

// String and the verbs of fmt show no key.
func (h *Hasher) String() string { return fmt.Sprintf("equality.Hasher(%d bits)", h.bits) }

// GoString is String.
func (h *Hasher) GoString() string { return h.String() }

// Format implements fmt.Formatter.
func (h *Hasher) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(h.String())) }

func appendField(b []byte, s string) ([]byte, error) {
	if len(s) > math.MaxUint16 {
		return nil, fmt.Errorf("the name %.20s…: %w", strings.ToValidUTF8(s, "?"), ErrTooLong)
	}
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...), nil
}
