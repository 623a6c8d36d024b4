// Package branchkey is the hierarchical keyring (framework/aws-kms/
// aws-kms-hierarchical-keyring of the AWS Encryption SDK specification) and its
// key store (framework/branch-key-store): KMS wraps a branch key once, and data
// keys are wrapped under the branch key without a call of KMS.
//
// Messages and items are byte for byte those of AWS's SDKs: what either wrote the
// other reads, given the same items. Branch keys live in a [Store]; [Keys] makes,
// rotates, lists and deletes them; a [Cache] keeps unwrapped ones in memory for at most
// its TTL, and a [Keyring] of it seals and opens.
//
// The TTL is a hard bound: once it has passed, a branch key is used again only after the
// store still has it and KMS unwrapped it anew. A deleted branch key, a revoked
// grant and a disabled wrapping key therefore take effect within the TTL, also while the
// store or KMS is down: then opening fails rather than going on with an old key.
// So that a short outage is not felt, keys in use are fetched again in the background after
// two thirds of it.
//
// No branch key is ever in an error, a log or printed output, and every one is
// zeroed when it leaves the cache and its last user is done. The package needs the
// standard library only; KMS is behind an interface that package awskms implements.
package branchkey
