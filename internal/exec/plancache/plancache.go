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
	shown  sync.Map // *sqlplan.Plan to *sync.Map, of *sqlplan.Table to string: see NoteShownAs
	types  sync.Map // *sqlplan.Plan to any: see NoteParameters
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
	c.forget(e.Plan)
	c.bytes -= e.bytes
}

// Drop forgets the plan of a text.
func (c *Cache) Drop(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.plans[text]; ok {
		c.drop(text, old)
	}
}

// Described reports whether the server's description agreed with the plan.
func (c *Cache) Described(plan *sqlplan.Plan) bool {
	_, ok := c.same.Load(plan)
	return ok
}

// NoteDescribed remembers that the server's description agrees with the plan, for as
// long as the plan is kept.
func (c *Cache) NoteDescribed(text string, plan *sqlplan.Plan) { c.note(&c.same, text, plan, nil) }

// ShownAs reports whether NoteShownAs was called last with the plan and the types.
func (c *Cache) ShownAs(plan *sqlplan.Plan, t *sqlplan.Table, types string) bool {
	known, ok := c.shown.Load(plan)
	if !ok {
		return false
	}
	last, _ := known.(*sync.Map).Load(t)
	return last == types
}

// NoteShownAs remembers in which types a plan's texts show columns of a table that are of
// another type in it, for as long as the plan is kept.
func (c *Cache) NoteShownAs(text string, plan *sqlplan.Plan, t *sqlplan.Table, types string) {
	known, ok := c.shown.Load(plan)
	if !ok {
		known = &sync.Map{}
	}
	known.(*sync.Map).Store(t, types)
	c.note(&c.shown, text, plan, known)
}

// Parameters returns what NoteParameters was called with; nil if it was not.
func (c *Cache) Parameters(plan *sqlplan.Plan) any {
	types, _ := c.types.Load(plan)
	return types
}

// NoteParameters remembers what the server takes the parameters of a plan's text as, for as
// long as the plan is kept.
func (c *Cache) NoteParameters(text string, plan *sqlplan.Plan, types any) {
	c.note(&c.types, text, plan, types)
}

func (c *Cache) note(in *sync.Map, text string, plan *sqlplan.Plan, v any) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if p := c.plans[text]; p != nil && p.Plan == plan {
		in.Store(plan, v)
	}
}

// forget drops what is remembered of a plan that is not kept any more.
func (c *Cache) forget(plan *sqlplan.Plan) {
	c.same.Delete(plan)
	c.shown.Delete(plan)
	c.types.Delete(plan)
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
	c.shown.Clear()
	c.types.Clear()
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
