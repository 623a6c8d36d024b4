package seal

import (
	"database/sql"
	"reflect"
	"slices"
	"time"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/keyrings"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// Funnel holds the protected columns of one policy at work. Everything passes
// through it. It is immutable and safe for concurrent use.
type Funnel struct {
	Tables []*Table

	policy *policy.Policy
	keys   *keyrings.Set
	alerts *alert.Dispatcher
}

// Table is a table with protected columns.
type Table struct {
	// Label names the table as the policy does. Schema is empty if the label has
	// none.
	Label, Schema, Name string
	// RowKey are the columns of the row key; the column of its terms stands in the
	// place of a protected column.
	RowKey []string
	// Sources are the columns that the contexts and the terms of the protected
	// columns draw on: the row key first, each column once.
	Sources []string
	MaxRows int
	Columns []*Column

	stands map[string]string // the columns of terms, by the row key's protected columns
}

// inClear is the column that stands in the row key and in contexts for a column: the
// column itself, or that of its terms if it is protected.
func (t *Table) inClear(name string) string {
	if term, ok := t.stands[name]; ok {
		return term
	}
	return name
}

// KeyOf returns the protected column whose terms a source holds, or nil.
func (t *Table) KeyOf(source int) *Column {
	for name, term := range t.stands {
		if term == t.Sources[source] {
			return t.Find(name)
		}
	}
	return nil
}

// Shape describes a table as the live catalog shows it.
type Shape struct {
	// Sources are the columns of Table.Sources, in that order.
	Sources []server.Column
	// Capacity is how many bytes columns hold, by name: see [server.Server].
	Capacity map[string]int
	// Defaults are the constants that columns have as their DEFAULT, by name. Rows may
	// hold such a constant in clear.
	Defaults map[string]string
}

// Column is a protected column at work.
type Column struct {
	Table *Table
	Name  string
	Type  policy.ValueType
	// Context lists the indexes in Table.Sources that the encryption context
	// draws on. Legacy lists those that only values from before sealsql draw on.
	Context, Legacy []int

	layout Layout
	codec  *codec.Codec
	formats
	bound binding
	under
	inDocuments
	search *Search // nil: the column cannot be searched
	legacy *legacy // nil: bare ciphertexts of KMS are not read
	policy handling

	*alert.ColumnCounters
}

// under says which keyring holds a column's keys.
type under struct {
	suite codec.Suite
	// keyring is the policy's name of it.
	keyring string
	// local says that the column's keyring holds its keys, mostly, and keeps
	// nothing of what it is given: no call that was given up may still read it.
	local bool
}

// handling is what the policy says of values that do not verify.
type handling struct {
	onMismatch     policy.OnMismatch
	plaintextReads policy.Permission
	writes         policy.Writes
	unverifiable   policy.Unverifiable
	constant       *string
}

// New compiles a policy. It reads nothing from the database or from a key service.
func New(p *policy.Policy, keys *keyrings.Set, alerts *alert.Dispatcher, counters *alert.Counters) (*Funnel, error) {
	f := &Funnel{policy: p, keys: keys, alerts: alerts}
	for _, t := range p.Tables() {
		table := &Table{Label: label(t.Schema, t.Name), Schema: t.Schema, Name: t.Name, RowKey: t.KeyColumns(), Sources: t.KeyColumns(),
			MaxRows: t.MaxRowsPerStatement, stands: map[string]string{}}
		for i, k := range t.RowKey {
			if k != table.RowKey[i] {
				table.stands[k] = table.RowKey[i]
			}
		}
		for _, c := range t.Columns {
			col, err := f.column(table, c)
			if err != nil {
				return nil, err
			}
			col.ColumnCounters = counters.Column(table.Label, c.Name)
			if err := f.addDocument(table, col, c, counters); err != nil {
				return nil, err
			}
			table.Columns = append(table.Columns, col)
		}
		f.Tables = append(f.Tables, table)
	}
	return f, nil
}

func label(schema, name string) string {
	if schema == "" {
		return name
	}
	return schema + "." + name
}

func (f *Funnel) column(t *Table, c policy.Column) (*Column, error) {
	col := &Column{Table: t, Name: c.Name, Type: c.Type, under: under{keyring: c.Keyring, suite: keyrings.Suite(f.policy, c.Keyring)},
		layout: Layout{Base64: c.Storage == policy.Base64, Plaintexts: c.PlaintextReads == policy.Allow, Type: c.Type},
		policy: handling{c.OnMismatch, c.PlaintextReads, c.Writes, c.Unverifiable, c.Default}}
	col.bind(c)
	var err error
	if col.codec, err = f.keys.Codec(f.policy, c, col.bound.required); err != nil {
		return nil, err
	}
	col.format = messageForm{}
	for _, prepare := range preparations {
		if err = prepare(f, col, c); err != nil {
			return nil, err
		}
	}
	if err = f.addSearch(col, c); err != nil {
		return nil, err
	}
	col.local = col.legacy == nil && f.keys.Local(f.policy, c.Keyring)
	return col, nil
}

// source finds or adds a source.
func (t *Table) source(name string) int {
	if i := slices.Index(t.Sources, name); i >= 0 {
		return i
	}
	t.Sources = append(t.Sources, name)
	return len(t.Sources) - 1
}

// Find returns the column of a name, or nil.
func (t *Table) Find(name string) *Column {
	for _, c := range t.Columns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Local reports whether the column's keyring opens values in the process, mostly,
// and keeps nothing of what it is given.
func (c *Column) Local() bool { return c.local }

// Quick reports whether new values of the column open in about a microsecond while their
// keys are at hand.
func (c *Column) Quick() bool { return c.local && c.layout.WritesCompact }

// Reusable reports whether the bytes of a ciphertext are no longer referred to once
// its value is opened.
func (c *Column) Reusable() bool { return c.local && c.policy.plaintextReads == policy.Deny }

// Silent reports whether a value that is handed out for a known row raises no
// event, so that several rows may share one opening.
func (c *Column) Silent() bool {
	return c.policy.onMismatch == policy.MismatchError && c.policy.plaintextReads == policy.Deny
}

// Default is the constant that the policy names as the column's DEFAULT, or nil.
func (c *Column) Default() *string { return c.policy.constant }

// MayDefault reports whether rows may hold the text in clear as the column's DEFAULT: it
// is the empty string, or what the policy names.
func (c *Column) MayDefault(text string) bool {
	if d := c.policy.constant; d != nil && *d == text {
		return true
	}
	return text == "" && (c.Type == policy.TypeString || c.Type == policy.TypeBytes)
}

// MayHoldDefault reports whether a stored value may be the column's DEFAULT in clear, which
// the shape does not know: somebody may have given the column one since.
func (c *Column) MayHoldDefault(stored any, shape *Shape) bool {
	if _, known := shape.Defaults[c.Name]; known || c.policy.plaintextReads == policy.Allow {
		return false
	}
	text, isText := server.AsText(stored)
	return isText && text == "" && c.MayDefault("")
}

// HidesRejected reports whether the policy rejects statements that hide the row of
// the column's values.
func (c *Column) HidesRejected() bool { return c.policy.unverifiable == policy.UnverifiableError }

// ScanType is the Go type that the column's values have as rules show them, or the type of
// database/sql that takes NULL too. rules may be nil.
func (c *Column) ScanType(rules server.Values, nullable bool) reflect.Type {
	t := scanType(c.Type)
	if rules != nil && c.Type == policy.TypeBool {
		t = reflect.TypeOf(rules.Show(c.Type, false))
	}
	if withNull, ok := nullTypes[t]; ok && nullable {
		return withNull
	}
	return t
}

var nullTypes = map[reflect.Type]reflect.Type{
	reflect.TypeFor[string](): reflect.TypeFor[sql.NullString](), reflect.TypeFor[int64](): reflect.TypeFor[sql.NullInt64](), reflect.TypeFor[float64](): reflect.TypeFor[sql.NullFloat64](),
	reflect.TypeFor[bool](): reflect.TypeFor[sql.NullBool](), reflect.TypeFor[time.Time](): reflect.TypeFor[sql.NullTime](),
}

// Encode returns the plain text form in which a value of the column is sealed. rules
// are those of the statement that gives v; nil if there is none. null is true for NULL.
// The result never shares memory with v. The error holds no value.
func (c *Column) Encode(rules server.Values, v any) (plaintext []byte, null bool, err error) {
	if c.layout.Element == elementText && rules != nil {
		return c.encodeText(rules, v)
	}
	if rules != nil && isMoment(c.Type) {
		if v, err = server.Plain(v); err == nil {
			v, err = rules.Moment(c.Type, v)
		}
		if err != nil {
			return nil, false, err
		}
	}
	return encodePlaintext(c.Type, v)
}

// EncodeGiven is Encode for a value as the statement gives it: it is first made what a
// column in clear would be sent.
func (c *Column) EncodeGiven(rules server.Values, v any) (plaintext []byte, null bool, err error) {
	sent, err := rules.Sent(c.InClear(), v)
	if err != nil {
		return nil, false, err
	}
	return c.Encode(rules, sent)
}

// inClear are the columns in clear that protected columns stand for; types that are not
// listed have forms of their own.
var inClear = map[policy.ValueType]server.KeyType{
	policy.TypeString: server.KeyText, policy.TypeBytes: server.KeyBytes, policy.TypeInt64: server.KeyInteger, policy.TypeBool: server.KeyBool,
	policy.TypeDecimal: server.KeyNumeric, policy.TypeUUID: server.KeyUUID,
}

// InClear is the type of a column in clear that would take the column's values.
func (c *Column) InClear() server.KeyType {
	if c.layout.Element == elementText {
		return server.KeyText
	}
	return inClear[c.Type]
}

func isMoment(t policy.ValueType) bool { return t == policy.TypeTimestamp || t == policy.TypeDate }

// Stats returns what was counted for the column.
func (c *Column) Stats() alert.ColumnStats { return c.ColumnCounters.Stats(c.Table.Label, c.Name) }

// Error returns a [fault.ValueError] about the column. row is the row's digest, or
// empty.
func (c *Column) Error(kind error, row, hint string, cause error) error {
	return &fault.ValueError{Kind: kind, Table: c.Table.Label, Column: c.Name, RowKeyDigest: row, Hint: hint, Cause: cause}
}

// Base64 reports whether ciphertexts of the column are stored as base64 text.
func (c *Column) Base64() bool { return c.layout.Base64 }
