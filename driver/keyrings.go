package driver

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/codec/rawaes"
	"github.com/sealsql/sealsql/policy"
)

// keys makes keyrings and codecs from a policy. A keyring that a new policy
// leaves as it was is kept, and with it what it knows of Regions that are down.
type keys struct {
	settings *settings
	counters *counters
	alerts   *dispatcher

	mu    sync.Mutex
	aws   *aws.Config
	rings map[string]codec.Keyring // by description
}

func newKeys(s *settings, c *counters) *keys {
	return &keys{settings: s, counters: c, rings: map[string]codec.Keyring{}}
}

// close forgets the keyrings. Data keys live only while a value is sealed or opened.
func (k *keys) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.rings)
}

// notYet is the error for what a policy may say and this version cannot do.
func notYet(what string) error {
	return fmt.Errorf("%w: %s is not supported yet", ErrPolicy, what)
}

// codec returns the codec of a column.
func (k *keys) codec(p *policy.Policy, c policy.Column, required []string) (*codec.Codec, error) {
	ring, err := k.keyring(p, c.Keyring)
	if err != nil {
		return nil, err
	}
	cfg := codec.Config{Keyring: ring, RequiredKeys: required}
	if described, ok := p.Keyring(c.Keyring); ok {
		cfg.MaxWrappedKeys, cfg.Suite = described.MaxWrappedKeys, suiteOf(p, c.Keyring)
		if described.Commitment == "require_encrypt_allow_decrypt" || k.settings.olderSuites {
			cfg.Commitment = codec.CommitmentRequireEncryptAllowDecrypt
		}
	}
	return codec.New(cfg)
}

// suiteOf is the suite that a keyring's columns are written with.
func suiteOf(p *policy.Policy, keyring string) codec.Suite {
	if described, ok := p.Keyring(keyring); ok && described.Suite == "0578" {
		return codec.SuiteCommitSigned
	}
	return codec.SuiteCommit
}

// keyring returns the keyring of a name: the one set in code, or the policy's.
func (k *keys) keyring(p *policy.Policy, name string) (codec.Keyring, error) {
	if ring, ok := k.settings.keyrings[name]; ok {
		return ring, nil
	}
	described, ok := p.Keyring(name)
	if !ok {
		return nil, fmt.Errorf("%w: there is no keyring %q", ErrPolicy, name)
	}
	if k.settings.readKeys != nil {
		described = readingKeyring(described, k.settings.readKeys)
	}
	if per := described.DataKey.Per; per != "value" {
		return nil, notYet("data_key: {per: " + per + "} of keyring " + name)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	key := fmt.Sprintf("%s %+v %+v %s", name, described.KMS, described.RawAES, p.Region())
	if ring, ok := k.rings[key]; ok {
		return ring, nil
	}
	ring, err := k.make(p, described)
	if err != nil {
		return nil, fmt.Errorf("%w: keyring %s: %w", ErrPolicy, name, err)
	}
	k.rings[key] = ring
	return ring, nil
}

func (k *keys) make(p *policy.Policy, d policy.Keyring) (codec.Keyring, error) {
	if d.RawAES != nil {
		key, err := base64.StdEncoding.DecodeString(os.Getenv(d.RawAES.KeyEnv))
		if err != nil || len(key) == 0 {
			return nil, fmt.Errorf("the environment variable %s does not hold a key in base64", d.RawAES.KeyEnv)
		}
		return rawaes.New(d.RawAES.Namespace, d.RawAES.Name, key)
	}
	cfg, err := k.awsConfig()
	if err != nil {
		return nil, err
	}
	region := p.Region()
	if region == "" {
		region = cfg.Region
	}
	name := d.Name
	return awskms.New(awskms.Config{
		Keys: d.KMS.ARNs, ReadKeys: d.KMS.ReadARNs, Region: region, Client: awskms.Clients(cfg),
		Degrade: d.KMS.Degrade, MinWrappings: d.KMS.MinWrappings, LocalOnly: d.KMS.CrossRegionReads == policy.Deny,
		OnCall: func(c awskms.Call) {
			k.counters.kms.add(c)
			k.alerts.observe(context.Background(), KMSCall{c.Region, c.Operation, c.Outcome}, c.Duration)
		},
		OnMissing: func(ctx context.Context, key awskms.ARN, _ error) { k.missing(ctx, name, key) },
	})
}

// missing reports a wrapping that a value was written without.
func (k *keys) missing(ctx context.Context, keyring string, key awskms.ARN) {
	k.counters.missed(key.Region)
	e := Event{Kind: EventWrappingMissing, Region: key.Region}
	f, _ := ctx.Value(sealing{}).(*finding)
	if f != nil {
		e.Table, e.Column = f.col.table, f.col.name
	}
	k.alerts.raise(ctx, e, func(e *Event) {
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
