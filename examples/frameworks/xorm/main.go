// Command xorm uses xorm over sealsql. xorm looks the dialect up by the driver's name,
// which is registered with it.
//
//	go run ./xorm
package main

import (
	"context"
	"errors"

	"xorm.io/xorm"
	"xorm.io/xorm/dialects"

	"github.com/sealsql/sealsql/examples/frameworks/internal/demo"
)

func init() {
	dialects.RegisterDriver("sealsql-pgx", dialects.QueryDriver("pgx"))
	dialects.RegisterDriver("sealsql-mysql", dialects.QueryDriver("mysql"))
}

func main() { demo.Main("postgres mysql", example) }

// Customer is a row of customers.
type Customer struct {
	ID     int64 `xorm:"pk autoincr 'id'"`
	Name   string
	SSN    *string `xorm:"'ssn'"`
	Income *int64
}

// TableName names the table.
func (Customer) TableName() string { return "customers" }

func example(ctx context.Context, env *demo.Env) error {
	db, err := xorm.NewEngine(env.Driver, env.DSN)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // the example is over

	income := int64(52000)
	ada, ben := &Customer{Name: "Ada", SSN: &demo.SSNs[0], Income: &income}, &Customer{Name: "Ben", SSN: &demo.SSNs[1]}
	for _, c := range []*Customer{ada, ben} {
		if _, err := db.Context(ctx).Insert(c); err != nil {
			return err
		}
	}
	if _, err := db.Context(ctx).ID(ben.ID).Cols("ssn").Update(&Customer{SSN: &demo.SSNs[2]}); err != nil {
		return err
	}
	found := Customer{}
	ok, err := db.Context(ctx).Where("name = ?", "Ben").Get(&found)
	if err != nil {
		return err
	}
	if !ok || found.SSN == nil || *found.SSN != demo.SSNs[2] || found.ID != ben.ID {
		return errors.New("what was read is not what was written")
	}
	env.Say("customer %d was inserted, updated and read", found.ID)
	return nil
}
