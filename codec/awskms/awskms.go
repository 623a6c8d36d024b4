// Package awskms is a keyring whose wrapping keys are AWS KMS keys
// (framework/aws-kms of the AWS Encryption SDK specification: the strict and the
// multi-Region-key aware keyrings, for one key or several).
//
// A data key is made by the wrapping key of the process's Region and wrapped
// by the others, all bound to the whole encryption context. Reading tries the process's
// own Region first. Every call keeps to the caller's deadline; what KMS says is
// told apart by package codec's sentinels, and no key, context or plaintext is ever in an error.
package awskms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealsql/sealsql/codec"
)

const providerID = "aws-kms"

// Config describes a keyring.
type Config struct {
	// Keys are the ARNs of the wrapping keys, one of each Region or more.
	Keys []string
	// Region is the process's Region: its key makes data keys and is tried
	// first on reads. Empty, or a Region without a key, means the first key.
	Region string
	// Client returns the client of a Region; it is called once for each.
	Client func(region string) Client
	// Degrade lets a write go on with the wrappings that could be made, at
	// least MinWrappings of them, when a Region cannot be used; without it the write fails.
	Degrade      bool
	MinWrappings int
	// LocalOnly keeps reads from KMS in other Regions.
	LocalOnly bool
	// GrantTokens are passed with every call.
	GrantTokens []string
	// AttemptTimeout bounds one call; zero means two seconds. The caller's
	// deadline bounds all of them.
	AttemptTimeout time.Duration
	// OnCall, if set, is told of each call of KMS. OnMissing is told of each
	// wrapping that a degraded write went without. Both must return at once.
	OnCall    func(Call)
	OnMissing func(ctx context.Context, key ARN, cause error)
}

// Clients returns a Config.Client that makes the SDK's clients from cfg. A call
// is tried three times at most, with pauses of up to 200 ms, unless cfg sets a
// Retryer of its own: the SDK's default pauses are longer than a query waits.
func Clients(cfg aws.Config) func(region string) Client {
	return func(region string) Client {
		return kms.NewFromConfig(cfg, func(o *kms.Options) {
			o.Region = region
			if cfg.Retryer == nil {
				o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) { r.MaxAttempts, r.MaxBackoff = 3, 200*time.Millisecond })
			}
		})
	}
}

// Keyring wraps data keys under KMS keys. It is safe for concurrent use.
type Keyring struct {
	config  Config
	keys    []ARN // the process's Region first
	clients map[string]Client

	mu       sync.Mutex
	breakers map[string]*breaker
}

var _ codec.Keyring = (*Keyring)(nil)

// New checks the configuration and returns a keyring. KMS is not called.
func New(c Config) (*Keyring, error) {
	if len(c.Keys) == 0 || c.Client == nil {
		return nil, errors.New("awskms: a keyring needs Keys and Client")
	}
	k := &Keyring{config: c, clients: map[string]Client{}, breakers: map[string]*breaker{}}
	for _, s := range c.Keys {
		arn, err := ParseARN(s)
		if err != nil {
			return nil, err
		}
		for _, other := range k.keys {
			if arn.Matches(other) {
				return nil, fmt.Errorf("awskms: %s and %s are the same or related multi-Region keys; name one of them, any replica reads what it wrapped", other, arn)
			}
		}
		k.keys = append(k.keys, arn)
	}
	slices.SortStableFunc(k.keys, func(a, b ARN) int { return rank(a, c.Region) - rank(b, c.Region) })
	for i, key := range k.keys {
		if i == 0 && c.Region != "" && key.MultiRegion() && len(k.keys) == 1 && key.Region != c.Region {
			k.keys[0].Region = c.Region // the replica in the process's own Region
			key = k.keys[0]
		}
		if k.clients[key.Region] == nil {
			k.clients[key.Region] = c.Client(key.Region)
		}
	}
	if k.config.MinWrappings <= 0 {
		k.config.MinWrappings = 1
	}
	if k.config.AttemptTimeout <= 0 {
		k.config.AttemptTimeout = 2 * time.Second
	}
	return k, nil
}

func rank(a ARN, region string) int {
	if a.Region == region {
		return 0
	}
	return 1
}

func (k *Keyring) breaker(region string) *breaker {
	k.mu.Lock()
	defer k.mu.Unlock()
	b := k.breakers[region]
	if b == nil {
		b = &breaker{now: time.Now, pause: time.Second}
		k.breakers[region] = b
	}
	return b
}

// Down reports whether calls to the Region are held back because they failed.
func (k *Keyring) Down(region string) bool { return k.breaker(region).down() }

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
		wg.Go(func() { wrapped[i], missing[i] = k.wrap(ctx, k.keys[i], m) })
	}
	wg.Wait()
	for _, w := range wrapped {
		if w != nil {
			m.WrappedKeys = append(m.WrappedKeys, *w)
		}
	}
	return k.judge(ctx, m, missing)
}

