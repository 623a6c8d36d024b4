package sqlplan

import "strings"

// This file keeps the columns that hold equality terms out of the application's sight:
// out of its stars, and out of its reach by name.

const hintTerm = "compare the protected column itself; sealsql reads and writes its terms"

// searched returns the column of the table whose terms the column of that name holds,
// or nil.
func (a *analysis) searched(t *Table, name string) *Column {
	for _, c := range t.Columns {
		for term := range c.kept {
			if a.d.SameColumn(term.Column, name) {
				return c
			}
		}
	}
	return nil
}

// hideTerm refuses a column reference of the text that means a term's column.
func (a *analysis) hideTerm(v value, at Span) value {
	if v.term == nil || a.view {
		return v
	}
	a.refuse(at, v.term.object(), "a column that holds the equality terms of a protected column is named", hintTerm)
	return value{}
}

// showsTerm reports whether a star over the nodes stands for a term's column.
func showsTerm(nodes []node) bool {
	for _, n := range nodes {
		list, _ := n.columns()
		for _, c := range list {
			if c.term() {
				return true
			}
		}
	}
	return false
}

// term reports whether the column is a term's column as the table has it.
func (c *column) term() bool { return c.hidden && c.value.term != nil }

// expandStar writes a star that stands for a term's column as a list of the other
// columns: what is around the star must not see the term. It returns their entries.
func (a *analysis) expandStar(at Span, nodes []node) ([]entry, bool) {
	var entries []entry
	var names []string
	for _, n := range nodes {
		list, known := n.columns()
		if !known {
			a.refuse(at, "", "a star over a table whose columns are not known", "list the columns")
			return nil, false
		}
		for _, c := range list {
			if c.hidden {
				continue
			}
			text := a.columnText(n, c)
			if text == "" {
				a.refuse(at, c.name, "a star over a column that cannot be named", "list the columns")
				return nil, false
			}
			names = append(names, text)
			entries = append(entries, entry{single: &column{name: c.name, value: c.value}})
		}
		for _, it := range n.items() {
			if it.table != nil && it.rel != nil {
				a.imply(it.rel, at)
			}
		}
	}
	a.replace(at, textPart(strings.Join(names, ", ")))
	return entries, a.err == nil
}

// columnText writes a reference to a column of a node.
func (a *analysis) columnText(n node, c *column) string {
	switch n := n.(type) {
	case *item:
		if n.name == "" || c.name == "" || !n.unique(c.name) {
			return ""
		}
		return n.text(n.spelled(c.name))
	case *joined:
		if n.isMerged(c.name) && n.merge(c.name) == c {
			return a.d.Quote(c.name)
		}
		for _, side := range []node{n.left, n.right} {
			list, _ := side.columns()
			for _, x := range list {
				if x == c {
					return a.columnText(side, c)
				}
			}
		}
	}
	return ""
}

// spelled is the name of a column as the item's table spells it, which is what a star shows.
func (it *item) spelled(name string) string {
	if it.rel != nil {
		if table, ok := it.rel.Spelled[name]; ok {
			return table
		}
	}
	return name
}

// checkNatural refuses a NATURAL join that the server makes on a term's column too.
func (a *analysis) checkNatural(t *Join, left, right []*column) {
	for _, x := range left {
		for _, y := range right {
			if (x.term() || y.term()) && a.d.SameColumn(x.name, y.name) {
				c := x.value.term
				if c == nil {
					c = y.value.term
				}
				a.refuse(t.Span, c.object(), "a NATURAL join that the server would also make on a column of equality terms", "write the columns that are compared: ON a.x = b.x")
			}
		}
	}
}
