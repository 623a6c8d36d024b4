package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Equality says how a protected column is searched: by an equality term, a keyed hash
// of the value that lies in a column beside it.
type Equality struct {
	// Keys are the columns that hold terms, and the keys that make them. There is one,
	// or two while terms move from one key to another: every write fills both.
	Keys []TermKey
	// Normalise lists what is done to a value's plain text before its term is made:
	// nfkc, casefold, trim, digits, "first N" and "last N", in order.
	Normalise []string
	// Bits is the length of a term. From [ExactBits] up a term stands for one
	// normalised value; shorter terms are shared by several.
	Bits int
	// Per is the column of the row that the term depends on beside the value; empty
	// for none.
	Per string
	// Group names the columns that share terms; empty for a column of its own.
	Group string
	// ShownOnly opens and compares rows that were found by a term only where the
	// statement shows the value (verify: shown).
	ShownOnly bool
	// AcceptLeak allows terms of columns with few distinct values.
	AcceptLeak bool
	Line       int // in the file, from 1
}

// TermKey is a column of terms and the key that makes them.
type TermKey struct {
	Column string
	// BranchKey is the branch key whose beacon key makes the terms; empty for the
	// keyring's own.
	BranchKey string
}

// The bounds of a term's length in bits.
const (
	MinTermBits = 8
	MaxTermBits = 256
	// ExactBits is the least length at which a term stands for one value.
	ExactBits = 128
)

// Exact reports whether equal terms mean equal normalised values.
func (e *Equality) Exact() bool { return e.Bits >= ExactBits }

// TermSize is the length of a term in bytes.
func (e *Equality) TermSize() int { return (e.Bits + 7) / 8 }

// Stored is the length of n bytes as the storage keeps them.
func (s Storage) Stored(n int) int {
	if s == Base64 {
		return (n + 2) / 3 * 4
	}
	return n
}

// Normalises reports whether a normaliser is applied.
func (e *Equality) Normalises(name string) bool { return slices.Contains(e.Normalise, name) }

// KeyColumns are the columns of the row key as they lie in the table: the column of its
// terms stands in the place of a protected column.
func (t Table) KeyColumns() []string {
	out := make([]string, len(t.RowKey))
	for i, k := range t.RowKey {
		out[i] = t.InClear(k)
	}
	return out
}

// InClear is the column that stands in the row key and in contexts for a column: the
// column itself, or that of its terms if it is a protected column of the row key.
func (t Table) InClear(name string) string {
	for _, c := range t.Columns {
		if c.Name == name && c.Equality != nil && slices.Contains(t.RowKey, name) {
			return c.Equality.Keys[0].Column
		}
	}
	return name
}

func (e *Equality) clone() *Equality {
	if e == nil {
		return nil
	}
	out := *e
	out.Keys, out.Normalise = slices.Clone(e.Keys), slices.Clone(e.Normalise)
	return &out
}

// search reads a column's search section.
func (d *decoder) search(c *Column, n *yaml.Node, path string) {
	for _, f := range d.fields(n, path, "equality") {
		c.Equality = d.equality(f.value, join(path, "equality"))
	}
	if c.Equality == nil && n.Kind == yaml.MappingNode {
		d.fail(n, path, "the section says nothing", "write equality: {column: …}")
	}
}

func (d *decoder) equality(n *yaml.Node, path string) *Equality {
	e := &Equality{Bits: MaxTermBits, Line: n.Line}
	d.searches[path] = n
	column, keys := "", (*yaml.Node)(nil)
	for _, f := range d.fields(n, path, "column", "normalise", "bits", "per", "group", "verify", "key", "accept_leak") {
		path := join(path, f.key)
		switch f.key {
		case "column":
			column = d.text(f.value, path)
		case "normalise":
			e.Normalise = d.normalisers(f.value, path)
		case "bits":
			e.Bits = int(d.number(f.value, path, MinTermBits, MaxTermBits))
		case "per":
			e.Per = d.text(f.value, path)
		case "group":
			e.Group = d.text(f.value, path)
		case "verify":
			e.ShownOnly = d.oneOf(f.value, path, "always", "shown") == "shown"
		case "key":
			keys = f.value
		case "accept_leak":
			e.AcceptLeak = d.boolean(f.value, path)
		}
	}
	if column == "" && n.Kind == yaml.MappingNode {
		d.fail(n, join(path, "column"), "the field is missing", "name the column that holds the terms, such as email_eq")
	}
	e.Keys = []TermKey{{Column: column}}
	if keys != nil {
		e.Keys = d.termKeys(keys, join(path, "key"), column)
	}
	return e
}

