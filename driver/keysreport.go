package driver

import (
	"maps"
	"slices"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec/awskms"
)

// report adds what the keyrings tell.
func (k *keys) report(s *alert.Snapshot) {
	k.mu.Lock()
	rings, shield := slices.Collect(maps.Values(k.rings)), k.shield
	k.mu.Unlock()
	for _, r := range rings {
		if x, ok := r.plain.(*awskms.Keyring); ok {
			for _, region := range x.Regions() {
				state := s.KMSRegions[region]
				state.BreakerOpen = state.BreakerOpen || x.Down(region)
				s.KMSRegions[region] = state
			}
		}
		if r.cached != nil {
			c := r.cached.Stats()
			s.Caches[r.name] = alert.CacheStats{Hits: c.Hits, Misses: c.Misses, Entries: c.Entries}
		}
		if r.branch != nil {
			all, c := s.Caches[r.name], r.branch.stats()
			s.Caches[r.name] = alert.CacheStats{Hits: all.Hits + c.Hits, Misses: all.Misses + c.Misses, Entries: all.Entries + c.Entries}
		}
	}
	if shield == nil {
		return
	}
	for _, r := range shield.Regions() {
		state := s.KMSRegions[r.Region]
		state.BreakerOpen = state.BreakerOpen || r.HeldBack
		s.KMSRegions[r.Region] = state
	}
}
