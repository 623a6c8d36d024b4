package sqlplan

import "strings"

// Spell gives the columns of a relation the names that the policy writes in another case,
// where the server takes both for one. Plans, and what is bound to a row, compare names as
// they are spelled.
func (r *Rules) Spell(rel *Relation) {
	if rel.Spelled == nil {
		return
	}
	for _, t := range r.Tables {
		if t.Schema == "" || strings.EqualFold(t.Schema, rel.Schema) {
			for name := range t.names() {
				rel.spell(name)
			}
		}
	}
}

// names yields the names of the table's columns that the policy writes.
func (t *Table) names() func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, s := range t.Sources {
			if !yield(s) {
				return
			}
		}
		for _, c := range t.Columns {
			if !yield(c.Name) {
				return
			}
			for term := range c.kept {
				if !yield(term.Column) {
					return
				}
			}
		}
	}
}

// spell writes the column of that name as name does.
func (r *Relation) spell(name string) {
	for i := range r.Columns {
		c := &r.Columns[i]
		if c.Name == name || !sameASCII(c.Name, name) {
			continue
		}
		for _, k := range r.UniqueKeys {
			for j := range k.Columns {
				if k.Columns[j] == c.Name {
					k.Columns[j] = name
				}
			}
		}
		r.Spelled[name], c.Name = c.Name, name
	}
}

// sameASCII reports whether two names differ in the case of ASCII letters alone. Which
// other letters are one depends on the server.
func sameASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] >= 0x80 && a[i] != b[i] {
			return false
		}
	}
	return strings.EqualFold(a, b)
}
