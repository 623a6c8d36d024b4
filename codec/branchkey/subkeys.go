package branchkey

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/compact"
)

var _ compact.Keys = (*Keyring)(nil)

// versions lists the versions of one branch key, the active one first, then the
// youngest. It goes with the cache's TTL. The cache's mutex guards byID.
type versions struct {
	list    []version
	listed  time.Time
	expires time.Time
	byID    map[compact.Location]map[compact.ID][]version
}

// named returns the versions whose subkey for a column has the given id.
func (v *versions) named(branch string, loc compact.Location, id compact.ID) []version {
	ids := v.byID[loc]
	if ids == nil {
		ids = map[compact.ID][]version{}
		for _, version := range v.list {
			of := compact.IDOf(branch, version, loc)
			ids[of] = append(ids[of], version)
		}
		v.byID[loc] = ids
	}
	return ids[id]
}

// Current implements [compact.Keys].
func (k *Keyring) Current(ctx context.Context, ec codec.Context, loc compact.Location) (*compact.Key, error) {
	id, err := k.branch(ec)
	if err != nil {
		return nil, &codec.Error{Kind: codec.ErrInvalidContext, Op: "encrypt", What: "the context names no branch key", Cause: err}
	}
	sub, _, err := k.cache.subkey(ctx, slotKey{id: id, active: true}, loc)
	return sub, k.named(err)
}

// Find implements [compact.Keys]. The version in force needs no list of versions;
// the list is asked for when another version is meant, or when the value does not
// authenticate.
func (k *Keyring) Find(ctx context.Context, ec codec.Context, loc compact.Location, id compact.ID, n int) (*compact.Key, error) {
	branch, err := k.branch(ec)
	if err != nil {
		return nil, &codec.Error{Kind: codec.ErrUnknownKey, Op: "decrypt", What: "the context names no branch key", Cause: err}
	}
	sub, active, err := k.cache.subkey(ctx, slotKey{id: branch, active: true}, loc)
	if errors.Is(err, codec.ErrNoBranchKey) { // for a reader: it was deleted
		return nil, k.named(&codec.Error{Kind: codec.ErrKeyDeleted, Op: "decrypt", What: deletedKey})
	}
	// Another version may be usable where the active one is not.
	matches := err == nil && sub.ID() == id
	if matches && n == 0 {
		return sub, nil
	}
	found, err := k.cache.versionsOf(ctx, branch, loc, id)
	if err != nil {
		return nil, k.named(err)
	}
	if matches {
		n-- // the active version was the first
	}
	for _, v := range found {
		switch {
		case matches && v == active:
		case n == 0:
			sub, _, err := k.cache.subkey(ctx, slotKey{id: branch, version: v}, loc)
			return sub, k.named(err)
		default:
			n--
		}
	}
	return nil, nil
}

// subkey returns the key of a column under a version of a branch key. It is derived
// once and lies beside the branch key, and goes with it.
func (c *Cache) subkey(ctx context.Context, key slotKey, loc compact.Location) (*compact.Key, version, error) {
	s, err := c.get(ctx, key)
	if err != nil {
		return nil, version{}, err
	}
	defer s.release()
	k, err := s.subkey(key.id, loc)
	return k, s.version, err
}

func (s *secret) subkey(branch string, loc compact.Location) (*compact.Key, error) {
	if k := s.derived(loc); k != nil {
		return k, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.derived(loc); k != nil {
		return k, nil
	}
	k, err := compact.Derive(s.key.Bytes(), branch, s.version, loc)
	if err != nil {
		return nil, err
	}
	var all []subkey
	if list := s.subkeys.Load(); list != nil {
		all = slices.Clone(*list)
	}
	all = append(all, subkey{loc, k})
	s.subkeys.Store(&all)
	return k, nil
}

// derived returns the subkey of a column, or nil if it was not derived yet.
func (s *secret) derived(loc compact.Location) *compact.Key {
	list := s.subkeys.Load()
	if list == nil {
		return nil
	}
	for i := range *list {
		if l := &(*list)[i]; l.location == loc {
			return l.key
		}
	}
	return nil
}

// versionsOf returns the versions of a branch key whose subkey for a column has the
// given id. A list that lacks the id is asked for again, but not more often than once
// in negativeTTL: another process may have rotated the branch key since.
func (c *Cache) versionsOf(ctx context.Context, branch string, loc compact.Location, id compact.ID) ([]version, error) {
	if err := ctx.Err(); err != nil {
		return nil, gaveUp(err)
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, errClosed()
	}
	if v, now := c.versions[branch], c.config.Now(); v != nil && now.Before(v.expires) {
		if found := v.named(branch, loc, id); len(found) > 0 || now.Sub(v.listed) < negativeTTL {
			c.mu.Unlock()
			return found, nil
		}
	}
	w := c.lists.Join(ctx, branch, c.list(branch), func(v *versions, _ bool) *versions { return v })
	c.mu.Unlock()
	v, answered, err := w.Wait(ctx)
	switch {
	case !answered:
		return nil, gaveUp(err)
	case err != nil:
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return v.named(branch, loc, id), nil
}

// list returns the look-up of a branch key's versions.
func (c *Cache) list(branch string) func(context.Context) (*versions, error) {
	return func(ctx context.Context) (*versions, error) {
		ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
		defer cancel()
		now := c.config.Now()
		list, err := c.config.Keys.versions(ctx, branch)
		return &versions{list: list, listed: now, expires: now.Add(c.config.TTL), byID: map[compact.Location]map[compact.ID][]version{}}, err
	}
}

// landList keeps a list of versions.
func (c *Cache) landList(branch string, v *versions, err error) {
	switch {
	case err == nil:
		if len(c.versions) >= c.config.Capacity {
			clear(c.versions)
		}
		c.versions[branch] = v
	case errors.Is(err, codec.ErrKeyDeleted):
		c.forget(branch)
	}
}

// versions lists the versions of a branch key, the active one first, then the
// youngest.
func (k *Keys) versions(ctx context.Context, id string) ([]version, error) {
	items, err := k.items(ctx, id)
	if err != nil {
		return nil, storeError(err)
	}
	if len(items) == 0 {
		return nil, &codec.Error{Kind: codec.ErrKeyDeleted, Op: "decrypt", What: deletedKey}
	}
	active := ""
	for _, i := range items {
		if i.Type == typeActive {
			active = i.Version
		}
	}
	slices.SortStableFunc(items, func(a, b Item) int {
		switch {
		case a.Type == b.Type:
			return 0
		case a.Type == active:
			return -1
		case b.Type == active:
			return 1
		}
		return strings.Compare(b.CreateTime, a.CreateTime) // one form, in UTC
	})
	var out []version
	for _, i := range items {
		if v, ok := parseVersion(i.Type); ok {
			out = append(out, v)
		}
	}
	return out, nil
}

// items returns every item of a branch key, or none.
func (k *Keys) items(ctx context.Context, id string) ([]Item, error) {
	items := k.store.All(ctx)
	if s, ok := k.store.(ItemsStore); ok {
		items = s.AllOf(ctx, id)
	}
	var out []Item
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		if item.BranchKeyID == id { // a collation may compare loosely
			out = append(out, item)
		}
	}
	return out, nil
}
