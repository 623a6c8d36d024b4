// Command goqu builds statements with doug-martin/goqu over sealsql. goqu writes
// arguments into the text, as literals, unless a dataset is Prepared; both work.
//
//	go run ./goqu
package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/doug-martin/goqu/v9"
	_ "github.com/doug-martin/goqu/v9/dialect/mysql"
	_ "github.com/doug-martin/goqu/v9/dialect/postgres"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

func main() { demo.Main("postgres mysql", example) }

type customer struct {
	ID     int64   `db:"id" goqu:"skipinsert"`
	Name   string  `db:"name"`
	SSN    *string `db:"ssn"`
	Income *int64  `db:"income"`
}

func example(ctx context.Context, env *demo.Env) error {
	pool, err := sql.Open(env.Driver, env.DSN)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }() // the example is over
	dialect := "mysql"
	if env.Postgres() {
		dialect = "postgres"
	}
	db := goqu.New(dialect, pool)

	income := int64(52000)
	people := []customer{{Name: "Ada", SSN: &demo.SSNs[0], Income: &income}, {Name: "Ben", SSN: &demo.SSNs[1]}}
	if _, err := db.Insert("customers").Rows(people).Executor().ExecContext(ctx); err != nil {
		return err
	}
	if _, err := db.Update("customers").Prepared(true).Set(goqu.Record{"ssn": demo.SSNs[2]}).Where(goqu.C("name").Eq("Ben")).Executor().ExecContext(ctx); err != nil {
		return err
	}
	var found customer
	ok, err := db.From("customers").Select("id", "name", "ssn", "income").Where(goqu.C("name").Eq("Ben")).ScanStructContext(ctx, &found)
	if err != nil {
		return err
	}
	if !ok || found.SSN == nil || *found.SSN != demo.SSNs[2] || found.Income != nil {
		return errors.New("what was read is not what was written")
	}
	env.Say("customer %d was inserted, updated and read", found.ID)
	return nil
}
