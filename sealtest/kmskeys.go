package sealtest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Key states, as DescribeKey reports them.
const (
	stateEnabled  = "Enabled"
	stateDisabled = "Disabled"
	statePending  = "PendingDeletion"
)

// key is one KMS key in one Region. Replicas of a multi-Region key are keys
// of their own that share an id and the materials.
type key struct {
	arn, id, region, account string
	primary                  bool
	created                  time.Time

	// Guarded by keyring.mu.
	state    string
	deletion time.Time
	denied   map[string]bool // operation, or "" for all
	shared   *materials
}

func (k *key) multiRegion() bool { return strings.HasPrefix(k.id, "mrk-") }

// materials are the generations of a key's material, the current one last,
// and the ARNs that share them, the primary first.
type materials struct {
	generations []material
	replicas    []string
}

type material struct {
	id   [32]byte
	aead cipher.AEAD
}

func (m *materials) current() material { return m.generations[len(m.generations)-1] }

type keyring struct {
	mu      sync.RWMutex
	byARN   map[string]*key
	byID    map[string]*materials
	aliases map[string]string // alias ARN -> key ARN
	made    int
}

func (r *keyring) init() {
	r.byARN = make(map[string]*key)
	r.byID = make(map[string]*materials)
	r.aliases = make(map[string]string)
}

// CreateKey makes a symmetric encryption key in the Region and returns its
// ARN, whose key id is a UUID.
func (k *KMS) CreateKey(region string) string {
	id := k.newID("key")
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // a version 4 UUID, as KMS's are
	arn := k.keyARN(region, fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:16]))
	k.mustAdd(arn)
	return arn
}

// CreateMultiRegionKey makes a multi-Region key with a replica in each Region,
// the first being the primary's, and returns the ARNs in that order. They
// share the key id, which begins with mrk-, and the key material: what one
// wraps each of them opens.
func (k *KMS) CreateMultiRegionKey(regions ...string) []string {
	id := "mrk-" + hex.EncodeToString(k.newID("mrk")[:16])
	arns := make([]string, len(regions))
	for i, region := range regions {
		arns[i] = k.keyARN(region, id)
	}
	k.mustAdd(arns...)
	return arns
}

// AddKey makes keys that have the given ARNs, for a policy file that names
// them. ARNs with the same mrk- id become replicas of one multi-Region key,
// also when they are added one after the other. It returns an error, and adds
// none, when an ARN is not a KMS key's or is taken.
func (k *KMS) AddKey(arns ...string) error {
	k.keys.mu.Lock()
	defer k.keys.mu.Unlock()
	parsed := make([]*key, len(arns))
	for i, arn := range arns {
		p, ok := parseKeyARN(arn)
		if !ok {
			return fmt.Errorf("sealtest: %q is not the ARN of a KMS key; it has the form arn:aws:kms:us-east-1:%s:key/id", arn, DefaultAccount)
		}
		if k.keys.byARN[arn] != nil || slices.Contains(arns[:i], arn) {
			return fmt.Errorf("sealtest: the key %s exists; add it once", arn)
		}
		m := k.keys.byID[p.id]
		if m != nil && !p.multiRegion() {
			return fmt.Errorf("sealtest: the key id %s exists; only multi-Region keys (mrk-...) share an id between Regions", p.id)
		}
		parsed[i] = p
	}
	for _, p := range parsed {
		k.keys.add(p, k.newMaterial)
	}
	return nil
}

func (k *KMS) mustAdd(arns ...string) {
	if err := k.AddKey(arns...); err != nil {
		panic(err.Error())
	}
}

func (r *keyring) add(p *key, newMaterial func(id string, generation int) material) {
	m := r.byID[p.id]
	if m == nil {
		m = &materials{generations: []material{newMaterial(p.id, 0)}}
		r.byID[p.id] = m
		p.primary = true
	}
	m.replicas = append(m.replicas, p.arn)
	p.shared, p.state, p.created = m, stateEnabled, time.Now()
	r.byARN[p.arn] = p
}

// CreateAlias makes an alias, whose name begins with "alias/", of a key in the
// key's Region and returns the alias's ARN. An alias that exists is moved.
func (k *KMS) CreateAlias(name, keyARN string) string {
	k.keys.mu.Lock()
	defer k.keys.mu.Unlock()
	target := k.keys.must(keyARN)
	if !strings.HasPrefix(name, "alias/") {
		panic(fmt.Sprintf("sealtest: the alias %q does not begin with alias/", name))
	}
	arn := strings.TrimSuffix(target.arn, "key/"+target.id) + name
	k.keys.aliases[arn] = target.arn
	return arn
}

