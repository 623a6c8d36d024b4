package awskms

import "slices"

// Regions lists the Regions that the keyring calls, in the order in which
// reads try them.
func (k *Keyring) Regions() []string {
	var out []string
	for _, key := range k.reads {
		if !slices.Contains(out, key.Region) {
			out = append(out, key.Region)
		}
	}
	return out
}
