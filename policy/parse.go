package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
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

var topFields = []string{"version", "region", "keyrings", "tables", "views", "alerts", "kms", "read_ahead", "limits"}

func (d *decoder) document(data []byte) *Policy {
	p := &Policy{keyrings: map[string]Keyring{}, alerts: []Alert{{Kind: "log"}},
		readAhead: ReadAhead{DefaultReadAheadRows, DefaultReadAheadBytes}, limits: Limits{DefaultMaxStatementBytes, DefaultMaxNesting}}
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

var arnForm = regexp.MustCompile(`^arn:[a-z0-9-]+:kms:([a-z0-9-]+):([0-9]{12}):key/([A-Za-z0-9-]+)$`)

func (d *decoder) keyring(e entry) Keyring {
	path := join("keyrings", e.key)
	k := Keyring{Name: e.key, Line: e.name.Line, Commitment: "require_encrypt_require_decrypt", MaxWrappedKeys: DefaultMaxWrappedKeys, Format: FormatMessage, DataKey: DataKey{Per: "value"}}
	var format *yaml.Node
	for _, f := range d.fields(e.value, path, "kms", "raw_aes", "data_key", "format", "suite", "commitment", "max_wrapped_keys") {
		path := join(path, f.key)
		switch f.key {
		case "kms":
			k.KMS = d.kms(f.value, path)
		case "raw_aes":
			k.RawAES = d.rawAES(f.value, path)
		case "data_key":
			k.DataKey = d.dataKey(f.value, path)
		case "format":
			format = f.value
			k.Format = Format(d.oneOf(f.value, path, string(FormatMessage), string(FormatCompact)))
		case "suite":
			k.Suite = d.oneOf(f.value, path, append(slices.Clone(committing), older...)...)
		case "commitment":
			k.Commitment = d.oneOf(f.value, path, "require_encrypt_require_decrypt", "require_encrypt_allow_decrypt", forbidEncrypt)
		case "max_wrapped_keys":
			k.MaxWrappedKeys = int(d.number(f.value, path, 1, 1000))
		}
	}
	if (k.KMS == nil) == (k.RawAES == nil) {
		d.fail(e.name, path, "a keyring needs its wrapping keys", "give it exactly one of kms and raw_aes")
	}
	d.checkSuite(&k, e, path)
	d.checkFormat(k, format, path)
	return k
}

// checkFormat asks whether the keyring can make values of its format.
func (d *decoder) checkFormat(k Keyring, n *yaml.Node, path string) {
	path = join(path, "format")
	switch {
	case k.Format != FormatCompact:
	case k.DataKey.Per != "branch":
		d.fail(n, path, "compact values are sealed under branch keys", "write data_key: {per: branch, store: sql, ttl: 15m, branch_key: …}, or format: message")
	case slices.Contains(signing, k.Suite):
		d.fail(n, path, "compact values carry no signature, and suite "+k.Suite+" signs", "take suite out, or write format: message")
	}
}

// The suites by their ids: those that commit to their key, and the others.
var (
	committing = []string{"0478", "0578"}
	older      = []string{"0178", "0378", "0014", "0046", "0078", "0114", "0146", "0214", "0346"}
)

// signing are the suites whose messages carry a signature.
var signing = []string{"0578", "0378", "0214", "0346"}

const forbidEncrypt = "forbid_encrypt_allow_decrypt"

// checkSuite asks whether the commitment policy lets the suite be written.
func (d *decoder) checkSuite(k *Keyring, e entry, path string) {
	forbid := k.Commitment == forbidEncrypt
	if forbid {
		d.warn(e.name, join(path, "commitment"), "values are written without key commitment; choose require_encrypt_allow_decrypt as soon as every reader reads version 2")
	}
	switch {
	case k.Suite == "" && forbid:
		k.Suite = "0178"
	case k.Suite == "":
		k.Suite = "0478"
	case forbid && slices.Contains(committing, k.Suite):
		d.fail(e.name, join(path, "suite"), "commitment: "+forbidEncrypt+" forbids to write suite "+k.Suite, "choose 0178, or 0378, which signs")
	case !forbid && slices.Contains(older, k.Suite):
		d.fail(e.name, join(path, "suite"), "suite "+k.Suite+" has no key commitment, which the commitment policy requires of what is written", "choose 0478, or commitment: "+forbidEncrypt+" for readers that know version 1 only")
	}
}

func (d *decoder) kms(n *yaml.Node, path string) *KMS {
	k := &KMS{Degrade: true, MinWrappings: 1, CrossRegionReads: Allow}
	var min, reads *yaml.Node
	for _, f := range d.fields(n, path, "keys", "read_keys", "when_region_down", "min_wrappings", "cross_region_reads") {
		path := join(path, f.key)
		switch f.key {
		case "keys":
			d.arns(k, f.value, path)
		case "read_keys":
			reads = f.value
		case "when_region_down":
			k.Degrade = d.oneOf(f.value, path, "degrade", "fail") == "degrade"
		case "min_wrappings":
			min = f.value
			k.MinWrappings = int(d.number(f.value, path, 1, 100))
		case "cross_region_reads":
			k.CrossRegionReads = Permission(d.oneOf(f.value, path, "allow", "deny"))
		}
	}
	if reads != nil {
		both := &KMS{ARNs: slices.Clone(k.ARNs)} // no key may stand in both lists
		d.arns(both, reads, join(path, "read_keys"))
		k.ReadARNs = both.ARNs[len(k.ARNs):]
	}
	if len(k.ARNs) == 0 {
		d.fail(n, join(path, "keys"), "the keyring names no key", "list the ARN of a KMS key: keys: [arn:aws:kms:…]")
	}
	if min != nil && k.MinWrappings > len(k.ARNs) {
		d.fail(min, join(path, "min_wrappings"), "more wrappings are asked for than there are keys", "lower it, or add keys")
	}
	return k
}

func (d *decoder) arns(k *KMS, n *yaml.Node, path string) {
	for _, c := range d.list(n, path) {
		arn := d.expand(c, path, d.text(c, path))
		m := arnForm.FindStringSubmatch(arn)
		if m == nil {
			if arn != "" {
				d.fail(c, path, "this is no ARN of a KMS key", "write arn:partition:kms:region:account:key/id; aliases cannot decrypt")
			}
			continue
		}
		for _, other := range k.ARNs {
			o := arnForm.FindStringSubmatch(other)
			switch {
			case other == arn:
				d.fail(c, path, "duplicate key", "keep one of them")
			case strings.HasPrefix(m[3], "mrk-") && o[2] == m[2] && o[3] == m[3]:
				d.fail(c, path, "two replicas of one multi-Region key stand in a keyring", "name one of them: any replica reads what it wrapped")
			}
		}
		k.ARNs = append(k.ARNs, arn)
	}
}

func (d *decoder) rawAES(n *yaml.Node, path string) *RawAES {
	r := &RawAES{Namespace: "development", Name: "key"}
	for _, f := range d.fields(n, path, "namespace", "name", "key_env") {
		path := join(path, f.key)
		s := d.text(f.value, path)
		switch f.key {
		case "namespace":
			r.Namespace = s
			if strings.HasPrefix(s, "aws-kms") {
				d.fail(f.value, path, "the namespace aws-kms belongs to KMS", "choose another")
			}
		case "name":
			r.Name = s
		case "key_env":
			r.KeyEnv = s
		}
	}
	if r.KeyEnv == "" {
		d.fail(n, join(path, "key_env"), "the field is missing", "name the environment variable that holds the key in base64")
	}
	d.warn(n, path, "a raw key protects nothing from whoever reads the process's environment; it is for development")
	return r
}

func (d *decoder) dataKey(n *yaml.Node, path string) DataKey {
	k := DataKey{Per: "value", ContentKeys: -1}
	for _, f := range d.fields(n, path, "per", "max_age", "max_messages", "max_bytes", "capacity", "store", "ttl", "branch_key", "content_keys") {
		path := join(path, f.key)
		switch f.key {
		case "per":
			k.Per = d.oneOf(f.value, path, "value", "cached", "branch")
		case "max_age":
			k.MaxAge = d.duration(f.value, path)
		case "max_messages":
			k.MaxMessages = d.number(f.value, path, 1, 1<<32)
		case "max_bytes":
			k.MaxBytes = d.number(f.value, path, 1, 1<<62)
		case "capacity":
			k.Capacity = d.number(f.value, path, 1, 1<<24)
		case "store":
			k.Store = d.text(f.value, path)
			if k.Store != "" && !storeForm.MatchString(k.Store) {
				d.fail(f.value, path, fmt.Sprintf("%q is no store of branch keys", k.Store), "write sql, sql:TABLE, file:PATH, or code:NAME for one set with driver.WithBranchKeyStore")
			}
		case "ttl":
			k.TTL = d.duration(f.value, path)
		case "content_keys":
			k.ContentKeys = d.number(f.value, path, 0, 1<<24)
		case "branch_key":
			if f.value.Kind == yaml.ScalarNode {
				k.BranchKey = d.text(f.value, path)
				continue
			}
			for _, o := range d.fields(f.value, path, "from") {
				k.BranchKeyFrom = d.text(o.value, join(path, "from"))
			}
		}
	}
	d.checkDataKey(n, path, k)
	if k.ContentKeys < 0 && k.HasBranchKeys() {
		k.ContentKeys = defaultContentKeys
	}
	k.ContentKeys = max(0, k.ContentKeys)
	return k
}

// defaultContentKeys is how many content keys are kept beside branch keys.
const defaultContentKeys = 2000

// storeForm is what the field store may say.
var storeForm = regexp.MustCompile(`^(sql|sql:[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?|file:.+|code:.+)$`)

// saysBranchKeys reports whether a field of k belongs to branch keys.
func saysBranchKeys(k DataKey) bool {
	return k.Per == "branch" || k.Store != "" || k.TTL != 0 || k.BranchKey != "" || k.BranchKeyFrom != "" || k.ContentKeys >= 0
}

func (d *decoder) checkDataKey(n *yaml.Node, path string, k DataKey) {
	branch := saysBranchKeys(k)
	cached := k.MaxAge != 0 || k.MaxMessages != 0 || k.MaxBytes != 0 || k.Capacity != 0 && !branch
	switch {
	case k.Per != "cached" && cached:
		d.fail(n, path, "max_age, max_messages, max_bytes and capacity belong to cached data keys", "write per: cached, or take them out")
	case k.Per == "cached" && k.MaxAge == 0:
		d.fail(n, join(path, "max_age"), "the field is missing", "say for how long a data key may be used, such as 5m")
	case k.BranchKey != "" && len(k.BranchKey) > 255:
		d.fail(n, join(path, "branch_key"), "a branch key's id has 255 bytes at most", "shorten it")
	case branch && (k.Store == "" || k.TTL == 0 || k.BranchKey == "" && k.BranchKeyFrom == ""):
		d.fail(n, path, "branch keys need store, ttl and branch_key", "add what is missing")
	}
}
