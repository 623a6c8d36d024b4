package awskms

import (
	"fmt"
	"strings"
)

// ARN is the name of a KMS key: arn:partition:kms:region:account:key/id.
type ARN struct{ Partition, Region, Account, ID string }

// ParseARN reads a key ARN. Aliases and bare ids are refused: a message names
// the key's ARN, and nothing else can be compared with it.
func ParseARN(s string) (ARN, error) {
	p := strings.Split(s, ":")
	if len(p) != 6 || p[0] != "arn" || p[1] == "" || p[2] != "kms" || !isRegion(p[3]) || p[4] == "" {
		return ARN{}, fmt.Errorf("awskms: %q is not a key ARN; write arn:partition:kms:region:account:key/id", s)
	}
	kind, id, ok := strings.Cut(p[5], "/")
	if !ok || kind != "key" || id == "" {
		return ARN{}, fmt.Errorf("awskms: %q names no key; aliases cannot decrypt, write the ARN of the key itself", s)
	}
	return ARN{p[1], p[3], p[4], id}, nil
}

// String returns the ARN as KMS writes it.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":kms:" + a.Region + ":" + a.Account + ":key/" + a.ID
}

// MultiRegion reports whether the key is a multi-Region key.
func (a ARN) MultiRegion() bool { return strings.HasPrefix(a.ID, "mrk-") }

// Matches reports whether both name the same key, or replicas of one
// multi-Region key (framework/aws-kms/aws-kms-mrk-match-for-decrypt).
func (a ARN) Matches(b ARN) bool {
	if a == b {
		return true
	}
	b.Region = a.Region
	return a.MultiRegion() && a == b
}

// isRegion reports whether s can be a Region's name: the host that is called is
// put together with it, and ARNs come from messages and key stores.
func isRegion(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
