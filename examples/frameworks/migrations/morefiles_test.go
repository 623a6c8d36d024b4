package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gobuffalo/pop/v6"
	"github.com/gobuffalo/pop/v6/logging"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/migrate"
)

// bunMigrator opens bun's migrator over sealsql's sql.DB. It sends a whole file as one text.
func bunMigrator(ctx context.Context, a *app) (*migrate.Migrator, *bun.DB, error) {
	pool, err := a.open()
	if err != nil {
		return nil, nil, err
	}
	db := bun.NewDB(pool, mysqldialect.New())
	if a.Postgres() {
		db = bun.NewDB(pool, pgdialect.New())
	}
	found := migrate.NewMigrations()
	if err := found.Discover(os.DirFS(a.dir())); err != nil {
		return nil, nil, err
	}
	m := migrate.NewMigrator(db, found)
	return m, db, m.Init(ctx)
}

func TestBunMigrate(t *testing.T) {
	tool{name: "bun", own: []string{"bun_migrations", "bun_migration_locks"},
		up: func(ctx context.Context, a *app) error {
			m, db, err := bunMigrator(ctx, a)
			if err != nil {
				return err
			}
			_, err = m.Migrate(ctx)
			return errors.Join(err, db.Close())
		},
		down: func(ctx context.Context, a *app) error {
			m, db, err := bunMigrator(ctx, a)
			if err != nil {
				return err
			}
			_, err = m.Rollback(ctx) // one group
			return errors.Join(err, db.Close())
		},
	}.run(t)
}

// pop opens a connection of pop by the driver's name.
func (a *app) pop() (*pop.Connection, error) {
	pop.SetLogger(func(logging.Level, string, ...any) {})
	d := &pop.ConnectionDetails{Dialect: "postgres", Driver: a.Driver, URL: a.DSN}
	if !a.Postgres() {
		// fizz reads the schema with the bare driver and this URL, where it renames a column.
		a.t.Setenv("SEALSQL_POLICY", a.PolicyPath)
		d.Dialect, d.URL = "mysql", "mysql://"+a.BareDSN+"&multiStatements=true"
	}
	c, err := pop.NewConnection(d)
	if err != nil {
		return nil, err
	}
	return c, c.Open()
}

// popped runs a migrator of pop over the files.
func popped(a *app, files fstest.MapFS, run func(pop.MigrationBox) error) error {
	c, err := a.pop()
	if err != nil {
		return err
	}
	box, err := pop.NewMigrationBox(files, c)
	if err == nil {
		err = run(box)
	}
	return errors.Join(err, c.Close())
}

func TestPopSQL(t *testing.T) {
	// pop runs each file in a transaction.
	files := func(a *app) (fstest.MapFS, error) {
		list, err := a.files()
		files := fstest.MapFS{}
		for _, f := range list {
			files[f.name+".up.sql"] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(f.up, "CONCURRENTLY ", ""))}
			files[f.name+".down.sql"] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(f.down, "CONCURRENTLY ", ""))}
		}
		return files, err
	}
	tool{name: "pop", own: []string{"schema_migration"},
		up: func(_ context.Context, a *app) error {
			list, err := files(a)
			if err != nil {
				return err
			}
			return popped(a, list, func(box pop.MigrationBox) error { return box.Up() })
		},
		down: func(_ context.Context, a *app) error {
			list, err := files(a)
			if err != nil {
				return err
			}
			return popped(a, list, func(box pop.MigrationBox) error { return box.Down(-1) })
		},
	}.run(t)
}

// fizz are migrations in pop's own language.
var fizz = []string{`
create_table("tenants") { t.Column("id", "integer", {primary: true})
	t.Column("name", "string", {"size": 100})
	t.DisableTimestamps() }
add_index("tenants", "name", {"unique": true})
create_table("users") { t.Column("id", "integer", {primary: true})
	t.Column("tenant_id", "integer")
	t.Column("name", "string", {})
	t.Column("email", "string", {"size": 320})
	t.DisableTimestamps() }
add_index("users", ["tenant_id", "email"], {"unique": true})
add_column("users", "phone", "string", {"default": ""})
add_column("users", "born", "date", {"null": true})
add_index("users", "phone", {})
`, `
create_table("credentials") { t.Column("id", "string", {primary: true, "size": 36})
	t.Column("user_id", "integer")
	t.Column("kind", "string", {"size": 20})
	t.Column("secret", "blob")
	t.DisableTimestamps() }
create_table("sessions") { t.Column("id", "integer", {primary: true})
	t.Column("user_id", "integer")
	t.Column("token", "string", {"size": 64})
	t.Index("token", {"unique": true})
	t.DisableTimestamps() }
create_table("clients") { t.Column("id", "string", {primary: true, "size": 100})
	t.Column("name", "string")
	t.Column("secret", "string")
	t.Column("redirect_uris", "text")
	t.DisableTimestamps() }
create_table("grants") { t.Column("id", "integer", {primary: true})
	t.Column("client_id", "string", {"size": 100})
	t.Column("user_id", "integer")
	t.Column("code", "string", {"size": 190})
	t.Column("payload", "text", {"null": true})
	t.ForeignKey("client_id", {"clients": ["id"]}, {"on_delete": "cascade"})
	t.DisableTimestamps() }
add_index("grants", "code", {"unique": true, "name": "grants_code"})
`, `
create_table("devices") { t.Column("id", "integer", {primary: true})
	t.Column("user_id", "integer", {"null": true})
	t.Column("label", "string", {"null": true})
	t.Column("push_token", "string", {"null": true, "size": 190})
	t.DisableTimestamps() }
add_index("devices", "push_token", {"unique": true})
create_table("invitations") { t.Column("id", "integer", {primary: true})
	t.Column("tenant_id", "integer")
	t.Column("email", "string", {"size": 320})
	t.DisableTimestamps() }
add_index("invitations", ["tenant_id", "email"], {"unique": true})
create_table("payments") { t.Column("id", "integer", {primary: true})
	t.Column("user_id", "integer")
	t.Column("iban", "string", {"size": 34})
	t.Column("amount", "decimal", {"precision": 12, "scale": 2})
	t.DisableTimestamps() }
add_index("payments", ["user_id", "iban"], {"unique": true})
create_table("notes") { t.Column("id", "integer", {primary: true})
	t.Column("user_id", "integer")
	t.Column("title", "string")
	t.Column("body", "text")
	t.DisableTimestamps() }
create_table("audit_log") { t.Column("id", "integer", {primary: true})
	t.Column("actor", "integer")
	t.Column("detail", "text")
	t.DisableTimestamps() }
create_table("contacts") { t.Column("id", "integer", {primary: true})
	t.Column("user_id", "integer")
	t.Column("kind", "string")
	t.Column("value", "string", {"null": true})
	t.DisableTimestamps() }
`, `
rename_column("contacts", "kind", "channel")
change_column("contacts", "value", "string", {"size": 200, "default": ""})
change_column("sessions", "token", "string", {"size": 128})
`}

