package sealpgx

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sealsql/sealsql/internal/exec"
	serverpostgres "github.com/sealsql/sealsql/internal/server/postgres"
)

// link is a connection as the rules of the server see it, who know drivers of
// database/sql: they find pgx's connection by the method Conn, and ask the catalog and
// the session through queries.
type link conn

var (
	_ sqldriver.Conn              = (*link)(nil)
	_ sqldriver.QueryerContext    = (*link)(nil)
	_ sqldriver.NamedValueChecker = (*link)(nil)
)

var errNoStatement = errors.New("sealpgx: a connection on loan answers queries only")

// Conn returns pgx's connection.
func (l *link) Conn() *pgx.Conn { return l.base }

// Prepare implements driver.Conn.
func (l *link) Prepare(string) (sqldriver.Stmt, error) { return nil, errNoStatement }

// Begin implements driver.Conn.
func (l *link) Begin() (sqldriver.Tx, error) { return nil, errNoStatement }

// Close implements driver.Conn.
func (l *link) Close() error { return l.base.Close(context.Background()) }

// CheckNamedValue implements driver.NamedValueChecker: pgx takes any value.
func (l *link) CheckNamedValue(*sqldriver.NamedValue) error { return nil }

// askedFormats are the formats in which sealsql's own queries ask for values.
var askedFormats = pgx.QueryResultFormatsByOID{pgtype.ByteaOID: pgx.BinaryFormatCode}

// askedMode is the mode of sealsql's own queries: a connection's own unless it takes a
// cache that the connection does not have, when each of the user's calls names another.
func askedMode(config *pgx.ConnConfig) pgx.QueryExecMode {
	switch mode := config.DefaultQueryExecMode; {
	case config.RuntimeParams["replication"] != "":
		return pgx.QueryExecModeSimpleProtocol
	case mode == pgx.QueryExecModeCacheStatement && config.StatementCacheCapacity <= 0, mode == pgx.QueryExecModeCacheDescribe && config.DescriptionCacheCapacity <= 0:
		return pgx.QueryExecModeDescribeExec
	default:
		return mode
	}
}

// QueryContext implements driver.QueryerContext.
func (l *link) QueryContext(ctx context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	return (*conn)(l).send(ctx, text, append([]any{askedMode(l.base.Config()), askedFormats}, plain(args)...))
}

// routed is a connection as routes use it: for texts of sealsql's own, past the analysis.
type routed conn

var _ exec.Base = (*routed)(nil)

// Exec implements exec.Base.
func (r *routed) Exec(ctx context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	tag, err := r.base.Exec(ctx, text, plain(args)...)
	return result{tag}, err
}

// Query implements exec.Base. The rows keep their raw values, which may be handed out.
func (r *routed) Query(ctx context.Context, text string, args []sqldriver.NamedValue, read func(sqldriver.Rows) error) error {
	rows, err := (*conn)(r).send(ctx, text, plain(args))
	if err != nil {
		return err
	}
	rows.keeps, rows.fields = true, slices.Clone(rows.fields) // pgx writes the next result's over them
	err = read(rows)
	if closed := rows.Close(); err == nil {
		err = closed
	}
	return err
}

// Begin implements exec.Base.
func (r *routed) Begin(ctx context.Context) (sqldriver.Tx, error) {
	return r.session.Begin(ctx, serverpostgres.Server{}, (*link)(r), r, func(ctx context.Context) (sqldriver.Tx, error) {
		tx, err := r.base.Begin(ctx)
		return ownTx{ctx, tx}, err
	})
}

// Waits implements exec.Base.
func (r *routed) Waits() bool { return r.session.Waits() }

// InTx implements exec.Base.
func (r *routed) InTx(ctx context.Context) (bool, error) {
	return r.session.InTx(ctx, serverpostgres.Server{}, (*link)(r))
}

// ownTx is a transaction of sealsql's own.
type ownTx struct {
	ctx context.Context
	tx  pgx.Tx
}

// Commit implements driver.Tx.
func (t ownTx) Commit() error { return t.tx.Commit(t.ctx) }

// Rollback implements driver.Tx.
func (t ownTx) Rollback() error { return t.tx.Rollback(t.ctx) }

// result is what pgx reports of a statement.
type result struct{ tag pgconn.CommandTag }

// LastInsertId implements driver.Result.
func (result) LastInsertId() (int64, error) {
	return 0, errors.New("sealpgx: the server reports no LastInsertId; use RETURNING")
}

// RowsAffected implements driver.Result.
func (r result) RowsAffected() (int64, error) { return r.tag.RowsAffected(), nil }

// tagOf returns what pgx reported.
func tagOf(res sqldriver.Result) pgconn.CommandTag {
	if r, ok := res.(result); ok {
		return r.tag
	}
	return pgconn.CommandTag{}
}

// numbered are the user's arguments as plans count them.
func numbered(args []any) []sqldriver.NamedValue {
	out := make([]sqldriver.NamedValue, len(args))
	for i, v := range args {
		out[i] = sqldriver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return out
}

// plain are arguments as pgx takes them.
func plain(args []sqldriver.NamedValue) []any {
	out := make([]any, len(args))
	for i, nv := range args {
		out[i] = nv.Value
	}
	return out
}
