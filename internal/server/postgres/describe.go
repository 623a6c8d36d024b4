package postgres

import (
	"context"
	"crypto/sha256"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/hex"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sealsql/sealsql/internal/server"
)

// Describe returns what Postgres says of the columns that a text returns (RowDescription
// of the frontend/backend protocol, "Message Formats"). It answers only where pgx has the
// description, or is about to ask for it under the name that Describe uses: pgx then
// finds the statement prepared, and no exchange is added.
func (Server) Describe(ctx context.Context, base sqldriver.Conn, text string, from server.Description) ([]server.Origin, bool, error) {
	conn := open(base)
	if conn == nil || from == server.Cached && conn.Config().DefaultQueryExecMode != pgx.QueryExecModeCacheStatement {
		return nil, false, nil
	}
	sd, err := described(ctx, conn, text, from)
	if sd == nil {
		return nil, false, err
	}
	out := make([]server.Origin, len(sd.Fields))
	for i, f := range sd.Fields {
		out[i] = server.Origin{Relation: f.TableOID, Column: int(f.TableAttributeNumber)}
	}
	return out, true, nil
}

// open is the connection of pgx beneath; nil if there is none, or if it is closed.
func open(base sqldriver.Conn) *pgx.Conn {
	if x, ok := server.Unwrap(base).(interface{ Conn() *pgx.Conn }); ok && !x.Conn().IsClosed() {
		return x.Conn()
	}
	return nil
}

// described is a description of a text; nil where pgx keeps none.
func described(ctx context.Context, conn *pgx.Conn, text string, from server.Description) (sd *pgconn.StatementDescription, err error) {
	switch {
	case from == server.Prepared:
		sd, err = conn.Prepare(ctx, text, text) // stdlib prepared it under the text itself
	case from == server.Fresh:
		sd, err = conn.PgConn().Prepare(ctx, "", text, nil)
	case conn.Config().StatementCacheCapacity > 0:
		sd, err = conn.Prepare(ctx, cachedName(text), text)
	}
	if err != nil && pgconn.SafeToRetry(err) {
		return nil, sqldriver.ErrBadConn
	}
	if err != nil {
		return nil, err
	}
	return sd, nil
}

// Parameters implements [server.Server]. It takes an exchange in the modes of pgx in which
// a text is described each time, in pgx's own cache, or by the server alone.
func (Server) Parameters(ctx context.Context, base sqldriver.Conn, text string, from server.Description, options []sqldriver.NamedValue) ([]server.KeyType, bool, error) {
	conn := open(base)
	if conn == nil || conn.PgConn().IsBusy() { // pgx says so when the statement is sent
		return nil, false, nil
	}
	if mode := modeOf(conn, options); from == server.Cached && mode != pgx.QueryExecModeCacheStatement {
		if mode == pgx.QueryExecModeSimpleProtocol {
			return nil, false, nil // arguments are literals
		}
		from = server.Fresh
	}
	sd, err := described(ctx, conn, text, from)
	if sd == nil {
		return nil, false, err
	}
	types := make([]server.KeyType, len(sd.ParamOIDs))
	for i, oid := range sd.ParamOIDs {
		types[i] = keyTypes[oid]
	}
	return types, from != server.Fresh, nil
}

// keyTypes are the types of parameters as those of columns.
var keyTypes = map[uint32]server.KeyType{
	pgtype.TextOID: server.KeyText, pgtype.VarcharOID: server.KeyText, pgtype.NameOID: server.KeyText, pgtype.QCharOID: server.KeyText, pgtype.BPCharOID: server.KeyPaddedText,
	pgtype.Int2OID: server.KeyInteger, pgtype.Int4OID: server.KeyInteger, pgtype.Int8OID: server.KeyInteger, pgtype.OIDOID: server.KeyInteger,
	pgtype.NumericOID: server.KeyNumeric, pgtype.BoolOID: server.KeyBool, pgtype.UUIDOID: server.KeyUUID, pgtype.ByteaOID: server.KeyBytes,
	pgtype.TimestamptzOID: server.KeyTimestampTZ, pgtype.TimestampOID: server.KeyTimestamp, pgtype.DateOID: server.KeyDate,
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