// termKeys reads key: one entry, or a list of two while terms move to another key.
func (d *decoder) termKeys(n *yaml.Node, path, column string) []TermKey {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
		if len(nodes) != 2 {
			d.fail(n, path, "a list of keys has two entries, the old key and the new one", "write key: {branch_key: …} for one key")
		}
	}
	var out []TermKey
	for i, c := range nodes {
		var k TermKey
		if i == 0 {
			k.Column = column
		}
		for _, f := range d.fields(c, path, "branch_key", "column") {
			path := join(path, f.key)
			switch {
			case f.key == "branch_key":
				k.BranchKey = d.text(f.value, path)
				if len(k.BranchKey) > 255 {
					d.fail(f.value, path, "a branch key's id has 255 bytes at most", "shorten it")
				}
			case i == 0:
				d.fail(f.name, path, "the first key fills the section's own column", "take it out here")
			default:
				k.Column = d.text(f.value, path)
			}
		}
		if k.Column == "" && i > 0 {
			d.fail(c, path, "the second key needs a column of its own", "write {branch_key: …, column: …}")
		}
		out = append(out, k)
	}
	if len(out) == 0 {
		return []TermKey{{Column: column}}
	}
	return out
}

// partForm is what takes the first or the last characters of a value.
var partForm = regexp.MustCompile(`^(first|last) ([1-9][0-9]{0,2}|1000)$`)

func (d *decoder) normalisers(n *yaml.Node, path string) []string {
	var out []string
	for _, c := range d.list(n, path) {
		s := d.text(c, path)
		switch {
		case s == "":
		case slices.Contains(out, s):
			d.fail(c, path, fmt.Sprintf("duplicate normaliser %s", s), "remove one")
		case !contains([]string{"nfkc", "casefold", "trim", "digits"}, s) && !partForm.MatchString(s):
			d.fail(c, path, fmt.Sprintf("%q is not known here", s), "write nfkc, casefold, trim, digits, first N or last N, with N from 1 to 1000")
		}
		out = append(out, s)
	}
	return out
}

// checkEquality asks whether the column can have terms.
func (d *decoder) checkEquality(k Keyring, c *Column, path string) {
	eq := c.Equality
	if eq == nil {
		return
	}
	path = join(path, "search.equality")
	n := d.searches[path]
	raw := k.RawAES != nil && !k.DataKey.HasBranchKeys()
	switch {
	case k.Name == "":
		return // the keyring is missing, which is said already
	case !raw && !k.DataKey.HasBranchKeys():
		d.fail(n, path, fmt.Sprintf("terms are made with the key of a branch key, and keyring %s has none", k.Name),
			"write data_key: {per: branch, store: sql, ttl: 15m, branch_key: …}; values that are sealed already still open")
	case raw && slices.ContainsFunc(eq.Keys, func(t TermKey) bool { return t.BranchKey != "" }):
		d.fail(n, join(path, "key"), fmt.Sprintf("keyring %s has no branch keys", k.Name), "take key out, or write data_key: {per: branch, …}")
	}
	if len(eq.Keys) == 2 && eq.Keys[0].BranchKey == eq.Keys[1].BranchKey {
		d.fail(n, join(path, "key"), "both keys are the same", "name two branch keys")
	}
	if c.Type == TypeBool && !eq.AcceptLeak {
		d.fail(n, path, "the terms of a column with two values tell everybody which rows share one", "leave search out, or write accept_leak: true if that is meant")
	}
	if c.Type != TypeString && len(eq.Normalise) > 0 {
		d.fail(n, join(path, "normalise"), fmt.Sprintf("values of type %s have one text form already", c.Type), "take it out; normalisers are for type: string")
	}
	if slices.Contains([]ValueType{TypeFloat64, TypeDecimal, TypeJSON}, c.Type) {
		d.fail(n, path, fmt.Sprintf("values of type %s that are equal may have different texts", c.Type), "leave search out, or store the value that is searched in a column of its own")
	}
}

