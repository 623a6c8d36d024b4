package sqlplan

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// attachments are relations that planned texts make partitions or children of
// protected tables. They count from the planning of such a text on: until it is
// committed, no other connection can read them in the catalog.
type attachments struct {
	mu   sync.Mutex
	list []Attached
	n    atomic.Int64 // grows with each change of list
}

// Attached is a relation that a planned text makes a partition or a child of a protected
// table, or of a part of one.
type Attached struct {
	*Relation
	// Parent is the name of that table.
	Parent string
	at     int64 // tells apart what was planned again
}

// Attach takes note of what a text attaches: when it is planned, and again once it was carried out.
func (r *Rules) Attach(list []Attached) {
	a := &r.attached
	if len(list) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range list {
		known := slices.IndexFunc(a.list, func(y Attached) bool {
			return x.Schema == y.Schema && x.Name == y.Name && x.Parent == y.Parent
		})
		if x.at = a.n.Add(1); known >= 0 {
			a.list[known] = x
		} else {
			a.list = append(a.list, x)
		}
	}
}

// NamesAttached reports whether the name of a relation that a planned text made a partition
// or a child of a protected table stands in the text.
func (r *Rules) NamesAttached(text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(r.Attached(), func(x Attached) bool { return strings.Contains(text, strings.ToLower(x.Name)) })
}

// Listed takes note of the relations that the catalog lists as readers of protected columns.
// A partition that it lists was committed: from now on the catalog tells how long it is
// one. It reports whether there was such a partition.
func (r *Rules) Listed(readers []*Relation) bool {
	return r.forget(func(x Attached) bool {
		return slices.ContainsFunc(readers, func(l *Relation) bool { return !l.View && l.Name == x.Name && (x.Schema == "" || l.Schema == x.Schema) })
	})
}

// Undone takes note of relations that no transaction attaches any more, and that the catalog
// does not list: the text failed, or was rolled back. What was attached again since they were
// read from [Rules.Attached] stays. It reports whether there was one.
func (r *Rules) Undone(list []Attached) bool {
	return r.forget(func(x Attached) bool {
		return slices.ContainsFunc(list, func(y Attached) bool { return x.at == y.at })
	})
}

func (r *Rules) forget(gone func(Attached) bool) bool {
	a := &r.attached
	a.mu.Lock()
	defer a.mu.Unlock()
	before := len(a.list)
	if a.list = slices.DeleteFunc(a.list, gone); len(a.list) == before {
		return false
	}
	a.n.Add(1)
	return true
}

// Attached are the relations that planned texts attach and that the catalog did not list yet.
func (r *Rules) Attached() []Attached {
	a := &r.attached
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.list)
}

// relations are those of what is attached.
func (a *attachments) relations() (list []*Relation) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range a.list {
		list = append(list, x.Relation)
	}
	return list
}
