// Package compact is the compact value format: 53 bytes more than the plaintext,
// sealed under a branch key with AES-256-CTR and HMAC-SHA-256 (encrypt then MAC).
//
// A value binds its whole encryption context and its column, and stores neither. A
// value that was moved and a value that was changed both fail authentication, and
// nothing in the value tells which it was: both give [codec.ErrUnauthentic]. Nothing is
// decrypted before the tag was compared, in constant time.
//
// The layout is that of Tink's AES256_CTR_HMAC_SHA256 with a 16-byte IV, a 32-byte tag
// and the output prefix TINK, so that Tink opens a value given the derived keys:
//
//	prefix 01 (1) ‖ key id (4) ‖ IV (16) ‖ ciphertext (n) ‖ tag (32)
//
// In the following lp is a two-byte big-endian length and the bytes. Table and column are
// empty if values are not bound to their location.
//
//	key id  = the first four bytes of SHA-256(lp(branch key id) ‖ version (16) ‖ lp(table) ‖ lp(column))
//	subkey  = HKDF-SHA-256(branch key, no salt, "sealsql/compact/v1" ‖ lp(use) ‖ lp(table) ‖ lp(column), 32 bytes)
//	tag     = HMAC-SHA-256(subkey "mac", AAD ‖ IV ‖ ciphertext ‖ 8 × len(AAD) as 64 bits, big-endian)
//
// The uses are "enc" and "mac". The AAD is the serialized encryption context
// ([codec.AppendContext]).
//
// IVs are random. After 2^48 values under one subkey the chance of a repeated IV is below
// 2^-32; a repeat shows the XOR of two values and nothing more. The format is stable:
// later versions of sealsql read every value that this one writes.
package compact
