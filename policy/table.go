package policy

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

func (d *decoder) addTable(p *Policy, e entry) {
	path := join("tables", e.key)
	t := Table{MaxRowsPerStatement: DefaultMaxRowsPerStatement, Line: e.name.Line}
	t.Schema, t.Name = d.name(e.name, path, e.key)
	for _, other := range p.tables {
		if strings.EqualFold(other.Name, t.Name) && strings.EqualFold(other.Schema, t.Schema) {
			d.fail(e.name, path, "duplicate table", "put its columns together")
		}
	}
	unverifiable := UnverifiableError
	var columns, rowKey *yaml.Node
	for _, f := range d.fields(e.value, path, "row_key", "columns", "max_rows_per_statement", "unverifiable") {
		path := join(path, f.key)
		switch f.key {
		case "row_key":
			rowKey, t.RowKey = f.value, d.texts(f.value, path)
		case "columns":
			columns = f.value
		case "max_rows_per_statement":
			t.MaxRowsPerStatement = int(d.number(f.value, path, 1, 20_000))
		case "unverifiable":
			unverifiable = Unverifiable(d.oneOf(f.value, path, "error", "alert", "allow"))
		}
	}
	if rowKey == nil {
		d.fail(e.name, join(path, "row_key"), "the field is missing", "list the columns of a unique key whose values never change")
	}
	if columns == nil {
		d.fail(e.name, join(path, "columns"), "the field is missing", "list the protected columns")
		return
	}
	for _, f := range d.fields(columns, join(path, "columns")) {
		t.Columns = append(t.Columns, d.column(p, &t, f, join(path, "columns"), unverifiable))
	}
	d.checkSources(p, &t, columns, path)
	p.tables = append(p.tables, t)
}

func (d *decoder) column(p *Policy, t *Table, e entry, path string, unverifiable Unverifiable) Column {
	path = join(path, e.key)
	c := Column{Name: e.key, Type: TypeString, Storage: Binary, OnMismatch: MismatchError, ClearValues: ClearValues{Deny, WritesSealed},
		Unverifiable: unverifiable, BindLocation: true, Line: e.name.Line}
	for _, other := range t.Columns {
		if strings.EqualFold(other.Name, c.Name) {
			d.fail(e.name, path, "duplicate column", "keep one of them")
		}
	}
	seen := map[string]bool{}
	for _, f := range d.fields(e.value, path, "keyring", "type", "storage", "context", "on_mismatch", "plaintext_reads", "writes", "unverifiable", "unbound", "bind_location", "legacy", "search", "default", "paths") {
		seen[f.key] = true
		d.columnField(&c, f, join(path, f.key))
	}
	if _, ok := p.keyrings[c.Keyring]; !ok {
		d.fail(e.name, join(path, "keyring"), fmt.Sprintf("there is no keyring %q", c.Keyring), "name one of the keyrings above")
	}
	if !seen["type"] {
		d.fail(e.name, join(path, "type"), "the field is missing", "say what the plaintext is, such as string")
	}
	if !seen["context"] && !c.Unbound {
		for _, k := range t.RowKey {
			c.Context = append(c.Context, ContextPair{Key: k, Source: k, Stored: true})
		}
	}
	d.checkContext(t, &c, e, path)
	d.checkLegacy(t, &c, e, path)
	d.checkBranch(p.keyrings[c.Keyring], &c, e, path)
	d.checkEquality(p.keyrings[c.Keyring], &c, path)
	d.checkPaths(&c, e, path, seen)
	d.checkPathSearch(p.keyrings[c.Keyring], &c, path)
	d.checkClear(&c, e, path)
	if c.PlaintextReads == Allow {
		d.warn(e.name, path, "plaintext_reads: allow hands out values that nothing protects; turn it off after the backfill")
	}
	return c
}

