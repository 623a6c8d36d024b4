// Package awskms is a keyring whose wrapping keys are AWS KMS keys
// (framework/aws-kms of the AWS Encryption SDK specification: the strict and the
// multi-Region-key aware keyrings, for one key or several).
//
// A data key is made by the wrapping key of the process's Region and wrapped
// by the others, all bound to the whole encryption context. Reading tries the process's
// own Region first. Every call keeps to the caller's deadline. Errors wrap
// package codec's sentinels and never hold a key, a context or a plaintext.
package awskms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/internal/keyservice"
)

// ProviderID is the provider id of data keys that are wrapped by KMS.
const ProviderID = "aws-kms"

// Config describes a keyring.
type Config struct {
	// Keys are the ARNs of the wrapping keys, one of each Region or more.
	Keys []string
	// ReadKeys are the ARNs of keys under which values may still be wrapped:
	// they are asked to open, after Keys, and nothing is written under them.
	ReadKeys []string
	// Region is the process's Region: its key makes data keys and is tried
	// first on reads. Empty, or a Region without a key, means the first key.
	Region string
	// Shield carries the calls of KMS; share one between all
	// keyrings of a process. Without it the keyring makes one of its own from
	// Client, AttemptTimeout and OnCall, which are not looked at otherwise.
	Shield *Shield
	// Client returns the client of a Region; it is called once for each.
	Client func(region string) Client
	// Degrade lets a write go on with the wrappings that could be made, at
	// least MinWrappings of them (zero means one), when a Region cannot be used;
	// without it the write fails.
	Degrade      bool
	MinWrappings int
	// LocalOnly keeps reads from KMS in other Regions.
	LocalOnly bool
	// GrantTokens are passed with every call.
	GrantTokens []string
	// AttemptTimeout and OnCall are those of [ShieldConfig].
	AttemptTimeout time.Duration
	OnCall         func(Call)
	// OnMissing is told of each wrapping that a degraded write went without. It
	// must return at once.
	OnMissing func(ctx context.Context, key ARN, cause error)
}

// Keyring wraps data keys under KMS keys. It is safe for concurrent use.
type Keyring struct {
	config Config
	keys   []ARN // the process's Region first
	reads  []ARN // keys, then those that only read
	shield *Shield

	lastBlob atomic.Int32 // index of the key that opened the last blob
}

var _ codec.Keyring = (*Keyring)(nil)

// New checks the configuration and returns a keyring. KMS is not called.
func New(c Config) (*Keyring, error) {
	keys, err := resolve(c.Keys, c.Region)
	if err != nil {
		return nil, err
	}
	reads, err := resolve(append(slices.Clone(c.Keys), c.ReadKeys...), "")
	if err != nil {
		return nil, err
	}
	k := &Keyring{config: c, keys: keys, reads: append(slices.Clone(keys), reads[len(keys):]...), shield: c.Shield}
	if k.shield == nil {
		if k.shield, err = NewShield(ShieldConfig{Client: c.Client, AttemptTimeout: c.AttemptTimeout, OnCall: c.OnCall}); err != nil {
			return nil, err
		}
	}
	if k.config.MinWrappings <= 0 {
		k.config.MinWrappings = 1
	}
	return k, nil
}

// resolve reads the ARNs of a keyring's keys and puts that of the process's
// Region first; one multi-Region key alone stands for its replica there.
func resolve(arns []string, region string) ([]ARN, error) {
	if len(arns) == 0 {
		return nil, errors.New("awskms: a keyring needs Keys")
	}
	var keys []ARN
	for _, s := range arns {
		arn, err := ParseARN(s)
		if err != nil {
			return nil, err
		}
		for _, other := range keys {
			if arn.Matches(other) {
				return nil, fmt.Errorf("awskms: %s and %s are the same or related multi-Region keys; name one of them, any replica reads what it wrapped", other, arn)
			}
		}
		keys = append(keys, arn)
	}
	if len(keys) == 1 && region != "" && keys[0].MultiRegion() {
		keys[0].Region = region
	}
	slices.SortStableFunc(keys, func(a, b ARN) int { return rank(a, region) - rank(b, region) })
	return keys, nil
}

