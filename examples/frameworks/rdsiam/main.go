// Command rdsiam connects with RDS IAM tokens in place of a password: a token
// is made for each new connection, from the credentials of the AWS configuration, by
// the base driver's own hook. sealsql wraps the connector and never sees it.
//
//	go run ./rdsiam
//
// The servers of the example know nothing of IAM. MariaDB is told to take the
// token of the moment as the account's password, so that a connection without it
// fails; Postgres trusts everyone here.
package main

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

func main() { demo.Main("postgres mysql", example) }

// tokens makes RDS IAM tokens: signed requests, computed locally.
type tokens struct {
	made atomic.Int64
	// issued is told of each token; it stands for RDS's knowledge of IAM.
	issued func(ctx context.Context, user, token string) error
}

func (t *tokens) token(ctx context.Context, endpoint, user string) (string, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return "", err
	}
	token, err := auth.BuildAuthToken(ctx, endpoint, cfg.Region, user, cfg.Credentials)
	if err != nil {
		return "", err
	}
	t.made.Add(1)
	return token, t.issued(ctx, user, token)
}

// postgresConnector sets a token before each connection.
func (t *tokens) postgresConnector(dsn, user string) (sqldriver.Connector, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	cfg.User = user
	return stdlib.GetConnector(*cfg, stdlib.OptionBeforeConnect(func(ctx context.Context, c *pgx.ConnConfig) (err error) {
		c.Password, err = t.token(ctx, fmt.Sprintf("%s:%d", c.Host, c.Port), user)
		return err
	})), nil
}

// mysqlConnector does the same. On RDS it also needs AllowCleartextPasswords
// and TLS, since the server takes the token through that plugin.
func (t *tokens) mysqlConnector(dsn, user string) (sqldriver.Connector, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	cfg.User = user
	err = cfg.Apply(mysql.BeforeConnect(func(ctx context.Context, c *mysql.Config) (err error) {
		c.Passwd, err = t.token(ctx, c.Addr, user)
		return err
	}))
	if err != nil {
		return nil, err
	}
	return mysql.NewConnector(cfg)
}

func example(ctx context.Context, env *demo.Env) error {
	t := &tokens{issued: func(_ context.Context, user, token string) error {
		if !strings.Contains(token, "Action=connect") || !strings.Contains(token, "DBUser="+user) {
			return errors.New("the token is not one of RDS")
		}
		return nil
	}}
	connect, err := t.prepare(ctx, env)
	if err != nil {
		return err
	}
	// The policy's path in code: there is no DSN that could hold it.
	connector, err := driver.NewConnector(connect, driver.WithPolicyFile(env.PolicyPath))
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer func() { _ = db.Close() }() // the example is over
	if _, err := db.ExecContext(ctx, env.SQL("INSERT INTO customers (name, ssn) VALUES (?, ?)"), "Ada", demo.SSNs[0]); err != nil {
		return err
	}
	var ssn string
	if err := db.QueryRowContext(ctx, "SELECT ssn FROM customers").Scan(&ssn); err != nil || ssn != demo.SSNs[0] {
		return errors.Join(errors.New("what was read is not what was written"), err)
	}
	if n := t.made.Load(); n < 2 {
		return fmt.Errorf("%d tokens were made, want one for each connection, the catalog's included", n)
	}
	env.Say("connected with %d tokens, the catalog's connection included", t.made.Load())
	return nil
}

// prepare makes an account for the example and the bare driver's connector.
func (t *tokens) prepare(ctx context.Context, env *demo.Env) (sqldriver.Connector, error) {
	if env.Postgres() {
		_, err := env.Bare.ExecContext(ctx, "DO $$ BEGIN CREATE ROLE iam_user SUPERUSER LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
		if err != nil {
			return nil, err
		}
		return t.postgresConnector(env.BareDSN, "iam_user")
	}
	if _, err := env.Bare.ExecContext(ctx, "CREATE OR REPLACE USER iam_user@'%' IDENTIFIED BY 'no one knows'"); err != nil {
		return nil, err
	}
	if _, err := env.Bare.ExecContext(ctx, "GRANT ALL ON *.* TO iam_user@'%'"); err != nil {
		return nil, err
	}
	well := t.issued
	t.issued = func(ctx context.Context, user, token string) error {
		if err := well(ctx, user, token); err != nil {
			return err
		}
		_, err := env.Bare.ExecContext(ctx, "ALTER USER iam_user@'%' IDENTIFIED BY '"+token+"'")
		return err
	}
	return t.mysqlConnector(env.BareDSN, "iam_user")
}