func (d *decoder) columnField(c *Column, f entry, path string) {
	switch f.key {
	case "keyring":
		c.Keyring = d.text(f.value, path)
	case "type":
		c.Type = ValueType(d.oneOf(f.value, path, "string", "bytes", "int64", "float64", "bool", "timestamp", "date", "decimal", "uuid", "json"))
	case "storage":
		c.Storage = Storage(d.oneOf(f.value, path, "binary", "base64"))
	case "context":
		c.Context = d.context(f.value, path)
	case "on_mismatch":
		c.OnMismatch = OnMismatch(d.oneOf(f.value, path, "error", "null", "alert_only"))
	case "plaintext_reads":
		c.PlaintextReads = Permission(d.oneOf(f.value, path, "deny", "allow"))
	case "writes":
		c.Writes = Writes(d.oneOf(f.value, path, "sealed", "clear"))
	case "unverifiable":
		c.Unverifiable = Unverifiable(d.oneOf(f.value, path, "error", "alert", "allow"))
	case "unbound":
		c.Unbound = d.boolean(f.value, path)
	case "bind_location":
		c.BindLocation = d.boolean(f.value, path)
	case "legacy":
		d.legacy(c, f.value, path)
	case "search":
		d.search(c, f.value, path)
	case "default":
		c.Default = d.constant(f.value, path)
	case "paths":
		c.Paths = d.paths(f.value, path)
	}
}

// checkClear refuses writes: clear where values in clear could not be read back, or would be
// beside terms that say what they are.
func (d *decoder) checkClear(c *Column, e entry, path string) {
	if c.Writes != WritesClear {
		return
	}
	path = join(path, "writes")
	switch {
	case c.PlaintextReads != Allow:
		d.fail(e.name, path, "writes: clear without plaintext_reads: allow writes values that cannot be read", "add plaintext_reads: allow")
	case c.Equality != nil || slices.ContainsFunc(c.Paths, func(p DocumentPath) bool { return p.Equality != nil }):
		d.fail(e.name, path, "values in clear have no equality terms", "seal a searchable column into a new column, as docs/OPERATIONS.md says under Rolling deployments")
	}
	d.warn(e.name, path, "writes: clear protects nothing: new values are sent in clear; write sealed as soon as every process has this policy")
}

// constant reads a text that may be empty.
func (d *decoder) constant(n *yaml.Node, path string) *string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		d.fail(n, path, "must be a string", "write the constant that the column's DEFAULT has, such as '' or '{}'")
		return nil
	}
	return &n.Value
}

// legacy reads what a column may hold beside messages: a kind, or a kind with
// the context that its values were made with.
func (d *decoder) legacy(c *Column, n *yaml.Node, path string) {
	if n.Kind != yaml.MappingNode {
		c.Legacy = d.oneOf(n, path, "kms_blob")
		return
	}
	for _, f := range d.fields(n, path, "kind", "context") {
		switch f.key {
		case "kind":
			c.Legacy = d.oneOf(f.value, join(path, "kind"), "kms_blob")
		case "context":
			c.LegacyContext = append([]ContextPair{}, d.context(f.value, join(path, "context"))...)
		}
	}
	if c.Legacy == "" {
		d.fail(n, join(path, "kind"), "the field is missing", "write kind: kms_blob")
	}
}

// checkLegacy asks whether the context of legacy values names the row.
func (d *decoder) checkLegacy(t *Table, c *Column, e entry, path string) {
	for _, p := range c.LegacyContext {
		if !p.Stored {
			d.fail(e.name, join(path, "legacy"), fmt.Sprintf("the pair %q says stored: false, and a bare ciphertext stores no context at all", p.Key), "take stored out")
		}
	}
	if c.LegacyContext == nil || c.Unbound {
		return
	}
	for _, k := range t.RowKey {
		found := slices.ContainsFunc(c.LegacyContext, func(p ContextPair) bool { return p.Source == k })
		if !found && c.Unverifiable == UnverifiableError {
			d.fail(e.name, join(path, "legacy"), fmt.Sprintf("the legacy context lacks the row key's column %q, so nothing says which row a legacy value belongs to", k),
				"write unverifiable: alert for the column if such values are to be handed out until they are re-encrypted")
		}
	}
}

