package sealtest

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
)

// This file seals and opens values with the driver's own ValueSealer, so that a
// kit binds, encodes and checks as the application's statements do.

// nowhere is the base of the kit's own connector, which plans and seals and
// never connects.
type nowhere struct{}

var errNowhere = errors.New("sealtest: the kit itself has no database")

func (nowhere) Connect(context.Context) (sqldriver.Conn, error) { return nil, errNowhere }
func (nowhere) Driver() sqldriver.Driver                        { return nowhere{} }
func (nowhere) Open(string) (sqldriver.Conn, error)             { return nil, errNowhere }

// protected finds a column of the policy.
func (k *Kit) protected(table, column string) (policy.Table, policy.Column, error) {
	for _, t := range k.policy.Tables() {
		if t.FullName() != table {
			continue
		}
		for _, c := range t.Columns {
			if c.Name == column {
				return t, c, nil
			}
		}
	}
	return policy.Table{}, policy.Column{}, fmt.Errorf("the policy protects no column %s.%s", table, column)
}

// sources lists the columns that a value is bound to.
func sources(c policy.Column) []string {
	var out []string
	for _, p := range c.Context {
		if p.Source != "" && !slices.Contains(out, p.Source) {
			out = append(out, p.Source)
		}
	}
	return out
}

// Seal returns what a column of the row stores for a value: a []byte, or a
// string if the column's storage is base64; nil for NULL. The row must have the
// columns that the value is bound to.
func (k *Kit) Seal(table, column string, row Row, value any) any {
	k.t.Helper()
	sealed, err := k.sealer.Seal(context.Background(), table, column, driver.Row(row), value)
	if err != nil {
		k.t.Fatalf("sealtest: a value of %s.%s cannot be sealed: %v", table, column, err)
	}
	return sealed
}
