// Package mysql is all that sealsql knows of MySQL and MariaDB beside their SQL,
// which package sqlplan/mysql reads.
package mysql

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
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
	return planner.New(rules, catalog, planner.Options{SQLMode: s.SQLMode})
}

// TypeName follows go-sql-driver, which reports MySQL's type names in upper case.
func (Server) TypeName(policyType string) string {
	switch policyType {
	case "bytes":
		return "BLOB"
	case "int64":
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
func (Server) Arguments(_ context.Context, text string, args []sqldriver.NamedValue) (server.Arguments, error) {
	return server.Arguments{Text: text, Params: args}, nil
}

// errNoSavepoint is ER_SP_DOES_NOT_EXIST.
const errNoSavepoint = 1305

// InTransaction sets a savepoint: outside a transaction the server forgets it
// at once, which releasing it then shows. That works on every MySQL and MariaDB,
// for transactions begun in any way, and needs no privilege.
func (Server) InTransaction(ctx context.Context, c sqldriver.Conn) (bool, error) {
	x, ok := server.Unwrap(c).(sqldriver.ExecerContext)
	if !ok {
		return false, nil
	}
	if _, err := x.ExecContext(ctx, "SAVEPOINT sealsql_probe", nil); err != nil {
		return false, err
	}
	_, err := x.ExecContext(ctx, "RELEASE SAVEPOINT sealsql_probe", nil)
	if me, ok := errors.AsType[*mysql.MySQLError](err); ok && me.Number == errNoSavepoint {
		return false, nil
	}
	return err == nil, err
}

func (Server) BytesLiteral(b []byte) string { return fmt.Sprintf("x'%x'", b) }

func (Server) TextLiteral(s string) string { return "'" + s + "'" }
