// Package sealtest holds what a test of code that uses sealsql needs.
//
// For tests over a mocked database there is a [Kit]: the real driver with keys
// in memory, over sqlmock or any other mock, with matchers for sealed arguments
// ([Kit.Sealed]) and equality terms ([Kit.Term]), sealed rows ([Kit.Rows]), expectations in the application's own
// words ([Kit.QueryMatcher]) and a [Recorder] of alerts. The folder
// examples/mocked has a test to copy. For tests over a real server there is [KMS], a
// fake AWS KMS over its real HTTP protocol, and [LeakProxy], which watches what
// reaches the server.
//
// What runs against the fake KMS runs unchanged against AWS: the real
// aws-sdk-go-v2 clients connect to it, ciphertexts are real AES-256-GCM bound
// to the encryption context, and errors carry AWS's codes and HTTP statuses.
// The safe default is a healthy service which only knows the keys that the
// test made. It never connects to anything outside the machine, never asks
// for credentials, and never protects anything: keys live in the memory of
// the process or are known to everyone, and requests are not authenticated. Do
// not use it for data that matters.
//
// All types are safe for concurrent use.
package sealtest
