package postgres

import (
	"context"
	"database/sql"
)

// Attaching implements server.Server. Whatever attaches a relation to a table locks the table
// against other changes of its shape until the transaction ends, and waits for that lock.
func (Server) Attaching(ctx context.Context, db *sql.DB, parent string) (pending bool, err error) {
	err = db.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation
		WHERE l.locktype = 'relation' AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
		AND c.relname = $1 AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock'))`, parent).Scan(&pending)
	return pending, err
}
