// Command gormv1 uses jinzhu/gorm, the first version of gorm, over sealsql. It takes
// the sql.DB, and the dialect's name beside it.
//
//	go run ./gormv1
package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jinzhu/gorm"
	_ "github.com/jinzhu/gorm/dialects/mysql"
	_ "github.com/jinzhu/gorm/dialects/postgres"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

func main() { demo.Main("postgres mysql", example) }

// Customer is a row of customers.
type Customer struct {
	ID     int64
	Name   string
	SSN    *string `gorm:"column:ssn"`
	Income *int64
}

func example(_ context.Context, env *demo.Env) error {
	pool, err := sql.Open(env.Driver, env.DSN)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }() // the example is over
	dialect := "mysql"
	if env.Postgres() {
		dialect = "postgres"
	}
	db, err := gorm.Open(dialect, pool)
	if err != nil {
		return err
	}
	db.LogMode(false) // its log shows arguments

	income := int64(52000)
	ada, ben := Customer{Name: "Ada", SSN: &demo.SSNs[0], Income: &income}, Customer{Name: "Ben", SSN: &demo.SSNs[1]}
	if err := errors.Join(db.Create(&ada).Error, db.Create(&ben).Error, db.Model(&ben).Update("ssn", demo.SSNs[2]).Error); err != nil {
		return err
	}
	var found Customer
	if err := db.Where("name = ?", "Ben").First(&found).Error; err != nil {
		return err
	}
	if found.SSN == nil || *found.SSN != demo.SSNs[2] || found.ID != ben.ID {
		return errors.New("what was read is not what was written")
	}
	env.Say("customer %d was inserted, updated and read", found.ID)
	return nil
}
