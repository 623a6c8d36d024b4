// Command gorm uses gorm.io/gorm over sealsql, with gorm's own Postgres and
// MySQL dialects on top of a sql.DB: creates in batches, associations, preloads,
// upserts, updates, transactions with savepoints.
//
//	go run ./gorm
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

func main() { demo.Main("postgres mysql", example) }

// Customer is a row of customers. Its protected fields are ordinary ones.
type Customer struct {
	ID     int64
	Name   string
	Email  *string
	SSN    *string
	Income *int64
	Orders []Order
}

// Order is a row of orders.
type Order struct {
	ID         int64
	CustomerID int64
	Item       string
	Customer   *Customer
}

// open gives gorm a sql.DB of sealsql. gorm's logger is silent: it prints
// statements with their arguments, SSNs included. ParameterizedQueries keeps
// them out of it where a log is wanted.
func open(db *sql.DB, env *demo.Env) (*gorm.DB, error) {
	var dialector gorm.Dialector = postgres.New(postgres.Config{Conn: db})
	if !env.Postgres() {
		dialector = mysql.New(mysql.Config{Conn: db})
	}
	return gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
}

func example(ctx context.Context, env *demo.Env) error {
	pool, err := sql.Open(env.Driver, env.DSN)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }() // the example is over
	db, err := open(pool, env)
	if err != nil {
		return err
	}
	db = db.WithContext(ctx)
	for _, step := range []struct {
		title string
		do    func(*gorm.DB) error
	}{
		{"Create, in batches and with associations", create},
		{"First, Find, Pluck, Preload, Joins, FindInBatches", read},
		{"Save, Update, Updates, UpdateColumn, expressions", update},
		{"upsert on the row key", upsert},
		{"transactions with savepoints", transact},
		{"Delete", remove},
	} {
		if err := step.do(db); err != nil {
			return fmt.Errorf("%s: %w", step.title, err)
		}
		env.Say("%s", step.title)
	}
	return nil
}

func create(db *gorm.DB) error {
	income := int64(52000)
	ada := Customer{Name: "Ada", SSN: &demo.SSNs[0], Income: &income, Orders: []Order{{Item: "book"}, {Item: "pen"}}}
	if err := db.Create(&ada).Error; err != nil {
		return err
	}
	more := []Customer{{Name: "Ben", SSN: &demo.SSNs[1]}, {Name: "Cleo"}, {Name: "Dan", SSN: &demo.SSNs[2]}}
	if err := db.CreateInBatches(&more, 2).Error; err != nil {
		return err
	}
	if ada.ID == 0 || ada.Orders[1].CustomerID != ada.ID || more[2].ID == 0 {
		return errors.New("the ids that the server made are not set")
	}
	return nil
}

func read(db *gorm.DB) error {
	var ada, ben Customer
	if err := db.Preload("Orders").First(&ada, "name = ?", "Ada").Error; err != nil {
		return err
	}
	if err := db.Where(&Customer{Name: "Ben"}).Take(&ben).Error; err != nil {
		return err
	}
	if *ada.SSN != demo.SSNs[0] || *ada.Income != 52000 || len(ada.Orders) != 2 || *ben.SSN != demo.SSNs[1] {
		return errors.New("what was read is not what was written")
	}
	var order Order
	if err := db.Joins("Customer").First(&order, "item = ?", "pen").Error; err != nil {
		return err
	}
	if *order.Customer.SSN != demo.SSNs[0] {
		return errors.New("the join does not return what was written")
	}
	var ssns []sql.NullString
	if err := db.Model(&Customer{}).Order("id").Pluck("ssn", &ssns).Error; err != nil {
		return err
	}
	if len(ssns) != 4 || ssns[3].String != demo.SSNs[2] || ssns[2].Valid {
		return errors.New("the column does not return what was written")
	}
	var found map[string]any
	if err := db.Table("customers").Where("name = ?", "Ben").Take(&found).Error; err != nil {
		return err
	}
	if found["ssn"] != demo.SSNs[1] {
		return fmt.Errorf("a map holds a %T", found["ssn"])
	}
	seen, batch := 0, []Customer{}
	return db.FindInBatches(&batch, 3, func(*gorm.DB, int) error { seen += len(batch); return nil }).Error
}

func update(db *gorm.DB) error {
	var c Customer
	if err := db.First(&c, "name = ?", "Cleo").Error; err != nil {
		return err
	}
	c.SSN = &demo.SSNs[0]
	if err := db.Save(&c).Error; err != nil {
		return err
	}
	if err := db.Model(&c).Updates(map[string]any{"ssn": demo.SSNs[1], "income": 1000}).Error; err != nil {
		return err
	}
	if err := db.Model(&Customer{}).Where("name IN ?", []string{"Cleo", "Dan"}).Update("ssn", demo.SSNs[2]).Error; err != nil {
		return err
	}
	if err := db.Model(&c).UpdateColumn("name", gorm.Expr("upper(name)")).Error; err != nil {
		return err
	}
	var again Customer
	if err := db.First(&again, c.ID).Error; err != nil {
		return err
	}
	if again.Name != "CLEO" || *again.SSN != demo.SSNs[2] || *again.Income != 1000 {
		return errors.New("what was read is not what was updated")
	}
	return db.Model(&again).Update("ssn", nil).Error
}

func upsert(db *gorm.DB) error {
	var ben Customer
	if err := db.First(&ben, "name = ?", "Ben").Error; err != nil {
		return err
	}
	ben.SSN = &demo.SSNs[0]
	if err := db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"ssn"})}).Create(&ben).Error; err != nil {
		return err
	}
	var again Customer
	if err := db.First(&again, ben.ID).Error; err != nil {
		return err
	}
	if *again.SSN != demo.SSNs[0] {
		return errors.New("the upsert did not write the SSN")
	}
	return nil
}

func transact(db *gorm.DB) error {
	undo := errors.New("undo")
	err := db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(&Customer{Name: "Eve", SSN: &demo.SSNs[1]}).Error; err != nil {
			return err
		}
		err := tx.Transaction(func(tx *gorm.DB) error { // a savepoint
			if err := tx.Model(&Customer{}).Where("name = ?", "Eve").Update("ssn", demo.SSNs[2]).Error; err != nil {
				return err
			}
			return undo
		})
		if !errors.Is(err, undo) {
			return err
		}
		var eve Customer
		if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).First(&eve, "name = ?", "Eve").Error; err != nil {
			return err
		}
		if *eve.SSN != demo.SSNs[1] {
			return errors.New("the savepoint was not rolled back")
		}
		return nil
	})
	return err
}

func remove(db *gorm.DB) error {
	res := db.Where("name = ?", "Eve").Delete(&Customer{})
	if res.Error == nil && res.RowsAffected != 1 {
		return fmt.Errorf("%d rows were deleted", res.RowsAffected)
	}
	return res.Error
}
