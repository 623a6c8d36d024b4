package keyrings

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/codec/rawaes"
	"github.com/sealsql/sealsql/policy"
)

// provider builds keyrings over one kind of wrapping key. A new key service is a
// new provider in [providers]. Methods are called under the set's lock.
type provider interface {
	// serves reports whether the policy's keyring has wrapping keys of the kind.
	serves(d policy.Keyring) bool
	// keyring returns a keyring that makes a data key for each value.
	keyring(s *Set, p *policy.Policy, d policy.Keyring) (codec.Keyring, error)
	// wrapper returns what wraps branch keys.
	wrapper(s *Set, p *policy.Policy, d policy.Keyring) (branchkey.KMS, error)
	// describe tells keyrings of the kind apart.
	describe(d policy.Keyring) string
	// local reports whether keyrings wrap and unwrap in the process.
	local() bool
}

var providers = []provider{kmsProvider{}, rawAESProvider{}}

func providerOf(d policy.Keyring) (provider, error) {
	for _, p := range providers {
		if p.serves(d) {
			return p, nil
		}
	}
	return nil, errors.New("it has no wrapping keys of a known kind")
}

// rawAESProvider builds keyrings over an AES key of the environment.
type rawAESProvider struct{}

func (rawAESProvider) serves(d policy.Keyring) bool { return d.RawAES != nil }
func (rawAESProvider) local() bool                  { return true }

func (rawAESProvider) describe(d policy.Keyring) string { return fmt.Sprintf("raw_aes %+v", *d.RawAES) }

func (rawAESProvider) keyring(_ *Set, _ *policy.Policy, d policy.Keyring) (codec.Keyring, error) {
	key, err := rawKey(d.RawAES)
	if err != nil {
		return nil, err
	}
	return rawaes.New(d.RawAES.Namespace, d.RawAES.Name, key)
}

func (rawAESProvider) wrapper(_ *Set, _ *policy.Policy, d policy.Keyring) (branchkey.KMS, error) {
	key, err := rawKey(d.RawAES)
	if err != nil {
		return nil, err
	}
	return rawaes.NewWrapper(d.RawAES.Namespace, d.RawAES.Name, key)
}

func rawKey(r *policy.RawAES) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(os.Getenv(r.KeyEnv))
	if err != nil || len(key) == 0 {
		return nil, fmt.Errorf("the environment variable %s does not hold a key in base64", r.KeyEnv)
	}
	return key, nil
}
