package driver

import (
	"database/sql"
	"errors"
	"sync/atomic"
)

// counters are what a Connector counts beside its columns' own.
type counters struct {
	rowsAhead atomic.Uint64
	kms       kmsCounters
}

func newCounters() *counters { return &counters{kms: kmsCounters{calls: make(map[KMSCall]uint64)}} }

// Stats is a snapshot of what a connector has done since it was made.
type Stats struct {
	// Columns counts values by protected column.
	Columns []ColumnStats
	// KMSCalls counts calls by Region, operation and outcome.
	KMSCalls map[KMSCall]uint64
	// Events counts what was raised, by kind; EventsDropped what did not reach
	// every sink because of a full queue or the rate limit; SinkFailures the
	// errors and panics of sinks.
	Events        map[EventKind]uint64
	EventsDropped uint64
	SinkFailures  uint64
	// PlansCached is the number of SQL texts whose plan is kept; PlanHits and
	// PlanMisses count look-ups.
	PlansCached          int
	PlanHits, PlanMisses uint64
	// RowsReadAhead counts rows that were read before they were asked for.
	RowsReadAhead uint64
}

// ColumnStats counts values of one protected column.
type ColumnStats struct {
	Table, Column string
	// Sealed and Opened count values written and read; PlaintextReads those
	// handed out as they were because the policy allows it.
	Sealed, Opened, PlaintextReads uint64
	// Failed counts values that did not open, by kind.
	Failed map[EventKind]uint64
}

// Stats returns a snapshot.
func (c *Connector) Stats() Stats {
	e := c.engine.Load()
	s := Stats{KMSCalls: c.stats.kms.snapshot(), Events: make(map[EventKind]uint64), EventsDropped: c.alerts.dropped.Load(),
		PlansCached: e.plans.len(), PlanHits: e.plans.hits.Load(), PlanMisses: e.plans.misses.Load(),
		RowsReadAhead: c.stats.rowsAhead.Load()}
	for k := range c.alerts.raised {
		if n := c.alerts.raised[k].Load(); n > 0 {
			s.Events[EventKind(k)] = n
		}
	}
	for _, l := range c.alerts.lanes {
		s.SinkFailures += l.failed.Load()
	}
	for _, t := range e.rules.Tables {
		for _, pc := range t.Columns {
			s.Columns = append(s.Columns, e.columns[pc].snapshot())
		}
	}
	return s
}

func (c *column) snapshot() ColumnStats {
	s := ColumnStats{Table: c.table, Column: c.name, Sealed: c.sealed.Load(), Opened: c.opened.Load(),
		PlaintextReads: c.plaintexts.Load(), Failed: make(map[EventKind]uint64)}
	for k := range c.failed {
		if n := c.failed[k].Load(); n > 0 {
			s.Failed[EventKind(k)] = n
		}
	}
	return s
}

// Of returns the Connector beneath a sql.DB, or an error if it was not opened
// through this package.
func Of(db *sql.DB) (*Connector, error) {
	if d, ok := db.Driver().(interface{ owner() *Connector }); ok {
		return d.owner(), nil
	}
	return nil, errors.New("sealsql: the sql.DB was not opened through sealsql")
}