// checkTerms asks whether the terms of a table's columns get in each other's way, or in
// that of other columns.
func (d *decoder) checkTerms(t *Table, path string) {
	used := map[string]string{}
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Equality == nil {
			continue
		}
		path := path + ".columns." + c.Name + ".search.equality"
		n := d.searches[path]
		for _, k := range c.Equality.Keys {
			name := strings.ToLower(k.Column)
			switch {
			case name == "":
			case t.find(k.Column) != nil:
				d.fail(n, join(path, "column"), fmt.Sprintf("%q is itself a protected column", k.Column), "name a column of its own for the terms")
			case contains(t.RowKey, k.Column) || t.drawsOn(k.Column):
				d.fail(n, join(path, "column"), fmt.Sprintf("%q is in the row key or in a context", k.Column), "name a column of its own for the terms")
			case used[name] != "":
				d.fail(n, join(path, "column"), fmt.Sprintf("%q holds the terms of %s already", k.Column, used[name]), "name a column of its own for the terms")
			}
			used[name] = c.Name
		}
		if per := c.Equality.Per; per != "" && (t.find(per) != nil || used[strings.ToLower(per)] != "") {
			d.fail(n, join(path, "per"), fmt.Sprintf("the term depends on %q, which is itself protected", per), "use a column in clear")
		}
	}
}

// drawsOn reports whether a column is a source of a context.
func (t *Table) drawsOn(name string) bool {
	return slices.ContainsFunc(t.Columns, func(c Column) bool {
		return slices.ContainsFunc(c.Context, func(p ContextPair) bool { return p.Source != "" && strings.EqualFold(p.Source, name) })
	})
}

// find returns the protected column of a name, whatever its case, or nil.
func (t *Table) find(name string) *Column {
	for i := range t.Columns {
		if strings.EqualFold(t.Columns[i].Name, name) {
			return &t.Columns[i]
		}
	}
	return nil
}

// checkKey asks whether a protected column may be part of the row key: its term then
// stands in its place.
func (d *decoder) checkKey(p *Policy, t *Table, c *Column, n *yaml.Node, path string) {
	path = join(path, "row_key")
	switch eq := c.Equality; {
	case eq == nil:
		d.fail(n, path, fmt.Sprintf("the row key's column %q is itself protected", c.Name),
			"choose a unique key in clear, take the column out of columns, or give it search: {equality: {column: …}}: its term then identifies the row")
	case !eq.Exact():
		d.fail(n, path, fmt.Sprintf("several values of the row key's column %q share a term of %d bits", c.Name, eq.Bits), "take bits out")
	case len(eq.Keys) > 1:
		d.fail(n, path, fmt.Sprintf("values are bound to the term of the row key's column %q, which cannot move to another key", c.Name), "name one key")
	}
	for _, other := range t.Columns {
		if other.Legacy != "" {
			d.fail(n, path, fmt.Sprintf("legacy values of %q were made under a row key in clear, and the row key's column %q is protected", other.Name, c.Name), "re-encrypt them first, and take legacy out")
		}
		if from := p.keyrings[other.Keyring].DataKey.BranchKeyFrom; from != "" && strings.EqualFold(from, c.Name) {
			d.fail(n, path, fmt.Sprintf("keyring %s finds its branch keys by %q, which is protected", other.Keyring, c.Name), "find them by a column in clear")
		}
	}
}

// checkGroups asks whether columns of one group make the same terms of the same values.
func (d *decoder) checkGroups(p *Policy) {
	type member struct {
		name string
		*Column
	}
	first := map[string]member{}
	for i := range p.tables {
		t := &p.tables[i]
		for j := range t.Columns {
			c := &t.Columns[j]
			if c.Equality == nil || c.Equality.Group == "" {
				continue
			}
			m, ok := first[c.Equality.Group]
			if !ok {
				first[c.Equality.Group] = member{t.FullName() + "." + c.Name, c}
				continue
			}
			a, b := m.Equality, c.Equality
			what := ""
			switch {
			case m.Type != c.Type:
				what = "type"
			case !slices.Equal(a.Normalise, b.Normalise):
				what = "normalise"
			case a.Bits != b.Bits:
				what = "bits"
			case (a.Per == "") != (b.Per == ""):
				what = "per"
			case m.Keyring != c.Keyring || !slices.EqualFunc(a.Keys, b.Keys, func(x, y TermKey) bool { return x.BranchKey == y.BranchKey }):
				what = "key"
			}
			if what != "" {
				path := "tables." + t.FullName() + ".columns." + c.Name + ".search.equality"
				d.fail(d.searches[path], join(path, "group"),
					fmt.Sprintf("%s of group %s has another %s, so that their terms would never be equal", m.name, b.Group, what), "write the same, or name another group")
			}
		}
	}
}
