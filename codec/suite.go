package codec

import (
	"encoding/hex"
)

// Context is an encryption context: non-secret pairs that a message is bound
// to as additional authenticated data. Keys and values are UTF-8; keys that start with
// "aws-crypto-" are reserved.
type Context map[string]string

// Suite is an algorithm suite by its two-byte id. The zero value is invalid.
type Suite uint16

// The suites of message format version 2: AES-256-GCM, HKDF-SHA-512, key
// commitment. The second signs with ECDSA P-384.
const (
	SuiteCommit       Suite = 0x0478
	SuiteCommitSigned Suite = 0x0578
)

// String returns the id as the specification writes it, such as "0478".
func (s Suite) String() string { return hex.EncodeToString([]byte{byte(s >> 8), byte(s)}) }
