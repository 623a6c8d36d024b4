package driver

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/codec/cache"
	"github.com/sealsql/sealsql/codec/rawaes"
	"github.com/sealsql/sealsql/policy"
)

// keys makes keyrings and codecs from a policy. A keyring that a new policy
// leaves as it was is kept, and with it its caches and what it knows of Regions that
// are down.
type keys struct {
	settings *settings
	counters *alert.Counters
	alerts   *alert.Dispatcher
	dialect  string
	db       *sql.DB // of the base driver, for key stores; nil if there is none

	mu     sync.Mutex
	aws    *aws.Config
	shield *awskms.Shield
	limits policy.KMSLimits // of the shield
	// shields are all there were: keyrings of an older policy call through theirs.
	shields []*awskms.Shield
	rings   map[string]*ring // by description
	recalls []*recall
}

func newKeys(s *settings, c *alert.Counters, cat *catalog) *keys {
	return &keys{settings: s, counters: c, dialect: cat.server.Name(), db: cat.db, rings: map[string]*ring{}}
}

// close zeroes the keys that are kept and ends what runs in the background.
func (k *keys) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range k.rings {
		r.close()
	}
	clear(k.rings)
	for _, r := range k.recalls {
		r.close()
	}
	for _, s := range k.shields {
		s.Close()
	}
}

// ring is a keyring of the policy at work.
type ring struct {
	name   string
	plain  codec.Keyring    // a data key for each value
	cached *cache.Materials // over plain; may be nil
	branch *branchRing      // may be nil
	writes bool             // branch does; else it only opens
}

func (r *ring) close() {
	if r.cached != nil {
		_ = r.cached.Close() // it never fails
	}
	if r.branch != nil {
		r.branch.cache.Close()
	}
}

// codec returns the codec of a column.
func (k *keys) codec(p *policy.Policy, c policy.Column, required []string) (*codec.Codec, error) {
	cfg := codec.Config{RequiredKeys: required}
	if err := k.supply(p, c, &cfg); err != nil {
		return nil, err
	}
	if k.settings.recall && cfg.Keyring != nil {
		r := newRecall(cfg.Keyring)
		k.mu.Lock()
		k.recalls = append(k.recalls, r)
		k.mu.Unlock()
		cfg.Keyring = r
	}
	if described, ok := p.Keyring(c.Keyring); ok {
		cfg.MaxWrappedKeys, cfg.Suite = described.MaxWrappedKeys, suiteOf(p, c.Keyring)
		switch {
		case described.Commitment == "forbid_encrypt_allow_decrypt":
			cfg.Commitment = codec.CommitmentForbidEncryptAllowDecrypt
		case described.Commitment == "require_encrypt_allow_decrypt" || k.settings.olderSuites:
			cfg.Commitment = codec.CommitmentRequireEncryptAllowDecrypt
		}
	}
	return codec.New(cfg)
}

// suiteOf is the suite that a keyring's columns are written with.
func suiteOf(p *policy.Policy, keyring string) codec.Suite {
	if described, ok := p.Keyring(keyring); ok {
		if id, err := strconv.ParseUint(described.Suite, 16, 16); err == nil {
			return codec.Suite(id)
		}
	}
	return codec.SuiteCommit
}

// supply sets what gives the column's codec its keys: the keyring set in
// code, or the policy's.
func (k *keys) supply(p *policy.Policy, c policy.Column, cfg *codec.Config) (err error) {
	if own, ok := k.settings.keyrings[c.Keyring]; ok {
		cfg.Keyring = own
		return nil
	}
	r, err := k.ring(p, c.Keyring)
	if err != nil {
		return err
	}
	var branch *branchkey.Keyring
	if r.branch != nil {
		if branch, err = r.branch.keyring(c); err != nil {
			return err
		}
	}
	switch {
	case r.writes:
		cfg.Keyring = &either{Keyring: branch, branch: branch, plain: r.plain}
	case r.cached != nil && branch != nil:
		cfg.Materials = &cachedOrBranch{r.cached, codec.DefaultMaterials(branch)}
	case r.cached != nil:
		cfg.Materials = r.cached
	case branch != nil:
		cfg.Keyring = &either{Keyring: r.plain, branch: branch, plain: r.plain}
	default:
		cfg.Keyring = r.plain
	}
	return nil
}

// local reports whether a keyring opens values in the process, once it is warm,
// and keeps nothing of them.
func (k *keys) local(p *policy.Policy, name string) bool {
	if own, ok := k.settings.keyrings[name]; ok {
		_, raw := own.(*rawaes.Keyring)
		return raw && !k.settings.recall
	}
	d, ok := p.Keyring(name)
	return ok && !k.settings.recall && (d.DataKey.Per == "branch" || d.RawAES != nil && d.DataKey.Per != "cached")
}

