package alert

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Counters are the counts of one connector. They outlive a reload of the
// policy. They are safe for concurrent use.
type Counters struct {
	// RowsAhead counts rows that were read before they were asked for.
	RowsAhead atomic.Uint64
	// LineageRefused counts statements refused because the server described
	// their result otherwise than the analysis did.
	LineageRefused atomic.Uint64
	kms            kmsCounters

	mu      sync.Mutex
	columns map[[2]string]*ColumnCounters
	missing map[string]uint64 // wrappings, by Region
	refused map[string]uint64 // statements, by reason
}

// maxReasons bounds the reasons that are told apart.
const maxReasons = 100

// ColumnCounters count values of one protected column. The fields are those of
// [ColumnStats].
type ColumnCounters struct {
	Sealed, Opened, PlaintextReads, LegacyReads atomic.Uint64
	failed, sealFailed                          [kinds]atomic.Uint64
}

// NewCounters returns counters that are zero.
func NewCounters() *Counters {
	return &Counters{columns: map[[2]string]*ColumnCounters{}, missing: map[string]uint64{}, refused: map[string]uint64{},
		kms: kmsCounters{calls: map[KMSCall]uint64{}, latency: map[KMSCall]*KMSLatency{}, regions: map[string]*KMSRegion{}}}
}

// Column returns the counters of a protected column. A reload of the policy
// keeps them.
func (c *Counters) Column(table, name string) *ColumnCounters {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := [2]string{table, name}
	if c.columns[key] == nil {
		c.columns[key] = new(ColumnCounters)
	}
	return c.columns[key]
}

// WrappingMissing counts a wrapping of a Region that a value was written without.
func (c *Counters) WrappingMissing(region string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.missing[region]++
}

// Refused counts a statement that was not sent.
func (c *Counters) Refused(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.refused[reason]; !known && len(c.refused) >= maxReasons {
		reason = "other"
	}
	c.refused[reason]++
}

// KMSCall counts a call of KMS. attempt is 1 for the first call for a purpose.
func (c *Counters) KMSCall(call KMSCall, attempt int, took time.Duration) {
	c.kms.add(call, attempt, took)
}

// Report puts the counts into s, but for those of columns.
func (c *Counters) Report(s *Snapshot) {
	s.RowsReadAhead, s.LineageRefused = c.RowsAhead.Load(), c.LineageRefused.Load()
	c.kms.report(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	s.WrappingsMissing = make(map[string]uint64, len(c.missing))
	for region, n := range c.missing {
		s.WrappingsMissing[region] = n
	}
	s.Refused = maps.Clone(c.refused)
}

// Failed counts a value that did not open.
func (c *ColumnCounters) Failed(k Kind) { c.failed[k].Add(1) }

// SealFailed counts a value that could not be sealed.
func (c *ColumnCounters) SealFailed(k Kind) { c.sealFailed[k].Add(1) }

// Stats returns the counts under the column's name.
func (c *ColumnCounters) Stats(table, name string) ColumnStats {
	return ColumnStats{Table: table, Column: name, Sealed: c.Sealed.Load(), Opened: c.Opened.Load(),
		PlaintextReads: c.PlaintextReads.Load(), LegacyReads: c.LegacyReads.Load(), Failed: byKind(&c.failed), SealFailed: byKind(&c.sealFailed)}
}

func byKind(counts *[kinds]atomic.Uint64) map[Kind]uint64 {
	out := make(map[Kind]uint64)
	for k := range counts {
		if n := counts[k].Load(); n > 0 {
			out[Kind(k)] = n
		}
	}
	return out
}
