package compact

import (
	"bytes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/subtle"
	"encoding"
	"encoding/binary"
	"hash"
	"sync"
)

// sha256State is SHA-256 with the interfaces that its documentation promises beside
// [hash.Hash].
type sha256State interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// shortest is the longest text that is encrypted block by block: longer texts pay
// for the allocation of a key stream.
const shortest = 8 * ivLength

// scratch holds the states and buffers of one value. It is taken from a pool:
// crypto/hmac and crypto/cipher allocate their states anew for each value.
type scratch struct {
	inner, outer sha256State
	sum, tag     [sha256.Size]byte
	length       [8]byte
	counter      [ivLength]byte
	stream       [shortest]byte
	aad          []byte // serialized context; not secret
}

var scratches = sync.Pool{New: func() any {
	return &scratch{inner: sha256.New().(sha256State), outer: sha256.New().(sha256State)}
}}

// free overwrites the tag and gives the scratch back. The states come from a key that
// lies in memory anyway, and the next value overwrites them.
func (s *scratch) free() {
	clear(s.sum[:])
	clear(s.tag[:])
	scratches.Put(s)
}

// states returns HMAC's two states (RFC 2104) after a key that fits a block.
func (s *scratch) states(key []byte) (inner, outer []byte, err error) {
	for _, of := range []struct {
		h   sha256State
		pad byte
		out *[]byte
	}{{s.inner, 0x36, &inner}, {s.outer, 0x5c, &outer}} {
		block := bytes.Repeat([]byte{of.pad}, sha256.BlockSize)
		subtle.XORBytes(block, block, key)
		of.h.Reset()
		_, _ = of.h.Write(block) // never fails
		clear(block)
		if *of.out, err = of.h.AppendBinary(nil); err != nil {
			return nil, nil, err
		}
	}
	return inner, outer, nil
}

// mac appends the tag of aad and text, IV and ciphertext, to dst.
func (s *scratch) mac(dst []byte, k *Key, aad, text []byte) {
	_ = s.inner.UnmarshalBinary(k.inner) // never fails for what AppendBinary gave
	_ = s.outer.UnmarshalBinary(k.outer)
	_, _ = s.inner.Write(aad)
	_, _ = s.inner.Write(text)
	binary.BigEndian.PutUint64(s.length[:], 8*uint64(len(aad)))
	_, _ = s.inner.Write(s.length[:])
	_, _ = s.outer.Write(s.inner.Sum(s.sum[:0]))
	s.outer.Sum(dst)
}

// xor encrypts or decrypts text into dst, which has its length: AES in counter
// mode, the IV being the first counter block (SP 800-38A, 6.5).
func (s *scratch) xor(dst, text []byte, block cipher.Block, iv []byte) {
	if len(text) > shortest {
		cipher.NewCTR(block, iv).XORKeyStream(dst, text)
		return
	}
	copy(s.counter[:], iv)
	n := 0
	for ; n < len(text); n += ivLength {
		block.Encrypt(s.stream[n:], s.counter[:])
		for i := ivLength - 1; i >= 0; i-- {
			if s.counter[i]++; s.counter[i] != 0 {
				break
			}
		}
	}
	subtle.XORBytes(dst, text, s.stream[:len(text)])
	clear(s.stream[:n])
}
