// Package postgres plans SQL texts of Postgres.
//
// It reads a text with the parser of oliphant and a lexer of its own: the tree
// says what a statement means, the tokens where each part of it ends. Where the two
// disagree the text counts as unread, and is refused if a protected name occurs in
// it. The package never sees an argument and never sends anything.
package postgres

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Planner plans texts. It is safe for concurrent use.
type Planner struct {
	core  *sqlplan.Planner
	rules *sqlplan.Rules
}

// Check fails if a name of the rules is longer than the names that the server
// keeps, or not in UTF-8.
func (p *Planner) Check() error {
	return p.rules.CheckNames(func(name string) bool {
		return len(name) <= maxName && utf8.ValidString(name) && !strings.Contains(name, "\x00")
	}, "relation or column of Postgres (at most 63 bytes)")
}

// Plan analyses one text. The error is a [*sqlplan.Refusal], the context's
// error, or what the catalog returned.
func (p *Planner) Plan(ctx context.Context, text string) (*sqlplan.Plan, error) {
	if at := changesStrings(text); at >= 0 {
		return nil, sqlplan.Refuse(text, at, "", "a change of "+conformingStrings, "leave it on")
	}
	if err := checkDo(text); err != nil {
		return nil, err
	}
	plan, err := p.core.Plan(ctx, text)
	switch {
	case err != nil:
		return nil, err
	case changesSession(text):
		return plan.ForSession(text, countStatements(text))
	case doubtful(text):
		return plan.With(sqlplan.Effect{Doubt: true}), nil
	}
	return plan, nil
}

// New returns a planner. The rules and the catalog must not change.
func New(rules *sqlplan.Rules, catalog sqlplan.Catalog) *Planner {
	depth := rules.MaxDepth
	if depth <= 0 {
		depth = sqlplan.DefaultMaxDepth
	}
	return &Planner{sqlplan.New(rules, catalog, &dialect{maxDepth: depth}), rules}
}

type dialect struct{ maxDepth int }

var _ sqlplan.Dialect = (*dialect)(nil)

// Parse implements [sqlplan.Dialect].
func (d *dialect) Parse(text string) (*sqlplan.Script, error) { return parse(text, d.maxDepth) }

// Words implements [sqlplan.Dialect]. The words of strings are among them.
func (d *dialect) Words(text string, yield func(word string)) bool {
	tokens, err := lex(text)
	if err != nil {
		return false
	}
	for _, t := range tokens {
		switch t.kind {
		case kindWord, kindQuoted:
			yield(t.text)
			if len(t.text) > maxName {
				yield(truncated(t.text))
			}
		case kindString:
			yield(strings.ReplaceAll(text[t.start:t.end], "''", "'"))
		}
	}
	return !d.Obscured(text)
}

// maxName is the most bytes of a name that the server reads.
const maxName = 63

// truncated is what the server makes of a longer name, if its encoding is UTF-8.
func truncated(name string) string {
	n := maxName
	for n > 0 && !utf8.RuneStart(name[n]) {
		n--
	}
	return name[:n]
}

