package keyrings

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/policy"
)

// branchKeyring is a keyring of branch keys: one store and one cache for all of
// its columns.
type branchKeyring struct {
	keys         *branchkey.Keys
	cache        *branchkey.Cache
	id, from     string // one of them is set
	hits, misses atomic.Uint64
}

func (b *branchKeyring) stats() alert.CacheStats {
	return alert.CacheStats{Hits: b.hits.Load(), Misses: b.misses.Load(), Entries: b.cache.Len()}
}

// keyring returns the keyring of a column. A branch key that a column of the
// row names is found by the context pair that draws on it: reader and writer
// both know that, and the value is bound to it.
func (b *branchKeyring) keyring(c policy.Column) (*branchkey.Keyring, error) {
	if b.from == "" {
		return branchkey.New(b.cache, b.id)
	}
	for _, p := range c.Context {
		if p.Source == b.from {
			key := p.Key
			return branchkey.NewSupplied(b.cache, func(ec codec.Context) (string, error) {
				id, ok := ec[key]
				if !ok {
					return "", errors.New("the context lacks " + key + ", which names the branch key")
				}
				return id, nil
			})
		}
	}
	return nil, fmt.Errorf("%w: column %s: its context does not draw on %s, which names the branch key", fault.ErrPolicy, c.Name, b.from)
}

func (s *Set) makeBranch(from provider, p *policy.Policy, d policy.Keyring) (*branchKeyring, error) {
	store, err := s.branchStore(d.DataKey.Store)
	if err != nil {
		return nil, err
	}
	wrapping, err := from.wrapper(s, p, d)
	if err != nil {
		return nil, err
	}
	b := &branchKeyring{keys: branchkey.NewKeys(store, wrapping), id: d.DataKey.BranchKey, from: d.DataKey.BranchKeyFrom}
	b.cache, err = branchkey.NewCache(branchkey.CacheConfig{Keys: b.keys, TTL: d.DataKey.TTL, Capacity: int(d.DataKey.Capacity),
		ContentKeys: int(d.DataKey.ContentKeys), OnLookup: func(hit bool) {
			if hit {
				b.hits.Add(1)
			} else {
				b.misses.Add(1)
			}
		}})
	return b, err
}

// branchStore returns the store that a policy names. The SQL store's
// statements go to the base driver on connections that sealsql opens for itself: never
// inside a transaction of the user's, and never through the analysis.
func (s *Set) branchStore(name string) (branchkey.Store, error) {
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "sql":
		if s.config.DB == nil {
			return nil, errors.New("store: sql needs a live database, and this connector was given its schema by WithSchema; use a file, or driver.WithBranchKeyStore")
		}
		return branchkey.NewSQLStore(s.config.DB, s.config.SQL, rest)
	case "file":
		return branchkey.NewFileStore(rest)
	}
	if store := s.config.Stores[rest]; kind == "code" && store != nil {
		return store, nil
	}
	return nil, fmt.Errorf("there is no branch key store %q; write sql, sql:TABLE or file:PATH, or set it with driver.WithBranchKeyStore", name)
}

// Beacons returns what has the beacon keys of a keyring, and the id of the branch key
// that they belong to: empty for a key without branch keys, and where from names the
// column that holds the id.
func (s *Set) Beacons(p *policy.Policy, name string) (b codec.Beacons, id, from string, err error) {
	if inCode, ok := s.config.Keyrings[name]; ok {
		if b, ok := inCode.(codec.Beacons); ok {
			return b, "", "", nil
		}
		return nil, "", "", fmt.Errorf("%w: search needs beacon keys, and the keyring %s that was set in code has none", fault.ErrPolicy, name)
	}
	k, err := s.keyring(p, name)
	if err != nil {
		return nil, "", "", err
	}
	if k.branch != nil {
		return k.branch.cache, k.branch.id, k.branch.from, nil
	}
	if b, ok := k.value.(codec.Beacons); ok {
		return b, "", "", nil
	}
	if s.config.ReadKeys != nil {
		return noBeacons{}, "", "", nil
	}
	return nil, "", "", fmt.Errorf("%w: search needs beacon keys, and keyring %s has none; write data_key: {per: branch, …}", fault.ErrPolicy, name)
}

// noBeacons is the place of beacon keys where all keyrings are of read keys alone.
type noBeacons struct{}

// Beacon implements codec.Beacons.
func (noBeacons) Beacon(context.Context, string, func(*codec.BeaconKey) error) error {
	return &codec.Error{Kind: codec.ErrUnknownKey, Op: "encrypt", What: "the keys given have no beacon keys"}
}
