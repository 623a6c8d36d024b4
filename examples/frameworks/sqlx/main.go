// Command sqlx uses jmoiron/sqlx over sealsql: named parameters, struct scans,
// IN lists and prepared statements. What differs from before is the driver's
// name, and that sqlx is told which placeholders it takes.
//
//	go run ./sqlx
package main

import (
	"context"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

func init() {
	// sqlx looks the placeholders up by the driver's name.
	sqlx.BindDriver("sealsql-pgx", sqlx.DOLLAR)
	sqlx.BindDriver("sealsql-mysql", sqlx.QUESTION)
}

func main() { demo.Main("postgres mysql", example) }

type customer struct {
	ID     int64   `db:"id"`
	Name   string  `db:"name"`
	Email  *string `db:"email"`
	SSN    *string `db:"ssn"`
	Income *int64  `db:"income"`
}

func example(ctx context.Context, env *demo.Env) error {
	db, err := sqlx.ConnectContext(ctx, env.Driver, env.DSN)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // the example is over

	// Named parameters, several rows, from structs.
	income := int64(52000)
	people := []customer{{Name: "Ada", SSN: &demo.SSNs[0], Income: &income}, {Name: "Ben", SSN: &demo.SSNs[1]}, {Name: "Cleo"}}
	if _, err := db.NamedExecContext(ctx, "INSERT INTO customers (name, ssn, income) VALUES (:name, :ssn, :income)", people); err != nil {
		return err
	}

	// Select into structs, with SELECT *.
	var all []customer
	if err := db.SelectContext(ctx, &all, "SELECT * FROM customers ORDER BY id"); err != nil {
		return err
	}
	if len(all) != 3 || *all[0].SSN != demo.SSNs[0] || *all[1].SSN != demo.SSNs[1] || all[2].SSN != nil || *all[0].Income != income {
		return errors.New("SELECT * does not return what was written")
	}
	env.Say("named INSERT of three rows, SELECT * into structs")

	// IN, Rebind, Get, and a named query of a map.
	query, args, err := sqlx.In("SELECT id, name, ssn FROM customers WHERE id IN (?) ORDER BY id", []int64{all[0].ID, all[1].ID})
	if err != nil {
		return err
	}
	var some []customer
	if err := db.SelectContext(ctx, &some, db.Rebind(query), args...); err != nil {
		return err
	}
	if len(some) != 2 || *some[1].SSN != demo.SSNs[1] {
		return errors.New("the list does not return what was written")
	}
	var ssn string
	if err := db.GetContext(ctx, &ssn, db.Rebind("SELECT ssn FROM customers WHERE name = ?"), "Ben"); err != nil || ssn != demo.SSNs[1] {
		return errors.Join(errors.New("one column does not return what was written"), err)
	}
	env.Say("IN list, Rebind, Get of one column")

	return write(ctx, env, db, all)
}

func write(ctx context.Context, env *demo.Env, db *sqlx.DB, all []customer) error {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit this does nothing
	update, err := tx.PrepareNamedContext(ctx, "UPDATE customers SET ssn = :ssn WHERE id = :id")
	if err != nil {
		return err
	}
	if _, err := update.ExecContext(ctx, map[string]any{"id": all[2].ID, "ssn": demo.SSNs[2]}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	rows, err := db.QueryxContext(ctx, db.Rebind("SELECT name, ssn FROM customers WHERE id = ?"), all[2].ID)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	for rows.Next() {
		m := map[string]any{}
		if err := rows.MapScan(m); err != nil {
			return err
		}
		// As for a column in clear, go-sql-driver's text comes as []byte.
		ssn := m["ssn"]
		if b, ok := ssn.([]byte); ok {
			ssn = string(b)
		}
		if ssn != demo.SSNs[2] {
			return errors.New("MapScan does not return what was written")
		}
	}
	env.Say("named UPDATE prepared in a transaction, MapScan")
	return rows.Err()
}