// generate makes the data key under the first wrapping key that can.
func (k *Keyring) generate(ctx context.Context, m *codec.EncryptionMaterials, missing []error) (int, error) {
	for i, key := range k.keys {
		out, err := guarded(ctx, k, key, "GenerateDataKey", func(ctx context.Context) (*kms.GenerateDataKeyOutput, error) {
			return k.clients[key.Region].GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: aws.String(key.String()),
				NumberOfBytes: aws.Int32(int32(m.Suite.KeyLength())), EncryptionContext: m.Context, GrantTokens: k.config.GrantTokens})
		})
		if err == nil {
			m.DataKey = codec.NewDataKey(out.Plaintext)
			if len(out.Plaintext) == m.Suite.KeyLength() && k.names(key, out.KeyId) && len(out.CiphertextBlob) > 0 {
				m.WrappedKeys = append(m.WrappedKeys, codec.WrappedKey{ProviderID: providerID, ProviderInfo: []byte(*out.KeyId), Ciphertext: out.CiphertextBlob})
				return i, nil
			}
			m.DataKey.Zero()
			m.DataKey = codec.DataKey{}
			err = failed(codec.ErrKeyUnavailable, "GenerateDataKey", key, "the answer is not one of the key asked for", nil)
		}
		if missing[i] = err; !k.config.Degrade || ctx.Err() != nil {
			return 0, err
		}
	}
	return 0, missing[0]
}

// names reports whether KMS answered with the key that was asked for.
func (k *Keyring) names(key ARN, answer *string) bool {
	return answer != nil && *answer == key.String()
}

func (k *Keyring) wrap(ctx context.Context, key ARN, m *codec.EncryptionMaterials) (*codec.WrappedKey, error) {
	out, err := guarded(ctx, k, key, "Encrypt", func(ctx context.Context) (*kms.EncryptOutput, error) {
		return k.clients[key.Region].Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String(key.String()), Plaintext: m.DataKey.Bytes(),
			EncryptionContext: m.Context, GrantTokens: k.config.GrantTokens})
	})
	switch {
	case err != nil:
		return nil, err
	case !k.names(key, out.KeyId) || len(out.CiphertextBlob) == 0:
		return nil, failed(codec.ErrKeyUnavailable, "Encrypt", key, "the answer is not one of the key asked for", nil)
	}
	return &codec.WrappedKey{ProviderID: providerID, ProviderInfo: []byte(*out.KeyId), Ciphertext: out.CiphertextBlob}, nil
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

// candidates lists what can be tried, in the order of the keyring's keys.
func (k *Keyring) candidates(keys []codec.WrappedKey) ([]candidate, error) {
	var list []candidate
	for _, own := range k.keys {
		for _, w := range keys {
			if w.ProviderID != providerID {
				continue
			}
			arn, err := ParseARN(string(w.ProviderInfo))
			if err != nil {
				return nil, &codec.Error{Kind: codec.ErrTampered, Op: "decrypt", What: "a wrapped key names no KMS key", Offset: -1}
			}
			if own.Matches(arn) {
				list = append(list, candidate{own, w.Ciphertext})
			}
		}
	}
	if len(list) == 0 {
		return nil, &codec.Error{Kind: codec.ErrUnknownKey, Op: "decrypt", Offset: -1}
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
	for _, c := range list {
		if k.config.LocalOnly && c.key.Region != k.keys[0].Region {
			errs = append(errs, failed(codec.ErrKeyUnavailable, "Decrypt", c.key, "the policy denies reads across Regions", nil))
			continue
		}
		key, err := k.unwrap(ctx, c, m)
		if err == nil {
			m.DataKey = key
			return nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil || errors.Is(err, codec.ErrUnwrap) {
			break // another Region cannot know better
		}
	}
	return worst(errs)
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

func (k *Keyring) unwrap(ctx context.Context, c candidate, m *codec.DecryptionMaterials) (codec.DataKey, error) {
	out, err := guarded(ctx, k, c.key, "Decrypt", func(ctx context.Context) (*kms.DecryptOutput, error) {
		return k.clients[c.key.Region].Decrypt(ctx, &kms.DecryptInput{KeyId: aws.String(c.key.String()), CiphertextBlob: c.blob,
			EncryptionContext: m.Context, GrantTokens: k.config.GrantTokens})
	})
	if err != nil {
		return codec.DataKey{}, err
	}
	key := codec.NewDataKey(out.Plaintext)
	if !k.names(c.key, out.KeyId) || key.Len() != m.Suite.KeyLength() {
		key.Zero()
		return codec.DataKey{}, failed(codec.ErrUnwrap, "Decrypt", c.key, "the answer is not one of the key asked for", nil)
	}
	return key, nil
}
