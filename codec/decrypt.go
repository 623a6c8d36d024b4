package codec

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/ecdsa"
	"encoding/binary"
	"fmt"
	"slices"
)

// Decrypt appends the message's plaintext to dst. expected holds the
// pairs of the encryption context that the caller knows (the "reproduced encryption
// context"). A pair that the message stores with another value gives
// [ErrContextMismatch] before any key is asked for. A pair that the message does not
// store must have been a required pair; otherwise unwrapping fails with [ErrUnwrap].
// With a nil expected nothing is compared.
// On error dst is returned unchanged, and nothing of the plaintext is released.
func (c *Codec) Decrypt(ctx context.Context, dst []byte, m *Message, expected Context) ([]byte, error) {
	return c.decrypt(ctx, dst, m, expected, c.keeper)
}

// DecryptOnce is Decrypt for a message that is not expected again, such as one
// of a long scan: a [ContentKeyCache] is not asked.
func (c *Codec) DecryptOnce(ctx context.Context, dst []byte, m *Message, expected Context) ([]byte, error) {
	return c.decrypt(ctx, dst, m, expected, nil)
}

func (c *Codec) decrypt(ctx context.Context, dst []byte, m *Message, expected Context, keeper ContentKeyCache) ([]byte, error) {
	if !c.c.Commitment.reads(m.suite) {
		return dst, &Error{Kind: ErrCommitmentPolicy, Op: "decrypt", What: "suite " + m.suite.String() + " has no key commitment"}
	}
	if len(m.keys) > c.c.MaxWrappedKeys || len(m.raw) > c.c.MaxMessage+(1<<20) {
		return dst, &Error{Kind: ErrLimit, Op: "decrypt", What: "the message has more wrapped keys, or is longer, than the limit"}
	}
	full, required, err := m.fullContext(expected)
	if err != nil {
		return dst, err
	}
	left := leftOut(full, required)
	s := scratches.Get().(*scratch)
	defer s.free()
	worth := false
	if keeper != nil && m.info.curve == nil && m.content+lengthOf(left) <= maxCachedHeader {
		var k *ContentKey
		if k, worth = keeper.CachedContentKey(ctx, full, m.id, m.keys); k != nil && k.of(m, left) {
			return m.read(dst, s, k.aead, nil)
		}
	}
	materials, err := c.decryption(ctx, DecryptionRequest{Suite: m.suite, Context: full, RequiredKeys: required, WrappedKeys: m.keys}, m)
	if err != nil {
		return dst, err
	}
	defer c.done(materials.DataKey)
	if c.materials != nil { // its context may be another
		left = leftOut(materials.Context, materials.RequiredKeys)
	}
	aead, err := m.unlock(s, materials.DataKey, left)
	if err != nil {
		return dst, err
	}
	out, err := m.read(dst, s, aead, materials.VerificationKey)
	if err == nil && worth {
		keeper.CacheContentKey(ctx, full, m.id, m.keys, &ContentKey{bytes.Clone(m.raw[:m.content]), left, aead})
	}
	return out, err
}

// decryption asks for materials. A keyring gets the context as the message
// stores it, if that is the whole context in order.
func (c *Codec) decryption(ctx context.Context, r DecryptionRequest, m *Message) (*DecryptionMaterials, error) {
	if c.materials != nil {
		return c.materials.Decryption(ctx, r)
	}
	var serialized []byte
	if m.sorted && len(r.RequiredKeys) == 0 {
		serialized = m.aad
	}
	return c.keyring.decryption(ctx, r, serialized)
}

// fullContext joins the stored context and the expected one. The result may be
// expected itself.
func (m *Message) fullContext(expected Context) (full Context, required []string, err error) {
	same, all := 0, true
	for b := m.pairs(); len(b) > 0; {
		var k, v []byte
		k, v, b, _ = nextPair(b)
		want, ok := expected[string(k)]
		if ok && want != string(v) {
			return nil, nil, &Error{Kind: ErrContextMismatch, Op: "decrypt", What: fmt.Sprintf("the value of %q differs", k)}
		}
		if ok {
			same++
		} else {
			all = false
		}
	}
	full = expected
	if !all {
		full = m.Context()
	}
	if same == len(expected) {
		return full, nil, nil
	}
	for k, v := range expected {
		if _, ok := m.stores(k); !ok {
			required = append(required, k)
			if !all {
				full[k] = v
			}
		}
	}
	var inline [inlinePairs]pair
	if _, err := serializedLength(collect(inline[:0], full)); err != nil {
		return nil, nil, err
	}
	slices.Sort(required)
	return full, required, nil
}

// unlock derives the content key and verifies the commitment and the header.
func (m *Message) unlock(s *scratch, key DataKey, left []pair) (cipher.AEAD, error) {
	aead, commitment, err := s.contentKey(m.suite, m.info, key.Bytes(), m.id)
	if err != nil {
		return nil, err
	}
	if m.info.version == 2 && !equal(commitment[:], m.commitment) {
		return nil, opened(m.body-commitmentLength, "the key commitment does not fit the data key")
	}
	return aead, m.checkHeader(aead, left)
}

