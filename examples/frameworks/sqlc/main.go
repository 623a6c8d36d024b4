// Command sqlc uses code that sqlc generated from SQL files over sealsql, with
// prepared statements. sqlc.yaml gives protected columns their plaintext's type.
//
//	go run ./sqlc
package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
	"github.com/sealsql/sealsql/examples/frameworks/sqlc/mysql"
	"github.com/sealsql/sealsql/examples/frameworks/sqlc/postgres"
)

func main() { demo.Main("postgres mysql", example) }

func example(ctx context.Context, env *demo.Env) error {
	db, err := sql.Open(env.Driver, env.DSN)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // the example is over
	if env.Postgres() {
		return onPostgres(ctx, env, db)
	}
	return onMySQL(ctx, env, db)
}

func text(s string) sql.NullString { return sql.NullString{String: s, Valid: true} }

var errOther = errors.New("what was read is not what was written")

func onPostgres(ctx context.Context, env *demo.Env, db *sql.DB) error {
	q, err := postgres.Prepare(ctx, db)
	if err != nil {
		return err
	}
	defer func() { _ = q.Close() }() // the example is over
	ada, err := q.CreateCustomer(ctx, postgres.CreateCustomerParams{Name: "Ada", Ssn: text(demo.SSNs[0]), Income: sql.NullInt64{Int64: 52000, Valid: true}})
	if err != nil {
		return err
	}
	ben, err := q.CreateCustomer(ctx, postgres.CreateCustomerParams{Name: "Ben"})
	if err != nil {
		return err
	}
	if ada.Ssn.String != demo.SSNs[0] || ada.Income.Int64 != 52000 || ben.Ssn.Valid {
		return errOther
	}
	env.Say("INSERT … RETURNING * into the generated struct")
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit this does nothing
	in := q.WithTx(tx)
	if n, err := in.SetSSN(ctx, postgres.SetSSNParams{ID: ada.ID, Ssn: text(demo.SSNs[1])}); err != nil || n != 1 {
		return errors.Join(errOther, err)
	}
	if err := in.SetSSNs(ctx, postgres.SetSSNsParams{Name: "Ben", Ssn: text(demo.SSNs[2])}); err != nil {
		return err
	}
	if err := errors.Join(in.AddOrder(ctx, postgres.AddOrderParams{CustomerID: ben.ID, Item: "book"}), tx.Commit()); err != nil {
		return err
	}
	list, err := q.ListCustomers(ctx, postgres.ListCustomersParams{First: ada.ID, Last: ben.ID})
	if err != nil {
		return err
	}
	joined, err := q.OrdersWithCustomer(ctx, "book")
	if err != nil {
		return err
	}
	if len(list) != 2 || list[0].Ssn.String != demo.SSNs[1] || len(joined) != 1 || joined[0].Customer.Ssn.String != demo.SSNs[2] {
		return errOther
	}
	env.Say("updates in a transaction, a list, a join into embedded structs")
	_, err = q.DeleteCustomer(ctx, ada.ID)
	return err
}

func onMySQL(ctx context.Context, env *demo.Env, db *sql.DB) error {
	q, err := mysql.Prepare(ctx, db)
	if err != nil {
		return err
	}
	defer func() { _ = q.Close() }() // the example is over
	ada, err := q.CreateCustomer(ctx, mysql.CreateCustomerParams{Name: "Ada", Ssn: text(demo.SSNs[0]), Income: sql.NullInt64{Int64: 52000, Valid: true}})
	if err != nil {
		return err
	}
	ben, err := q.CreateCustomer(ctx, mysql.CreateCustomerParams{Name: "Ben"})
	if err != nil {
		return err
	}
	row, err := q.GetCustomer(ctx, ada)
	if err != nil {
		return err
	}
	if row.Ssn.String != demo.SSNs[0] || row.Income.Int64 != 52000 {
		return errOther
	}
	env.Say("INSERT with the last id, SELECT * into the generated struct")
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit this does nothing
	in := q.WithTx(tx)
	if n, err := in.SetSSN(ctx, mysql.SetSSNParams{ID: ada, Ssn: text(demo.SSNs[1])}); err != nil || n != 1 {
		return errors.Join(errOther, err)
	}
	if err := in.SetSSNs(ctx, mysql.SetSSNsParams{Name: "Ben", Ssn: text(demo.SSNs[2])}); err != nil {
		return err
	}
	if err := errors.Join(in.AddOrder(ctx, mysql.AddOrderParams{CustomerID: ben, Item: "book"}), tx.Commit()); err != nil {
		return err
	}
	list, err := q.ListCustomers(ctx, []int64{ada, ben})
	if err != nil {
		return err
	}
	joined, err := q.OrdersWithCustomer(ctx, "book")
	if err != nil {
		return err
	}
	if len(list) != 2 || list[0].Ssn.String != demo.SSNs[1] || len(joined) != 1 || joined[0].Customer.Ssn.String != demo.SSNs[2] {
		return errOther
	}
	env.Say("updates in a transaction, a list of a slice, a join into embedded structs")
	_, err = q.DeleteCustomer(ctx, ada)
	return err
}
