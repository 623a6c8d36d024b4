// Command squirrel builds statements with Masterminds/squirrel over sealsql. squirrel
// is told which placeholders the server takes.
//
//	go run ./squirrel
package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/Masterminds/squirrel"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

func main() { demo.Main("postgres mysql", example) }

func example(ctx context.Context, env *demo.Env) error {
	db, err := sql.Open(env.Driver, env.DSN)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // the example is over
	var placeholders squirrel.PlaceholderFormat = squirrel.Question
	if env.Postgres() {
		placeholders = squirrel.Dollar
	}
	build := squirrel.StatementBuilder.PlaceholderFormat(placeholders).RunWith(db)

	if _, err := build.Insert("customers").Columns("name", "ssn", "income").Values("Ada", demo.SSNs[0], 52000).Values("Ben", demo.SSNs[1], nil).ExecContext(ctx); err != nil {
		return err
	}
	if _, err := build.Update("customers").Set("ssn", demo.SSNs[2]).Where(squirrel.Eq{"name": "Ben"}).ExecContext(ctx); err != nil {
		return err
	}
	var id int64
	var ssn string
	if err := build.Select("id", "ssn").From("customers").Where(squirrel.Eq{"name": []string{"Ben"}}).QueryRowContext(ctx).Scan(&id, &ssn); err != nil {
		return err
	}
	if ssn != demo.SSNs[2] {
		return errors.New("what was read is not what was written")
	}
	env.Say("customer %d was inserted, updated and read", id)
	return nil
}
