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

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// tool migrates a database.
type tool struct {
	name string
	// up migrates to the newest schema, down to an empty one.
	up, down func(ctx context.Context, app *app) error
	// own are tables that the tool makes for itself.
	own []string
}

// app is the application, with its database through sealsql.
type app struct {
	*demo.Env
	db *sql.DB
	t  *testing.T
}

// open opens the database again, for a tool that closes it. On MySQL a tool sends a file
// of several statements as one text.
func (a *app) open() (*sql.DB, error) {
	if a.Postgres() {
		return sql.Open(a.Driver, a.DSN)
	}
	return sql.Open(a.Driver, a.DSN+"&multiStatements=true&parseTime=true")
}

// dir is where the SQL files of the application's server are.
func (a *app) dir() string {
	if a.Postgres() {
		return "testdata/postgres"
	}
	return "testdata/mysql"
}

func database(t *testing.T, policy string) demo.Database {
	text, err := os.ReadFile(policy)
	if err != nil {
		t.Fatal(err)
	}
	return demo.Database{Policy: string(text), Values: secrets, Protected: "SELECT email FROM " + kept}
}

// kept is a table outside the schema which shows what the application stored.
const kept = "kept_users"

// run has the tool migrate up, again, and down, with the application at work between.
func (x tool) run(t *testing.T) {
	database(t, "testdata/policy.yaml").Test(t, servers(), func(ctx context.Context, env *demo.Env) error {
		db, err := sql.Open(env.Driver, env.DSN)
		if err != nil {
			return err
		}
		defer func() { _ = db.Close() }() // the test is over
		a := &app{env, db, t}
		if err := x.up(ctx, a); err != nil {
			return fmt.Errorf("up: %w", err)
		}
		newest, err := a.schema(ctx)
		if err != nil {
			return err
		}
		if n := strings.Count(newest, "\ntable "); n < 12 {
			return fmt.Errorf("the newest schema has %d tables:%s", n, newest)
		}
		for _, again := range []string{"at once", "over rows"} {
			if err := x.up(ctx, a); err != nil {
				return fmt.Errorf("up %s: %w", again, err)
			}
			if now, err := a.schema(ctx); err != nil || now != newest {
				return errors.Join(fmt.Errorf("up %s changes\n%s", again, changes(newest, now)), err)
			}
			if err := a.work(ctx, again); err != nil {
				return fmt.Errorf("at work, up %s: %w", again, err)
			}
		}
		if _, err := env.Bare.ExecContext(ctx, "CREATE TABLE "+kept+" AS SELECT email FROM users"); err != nil {
			return err
		}
		if err := x.down(ctx, a); err != nil {
			return fmt.Errorf("down: %w", err)
		}
		left, err := a.schema(ctx)
		for line := range strings.Lines(left) {
			if name, ok := strings.CutPrefix(line, "table "); ok && !slices.Contains(append(x.own, kept), strings.Fields(name)[0]) {
				err = errors.Join(err, fmt.Errorf("the way down leaves %s", line))
			}
		}
		return err
	})
}

// servers are those that the environment chooses.
func servers() string {
	var names []string
	if os.Getenv("SEALSQL_POSTGRES") != "none" {
		names = append(names, "postgres")
	}
	if os.Getenv("SEALSQL_MYSQL") != "none" {
		names = append(names, "mysql")
	}
	return strings.Join(names, " ")
}

// changes shows the lines that only one of two schemas has.
func changes(before, after string) string {
	var b strings.Builder
	for _, side := range []struct{ sign, in, other string }{{"-", before, after}, {"+", after, before}} {
		for line := range strings.Lines(side.in) {
			if !strings.Contains(side.other, line) {
				b.WriteString(side.sign + line)
			}
		}
	}
	return b.String()
}

// schema describes tables, columns, indexes and constraints as the server knows them.
func (a *app) schema(ctx context.Context) (string, error) {
	texts := []string{
		"SELECT 'table', table_name, table_type, '', '' FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY 2",
		"SELECT 'column', table_name, column_name, data_type, concat(is_nullable, ' ', column_default, ' ', character_maximum_length) FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 2, 3",
		"SELECT 'index', tablename, indexname, indexdef, '' FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 2, 3",
		"SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '' FROM pg_constraint WHERE connamespace = current_schema()::regnamespace ORDER BY 2, 3",
	}
	if !a.Postgres() {
		texts = []string{
			"SELECT 'table', table_name, table_type, '', '' FROM information_schema.tables WHERE table_schema = database() ORDER BY 2",
			"SELECT 'column', table_name, column_name, column_type, concat(is_nullable, ' ', coalesce(column_default, 'none'), ' ', extra, ' ', column_comment) FROM information_schema.columns WHERE table_schema = database() ORDER BY 2, 3",
			"SELECT 'index', table_name, index_name, column_name, concat(non_unique, ' ', seq_in_index, ' ', coalesce(sub_part, 'whole')) FROM information_schema.statistics WHERE table_schema = database() ORDER BY 2, 3, seq_in_index",
			"SELECT 'constraint', table_name, constraint_name, constraint_type, '' FROM information_schema.table_constraints WHERE table_schema = database() ORDER BY 2, 3",
		}
	}
	b := new(strings.Builder)
	b.WriteString("\n")
	for _, text := range texts {
		if err := a.describe(ctx, b, text); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

func (a *app) describe(ctx context.Context, b *strings.Builder, text string) error {
	rows, err := a.Bare.QueryContext(ctx, text)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	for rows.Next() {
		var f [5]string
		if err := rows.Scan(&f[0], &f[1], &f[2], &f[3], &f[4]); err != nil {
			return err
		}
		fmt.Fprintln(b, strings.Join(f[:], " "))
	}
	return rows.Err()
}
