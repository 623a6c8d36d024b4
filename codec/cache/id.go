package cache

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"slices"

	"github.com/sealsql/sealsql/codec"
)

// id identifies an entry.
type id [sha512.Size384]byte

// inlineID is the size of most ids in bytes; a longer id is allocated.
const inlineID = 1024

// encryptionID is the caching CMM's cache entry identifier of a request for
// encryption with a suite: SHA-384 over the resource, the scope, the partition and
// the request, joined by zero bytes.
func (c *Materials) encryptionID(s codec.Suite, ec codec.Context) (id, error) {
	var inline [inlineID]byte
	b := append(append(inline[:0], 1, 0, 1, 0), c.partition[:]...)
	b = append(b, 0, 1, 0)
	b = append(binary.BigEndian.AppendUint16(b, uint16(s)), 0)
	b, err := codec.AppendContext(b, ec)
	return sha512.Sum384(b), err
}

// decryptionID is that of a request for decryption. Wrapped keys count
// whatever order they come in.
func (c *Materials) decryptionID(s codec.Suite, ec codec.Context, keys []codec.WrappedKey) (id, error) {
	var inline [inlineID]byte
	b := append(append(inline[:0], 1, 0, 2, 0), c.partition[:]...)
	b = append(binary.BigEndian.AppendUint16(append(b, 0), uint16(s)), 0)
	if len(keys) == 1 {
		b = appendWrapped(b, keys[0])
	} else {
		sorted := make([][]byte, len(keys))
		for i, k := range keys {
			sorted[i] = appendWrapped(nil, k)
		}
		slices.SortFunc(sorted, bytes.Compare)
		b = append(b, bytes.Join(sorted, nil)...)
	}
	b, err := codec.AppendContext(append(b, 0), ec)
	return sha512.Sum384(b), err
}

func appendWrapped(b []byte, k codec.WrappedKey) []byte {
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(k.ProviderID))), k.ProviderID...)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(k.ProviderInfo))), k.ProviderInfo...)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(k.Ciphertext))), k.Ciphertext...)
}
