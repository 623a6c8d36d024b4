// Package engine is the engine behind backfill, re-encryption, repair and
// verification: it moves the values of one protected column, row by row, to what
// the policy says, while applications go on reading and writing.
//
// It promises: a value is written only after the new one was opened and found
// equal; a row that changed meanwhile is read again and never overwritten
// (compare-and-swap on the old ciphertext and on the columns that the value is bound to);
// what is done is recorded durably, a page at a time, and a page that failed is not
// recorded as done; running a job twice changes nothing. No plaintext and no row key is in its
// errors, its report or its log.
package engine
