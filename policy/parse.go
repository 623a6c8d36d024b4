package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"gopkg.in/yaml.v3"
)

// Defaults.
const (
	DefaultMaxRowsPerStatement = 1000
	DefaultMaxStatementBytes   = 1 << 20
	DefaultMaxNesting          = 200
	DefaultMaxWrappedKeys      = 16
	DefaultReadAheadRows       = 256
	DefaultReadAheadBytes      = 4 << 20

	maxFile = 1 << 20
)

// Load reads a policy from a file of at most 1 MiB. An error about its content
// is a [Mistakes].
func Load(path string) (*Policy, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("policy: the file cannot be opened: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("policy: the file cannot be read: %w", err)
	}
	return Parse(path, data)
}

// Parse reads a policy; name stands for the file in errors.
func Parse(name string, data []byte) (*Policy, error) {
	d := &decoder{file: name, getenv: os.LookupEnv, searches: map[string]*yaml.Node{}}
	p := d.document(data)
	d.mistakes.sort()
	if len(d.mistakes) > 0 {
		return nil, d.mistakes
	}
	p.warnings = d.warnings
	return p, nil
}

var topFields = []string{"version", "region", "keyrings", "tables", "views", "alerts", "kms", "read_ahead", "limits", "ddl"}

func (d *decoder) document(data []byte) *Policy {
	p := &Policy{keyrings: map[string]Keyring{}, alerts: []Alert{{Kind: "log"}},
		readAhead: ReadAhead{DefaultReadAheadRows, DefaultReadAheadBytes}, limits: Limits{DefaultMaxStatementBytes, DefaultMaxNesting}, ddl: DDLRewrite}
	if len(data) > maxFile {
		d.fail(nil, "", "the file is larger than 1 MiB", "a policy is a list of tables, columns and keys only")
		return p
	}
	top := d.read(data)
	if top == nil {
		return p
	}
	d.sections(p, top)
	return p
}

// read returns the mapping of the file's one document, or nil after a mistake.
func (d *decoder) read(data []byte) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		what := "the file is empty"
		if !errors.Is(err, io.EOF) {
			what = "the file is not valid YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")
		}
		d.fail(nil, "", what, "start from policy.example.yaml")
		return nil
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		d.fail(nil, "", "the file holds several documents", "keep one")
		return nil
	}
	return doc.Content[0]
}

// sections reads the sections of the file. Tables are read after keyrings, and views
// after tables, wherever they are in the file.
func (d *decoder) sections(p *Policy, top *yaml.Node) {
	var tables, views *yaml.Node
	seen := map[string]bool{}
	for _, f := range d.fields(top, "", topFields...) {
		seen[f.key] = true
		switch f.key {
		case "version":
			if f.value.Value != "1" {
				d.fail(f.value, "version", "this version of the policy format is not known", "write version: 1")
			}
		case "region":
			p.region = d.text(f.value, "region")
		case "keyrings":
			for _, k := range d.fields(f.value, "keyrings") {
				p.keyrings[k.key] = d.keyring(k)
			}
		case "tables":
			tables = f.value
		case "views":
			views = f.value
		case "alerts":
			p.alerts = d.alerts(f.value)
		case "kms":
			d.kmsLimits(f.value, &p.kms)
		case "read_ahead":
			d.readAhead(f.value, &p.readAhead)
		case "limits":
			d.limits(f.value, &p.limits)
		case "ddl":
			p.ddl = DDL(d.oneOf(f.value, "ddl", "rewrite", "refuse", "send"))
		}
	}
	for _, need := range []string{"version", "keyrings", "tables"} {
		if !seen[need] && len(d.mistakes) == 0 {
			d.fail(top, need, "the field is missing", "see policy.example.yaml")
		}
	}
	if tables != nil {
		for _, f := range d.fields(tables, "tables") {
			d.addTable(p, f)
		}
		d.checkGroups(p)
	}
	if views != nil {
		d.views(p, views)
	}
}