// ring returns the policy's keyring of a name.
func (k *keys) ring(p *policy.Policy, name string) (*ring, error) {
	d, ok := p.Keyring(name)
	if !ok {
		return nil, fmt.Errorf("%w: there is no keyring %q", ErrPolicy, name)
	}
	if k.settings.readKeys != nil {
		d = readingKeyring(d, k.settings.readKeys)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	key := fmt.Sprintf("%s %+v %+v %+v %s %+v", name, d.KMS, d.RawAES, d.DataKey, p.Region(), p.KMSLimits())
	if r, ok := k.rings[key]; ok {
		return r, nil
	}
	r, err := k.make(p, d)
	if err != nil {
		return nil, fmt.Errorf("%w: keyring %s: %w", ErrPolicy, name, err)
	}
	k.rings[key] = r
	return r, nil
}

func (k *keys) make(p *policy.Policy, d policy.Keyring) (*ring, error) {
	r := &ring{name: d.Name, writes: d.DataKey.Per == "branch"}
	var err error
	if d.DataKey.HasBranchKeys() {
		if r.branch, err = k.makeBranch(p, d); err != nil {
			return nil, err
		}
	}
	if r.plain, err = k.makePlain(p, d); err != nil || d.DataKey.Per != "cached" {
		return r, err
	}
	r.cached, err = cache.New(cache.Config{Keyring: r.plain, MaxAge: d.DataKey.MaxAge, MaxMessages: d.DataKey.MaxMessages,
		MaxBytes: d.DataKey.MaxBytes, Capacity: int(d.DataKey.Capacity)})
	return r, err
}

func (k *keys) makePlain(p *policy.Policy, d policy.Keyring) (codec.Keyring, error) {
	if d.RawAES != nil {
		key, err := rawKey(d.RawAES)
		if err != nil {
			return nil, err
		}
		return rawaes.New(d.RawAES.Namespace, d.RawAES.Name, key)
	}
	shield, region, err := k.kms(p)
	if err != nil {
		return nil, err
	}
	return awskms.New(awskms.Config{
		Keys: d.KMS.ARNs, ReadKeys: d.KMS.ReadARNs, Region: region, Shield: shield,
		Degrade: d.KMS.Degrade, MinWrappings: d.KMS.MinWrappings, LocalOnly: d.KMS.CrossRegionReads == policy.Deny,
		OnMissing: func(ctx context.Context, key awskms.ARN, _ error) { k.missing(ctx, d.Name, key) },
	})
}

func rawKey(r *policy.RawAES) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(os.Getenv(r.KeyEnv))
	if err != nil || len(key) == 0 {
		return nil, fmt.Errorf("the environment variable %s does not hold a key in base64", r.KeyEnv)
	}
	return key, nil
}

// kms returns the shield that all keyrings share, and the process's Region.
func (k *keys) kms(p *policy.Policy) (*awskms.Shield, string, error) {
	cfg, err := k.awsConfig()
	if err != nil {
		return nil, "", err
	}
	region := p.Region()
	if region == "" {
		region = cfg.Region
	}
	if limits := p.KMSLimits(); k.shield == nil || k.limits != limits {
		k.limits = limits
		count := func(c awskms.Call) {
			call := alert.KMSCall{Region: c.Region, Operation: c.Operation, Outcome: c.Outcome}
			k.counters.KMSCall(call, c.Attempt, c.Duration)
			k.alerts.Observe(context.Background(), call, c.Duration)
		}
		k.shield, err = awskms.NewShield(awskms.ShieldConfig{Client: awskms.Clients(cfg),
			CallsPerSecond: limits.CallsPerSecond, MaxInFlight: limits.MaxInFlight, OnCall: count, OnProbe: count})
		if err != nil {
			return nil, "", err
		}
		k.shields = append(k.shields, k.shield)
	}
	return k.shield, region, nil
}

// missing reports a wrapping that a value was written without.
func (k *keys) missing(ctx context.Context, keyring string, key awskms.ARN) {
	k.counters.WrappingMissing(key.Region)
	e := alert.Event{Kind: alert.WrappingMissing, Region: key.Region}
	f, _ := ctx.Value(sealing{}).(*finding)
	if f != nil {
		e.Table, e.Column = f.col.table, f.col.name
	}
	k.alerts.Raise(ctx, e, func(e *alert.Event) {
		e.KeyARN, e.Err = key.String(), "a value was written without this wrapping (keyring "+keyring+")"
		if f != nil {
			f.describe(e)
		}
	})
}

// sealing is the key under which a context carries the [finding] that says
// which value is being sealed.
type sealing struct{}

// awsSettings is awsConfig for sinks.
func (k *keys) awsSettings() (aws.Config, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.awsConfig()
}

// awsConfig is the one set in code, or that of the AWS SDK's standard sources.
func (k *keys) awsConfig() (aws.Config, error) {
	if k.settings.aws != nil {
		return *k.settings.aws, nil
	}
	if k.aws == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return aws.Config{}, fmt.Errorf("the AWS configuration cannot be read: %w", err)
		}
		k.aws = &cfg
	}
	return *k.aws, nil
}