// DisableKey makes calls with the key fail with DisabledException.
func (k *KMS) DisableKey(arn string) {
	k.change(arn, func(key *key) { key.state = stateDisabled })
}

// EnableKey makes a disabled key, or one whose deletion was scheduled, usable.
func (k *KMS) EnableKey(arn string) {
	k.change(arn, func(key *key) { key.state, key.deletion = stateEnabled, time.Time{} })
}

// ScheduleKeyDeletion makes calls with the key fail with
// KMSInvalidStateException, as they do while a deletion is pending.
func (k *KMS) ScheduleKeyDeletion(arn string) {
	k.change(arn, func(key *key) { key.state, key.deletion = statePending, time.Now().AddDate(0, 0, 30) })
}

// DeleteKey removes the key. Other replicas stay.
func (k *KMS) DeleteKey(arn string) {
	k.change(arn, func(key *key) {
		delete(k.keys.byARN, arn)
		key.shared.replicas = slices.DeleteFunc(key.shared.replicas, func(r string) bool { return r == arn })
	})
}

// RotateKey gives the key, and its replicas, new material for new calls. What
// was wrapped before still opens.
func (k *KMS) RotateKey(arn string) {
	k.change(arn, func(key *key) {
		m := key.shared
		m.generations = append(m.generations, k.newMaterial(key.id, len(m.generations)))
	})
}

// Deny makes calls with the key fail with AccessDeniedException: of the named
// operations ("Decrypt"), or of all when none is named.
func (k *KMS) Deny(arn string, operations ...string) {
	k.change(arn, func(key *key) {
		if key.denied == nil {
			key.denied = make(map[string]bool)
		}
		if len(operations) == 0 {
			operations = []string{""}
		}
		for _, op := range operations {
			key.denied[op] = true
		}
	})
}

// Allow takes back what Deny did to the key.
func (k *KMS) Allow(arn string) {
	k.change(arn, func(key *key) { key.denied = nil })
}

func (k *KMS) change(arn string, f func(*key)) {
	k.keys.mu.Lock()
	defer k.keys.mu.Unlock()
	f(k.keys.must(arn))
}

// must panics on an unknown key: that is a mistake in the test, which an error
// nobody checks would turn into a test that passes for the wrong reason.
func (r *keyring) must(arn string) *key {
	found := r.byARN[arn]
	if found == nil {
		panic(fmt.Sprintf("sealtest: the fake KMS has no key %s", arn))
	}
	return found
}

func (k *KMS) keyARN(region, id string) string {
	return fmt.Sprintf("arn:%s:kms:%s:%s:key/%s", partition(region), region, k.account, id)
}

func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// parseKeyARN reads arn:partition:kms:region:account:key/id.
func parseKeyARN(arn string) (*key, bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[1] == "" || parts[2] != "kms" || parts[3] == "" || parts[4] == "" {
		return nil, false
	}
	id, ok := strings.CutPrefix(parts[5], "key/")
	if !ok || id == "" || len(id) > blobIDSize || strings.ContainsAny(id, ":/ ") {
		return nil, false
	}
	return &key{arn: arn, id: id, region: parts[3], account: parts[4]}, true
}

func (k *KMS) newID(kind string) []byte {
	if k.seed == nil {
		id := make([]byte, 16)
		rand.Read(id)
		return id
	}
	k.keys.mu.Lock()
	defer k.keys.mu.Unlock()
	k.keys.made++
	return k.derive(fmt.Sprintf("%s %d", kind, k.keys.made), 16)
}

func (k *KMS) newMaterial(id string, generation int) material {
	secret := make([]byte, 32)
	if k.seed == nil {
		rand.Read(secret)
	} else {
		secret = k.derive(fmt.Sprintf("material %s %d", id, generation), 32)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return material{id: sha256.Sum256(secret), aead: aead}
}

func (k *KMS) derive(info string, size int) []byte {
	out, err := hkdf.Key(sha256.New, k.seed, nil, "sealtest "+info, size)
	if err != nil {
		panic(err)
	}
	return out
}
