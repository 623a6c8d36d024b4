package mysql

import (
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// dialect implements [sqlplan.Dialect] for MySQL and MariaDB.
type dialect struct {
	modes    modes
	maxDepth int
	converts bool // results are sent in another character set than UTF-8
	// nullIsLastKey is true under sql_auto_is_null.
	nullIsLastKey bool
}

var _ sqlplan.Dialect = (*dialect)(nil)

// Parse implements [sqlplan.Dialect].
func (d *dialect) Parse(text string) (*sqlplan.Script, error) {
	return parse(text, d.modes, d.maxDepth)
}

// Words implements [sqlplan.Dialect]. Words of executable comments are among
// them, and so are those of strings.
func (d *dialect) Words(text string, yield func(word string)) (ok bool) {
	l, err := lex(text, d.modes, nil)
	if err != nil {
		return false
	}
	for _, t := range l.tokens {
		switch t.kind {
		case kindWord, kindQuoted, kindVar:
			yield(strings.TrimPrefix(foldRunes(t.text), rawNamePrefix))
		case kindString:
			yield(foldRunes(unquote(text[t.start:t.end], d.modes.noBackslashEscapes)))
		case kindHex, kindBit:
			yield(foldRunes(binaryValue(t)))
		}
	}
	ok = true
	for _, c := range l.comments {
		if c.executable {
			ok = d.Words(c.body(text), yield) && ok
		}
	}
	return ok
}

// rawNamePrefix makes the servers take the rest of a name as a file's name.
const rawNamePrefix = "#mysql50#"

// Obscured implements [sqlplan.Dialect]. A name is spelled out except where the
// server folds other letters to those of ASCII, doubles quotes, or runs a
// string that has escapes.
func (d *dialect) Obscured(text string) bool {
	return strings.Contains(text, "\u212a") || strings.Contains(text, "\u017f") ||
		strings.Contains(text, "``") || d.modes.ansiQuotes && strings.Contains(text, `""`) ||
		containsFold(text, rawNamePrefix) ||
		(strings.Contains(text, `\`) || strings.Contains(text, "''") || containsFold(text, "x'") || strings.Contains(text, "0x")) &&
			(containsFold(text, "prepare") || containsFold(text, "immediate"))
}

// SameTable implements [sqlplan.Dialect]. Whether table names differ in case
// depends on the server (lower_case_table_names); here they never do.
func (d *dialect) SameTable(a, b string) bool {
	return sameName(strings.TrimPrefix(a, rawNamePrefix), b)
}

// SameColumn implements [sqlplan.Dialect].
func (d *dialect) SameColumn(a, b string) bool { return sameName(a, b) }

// sameName compares names without case. Folding takes in the few letters
// beyond ASCII that are the same as one of ASCII.
func sameName(a, b string) bool { return strings.EqualFold(a, b) }

// foldRunes replaces letters that fold to a letter of ASCII by that letter.
func foldRunes(s string) string {
	if isASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			if f < 0x80 {
				return unicode.ToLower(f)
			}
		}
		return r
	}, s)
}

// Quote implements [sqlplan.Dialect].
func (d *dialect) Quote(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

// Placeholder implements [sqlplan.Dialect].
func (d *dialect) Placeholder(int) string { return "?" }

// NumberedPlaceholders implements [sqlplan.Dialect].
func (d *dialect) NumberedPlaceholders() bool { return false }

// Bytes implements [sqlplan.Dialect].
func (d *dialect) Bytes(b []byte) string { return "0x" + hex.EncodeToString(b) }

// SealCast implements [sqlplan.Dialect]. In a select list a parameter is text in
// the session's character set, in which a ciphertext does not survive.
func (d *dialect) SealCast(c *sqlplan.Column) (before, after string) {
	if c.Base64 {
		return "", ""
	}
	return "CAST(", " AS BINARY)"
}

// DocumentText implements [sqlplan.Dialect].
func (d *dialect) DocumentText(document, _ string, keys []string) string {
	path := "$"
	for _, key := range keys {
		if strings.ContainsAny(key, "'\"\\") {
			return "" // settings of the session say how it is read
		}
		path += `."` + key + `"`
	}
	return "JSON_UNQUOTE(JSON_EXTRACT(" + document + ", '" + path + "'))"
}

// ScalarOfDocument implements [sqlplan.Dialect]: MySQL's JSON_VALUE is NULL for what takes
// more than 512 bytes.
func (d *dialect) ScalarOfDocument() (before, after string) {
	return "NULLIF(JSON_UNQUOTE(JSON_EXTRACT", ")), 'null')"
}

// DocumentCast implements [sqlplan.Dialect]: text becomes JSON where it is stored.
func (d *dialect) DocumentCast(string) string { return "" }

// KeyCast implements [sqlplan.Dialect].
func (d *dialect) KeyCast(sqlplan.RelationColumn) string { return "" }

// AllRows implements [sqlplan.Dialect]: sql_select_limit does not bound a SELECT that has
// a limit of its own.
func (d *dialect) AllRows() string { return " LIMIT 18446744073709551615" }

// StoredAs implements [sqlplan.Dialect]. A date is compared with a time of day as if it
// were midnight, and drops it when it is stored.
func (d *dialect) StoredAs(columnType string) (before, after string) {
	if strings.EqualFold(columnType, "date") {
		return "CAST(", " AS DATE)"
	}
	return "", ""
}

// LockClause implements [sqlplan.Dialect].
func (d *dialect) LockClause(string, bool) string { return " FOR UPDATE" }

// ExactText implements [sqlplan.Dialect]. A session that converts results to a set other
// than UTF-8 would put a question mark for what that set lacks.
func (d *dialect) ExactText(columnType string) (before, after string) {
	if d.converts && slices.Contains(characterTypes, baseType(strings.ToLower(columnType))) {
		return "CAST(CONVERT(", " USING utf8mb4) AS BINARY)"
	}
	return ExactText(columnType)
}

var characterTypes = []string{"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"}

// ExactText is what is written around a column of the type to read it as text. With
// parseTime go-sql-driver brings dates and times into a zone, where some wall clocks do
// not exist, and turns zero dates into others.
func ExactText(columnType string) (before, after string) {
	switch baseType(strings.ToLower(columnType)) {
	case "date", "datetime", "timestamp":
		return "CAST(", " AS CHAR)"
	}
	return "", ""
}

// Evaluate implements [sqlplan.Dialect].
func (d *dialect) Evaluate(r *sqlplan.Relation, columns []sqlplan.RelationColumn, rows int) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		if list[i] = d.DefaultOf(r, c); list[i] == "" {
			return ""
		}
	}
	row := "SELECT " + strings.Join(list, ", ")
	return row + strings.Repeat(" UNION ALL "+row, rows-1)
}

// sequenceCall matches what MariaDB shows of a value of a sequence, whose name is that of no
// column.
var sequenceCall = regexp.MustCompile("(?i)\\b(?:nextval|lastval)\\((?:`[^`]+`\\.)?`[^`]+`\\)")

// DefaultOf implements [sqlplan.Dialect]: AUTO_INCREMENT makes its values during INSERT,
// and a default that names columns needs the row.
func (d *dialect) DefaultOf(_ *sqlplan.Relation, c sqlplan.RelationColumn) string {
	if c.AutoIncrement || c.Default == "" || strings.Contains(sequenceCall.ReplaceAllString(c.Default, ""), "`") {
		return ""
	}
	before, after := d.Assigned(c)
	return before + c.Default + after
}

// StoredCast implements [sqlplan.Dialect]: functions depend on the character set and the
// collation of a column, which no cast gives a value.
func (d *dialect) StoredCast(sqlplan.RelationColumn) string { return "" }

// Assigned implements [sqlplan.Dialect].
func (d *dialect) Assigned(c sqlplan.RelationColumn) (before, after string) {
	before, after = d.ExactText(c.Type)
	if t := castName(c); t != "" {
		return before + "CAST(", " AS " + strings.ToUpper(t) + ")" + after
	}
	return before, after
}

// castName is the type in CAST, which knows no TIMESTAMP, of a column of dates, times or
// numbers, to which storing a value converts it; else empty.
func castName(c sqlplan.RelationColumn) string {
	full := strings.ToLower(c.Full)
	name, _, _ := strings.Cut(baseType(full), " ")
	switch name {
	case "date", "datetime", "timestamp", "time":
		return strings.Replace(full, "timestamp", "datetime", 1)
	case "tinyint", "smallint", "mediumint", "int", "bigint":
		if strings.Contains(full, "unsigned") {
			return "unsigned"
		}
		return "signed"
	case "decimal":
		number, _, _ := strings.Cut(full, " ")
		return number
	}
	return ""
}

// GivesDefault implements [sqlplan.Dialect].
func (d *dialect) GivesDefault() bool { return true }

// ValuesSeeRow implements [sqlplan.Dialect].
func (d *dialect) ValuesSeeRow() bool { return true }

// SameType implements [sqlplan.Dialect]. Casts to character types keep text as
// it is; every other cast may change what a value is.
func (d *dialect) SameType(castType, columnType string) bool {
	return textType(castType) && textType(columnType)
}

// LiteralFits implements [sqlplan.Dialect]. The servers compare a text column
// with a number, and a number column with text, as floating-point numbers: '7abc'
// equals 7.
func (d *dialect) LiteralFits(kind sqlplan.LiteralKind, columnType string) bool {
	switch kind {
	case sqlplan.LiteralString:
		return textType(columnType) || strings.EqualFold(columnType, "uuid")
	case sqlplan.LiteralBytes, sqlplan.LiteralBits:
		return textType(columnType)
	case sqlplan.LiteralInteger:
		return wholeType(columnType) || decimalType(columnType)
	case sqlplan.LiteralDecimal:
		return decimalType(columnType)
	}
	return false
}

// NullIsLastKey implements [sqlplan.Dialect].
func (d *dialect) NullIsLastKey() bool { return d.nullIsLastKey }

// ZeroIsGiven implements [sqlplan.Dialect].
func (d *dialect) ZeroIsGiven() bool { return d.modes.zeroIsGiven }

// LooseLiterals implements [sqlplan.Dialect].
func (d *dialect) LooseLiterals() bool { return true }

// baseType takes the length off a type as the catalog shows it.
func baseType(name string) string {
	head, rest, ok := strings.Cut(name, "(")
	if !ok {
		return name
	}
	_, tail, _ := strings.Cut(rest, ")")
	return head + tail
}

func decimalType(name string) bool {
	name = strings.TrimSuffix(baseType(name), " unsigned")
	return strings.EqualFold(name, "decimal") || strings.EqualFold(name, "numeric")
}

func wholeType(name string) bool {
	switch strings.ToLower(strings.TrimSuffix(baseType(name), " unsigned")) {
	case "tinyint", "smallint", "mediumint", "int", "integer", "bigint":
		return true
	}
	return false
}

// textType is true for types whose values are compared byte for byte with text,
// collations aside.
func textType(name string) bool {
	switch strings.ToLower(baseType(name)) {
	case "char", "varchar", "tinytext", "text", "mediumtext", "longtext",
		"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		return true
	}
	return false
}

// ExactAliasLists implements [sqlplan.Dialect].
func (d *dialect) ExactAliasLists() bool { return true }

// Measure implements [sqlplan.Dialect]: length counts bytes.
func (d *dialect) Measure(function string, bytes bool) sqlplan.Measure {
	switch {
	case function == "bit_length":
		return sqlplan.MeasureBits
	case bytes, function == "length", function == "octet_length":
		return sqlplan.MeasureBytes
	}
	return sqlplan.MeasureChars
}

// SystemColumn implements [sqlplan.Dialect]: tables of MariaDB with system versioning have
// these two.
func (d *dialect) SystemColumn(name string) bool {
	return sameName(name, "row_start") || sameName(name, "row_end")
}

// FieldCalls implements [sqlplan.Dialect].
func (d *dialect) FieldCalls() bool { return false }

// StrictGroups implements [sqlplan.Dialect]: ONLY_FULL_GROUP_BY may be off.
func (d *dialect) StrictGroups() bool { return false }

// SetsInOrder implements [sqlplan.Dialect].
func (d *dialect) SetsInOrder() bool { return true }

// LockedKeyIs implements [sqlplan.Dialect]. MySQL 9.7 puts the values of k = 'a' AND
// k = _binary'A' against each other, byte by byte; alone, either finds the row.
func (d *dialect) LockedKeyIs() string { return " <=> " }

// Exactly implements [sqlplan.Dialect]. Collations fold letters and pad with blanks; the
// bytes of texts in one character set do not.
func (d *dialect) Exactly(c sqlplan.RelationColumn) (before, after string, ok bool) {
	switch name := baseType(strings.ToLower(c.Type)); {
	case strings.HasSuffix(name, "binary"), wholeType(c.Type):
		return "", "", true
	case textType(c.Type) && slices.Contains(characterTypes, name):
		return "CAST(CONVERT(", " USING utf8mb4) AS BINARY)", true
	}
	return "", "", false
}

// Fails implements [sqlplan.Dialect]. The sub-select has one row too many, which is an
// error in every sql_mode. It depends on the row, so that it is not evaluated in advance.
func (d *dialect) Fails(column string) string {
	return "(SELECT " + column + " UNION ALL SELECT " + column + ") = 0"
}

// InIsEqual implements [sqlplan.Dialect]. Texts in one list are compared in one character
// set and collation, which depends on all of them.
func (d *dialect) InIsEqual(columnType string) bool { return wholeType(columnType) }

// PreservedSideFirst implements [sqlplan.Dialect].
func (d *dialect) PreservedSideFirst() bool { return true }

// TypedNull implements [sqlplan.Dialect].
func (d *dialect) TypedNull(string) string { return "NULL" }

// ValuesColumn implements [sqlplan.Dialect].
func (d *dialect) ValuesColumn(j int) string { return "column_" + strconv.Itoa(j) }

// NameByText implements [sqlplan.Dialect].
func (d *dialect) NameByText(text string) (name string, ok bool) {
	l, err := lex(text, d.modes, nil)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	at, marks := 0, 0
	for _, t := range l.tokens {
		switch t.kind {
		case kindString, kindNumber, kindHex, kindBit:
			marks++
			b.WriteString(text[at:t.start] + "?" + strconv.Itoa(marks))
			at = t.end
		}
	}
	return b.String() + text[at:], true
}

// RunsSQL implements [sqlplan.Dialect]: no function of an expression does.
func (d *dialect) RunsSQL(string) bool { return false }

// BuiltinSchema implements [sqlplan.Dialect]: built-in functions have no schema.
func (d *dialect) BuiltinSchema(string) bool { return false }
