package policy

import (
	"encoding/json"
	"fmt"

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
	Line int // in the file, from 1
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
		p := DocumentPath{Path: parsed.String(), Line: f.name.Line}
		rest := d.withoutSearch(f.value, at)
		for _, o := range d.fields(rest, at, "type") {
			p.Type = ValueType(d.oneOf(o.value, join(at, "type"), "json", "string", "int64", "float64", "decimal", "bool"))
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

// withoutSearch is the section of a path without the field search, which it refuses.
func (d *decoder) withoutSearch(n *yaml.Node, at string) *yaml.Node {
	rest := *n
	rest.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "search" {
			d.fail(n.Content[i], join(at, "search"), "a value in a document cannot be searched", "keep what is searched in a column of its own")
			continue
		}
		rest.Content = append(rest.Content, n.Content[i], n.Content[i+1])
	}
	return &rest
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
