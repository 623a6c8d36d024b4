package migrations

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/golang-migrate/migrate/v4"
	migratedb "github.com/golang-migrate/migrate/v4/database"
	migratemysql "github.com/golang-migrate/migrate/v4/database/mysql"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/pressly/goose/v3"
)

// file is one migration of the application.
type file struct{ name, up, down string }

// files reads the migrations of the application's server, oldest first.
func (a *app) files() ([]file, error) {
	ups, err := filepath.Glob(filepath.Join(a.dir(), "*.up.sql"))
	if err != nil {
		return nil, err
	}
	if len(ups) != 12 {
		return nil, fmt.Errorf("there are %d migrations", len(ups))
	}
	slices.Sort(ups)
	var list []file
	for _, path := range ups {
		up, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		down, err := os.ReadFile(strings.Replace(path, ".up.", ".down.", 1))
		if err != nil {
			return nil, err
		}
		list = append(list, file{strings.TrimSuffix(filepath.Base(path), ".up.sql"), string(up), string(down)})
	}
	return list, nil
}

// alone reports whether the file may not run in a transaction.
func (f file) alone() bool { return strings.Contains(f.up, "CONCURRENTLY") }

// gooseProvider writes the files as goose wants them.
func gooseProvider(a *app) (*goose.Provider, error) {
	list, err := a.files()
	if err != nil {
		return nil, err
	}
	files := fstest.MapFS{}
	for _, f := range list {
		head := ""
		if f.alone() {
			head = "-- +goose NO TRANSACTION\n"
		}
		files[f.name+".sql"] = &fstest.MapFile{Data: []byte(head + "-- +goose Up\n" + f.up + "-- +goose Down\n" + f.down)}
	}
	dialect := goose.DialectMySQL
	if a.Postgres() {
		dialect = goose.DialectPostgres
	}
	return goose.NewProvider(dialect, a.db, files, goose.WithDisableGlobalRegistry(true))
}

func TestGoose(t *testing.T) {
	tool{name: "goose", own: []string{"goose_db_version"},
		up: func(ctx context.Context, a *app) error {
			p, err := gooseProvider(a)
			if err == nil {
				_, err = p.Up(ctx)
			}
			return err
		},
		down: func(ctx context.Context, a *app) error {
			p, err := gooseProvider(a)
			if err == nil {
				_, err = p.DownTo(ctx, 0)
			}
			return err
		},
	}.run(t)
}

// golangMigrate opens golang-migrate over sealsql's sql.DB. It sends a whole file as one text.
func golangMigrate(a *app) (*migrate.Migrate, error) {
	db, err := a.open()
	if err != nil {
		return nil, err
	}
	source, err := iofs.New(os.DirFS(a.dir()), ".")
	if err != nil {
		return nil, err
	}
	var driver migratedb.Driver
	if a.Postgres() {
		driver, err = migratepgx.WithInstance(db, &migratepgx.Config{})
	} else {
		driver, err = migratemysql.WithInstance(db, &migratemysql.Config{})
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return migrate.NewWithInstance("files", source, "app", driver)
}

func migrated(m *migrate.Migrate, err error) error {
	source, database := m.Close()
	if errors.Is(err, migrate.ErrNoChange) {
		err = nil
	}
	return errors.Join(err, source, database)
}

func TestGolangMigrate(t *testing.T) {
	tool{name: "golang-migrate", own: []string{"schema_migrations"},
		up: func(_ context.Context, a *app) error {
			m, err := golangMigrate(a)
			if err != nil {
				return err
			}
			return migrated(m, m.Up())
		},
		down: func(_ context.Context, a *app) error {
			m, err := golangMigrate(a)
			if err != nil {
				return err
			}
			return migrated(m, m.Down())
		},
	}.run(t)
}
