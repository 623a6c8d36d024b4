// Package postgres registers the database/sql driver "sealsql-pgx", which wraps
// pgx/v5/stdlib and encrypts the columns that a policy names.
//
//	import _ "github.com/sealsql/sealsql/driver/postgres"
//
//	db, err := sql.Open("sealsql-pgx", "postgres://app@db/shop?sealsql_policy=policy.yaml")
//
// The DSN is pgx's, as a URL or as keywords and values; sealsql_policy is taken
// out of it. Without it the environment's SEALSQL_POLICY names the policy's file. A
// connector of one's own (IAM tokens, a pgxpool) is wrapped with [driver.NewConnector].
package postgres

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	_ "github.com/sealsql/sealsql/alert/cloudwatch" // alerts: [cloudwatch]
	_ "github.com/sealsql/sealsql/alert/otel"       // alerts: [otel]
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/server"
	serverpostgres "github.com/sealsql/sealsql/internal/server/postgres"
)

// DriverName is the name registered with database/sql.
const DriverName = "sealsql-pgx"

// Dialect is Postgres's, for [driver.WithDialect].
const Dialect driver.Dialect = "postgres"

// BranchKeySQL is how the server spells the statements of a branch key store, for
// [branchkey.NewSQLStore]. Its DDL makes the table.
func BranchKeySQL() branchkey.SQL { return serverpostgres.Server{}.BranchKeySQL() }

func init() {
	server.Register(serverpostgres.Server{})
	driver.Register(DriverName, &driver.Opener{Dialect: Dialect, Base: openBase, Split: splitDSN})
}

func openBase(dsn string) (sqldriver.Connector, error) {
	c, err := stdlib.GetDefaultDriver().(sqldriver.DriverContext).OpenConnector(dsn)
	if err != nil {
		return nil, withoutDSN(err)
	}
	return discreet{c}, nil
}

// discreet is pgx's connector, whose error about a DSN that it cannot read holds
// the DSN, password and all, and quotes it as well as it can be redacted.
type discreet struct{ sqldriver.Connector }

func (d discreet) Connect(ctx context.Context) (sqldriver.Conn, error) {
	c, err := d.Connector.Connect(ctx)
	if err != nil {
		return nil, withoutDSN(err)
	}
	return c, nil
}

// withoutDSN keeps of an error about a DSN what pgx was about to do, and nothing
// that may come from the DSN.
func withoutDSN(err error) error {
	e, ok := errors.AsType[*pgconn.ParseConfigError](err)
	if !ok {
		return err
	}
	what := strings.TrimSuffix(e.Error(), fmt.Sprintf(" (%v)", e.Unwrap()))
	what = what[strings.LastIndex(what, "`: ")+1:]
	return fmt.Errorf("sealsql: pgx cannot read the DSN%s; its message is left out, since it may hold the password", what)
}

// ownParams is how the names of sealsql's own parameters begin.
const ownParams = "sealsql_"

// splitDSN takes sealsql_policy out of a DSN in either of pgx's two forms.
// Errors do not quote the DSN.
func splitDSN(dsn string) (string, map[string]string, error) {
	if !strings.Contains(dsn, ownParams) {
		return dsn, nil, nil
	}
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		return splitURL(dsn)
	}
	return splitKeywords(dsn)
}

// splitURL edits the query string only, so that the rest stays as written.
func splitURL(dsn string) (string, map[string]string, error) {
	base, query, _ := strings.Cut(dsn, "?")
	query, fragment, hasFragment := strings.Cut(query, "#")
	params := map[string]string{}
	var keep []string
	for part := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(part, "=")
		if !strings.HasPrefix(key, ownParams) {
			keep = append(keep, part)
			continue
		}
		value, err := url.QueryUnescape(value)
		if err != nil || value == "" {
			return "", nil, fmt.Errorf("sealsql: %s in the DSN is empty or not percent-encoded; write it as in sealsql_policy=policy.yaml", key)
		}
		params[key] = value
	}
	if len(keep) > 0 {
		base += "?" + strings.Join(keep, "&")
	}
	if hasFragment {
		base += "#" + fragment
	}
	return base, params, nil
}

// splitKeywords reads libpq's keyword = value form: values may be quoted with
// ' and hold \' and \\.
func splitKeywords(dsn string) (string, map[string]string, error) {
	params := map[string]string{}
	var out strings.Builder
	for i := 0; i < len(dsn); {
		start := i
		for i < len(dsn) && isSpace(dsn[i]) {
			i++
		}
		keyAt := i
		for i < len(dsn) && dsn[i] != '=' {
			i++
		}
		key := strings.TrimSpace(dsn[keyAt:i])
		if i == len(dsn) {
			out.WriteString(dsn[start:])
			break
		}
		value, end, ok := keywordValue(dsn, i+1)
		if !ok {
			return "", nil, errors.New("sealsql: a quoted value in the DSN has no closing quote")
		}
		if i = end; !strings.HasPrefix(key, ownParams) {
			out.WriteString(dsn[start:i])
			continue
		}
		if value == "" {
			return "", nil, fmt.Errorf("sealsql: %s in the DSN is empty; give it a value or leave it out", key)
		}
		params[key] = value
	}
	return strings.TrimSpace(out.String()), params, nil
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f'
}

func keywordValue(dsn string, i int) (value string, end int, ok bool) {
	for i < len(dsn) && isSpace(dsn[i]) {
		i++
	}
	quoted := i < len(dsn) && dsn[i] == '\''
	if quoted {
		i++
	}
	var b strings.Builder
	for ; i < len(dsn); i++ {
		c := dsn[i]
		switch {
		case c == '\\' && i+1 < len(dsn):
			i++
			b.WriteByte(dsn[i])
		case quoted && c == '\'':
			return b.String(), i + 1, true
		case !quoted && isSpace(c):
			return b.String(), i, true
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), i, !quoted
}
