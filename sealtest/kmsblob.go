package sealtest

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"maps"
	"slices"
)

// A ciphertext blob, 152 bytes longer than its plaintext as KMS's own are for
// a data key: 184 for 32 bytes.
//
//	magic(5) key id(36) material id(32) reserved(51) nonce(12) ciphertext(n) tag(16)
//
// The key id is padded with zeros. The tag covers the encryption context and
// all that stands before the nonce.
const (
	blobIDSize       = 36
	blobMaterialSize = 32
	blobReserved     = 51
	blobNonceSize    = 12
	blobTagSize      = 16
	blobHead         = 5 + blobIDSize + blobMaterialSize + blobReserved
	blobOverhead     = blobHead + blobNonceSize + blobTagSize
)

// Real blobs begin like this too (base64 "AQIDAHi").
var blobMagic = []byte{1, 2, 3, 0, 0x78}

func makeBlob(id string, m material, plaintext []byte, context map[string]string) []byte {
	blob := make([]byte, blobHead+blobNonceSize, blobOverhead+len(plaintext))
	n := copy(blob, blobMagic)
	copy(blob[n:n+blobIDSize], id)
	n += blobIDSize
	n += copy(blob[n:], m.id[:])
	rand.Read(blob[n:])
	head, nonce := blob[:blobHead], blob[blobHead:blobHead+blobNonceSize]
	return m.aead.Seal(blob, nonce, plaintext, additionalData(head, context))
}

// parsedBlob is a blob taken apart, not yet authenticated.
type parsedBlob struct {
	keyID      string
	materialID [32]byte
	head       []byte
	nonce      []byte
	sealed     []byte
}

func parseBlob(blob []byte) (parsedBlob, bool) {
	if len(blob) < blobOverhead || !bytes.HasPrefix(blob, blobMagic) {
		return parsedBlob{}, false
	}
	rest := blob[len(blobMagic):]
	p := parsedBlob{
		keyID:  string(bytes.TrimRight(rest[:blobIDSize], "\x00")),
		head:   blob[:blobHead],
		nonce:  blob[blobHead : blobHead+blobNonceSize],
		sealed: blob[blobHead+blobNonceSize:],
	}
	copy(p.materialID[:], rest[blobIDSize:])
	return p, true
}

func (p parsedBlob) open(m *materials, context map[string]string) (plaintext []byte, ok bool) {
	for _, generation := range m.generations {
		if generation.id != p.materialID {
			continue
		}
		plaintext, err := generation.aead.Open(nil, p.nonce, p.sealed, additionalData(p.head, context))
		return plaintext, err == nil
	}
	return nil, false
}

// additionalData is the head and the context's pairs in the order of their
// keys' bytes, each string behind its length so that no two contexts meet.
func additionalData(head []byte, context map[string]string) []byte {
	size := len(head)
	for key, value := range context {
		size += 8 + len(key) + len(value)
	}
	out := append(make([]byte, 0, size), head...)
	for _, key := range slices.Sorted(maps.Keys(context)) {
		for _, s := range []string{key, context[key]} {
			out = binary.BigEndian.AppendUint32(out, uint32(len(s)))
			out = append(out, s...)
		}
	}
	return out
}