// name splits schema.table.
func (d *decoder) name(n *yaml.Node, path, s string) (schema, table string) {
	parts := strings.Split(s, ".")
	if len(parts) > 2 || parts[len(parts)-1] == "" || parts[0] == "" {
		d.fail(n, path, fmt.Sprintf("%q is no table's name", s), "write table or schema.table")
		return "", s
	}
	if len(parts) == 2 {
		return parts[0], parts[1]
	}
	return "", s
}

func (d *decoder) views(p *Policy, n *yaml.Node) {
	for _, f := range d.fields(n, "views") {
		path := join("views", f.key)
		v := View{Table: d.text(f.value, path)}
		v.Schema, v.Name = d.name(f.name, path, f.key)
		known := false
		for _, t := range p.tables {
			full := t.FullName()
			known = known || full == v.Table
			if full == f.key {
				d.fail(f.name, path, "a table of the policy has this name", "a view has a name of its own")
			}
		}
		if !known {
			d.fail(f.value, path, fmt.Sprintf("the policy has no table %q", v.Table), "write the table as it stands under tables")
		}
		p.views = append(p.views, v)
	}
}

func (d *decoder) alerts(n *yaml.Node) []Alert {
	kinds := []string{"log", "cloudwatch", "otel"}
	var out []Alert
	for _, c := range d.list(n, "alerts") {
		if c.Kind == yaml.ScalarNode {
			out = append(out, Alert{Kind: d.oneOf(c, "alerts", kinds...)})
			continue
		}
		for _, f := range d.fields(c, "alerts", kinds...) {
			a := Alert{Kind: f.key}
			for _, o := range d.fields(f.value, join("alerts", f.key), "namespace", "region", "emf") {
				path := "alerts." + f.key + "." + o.key
				if f.key != "cloudwatch" {
					d.fail(o.name, path, "the field is for cloudwatch only", "leave it out")
					continue
				}
				switch o.key {
				case "namespace":
					a.Namespace = d.text(o.value, path)
					if a.Namespace == "" || len(a.Namespace) > 255 || strings.HasPrefix(a.Namespace, ":") || strings.HasPrefix(a.Namespace, "AWS/") {
						d.fail(o.value, path, "CloudWatch takes no such namespace", "write 1 to 255 characters that begin neither with : nor with AWS/")
					}
				case "region":
					a.Region = d.text(o.value, path)
				case "emf":
					a.EMF = d.boolean(o.value, path)
				}
			}
			out = append(out, a)
		}
	}
	return out
}

func (d *decoder) kmsLimits(n *yaml.Node, l *KMSLimits) {
	for _, f := range d.fields(n, "kms", "calls_per_second", "max_in_flight") {
		path := join("kms", f.key)
		if f.key == "calls_per_second" {
			l.CallsPerSecond = float64(d.number(f.value, path, 1, 1_000_000))
		} else {
			l.MaxInFlight = int(d.number(f.value, path, 1, 10_000))
		}
	}
}

func (d *decoder) readAhead(n *yaml.Node, r *ReadAhead) {
	for _, f := range d.fields(n, "read_ahead", "max_rows", "max_bytes") {
		path := join("read_ahead", f.key)
		if f.key == "max_rows" {
			r.MaxRows = int(d.number(f.value, path, 1, 100_000))
		} else {
			r.MaxBytes = d.number(f.value, path, 1<<10, 1<<30)
		}
	}
}

func (d *decoder) limits(n *yaml.Node, l *Limits) {
	for _, f := range d.fields(n, "limits", "max_statement_bytes", "max_nesting") {
		path := join("limits", f.key)
		if f.key == "max_nesting" {
			l.MaxNesting = int(d.number(f.value, path, 1, 1000))
		} else {
			l.MaxStatementBytes = int(d.number(f.value, path, 1<<10, 1<<26))
		}
	}
}
