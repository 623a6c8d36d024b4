package sealtest

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// usableKey is what an operation needs of a key that it may use, taken under
// the lock.
type usableKey struct {
	arn, id     string
	current     material
	generations *materials
}

// use resolves a key id, key ARN, alias name or alias ARN in the call's Region
// and checks that the operation may use the key.
func (k *KMS) use(call *Call, keyID, permission string) (*usableKey, *kmsError) {
	k.keys.mu.RLock()
	defer k.keys.mu.RUnlock()
	found, err := k.keys.resolve(call.Region, k.account, keyID)
	if err != nil {
		return nil, err
	}
	call.Key = found.arn
	operation := permission
	if strings.HasPrefix(permission, "ReEncrypt") {
		operation = "ReEncrypt"
	}
	switch {
	case found.denied[""] || found.denied[permission] || found.denied[operation]:
		return nil, denied(found, permission)
	case found.state == stateDisabled:
		return nil, kmsErrorf("DisabledException", "%s is disabled.", found.arn)
	case found.state == statePending:
		return nil, kmsErrorf("KMSInvalidStateException", "%s is pending deletion.", found.arn)
	}
	return &usableKey{
		arn: found.arn, id: found.id, current: found.shared.current(),
		// The generations that the blob can name are those of now: a copy of
		// the slice's header, since RotateKey appends.
		generations: &materials{generations: found.shared.generations},
	}, nil
}

func denied(k *key, permission string) *kmsError {
	return kmsErrorf("AccessDeniedException",
		"User: arn:aws:iam::%s:user/sealtest is not authorized to perform: kms:%s on resource: %s because no resource-based policy allows the kms:%s action",
		k.account, permission, k.arn, permission)
}

// resolve finds the key that a request means.
func (r *keyring) resolve(region, account, keyID string) (*key, *kmsError) {
	if keyID == "" {
		return nil, kmsErrorf("ValidationException", "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null")
	}
	arn := keyID
	switch {
	case strings.HasPrefix(keyID, "alias/"):
		arn = "arn:" + partition(region) + ":kms:" + region + ":" + account + ":" + keyID
	case !strings.HasPrefix(keyID, "arn:"):
		if arn = r.localLocked(region, keyID); arn == "" {
			return nil, kmsErrorf("NotFoundException", "Key 'arn:%s:kms:%s:%s:key/%s' does not exist", partition(region), region, account, keyID)
		}
	}
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[2] != "kms" {
		return nil, kmsErrorf("NotFoundException", "Invalid arn %s", keyID)
	}
	if parts[3] != region {
		// KMS names the ARN's Region here, which tells a caller little.
		return nil, kmsErrorf("NotFoundException", "Invalid arn %s", parts[3])
	}
	if strings.HasPrefix(parts[5], "alias/") {
		target, ok := r.aliases[arn]
		if !ok || r.byARN[target] == nil {
			return nil, kmsErrorf("NotFoundException", "Alias %s is not found.", arn)
		}
		arn = target
	}
	found := r.byARN[arn]
	if found == nil {
		return nil, kmsErrorf("NotFoundException", "Key '%s' does not exist", arn)
	}
	return found, nil
}

// local returns the ARN of the key of that id in the Region, or "".
func (r *keyring) local(region, id string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.localLocked(region, id)
}

func (r *keyring) localLocked(region, id string) string {
	m := r.byID[id]
	if m == nil {
		return ""
	}
	i := slices.IndexFunc(m.replicas, func(arn string) bool { return r.byARN[arn].region == region })
	if i < 0 {
		return ""
	}
	return m.replicas[i]
}

type keyMetadata struct {
	keyName
	Description, KeyManager, KeySpec, KeyState, KeyUsage string
	CustomerMasterKeySpec, Origin, CurrentKeyMaterialId  string
	CreationDate                                         float64
	DeletionDate                                         float64 `json:",omitempty"`
	Enabled, MultiRegion                                 bool
	EncryptionAlgorithms                                 []string
	MultiRegionConfiguration                             *multiRegionConfiguration `json:",omitempty"`
}

// keyName identifies a key.
type keyName struct{ AWSAccountId, Arn, KeyId string }

type multiRegionConfiguration struct {
	MultiRegionKeyType string
	PrimaryKey         regionalKey
	ReplicaKeys        []regionalKey
}

type regionalKey struct{ Arn, Region string }

func (k *KMS) describeKey(call *Call, in *request) (any, *kmsError) {
	k.keys.mu.RLock()
	defer k.keys.mu.RUnlock()
	found, err := k.keys.resolve(call.Region, k.account, in.KeyId)
	if err != nil {
		return nil, err
	}
	call.Key = found.arn
	if found.denied[""] || found.denied["DescribeKey"] {
		return nil, denied(found, "DescribeKey")
	}
	current := found.shared.current()
	metadata := keyMetadata{
		keyName:    keyName{found.account, found.arn, found.id},
		KeyManager: "CUSTOMER", KeySpec: symmetric, CustomerMasterKeySpec: symmetric,
		KeyState: found.state, KeyUsage: encryptDecrypt, Origin: "AWS_KMS",
		CurrentKeyMaterialId: hex.EncodeToString(current.id[:]),
		CreationDate:         epoch(found.created), DeletionDate: epoch(found.deletion),
		Enabled: found.state == stateEnabled, MultiRegion: found.multiRegion(),
		EncryptionAlgorithms: []string{symmetric},
	}
	if found.multiRegion() {
		metadata.MultiRegionConfiguration = k.keys.replication(found)
	}
	return struct{ KeyMetadata keyMetadata }{metadata}, nil
}

func (r *keyring) replication(k *key) *multiRegionConfiguration {
	c := &multiRegionConfiguration{MultiRegionKeyType: "REPLICA", ReplicaKeys: []regionalKey{}}
	if k.primary {
		c.MultiRegionKeyType = "PRIMARY"
	}
	for _, arn := range k.shared.replicas {
		replica := r.byARN[arn]
		if entry := (regionalKey{arn, replica.region}); replica.primary {
			c.PrimaryKey = entry
		} else {
			c.ReplicaKeys = append(c.ReplicaKeys, entry)
		}
	}
	return c
}

// epoch is a time as the protocol has it: seconds, with a fraction; none is 0.
func epoch(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
