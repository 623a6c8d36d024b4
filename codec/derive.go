package codec

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
)

// sha512Block is the block size of SHA-512, which HMAC pads its key to.
const sha512Block = 128

// hmacSHA512 is HMAC (RFC 2104) over SHA-512 for keys and messages that fit a
// block. crypto/hmac allocates its states anew for each key; here everything lies on
// the stack, and a key is never used twice but in deriveCommitting.
func hmacSHA512(key, message []byte) (sum [64]byte) {
	var inner, outer [2 * sha512Block]byte
	copy(inner[:], key)
	copy(outer[:], key)
	for i := range sha512Block {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	n := sha512Block + copy(inner[sha512Block:], message)
	digest := sha512.Sum512(inner[:n])
	copy(outer[sha512Block:], digest[:])
	sum = sha512.Sum512(outer[:sha512Block+len(digest)])
	clear(inner[:])
	clear(outer[:])
	clear(digest[:])
	return sum
}

// deriveCommitting derives the content key and the commitment of a version 2
// message (HKDF, RFC 5869; data-format, "algorithm suites encryption key derivation").
func deriveCommitting(s Suite, dataKey, id []byte) (key, commitment [32]byte) {
	prk := hmacSHA512(id, dataKey)
	var info [16]byte
	info[0], info[1] = byte(s>>8), byte(s)
	n := 2 + copy(info[2:], "DERIVEKEY")
	info[n] = 1
	okm := hmacSHA512(prk[:], info[:n+1])
	copy(key[:], okm[:])
	n = copy(info[:], "COMMITKEY")
	info[n] = 1
	okm = hmacSHA512(prk[:], info[:n+1])
	copy(commitment[:], okm[:])
	clear(prk[:])
	clear(okm[:])
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
func contentKey(s Suite, info *suiteInfo, dataKey, id []byte) (aead cipher.AEAD, commitment [32]byte, err error) {
	if info.version == 2 {
		var key [32]byte
		key, commitment = deriveCommitting(s, dataKey, id)
		aead, err = newGCM(key[:])
		clear(key[:])
		return aead, commitment, err
	}
	key, err := deriveV1(s, info, dataKey, id)
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