func rank(a ARN, region string) int {
	if a.Region == region {
		return 0
	}
	return 1
}

// Down reports whether calls to the Region are held back because they failed.
func (k *Keyring) Down(region string) bool { return k.shield.Down(region) }

// OnEncrypt implements [codec.Keyring].
func (k *Keyring) OnEncrypt(ctx context.Context, m *codec.EncryptionMaterials) error {
	missing := make([]error, len(k.keys))
	first := 0
	if m.DataKey.Len() == 0 {
		var err error
		if first, err = k.generate(ctx, m, missing); err != nil {
			return err
		}
	}
	wrapped := make([]*codec.WrappedKey, len(k.keys))
	var wg sync.WaitGroup
	for i := range k.keys {
		if len(m.WrappedKeys) > 0 && i == first || missing[i] != nil {
			continue
		}
		wg.Go(func() {
			wrapped[i], missing[i] = k.wrap(ctx, k.keys[i], m, k.config.Degrade && len(k.keys) > k.config.MinWrappings)
		})
	}
	wg.Wait()
	made := len(m.WrappedKeys)
	for _, w := range wrapped {
		if w != nil {
			made++
		}
	}
	// Too few: a Region that throttles is waited for after all.
	for i, err := range missing {
		if made < k.config.MinWrappings && errors.Is(err, codec.ErrKeyThrottled) {
			if wrapped[i], missing[i] = k.wrap(ctx, k.keys[i], m, false); missing[i] == nil {
				made++
			}
		}
	}
	for _, w := range wrapped {
		if w != nil {
			m.WrappedKeys = append(m.WrappedKeys, *w)
		}
	}
	return k.judge(ctx, m, missing)
}

// generate makes the data key under the first wrapping key that can. If none
// can at once, Regions that throttle or are slow are waited for.
func (k *Keyring) generate(ctx context.Context, m *codec.EncryptionMaterials, missing []error) (int, error) {
	for _, round := range []int{1, 2} {
		for i, key := range k.keys {
			if round == 2 && !errors.Is(missing[i], codec.ErrKeyUnavailable) {
				continue
			}
			// Whoever is asked last has to answer.
			out, err := k.shield.generate(ctx, key, m.Suite.KeyLength(), m.Context, k.config.GrantTokens, round == 1 && k.config.Degrade && len(k.keys)-i-1 >= k.config.MinWrappings)
			if err == nil {
				m.DataKey, missing[i] = codec.NewDataKey(out.Plaintext), nil
				m.WrappedKeys = append(m.WrappedKeys, codec.WrappedKey{ProviderID: ProviderID, ProviderInfo: []byte(*out.KeyId), Ciphertext: out.CiphertextBlob})
				return i, nil
			}
			if missing[i] = err; !k.config.Degrade || ctx.Err() != nil {
				return 0, err
			}
		}
		if len(k.keys) == 1 {
			break // it was waited for
		}
	}
	return 0, missing[0]
}

func (k *Keyring) wrap(ctx context.Context, key ARN, m *codec.EncryptionMaterials, alternative bool) (*codec.WrappedKey, error) {
	out, err := k.shield.encrypt(ctx, key, m.DataKey, m.Context, k.config.GrantTokens, alternative)
	if err != nil {
		return nil, err
	}
	return &codec.WrappedKey{ProviderID: ProviderID, ProviderInfo: []byte(key.String()), Ciphertext: out}, nil
}

// judge decides whether the wrappings that were made are enough.
func (k *Keyring) judge(ctx context.Context, m *codec.EncryptionMaterials, missing []error) error {
	for _, err := range missing {
		if err != nil && (!k.config.Degrade || len(m.WrappedKeys) < k.config.MinWrappings || !errors.Is(err, codec.ErrKeyUnavailable)) {
			return err
		}
	}
	for i, err := range missing {
		if err != nil && k.config.OnMissing != nil {
			k.config.OnMissing(ctx, k.keys[i], err)
		}
	}
	return nil
}