var fizzDown = []string{"drop_index(\"users\", \"users_phone_idx\")\ndrop_column(\"users\", \"born\")\ndrop_column(\"users\", \"phone\")\ndrop_table(\"users\")\ndrop_table(\"tenants\")",
	"drop_table(\"grants\")\ndrop_table(\"clients\")\ndrop_table(\"sessions\")\ndrop_table(\"credentials\")",
	"drop_table(\"contacts\")\ndrop_table(\"audit_log\")\ndrop_table(\"notes\")\ndrop_table(\"payments\")\ndrop_table(\"invitations\")\ndrop_table(\"devices\")",
	"rename_column(\"contacts\", \"channel\", \"kind\")"}

func TestPopFizz(t *testing.T) {
	files := fstest.MapFS{}
	for i := range fizz {
		files[fmt.Sprintf("%04d_step.up.fizz", i+1)] = &fstest.MapFile{Data: []byte(fizz[i])}
		files[fmt.Sprintf("%04d_step.down.fizz", i+1)] = &fstest.MapFile{Data: []byte(fizzDown[i])}
	}
	tool{name: "fizz", own: []string{"schema_migration"},
		up: func(_ context.Context, a *app) error {
			return popped(a, files, func(box pop.MigrationBox) error { return box.Up() })
		},
		down: func(_ context.Context, a *app) error {
			return popped(a, files, func(box pop.MigrationBox) error { return box.Down(-1) })
		},
	}.run(t)
}

// TestStatementByStatement runs the files as Atlas does: each statement by itself, a file
// in a transaction, and a table of what was run beside it.
func TestStatementByStatement(t *testing.T) {
	tool{name: "atlas", own: []string{"revisions"},
		up: func(ctx context.Context, a *app) error {
			if _, err := a.db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS revisions (version varchar(100) PRIMARY KEY)"); err != nil {
				return err
			}
			return a.each(ctx, func(f file) (string, string) { return f.up, "INSERT INTO revisions (version) VALUES (?)" }, false)
		},
		down: func(ctx context.Context, a *app) error {
			return a.each(ctx, func(f file) (string, string) { return f.down, "DELETE FROM revisions WHERE version = ?" }, true)
		},
	}.run(t)
}

// each runs a part of each file that was not run, or was if it goes back, and its note.
func (a *app) each(ctx context.Context, part func(file) (text, note string), back bool) error {
	list, err := a.files()
	if back {
		slices.Reverse(list)
	}
	for _, f := range list {
		var n int
		if err := a.db.QueryRowContext(ctx, a.SQL("SELECT count(*) FROM revisions WHERE version = ?"), f.name).Scan(&n); err != nil {
			return err
		}
		if text, note := part(f); n == 1 == back {
			if err := a.file(ctx, f, text, note); err != nil {
				return err
			}
		}
	}
	return err
}

func (a *app) file(ctx context.Context, f file, text, note string) (err error) {
	var exec interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	} = a.db
	if !f.alone() {
		tx, err := a.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() {
			if err == nil {
				err = tx.Commit()
			}
			_ = tx.Rollback() // after Commit this does nothing
		}()
		exec = tx
	}
	for stmt := range strings.SplitSeq(text, ";\n") {
		if strings.TrimSpace(stmt) == "" {
			continue
		}
		if _, err := exec.ExecContext(ctx, stmt); err != nil {
			return fmt.Errorf("%s: %w", stmt, err)
		}
	}
	_, err = exec.ExecContext(ctx, a.SQL(note), f.name)
	return err
}
