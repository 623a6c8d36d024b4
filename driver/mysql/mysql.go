// Package mysql registers the database/sql driver "sealsql-mysql", which wraps
// go-sql-driver/mysql and encrypts the columns that a policy names.
//
//	import _ "github.com/sealsql/sealsql/driver/mysql"
//
//	db, err := sql.Open("sealsql-mysql", "app@tcp(db:3306)/shop?sealsql_policy=policy.yaml")
//
// The DSN is go-sql-driver's; sealsql_policy is taken out of it. Without it the
// environment's SEALSQL_POLICY names the policy's file. A connector of one's own (IAM
// tokens) is wrapped with [driver.NewConnector].
package mysql

import (
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"

	_ "github.com/sealsql/sealsql/alert/cloudwatch" // alerts: [cloudwatch]
	_ "github.com/sealsql/sealsql/alert/otel"       // alerts: [otel]
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/server"
	servermysql "github.com/sealsql/sealsql/internal/server/mysql"
)

// DriverName is the name registered with database/sql.
const DriverName = "sealsql-mysql"

// Dialect is MySQL's and MariaDB's, for [driver.WithDialect].
const Dialect driver.Dialect = "mysql"

// BranchKeySQL is how the server spells the statements of a branch key store, for
// [branchkey.NewSQLStore]. Its DDL makes the table.
func BranchKeySQL() branchkey.SQL { return servermysql.Server{}.BranchKeySQL() }

func init() {
	server.Register(servermysql.Server{})
	driver.Register(DriverName, &driver.Opener{Dialect: Dialect, Base: openBase, Split: splitDSN})
}

func openBase(dsn string) (sqldriver.Connector, error) {
	cfg, err := mysql.ParseDSN(dsn)
	switch {
	case err == nil && strings.Contains(cfg.Net, ":"), err != nil && strings.HasPrefix(err.Error(), "default addr for network"):
		// Without @ or / in their places user and password are read as the name
		// of a network, which go-sql-driver quotes.
		return nil, errors.New("sealsql: the DSN names a network that go-sql-driver does not know; write it as user:password@tcp(host:port)/database")
	case err != nil:
		return nil, err
	}
	return mysql.MySQLDriver{}.OpenConnector(dsn)
}

// ownParams is how the names of sealsql's own parameters begin.
const ownParams = "sealsql_"

// splitDSN takes sealsql's own parameters out of the DSN. Their values may hold slashes as
// they are, which go-sql-driver's may not. Errors do not quote the DSN.
func splitDSN(dsn string) (string, map[string]string, error) {
	params := map[string]string{}
	for from := 0; ; {
		at, end := ownParam(dsn, from)
		if at < 0 {
			return dsn, params, nil
		}
		key, value, _ := strings.Cut(dsn[at+1:end], "=")
		value, err := url.QueryUnescape(value)
		if err != nil || value == "" {
			return "", nil, fmt.Errorf("sealsql: %s in the DSN is empty or not percent-encoded; write a percent sign as %%25", key)
		}
		params[key] = value
		rest := dsn[end:]
		if dsn[at] == '?' && rest != "" {
			rest = "?" + rest[1:]
		}
		dsn, from = dsn[:at]+rest, at
	}
}

// ownParam finds the next of sealsql's own parameters, with the mark before it, or -1.
// Parameters come after a slash and a question mark; what looks like one before them is
// part of a password.
func ownParam(dsn string, from int) (at, end int) {
	for i := from; i < len(dsn); i++ {
		if dsn[i] != '?' && dsn[i] != '&' || !strings.HasPrefix(dsn[i+1:], ownParams) {
			continue
		}
		slash := strings.LastIndexByte(dsn[:i], '/')
		if slash < 0 || dsn[i] == '&' && !strings.Contains(dsn[slash:i], "?") {
			continue
		}
		if n := strings.IndexByte(dsn[i+1:], '&'); n >= 0 {
			return i, i + 1 + n
		}
		return i, len(dsn)
	}
	return -1, 0
}
