package policy

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/sealsql/sealsql/internal/jsondoc"
)

// DocumentPath is a path of a JSON document whose values are protected.
type DocumentPath struct {
	// Path is in the form that each path has one of: $.name, $["a key"], $.list[*].
	Path string
	// Type is the type of the values: string, int64, float64, decimal, bool, or json for
	// values of every kind. A null is never sealed.
	Type ValueType
	// Equality makes the values searchable; nil if they are not. Keys[0].Column is the key of
	// the member, beside the value, that holds its term.
	Equality *Equality
	Line     int // in the file, from 1

	written string // as the file has the path
}

// Keys are the keys of a path's members, from the document's root.
func (p DocumentPath) Keys() (list []string) {
	parsed, _ := jsondoc.ParsePath(p.Path) // the policy was read
	for _, s := range parsed {
		if s.Kind == jsondoc.Member {
			list = append(list, s.Key)
		}
	}
	return list
}

// paths reads the protected paths of a column.
func (d *decoder) paths(n *yaml.Node, at string) (list []DocumentPath) {
	var all []jsondoc.Path
	for _, f := range d.fields(n, at) {
		at := join(at, f.key)
		parsed, err := jsondoc.ParsePath(f.key)
		if err != nil {
			d.fail(f.name, at, "not a path: "+err.Error(), `write $.name, $.a["b c"] or $.list[*]; without paths the document is protected as a whole`)
			continue
		}
		for i, other := range all {
			if other.Overlaps(parsed) {
				d.fail(f.name, at, fmt.Sprintf("the path overlaps %s", list[i].Path), "keep the shorter of them: it protects all that lies in it")
			}
		}
		p := DocumentPath{Path: parsed.String(), Line: f.name.Line, written: f.key}
		for _, o := range d.fields(f.value, at, "type", "search") {
			switch o.key {
			case "type":
				p.Type = ValueType(d.oneOf(o.value, join(at, "type"), "json", "string", "int64", "float64", "decimal", "bool"))
			case "search":
				p.Equality = d.pathSearch(parsed, o.value, join(at, "search"))
			}
		}
		if p.Type == "" && f.value.Kind == yaml.MappingNode {
			d.fail(f.name, join(at, "type"), "the field is missing", "write type: json for values of every kind")
		}
		all, list = append(all, parsed), append(list, p)
	}
	if len(list) == 0 {
		d.fail(n, at, "no path is listed", "list a path, or leave paths out: the document is then protected as a whole")
	}
	return list
}

// pathSearch reads the search section of a path.
func (d *decoder) pathSearch(path jsondoc.Path, n *yaml.Node, at string) *Equality {
	var own Column
	d.search(&own, n, at)
	eq := own.Equality
	if eq == nil {
		return nil
	}
	at = join(at, "equality")
	node := d.searches[at]
	for _, field := range []struct {
		name string
		set  bool
	}{{"bits", eq.Bits != MaxTermBits}, {"per", eq.Per != ""}, {"group", eq.Group != ""}, {"verify", eq.ShownOnly}, {"key", len(eq.Keys) > 1 || eq.Keys[0].BranchKey != ""}} {
		if field.set {
			d.fail(node, join(at, field.name), "the terms of a path are exact, and of that path and the keyring's own key alone", "leave it out, or keep what is searched in a column of its own")
		}
	}
	if slices.ContainsFunc(path, func(s jsondoc.Step) bool { return s.Kind != jsondoc.Member }) {
		d.fail(node, at, "the values of a path with [*] have no terms", "keep what is searched in a table or a column of its own")
		return nil
	}
	if name := eq.Keys[0].Column; name != "" && !plainKey.MatchString(name) {
		d.fail(node, join(at, "column"), "the terms of a path are a member whose key is letters, digits and _", "write a name such as email_eq")
	}
	return eq
}

// plainKey is a key that is written the same in every server's paths.
var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// checkPathSearch asks whether the paths of a column can have terms.
func (d *decoder) checkPathSearch(k Keyring, c *Column, path string) {
	taken := map[string]string{}
	for _, p := range c.Paths {
		if p.Equality == nil {
			continue
		}
		at := join(join(path, "paths"), p.written)
		d.checkEquality(k, &Column{Name: c.Name, Type: p.Type, Equality: p.Equality}, at)
		at = join(at, "search.equality")
		if p.Type != TypeString {
			d.fail(d.searches[at], at, fmt.Sprintf("values of type %s of a path have no terms", p.Type), "search is for paths of type: string")
		}
		parsed, _ := jsondoc.ParsePath(p.Path)
		parsed[len(parsed)-1].Key = p.Equality.Keys[0].Column
		for _, other := range c.Paths {
			if own, _ := jsondoc.ParsePath(other.Path); own.Overlaps(parsed) {
				d.fail(d.searches[at], join(at, "column"), fmt.Sprintf("the member lies at %s, which is protected", other.Path), "name a member of its own for the terms")
			}
		}
		if first, ok := taken[parsed.String()]; ok {
			d.fail(d.searches[at], join(at, "column"), fmt.Sprintf("the member holds the terms of %s already", first), "name a member of its own for the terms")
		}
		taken[parsed.String()] = p.Path
	}
}

// checkPaths refuses what does not go with a document that stays JSON.
func (d *decoder) checkPaths(c *Column, e entry, path string, seen map[string]bool) {
	if !seen["paths"] {
		return
	}
	if c.Type != TypeJSON {
		d.fail(e.name, join(path, "paths"), "paths are for JSON documents", "write type: json, or leave paths out")
	}
	for field, why := range map[string]string{"storage": "the document stays JSON in its column", "legacy": "bare ciphertexts of KMS are no JSON", "search": "a document cannot be searched"} {
		if seen[field] {
			d.fail(e.name, join(path, field), why, "leave it out, or leave paths out: the document is then protected as a whole")
		}
	}
	if c.Default != nil && !json.Valid([]byte(*c.Default)) {
		d.fail(e.name, join(path, "default"), "the default is not JSON", "write the document that the column's DEFAULT has, such as '{}'")
	}
	c.Storage = Base64 // of the ciphertexts, which are strings of the document
}
