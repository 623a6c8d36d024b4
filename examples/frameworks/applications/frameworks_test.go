package applications

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/golang-migrate/migrate/v4"
	migratedb "github.com/golang-migrate/migrate/v4/database"
	migratemysql "github.com/golang-migrate/migrate/v4/database/mysql"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// openGorm opens gorm over the world's sql.DB.
func openGorm(w *world) (*gorm.DB, error) {
	var dialector gorm.Dialector = mysql.New(mysql.Config{Conn: w.db})
	if w.postgres() {
		dialector = postgres.New(postgres.Config{Conn: w.db})
	}
	return gorm.Open(dialector, &gorm.Config{Logger: logger.Discard, NowFunc: func() time.Time { return oidcNow }})
}

// golangMigrate runs the files of an application up or down. It closes the sql.DB that it is
// given, and sends a file as one text.
func golangMigrate(w *world, application string, up bool) error {
	db, err := sql.Open(w.driver, w.dsn)
	if err != nil {
		return err
	}
	source, err := iofs.New(os.DirFS("testdata/"+application+"/"+w.dialect()), ".")
	if err != nil {
		return err
	}
	var target migratedb.Driver
	if w.postgres() {
		target, err = migratepgx.WithInstance(db, &migratepgx.Config{})
	} else {
		target, err = migratemysql.WithInstance(db, &migratemysql.Config{})
	}
	if err != nil {
		return errors.Join(err, db.Close())
	}
	m, err := migrate.NewWithInstance("files", source, "app", target)
	if err != nil {
		return err
	}
	if up {
		err = m.Up()
	} else {
		err = m.Down()
	}
	if errors.Is(err, migrate.ErrNoChange) {
		err = nil
	}
	sourceErr, targetErr := m.Close()
	return errors.Join(err, sourceErr, targetErr)
}

// pgArray is an array of text in Postgres's text form, as pq.StringArray and the like make it.
type pgArray []string

// Value implements [driver.Valuer].
func (a pgArray) Value() (driver.Value, error) {
	quoted := make([]string, len(a))
	for i, s := range a {
		quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	return "{" + strings.Join(quoted, ",") + "}", nil
}
