// Package plancache keeps the plans of SQL texts.
package plancache

import (
	"sync"
	"sync/atomic"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Cache keeps the plans of the last texts used, up to a number of texts
// and a number of bytes of memory. A hit takes a read lock and allocates nothing. When it is
// full, it drops entries not used since the last sweep (second chance), so that
// texts made up once do not drive out those that recur.
type Cache struct {
	maxTexts int
	maxBytes int

	mu    sync.RWMutex
	plans map[string]*Entry
	// same holds the kept plans that agree with the server's description.
	same   sync.Map // *sqlplan.Plan
	bytes  int
	hits   atomic.Uint64
	misses atomic.Uint64
}

// Entry is what the analysis of a text yielded.
type Entry struct {
	Plan *sqlplan.Plan
	// Err is a refusal as users see it, Refused as the planner gave it.
	Err     error
	Refused *sqlplan.Refusal
	used    atomic.Bool
	bytes   int
}

// entryBytes is about what an entry takes beside its text and its plan: itself, its place
// in the map, an error.
const entryBytes = 512

// size is about how many bytes of memory the entry of the text keeps.
func (e *Entry) size(text string) int {
	n := entryBytes + len(text)
	if e.Plan != nil {
		n += e.Plan.Size()
	}
	return n
}

// New returns an empty cache of at most maxTexts texts, which keep about maxBytes bytes of
// memory with their plans.
func New(maxTexts, maxBytes int) *Cache {
	return &Cache{maxTexts: maxTexts, maxBytes: maxBytes, plans: make(map[string]*Entry)}
}

// Get returns the cached plan, or nil.
func (c *Cache) Get(text string) *Entry {
	c.mu.RLock()
	p := c.plans[text]
	c.mu.RUnlock()
	if p == nil {
		c.misses.Add(1)
		return nil
	}
	c.hits.Add(1)
	if !p.used.Load() {
		p.used.Store(true)
	}
	return p
}

// Put adds a plan or a refusal, in place of what the text had. A plan that would take a
// large share of the whole cache is not kept.
func (c *Cache) Put(text string, e *Entry) {
	e.bytes = e.size(text)
	if e.bytes > c.maxBytes/16 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.plans[text]; ok {
		c.drop(text, old)
	}
	for len(c.plans) > 0 && (len(c.plans) >= c.maxTexts || c.bytes+e.bytes > c.maxBytes) {
		c.sweep()
	}
	c.plans[text] = e
	c.bytes += e.bytes
}

func (c *Cache) drop(text string, e *Entry) {
	delete(c.plans, text)
	c.same.Delete(e.Plan)
	c.bytes -= e.bytes
}

// Described reports whether the server's description agreed with the plan.
func (c *Cache) Described(plan *sqlplan.Plan) bool {
	_, ok := c.same.Load(plan)
	return ok
}

// NoteDescribed remembers that the server's description agrees with the plan, for as
// long as the plan is kept.
func (c *Cache) NoteDescribed(text string, plan *sqlplan.Plan) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if p := c.plans[text]; p != nil && p.Plan == plan {
		c.same.Store(plan, nil)
	}
}

// sweep drops up to an eighth of the entries, unused ones first. Go's random
// map order picks among them. Entries that are spared lose their mark, so a
// second sweep always makes room.
func (c *Cache) sweep() {
	drop := max(1, len(c.plans)/8)
	for text, p := range c.plans {
		if p.used.Swap(false) {
			continue
		}
		c.drop(text, p)
		if drop--; drop == 0 {
			return
		}
	}
}

// Clear forgets every plan.
func (c *Cache) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.plans)
	c.same.Clear()
	c.bytes = 0
}

func (c *Cache) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.plans)
}

// Bytes is about how many bytes of memory the kept texts and plans take.
func (c *Cache) Bytes() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.bytes
}

// Lookups returns how many look-ups found a plan, and how many did not.
func (c *Cache) Lookups() (hits, misses uint64) { return c.hits.Load(), c.misses.Load() }
