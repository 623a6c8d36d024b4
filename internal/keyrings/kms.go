package keyrings

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/policy"
)

// kmsProvider builds keyrings over keys of AWS KMS.
type kmsProvider struct{}

func (kmsProvider) serves(d policy.Keyring) bool { return d.KMS != nil }
func (kmsProvider) local() bool                  { return false }

func (kmsProvider) describe(d policy.Keyring) string { return fmt.Sprintf("kms %+v", *d.KMS) }

func (kmsProvider) keyring(s *Set, p *policy.Policy, d policy.Keyring) (codec.Keyring, error) {
	shield, region, err := s.shield(p)
	if err != nil {
		return nil, err
	}
	return awskms.New(awskms.Config{
		Keys: d.KMS.ARNs, ReadKeys: d.KMS.ReadARNs, Region: region, Shield: shield,
		Degrade: d.KMS.Degrade, MinWrappings: d.KMS.MinWrappings, LocalOnly: d.KMS.CrossRegionReads == policy.Deny,
		OnMissing: func(ctx context.Context, key awskms.ARN, _ error) {
			s.config.Counters.WrappingMissing(key.Region)
			s.config.OnMissing(ctx, Missing{Keyring: d.Name, Region: key.Region, KeyARN: key.String()})
		},
	})
}

func (kmsProvider) wrapper(s *Set, p *policy.Policy, d policy.Keyring) (branchkey.KMS, error) {
	shield, region, err := s.shield(p)
	if err != nil {
		return nil, err
	}
	return awskms.NewWrapper(awskms.WrapperConfig{Shield: shield, Keys: d.KMS.ARNs, ReadKeys: d.KMS.ReadARNs, Region: region,
		LocalOnly: d.KMS.CrossRegionReads == policy.Deny})
}

// kmsState is what all keyrings over KMS share.
type kmsState struct {
	aws    *aws.Config // once it was read
	shield *awskms.Shield
	limits policy.KMSLimits // of the shield
	// shields are all there were: keyrings of an older policy call through theirs.
	shields []*awskms.Shield
}

func (k *kmsState) close() {
	for _, s := range k.shields {
		s.Close()
	}
}

// shield returns the shield that all keyrings share, and the process's Region.
func (s *Set) shield(p *policy.Policy) (*awskms.Shield, string, error) {
	cfg, err := s.awsConfig()
	if err != nil {
		return nil, "", err
	}
	region := p.Region()
	if region == "" {
		region = cfg.Region
	}
	k := &s.kms
	if limits := p.KMSLimits(); k.shield == nil || k.limits != limits {
		k.limits = limits
		count := func(c awskms.Call) {
			call := alert.KMSCall{Region: c.Region, Operation: c.Operation, Outcome: c.Outcome}
			s.config.Counters.KMSCall(call, c.Attempt, c.Duration)
			s.config.OnCall(call, c.Duration)
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

// AWS returns the AWS configuration that KMS clients are made with.
func (s *Set) AWS() (aws.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.awsConfig()
}

// awsConfig is the one set in code, or that of the AWS SDK's standard sources.
func (s *Set) awsConfig() (aws.Config, error) {
	if s.config.AWS != nil {
		return *s.config.AWS, nil
	}
	if s.kms.aws == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return aws.Config{}, fmt.Errorf("the AWS configuration cannot be read: %w", err)
		}
		s.kms.aws = &cfg
	}
	return *s.kms.aws, nil
}

// BlobOpener decrypts a bare ciphertext of KMS's Encrypt.
type BlobOpener interface {
	DecryptBlob(ctx context.Context, blob []byte, ec codec.Context) ([]byte, error)
}

// Blobs returns what decrypts bare ciphertexts under a keyring's KMS keys.
func (s *Set) Blobs(p *policy.Policy, name string) (BlobOpener, error) {
	if inCode, ok := s.config.Keyrings[name]; ok {
		if b, ok := inCode.(BlobOpener); ok {
			return b, nil
		}
		return nil, fmt.Errorf("%w: legacy: kms_blob needs KMS keys, and the keyring %s that was set in code has none", fault.ErrPolicy, name)
	}
	d, ok := p.Keyring(name)
	if !ok || d.KMS == nil {
		return nil, fmt.Errorf("%w: legacy: kms_blob needs a keyring with kms keys, and %s has none", fault.ErrPolicy, name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := kmsProvider{}.keyring(s, p, s.readingKeyring(d))
	if err != nil {
		return nil, fmt.Errorf("%w: keyring %s: %w", fault.ErrPolicy, name, err)
	}
	return k.(*awskms.Keyring), nil
}
