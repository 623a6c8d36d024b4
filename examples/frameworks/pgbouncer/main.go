// Command pgbouncer connects through PgBouncer in transaction mode, where a
// prepared statement may not be there any more when it is used: pgx is told by its
// own DSN parameter to send statements without preparing them by name. sealsql needs
// no setting of its own. (sql.DB.Prepare names statements in every mode, with and
// without sealsql; PgBouncer before 1.21 cannot follow that.)
//
//	go run ./pgbouncer
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"sync"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

func main() { demo.Main("postgres", example) }

func example(ctx context.Context, env *demo.Env) error {
	dsn, err := url.Parse(env.DSN)
	if err != nil {
		return errors.New("the DSN is no URL")
	}
	bouncer, err := testdb.StartPgBouncer(dsn.Host, dsn.User.Username())
	if err != nil {
		return err
	}
	defer bouncer.Stop()
	dsn.Host = bouncer.Addr
	for i, mode := range []string{"exec", "simple_protocol"} {
		query := dsn.Query()
		query.Set("default_query_exec_mode", mode)
		dsn.RawQuery = query.Encode()
		db, err := sql.Open(env.Driver, dsn.String())
		if err != nil {
			return err
		}
		err = errors.Join(work(ctx, db, int64(1000*(i+1))), db.Close())
		if err != nil {
			return fmt.Errorf("mode %s: %w", mode, err)
		}
		env.Say("mode %s: reads, writes and transactions of 8 clients on 2 sessions", mode)
	}
	return nil
}

// The keys of work are above those that the server makes.
const clients, rounds = 8, 5

var errOther = errors.New("what was read is not what was written")

// work reads and writes with several clients at once.
func work(ctx context.Context, db *sql.DB, from int64) error {
	db.SetMaxOpenConns(clients)
	var wg sync.WaitGroup
	errs := make([]error, clients)
	for i := range clients {
		wg.Go(func() {
			for n := range rounds {
				id := from + int64(i*rounds+n+1)
				if errs[i] = round(ctx, db, id, demo.SSNs[i%3], demo.SSNs[n%3]); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func round(ctx context.Context, db *sql.DB, id int64, first, second string) error {
	if _, err := db.ExecContext(ctx, "INSERT INTO customers (id, name, ssn, income) VALUES ($1, $2, $3, $4)", id, "Ada", first, id); err != nil {
		return err
	}
	var made int64
	var ssn string
	err := db.QueryRowContext(ctx, "INSERT INTO customers (name, ssn) VALUES ('Ben', $1) RETURNING id, ssn", second).Scan(&made, &ssn)
	if err != nil || ssn != second {
		return errors.Join(errOther, err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit this does nothing
	if _, err := tx.ExecContext(ctx, "UPDATE customers SET ssn = $1 WHERE id BETWEEN $2 AND $2 AND name = 'Ada'", second, id); err != nil {
		return err
	}
	var income int64
	if err := tx.QueryRowContext(ctx, "SELECT ssn, income FROM customers WHERE id = $1", id).Scan(&ssn, &income); err != nil {
		return err
	}
	if ssn != second || income != id {
		return errOther
	}
	return tx.Commit()
}
