// Command pop uses gobuffalo/pop over sealsql: its connection details name the driver
// beside the dialect, and sqlx beneath it is told which placeholders that takes.
//
//	go run ./pop
package main

import (
	"context"
	"errors"

	"github.com/gobuffalo/pop/v6"
	"github.com/gobuffalo/pop/v6/logging"
	"github.com/jmoiron/sqlx"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

func init() {
	// pop has sqlx write its named parameters, which looks them up by the driver's name.
	sqlx.BindDriver("sealsql-pgx", sqlx.DOLLAR)
	sqlx.BindDriver("sealsql-mysql", sqlx.QUESTION)
}

func main() { demo.Main("postgres mysql", example) }

// Customer is a row of customers.
type Customer struct {
	ID     int64   `db:"id"`
	Name   string  `db:"name"`
	SSN    *string `db:"ssn"`
	Income *int64  `db:"income"`
}

// TableName names the table.
func (Customer) TableName() string { return "customers" }

func example(ctx context.Context, env *demo.Env) error {
	pop.SetLogger(func(logging.Level, string, ...any) {}) // its log shows arguments
	details := &pop.ConnectionDetails{Dialect: "mysql", Driver: env.Driver, URL: "mysql://" + env.DSN}
	if env.Postgres() {
		details.Dialect, details.URL = "postgres", env.DSN
	}
	c, err := pop.NewConnection(details)
	if err != nil {
		return err
	}
	if err := c.Open(); err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // the example is over
	db := c.WithContext(ctx)

	income := int64(52000)
	ada, ben := &Customer{Name: "Ada", SSN: &demo.SSNs[0], Income: &income}, &Customer{Name: "Ben", SSN: &demo.SSNs[1]}
	if err := errors.Join(db.Create(ada), db.Create(ben)); err != nil {
		return err
	}
	ben.SSN = &demo.SSNs[2]
	if err := db.Update(ben); err != nil {
		return err
	}
	var found Customer
	if err := db.Where("name = ?", "Ben").First(&found); err != nil {
		return err
	}
	if found.SSN == nil || *found.SSN != demo.SSNs[2] || found.ID != ben.ID {
		return errors.New("what was read is not what was written")
	}
	env.Say("customer %d was inserted, updated and read", found.ID)
	return nil
}
