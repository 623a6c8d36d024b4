// Package cache keeps the materials of a keyring and hands them out again, so
// that several messages with the same encryption context cost one call of the key
// service (framework/caching-cmm and local-cryptographic-materials-cache of the AWS
// Encryption SDK specification):
//
//	m, err := cache.New(cache.Config{Keyring: ring, MaxAge: 5 * time.Minute})
//	c, err := codec.New(codec.Config{Materials: m})
//	defer m.Close()
//
// The encryption context is part of what an entry is found by: under a context
// that is unique to a row every row costs one call, on write and on read, and the cache
// only takes memory. Package codec/branchkey is the answer to that.
//
// What it promises: a data key is never used beyond MaxAge, MaxMessages or
// MaxBytes; suites that derive no key of their own for each message are never cached;
// concurrent misses of one entry make one call, which a caller that gives up does
// not end for the others; kept keys are zeroed when they expire, are pushed out, and on
// Close.
package cache

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/sealsql/sealsql/codec"
)

// Defaults of [Config].
const (
	DefaultMaxMessages = 1 << 32
	DefaultMaxBytes    = math.MaxInt64
	DefaultCapacity    = 1000
)

// Config describes a cache.
type Config struct {
	// Keyring is asked for materials that are not kept.
	Keyring codec.Keyring
	// MaxAge is for how long materials are handed out again after they were
	// made. It must be positive: there is no safe default.
	MaxAge time.Duration
	// MaxMessages and MaxBytes bound the messages that are encrypted under one
	// data key, and their plaintexts together in bytes. Zero means 2^32 and 2^63-1.
	MaxMessages, MaxBytes int64
	// Capacity is how many entries are kept, of encryption and decryption
	// together; zero means 1000. The least recently used goes first.
	Capacity int
}

// Materials is a [codec.Materials] that caches. It is safe for concurrent use.
type Materials struct {
	under       codec.Materials
	maxMessages int64
	maxBytes    int64
	partition   [16]byte
	store       store
}

var (
	_ codec.Materials = (*Materials)(nil)
	_ io.Closer       = (*Materials)(nil)
)

// New checks the configuration and returns an empty cache. Call
// [Materials.Close] when it is no longer used.
func New(c Config) (*Materials, error) {
	switch {
	case c.Keyring == nil:
		return nil, errors.New("cache: set Keyring")
	case c.MaxAge <= 0:
		return nil, errors.New("cache: MaxAge must be positive: say for how long a data key may be used")
	case c.MaxMessages < 0 || c.MaxBytes < 0 || c.Capacity < 0:
		return nil, errors.New("cache: a limit is negative")
	}
	m := &Materials{under: codec.DefaultMaterials(c.Keyring), maxMessages: c.MaxMessages, maxBytes: c.MaxBytes}
	if m.maxMessages == 0 {
		m.maxMessages = DefaultMaxMessages
	}
	if m.maxBytes == 0 {
		m.maxBytes = DefaultMaxBytes
	}
	if c.Capacity == 0 {
		c.Capacity = DefaultCapacity
	}
	_, _ = rand.Read(m.partition[:]) // never fails
	m.store.init(c.MaxAge, c.Capacity)
	return m, nil
}

// Encryption implements [codec.Materials]. Materials are shared by messages
// of the same suite and context.
func (c *Materials) Encryption(ctx context.Context, r codec.EncryptionRequest) (*codec.EncryptionMaterials, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n := int64(r.PlaintextLength)
	if !r.Suite.Derives() || n > c.maxBytes {
		if err := c.store.bypass("encrypt"); err != nil {
			return nil, err
		}
		return c.under.Encryption(ctx, r)
	}
	id, err := c.encryptionID(r.Suite, r.Context)
	if err != nil {
		return nil, err
	}
	use := usage{n, c.maxMessages, c.maxBytes}
	g, ok := c.store.take(id, use)
	if !ok {
		if g, err = c.store.wait(ctx, "encrypt", id, use, c.makeEncryption(r)); err != nil {
			return nil, err
		}
	}
	return &codec.EncryptionMaterials{Suite: r.Suite, Context: g.entry.context, RequiredKeys: r.RequiredKeys,
		DataKey: g.key, WrappedKeys: slices.Clip(g.entry.encryption.WrappedKeys), SigningKey: g.entry.encryption.SigningKey}, nil
}

// makeEncryption returns the function that asks the keyring. It may outlive
// the request, whose context is its caller's to change.
func (c *Materials) makeEncryption(r codec.EncryptionRequest) fetch {
	r.Context, r.RequiredKeys = maps.Clone(r.Context), slices.Clone(r.RequiredKeys)
	return func(ctx context.Context) (*entry, error) {
		m, err := c.under.Encryption(ctx, r)
		if err != nil {
			return nil, err
		}
		return &entry{key: m.DataKey, context: m.Context, encryption: m}, nil
	}
}

// Decryption implements [codec.Materials].
func (c *Materials) Decryption(ctx context.Context, r codec.DecryptionRequest) (*codec.DecryptionMaterials, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !r.Suite.Derives() {
		if err := c.store.bypass("decrypt"); err != nil {
			return nil, err
		}
		return c.under.Decryption(ctx, r)
	}
	id, err := c.decryptionID(r.Suite, r.Context, r.WrappedKeys)
	if err != nil {
		return nil, err
	}
	g, ok := c.store.take(id, unlimited)
	if !ok {
		if g, err = c.store.wait(ctx, "decrypt", id, unlimited, c.makeDecryption(r)); err != nil {
			return nil, err
		}
	}
	return &codec.DecryptionMaterials{Suite: r.Suite, Context: r.Context, RequiredKeys: r.RequiredKeys,
		DataKey: g.key, VerificationKey: g.entry.decryption.VerificationKey}, nil
}

func (c *Materials) makeDecryption(r codec.DecryptionRequest) fetch {
	r.Context, r.RequiredKeys = maps.Clone(r.Context), slices.Clone(r.RequiredKeys)
	keys := make([]codec.WrappedKey, len(r.WrappedKeys))
	for i, k := range r.WrappedKeys {
		keys[i] = k.Clone()
	}
	r.WrappedKeys = keys
	return func(ctx context.Context) (*entry, error) {
		m, err := c.under.Decryption(ctx, r)
		if err != nil {
			return nil, err
		}
		return &entry{key: m.DataKey, decryption: m}, nil
	}
}

// Done implements [codec.Materials]. Every request gets a copy of the data key
// of its own, which ends here: a kept key can be zeroed whoever is at work.
func (c *Materials) Done(key codec.DataKey) { key.Zero() }

// Close zeroes the kept keys and ends the calls under way. Requests that wait,
// and later ones, fail with [codec.ErrClosed]. It may be called more than once.
func (c *Materials) Close() error {
	c.store.close()
	return nil
}

// Stats counts the requests of a cache since it was made.
type Stats struct {
	// Hits counts requests that were answered with a key made for an earlier
	// one or a concurrent one, Misses the calls of the keyring for an entry, and
	// Bypassed the requests that were not to be cached.
	Hits, Misses, Bypassed uint64
	// Entries is the number of kept entries now; Evictions counts those that
	// were pushed out by others, Expired those that reached their age or a limit.
	Entries            int
	Evictions, Expired uint64
}

// Stats returns a snapshot.
func (c *Materials) Stats() Stats { return c.store.snapshot() }