// read decrypts and verifies the body, and verifies the signature behind it.
func (m *Message) read(dst []byte, s *scratch, aead cipher.AEAD, key *ecdsa.PublicKey) ([]byte, error) {
	out, end, err := m.openBody(dst, s, aead)
	if err == nil {
		err = m.checkEnd(end, key)
	}
	if err != nil {
		if cap(out) > len(dst) {
			clear(out[len(dst):cap(out)])
		}
		return dst, err
	}
	return out, nil
}

// leftOut returns the pairs that a message does not store, in order.
func leftOut(ec Context, required []string) []pair {
	if len(required) == 0 {
		return nil
	}
	_, left := split(collect(nil, ec), required)
	return left
}

// lengthOf is the length of checked pairs in bytes.
func lengthOf(pairs []pair) (n int) {
	for _, p := range pairs {
		n += len(p.key) + len(p.value)
	}
	return n
}

func opened(offset int, what string) error {
	return &Error{Kind: ErrTampered, Op: "decrypt", What: what, Offset: offset}
}

func (m *Message) checkHeader(aead cipher.AEAD, left []pair) error {
	aad := m.raw[:m.body:m.body]
	if len(left) > 0 {
		aad = appendPairs(aad, left)
	}
	iv := zeros[:ivLength]
	if m.iv != nil {
		iv = m.iv
	}
	if _, err := aead.Open(nil, iv, m.tag, aad); err != nil {
		return opened(m.body, "the header's tag does not fit")
	}
	return nil
}

// openBody decrypts the body and returns where it ends. What it has appended
// when it fails must be cleared.
func (m *Message) openBody(dst []byte, s *scratch, aead cipher.AEAD) (out []byte, end int, err error) {
	c := &cursor{b: m.raw, offset: m.content}
	// A regular frame has the least beside its plaintext: 32 bytes.
	out = slices.Grow(dst, max(0, len(m.raw)-m.content-4-ivLength-tagLength))
	if !m.framed {
		return m.openBlock(out, s, c, aead)
	}
	for sequence := uint32(1); ; sequence++ {
		at := c.offset
		label, length := frameLabel, uint64(m.frame)
		mark := c.u32("a frame")
		final := mark == finalFrameMark
		if final {
			mark = c.u32("the final frame")
		}
		iv := c.take(ivLength, "a frame's IV")
		if final {
			label, length = finalFrameLabel, uint64(c.u32("the final frame"))
		}
		if c.bad == "" && length > uint64(m.frame) {
			c.bad = "the final frame is longer than a frame"
		}
		sealed := c.take(int(min(length+tagLength, uint64(len(m.raw))+1)), "a frame")
		switch {
		case c.bad != "":
			return out, 0, opened(at, c.bad)
		case mark != sequence:
			return out, 0, opened(at, "a frame is out of sequence")
		}
		aad := appendBodyAAD(s.aad[:0], m.id, label, sequence, length)
		if out, err = openInto(out, aead, iv, sealed, aad); err != nil {
			return out, 0, opened(at, "a frame's tag does not fit")
		}
		if final {
			return out, c.offset, nil
		}
		if sequence == finalFrameMark-1 {
			return out, 0, opened(at, "there are too many frames")
		}
	}
}

func (m *Message) openBlock(out []byte, s *scratch, c *cursor, aead cipher.AEAD) ([]byte, int, error) {
	at := c.offset
	iv := c.take(ivLength, "the body's IV")
	b := c.take(8, "the body's length")
	if c.bad != "" {
		return out, 0, opened(at, c.bad)
	}
	length := binary.BigEndian.Uint64(b)
	sealed := c.take(int(min(length, uint64(len(m.raw))))+tagLength, "the body")
	if c.bad != "" {
		return out, 0, opened(at, c.bad)
	}
	out, err := openInto(out, aead, iv, sealed, appendBodyAAD(s.aad[:0], m.id, blockLabel, 1, length))
	if err != nil {
		return out, 0, opened(at, "the body's tag does not fit")
	}
	return out, c.offset, nil
}

func openInto(out []byte, aead cipher.AEAD, iv, sealed, aad []byte) ([]byte, error) {
	more, err := aead.Open(out, iv, sealed, aad)
	if err != nil {
		return out, err
	}
	return more, nil
}

// checkEnd verifies the signature, and that nothing follows.
func (m *Message) checkEnd(end int, key *ecdsa.PublicKey) error {
	if m.info.curve == nil {
		if end != len(m.raw) {
			return opened(end, "bytes follow the end of the message")
		}
		return nil
	}
	c := &cursor{b: m.raw, offset: end}
	signature := c.field("the signature")
	switch {
	case c.bad != "":
		return opened(end, c.bad)
	case c.offset != len(m.raw):
		return opened(c.offset, "bytes follow the end of the message")
	case key == nil || !ecdsa.VerifyASN1(key, m.info.digest(m.raw[:end]), signature):
		return opened(end, "the signature does not fit")
	}
	return nil
}
