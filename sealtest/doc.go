// Package sealtest holds what a test of code that uses sealsql needs and
// cannot have for real: AWS KMS and CloudWatch, over their real HTTP
// protocols, and a proxy that watches what reaches a database server.
//
// It promises that what runs against it runs unchanged against AWS: the real
// aws-sdk-go-v2 clients connect to it, ciphertexts are real AES-256-GCM bound
// to the encryption context, and errors carry AWS's codes and HTTP statuses.
// The safe default is a healthy service which only knows the keys that the
// test made. It never connects to anything outside the machine, never asks
// for credentials, and never protects anything: keys live in the memory of
// the process, and requests are not authenticated. Do not use it for data
// that matters.
//
// All types are safe for concurrent use.
package sealtest
