package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/mysql"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

const table = "sealsql_quickstart"

// policyText protects the SSN of the example's table. The ARN is filled in from the environment.
const policyText = `
version: 1
keyrings:
  customer-pii:
    kms:
      keys: ["${QUICKSTART_KEY}"]
tables:
  sealsql_quickstart:
    row_key: [account_number]
    columns:
      ssn:
        keyring: customer-pii
        type: string
        context: {account_number: account_number}
`

type options struct {
	driver, dsn, policy string
	fakeKMS             bool
}

// environment is what the steps work on: one database, opened through sealsql
// and through the bare driver.
type environment struct {
	sealed, bare *sql.DB
	alerts       chan alert.Event
	postgres     bool
	closers      []func()
}

func (e *environment) close() {
	for i := len(e.closers) - 1; i >= 0; i-- {
		e.closers[i]()
	}
}

func (e *environment) onClose(f func()) { e.closers = append(e.closers, f) }

// sql writes ? placeholders as the server wants them.
func (e *environment) sql(text string) string {
	if !e.postgres {
		return text
	}
	for n := 1; strings.Contains(text, "?"); n++ {
		text = strings.Replace(text, "?", fmt.Sprintf("$%d", n), 1)
	}
	return text
}

func setUp(ctx context.Context, o options) (_ *environment, err error) {
	env := &environment{alerts: make(chan alert.Event, 16)}
	defer func() {
		if err != nil {
			env.close()
		}
	}()
	opts := []driver.Option{driver.WithAlertFunc(func(e alert.Event) {
		select {
		case env.alerts <- e:
		default: // the example looks at the first ones only
		}
	})}
	if o.dsn == "" || o.fakeKMS {
		cfg, err := env.startKMS()
		if err != nil {
			return nil, err
		}
		opts = append(opts, driver.WithAWSConfig(cfg))
	}
	p, err := env.loadPolicy(o)
	if err != nil {
		return nil, err
	}
	opts = append(opts, driver.WithPolicy(p))
	if o.dsn == "" {
		if o.dsn, err = env.startServer(); err != nil {
			return nil, err
		}
		o.driver = mysql.DriverName
	}
	if err := env.open(o, opts); err != nil {
		return nil, err
	}
	return env, env.createTable(ctx)
}

// startKMS starts the fake KMS and makes a multi-Region key in it.
func (e *environment) startKMS() (cfg aws.Config, err error) {
	kms := sealtest.NewKMS()
	e.onClose(kms.Close)
	arns := kms.CreateMultiRegionKey("us-east-1", "eu-west-1")
	fmt.Println("Fake KMS with the multi-Region key", arns[0])
	return kms.AWSConfig("us-east-1"), os.Setenv("QUICKSTART_KEY", arns[0])
}

func (e *environment) loadPolicy(o options) (*policy.Policy, error) {
	switch {
	case o.policy != "":
		return policy.Load(o.policy)
	case o.dsn != "":
		return nil, errors.New("-dsn needs -policy, the file that says which KMS keys to use")
	}
	return policy.Parse("quickstart", []byte(policyText))
}

// open opens the database twice: through sealsql, and bare to look at what
// is really stored.
func (e *environment) open(o options, opts []driver.Option) error {
	if o.driver == "" {
		o.driver = mysql.DriverName
		if strings.HasPrefix(o.dsn, "postgres") || strings.Contains(o.dsn, "host=") {
			o.driver = postgres.DriverName
		}
	}
	bareName := "mysql"
	if e.postgres = o.driver == postgres.DriverName; e.postgres {
		bareName = "pgx"
	}
	var err error
	if e.bare, err = sql.Open(bareName, o.dsn); err != nil {
		return err
	}
	e.onClose(func() { _ = e.bare.Close() })
	// With nothing but a policy this is sql.Open("sealsql-mysql", dsn). Options
	// in code, such as an alert function, go through a connector.
	base, err := baseConnector(e.bare, o.dsn)
	if err != nil {
		return err
	}
	connector, err := driver.NewConnector(base, opts...)
	if err != nil {
		return err
	}
	e.sealed = sql.OpenDB(connector)
	e.onClose(func() { _ = e.sealed.Close() })
	return nil
}

func (e *environment) createTable(ctx context.Context) error {
	blob := "BLOB"
	if e.postgres {
		blob = "BYTEA"
	}
	if _, err := e.bare.ExecContext(ctx, "CREATE TABLE "+table+" (account_number VARCHAR(20) PRIMARY KEY, name VARCHAR(100), ssn "+blob+")"); err != nil {
		return fmt.Errorf("creating the example's table: %w", err)
	}
	e.onClose(func() { _, _ = e.bare.Exec("DROP TABLE " + table) })
	return nil
}
