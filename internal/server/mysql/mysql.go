// Package mysql is all that sealsql knows of MySQL and MariaDB beside their SQL,
// which package sqlplan/mysql reads.
package mysql

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"

	"github.com/go-sql-driver/mysql"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
	planner "github.com/sealsql/sealsql/internal/sqlplan/mysql"
)

// Server is MySQL and MariaDB. It implements [server.Server].
type Server struct{}

var _ server.Server = Server{}

func (Server) Name() string { return "mysql" }

func (Server) Recognises(d sqldriver.Driver) bool {
	switch d.(type) {
	case mysql.MySQLDriver, *mysql.MySQLDriver:
		return true
	}
	return false
}

func (Server) Planner(rules *sqlplan.Rules, catalog sqlplan.Catalog, s server.Session) server.Planner {
	return planner.New(rules, catalog, planner.Options{SQLMode: s.SQLMode, Converts: s.Results != "", AutoIsNull: s.AutoIsNull})
}

// ColumnType implements [server.Server]: go-sql-driver reports what the values show.
func (Server) ColumnType(string) server.ColumnType { return server.ColumnType{} }

// TypeName follows go-sql-driver, which reports MySQL's type names in upper case.
func (Server) TypeName(policyType string) string {
	switch policyType {
	case "bytes":
		return "BLOB"
	case "int64", server.LengthType: // MariaDB shows most lengths as INT
		return "BIGINT"
	case "float64":
		return "DOUBLE"
	case "bool":
		return "TINYINT"
	case "timestamp":
		return "DATETIME"
	case "date":
		return "DATE"
	case "decimal":
		return "DECIMAL"
	case "json":
		return "JSON"
	}
	return "TEXT"
}

// Arguments returns its input: go-sql-driver has no options among arguments.
func (Server) Arguments(_ context.Context, _ sqldriver.Conn, text string, args []sqldriver.NamedValue) (server.Arguments, error) {
	return server.Arguments{Text: text, Params: args}, nil
}

func (Server) BytesLiteral(b []byte) string { return fmt.Sprintf("x'%x'", b) }

func (Server) TextLiteral(s string) string {
	if server.IsBase64(s) {
		return "'" + s + "'"
	}
	return fmt.Sprintf(" _utf8mb4 x'%x'", s) // whatever the sql_mode is
}

// ReadLiteral implements [server.Server].
func (Server) ReadLiteral(text string) (b []byte, length int) {
	return server.ReadLiteral(text, "x'", "'")
}
