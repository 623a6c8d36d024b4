package sqlplan

import (
	"iter"
	"slices"
)

// scope is where names are looked up: the FROM items of one query level, the
// level around it, and the CTEs.
type scope struct {
	parent *scope
	nodes  []node
	ctes   *cteEnv
	// aliases name the columns of the level's select list.
	aliases []string
	// versions are names of the written row that a qualifier alone means: old and
	// new in RETURNING.
	versions []*item
	// writes is true where a value for a protected table is computed, even if
	// the expression does not see the table.
	writes bool
}

// cteEnv is a linked list of the CTEs in sight, innermost first.
type cteEnv struct {
	next *cteEnv
	def  *cteDef
}

// cteDef is a CTE and what it returns. While a recursive one is being
// analysed, out is its non-recursive part.
type cteDef struct {
	cte       *CTE
	recursive bool
	begun     bool
	around    *scope
	ctes      *cteEnv // what its body sees
	out       output
}

func (s *scope) env() *cteEnv {
	if s == nil {
		return nil
	}
	return s.ctes
}

// cte finds a CTE by name.
func (a *analysis) cte(s *scope, name string) *cteDef {
	for e := s.env(); e != nil; e = e.next {
		if a.d.SameTable(e.def.cte.Name, name) {
			return e.def
		}
	}
	return nil
}

// items are the items of one level.
func (s *scope) items() iter.Seq[*item] {
	return func(yield func(*item) bool) {
		for _, n := range s.nodes {
			for _, it := range n.items() {
				if !yield(it) {
					return
				}
			}
		}
	}
}

// inReach reports whether a protected table is visible from the scope, so that
// a construct that is not understood may read it.
func (a *analysis) inReach(s *scope) bool {
	for ; s != nil; s = s.parent {
		if s.writes {
			return true
		}
		for it := range s.items() {
			if it.sensitive() {
				return true
			}
		}
	}
	return false
}

// sensitive reports whether the item shows a protected column.
func (it *item) sensitive() bool {
	for _, c := range it.known() {
		if c.value.protected() {
			return true
		}
	}
	return false
}

// known are the columns of the item that are known.
func (it *item) known() []*column {
	if it.out == nil {
		return it.cols
	}
	list, _ := it.columns()
	return list
}

// itemNamed finds an item by alias or table name, innermost level first.
func (a *analysis) itemNamed(s *scope, qualifier []string) *item {
	name := qualifier[len(qualifier)-1]
	for ; s != nil; s = s.parent {
		for it := range s.items() {
			if it.name != "" && a.d.SameTable(it.name, name) && a.schemaFits(it, qualifier) {
				return it
			}
		}
		if found := a.versionNamed(s, name, len(qualifier)); found != nil {
			return found
		}
	}
	return nil
}

// versionNamed finds old or new.
func (a *analysis) versionNamed(s *scope, name string, parts int) *item {
	for _, it := range s.versions {
		if parts == 1 && a.d.SameTable(it.name, name) {
			return it
		}
	}
	return nil
}

func (a *analysis) schemaFits(it *item, qualifier []string) bool {
	if len(qualifier) < 2 {
		return true
	}
	schema := qualifier[len(qualifier)-2]
	return it.ref != nil && it.ref.Alias == "" && (it.schema == "" || a.d.SameTable(it.schema, schema))
}

// lookup says what a column reference means.
func (a *analysis) lookup(c *ColumnRef, s *scope) value {
	if len(c.Qualifier) > 0 {
		return a.lookupQualified(c, s)
	}
	var passed []*item
	for level := s; level != nil; level = level.parent {
		if found := level.find(c.Name); len(found) > 0 {
			v := a.hideTerm(gravest(found), c.Span)
			if v.kind == valuePlain || len(passed) == 0 {
				return v
			}
			// An inner relation that the catalog has not been asked about
			// may have the column, and would hide this one.
			if a.askAll(passed) {
				return a.lookup(c, s)
			}
			return v
		}
		for it := range level.items() {
			if it.out == nil && !it.asked && it.ref != nil && it.table == nil {
				passed = append(passed, it)
			}
		}
	}
	for level := s; level != nil; level = level.parent {
		whole := a.versionNamed(level, c.Name, 1)
		for it := range level.items() {
			if it.name != "" && a.d.SameTable(it.name, c.Name) {
				whole = it
				break
			}
		}
		if whole != nil {
			return value{kind: valueWhole, item: whole}
		}
	}
	return value{}
}

