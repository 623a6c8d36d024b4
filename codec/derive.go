package codec

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding"
	"encoding/binary"
	"hash"
	"sync"
)

// sha512Block is the block size of SHA-512, which HMAC pads its key to.
const sha512Block = 128

// sha512State is SHA-512 with the interfaces that its documentation promises beside
// [hash.Hash].
type sha512State interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// scratch holds the states and buffers of one message. It is taken from a pool:
// crypto/hmac and crypto/hkdf allocate their states anew for each message.
type scratch struct {
	inner, outer sha512State
	saved        [2][]byte // inner and outer, keyed
	block        [sha512Block]byte
	sum          [sha512.Size]byte
	aad          [128]byte // of a frame
	iv           [ivLength]byte
	context      []byte // serialized; not secret
}

var scratches = sync.Pool{New: func() any {
	return &scratch{inner: sha512.New().(sha512State), outer: sha512.New().(sha512State)}
}}

// free overwrites the secrets and gives the scratch back.
func (s *scratch) free() {
	s.inner.Reset()
	s.outer.Reset()
	clear(s.saved[0])
	clear(s.saved[1])
	clear(s.block[:])
	clear(s.sum[:])
	scratches.Put(s)
}

// pads are HMAC's inner and outer pad.
var pads = [2][sha512Block]byte{[sha512Block]byte(bytes.Repeat([]byte{0x36}, sha512Block)), [sha512Block]byte(bytes.Repeat([]byte{0x5c}, sha512Block))}

// key starts HMAC (RFC 2104) over SHA-512 with a key that fits a block.
func (s *scratch) key(key []byte) {
	for i, h := range [2]hash.Hash{s.inner, s.outer} {
		s.block = pads[i]
		subtle.XORBytes(s.block[:], s.block[:], key)
		h.Reset()
		_, _ = h.Write(s.block[:]) // never fails
	}
}

// mac ends HMAC. The result lies in s.sum.
func (s *scratch) mac(message []byte) {
	_, _ = s.inner.Write(message)
	_, _ = s.outer.Write(s.inner.Sum(s.sum[:0]))
	s.outer.Sum(s.sum[:0])
}

// save keeps the keyed states, and restore returns to them: the key's blocks
// are then hashed once for several messages.
func (s *scratch) save() {
	s.saved[0], _ = s.inner.AppendBinary(s.saved[0][:0])
	s.saved[1], _ = s.outer.AppendBinary(s.saved[1][:0])
}

func (s *scratch) restore() {
	_ = s.inner.UnmarshalBinary(s.saved[0])
	_ = s.outer.UnmarshalBinary(s.saved[1])
}

// deriveCommitting derives the content key and the commitment of a version 2
// message (HKDF, RFC 5869; data-format, "algorithm suites encryption key derivation").
func (s *scratch) deriveCommitting(suite Suite, dataKey, id []byte) (key, commitment [32]byte) {
	s.key(id)
	s.mac(dataKey) // the pseudorandom key
	s.key(s.sum[:])
	s.save()
	info := append(binary.BigEndian.AppendUint16(s.aad[:0], uint16(suite)), "DERIVEKEY\x01"...)
	s.mac(info)
	copy(key[:], s.sum[:])
	s.restore()
	s.mac(append(s.aad[:0], "COMMITKEY\x01"...))
	copy(commitment[:], s.sum[:])
	return key, commitment
}

// deriveV1 derives the content key of a version 1 message. The result may be
// the data key itself.
func deriveV1(s Suite, info *suiteInfo, dataKey, id []byte) ([]byte, error) {
	label := string([]byte{byte(s >> 8), byte(s)}) + string(id)
	switch info.kdf {
	case 0:
		return dataKey, nil
	case crypto.SHA256:
		return hkdf.Key(sha256.New, dataKey, make([]byte, sha256.Size), label, info.key)
	default:
		return hkdf.Key(sha512.New384, dataKey, make([]byte, sha512.Size384), label, info.key)
	}
}

// contentKey returns the AEAD of a message's content, and for version 2 its
// commitment.
func (s *scratch) contentKey(suite Suite, info *suiteInfo, dataKey, id []byte) (aead cipher.AEAD, commitment [32]byte, err error) {
	if info.version == 2 {
		var key [32]byte
		key, commitment = s.deriveCommitting(suite, dataKey, id)
		aead, err = newGCM(key[:])
		clear(key[:])
		return aead, commitment, err
	}
	key, err := deriveV1(suite, info, dataKey, id)
	if err != nil {
		return nil, commitment, err
	}
	aead, err = newGCM(key)
	if info.kdf != 0 {
		clear(key)
	}
	return aead, commitment, err
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