// Obscured implements [sqlplan.Dialect].
func (d *dialect) Obscured(text string) bool {
	return strings.Contains(text, `""`) || strings.Contains(text, "&\"") || strings.Contains(text, "&'") || strings.Contains(text, `\`)
}

// SameTable implements [sqlplan.Dialect]: names arrive folded.
func (d *dialect) SameTable(a, b string) bool { return a == b }

// SameColumn implements [sqlplan.Dialect].
func (d *dialect) SameColumn(a, b string) bool { return a == b }

// Quote implements [sqlplan.Dialect].
func (d *dialect) Quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Placeholder implements [sqlplan.Dialect].
func (d *dialect) Placeholder(n int) string { return "$" + strconv.Itoa(n) }

// NumberedPlaceholders implements [sqlplan.Dialect].
func (d *dialect) NumberedPlaceholders() bool { return true }

// Bytes implements [sqlplan.Dialect].
func (d *dialect) Bytes(b []byte) string { return `'\x` + hex.EncodeToString(b) + "'::bytea" }

// SealCast implements [sqlplan.Dialect].
func (d *dialect) SealCast(c *sqlplan.Column) (before, after string) {
	if c.Base64 {
		return "", "::text"
	}
	return "", "::bytea"
}

// DocumentText implements [sqlplan.Dialect].
func (d *dialect) DocumentText(document, columnType string, keys []string) string {
	if columnType != "json" && columnType != "jsonb" {
		document += "::jsonb"
	}
	for i, key := range keys {
		operator := "->"
		if i == len(keys)-1 {
			operator = "->>"
		}
		document += operator + d.text(key)
	}
	return "(" + document + ")"
}

// text writes a string constant that no setting reads otherwise.
func (d *dialect) text(s string) string {
	return "E'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(s) + "'"
}

// ScalarOfDocument implements [sqlplan.Dialect].
func (d *dialect) ScalarOfDocument() (before, after string) { return "", "" }

// DocumentCast implements [sqlplan.Dialect].
func (d *dialect) DocumentCast(columnType string) string {
	if columnType == "" {
		return ""
	}
	return "::" + columnType
}

// KeyCast implements [sqlplan.Dialect].
func (d *dialect) KeyCast(c sqlplan.RelationColumn) string { return "::" + c.Type }

// AllRows implements [sqlplan.Dialect].
func (d *dialect) AllRows() string { return "" }

// StoredAs implements [sqlplan.Dialect].
func (d *dialect) StoredAs(string) (before, after string) { return "", "" }

// LockClause implements [sqlplan.Dialect].
func (d *dialect) LockClause(alias string, rekey bool) string {
	clause := " FOR NO KEY UPDATE"
	if rekey || alias == "" {
		clause = " FOR UPDATE"
	}
	if alias != "" {
		clause += " OF " + d.Quote(alias)
	}
	return clause
}

// ExactText implements [sqlplan.Dialect]: pgx reads every value as it is.
func (d *dialect) ExactText(string) (before, after string) { return "", "" }

// Evaluate implements [sqlplan.Dialect].
func (d *dialect) Evaluate(r *sqlplan.Relation, columns []sqlplan.RelationColumn, rows int) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = d.DefaultOf(r, c)
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM generate_series(1, " + strconv.Itoa(rows) + ")"
}

// DefaultOf implements [sqlplan.Dialect].
func (d *dialect) DefaultOf(r *sqlplan.Relation, c sqlplan.RelationColumn) string {
	if c.Identity != "" {
		table := d.Quote(r.Name)
		if r.Schema != "" {
			table = d.Quote(r.Schema) + "." + table
		}
		return fmt.Sprintf("nextval(pg_get_serial_sequence(%s, %s))", literal(table), literal(c.Name))
	}
	if t := assignedAs(c); t != "" {
		return "(" + c.Default + ")::" + t
	}
	return c.Default
}

// StoredCast implements [sqlplan.Dialect]. What does not fit is cut; the column rejects it.
func (d *dialect) StoredCast(c sqlplan.RelationColumn) string { return "::" + c.Full }

// Assigned implements [sqlplan.Dialect].
func (d *dialect) Assigned(c sqlplan.RelationColumn) (before, after string) {
	t := assignedAs(c)
	if t == "" {
		t = c.Type
	}
	return "(", ")::" + t
}

// assignedAs is the type to which a cast converts a value as storing it in the column
// does, in the session's zone and rounded, or empty. A text that is too long is not cut.
func assignedAs(c sqlplan.RelationColumn) string {
	base, _, _ := strings.Cut(c.Full, "(")
	switch base, _, _ = strings.Cut(base, " "); base {
	case "smallint", "integer", "bigint", "numeric", "date", "timestamp", "uuid":
		return c.Full
	case "text", "character":
		return "text"
	}
	return ""
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// GivesDefault implements [sqlplan.Dialect].
func (d *dialect) GivesDefault() bool { return false }

// ValuesSeeRow implements [sqlplan.Dialect].
func (d *dialect) ValuesSeeRow() bool { return false }

// SameType implements [sqlplan.Dialect].
func (d *dialect) SameType(castType, columnType string) bool {
	return castType == columnType || textual(castType) && textual(columnType) || whole(castType) && whole(columnType)
}

func textual(t string) bool { return t == "text" || t == "character varying" }

func whole(t string) bool { return t == "smallint" || t == "integer" || t == "bigint" }

// LiteralFits implements [sqlplan.Dialect]: the server gives a literal the
// column's type, or refuses.
func (d *dialect) LiteralFits(kind sqlplan.LiteralKind, columnType string) bool {
	switch kind {
	case sqlplan.LiteralString:
		return true
	case sqlplan.LiteralInteger:
		return whole(columnType) || columnType == "numeric"
	case sqlplan.LiteralDecimal:
		return columnType == "numeric"
	case sqlplan.LiteralBool:
		return columnType == "boolean"
	case sqlplan.LiteralBytes:
		return columnType == "bytea"
	}
	return false
}

// ZeroIsGiven implements [sqlplan.Dialect].
func (d *dialect) ZeroIsGiven() bool { return true }

// NullIsLastKey implements [sqlplan.Dialect].
func (d *dialect) NullIsLastKey() bool { return false }

// LooseLiterals implements [sqlplan.Dialect].
func (d *dialect) LooseLiterals() bool { return false }

// ExactAliasLists implements [sqlplan.Dialect].
func (d *dialect) ExactAliasLists() bool { return false }

// Measure implements [sqlplan.Dialect]: length counts characters of a string.
func (d *dialect) Measure(function string, bytes bool) sqlplan.Measure {
	switch {
	case function == "octet_length", function == "length" && bytes:
		return sqlplan.MeasureBytes
	case function == "bit_length":
		return sqlplan.MeasureBits
	case bytes:
		return sqlplan.MeasureNone
	}
	return sqlplan.MeasureChars
}

// SystemColumn implements [sqlplan.Dialect].
func (d *dialect) SystemColumn(name string) bool {
	switch name {
	case "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "oid":
		return true
	}
	return false
}

// FieldCalls implements [sqlplan.Dialect].
func (d *dialect) FieldCalls() bool { return true }

// StrictGroups implements [sqlplan.Dialect].
func (d *dialect) StrictGroups() bool { return true }

// ValuesColumn implements [sqlplan.Dialect].
func (d *dialect) ValuesColumn(j int) string { return "column" + strconv.Itoa(j+1) }

// SetsInOrder implements [sqlplan.Dialect].
func (d *dialect) SetsInOrder() bool { return false }

// LockedKeyIs implements [sqlplan.Dialect].
func (d *dialect) LockedKeyIs() string { return " = " }

// Exactly implements [sqlplan.Dialect].
func (d *dialect) Exactly(c sqlplan.RelationColumn) (before, after string, ok bool) {
	return "", "", !c.Inexact
}

// Fails implements [sqlplan.Dialect]. concat is stable: the planner does not evaluate it.
func (d *dialect) Fails(string) string {
	return "CAST(pg_catalog.concat('sealsql: a row has changed since it was read; the statement is sent again') AS pg_catalog.int4) = 0"
}

// InIsEqual implements [sqlplan.Dialect].
func (d *dialect) InIsEqual(string) bool { return true }

// PreservedSideFirst implements [sqlplan.Dialect].
func (d *dialect) PreservedSideFirst() bool { return false }

// TypedNull implements [sqlplan.Dialect].
func (d *dialect) TypedNull(columnType string) string {
	if columnType == "" {
		return "NULL"
	}
	return "NULL::" + columnType
}

// NameByText implements [sqlplan.Dialect].
func (d *dialect) NameByText(string) (name string, ok bool) { return "", false }

// RunsSQL implements [sqlplan.Dialect].
func (d *dialect) RunsSQL(function string) bool {
	switch lower(function) {
	case "query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema", "cursor_to_xml", "table_to_xml", "table_to_xmlschema",
		"schema_to_xml", "database_to_xml", "table_to_xml_and_xmlschema", "schema_to_xml_and_xmlschema", "dblink", "dblink_exec", "dblink_open", "dblink_send_query",
		"crosstab", "crosstab2", "crosstab3", "crosstab4", "ts_stat", "connectby", "set_config":
		return true
	}
	return false
}

// BuiltinSchema implements [sqlplan.Dialect].
func (d *dialect) BuiltinSchema(schema string) bool { return schema == "pg_catalog" }
