package mysql

import (
	sqldriver "database/sql/driver"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-sql-driver/mysql"

	"github.com/sealsql/sealsql/internal/server"
)

// Literals implements [server.Server]. Without interpolateParams go-sql-driver
// prepares whatever has an argument. A literal has the character set and the collation
// that an argument has. Strings are quoted by the mode that the server reported with its
// last answer; sealsql works only in character sets in which no byte of another character
// looks like a quote or a backslash. MySQL rejects a text that the session's character
// set cannot carry by another error as a literal than as an argument.
func (Server) Literals(base sqldriver.Conn, s server.Session) func(any, bool) (string, bool) {
	bits, known := status(base)
	if cfg := configOf(base); !known || cfg == nil || cfg.InterpolateParams {
		return nil
	}
	escape := escapes
	if bits&statusNoBackslashEscapes != 0 {
		escape = doubledQuotes
	}
	quoted := func(text string) (string, bool) {
		return "'" + escape.Replace(text) + "'", utf8.ValidString(text) && sameBytes(s.Charset, []byte(text))
	}
	return func(v any, sealed bool) (string, bool) {
		switch v := v.(type) {
		case nil:
			return "NULL", true
		case int64:
			return strconv.FormatInt(v, 10), true
		case []byte:
			if sealed {
				return Server{}.BytesLiteral(v), true
			}
			literal, ok := quoted(string(v))
			return literal, ok && v != nil
		case string:
			return quoted(v)
		}
		return "", false
	}
}

var (
	doubledQuotes = strings.NewReplacer("'", "''")
	escapes       = strings.NewReplacer("'", "''", `\`, `\\`)
)

// configOf returns the settings of a go-sql-driver connection, or nil for another driver's.
func configOf(base any) *mysql.Config {
	conn, ok := driverConn(base)
	if !ok {
		return nil
	}
	return config(conn)
}
