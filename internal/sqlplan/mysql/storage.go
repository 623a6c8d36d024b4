package mysql

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// TermType is the type of a column of equality terms of size bytes. Text is true for
// base64.
func TermType(size int, text bool) string {
	if text {
		return fmt.Sprintf("varchar(%d) CHARACTER SET ascii COLLATE ascii_bin", size)
	}
	return fmt.Sprintf("varbinary(%d)", size)
}

// StorageType implements [sqlplan.DefiningDialect].
func (d *dialect) StorageType(c *sqlplan.Column) string {
	if c.Base64 {
		return "longtext"
	}
	return "longblob"
}

// ampleSize is the size from which on VARBINARY(n) and VARCHAR(n) are taken to be meant
// for ciphertexts where plaintexts could be stored in the type too.
const ampleSize = 1024

// Stores implements [sqlplan.DefiningDialect]. A type of bytes is meant for ciphertexts
// unless the plaintexts are bytes too.
func (d *dialect) Stores(c *sqlplan.Column, typeName string, size int) bool {
	switch typeName {
	case "blob", "mediumblob", "longblob":
		return !c.Base64 && size == 0
	case "varbinary":
		return !c.Base64 && (size >= ampleSize || c.Type != "bytes")
	case "text", "mediumtext", "longtext":
		return c.Base64 && size == 0
	case "varchar":
		return c.Base64 && size >= ampleSize
	}
	return false
}

// Converts implements [sqlplan.DefiningDialect]: the server keeps the text of a value.
func (d *dialect) Converts(*sqlplan.Column, string) bool { return true }

// TermType implements [sqlplan.DefiningDialect].
func (d *dialect) TermType(t *sqlplan.Term) string { return TermType(t.Size, t.Base64) }

// ClearDefault implements [sqlplan.DefiningDialect]. MySQL takes defaults of these types as
// expressions only, and in ALTER COLUMN no constant in parentheses.
func (d *dialect) ClearDefault(_ *sqlplan.Column, text string, alter bool) string {
	constant := "''"
	if text != "" {
		constant = "x'" + hex.EncodeToString([]byte(text)) + "'"
	}
	if alter {
		return "(concat(" + constant + "))"
	}
	return "(" + constant + ")"
}

// ClearText implements [sqlplan.DefiningDialect].
func (d *dialect) ClearText(def string) (string, bool) { return ClearText(def) }

// ClearText reads a default of the catalog that is a constant.
func ClearText(def string) (text string, ok bool) {
	def = strings.ReplaceAll(def, `\'`, "'") // as MySQL writes an expression
	for strings.HasPrefix(def, "(") && strings.HasSuffix(def, ")") {
		def = def[1 : len(def)-1]
	}
	if inner, ok := strings.CutPrefix(def, "concat("); ok {
		def = strings.TrimSuffix(inner, ")") // as ALTER COLUMN sets it
	}
	if strings.HasPrefix(def, "_") {
		_, def, _ = strings.Cut(def, "'")
		def = "'" + def
	}
	for _, prefix := range []string{"x'", "X'", "0x"} {
		if digits, ok := strings.CutPrefix(def, prefix); ok {
			b, err := hex.DecodeString(strings.TrimSuffix(digits, "'"))
			return string(b), err == nil
		}
	}
	if len(def) < 2 || def[0] != '\'' || def[len(def)-1] != '\'' || strings.Contains(def[1:len(def)-1], `\`) {
		return "", false
	}
	return strings.ReplaceAll(def[1:len(def)-1], "''", "'"), true
}

// KeyName implements [sqlplan.DefiningDialect].
func (d *dialect) KeyName(_ string, columns []string, _ bool) string { return columns[0] }

// NameKey implements [sqlplan.DefiningDialect].
func (d *dialect) NameKey(_ *sqlplan.DefinedKey, name string) string { return " " + d.Quote(name) }

// KeyClause implements [sqlplan.DefiningDialect].
func (d *dialect) KeyClause(name string, primary bool, column string) string {
	if primary {
		return "PRIMARY KEY (" + d.Quote(column) + ")"
	}
	return "UNIQUE KEY " + d.Quote(name) + " (" + d.Quote(column) + ")"
}

// Nothing implements [sqlplan.DefiningDialect].
func (d *dialect) Nothing() string { return "DO 0" }
