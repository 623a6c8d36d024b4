// Package policies has the site's policy for each way of holding keys in two
// Regions.
package policies

import (
	"embed"
	"fmt"

	"github.com/sealsql/sealsql/policy"
)

//go:embed *.yaml
var files embed.FS

// The ways of holding keys.
const (
	// PerRegion wraps each value under two keys, one of each Region.
	PerRegion = "per-region"
	// MultiRegion wraps each value under one multi-Region key.
	MultiRegion = "multi-region"
)

// Load returns a policy. Its keys come from the environment: KEY_ARN and, for
// PerRegion, SECOND_KEY_ARN.
func Load(keys string) (*policy.Policy, error) {
	if keys != PerRegion && keys != MultiRegion {
		return nil, fmt.Errorf("keys %q are not known; use %s or %s", keys, PerRegion, MultiRegion)
	}
	text, err := files.ReadFile(keys + ".yaml")
	if err != nil {
		return nil, err
	}
	return policy.Parse(keys+".yaml", text)
}
