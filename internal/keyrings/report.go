package keyrings

import (
	"maps"
	"slices"

	"github.com/sealsql/sealsql/alert"
)

// regional is a keyring that calls a service in several Regions.
type regional interface {
	Regions() []string
	Down(region string) bool
}

// Report adds what the keyrings tell.
func (s *Set) Report(out *alert.Snapshot) {
	s.mu.Lock()
	keyrings, shield := slices.Collect(maps.Values(s.keyrings)), s.kms.shield
	s.mu.Unlock()
	for _, k := range keyrings {
		if x, ok := k.value.(regional); ok {
			for _, region := range x.Regions() {
				state := out.KMSRegions[region]
				state.BreakerOpen = state.BreakerOpen || x.Down(region)
				out.KMSRegions[region] = state
			}
		}
		if k.cached != nil {
			c := k.cached.Stats()
			out.Caches[k.name] = alert.CacheStats{Hits: c.Hits, Misses: c.Misses, Entries: c.Entries}
		}
		if k.branch != nil {
			all, c := out.Caches[k.name], k.branch.stats()
			out.Caches[k.name] = alert.CacheStats{Hits: all.Hits + c.Hits, Misses: all.Misses + c.Misses, Entries: all.Entries + c.Entries}
		}
	}
	if shield == nil {
		return
	}
	for _, r := range shield.Regions() {
		state := out.KMSRegions[r.Region]
		state.BreakerOpen = state.BreakerOpen || r.HeldBack
		out.KMSRegions[r.Region] = state
	}
}
