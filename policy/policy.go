// Package policy reads the YAML file that says which columns are protected,
// under which keys, and bound to what.
//
// Decoding is strict: an unknown field, a wrong kind of value or a
// contradiction is an error with file, line and a hint, and every mistake of a
// file is reported at once. Nothing is guessed and nothing is ignored. A [Policy] is
// immutable and safe for concurrent use. The package knows no SQL and no
// cryptography, reads no other file, and of the environment only what ${NAME}
// in a key's ARN and a development key's key_env ask for.
package policy

import (
	"maps"
	"slices"
)

// ValueType is the type of a protected column's plaintext. The zero value is invalid.
type ValueType string

// The value types.
const (
	TypeString    ValueType = "string"
	TypeBytes     ValueType = "bytes"
	TypeInt64     ValueType = "int64"
	TypeFloat64   ValueType = "float64"
	TypeBool      ValueType = "bool"
	TypeTimestamp ValueType = "timestamp"
	TypeDate      ValueType = "date"
	TypeDecimal   ValueType = "decimal"
	TypeUUID      ValueType = "uuid"
	TypeJSON      ValueType = "json"
)

// Storage is how a ciphertext is stored. The zero value is invalid.
type Storage string

// The storages.
const (
	Binary Storage = "binary" // BYTEA, BLOB, VARBINARY
	Base64 Storage = "base64" // TEXT, VARCHAR
)

// OnMismatch says what a reader gets for a value of another row.
type OnMismatch string

// The reactions. An alert is raised in every case.
const (
	MismatchError     OnMismatch = "error"
	MismatchNull      OnMismatch = "null"
	MismatchAlertOnly OnMismatch = "alert_only"
)

// Writes says in which form new values are written.
type Writes string

// The forms. WritesClear is for a column that is not protected yet: see docs/POLICY.md.
const (
	WritesSealed Writes = "sealed"
	WritesClear  Writes = "clear"
)

// Permission allows or denies.
type Permission string

// The permissions.
const (
	Deny  Permission = "deny"
	Allow Permission = "allow"
)

// Unverifiable says what happens to a statement whose shape hides which row a
// value belongs to.
type Unverifiable string

// The reactions.
const (
	UnverifiableError Unverifiable = "error"
	UnverifiableAlert Unverifiable = "alert"
	UnverifiableAllow Unverifiable = "allow"
)

// DDL says what becomes of CREATE TABLE, ALTER TABLE and CREATE INDEX on protected
// columns.
type DDL string

// The reactions.
const (
	DDLRewrite DDL = "rewrite" // they are carried over to ciphertexts and terms
	DDLRefuse  DDL = "refuse"  // what makes the server work with a protected column is refused
	DDLSend    DDL = "send"    // they are sent as they are, but for values of protected columns
)

// Policy is a validated policy. What its methods return is the caller's own.
type Policy struct {
	region    string
	keyrings  map[string]Keyring
	tables    []Table
	views     []View
	alerts    []Alert
	kms       KMSLimits
	readAhead ReadAhead
	limits    Limits
	ddl       DDL
	warnings  []Finding
}

// Table is a protected table.
type Table struct {
	// Schema is empty for a table of that name in every schema.
	Schema, Name        string
	RowKey              []string
	Columns             []Column
	MaxRowsPerStatement int // the limit of a row-by-row statement
	Line                int // in the file, from 1
}

// FullName is the table's name as the policy writes it: name or schema.name.
func (t Table) FullName() string {
	if t.Schema == "" {
		return t.Name
	}
	return t.Schema + "." + t.Name
}

// Column is a protected column.
type Column struct {
	Name, Keyring string
	Type          ValueType
	Storage       Storage
	Context       []ContextPair
	OnMismatch    OnMismatch
	ClearValues
	Unverifiable Unverifiable
	// Default is the constant that the column's DEFAULT may have in clear; nil if the
	// policy names none.
	Default *string
	// Unbound columns are not bound to the whole row key.
	Unbound bool
	// BindLocation adds table and column to the encryption context.
	BindLocation bool
	LegacyValues
	// Equality is nil for a column that cannot be searched.
	Equality *Equality
	// Paths are what is protected of a JSON document that stays JSON; nil for a column
	// whose values are protected as a whole.
	Paths []DocumentPath
	Line  int // in the file, from 1
}

