// Command secretsmanager connects with a password from AWS Secrets Manager that
// may be rotated at any time: the connector asks for the secret once, and again
// when the server denies the password. sealsql wraps it.
//
//	go run ./secretsmanager
//
// Secrets Manager is played by a server in this process, which the real SDK client
// is pointed to by AWS_ENDPOINT_URL_SECRETS_MANAGER.
package main

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/go-sql-driver/mysql"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

func main() { demo.Main("mysql", example) }

// login is what RDS stores in a secret.
type login struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// connector is a driver.Connector with the login of a secret.
type connector struct {
	dsn, secret string
	client      *secretsmanager.Client

	mu     sync.Mutex
	known  login
	loaded int
}

var _ sqldriver.Connector = (*connector)(nil)

// accessDenied is ER_ACCESS_DENIED_ERROR.
const accessDenied = 1045

// Connect implements driver.Connector.
func (c *connector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	l, generation, err := c.login(ctx, 0)
	if err != nil {
		return nil, err
	}
	conn, err := c.connect(ctx, l)
	if me, ok := errors.AsType[*mysql.MySQLError](err); !ok || me.Number != accessDenied {
		return conn, err
	}
	if l, _, err = c.login(ctx, generation); err != nil { // it was rotated
		return nil, err
	}
	return c.connect(ctx, l)
}

// Driver implements driver.Connector. sealsql recognises the dialect by it.
func (c *connector) Driver() sqldriver.Driver { return &mysql.MySQLDriver{} }

func (c *connector) connect(ctx context.Context, l login) (sqldriver.Conn, error) {
	cfg, err := mysql.ParseDSN(c.dsn)
	if err != nil {
		return nil, err
	}
	cfg.User, cfg.Passwd = l.Username, l.Password
	base, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return base.Connect(ctx)
}

// login returns the secret, newer than the generation that did not work.
func (c *connector) login(ctx context.Context, stale int) (login, int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loaded > stale {
		return c.known, c.loaded, nil
	}
	out, err := c.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(c.secret)})
	if err != nil {
		return login{}, 0, fmt.Errorf("the secret %s cannot be read: %w", c.secret, err)
	}
	if err := json.Unmarshal([]byte(aws.ToString(out.SecretString)), &c.known); err != nil {
		return login{}, 0, fmt.Errorf("the secret %s is not a login in JSON", c.secret)
	}
	c.loaded++
	return c.known, c.loaded, nil
}

func example(ctx context.Context, env *demo.Env) error {
	store := &secrets{}
	server := httptest.NewServer(store)
	defer server.Close()
	if err := os.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.URL); err != nil {
		return err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	if err := rotate(ctx, env, store, "first password"); err != nil {
		return err
	}
	base := &connector{dsn: env.BareDSN, secret: "shop/database", client: secretsmanager.NewFromConfig(cfg)}
	wrapped, err := driver.NewConnector(base, driver.WithPolicyFile(env.PolicyPath))
	if err != nil {
		return err
	}
	db := sql.OpenDB(wrapped)
	defer func() { _ = db.Close() }() // the example is over
	db.SetMaxIdleConns(0)             // every statement connects anew
	for i, password := range []string{"", "second password", "third password"} {
		if password != "" {
			if err := rotate(ctx, env, store, password); err != nil {
				return err
			}
		}
		if _, err := db.ExecContext(ctx, "INSERT INTO customers (id, name, ssn) VALUES (?, ?, ?)", i+1, "Ada", demo.SSNs[i]); err != nil {
			return err
		}
		var ssn string
		if err := db.QueryRowContext(ctx, "SELECT ssn FROM customers WHERE id = ?", i+1).Scan(&ssn); err != nil || ssn != demo.SSNs[i] {
			return errors.Join(errors.New("what was read is not what was written"), err)
		}
	}
	if store.asked != 3 {
		return fmt.Errorf("the secret was asked for %d times, want once for each password", store.asked)
	}
	env.Say("three passwords, the secret was read %d times", store.asked)
	return nil
}

// rotate sets a new password in the database and in the secret.
func rotate(ctx context.Context, env *demo.Env, store *secrets, password string) error {
	for _, text := range []string{"CREATE OR REPLACE USER app@'%' IDENTIFIED BY '" + password + "'", "GRANT ALL ON *.* TO app@'%'"} {
		if _, err := env.Bare.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	store.set(login{"app", password})
	return nil
}

// secrets plays Secrets Manager: GetSecretValue of one secret, over JSON 1.1.
type secrets struct {
	mu    sync.Mutex
	value login
	asked int
}

func (s *secrets) set(l login) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value = l
}

func (s *secrets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" {
		http.Error(w, "{}", http.StatusBadRequest)
		return
	}
	s.asked++
	secret, _ := json.Marshal(s.value) // two strings
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(map[string]string{"Name": "shop/database", "SecretString": string(secret)}) // the client sees a cut
}
