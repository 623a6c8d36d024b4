package codec

import (
	"crypto"
	"crypto/elliptic"
	_ "crypto/sha256" // of suites 01xx and 0214
	_ "crypto/sha512" // of the others
	"encoding/hex"
)

// Context is an encryption context: non-secret pairs that a message is bound
// to as additional authenticated data. Keys and values are UTF-8; keys that start with
// "aws-crypto-" are reserved.
type Context map[string]string

// Suite is an algorithm suite by its two-byte id (framework/algorithm-suites of
// the AWS Encryption SDK specification). The zero value is invalid.
type Suite uint16

// The suites. Those of message format version 2 commit to their key; the others
// are read, and written, only as the [Commitment] policy allows. All use AES-GCM with
// 12-byte IVs and 16-byte tags.
const (
	SuiteCommit       Suite = 0x0478 // AES-256, HKDF-SHA-512, commitment
	SuiteCommitSigned Suite = 0x0578 // the same, signed with ECDSA P-384

	Suite128           Suite = 0x0014 // AES-128, no key derivation
	Suite192           Suite = 0x0046
	Suite256           Suite = 0x0078
	Suite128HKDF       Suite = 0x0114 // AES-128, HKDF-SHA-256
	Suite192HKDF       Suite = 0x0146
	Suite256HKDF       Suite = 0x0178
	Suite128HKDFSigned Suite = 0x0214 // signed with ECDSA P-256
	Suite192HKDFSigned Suite = 0x0346 // HKDF-SHA-384, signed with ECDSA P-384
	Suite256HKDFSigned Suite = 0x0378
)

const (
	messageIDLengthV1     = 16
	messageIDLengthV2     = 32
	tagLength, ivLength   = 16, 12
	commitmentLength      = 32
	publicKeyContextKey   = "aws-crypto-public-key"
	reservedContextPrefix = "aws-crypto-"
)

// maxSignatureLength is that of a signature in DER: two integers of the curve's
// size, each with a sign byte and two bytes of tag and length, in a sequence.
func maxSignatureLength(c elliptic.Curve) int { return 2 + 2*(2+1+(c.Params().BitSize+7)/8) }

// String returns the id as the specification writes it, such as "0478".
func (s Suite) String() string { return hex.EncodeToString([]byte{byte(s >> 8), byte(s)}) }

// Committing reports whether messages of the suite commit to their key.
func (s Suite) Committing() bool { return s == SuiteCommit || s == SuiteCommitSigned }

// Signed reports whether messages of the suite end in a signature.
func (s Suite) Signed() bool { return s.info() != nil && s.info().curve != nil }

// KeyLength is the length of the suite's data keys in bytes, 0 for an unknown suite.
func (s Suite) KeyLength() int {
	if i := s.info(); i != nil {
		return i.key
	}
	return 0
}

// Derives reports whether a message's key is derived from the data key, so that
// one data key may serve several messages.
func (s Suite) Derives() bool { i := s.info(); return i != nil && i.kdf != 0 }

type suiteInfo struct {
	version byte
	key     int
	kdf     crypto.Hash // 0: the data key is the content key
	curve   elliptic.Curve
	sign    crypto.Hash
}

var suites = map[Suite]*suiteInfo{
	Suite128:           {version: 1, key: 16},
	Suite192:           {version: 1, key: 24},
	Suite256:           {version: 1, key: 32},
	Suite128HKDF:       {version: 1, key: 16, kdf: crypto.SHA256},
	Suite192HKDF:       {version: 1, key: 24, kdf: crypto.SHA256},
	Suite256HKDF:       {version: 1, key: 32, kdf: crypto.SHA256},
	Suite128HKDFSigned: {version: 1, key: 16, kdf: crypto.SHA256, curve: elliptic.P256(), sign: crypto.SHA256},
	Suite192HKDFSigned: {version: 1, key: 24, kdf: crypto.SHA384, curve: elliptic.P384(), sign: crypto.SHA384},
	Suite256HKDFSigned: {version: 1, key: 32, kdf: crypto.SHA384, curve: elliptic.P384(), sign: crypto.SHA384},
	SuiteCommit:        {version: 2, key: 32, kdf: crypto.SHA512},
	SuiteCommitSigned:  {version: 2, key: 32, kdf: crypto.SHA512, curve: elliptic.P384(), sign: crypto.SHA384},
}

func (s Suite) info() *suiteInfo {
	if s == SuiteCommit {
		return commitInfo
	}
	return suites[s]
}

var commitInfo = suites[SuiteCommit]

func (i *suiteInfo) idLength() int {
	if i.version == 1 {
		return messageIDLengthV1
	}
	return messageIDLengthV2
}

// Commitment is a commitment policy (client-apis/client, "commitment policy", of
// the AWS Encryption SDK specification). The zero value is invalid in general; in
// [Config] it stands for the last and safest.
type Commitment uint8

// The commitment policies, by AWS's names.
const (
	CommitmentForbidEncryptAllowDecrypt    Commitment = iota + 1 // writes older suites only, reads all
	CommitmentRequireEncryptAllowDecrypt                         // writes committing suites only, reads all
	CommitmentRequireEncryptRequireDecrypt                       // writes and reads committing suites only
)

func (c Commitment) writes(s Suite) bool {
	return s.Committing() == (c != CommitmentForbidEncryptAllowDecrypt)
}

func (c Commitment) reads(s Suite) bool {
	return s.Committing() || c != CommitmentRequireEncryptRequireDecrypt
}
