package postgres

import (
	"context"
	"crypto/sha256"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/hex"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sealsql/sealsql/internal/server"
)

// Describe returns what Postgres says of the columns that a text returns (RowDescription
// of the frontend/backend protocol, "Message Formats"). It answers only where pgx has the
// description, or is about to ask for it under the name that Describe uses: pgx then
// finds the statement prepared, and no exchange is added.
func (Server) Describe(ctx context.Context, base sqldriver.Conn, text string, from server.Description) ([]server.Origin, bool, error) {
	x, ok := server.Unwrap(base).(interface{ Conn() *pgx.Conn })
	if !ok || x.Conn().IsClosed() {
		return nil, false, nil
	}
	conn := x.Conn()
	var sd *pgconn.StatementDescription
	var err error
	switch from {
	case server.Prepared:
		sd, err = conn.Prepare(ctx, text, text) // stdlib prepared it under the text itself
	case server.Fresh:
		sd, err = conn.PgConn().Prepare(ctx, "", text, nil)
	default:
		c := conn.Config()
		if c.DefaultQueryExecMode != pgx.QueryExecModeCacheStatement || c.StatementCacheCapacity <= 0 {
			return nil, false, nil
		}
		sd, err = conn.Prepare(ctx, cachedName(text), text)
	}
	if err != nil {
		if pgconn.SafeToRetry(err) {
			return nil, false, sqldriver.ErrBadConn
		}
		return nil, false, err
	}
	out := make([]server.Origin, len(sd.Fields))
	for i, f := range sd.Fields {
		out[i] = server.Origin{Relation: f.TableOID, Column: int(f.TableAttributeNumber)}
	}
	return out, true, nil
}

// cachedName is the name under which pgx keeps a text prepared. If another version of
// pgx chose another, the text would be prepared twice; a test counts.
func cachedName(text string) string {
	digest := sha256.Sum256([]byte(text))
	return "stmtcache_" + hex.EncodeToString(digest[:24])
}

const attributesSQL = `
SELECT n.nspname, c.relname, a.attnum::int, a.attname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE c.oid = $1::bigint::oid AND a.attnum > 0 AND NOT a.attisdropped`

// Columns implements server.Server.
func (Server) Columns(ctx context.Context, db *sql.DB, relation uint32) (schema, name string, columns map[int]string, err error) {
	columns = map[int]string{}
	err = scan(ctx, db, attributesSQL, int64(relation), func(rows *sql.Rows) error {
		var number int
		var column string
		err := rows.Scan(&schema, &name, &number, &column)
		columns[number] = column
		return err
	})
	return schema, name, columns, err
}
