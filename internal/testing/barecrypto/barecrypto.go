// Package barecrypto is the bare cryptography of one AWS Encryption SDK message of
// suite 0478, for benchmarks: the same HMAC-SHA-512, AES key schedules and GCM, over as
// many bytes, and nothing else. It has no format, no checks and no use beside being
// the least that a codec can cost.
package barecrypto

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding"
	"hash"
)

const (
	header = 198 // bytes of a header with one pair of context and one wrapped key
	aad    = 78  // of a frame
	// contextLength is the serialized context's: account_number, ten digits.
	contextLength = 30
)

type state interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// Bare is the work of a keyring and its messages. It is for one goroutine.
type Bare struct {
	wrapping             cipher.AEAD // raw AES; nil for a branch key
	branch               []byte
	plain                bool
	inner, outer         state
	savedInner, savedOut []byte
	block                [sha512.BlockSize]byte
	sum                  [64]byte
	header               [header]byte
	aad                  [aad]byte
	context              [96]byte
	blocks               [2][2 * sha256.BlockSize]byte // HMAC-SHA-256
}

// RawAES is the work under a raw AES wrapping key: its schedule is kept.
func RawAES() *Bare {
	b := newBare()
	b.wrapping = gcm(make([]byte, 32))
	return b
}

// Branch is the work under a branch key: a wrapping key of its own for each message.
func Branch() *Bare {
	b := newBare()
	b.branch = make([]byte, 32)
	return b
}

// Plain makes the work be done with crypto/hmac, as a program would that minds
// no allocation, and returns b. Without it the states are allocated once for all messages.
func (b *Bare) Plain() *Bare {
	b.plain = true
	return b
}

func newBare() *Bare {
	return &Bare{inner: sha512.New().(state), outer: sha512.New().(state)}
}

func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	g, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return g
}

var pads = [2][sha512.BlockSize]byte{[sha512.BlockSize]byte(bytes.Repeat([]byte{0x36}, sha512.BlockSize)), [sha512.BlockSize]byte(bytes.Repeat([]byte{0x5c}, sha512.BlockSize))}

func (b *Bare) key(key []byte) {
	for i, h := range [2]hash.Hash{b.inner, b.outer} {
		b.block = pads[i]
		subtle.XORBytes(b.block[:], b.block[:], key)
		h.Reset()
		h.Write(b.block[:])
	}
}

func (b *Bare) mac(message []byte) []byte {
	b.inner.Write(message)
	b.outer.Write(b.inner.Sum(b.sum[:0]))
	return b.outer.Sum(b.sum[:0])
}

// plainDerive is derive with crypto/hmac, whose states are used twice where they can be.
func (b *Bare) plainDerive(id, dataKey []byte) (cipher.AEAD, [32]byte) {
	extract := hmac.New(sha512.New, id)
	extract.Write(dataKey)
	expand := hmac.New(sha512.New, extract.Sum(b.sum[:0]))
	expand.Write(b.aad[:12])
	content := gcm(expand.Sum(b.sum[:0])[:32])
	expand.Reset()
	expand.Write(b.aad[:10])
	return content, [32]byte(expand.Sum(b.sum[:0]))
}

// derive is HKDF with one extract and two expands, whose key is hashed once.
func (b *Bare) derive(id, dataKey []byte) (cipher.AEAD, [32]byte) {
	if b.plain {
		return b.plainDerive(id, dataKey)
	}
	b.key(id)
	b.key(b.mac(dataKey))
	b.savedInner, _ = b.inner.AppendBinary(b.savedInner[:0])
	b.savedOut, _ = b.outer.AppendBinary(b.savedOut[:0])
	content := gcm(b.mac(b.aad[:12])[:32])
	_ = b.inner.UnmarshalBinary(b.savedInner)
	_ = b.outer.UnmarshalBinary(b.savedOut)
	return content, [32]byte(b.mac(b.aad[:10]))
}

// wrapper returns the AEAD that wraps a data key, and its additional data.
func (b *Bare) wrapper(salt []byte) (cipher.AEAD, []byte) {
	if b.branch == nil {
		return b.wrapping, b.context[:contextLength]
	}
	n := copy(b.blocks[0][sha256.BlockSize:], b.context[:26])
	n += copy(b.blocks[0][sha256.BlockSize+n:], salt)
	for i, pad := range pads {
		subtle.XORBytes(b.blocks[i][:], pad[:sha256.BlockSize], b.branch)
		copy(b.blocks[i][len(b.branch):sha256.BlockSize], pad[:])
	}
	inner := sha256.Sum256(b.blocks[0][:sha256.BlockSize+n])
	copy(b.blocks[1][sha256.BlockSize:], inner[:])
	key := sha256.Sum256(b.blocks[1][:sha256.BlockSize+len(inner)])
	return gcm(key[:]), b.context[:contextLength+17+16+16]
}

// Message is what [Bare.Encrypt] leaves for [Bare.Decrypt]. Its parts are
// reused from one call to the next.
type Message struct {
	id                       [32]byte
	salt, iv                 [16]byte
	wrapped, tag, ciphertext []byte
}

// Encrypt makes a data key, wraps it, derives the message's key and seals
// header and plaintext.
func (b *Bare) Encrypt(m *Message, plaintext []byte) {
	var dataKey [32]byte
	_, _ = rand.Read(dataKey[:])
	_, _ = rand.Read(m.iv[:12])
	if b.branch != nil {
		_, _ = rand.Read(m.salt[:])
	}
	w, aad := b.wrapper(m.salt[:])
	m.wrapped = w.Seal(m.wrapped[:0], m.iv[:12], dataKey[:], aad)
	_, _ = rand.Read(m.id[:])
	content, _ := b.derive(m.id[:], dataKey[:])
	m.tag = content.Seal(m.tag[:0], m.iv[:12], nil, b.header[:])
	m.ciphertext = content.Seal(m.ciphertext[:0], m.iv[:12], plaintext, b.aad[:])
}

// Decrypt undoes Encrypt and appends the plaintext to dst.
func (b *Bare) Decrypt(dst []byte, m *Message) []byte {
	w, aad := b.wrapper(m.salt[:])
	dataKey, err := w.Open(nil, m.iv[:12], m.wrapped, aad)
	if err != nil {
		panic(err)
	}
	content, _ := b.derive(m.id[:], dataKey)
	if _, err := content.Open(nil, m.iv[:12], m.tag, b.header[:]); err != nil {
		panic(err)
	}
	if dst, err = content.Open(dst, m.iv[:12], m.ciphertext, b.aad[:]); err != nil {
		panic(err)
	}
	return dst
}
