package postgres

import (
	sqldriver "database/sql/driver"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// KeyType takes the names that format_type gives, and the shorter ones that
// people write in a driver.Schema.
func (Server) KeyType(c sqlplan.RelationColumn) server.KeyType {
	if c.Enum {
		return server.KeyText
	}
	switch c.Type {
	case "text", "character varying", "varchar", "citext", "name", `"char"`:
		return server.KeyText
	case "character", "char", "bpchar":
		return server.KeyPaddedText
	case "smallint", "integer", "bigint", "oid", "int", "int2", "int4", "int8", "serial", "bigserial":
		return server.KeyInteger
	case "numeric", "decimal":
		return server.KeyNumeric
	case "boolean", "bool":
		return server.KeyBool
	case "uuid":
		return server.KeyUUID
	case "bytea":
		return server.KeyBytes
	case "timestamp with time zone", "timestamptz":
		return server.KeyTimestampTZ
	case "timestamp without time zone", "timestamp":
		return server.KeyTimestamp
	case "date":
		return server.KeyDate
	}
	if _, ok := ranges[c.Type]; ok {
		return server.KeyRange
	}
	return server.KeyUnsupported
}

// Capacity implements [server.Server]: Postgres rejects a value that is too long.
func (Server) Capacity(sqlplan.RelationColumn) (int, bool) { return 0, false }

// Values implements [server.Server].
func (Server) Values(s server.Session, base sqldriver.Conn, options []sqldriver.NamedValue) server.Values {
	return values{base, options, s.Charset}
}

// values are the rules of pgx for one statement.
type values struct {
	base    sqldriver.Conn
	options []sqldriver.NamedValue
	charset string // of texts in both directions, empty if they are in UTF-8
}

// Given implements [server.Values].
func (w values) Given(c *server.Column, v any) (string, error) {
	v, err := server.Plain(v)
	if err != nil {
		return "", err
	}
	switch c.Key {
	case server.KeyTimestampTZ:
		err = zoned(v)
	case server.KeyTimestamp, server.KeyDate:
		if at, ok := v.(time.Time); ok && w.untyped() {
			v = at.UTC()
		}
	}
	if err == nil && c.Key != server.KeyBytes && !server.Carries(w.charset, v, false) {
		err = server.ErrCharset
	}
	if err != nil {
		return "", err
	}
	return canonicalOf(c, v)
}

// Again implements [server.Values].
func (values) Again(v any) any { return v }

// Shown implements [server.Values].
func (w values) Shown(c *server.Column, v any) (string, error) {
	v, err := server.Plain(v)
	if err != nil {
		return "", err
	}
	if c.Key != server.KeyBytes && !server.Carries(w.charset, v, false) {
		return "", server.ErrCharset // Postgres fails for what a set lacks
	}
	return canonicalOf(c, v)
}

// canonicalOf is the canonical text of a column's value.
func canonicalOf(c *server.Column, v any) (string, error) {
	if c.Key == server.KeyRange && v != nil {
		return canonicalRange(ranges[c.Type], v)
	}
	return canonical(c.Key, v)
}

func canonical(t server.KeyType, v any) (string, error) {
	switch {
	case v == nil:
		return "", server.ErrNull
	case t == server.KeyTimestampTZ || t == server.KeyTimestamp || t == server.KeyDate:
		return canonicalTime(t, v)
	case t == server.KeyBytes:
		if s, ok := v.(string); ok {
			return canonicalBytea(s)
		}
	}
	return server.Scalar(t, v)
}

// canonicalTime takes the wall clock of a time.Time as it is, and cuts it off at
// microseconds, as pgx does. The server would round a text.
func canonicalTime(t server.KeyType, v any) (string, error) {
	var at time.Time
	switch v := v.(type) {
	case time.Time:
		at = v.Truncate(time.Microsecond)
	case string, []byte:
		var err error
		if at, err = server.ParseTime(server.TextOf(v), time.UTC); err != nil {
			return "", err
		}
		if at.Nanosecond()%1000 != 0 && t != server.KeyDate {
			return "", server.ErrNotExact
		}
	default:
		return "", server.Unfit(v, "a time column")
	}
	switch t {
	case server.KeyTimestampTZ:
		return at.UTC().Format(server.LayoutTimestampTZ), nil
	case server.KeyTimestamp:
		return at.Format(server.LayoutTimestamp), nil
	default:
		return at.Format(server.LayoutDate), nil
	}
}

// CheckExact implements [server.Values]: Postgres rounds times and numbers and cuts
// names off; it takes members of an enumeration as they are.
func (values) CheckExact(c *server.Column, v any, text string) error {
	full := strings.ToLower(c.Full)
	limit, digits := server.Modifiers(full)
	ok := true
	switch {
	case full == "":
	case full == "oid":
		_, err := strconv.ParseUint(text, 10, 32) // -1 is stored as the greatest
		ok = err == nil
	case full == "name":
		ok = len(text) < 64
	case full == `"char"`:
		ok = len(text) <= 1
	case c.Key == server.KeyText || c.Key == server.KeyPaddedText:
		ok = limit < 0 || utf8.RuneCountInString(text) <= limit
	case limit >= 0 && c.Key == server.KeyNumeric && digits < 0: // tens, hundreds and so on
		ok = server.FractionDigits(text) == 0 && (text == "0" || strings.HasSuffix(text, strings.Repeat("0", -digits)))
	case limit >= 0 && c.Key == server.KeyNumeric:
		ok = server.FractionDigits(text) <= digits
	case c.Key == server.KeyTimestamp || c.Key == server.KeyTimestampTZ:
		if limit < 0 {
			limit = 6
		}
		ok = server.FractionDigits(text) <= limit
	}
	if !ok {
		return server.ErrNotExact
	}
	return nil
}

// zoned fails for a text that gives a point in time without its zone: the server
// would read it in the session's.
func zoned(v any) error {
	s, ok := v.(string)
	if b, isBytes := v.([]byte); isBytes {
		s, ok = string(b), true
	}
	if !ok {
		return nil
	}
	here, err := server.ParseTime(s, time.UTC)
	there, _ := server.ParseTime(s, time.FixedZone("", 3600))
	if err == nil && !here.Equal(there) {
		return errors.New("the point in time depends on the session's time zone; write the value with its zone, such as Z or +01:00")
	}
	return nil
}

// canonicalBytea reads the text of a bytea, in its hexadecimal or its escape form.
func canonicalBytea(s string) (string, error) {
	bad := errors.New("it is not the text of a bytea")
	if digits, ok := strings.CutPrefix(s, `\x`); ok {
		raw, err := hex.DecodeString(strings.Join(strings.Fields(digits), ""))
		if err != nil {
			return "", bad
		}
		return hex.EncodeToString(raw), nil
	}
	var raw []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\':
			raw = append(raw, s[i])
		case strings.HasPrefix(s[i:], `\\`):
			raw = append(raw, '\\')
			i++
		default:
			if len(s) < i+4 {
				return "", bad
			}
			n, err := strconv.ParseUint(s[i+1:i+4], 8, 8)
			if err != nil {
				return "", bad
			}
			raw = append(raw, byte(n))
			i += 3
		}
	}
	return hex.EncodeToString(raw), nil
}

// BinaryType implements [server.Server].
func (Server) BinaryType() string { return "bytea" }

// StorageAdvice implements [server.Server].
func (Server) StorageAdvice(sqlplan.RelationColumn) (fact, hint string) { return "", "" }
