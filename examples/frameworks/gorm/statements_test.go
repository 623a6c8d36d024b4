package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

func named(name string, ssn *string) *Customer { return &Customer{Name: name, SSN: ssn} }

// statements are what applications do with gorm beyond the example, in order:
// later ones use the rows of earlier ones.
var statements = []struct {
	name string
	do   func(*gorm.DB) error
}{
	{"create with a given key", func(db *gorm.DB) error {
		return db.Create(&Customer{ID: 1000, Name: "A", SSN: &demo.SSNs[0], Orders: []Order{{Item: "x"}}}).Error
	}},
	{"create from a map", func(db *gorm.DB) error {
		return db.Model(&Customer{}).Create(map[string]any{"id": 1001, "name": "M", "ssn": demo.SSNs[1]}).Error
	}},
	{"create of some fields", func(db *gorm.DB) error { return db.Select("Name", "SSN").Create(named("Some", &demo.SSNs[1])).Error }},
	{"create without the protected field", func(db *gorm.DB) error { return db.Omit("SSN").Create(named("Omit", &demo.SSNs[1])).Error }},
	{"create returning everything", func(db *gorm.DB) error {
		c := named("Ret", &demo.SSNs[2])
		return want(db.Clauses(clause.Returning{}).Create(c).Error, c.ID > 0 && c.SSN != nil && *c.SSN == demo.SSNs[2])
	}},
	{"create of several at once", func(db *gorm.DB) error {
		return db.Create(&[]Customer{*named("n1", &demo.SSNs[0]), *named("n2", nil), *named("n3", &demo.SSNs[1])}).Error
	}},
	{"save of a new row", func(db *gorm.DB) error { return db.Save(named("Save", &demo.SSNs[0])).Error }},
	{"save with a key that is free", func(db *gorm.DB) error { return db.Save(&Customer{ID: 1050, Name: "S", SSN: &demo.SSNs[0]}).Error }},
	{"save with a key that is taken", func(db *gorm.DB) error { return db.Save(&Customer{ID: 1050, Name: "S2", SSN: &demo.SSNs[1]}).Error }},
	{"save of several", func(db *gorm.DB) error {
		return db.Save(&[]Customer{{ID: 1050, Name: "S3", SSN: &demo.SSNs[2]}, {ID: 1052, Name: "S4"}}).Error
	}},
	{"upsert of every column", func(db *gorm.DB) error {
		return db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Customer{ID: 1000, Name: "A2", SSN: &demo.SSNs[1]}).Error
	}},
	{"upsert that does nothing", func(db *gorm.DB) error {
		return db.Clauses(clause.OnConflict{DoNothing: true}).Create(&Customer{ID: 1000, Name: "A3", SSN: &demo.SSNs[2]}).Error
	}},
	{"read back what the upserts left", func(db *gorm.DB) error {
		var c, s Customer
		err := errors.Join(db.First(&c, 1000).Error, db.First(&s, 1050).Error)
		return want(err, err == nil && c.Name == "A2" && *c.SSN == demo.SSNs[1] && s.Name == "S3" && *s.SSN == demo.SSNs[2])
	}},
	{"first or create", func(db *gorm.DB) error {
		var c Customer
		return db.Where(Customer{Name: "foc"}).Attrs(Customer{SSN: &demo.SSNs[0]}).FirstOrCreate(&c).Error
	}},
	{"first or create with an update", func(db *gorm.DB) error {
		var c Customer
		return db.Where(Customer{Name: "foc"}).Assign(Customer{SSN: &demo.SSNs[1]}).FirstOrCreate(&c).Error
	}},
	{"count of what is not NULL", func(db *gorm.DB) error {
		var n int64
		return want(db.Model(&Customer{}).Where("ssn IS NOT NULL").Count(&n).Error, n > 5)
	}},
	{"some columns, ordered, with an offset", func(db *gorm.DB) error {
		var c []Customer
		return want(db.Select("id", "ssn").Order("name desc").Limit(2).Offset(1).Find(&c).Error, len(c) == 2)
	}},
	{"inner join with a condition", func(db *gorm.DB) error {
		var o []Order
		err := db.InnerJoins("Customer", db.Where(&Customer{Name: "A2"})).Find(&o).Error
		return want(err, len(o) == 1 && *o[0].Customer.SSN == demo.SSNs[1])
	}},
	{"rows scanned one by one", func(db *gorm.DB) error {
		rows, err := db.Model(&Customer{}).Rows()
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }() // Err reports what matters
		for rows.Next() {
			if err := db.ScanRows(rows, &Customer{}); err != nil {
				return err
			}
		}
		return rows.Err()
	}},
	{"raw SQL with a named argument", func(db *gorm.DB) error {
		var c []Customer
		err := db.Raw("SELECT id, ssn FROM customers WHERE name = @name OR name = @name", sql.Named("name", "A2")).Scan(&c).Error
		return want(err, len(c) == 1 && *c[0].SSN == demo.SSNs[1])
	}},
	{"raw update with a map", func(db *gorm.DB) error {
		return db.Exec("UPDATE customers SET ssn = @ssn WHERE id = @id", map[string]any{"ssn": demo.SSNs[0], "id": 1000}).Error
	}},
	{"sub-select in WHERE", func(db *gorm.DB) error {
		var c []Customer
		return want(db.Where("id IN (?)", db.Model(&Order{}).Select("customer_id")).Find(&c).Error, len(c) == 1)
	}},
	{"sub-select in FROM", func(db *gorm.DB) error {
		var c []Customer
		err := db.Table("(?) as u", db.Model(&Customer{}).Select("id", "name", "ssn")).Where("name = ?", "A2").Find(&c).Error
		return want(err, len(c) == 1 && *c[0].SSN == demo.SSNs[0])
	}},
	{"a count by group", func(db *gorm.DB) error {
		var r []struct {
			Name string
			N    int
		}
		return want(db.Model(&Customer{}).Select("name, count(ssn) as n").Group("name").Having("count(*) > ?", 0).Scan(&r).Error, len(r) > 5)
	}},
	{"update with an expression", func(db *gorm.DB) error {
		return db.Model(&Customer{}).Where("id = ?", 1000).Update("ssn", gorm.Expr("COALESCE(?, ?)", demo.SSNs[1], demo.SSNs[0])).Error
	}},
	{"a lock that skips", func(db *gorm.DB) error {
		var c []Customer
		return db.Transaction(func(tx *gorm.DB) error {
			return tx.Clauses(clause.Locking{Strength: "UPDATE", Options: "SKIP LOCKED"}).Where("id = ?", 1000).Find(&c).Error
		})
	}},
	{"append to an association", func(db *gorm.DB) error {
		return db.Model(&Customer{ID: 1000}).Association("Orders").Append(&Order{Item: "more"})
	}},
	{"read and save in batches", func(db *gorm.DB) error {
		var c []Customer
		return db.FindInBatches(&c, 3, func(tx *gorm.DB, n int) error {
			for i := range c {
				c[i].SSN = &demo.SSNs[n%3]
			}
			return tx.Save(&c).Error
		}).Error
	}},
	{"a duplicate is the server's error", func(db *gorm.DB) error {
		err := db.Create(&Customer{ID: 1000, Name: "dup"}).Error
		return want(nil, errors.Is(err, gorm.ErrDuplicatedKey))
	}},
	{"a savepoint of one's own", func(db *gorm.DB) error {
		return db.Transaction(func(tx *gorm.DB) error {
			tx.SavePoint("sp")
			if err := tx.Create(named("sp", &demo.SSNs[0])).Error; err != nil {
				return err
			}
			return tx.RollbackTo("sp").Error
		})
	}},
	{"delete returning", func(db *gorm.DB) error {
		var c []Customer
		return want(db.Clauses(clause.Returning{}).Where("name = ?", "S3").Delete(&c).Error, len(c) == 1 && c[0].SSN != nil)
	}},
}

func want(err error, ok bool) error {
	if err == nil && !ok {
		return errors.New("the result is another one")
	}
	return err
}

// TestStatements runs them with and without gorm's prepared statements.
func TestStatements(t *testing.T) {
	for _, prepared := range []bool{false, true} {
		t.Run(fmt.Sprint("prepared ", prepared), func(t *testing.T) {
			ran := 0
			demo.Test(t, "postgres mysql", func(ctx context.Context, env *demo.Env) error {
				pool, err := sql.Open(env.Driver, env.DSN)
				if err != nil {
					return err
				}
				defer func() { _ = pool.Close() }() // the test is over
				db, err := open(pool, env)
				if err != nil {
					return err
				}
				db = db.Session(&gorm.Session{PrepareStmt: prepared, Context: ctx})
				db.Config.TranslateError = true
				for _, s := range statements {
					ran++
					if err := s.do(db); err != nil {
						t.Errorf("%s, %s: %v", env.Driver, s.name, err)
					}
				}
				return nil
			})
			if ran != 2*31 {
				t.Errorf("%d statements ran", ran)
			}
		})
	}
}
