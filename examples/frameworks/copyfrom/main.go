// Command copyfrom loads rows with Postgres's COPY, the fast way around
// database/sql: COPY as a statement is refused for protected columns, so the
// rows are sealed first with driver.Sealer and sent through the bare connection.
//
//	go run ./copyfrom
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

func main() { demo.Main("postgres", example) }

const rows = 500

func example(ctx context.Context, env *demo.Env) error {
	db, err := sql.Open(env.Driver, env.DSN)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // the example is over

	// Values are bound to their rows, so the keys are fetched before.
	first, err := reserve(ctx, db, rows)
	if err != nil {
		return err
	}
	sealer, err := driver.Sealer(db)
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // it goes back to the pool
	var copied int64
	err = conn.Raw(func(c any) error {
		bare, ok := driver.Unwrap(c).(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the connection is a %T", driver.Unwrap(c))
		}
		source := pgx.CopyFromSlice(rows, func(i int) ([]any, error) {
			id := first + int64(i)
			sealed, err := sealer.Seal(ctx, "customers", "ssn", driver.Row{"id": id}, ssn(i))
			return []any{id, fmt.Sprint("customer ", i), sealed}, err
		})
		var err error
		copied, err = bare.Conn().CopyFrom(ctx, pgx.Identifier{"customers"}, []string{"id", "name", "ssn"}, source)
		return err
	})
	if err != nil {
		return err
	}
	env.Say("COPY of %d rows", copied)

	// Read back as usual, and opened by hand on the way out.
	var got string
	if err := db.QueryRowContext(ctx, "SELECT ssn FROM customers WHERE id = $1", first+1).Scan(&got); err != nil {
		return err
	}
	var stored []byte
	if err := env.Bare.QueryRowContext(ctx, "SELECT ssn FROM customers WHERE id = $1", first+2).Scan(&stored); err != nil {
		return err
	}
	opened, err := sealer.Open(ctx, "customers", "ssn", driver.Row{"id": first + 2}, stored)
	if err != nil {
		return err
	}
	if copied != rows || got != ssn(1) || opened != ssn(2) {
		return errors.New("what was read is not what was copied")
	}
	// In another row's place the value does not open.
	if _, err := sealer.Open(ctx, "customers", "ssn", driver.Row{"id": first}, stored); !errors.Is(err, driver.ErrMismatch) {
		return fmt.Errorf("a value opened for another row: %w", err)
	}
	_, err = db.ExecContext(ctx, "COPY customers (id, name, ssn) FROM STDIN")
	if !errors.Is(err, driver.ErrRefused) {
		return fmt.Errorf("COPY as a statement was not refused: %w", err)
	}
	env.Say("read back through sealsql, and with the sealer")
	return nil
}

func ssn(i int) string { return demo.SSNs[i%len(demo.SSNs)] }

// reserve takes n keys from the identity column's sequence and returns the first.
func reserve(ctx context.Context, db *sql.DB, n int) (first int64, err error) {
	err = db.QueryRowContext(ctx, "SELECT min(nextval(pg_get_serial_sequence('customers', 'id'))) FROM generate_series(1, $1::int)", n).Scan(&first)
	return first, err
}
