// Command libpq uses lib/pq beneath sealsql, in the place of pgx. sealsql does not
// recognise its driver, so that the dialect is named.
//
//	go run ./libpq
package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/lib/pq"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

func main() { demo.Main("postgres", example) }

func example(ctx context.Context, env *demo.Env) error {
	base, err := pq.NewConnector(env.BareDSN)
	if err != nil {
		return err
	}
	sealed, err := driver.NewConnector(base, driver.WithDialect(postgres.Dialect), driver.WithPolicyFile(env.PolicyPath))
	if err != nil {
		return err
	}
	db := sql.OpenDB(sealed)
	defer func() { _ = db.Close() }() // the example is over

	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit this does nothing
	if _, err := tx.ExecContext(ctx, "INSERT INTO customers (name, ssn, income) VALUES ($1, $2, $3), ($4, $5, NULL)", "Ada", demo.SSNs[0], 52000, "Ben", demo.SSNs[1]); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE customers SET ssn = $1 WHERE name = ANY($2)", demo.SSNs[2], pq.Array([]string{"Ben"})); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	var id int64
	var ssn string
	if err := db.QueryRowContext(ctx, "SELECT id, ssn FROM customers WHERE name = $1", "Ben").Scan(&id, &ssn); err != nil {
		return err
	}
	if ssn != demo.SSNs[2] {
		return errors.New("what was read is not what was written")
	}
	env.Say("customer %d was inserted, updated and read", id)
	return nil
}
