// Package postgres is all that sealsql knows of Postgres beside its SQL, which
// package sqlplan/postgres reads.
package postgres

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
	planner "github.com/sealsql/sealsql/internal/sqlplan/postgres"
)

// Server is Postgres. It implements [server.Server].
type Server struct{}

var _ server.Server = Server{}

func (Server) Name() string { return "postgres" }

func (Server) Recognises(d sqldriver.Driver) bool {
	_, ok := d.(*stdlib.Driver)
	return ok
}

func (Server) Planner(rules *sqlplan.Rules, catalog sqlplan.Catalog, _ server.Session) server.Planner {
	return planner.New(rules, catalog)
}

// ColumnType follows pgx: columns of text and bytea have no limit, and those of numeric without
// one report what their missing modifier stands for. pgx recommends float64 for numeric, although
// it hands out digits to a string and to any.
func (Server) ColumnType(policyType string) server.ColumnType {
	switch policyType {
	case "string", "bytes":
		return server.ColumnType{Length: math.MaxInt64}
	case "decimal":
		return server.ColumnType{ScanType: reflect.TypeFor[float64](), Precision: 65535, Scale: 65531}
	}
	return server.ColumnType{}
}

// TypeName follows pgx, which reports the upper-case names of Postgres's types.
func (Server) TypeName(policyType string) string {
	switch policyType {
	case "bytes":
		return "BYTEA"
	case "int64":
		return "INT8"
	case server.LengthType:
		return "INT4"
	case "float64":
		return "FLOAT8"
	case "bool":
		return "BOOL"
	case "timestamp":
		return "TIMESTAMPTZ"
	case "date":
		return "DATE"
	case "decimal":
		return "NUMERIC"
	case "uuid":
		return "UUID"
	case "json":
		return "JSON"
	}
	return "TEXT"
}

// Arguments takes out pgx's own options, which come before the parameters, and
// lets a QueryRewriter such as pgx.NamedArgs rewrite the text now, so that what
// is planned is what is sent.
func (Server) Arguments(ctx context.Context, base sqldriver.Conn, text string, args []sqldriver.NamedValue) (server.Arguments, error) {
	n := 0
	for n < len(args) {
		switch v := args[n].Value.(type) {
		case pgx.QueryExecMode, pgx.QueryResultFormats, pgx.QueryResultFormatsByOID:
			n++
			continue
		case pgx.QueryRewriter:
			return rewrite(ctx, base, v, text, args, n)
		}
		break
	}
	return server.Arguments{Text: standsFor(base, text), Options: args[:n:n], Params: args[n:]}, nil
}

// pure reports whether a rewriter of pgx's own leaves the connection alone.
func pure(r pgx.QueryRewriter) bool {
	switch r.(type) {
	case pgx.NamedArgs, pgx.StrictNamedArgs:
		return true
	}
	return false
}

func rewrite(ctx context.Context, base sqldriver.Conn, r pgx.QueryRewriter, text string, args []sqldriver.NamedValue, at int) (server.Arguments, error) {
	rest := make([]any, 0, len(args))
	for _, nv := range args[at+1:] {
		rest = append(rest, nv.Value)
	}
	text, params, err := r.RewriteQuery(ctx, pgxConn(base), text, rest)
	if err != nil {
		return server.Arguments{}, fmt.Errorf("sealsql: the QueryRewriter failed: %w", err)
	}
	a := server.Arguments{Text: standsFor(base, text), Rewritten: true, Ran: !pure(r), Options: args[:at:at], Params: make([]sqldriver.NamedValue, len(params))}
	for i, v := range params {
		a.Params[i] = sqldriver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return a, nil
}

// Literals implements [server.Server]: pgx keeps what it prepared.
func (Server) Literals(sqldriver.Conn, server.Session) func(any, bool) (string, bool) { return nil }

// Bytes spells a literal that reads the same whatever standard_conforming_strings,
// which a function of the server may have changed.
func (Server) BytesLiteral(b []byte) string { return fmt.Sprintf(`E'\\x%x'::bytea`, b) }

func (Server) TextLiteral(s string) string {
	if server.IsBase64(s) {
		return "'" + s + "'"
	}
	return " E'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + "'" // whatever standard_conforming_strings is
}

// ReadLiteral implements [server.Server].
func (Server) ReadLiteral(text string) (b []byte, length int) {
	return server.ReadLiteral(text, `E'\\x`, "'::bytea")
}
