// Package codec reads and writes encrypted values in the AWS Encryption SDK
// message format, versions 1 and 2, so that any official SDK with the same keys
// reads what it writes, and the reverse.
//
// A [Codec] writes suite 0478 (AES-256-GCM, HKDF-SHA-512, key commitment) unless
// told otherwise, and reads only suites with key commitment unless its
// [Commitment] policy says otherwise. Every message is bound to an encryption
// [Context]; nothing of a plaintext is released before every tag, the commitment
// and the signature were checked. Data keys come from a [Keyring], are zeroed after
// use, and never appear in an error, a log or printed output.
//
// The package needs the standard library only and never talks to a network; the
// keyrings below it may.
package codec
