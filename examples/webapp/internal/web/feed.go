package web

import (
	"slices"
	"sync"
	"time"

	"github.com/sealsql/sealsql/alert"
)

// Alert is an event of sealsql as the operations page shows it. It holds
// digests only.
type Alert struct {
	ID                        uint64
	Time                      time.Time
	Kind, Column, Row, Detail string
	Region                    string
	Count                     uint64
	Urgent                    bool
}

const remembered = 200 // alerts that a page opened later still shows

// Feed keeps the latest alerts and passes each on to the pages that are open.
// It is safe for concurrent use.
type Feed struct {
	mu     sync.Mutex
	last   uint64
	recent []Alert
	counts map[string]uint64
	pages  map[chan Alert]bool
}

// NewFeed returns an empty feed.
func NewFeed() *Feed { return &Feed{counts: map[string]uint64{}, pages: map[chan Alert]bool{}} }

// Alert takes an event. It is meant for driver.WithAlertFunc and never blocks.
func (f *Feed) Alert(e alert.Event) {
	a := Alert{
		Time: e.Time, Kind: e.Kind.String(), Row: e.RowKeyDigest, Region: e.Region, Detail: e.Err, Count: e.Count(), Urgent: e.Kind.Urgent(),
	}
	if e.Table != "" {
		a.Column = e.Table + "." + e.Column
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	a.ID = f.last
	f.counts[a.Kind] += a.Count
	f.recent = append(f.recent, a)
	if len(f.recent) > remembered {
		f.recent = slices.Delete(f.recent, 0, len(f.recent)-remembered)
	}
	for page := range f.pages {
		select {
		case page <- a:
		default: // the page is stuck; it asks for what it missed when it reconnects
			delete(f.pages, page)
			close(page)
		}
	}
}

// Since returns the alerts kept that are newer than an ID, oldest first.
func (f *Feed) Since(id uint64) []Alert {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.since(id)
}

func (f *Feed) since(id uint64) []Alert {
	i, _ := slices.BinarySearchFunc(f.recent, id+1, func(a Alert, id uint64) int {
		if a.ID < id {
			return -1
		}
		return int(a.ID - id)
	})
	return slices.Clone(f.recent[i:])
}

// Counts returns how often each kind was raised.
func (f *Feed) Counts() map[string]uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make(map[string]uint64, len(f.counts))
	for kind, n := range f.counts {
		out[kind] = n
	}
	return out
}

// subscribe returns the alerts kept that are newer than an ID and a channel of
// those to come. The channel is closed when its reader is too slow.
func (f *Feed) subscribe(id uint64) ([]Alert, chan Alert) {
	f.mu.Lock()
	defer f.mu.Unlock()
	page := make(chan Alert, 64)
	f.pages[page] = true
	return f.since(id), page
}

func (f *Feed) unsubscribe(page chan Alert) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.pages, page)
}
