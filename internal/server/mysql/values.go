package mysql

import (
	sqldriver "database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// KeyType reads the type as information_schema's COLUMN_TYPE gives it.
func (Server) KeyType(c sqlplan.RelationColumn) server.KeyType {
	name, _, _ := strings.Cut(c.Type, "(")
	name, _, _ = strings.Cut(name, " ")
	switch name {
	case "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set":
		return server.KeyText
	case "char":
		return server.KeyPaddedText
	case "tinyint", "smallint", "mediumint", "int", "integer", "bigint", "year":
		return server.KeyInteger
	case "bool", "boolean":
		return server.KeyInteger
	case "decimal", "numeric":
		return server.KeyNumeric
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		return server.KeyBytes
	case "datetime":
		return server.KeyTimestamp
	case "date":
		return server.KeyDate
	case "uuid":
		return server.KeyUUID
	}
	return server.KeyUnsupported
}

// Values implements [server.Server].
func (Server) Values(s server.Session, base sqldriver.Conn, _ []sqldriver.NamedValue) server.Values {
	w := values{mode: s.SQLMode, wire: s.Wire, charset: s.Charset}
	if base != nil && w.wire == (server.Wire{}) { // no session was read: the catalog is not live
		if known, ok := wireOf(base); ok {
			w.wire = known
		}
	}
	return w
}

// values are the rules of go-sql-driver with the settings of one connection.
type values struct {
	mode string // sql_mode
	wire server.Wire
	// charset is that of arguments and of literals, empty if they are in UTF-8. What is
	// shown is converted by the server before it is sent: see [planner.Options].
	charset string
}

// Given implements [server.Values].
func (w values) Given(c *server.Column, v any) (string, error) {
	v, err := server.Plain(v)
	if err != nil {
		return "", err
	}
	if at, ok := v.(time.Time); ok && wallClock(c.Key) {
		m, err := w.written(at)
		if err != nil {
			return "", err
		}
		return m.canonical(c.Key), nil
	}
	if c.Key != server.KeyBytes && !server.Carries(w.charset, v, false) {
		return "", server.ErrCharset
	}
	if b, ok := v.([]byte); ok && w.wire.Interpolates && (c.Key == server.KeyText || c.Key == server.KeyPaddedText) && !sameBytes(c.Charset, b) {
		return "", errBinary
	}
	return canonical(c.Key, v)
}

// Sent implements [server.Values]: database/sql asks the driver to convert arguments
// before anything else sees them.
func (values) Sent(_ server.KeyType, v any) (any, error) { return v, nil }

// Again implements [server.Values]. The base driver reads texts as bytes, and with
// interpolateParams writes bytes as _binary literals, which take no part in the
// column's collation. A session in another character set than UTF-8 would read a text
// outside ASCII as another.
func (w values) Again(v any) any {
	b, ok := v.([]byte)
	switch {
	case !ok || !utf8.Valid(b):
		return v
	case w.charset != "" && !sameBytes("ascii", b):
		return server.Spelled(fmt.Sprintf("_utf8mb4 x'%x'", b))
	}
	return string(b)
}

var errBinary = errors.New("with interpolateParams the driver beneath writes []byte as a binary string, which the column takes as bytes of its own character set; pass a string")

// sameBytes reports whether UTF-8 means the same text in the character set.
func sameBytes(charset string, b []byte) bool {
	switch charset {
	case "", "utf8", "utf8mb3", "utf8mb4", "binary":
		return true
	case "utf16", "utf16le", "utf32", "ucs2":
		return len(b) == 0
	}
	return !slices.ContainsFunc(b, func(c byte) bool { return c >= 0x80 })
}

// Shown implements [server.Values]. A time.Time that the driver read may stand for
// several values of the column: wall clocks that the zone skips, zero dates.
func (w values) Shown(c *server.Column, v any) (string, error) {
	v, err := server.Plain(v)
	if err != nil {
		return "", err
	}
	if _, ok := v.(time.Time); ok && wallClock(c.Key) {
		return "", server.ErrUncertain
	}
	return canonical(c.Key, v)
}

func wallClock(t server.KeyType) bool { return t == server.KeyTimestamp || t == server.KeyDate }

func canonical(t server.KeyType, v any) (string, error) {
	switch {
	case v == nil:
		return "", server.ErrNull
	case wallClock(t):
		switch v.(type) {
		case string, []byte:
			m, err := readMoment(server.TextOf(v))
			if err != nil {
				return "", err
			}
			return m.canonical(t), nil
		}
		return "", server.Unfit(v, "a time column")
	case t == server.KeyBytes:
		if s, ok := v.(string); ok {
			return hex.EncodeToString([]byte(s)), nil
		}
	case t == server.KeyInteger:
		if b, ok := v.(bool); ok { // the servers' bool is a number
			v = map[bool]int64{true: 1}[b]
		}
	}
	return server.Scalar(t, v)
}
