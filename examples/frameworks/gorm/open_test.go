package main

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

// TestOpenings: gorm comes to sealsql by a sql.DB or by the driver's name, and
// its migrator, which on Postgres asks pgx for the simple protocol, works on a
// protected table both ways.
func TestOpenings(t *testing.T) {
	byName := func(env *demo.Env) gorm.Dialector {
		if env.Postgres() {
			return postgres.New(postgres.Config{DriverName: env.Driver, DSN: env.DSN})
		}
		return mysql.New(mysql.Config{DriverName: env.Driver, DSN: env.DSN})
	}
	byPool := func(env *demo.Env) gorm.Dialector {
		pool, err := sql.Open(env.Driver, env.DSN)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = pool.Close() })
		if env.Postgres() {
			return postgres.New(postgres.Config{Conn: pool})
		}
		return mysql.New(mysql.Config{Conn: pool})
	}
	for name, dialector := range map[string]func(*demo.Env) gorm.Dialector{"by name": byName, "by pool": byPool} {
		t.Run(name, func(t *testing.T) {
			demo.Test(t, "postgres mysql", func(ctx context.Context, env *demo.Env) error {
				db, err := gorm.Open(dialector(env), &gorm.Config{Logger: logger.Discard})
				if err != nil {
					return err
				}
				pool, err := db.DB()
				if err != nil {
					return err
				}
				defer func() { _ = pool.Close() }()
				return migrate(db.WithContext(ctx))
			})
		})
	}
}

// TestBareOpening: postgres.Open and mysql.Open take the bare driver, which
// does not know the policy in the DSN: the program stops, and sends nothing in clear.
func TestBareOpening(t *testing.T) {
	demo.Test(t, "postgres mysql", func(ctx context.Context, env *demo.Env) error {
		sealed, err := sql.Open(env.Driver, env.DSN)
		if err != nil {
			return err
		}
		defer func() { _ = sealed.Close() }() // the test is over
		if _, err := sealed.ExecContext(ctx, env.SQL("INSERT INTO customers (name, ssn) VALUES (?, ?)"), "Ada", demo.SSNs[0]); err != nil {
			return err
		}
		dialector := mysql.Open(env.DSN)
		if env.Postgres() {
			dialector = postgres.Open(env.DSN)
		}
		db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
		if err == nil {
			pool, _ := db.DB()
			return errors.Join(errors.New("the bare driver takes a DSN with a policy"), pool.Close())
		}
		t.Log(err)
		return nil
	})
}

// Visit is a table that only gorm makes.
type Visit struct {
	ID         int64
	CustomerID int64
	Page       string `gorm:"size:40;index"`
}

func migrate(db *gorm.DB) error {
	if err := db.Create(named("Ada", &demo.SSNs[0])).Error; err != nil {
		return err
	}
	for range 2 { // made, then compared with what is there
		if err := db.AutoMigrate(&Visit{}); err != nil {
			return err
		}
	}
	types, err := db.Migrator().ColumnTypes(&Customer{})
	if err != nil {
		return err
	}
	for _, c := range types {
		if c.Name() == "ssn" {
			var got Customer
			err := db.First(&got).Error
			return want(err, err == nil && *got.SSN == demo.SSNs[0] && db.Migrator().HasColumn(&Customer{}, "SSN"))
		}
	}
	return errors.New("the migrator does not see ssn")
}
