// Command ent uses ent's driver over sealsql, as generated code does beneath its
// client: ent is given the sql.DB and the dialect's name.
//
//	go run ./ent
package main

import (
	"context"
	stdsql "database/sql"
	"errors"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

func main() { demo.Main("postgres mysql", example) }

func example(ctx context.Context, env *demo.Env) error {
	pool, err := stdsql.Open(env.Driver, env.DSN)
	if err != nil {
		return err
	}
	name := dialect.MySQL
	if env.Postgres() {
		name = dialect.Postgres
	}
	db := sql.OpenDB(name, pool) // ent.NewClient(ent.Driver(db))
	defer func() { _ = db.Close() }()
	build := sql.Dialect(name)

	tx, err := db.Tx(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit this does nothing
	for i, who := range []string{"Ada", "Ben"} {
		query, args := build.Insert("customers").Columns("name", "ssn").Values(who, demo.SSNs[i]).Query()
		if err := tx.Exec(ctx, query, args, nil); err != nil {
			return err
		}
	}
	query, args := build.Update("customers").Set("ssn", demo.SSNs[2]).Where(sql.EQ("name", "Ben")).Query()
	if err := tx.Exec(ctx, query, args, nil); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	var rows sql.Rows
	query, args = build.Select("id", "ssn").From(sql.Table("customers")).Where(sql.In("name", "Ben")).Query()
	if err := db.Query(ctx, query, args, &rows); err != nil {
		return err
	}
	var found []struct {
		ID  int64
		SSN string `sql:"ssn"`
	}
	if err := errors.Join(sql.ScanSlice(&rows, &found), rows.Close()); err != nil {
		return err
	}
	if len(found) != 1 || found[0].SSN != demo.SSNs[2] {
		return errors.New("what was read is not what was written")
	}
	env.Say("customer %d was inserted, updated and read", found[0].ID)
	return nil
}
