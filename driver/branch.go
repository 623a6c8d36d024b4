package driver

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/codec/rawaes"
	"github.com/sealsql/sealsql/policy"
)

// branchRing is a keyring of branch keys: one store and one cache for all of
// its columns.
type branchRing struct {
	keys         *branchkey.Keys
	cache        *branchkey.Cache
	id, from     string // one of them is set
	hits, misses atomic.Uint64
}

func (b *branchRing) stats() alert.CacheStats {
	return alert.CacheStats{Hits: b.hits.Load(), Misses: b.misses.Load(), Entries: b.cache.Len()}
}

// keyring returns the keyring of a column. A branch key that a column of the
// row names is found by the context pair that draws on it: reader and writer
// both know that, and the value is bound to it.
func (b *branchRing) keyring(c policy.Column) (*branchkey.Keyring, error) {
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
	return nil, fmt.Errorf("%w: column %s: its context does not draw on %s, which names the branch key", ErrPolicy, c.Name, b.from)
}

func (k *keys) makeBranch(p *policy.Policy, d policy.Keyring) (*branchRing, error) {
	store, err := k.branchStore(d.DataKey.Store)
	if err != nil {
		return nil, err
	}
	wrapping, err := k.wrapping(p, d)
	if err != nil {
		return nil, err
	}
	b := &branchRing{keys: branchkey.NewKeys(store, wrapping), id: d.DataKey.BranchKey, from: d.DataKey.BranchKeyFrom}
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

// wrapping returns what wraps the keyring's branch keys.
func (k *keys) wrapping(p *policy.Policy, d policy.Keyring) (branchkey.KMS, error) {
	if d.RawAES != nil {
		key, err := rawKey(d.RawAES)
		if err != nil {
			return nil, err
		}
		return rawaes.NewWrapper(d.RawAES.Namespace, d.RawAES.Name, key)
	}
	shield, region, err := k.kms(p)
	if err != nil {
		return nil, err
	}
	return awskms.NewWrapper(awskms.WrapperConfig{Shield: shield, Keys: d.KMS.ARNs, ReadKeys: d.KMS.ReadARNs, Region: region,
		LocalOnly: d.KMS.CrossRegionReads == policy.Deny})
}

// branchStore returns the store that a policy names. The SQL store's
// statements go to the base driver on connections that sealsql opens for itself: never
// inside a transaction of the user's, and never through the analysis.
func (k *keys) branchStore(name string) (branchkey.Store, error) {
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "sql":
		if k.db == nil {
			return nil, errors.New("store: sql needs a live database, and this connector was given its schema by WithSchema; use a file, or driver.WithBranchKeyStore")
		}
		return branchkey.NewSQLStore(k.db, k.dialect, rest)
	case "file":
		return branchkey.NewFileStore(rest)
	}
	if s := k.settings.stores[rest]; kind == "code" && s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("there is no branch key store %q; write sql, sql:TABLE or file:PATH, or set it with driver.WithBranchKeyStore", name)
}

// BranchKeys returns the branch keys of a keyring, to make, rotate, list and
// delete them. It fails if the policy in force does not give the keyring branch
// keys. It works until the connector is closed.
func (c *Connector) BranchKeys(keyring string) (*branchkey.Keys, error) {
	r, err := c.keys.ring(c.Policy(), keyring)
	if err != nil {
		return nil, err
	}
	if r.branch == nil {
		return nil, fmt.Errorf("%w: keyring %s has no branch keys; write data_key: {per: branch, …}, or per: value with store, ttl and branch_key", ErrPolicy, keyring)
	}
	return r.branch.keys, nil
}

// BranchKeys is [Connector.BranchKeys] of a sql.DB that was opened through
// this package.
func BranchKeys(db *sql.DB, keyring string) (*branchkey.Keys, error) {
	c, err := Of(db)
	if err != nil {
		return nil, err
	}
	return c.BranchKeys(keyring)
}

// BranchKeys is [Connector.BranchKeys].
func (s *ValueSealer) BranchKeys(keyring string) (*branchkey.Keys, error) {
	return s.c.BranchKeys(keyring)
}
