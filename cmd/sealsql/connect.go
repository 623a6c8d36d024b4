package main

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/mysql"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/policy"
)

// loadPolicy reads the policy's file.
func (a *app) loadPolicy() (*policy.Policy, error) {
	if a.policyPath == "" {
		return nil, usagef("there is no policy; pass --policy FILE or set SEALSQL_POLICY")
	}
	return policy.Load(a.policyPath)
}

// defaultDialect is that of explain, which needs no server.
const defaultDialect = string(postgres.Dialect)

// dialectOf recognises the driver that a DSN is for.
func dialectOf(dsn, given string) (string, error) {
	switch given {
	case string(postgres.Dialect), string(mysql.Dialect):
		return given, nil
	case "":
	default:
		return "", usagef("--dialect %s is not known; write postgres or mysql", given)
	}
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		return "postgres", nil
	}
	if _, err := mysqldriver.ParseDSN(dsn); err == nil && strings.Contains(dsn, "/") && !strings.Contains(dsn, "host=") {
		return "mysql", nil
	}
	if _, err := pgx.ParseConfig(dsn); err == nil {
		return "postgres", nil
	}
	return "", usagef("the DSN is neither pgx's nor go-sql-driver's; write postgres://user@host/db or user@tcp(host)/db, or name --dialect")
}

// connect opens the database bare, without sealsql. Errors do not quote the DSN.
func (a *app) connect(ctx context.Context, dsn string) (*sql.DB, string, error) {
	if dsn == "" {
		return nil, "", usagef("there is no database; pass --dsn or set SEALSQL_DSN")
	}
	name, err := dialectOf(dsn, a.dialect)
	if err != nil {
		return nil, "", err
	}
	var db *sql.DB
	if name == "postgres" {
		c, err := pgx.ParseConfig(dsn)
		if err != nil {
			return nil, "", usagef("the DSN cannot be read as pgx's form of it")
		}
		db = stdlib.OpenDB(*c)
	} else {
		c, err := mysqldriver.ParseDSN(dsn)
		if err != nil {
			return nil, "", usagef("the DSN cannot be read as go-sql-driver's form of it")
		}
		connector, err := mysqldriver.NewConnector(c)
		if err != nil {
			return nil, "", usagef("the DSN cannot be used")
		}
		db = sql.OpenDB(connector)
	}
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(4)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close() // err says what matters
		return nil, "", errors.New("the database cannot be reached: " + safe(err, dsn))
	}
	return db, name, nil
}

// safe is an error's text without the DSN and its password.
func safe(err error, dsn string) string {
	text := strings.ReplaceAll(err.Error(), dsn, "[DSN]")
	for _, secret := range secrets(dsn) {
		text = strings.ReplaceAll(text, secret, "[password]")
	}
	return text
}

func secrets(dsn string) (out []string) {
	if c, err := pgx.ParseConfig(dsn); err == nil && c.Password != "" {
		out = append(out, c.Password)
	}
	if c, err := mysqldriver.ParseDSN(dsn); err == nil && c.Passwd != "" {
		out = append(out, c.Passwd)
	}
	return out
}

// awsOptions is the SDK's standard configuration with as many idle connections
// to KMS as there are calls at a time: the default of ten would make new ones all the time.
func awsOptions(ctx context.Context, concurrency int) ([]driver.Option, error) {
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, 2*concurrency
	})
	cfg, err := awsConfig(ctx, config.WithHTTPClient(client))
	if err != nil {
		return nil, err
	}
	return []driver.Option{driver.WithAWSConfig(cfg)}, nil
}

// awsConfig is the SDK's standard configuration. What it says of a file that it
// cannot read is left out, since that may quote it.
func awsConfig(ctx context.Context, opts ...func(*config.LoadOptions) error) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return cfg, errors.New("the AWS configuration cannot be read; check AWS_PROFILE, AWS_CA_BUNDLE and the shared files")
	}
	return cfg, nil
}

// place is a protected column.
type place struct{ table, column string }

// columns lists the protected columns that --table and --column mean.
func columns(p *policy.Policy, table, column string) ([]place, error) {
	var out []place
	for _, t := range p.Tables() {
		name := t.FullName()
		for _, c := range t.Columns {
			if (table == "" || table == name) && (column == "" || column == c.Name) {
				out = append(out, place{name, c.Name})
			}
		}
	}
	if len(out) == 0 {
		return nil, usagef("the policy protects no column %s; name table and column as the policy does", strings.Trim(table+"."+column, "."))
	}
	return out, nil
}

// both reads the policy and opens the database.
func (a *app) both(ctx context.Context) (*policy.Policy, *sql.DB, string, error) {
	p, err := a.loadPolicy()
	if err != nil {
		return nil, nil, "", err
	}
	db, name, err := a.connect(ctx, a.dsn)
	if err != nil {
		return nil, nil, "", err
	}
	return p, db, name, nil
}
