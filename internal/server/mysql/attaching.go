package mysql

import (
	"context"
	"database/sql"
)

// Attaching implements server.Server: partitions have no names of their own.
func (Server) Attaching(context.Context, *sql.DB, string) (bool, error) { return false, nil }