func (d *decoder) context(n *yaml.Node, path string) []ContextPair {
	var out []ContextPair
	for _, f := range d.fields(n, path) {
		path := join(path, f.key)
		p := ContextPair{Key: f.key, Stored: true}
		for _, reserved := range []string{"aws-crypto-", "sealsql:"} {
			if strings.HasPrefix(f.key, reserved) {
				d.fail(f.name, path, "context keys that start with "+reserved+" are reserved", "choose another")
			}
		}
		if f.value.Kind == yaml.ScalarNode {
			p.Source = d.text(f.value, path)
			out = append(out, p)
			continue
		}
		given := 0
		for _, o := range d.fields(f.value, path, "from", "value", "stored") {
			switch o.key {
			case "from":
				p.Source, given = d.text(o.value, join(path, "from")), given+1
			case "value":
				p.Value, given = d.text(o.value, join(path, "value")), given+1
			case "stored":
				p.Stored = d.boolean(o.value, join(path, "stored"))
			}
		}
		if given != 1 {
			d.fail(f.value, path, "a context pair needs its value", "write exactly one of from: column and value: text")
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b ContextPair) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// personal are words in a column's name that tell of personal data.
var personal = []string{"ssn", "email", "phone", "name", "birth", "passport", "address"}

// checkContext asks whether the context names the row.
func (d *decoder) checkContext(t *Table, c *Column, e entry, path string) {
	for _, k := range t.RowKey {
		found := slices.ContainsFunc(c.Context, func(p ContextPair) bool { return p.Source == k })
		if !found && !c.Unbound {
			d.fail(e.name, join(path, "context"), fmt.Sprintf("the context lacks the row key's column %q, so a value would fit other rows", k),
				"add it, or write unbound: true if that is meant")
		}
	}
	if c.Unbound {
		d.warn(e.name, path, "unbound: a value may be moved between rows unnoticed")
	}
}

// checkBranch asks whether the column that names the branch key is a source of
// the context: otherwise a reader could not know which branch key to use, and nothing
// would bind the value to it.
func (d *decoder) checkBranch(k Keyring, c *Column, e entry, path string) {
	from := k.DataKey.BranchKeyFrom
	if from != "" && !slices.ContainsFunc(c.Context, func(p ContextPair) bool { return p.Source == from }) {
		d.fail(e.name, join(path, "context"), fmt.Sprintf("the keyring %s finds its branch keys by the column %q, which the context lacks", c.Keyring, from),
			fmt.Sprintf("add it, as in context: {…, %s: %s}", from, from))
	}
}

// checkSources refuses protected columns as sources, but for those whose terms can
// stand in their place.
func (d *decoder) checkSources(p *Policy, t *Table, n *yaml.Node, path string) {
	for _, k := range t.RowKey {
		if c := t.find(k); c != nil {
			d.checkKey(p, t, c, n, path)
		}
	}
	for _, c := range t.Columns {
		for _, pair := range slices.Concat(c.Context, c.LegacyContext) {
			if pair.Source != "" && t.find(pair.Source) != nil && !slices.Contains(t.RowKey, pair.Source) {
				d.fail(n, path+".columns."+c.Name+".context", fmt.Sprintf("the context's source %q is itself protected", pair.Source), "use a column in clear")
			}
		}
	}
	d.checkTerms(t, path)
	for _, c := range t.Columns {
		d.warnPersonal(t, c, path+".columns."+c.Name)
	}
}

// warnPersonal warns of contexts that show personal data.
func (d *decoder) warnPersonal(t *Table, c Column, path string) {
	for _, p := range c.Context {
		for _, word := range personal {
			if p.Stored && p.Source != "" && t.find(p.Source) == nil && strings.Contains(strings.ToLower(p.Source), word) {
				d.warn(&yaml.Node{Line: c.Line}, join(path, "context"), fmt.Sprintf("the context holds %q, which is stored and logged in clear", p.Source))
			}
		}
	}
}
