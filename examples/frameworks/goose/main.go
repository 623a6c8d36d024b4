// Command goose migrates a database with pressly/goose: schema changes and the
// version table go through sealsql's sql.DB as they are, and so does a migration in
// Go that writes protected values. A migration that would copy a protected column in
// SQL is refused.
//
//	go run ./goose
package main

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

//go:embed migrations/*.sql
var files embed.FS

func main() { demo.Main("postgres mysql", example) }

func example(ctx context.Context, env *demo.Env) error {
	db, err := sql.Open(env.Driver, env.DSN)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // the example is over
	dialect := goose.DialectPostgres
	if !env.Postgres() {
		dialect = goose.DialectMySQL
	}
	migrations, err := fs.Sub(files, "migrations")
	if err != nil {
		return err
	}
	// Version 3 is a migration in Go: it runs in goose's transaction.
	fill := goose.NewGoMigration(3, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		for i, name := range []string{"Ada", "Ben", "Cleo"} {
			if _, err := tx.ExecContext(ctx, env.SQL("INSERT INTO customers (name, ssn) VALUES (?, ?)"), name, demo.SSNs[i]); err != nil {
				return err
			}
		}
		return nil
	}}, nil)
	p, err := goose.NewProvider(dialect, db, migrations, goose.WithGoMigrations(fill), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	results, err := p.UpTo(ctx, 4)
	if err != nil {
		return err
	}
	for _, r := range results {
		env.Say("version %d: %s", r.Source.Version, r.Source.Type)
	}
	var ssn, city sql.NullString
	if err := db.QueryRowContext(ctx, "SELECT ssn, city FROM customers WHERE name = 'Ben'").Scan(&ssn, &city); err != nil {
		return err
	}
	if len(results) != 4 || ssn.String != demo.SSNs[1] || city.String != "unknown" {
		return errors.New("the migrations did not do what they say")
	}
	// Version 5 would put ciphertexts into a column that nothing protects.
	_, err = p.UpTo(ctx, 5)
	if !errors.Is(err, driver.ErrRefused) {
		return fmt.Errorf("version 5 was not refused: %w", err)
	}
	version, err := p.GetDBVersion(ctx)
	if err != nil || version != 4 {
		return errors.Join(fmt.Errorf("the version is %d", version), err)
	}
	env.Say("version 5: refused, the database stays at %d", version)
	return nil
}
