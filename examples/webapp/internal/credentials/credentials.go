// Package credentials opens database connections with a password from AWS
// Secrets Manager or with a token of IAM database authentication.
//
// A secret is read once and again when the server denies the password, so that
// a rotation goes unnoticed. A token is made for each new connection. Neither
// is ever logged or part of an error.
package credentials

import (
	"context"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// Login is what RDS keeps in a secret.
type Login struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// Source finds a login.
type Source interface {
	// Login returns the login for a connection to an address, host:port, of the
	// user that the DSN names. generation grows whenever the login changes. A
	// login that is not newer than stale was denied by the server.
	Login(ctx context.Context, address, user string, stale int) (l Login, generation int, err error)
}

// DSN is a Source that leaves user and password as the DSN has them.
type DSN struct{}

// Login implements Source.
func (DSN) Login(context.Context, string, string, int) (Login, int, error) { return Login{}, 0, nil }

// Secret is a Source over a secret of AWS Secrets Manager. It is safe for
// concurrent use.
type Secret struct {
	// ID is the secret's name or ARN.
	ID     string
	Client *secretsmanager.Client

	mu         sync.Mutex
	known      Login
	generation int
}

// Login implements Source.
func (s *Secret) Login(ctx context.Context, _, _ string, stale int) (Login, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.generation > stale {
		return s.known, s.generation, nil
	}
	text, err := Read(ctx, s.Client, s.ID)
	if err != nil {
		return Login{}, 0, err
	}
	var l Login
	if err := json.Unmarshal([]byte(text), &l); err != nil || l.Username == "" {
		return Login{}, 0, fmt.Errorf("secret %s is not a login; store {\"username\": …, \"password\": …}", s.ID)
	}
	s.known = l
	s.generation++
	return l, s.generation, nil
}

// Read returns a secret's text.
func Read(ctx context.Context, c *secretsmanager.Client, id string) (string, error) {
	out, err := c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(id)})
	if err != nil {
		return "", fmt.Errorf("secret %s cannot be read; check its name and secretsmanager:GetSecretValue: %w", id, err)
	}
	return aws.ToString(out.SecretString), nil
}

// Token is a Source of RDS IAM tokens. They are computed without a call.
type Token struct{ AWS aws.Config }

// Login implements Source.
func (t Token) Login(ctx context.Context, address, user string, _ int) (Login, int, error) {
	token, err := auth.BuildAuthToken(ctx, address, t.AWS.Region, user, t.AWS.Credentials)
	return Login{Username: user, Password: token}, 0, err
}

// Connector returns a base connector for sealsql. engine is "postgres" or
// "mysql". Its Driver is the base driver's, by which sealsql knows the dialect.
func Connector(engine, dsn string, source Source) (sqldriver.Connector, error) {
	switch engine {
	case "postgres":
		cfg, err := pgx.ParseConfig(dsn)
		if err != nil {
			return nil, errors.New("the DSN is not one of Postgres; write postgres://user@host/database")
		}
		return &connector{source: source, address: fmt.Sprintf("%s:%d", cfg.Host, cfg.Port), user: cfg.User, driver: stdlib.GetDefaultDriver(),
			open: func(ctx context.Context, l Login) (sqldriver.Conn, error) {
				c := cfg.Copy()
				if l.Username != "" {
					c.User, c.Password = l.Username, l.Password
				}
				return stdlib.GetConnector(*c).Connect(ctx)
			}}, nil
	case "mysql":
		cfg, err := mysql.ParseDSN(dsn)
		if err != nil {
			return nil, errors.New("the DSN is not one of MySQL; write user@tcp(host:3306)/database")
		}
		_, iam := source.(Token)
		return &connector{source: source, address: cfg.Addr, user: cfg.User, driver: &mysql.MySQLDriver{},
			open: func(ctx context.Context, l Login) (sqldriver.Conn, error) {
				c := cfg.Clone()
				if l.Username != "" {
					c.User, c.Passwd, c.AllowCleartextPasswords = l.Username, l.Password, iam
				}
				base, err := mysql.NewConnector(c)
				if err != nil {
					return nil, err
				}
				return base.Connect(ctx)
			}}, nil
	}
	return nil, fmt.Errorf("engine %q is not known; use postgres or mysql", engine)
}

type connector struct {
	source        Source
	address, user string
	driver        sqldriver.Driver
	open          func(context.Context, Login) (sqldriver.Conn, error)
}

var _ sqldriver.Connector = (*connector)(nil)

// Connect implements [sqldriver.Connector].
func (c *connector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	l, generation, err := c.source.Login(ctx, c.address, c.user, 0)
	if err != nil {
		return nil, err
	}
	conn, err := c.open(ctx, l)
	if generation == 0 || !Denied(err) {
		return conn, err
	}
	if l, _, err = c.source.Login(ctx, c.address, c.user, generation); err != nil {
		return nil, err
	}
	return c.open(ctx, l)
}

// Driver implements [sqldriver.Connector].
func (c *connector) Driver() sqldriver.Driver { return c.driver }

// Denied reports whether the server did not accept the password.
func Denied(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == "28P01" // invalid_password
	}
	my, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && my.Number == 1045 // ER_ACCESS_DENIED_ERROR
}
