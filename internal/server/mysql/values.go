package mysql

import (
	sqldriver "database/sql/driver"
	"encoding/hex"
	"strings"
	"time"

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
func (Server) Values(server.Session, sqldriver.Conn, []sqldriver.NamedValue) server.Values {
	return values{loc: time.UTC}
}

// values are the rules of go-sql-driver.
type values struct {
	// loc is the zone in which the driver writes a time.Time.
	loc *time.Location
}

func (w values) Given(c *server.Column, v any) (string, error) { return w.canonical(c.Key, v) }

func (w values) Shown(c *server.Column, v any) (string, error) { return w.canonical(c.Key, v) }

func (w values) canonical(t server.KeyType, v any) (string, error) {
	v, err := server.Plain(v)
	switch {
	case err != nil:
		return "", err
	case v == nil:
		return "", server.ErrNull
	case t == server.KeyTimestamp || t == server.KeyDate:
		return w.canonicalTime(t, v)
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

// canonicalTime rounds to microseconds, as the servers store at the most. A column
// holds the wall clock: the driver brings a time.Time into its loc first.
func (w values) canonicalTime(t server.KeyType, v any) (string, error) {
	var at time.Time
	switch v := v.(type) {
	case time.Time:
		at = v
	case string, []byte:
		var err error
		if at, err = server.ParseTime(server.TextOf(v), w.loc); err != nil {
			return "", err
		}
	default:
		return "", server.Unfit(v, "a time column")
	}
	if at = at.In(w.loc); t == server.KeyDate {
		return at.Format(server.LayoutDate), nil
	}
	return at.Round(time.Microsecond).Format(server.LayoutTimestamp), nil
}
