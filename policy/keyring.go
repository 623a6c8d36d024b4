package policy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Format is the form in which a column's new values are written. docs/FORMAT.md
// describes the bytes.
type Format string

// The formats of values that are written. Compact values need branch keys.
const (
	FormatMessage Format = "message" // an AWS Encryption SDK message
	FormatCompact Format = "compact"
)

var formats = []string{string(FormatMessage), string(FormatCompact)}

// Keyring is a named set of wrapping keys.
type Keyring struct {
	Name string
	// One of KMS and RawAES is set.
	KMS     *KMS
	RawAES  *RawAES
	DataKey DataKey
	// Suite is the id of the suite that is written, such as "0478". Commitment is
	// AWS's name of the commitment policy in lower case: forbid_encrypt_allow_decrypt,
	// require_encrypt_allow_decrypt or require_encrypt_require_decrypt.
	Suite, Commitment string
	// Format is the format of new values: FormatMessage or FormatCompact. Both are
	// read whatever it says.
	Format Format
	// MaxWrappedKeys is how many wrapped keys a message that is read may have.
	MaxWrappedKeys int
	Line           int // in the file, from 1
}

// KMS are wrapping keys in AWS KMS.
type KMS struct {
	ARNs []string
	// ReadARNs are keys under which values may still be wrapped. Nothing is
	// written under them.
	ReadARNs         []string
	Degrade          bool       // when_region_down: degrade
	MinWrappings     int        // a write with fewer fails
	CrossRegionReads Permission // Deny: only the process's Region unwraps
}

// RawAES is a wrapping key from the environment, for development.
type RawAES struct {
	Namespace, Name string
	KeyEnv          string // the variable that holds the key in base64
}

// DataKey says how data keys are made.
type DataKey struct {
	Per string // value, cached or branch
	// MaxAge, MaxMessages and MaxBytes of plaintext are for how long, and for how
	// much, a cached data key serves.
	MaxAge                time.Duration
	MaxMessages, MaxBytes int64
	// Capacity is how many cached data keys, or versions of branch keys, are kept.
	Capacity int64
	// Store is sql, sql:TABLE, file:PATH or code:NAME; empty without branch keys.
	Store string
	// TTL is the most that a deleted branch key goes on opening.
	TTL           time.Duration
	BranchKey     string // a fixed branch key id
	BranchKeyFrom string // or the column that holds it
	// ContentKeys is how many messages' content keys are kept beside branch keys.
	ContentKeys int64
}

// HasBranchKeys reports whether the keyring opens values under branch keys. It
// seals under them if Per is branch.
func (k DataKey) HasBranchKeys() bool { return k.Store != "" }

var arnForm = regexp.MustCompile(`^arn:[a-z0-9-]+:kms:([a-z0-9-]+):([0-9]{12}):key/([A-Za-z0-9-]+)$`)

func (d *decoder) keyring(e entry) Keyring {
	path := join("keyrings", e.key)
	k := Keyring{Name: e.key, Line: e.name.Line, Commitment: "require_encrypt_require_decrypt", MaxWrappedKeys: DefaultMaxWrappedKeys, Format: FormatMessage, DataKey: DataKey{Per: "value"}}
	var format *yaml.Node
	for _, f := range d.fields(e.value, path, "kms", "raw_aes", "data_key", "format", "suite", "commitment", "max_wrapped_keys") {
		path := join(path, f.key)
		switch f.key {
		case "kms":
			k.KMS = d.kms(f.value, path)
		case "raw_aes":
			k.RawAES = d.rawAES(f.value, path)
		case "data_key":
			k.DataKey = d.dataKey(f.value, path)
		case "format":
			format = f.value
			k.Format = Format(d.oneOf(f.value, path, formats...))
		case "suite":
			k.Suite = d.oneOf(f.value, path, append(slices.Clone(committing), older...)...)
		case "commitment":
			k.Commitment = d.oneOf(f.value, path, "require_encrypt_require_decrypt", "require_encrypt_allow_decrypt", forbidEncrypt)
		case "max_wrapped_keys":
			k.MaxWrappedKeys = int(d.number(f.value, path, 1, 1000))
		}
	}
	if (k.KMS == nil) == (k.RawAES == nil) {
		d.fail(e.name, path, "a keyring needs its wrapping keys", "give it exactly one of kms and raw_aes")
	}
	d.checkSuite(&k, e, path)
	d.checkFormat(k, format, path)
	return k
}

// checkFormat asks whether the keyring can make values of its format.
func (d *decoder) checkFormat(k Keyring, n *yaml.Node, path string) {
	path = join(path, "format")
	switch {
	case k.Format != FormatCompact:
	case k.DataKey.Per != "branch":
		d.fail(n, path, "compact values are sealed under branch keys", "write data_key: {per: branch, store: sql, ttl: 15m, branch_key: …}, or format: message")
	case slices.Contains(signing, k.Suite):
		d.fail(n, path, "compact values carry no signature, and suite "+k.Suite+" signs", "take suite out, or write format: message")
	}
}

// The ids of the suites with key commitment, and of the older suites without it.
var (
	committing = []string{"0478", "0578"}
	older      = []string{"0178", "0378", "0014", "0046", "0078", "0114", "0146", "0214", "0346"}
)

// signing are the suites whose messages carry a signature.
var signing = []string{"0578", "0378", "0214", "0346"}

const forbidEncrypt = "forbid_encrypt_allow_decrypt"

