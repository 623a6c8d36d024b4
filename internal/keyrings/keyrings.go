// Package keyrings builds, from a policy, the keyrings and the codecs of its
// columns. It decides what gives a column its data keys: a key service or a raw
// key ([provider]), branch keys, a cache of data keys, or a keyring set in code.
//
// Words of this package:
//
//	value keyring   a keyring that makes a data key for each value
//	branch keyring  a keyring that derives the data keys of values from branch keys
//	fallback        the keyring of a column whose values were written under both
//	self-check      the opening of a value with the data key that just sealed it
//
// The package sends nothing to a key service while it builds. Errors wrap
// [fault.ErrPolicy] and name no key material.
package keyrings

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/codec/cache"
	"github.com/sealsql/sealsql/codec/compact"
	"github.com/sealsql/sealsql/codec/rawaes"
	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/policy"
)

// Config says what keyrings are built with, beside the policy.
type Config struct {
	// AWS is the AWS configuration; nil means that of the SDK's standard sources.
	AWS *aws.Config
	// Keyrings take the place of the policy's, by name.
	Keyrings map[string]codec.Keyring
	// Stores are the branch key stores that a policy names as code:NAME.
	Stores map[string]branchkey.Store
	// OlderSuites reads suites without key commitment whatever the policy says.
	OlderSuites bool
	// SelfCheck opens each value once with the data key that sealed it.
	SelfCheck bool
	// ReadKeys, if not nil, are KMS keys in the place of every keyring's own.
	ReadKeys []string

	// DB reaches the base driver, for key stores; nil if there is none. SQL is
	// how its server spells their statements.
	DB  *sql.DB
	SQL branchkey.SQL

	Counters *alert.Counters
	// OnCall is told of each call of a key service.
	OnCall func(c alert.KMSCall, took time.Duration)
	// OnMissing is told of each value that is written without the wrapping of
	// a Region. ctx is that of the value's sealing.
	OnMissing func(ctx context.Context, m Missing)
}

// Missing is a wrapping that a value is written without.
type Missing struct{ Keyring, Region, KeyARN string }

// Set holds the keyrings of a connector. A keyring that a new policy leaves as
// it was is kept, and with it its caches and what it knows of Regions that are
// down. A Set is safe for concurrent use.
type Set struct {
	config Config

	mu       sync.Mutex
	kms      kmsState
	keyrings map[string]*keyring // by description
	checks   []*selfCheck
}

// New returns a set that holds no keyring yet.
func New(c Config) *Set {
	return &Set{config: c, keyrings: map[string]*keyring{}}
}

// Close zeroes the keys that are kept and ends what runs in the background.
func (s *Set) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keyrings {
		k.close()
	}
	clear(s.keyrings)
	for _, c := range s.checks {
		c.close()
	}
	s.kms.close()
}

// keyring is a keyring of the policy at work.
type keyring struct {
	name   string
	value  codec.Keyring    // a data key for each value
	cached *cache.Materials // over value; may be nil
	branch *branchKeyring   // may be nil
	writes bool             // branch does; else it only opens
}

func (k *keyring) close() {
	if k.cached != nil {
		_ = k.cached.Close() // it never fails
	}
	if k.branch != nil {
		k.branch.cache.Close()
	}
}

// Codec returns the codec of a column. required are the context keys that its
// messages do not store.
func (s *Set) Codec(p *policy.Policy, c policy.Column, required []string) (*codec.Codec, error) {
	cfg := codec.Config{RequiredKeys: required}
	if err := s.supply(p, c, &cfg); err != nil {
		return nil, err
	}
	if s.config.SelfCheck && cfg.Keyring != nil {
		check := newSelfCheck(cfg.Keyring)
		s.mu.Lock()
		s.checks = append(s.checks, check)
		s.mu.Unlock()
		cfg.Keyring = check
	}
	if described, ok := p.Keyring(c.Keyring); ok {
		cfg.MaxWrappedKeys, cfg.Suite = described.MaxWrappedKeys, Suite(p, c.Keyring)
		switch {
		case described.Commitment == "forbid_encrypt_allow_decrypt":
			cfg.Commitment = codec.CommitmentForbidEncryptAllowDecrypt
		case described.Commitment == "require_encrypt_allow_decrypt" || s.config.OlderSuites:
			cfg.Commitment = codec.CommitmentRequireEncryptAllowDecrypt
		}
	}
	return codec.New(cfg)
}

// Suite is the suite that a keyring's columns are written with.
func Suite(p *policy.Policy, keyring string) codec.Suite {
	if described, ok := p.Keyring(keyring); ok {
		if id, err := strconv.ParseUint(described.Suite, 16, 16); err == nil {
			return codec.Suite(id)
		}
	}
	return codec.SuiteCommit
}