// doubtful refuses a name of something else that a server may take for a
// protected column in sight.
func (a *analysis) doubtful(c *ColumnRef, s *scope) {
	for level := s; level != nil; level = level.parent {
		for it := range level.items() {
			if it.table != nil && (len(c.Qualifier) == 0 || a.d.SameTable(it.name, c.Qualifier[len(c.Qualifier)-1])) && len(it.find(c.Name, nil)) == 0 {
				a.protectedColumn(it.table, c.Name, c.Span)
			}
			if a.err != nil {
				break
			}
		}
	}
}

// askAll asks the catalog about the items' relations, and reports whether
// anything was learned.
func (a *analysis) askAll(items []*item) bool {
	for _, it := range items {
		it.load()
	}
	return a.err == nil && len(items) > 0
}

func (s *scope) find(name string) []*column {
	var found []*column
	for _, n := range s.nodes {
		found = n.find(name, found)
	}
	return found
}

// gravest picks the column that matters most among columns of one name. The server
// refuses such a reference as ambiguous.
func gravest(found []*column) value {
	best := found[0].value
	for _, c := range found[1:] {
		if c.value.protected() && !best.protected() || best.kind == valuePlain {
			best = c.value
		}
	}
	return best
}

// lookupQualified resolves table.column.
func (a *analysis) lookupQualified(c *ColumnRef, s *scope) value {
	it := a.itemNamed(s, c.Qualifier)
	if it == nil {
		if a.unresolved == nil {
			a.unresolved = c
		}
		return value{}
	}
	return a.member(it, c.Name, c.Span)
}

// absent reports whether no relation in sight has the column, while a protected
// table is in sight: what is compared with it may be meant for a protected column.
func (a *analysis) absent(c *ColumnRef, s *scope) bool {
	return a.inReach(s) && a.nowhere(c, s)
}

// nowhere reports whether no relation in sight has the column.
func (a *analysis) nowhere(c *ColumnRef, s *scope) bool {
	if c.Star || a.err != nil || a.d.SystemColumn(c.Name) {
		return false
	}
	if len(c.Qualifier) > 0 {
		it := a.itemNamed(s, c.Qualifier)
		return it != nil && it.out == nil && it.table != nil && it.closed && len(it.find(c.Name, nil)) == 0
	}
	for level := s; level != nil; level = level.parent {
		if len(level.find(c.Name)) > 0 {
			return false
		}
		open := slices.ContainsFunc(level.aliases, func(name string) bool { return a.d.SameColumn(name, c.Name) })
		for it := range level.items() {
			it.load()
			_, known := it.columns()
			open = open || !known && !it.function || it.name != "" && a.d.SameTable(it.name, c.Name)
			if open {
				break
			}
		}
		open = open || a.versionNamed(level, c.Name, 1) != nil
		if open || len(level.find(c.Name)) > 0 {
			return false
		}
	}
	return true
}

// stray is a reference to a column where no protected table is in sight.
type stray struct {
	c *ColumnRef
	s *scope
}

// checkStrays refuses columns that no relation in sight has, in a text that names a
// protected table: columns of a protected name, and columns where no relation is in
// sight. A table that was left out of FROM, or written in the wrong place, may be
// meant.
func (a *analysis) checkStrays() {
	named := a.touched
	for _, x := range a.strays {
		meant := a.reach.columns.all[wide(x.c.Name)]
		if !meant && (!a.touched || x.s.sees()) {
			continue
		}
		if !named && !a.p.names(a.text, &a.reach.names) {
			return
		}
		if named = true; a.lost(x) {
			a.touched = true
			a.refuseAbsent(x.c.Span, "")
			return
		}
	}
}

// lost reports whether the column is nowhere to be found.
func (a *analysis) lost(x stray) bool {
	if len(x.c.Qualifier) > 0 && a.itemNamed(x.s, x.c.Qualifier) == nil {
		return true
	}
	return a.nowhere(x.c, x.s)
}

// sees reports whether a relation is in sight.
func (s *scope) sees() bool {
	for ; s != nil; s = s.parent {
		if len(s.nodes)+len(s.versions) > 0 {
			return true
		}
	}
	return false
}

// refuseAbsent refuses a statement that names a column that is not there.
func (a *analysis) refuseAbsent(at Span, table string) {
	a.refuse(at, table, "a column that no table of the statement has, next to a protected table", "correct its name")
}

// member resolves a column of an item.
func (a *analysis) member(it *item, name string, at Span) value {
	found := it.find(name, nil)
	if len(found) > 0 {
		return a.hideTerm(gravest(found), at)
	}
	if a.d.FieldCalls() && it.sensitive() && !a.d.SystemColumn(name) && (it.table == nil || it.rel != nil) {
		// Postgres reads t.f as f(t) where t has no column f. A table that is not there is
		// the server's to complain of.
		a.refuse(at, it.name, "a name that is no known column of a protected table", "name a column that the table has")
	}
	return value{}
}