// checkSuite asks whether the commitment policy lets the suite be written.
func (d *decoder) checkSuite(k *Keyring, e entry, path string) {
	forbid := k.Commitment == forbidEncrypt
	if forbid {
		d.warn(e.name, join(path, "commitment"), "values are written without key commitment; choose require_encrypt_allow_decrypt as soon as every reader reads version 2")
	}
	switch {
	case k.Suite == "" && forbid:
		k.Suite = "0178"
	case k.Suite == "":
		k.Suite = "0478"
	case forbid && slices.Contains(committing, k.Suite):
		d.fail(e.name, join(path, "suite"), "commitment: "+forbidEncrypt+" forbids to write suite "+k.Suite, "choose 0178, or 0378, which signs")
	case !forbid && slices.Contains(older, k.Suite):
		d.fail(e.name, join(path, "suite"), "suite "+k.Suite+" has no key commitment, which the commitment policy requires of what is written", "choose 0478, or commitment: "+forbidEncrypt+" for readers that know version 1 only")
	}
}

func (d *decoder) kms(n *yaml.Node, path string) *KMS {
	k := &KMS{Degrade: true, MinWrappings: 1, CrossRegionReads: Allow}
	var min, reads *yaml.Node
	for _, f := range d.fields(n, path, "keys", "read_keys", "when_region_down", "min_wrappings", "cross_region_reads") {
		path := join(path, f.key)
		switch f.key {
		case "keys":
			d.arns(k, f.value, path)
		case "read_keys":
			reads = f.value
		case "when_region_down":
			k.Degrade = d.oneOf(f.value, path, "degrade", "fail") == "degrade"
		case "min_wrappings":
			min = f.value
			k.MinWrappings = int(d.number(f.value, path, 1, 100))
		case "cross_region_reads":
			k.CrossRegionReads = Permission(d.oneOf(f.value, path, "allow", "deny"))
		}
	}
	if reads != nil {
		both := &KMS{ARNs: slices.Clone(k.ARNs)} // no key may stand in both lists
		d.arns(both, reads, join(path, "read_keys"))
		k.ReadARNs = both.ARNs[len(k.ARNs):]
	}
	if len(k.ARNs) == 0 {
		d.fail(n, join(path, "keys"), "the keyring names no key", "list the ARN of a KMS key: keys: [arn:aws:kms:…]")
	}
	if min != nil && k.MinWrappings > len(k.ARNs) {
		d.fail(min, join(path, "min_wrappings"), "more wrappings are asked for than there are keys", "lower it, or add keys")
	}
	return k
}

func (d *decoder) arns(k *KMS, n *yaml.Node, path string) {
	for _, c := range d.list(n, path) {
		arn := d.expand(c, path, d.text(c, path))
		m := arnForm.FindStringSubmatch(arn)
		if m == nil {
			if arn != "" {
				d.fail(c, path, "this is no ARN of a KMS key", "write arn:partition:kms:region:account:key/id; aliases cannot decrypt")
			}
			continue
		}
		for _, other := range k.ARNs {
			o := arnForm.FindStringSubmatch(other)
			switch {
			case other == arn:
				d.fail(c, path, "duplicate key", "keep one of them")
			case strings.HasPrefix(m[3], "mrk-") && o[2] == m[2] && o[3] == m[3]:
				d.fail(c, path, "duplicate multi-Region key", "name one of them: any replica reads what it wrapped")
			}
		}
		k.ARNs = append(k.ARNs, arn)
	}
}

func (d *decoder) rawAES(n *yaml.Node, path string) *RawAES {
	r := &RawAES{Namespace: "development", Name: "key"}
	for _, f := range d.fields(n, path, "namespace", "name", "key_env") {
		path := join(path, f.key)
		s := d.text(f.value, path)
		switch f.key {
		case "namespace":
			r.Namespace = s
			if strings.HasPrefix(s, "aws-kms") {
				d.fail(f.value, path, "the namespace aws-kms belongs to KMS", "choose another")
			}
		case "name":
			r.Name = s
		case "key_env":
			r.KeyEnv = s
		}
	}
	if r.KeyEnv == "" {
		d.fail(n, join(path, "key_env"), "the field is missing", "name the environment variable that holds the key in base64")
	}
	d.warn(n, path, "a raw key protects nothing from whoever reads the process's environment; it is for development")
	return r
}

// WithFormat returns a copy of the policy under which a keyring's new values have
// another format. It fails if the keyring cannot make such values.
func (p *Policy) WithFormat(keyring string, f Format) (*Policy, error) {
	k, ok := p.keyrings[keyring]
	switch {
	case !ok:
		return nil, fmt.Errorf("%w: there is no keyring %q", ErrInvalid, keyring)
	case !slices.Contains(formats, string(f)):
		return nil, fmt.Errorf("%w: the format %q is not known; write %s", ErrInvalid, f, strings.Join(formats, " or "))
	case f == FormatCompact && !k.makesCompact():
		return nil, fmt.Errorf("%w: keyring %s makes no compact values; write data_key: {per: branch, …} and no suite that signs", ErrInvalid, keyring)
	}
	out := *p
	out.keyrings = maps.Clone(p.keyrings)
	k.Format = f
	out.keyrings[keyring] = k
	return &out, nil
}

// makesCompact reports whether values of the keyring can be compact.
func (k Keyring) makesCompact() bool {
	return k.DataKey.Per == "branch" && !slices.Contains(signing, k.Suite)
}
