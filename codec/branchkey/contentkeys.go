package branchkey

import (
	"context"
	"encoding/binary"

	"github.com/sealsql/sealsql/codec"
)

// contentKeys are the content keys of messages that are opened again and again
// under branch keys that the cache holds. What is opened once, as in a scan, leaves
// nothing but a mark. The cache's mutex guards it.
type contentKeys struct {
	limit     int
	byMessage map[messageID]cachedKey
	// marks say which messages were opened lately, by a part of their ids.
	marks [1 << 13]uint32
}

// messageID is a message's random id; a shorter one ends in zeros.
type messageID [32]byte

func messageIDOf(id []byte) (m messageID) {
	copy(m[:], id)
	return m
}

// cachedKey is a content key and the branch key that its data key was unwrapped with.
type cachedKey struct {
	secret *secret
	key    *codec.ContentKey
}

// again marks a message as opened, and reports whether it was marked before.
func (k *contentKeys) again(id messageID) bool {
	mark := &k.marks[binary.BigEndian.Uint16(id[:])%uint16(len(k.marks))]
	before := *mark
	*mark = binary.BigEndian.Uint32(id[2:])
	return before == *mark
}

// add caches a content key. If there are too many, it replaces any other.
func (k *contentKeys) add(id messageID, c cachedKey) {
	for other := range k.byMessage {
		if len(k.byMessage) < k.limit {
			break
		}
		delete(k.byMessage, other)
	}
	k.byMessage[id] = c
}

// forget drops the content keys under a branch key.
func (k *contentKeys) forget(s *secret) {
	for id, c := range k.byMessage {
		if c.secret == s {
			delete(k.byMessage, id)
		}
	}
}

var _ codec.ContentKeyCache = (*Keyring)(nil)

// CachedContentKey implements [codec.ContentKeyCache].
func (k *Keyring) CachedContentKey(ctx context.Context, ec codec.Context, id []byte, keys []codec.WrappedKey) (*codec.ContentKey, bool) {
	c := k.cache
	slot, ok := k.wrappedUnder(ec, keys)
	if !ok || ctx.Err() != nil {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.inForce(ctx, slot)
	if s == nil {
		return nil, false
	}
	at := messageIDOf(id)
	if found := c.content.byMessage[at]; found.secret == s.secret {
		c.told(true)
		return found.key, false
	}
	return nil, c.content.again(at)
}

// CacheContentKey implements [codec.ContentKeyCache].
func (k *Keyring) CacheContentKey(ctx context.Context, ec codec.Context, id []byte, keys []codec.WrappedKey, key *codec.ContentKey) {
	c := k.cache
	slot, ok := k.wrappedUnder(ec, keys)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.inForce(ctx, slot); s != nil {
		c.content.add(messageIDOf(id), cachedKey{s.secret, key})
	}
}

// wrappedUnder returns the one version of a branch key that a message which
// this package wrote is wrapped under.
func (k *Keyring) wrappedUnder(ec codec.Context, keys []codec.WrappedKey) (slotKey, bool) {
	if k.cache.content == nil || len(keys) != 1 || keys[0].ProviderID != ProviderID {
		return slotKey{}, false
	}
	v, ok := versionIn(keys[0].Ciphertext)
	id, err := k.branch(ec)
	if !ok || err != nil || string(keys[0].ProviderInfo) != id {
		return slotKey{}, false
	}
	return slotKey{id: id, version: v}, true
}