// ClearValues says how a column that is on its way to being protected treats values in
// clear.
type ClearValues struct {
	// PlaintextReads allows that values which are no ciphertexts are handed out.
	PlaintextReads Permission
	// Writes is WritesClear while other processes still read the column by themselves.
	Writes Writes
}

// LegacyValues says what a column holds beside the values that sealsql writes.
type LegacyValues struct {
	// Legacy is "" or "kms_blob": a bare ciphertext of KMS's Encrypt is read
	// too. LegacyContext is the encryption context it was made with; nil means the
	// pairs of Context, without table and column.
	Legacy        string
	LegacyContext []ContextPair
}

// ContextPair is a pair of a column's encryption context.
type ContextPair struct {
	Key string
	// Source is the column of the same row whose value is used; empty for a
	// static Value.
	Source, Value string
	// Stored is false for a pair that is authenticated but not written into
	// the message.
	Stored bool
}

// View is a view that shows a protected table's columns under their own names.
// Table is as the policy's tables are written.
type View struct{ Schema, Name, Table string }

// Alert is a sink for events.
type Alert struct {
	Kind              string // log, cloudwatch or otel
	Namespace, Region string // cloudwatch
	EMF               bool   // cloudwatch: embedded metric format on stdout
}

// KMSLimits bound what is sent to KMS in each Region: calls a second, where zero
// means no bound, and calls that wait for an answer, where zero means 128.
type KMSLimits struct {
	CallsPerSecond float64
	MaxInFlight    int
}

// ReadAhead bounds how many rows are read before they are asked for.
type ReadAhead struct {
	MaxRows  int
	MaxBytes int64
}

// Limits bound what is analysed: a text's length in bytes, and how deep its
// parentheses and sub-selects nest.
type Limits struct{ MaxStatementBytes, MaxNesting int }

// Finding is something that is allowed and worth a second look.
type Finding struct {
	Line       int // in the file, from 1
	Path, What string
}

// Region is the process's Region, or empty for the AWS configuration's.
func (p *Policy) Region() string { return p.region }

// Keyring returns a keyring by name.
func (p *Policy) Keyring(name string) (Keyring, bool) {
	k, ok := p.keyrings[name]
	if k.KMS != nil {
		kms := *k.KMS
		kms.ARNs, kms.ReadARNs = slices.Clone(kms.ARNs), slices.Clone(kms.ReadARNs)
		k.KMS = &kms
	}
	if k.RawAES != nil {
		raw := *k.RawAES
		k.RawAES = &raw
	}
	return k, ok
}

// Keyrings lists the keyrings' names in order.
func (p *Policy) Keyrings() []string { return slices.Sorted(maps.Keys(p.keyrings)) }

// Tables returns the protected tables.
func (p *Policy) Tables() []Table {
	out := slices.Clone(p.tables)
	for i := range out {
		out[i].RowKey = slices.Clone(out[i].RowKey)
		out[i].Columns = slices.Clone(out[i].Columns)
		for j := range out[i].Columns {
			out[i].Columns[j].Context = slices.Clone(out[i].Columns[j].Context)
			out[i].Columns[j].LegacyContext = slices.Clone(out[i].Columns[j].LegacyContext)
			out[i].Columns[j].Equality = out[i].Columns[j].Equality.clone()
			out[i].Columns[j].Paths = slices.Clone(out[i].Columns[j].Paths)
			for k := range out[i].Columns[j].Paths {
				out[i].Columns[j].Paths[k].Equality = out[i].Columns[j].Paths[k].Equality.clone()
			}
			if d := out[i].Columns[j].Default; d != nil {
				text := *d
				out[i].Columns[j].Default = &text
			}
		}
	}
	return out
}

// Views returns the views.
func (p *Policy) Views() []View { return slices.Clone(p.views) }

// Alerts returns the sinks.
func (p *Policy) Alerts() []Alert { return slices.Clone(p.alerts) }

// KMSLimits returns the bounds of what is sent to KMS.
func (p *Policy) KMSLimits() KMSLimits { return p.kms }

// ReadAhead returns the bounds of reading ahead.
func (p *Policy) ReadAhead() ReadAhead { return p.readAhead }

// Limits returns the bounds of the analysis.
func (p *Policy) Limits() Limits { return p.limits }

// DDL says what becomes of DDL on protected columns.
func (p *Policy) DDL() DDL { return p.ddl }

// Warnings lists what lint reports.
func (p *Policy) Warnings() []Finding { return slices.Clone(p.warnings) }