// candidate is a wrapped key that one of the keyring's keys may unwrap.
type candidate struct {
	key  ARN
	blob []byte
}

// candidates lists the wrapped keys that can be tried, in the order of the keyring's
// keys.
func (k *Keyring) candidates(keys []codec.WrappedKey) ([]candidate, error) {
	var list []candidate
	for _, own := range k.reads {
		for _, w := range keys {
			if w.ProviderID != ProviderID {
				continue
			}
			arn, err := ParseARN(string(w.ProviderInfo))
			if err != nil {
				return nil, &codec.Error{Kind: codec.ErrTampered, Op: "decrypt", What: "a wrapped key names no KMS key"}
			}
			if own.Matches(arn) {
				list = append(list, candidate{own, w.Ciphertext})
			}
		}
	}
	if len(list) == 0 {
		return nil, &codec.Error{Kind: codec.ErrUnknownKey, Op: "decrypt"}
	}
	return list, nil
}

// OnDecrypt implements [codec.Keyring].
func (k *Keyring) OnDecrypt(ctx context.Context, m *codec.DecryptionMaterials, keys []codec.WrappedKey) error {
	list, err := k.candidates(keys)
	if err != nil {
		return err
	}
	var errs []error
	if k.config.LocalOnly {
		list = slices.DeleteFunc(list, func(c candidate) bool {
			if c.key.Region != k.keys[0].Region {
				errs = append(errs, failed(codec.ErrKeyUnavailable, "Decrypt", c.key, "the policy denies reads across Regions", nil))
				return true
			}
			return false
		})
	}
	if len(list) == 1 {
		key, err := k.unwrap(ctx, list[0], m, false)
		if m.DataKey = key; err != nil {
			return worst(append(errs, err))
		}
		return nil
	}
	m.DataKey, err = k.unwrapHedged(ctx, list, m, errs)
	// No Region can at once: those that throttle or are slow are waited for.
	for i := 0; i < len(list) && errors.Is(err, codec.ErrKeyUnavailable) && ctx.Err() == nil; i++ {
		if key, again := k.unwrap(ctx, list[i], m, false); again == nil {
			m.DataKey, err = key, nil
		}
	}
	return err
}

// unwrapHedged asks the Regions one after the other: the next one when one has
// failed or is slow. The first key counts.
func (k *Keyring) unwrapHedged(ctx context.Context, list []candidate, m *codec.DecryptionMaterials, errs []error) (codec.DataKey, error) {
	// A little after the Region's strike, so that it counts as slow before its
	// call is given up.
	patience := k.shield.service.Config().SlowRead * 11 / 10
	ask := func(ctx context.Context, i int, more bool) (codec.DataKey, error) {
		return k.unwrap(ctx, list[i], m, more)
	}
	final := func(err error) bool { return errors.Is(err, codec.ErrUnwrap) } // another Region cannot know better
	key, more := keyservice.Hedge(ctx, len(list), patience, ask, codec.DataKey.Zero, final)
	if len(more) > 0 {
		return codec.DataKey{}, worst(append(errs, more...))
	}
	return key, nil
}

// worst picks the error that says most.
func worst(errs []error) error {
	for _, kind := range []error{codec.ErrUnwrap, codec.ErrKeyDenied} {
		for _, err := range errs {
			if errors.Is(err, kind) {
				return err
			}
		}
	}
	return errs[0]
}

func (k *Keyring) unwrap(ctx context.Context, c candidate, m *codec.DecryptionMaterials, alternative bool) (codec.DataKey, error) {
	key, err := k.shield.unwrap(ctx, c.key, c.blob, m.Context, k.config.GrantTokens, alternative)
	if err == nil && key.Len() != m.Suite.KeyLength() {
		key.Zero()
		return codec.DataKey{}, wrongAnswer(codec.ErrUnwrap, "Decrypt", c.key)
	}
	return key, err
}
