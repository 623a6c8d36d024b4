// Command bun uses uptrace/bun over sealsql. bun writes arguments into the
// statement's text as literals: sealsql finds them there and seals them too.
//
//	go run ./bun
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

func main() { demo.Main("postgres mysql", example) }

// Customer is a row of customers.
type Customer struct {
	bun.BaseModel `bun:"table:customers,alias:c"`

	ID     int64   `bun:",pk,autoincrement"`
	Name   string  `bun:"name"`
	Email  *string `bun:"email"`
	SSN    *string `bun:"ssn"`
	Income *int64  `bun:"income"`
	Orders []Order `bun:"rel:has-many,join:id=customer_id"`
}

// Order is a row of orders.
type Order struct {
	bun.BaseModel `bun:"table:orders,alias:o"`

	ID         int64     `bun:",pk,autoincrement"`
	CustomerID int64     `bun:"customer_id"`
	Item       string    `bun:"item"`
	Customer   *Customer `bun:"rel:belongs-to,join:customer_id=id"`
}

func example(ctx context.Context, env *demo.Env) error {
	pool, err := sql.Open(env.Driver, env.DSN)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }() // the example is over
	var dialect schema.Dialect = pgdialect.New()
	if !env.Postgres() {
		dialect = mysqldialect.New()
	}
	db := bun.NewDB(pool, dialect)
	for _, step := range []struct {
		title string
		do    func(context.Context, *bun.DB) error
	}{
		{"insert of one and of several", insert},
		{"select, relations, scans into maps and scalars", read},
		{"update by key, of a column, in bulk", update},
		{"transaction", transact},
	} {
		if err := step.do(ctx, db); err != nil {
			return fmt.Errorf("%s: %w", step.title, err)
		}
		env.Say("%s", step.title)
	}
	return nil
}

func insert(ctx context.Context, db *bun.DB) error {
	income := int64(52000)
	ada := &Customer{Name: "Ada", SSN: &demo.SSNs[0], Income: &income}
	if _, err := db.NewInsert().Model(ada).Exec(ctx); err != nil {
		return err
	}
	more := []Customer{{Name: "Ben O'Neil", SSN: &demo.SSNs[1]}, {Name: "Cleo", SSN: &demo.SSNs[2]}, {Name: "Dan"}}
	if _, err := db.NewInsert().Model(&more).Exec(ctx); err != nil {
		return err
	}
	if ada.ID == 0 || more[1].ID == 0 {
		return errors.New("the ids that the server made are not set")
	}
	_, err := db.NewInsert().Model(&Order{CustomerID: ada.ID, Item: "book"}).Exec(ctx)
	return err
}

func read(ctx context.Context, db *bun.DB) error {
	var all []Customer
	if err := db.NewSelect().Model(&all).Relation("Orders").Order("c.id").Scan(ctx); err != nil {
		return err
	}
	if len(all) != 4 || *all[0].SSN != demo.SSNs[0] || *all[0].Income != 52000 || *all[1].SSN != demo.SSNs[1] || all[3].SSN != nil || len(all[0].Orders) != 1 {
		return errors.New("what was read is not what was written")
	}
	order := new(Order)
	if err := db.NewSelect().Model(order).Relation("Customer").Where("o.item = ?", "book").Scan(ctx); err != nil {
		return err
	}
	if order.Customer == nil || *order.Customer.SSN != demo.SSNs[0] {
		return errors.New("the relation does not return what was written")
	}
	var ssn string
	if err := db.NewSelect().Model((*Customer)(nil)).Column("ssn").Where("name = ?", "Ben O'Neil").Scan(ctx, &ssn); err != nil || ssn != demo.SSNs[1] {
		return errors.Join(errors.New("one column does not return what was written"), err)
	}
	var rows []map[string]any
	if err := db.NewSelect().Table("customers").Column("id", "ssn").Where("name = ?", "Cleo").Scan(ctx, &rows); err != nil {
		return err
	}
	if len(rows) != 1 {
		return fmt.Errorf("a map holds %d rows", len(rows))
	}
	// As of a column in clear, bun makes a sql.NullString of go-sql-driver's text.
	switch v := rows[0]["ssn"].(type) {
	case string:
		ssn = v
	case sql.NullString:
		ssn = v.String
	}
	if ssn != demo.SSNs[2] {
		return fmt.Errorf("a map holds a %T", rows[0]["ssn"])
	}
	return nil
}

func update(ctx context.Context, db *bun.DB) error {
	cleo := new(Customer)
	if err := db.NewSelect().Model(cleo).Where("name = ?", "Cleo").Scan(ctx); err != nil {
		return err
	}
	cleo.SSN = &demo.SSNs[0]
	if _, err := db.NewUpdate().Model(cleo).WherePK().Exec(ctx); err != nil {
		return err
	}
	if _, err := db.NewUpdate().Model((*Customer)(nil)).Set("ssn = ?", demo.SSNs[1]).Where("name IN (?)", bun.List([]string{"Cleo", "Dan"})).Exec(ctx); err != nil {
		return err
	}
	n, err := db.NewSelect().Model((*Customer)(nil)).Where("ssn IS NOT NULL").Count(ctx)
	if err != nil || n != 4 {
		return errors.Join(fmt.Errorf("%d rows have an SSN", n), err)
	}
	if err := db.NewSelect().Model(cleo).WherePK().Scan(ctx); err != nil {
		return err
	}
	if *cleo.SSN != demo.SSNs[1] {
		return errors.New("what was read is not what was updated")
	}
	return nil
}

func transact(ctx context.Context, db *bun.DB) error {
	return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		eve := &Customer{Name: "Eve", SSN: &demo.SSNs[2]}
		if _, err := tx.NewInsert().Model(eve).Exec(ctx); err != nil {
			return err
		}
		if err := tx.NewSelect().Model(eve).WherePK().For("UPDATE").Scan(ctx); err != nil {
			return err
		}
		_, err := tx.NewDelete().Model(eve).WherePK().Exec(ctx)
		return err
	})
}