// supply sets what gives the column's codec its keys: the keyring set in
// code, or the policy's.
func (s *Set) supply(p *policy.Policy, c policy.Column, cfg *codec.Config) (err error) {
	if inCode, ok := s.config.Keyrings[c.Keyring]; ok {
		cfg.Keyring = inCode
		return nil
	}
	k, err := s.keyring(p, c.Keyring)
	if err != nil {
		return err
	}
	var branch *branchkey.Keyring
	if k.branch != nil {
		if branch, err = k.branch.keyring(c); err != nil {
			return err
		}
	}
	switch {
	case k.writes:
		cfg.Keyring = &fallback{Keyring: branch, branch: branch, value: k.value}
	case k.cached != nil && branch != nil:
		cfg.Materials = &fallbackMaterials{k.cached, codec.DefaultMaterials(branch)}
	case k.cached != nil:
		cfg.Materials = k.cached
	case branch != nil:
		cfg.Keyring = &fallback{Keyring: k.value, branch: branch, value: k.value}
	default:
		cfg.Keyring = k.value
	}
	return nil
}

// Compact returns what gives a column the keys of its compact values, or nil if
// its keyring has no branch keys.
func (s *Set) Compact(p *policy.Policy, c policy.Column) (compact.Keys, error) {
	if inCode, ok := s.config.Keyrings[c.Keyring]; ok {
		keys, _ := inCode.(compact.Keys)
		return keys, nil
	}
	k, err := s.keyring(p, c.Keyring)
	if err != nil || k.branch == nil {
		return nil, err
	}
	return k.branch.keyring(c)
}

// SetInCode reports whether a keyring set in code takes the place of the
// policy's keyring of a name.
func (s *Set) SetInCode(name string) bool {
	_, ok := s.config.Keyrings[name]
	return ok
}

// Local reports whether a keyring opens values in the process, once it is warm,
// and keeps nothing of them.
func (s *Set) Local(p *policy.Policy, name string) bool {
	if s.config.SelfCheck {
		return false
	}
	if inCode, ok := s.config.Keyrings[name]; ok {
		_, raw := inCode.(*rawaes.Keyring)
		return raw
	}
	d, ok := p.Keyring(name)
	if !ok {
		return false
	}
	if d.DataKey.Per == "branch" {
		return true
	}
	from, err := providerOf(d)
	return err == nil && from.local() && d.DataKey.Per != "cached"
}

// BranchKeys returns the branch keys of a policy's keyring.
func (s *Set) BranchKeys(p *policy.Policy, name string) (*branchkey.Keys, error) {
	k, err := s.keyring(p, name)
	if err != nil {
		return nil, err
	}
	if k.branch == nil {
		return nil, fmt.Errorf("%w: keyring %s has no branch keys; write data_key: {per: branch, …}, or per: value with store, ttl and branch_key", fault.ErrPolicy, name)
	}
	return k.branch.keys, nil
}

// keyring returns the policy's keyring of a name.
func (s *Set) keyring(p *policy.Policy, name string) (*keyring, error) {
	d, ok := p.Keyring(name)
	if !ok {
		return nil, fmt.Errorf("%w: there is no keyring %q", fault.ErrPolicy, name)
	}
	d = s.readingKeyring(d)
	from, err := providerOf(d)
	if err != nil {
		return nil, fmt.Errorf("%w: keyring %s: %w", fault.ErrPolicy, name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := fmt.Sprintf("%s %s %+v %s %+v", name, from.describe(d), d.DataKey, p.Region(), p.KMSLimits())
	if k, ok := s.keyrings[key]; ok {
		return k, nil
	}
	k, err := s.make(from, p, d)
	if err != nil {
		return nil, fmt.Errorf("%w: keyring %s: %w", fault.ErrPolicy, name, err)
	}
	s.keyrings[key] = k
	return k, nil
}

// readingKeyring is a keyring of the KMS keys of Config.ReadKeys in the place of
// d, or d if there are none.
func (s *Set) readingKeyring(d policy.Keyring) policy.Keyring {
	if s.config.ReadKeys == nil {
		return d
	}
	kms := &policy.KMS{ARNs: s.config.ReadKeys, MinWrappings: 1, CrossRegionReads: policy.Allow}
	return policy.Keyring{Name: d.Name, KMS: kms, DataKey: policy.DataKey{Per: "value"}, MaxWrappedKeys: d.MaxWrappedKeys, Suite: d.Suite, Commitment: d.Commitment}
}

// make builds a keyring. It must be called under the lock.
func (s *Set) make(from provider, p *policy.Policy, d policy.Keyring) (*keyring, error) {
	k := &keyring{name: d.Name, writes: d.DataKey.Per == "branch"}
	var err error
	if d.DataKey.HasBranchKeys() {
		if k.branch, err = s.makeBranch(from, p, d); err != nil {
			return nil, err
		}
	}
	if k.value, err = from.keyring(s, p, d); err != nil || d.DataKey.Per != "cached" {
		return k, err
	}
	k.cached, err = cache.New(cache.Config{Keyring: k.value, MaxAge: d.DataKey.MaxAge, MaxMessages: d.DataKey.MaxMessages,
		MaxBytes: d.DataKey.MaxBytes, Capacity: int(d.DataKey.Capacity)})
	return k, err
}
