package mysql

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"

	"github.com/sealsql/sealsql/internal/server"
)

// Describe knows nothing: go-sql-driver does not show what the servers say of the
// columns of a prepared statement.
func (Server) Describe(context.Context, sqldriver.Conn, string, server.Description) ([]server.Origin, bool, error) {
	return nil, false, nil
}

// Columns knows nothing.
func (Server) Columns(context.Context, *sql.DB, uint32) (schema, name string, columns map[int]string, err error) {
	return "", "", nil, nil
}

// Parameters implements [server.Server]: the servers' types of parameters say nothing.
func (Server) Parameters(context.Context, sqldriver.Conn, string, server.Description, []sqldriver.NamedValue) ([]server.KeyType, bool, error) {
	return nil, false, nil
}
