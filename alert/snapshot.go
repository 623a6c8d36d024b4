package alert

// Snapshot is what a connector has done since it was made: every number that
// sinks publish as a metric. Counters only grow; the others are as of now.
type Snapshot struct {
	// Columns counts values by protected column of the policy in force.
	Columns []ColumnStats
	// KMSCalls counts calls by Region, operation and outcome; KMSLatency has
	// the times they took, by Region and operation, sorted by both.
	KMSCalls   map[KMSCall]uint64
	KMSLatency []KMSLatency
	// KMSRegions tells, by Region, of retries, throttling and circuit
	// breakers; a Region is listed once a keyring names it or a call was made.
	KMSRegions map[string]KMSRegion
	// WrappingsMissing counts, by Region, wrappings that values were written
	// without because the Region could not be used.
	WrappingsMissing map[string]uint64
	// Caches tells of keyrings that keep data keys or branch keys, by name.
	Caches map[string]CacheStats
	// Events counts what was raised, by kind. EventsDropped counts events that
	// a sink did not get one by one, because of their rate or because the sink was
	// slow; a summary told it how many. SinkFailures counts errors and
	// panics of sinks.
	Events        map[Kind]uint64
	EventsDropped uint64
	SinkFailures  uint64
	// Sinks has the same for each sink, in the order of code, then policy.
	Sinks []SinkStats
	// Plans tells of the plans of SQL texts that are kept.
	Plans CacheStats
	// RowsReadAhead counts rows that were read before they were asked for.
	RowsReadAhead uint64
	// LineageRefused counts statements refused because the server described
	// their result otherwise than the analysis did. It is zero: a number above it is
	// a fault of sealsql to be reported.
	LineageRefused uint64
	// Refused counts statements that were not sent, by reason. Reasons beyond the first
	// hundred are counted as "other".
	Refused map[string]uint64
}

// ColumnStats counts values of one protected column.
type ColumnStats struct {
	Table, Column string
	// Sealed and Opened count values written and read; PlaintextReads those
	// handed out as they were because the policy allows it, and LegacyReads bare
	// ciphertexts of KMS; both are among Opened.
	Sealed, Opened, PlaintextReads, LegacyReads uint64
	// Failed counts values that did not open, SealFailed those that could not
	// be sealed, by kind.
	Failed, SealFailed map[Kind]uint64
}

// CacheStats tells of a cache: a keyring's, or that of plans.
type CacheStats struct {
	// Hits and Misses count look-ups; Entries is how many are held now.
	Hits, Misses uint64
	Entries      int
}

// SinkStats tells of one sink.
type SinkStats struct {
	// Kind is as the policy's alerts name it; "code" for those set in code.
	Kind string
	// Delivered and Failed count calls of the sink; Dropped counts events it
	// did not get one by one; Queued is how many wait now.
	Delivered, Failed, Dropped uint64
	Queued                     int
}

// Since returns what happened after an earlier snapshot of the same connector:
// Counters less what they were, the others as they are in s.
func (s Snapshot) Since(before Snapshot) Snapshot {
	out := s
	out.Columns = make([]ColumnStats, len(s.Columns))
	was := make(map[[2]string]ColumnStats, len(before.Columns))
	for _, c := range before.Columns {
		was[[2]string{c.Table, c.Column}] = c
	}
	for i, c := range s.Columns {
		b := was[[2]string{c.Table, c.Column}]
		out.Columns[i] = ColumnStats{c.Table, c.Column, c.Sealed - b.Sealed, c.Opened - b.Opened, c.PlaintextReads - b.PlaintextReads, c.LegacyReads - b.LegacyReads, grown(c.Failed, b.Failed), grown(c.SealFailed, b.SealFailed)}
	}
	out.KMSCalls, out.Events = grown(s.KMSCalls, before.KMSCalls), grown(s.Events, before.Events)
	out.WrappingsMissing = grown(s.WrappingsMissing, before.WrappingsMissing)
	out.KMSLatency = latencySince(s.KMSLatency, before.KMSLatency)
	out.KMSRegions = make(map[string]KMSRegion, len(s.KMSRegions))
	for name, r := range s.KMSRegions {
		b := before.KMSRegions[name]
		out.KMSRegions[name] = KMSRegion{r.Retries - b.Retries, r.Throttles - b.Throttles, r.BreakerOpen}
	}
	out.Caches = make(map[string]CacheStats, len(s.Caches))
	for name, c := range s.Caches {
		b := before.Caches[name]
		if c.Hits < b.Hits || c.Misses < b.Misses {
			b = CacheStats{} // a reload of the policy made it anew
		}
		out.Caches[name] = CacheStats{c.Hits - b.Hits, c.Misses - b.Misses, c.Entries}
	}
	out.EventsDropped -= before.EventsDropped
	out.SinkFailures -= before.SinkFailures
	out.RowsReadAhead -= before.RowsReadAhead
	out.LineageRefused -= before.LineageRefused
	out.Refused = grown(s.Refused, before.Refused)
	if s.Plans.Hits >= before.Plans.Hits && s.Plans.Misses >= before.Plans.Misses { // else: likewise
		out.Plans.Hits, out.Plans.Misses = s.Plans.Hits-before.Plans.Hits, s.Plans.Misses-before.Plans.Misses
	}
	return out
}

func grown[K comparable](now, before map[K]uint64) map[K]uint64 {
	out := make(map[K]uint64, len(now))
	for k, n := range now {
		if n > before[k] {
			out[k] = n - before[k]
		}
	}
	return out
}

func latencySince(now, before []KMSLatency) []KMSLatency {
	var out []KMSLatency
	for _, l := range now {
		l.Buckets = append([]uint64(nil), l.Buckets...)
		for _, b := range before {
			if b.Region == l.Region && b.Operation == l.Operation {
				l.Count -= b.Count
				l.Sum -= b.Sum
				for i := range l.Buckets {
					l.Buckets[i] -= b.Buckets[i]
				}
			}
		}
		if l.Count > 0 {
			out = append(out, l)
		}
	}
	return out
}
