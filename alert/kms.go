package alert

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// KMSCall identifies a kind of KMS call in a [Snapshot].
type KMSCall struct {
	// Operation is KMS's name of it; Outcome is "ok", "denied", "unproven" (credentials
	// that are expired or unknown, or a wrong clock), "throttled", "invalid_ciphertext",
	// "canceled", "unusable" (the key: disabled, deleted) or "unavailable" (the Region).
	Region, Operation, Outcome string
}

// KMSLatency is a histogram of the time that calls of KMS took.
type KMSLatency struct {
	Region, Operation string
	Count             uint64
	Sum               time.Duration
	// Buckets[i] counts calls that took at most KMSLatencyBounds()[i] and
	// longer than the bound before; the last one those that took longer than all.
	Buckets []uint64
}

// KMSRegion tells of the calls of one Region.
type KMSRegion struct {
	// Retries counts calls after the first for the same purpose, Throttles
	// those that KMS throttled.
	Retries, Throttles uint64
	// BreakerOpen says that calls are held back because the Region failed.
	BreakerOpen bool
}

// kmsBounds are those that OpenTelemetry's semantic conventions advise for
// rpc.client.call.duration.
var kmsBounds = [...]time.Duration{5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	75 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, 750 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 7500 * time.Millisecond, 10 * time.Second}

// KMSLatencyBounds are the upper bounds of the buckets of [KMSLatency].
func KMSLatencyBounds() []time.Duration { return slices.Clone(kmsBounds[:]) }

type kmsCounters struct {
	mu      sync.Mutex
	calls   map[KMSCall]uint64
	latency map[KMSCall]*KMSLatency // by Region and operation
	regions map[string]*KMSRegion
}

func (k *kmsCounters) add(c KMSCall, attempt int, took time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls[c]++
	r := k.region(c.Region)
	if c.Outcome == "throttled" {
		r.Throttles++
	}
	if attempt > 1 {
		r.Retries++
	}
	if c.Outcome == "canceled" {
		return // how long the caller waited says nothing of KMS
	}
	key := KMSCall{Region: c.Region, Operation: c.Operation}
	l := k.latency[key]
	if l == nil {
		l = &KMSLatency{Region: c.Region, Operation: c.Operation, Buckets: make([]uint64, len(kmsBounds)+1)}
		k.latency[key] = l
	}
	l.Count++
	l.Sum += took
	i, _ := slices.BinarySearch(kmsBounds[:], took)
	l.Buckets[i]++
}

// region must be called under the lock.
func (k *kmsCounters) region(name string) *KMSRegion {
	r := k.regions[name]
	if r == nil {
		r = new(KMSRegion)
		k.regions[name] = r
	}
	return r
}

func (k *kmsCounters) report(s *Snapshot) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s.KMSCalls = maps.Clone(k.calls)
	s.KMSRegions = make(map[string]KMSRegion, len(k.regions))
	for name, r := range k.regions {
		s.KMSRegions[name] = *r
	}
	for _, l := range k.latency {
		c := *l
		c.Buckets = slices.Clone(l.Buckets)
		s.KMSLatency = append(s.KMSLatency, c)
	}
	slices.SortFunc(s.KMSLatency, func(a, b KMSLatency) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Operation, b.Operation))
	})
}
