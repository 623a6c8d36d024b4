// Package coltypes follows the types of the columns that a policy names: by them the server
// decides what it stores for an argument, and which key a value is sealed for.
package coltypes

import (
	"context"

	"github.com/sealsql/sealsql/internal/exec/catalog"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Types are the types that a catalog shows.
type Types struct{ Catalog *catalog.Catalog }

// Respelt returns the plan with texts that the base driver knows with the present types
// of its tables' columns only.
func (t Types) Respelt(ctx context.Context, plan *sqlplan.Plan) (*sqlplan.Plan, error) {
	if !plan.Protected || t.Catalog.DB() == nil {
		return plan, nil
	}
	type place struct {
		table  *sqlplan.Table
		schema string
	}
	done := map[place]bool{}
	space := ""
	add := func(of *sqlplan.Table, schema string) error {
		if done[place{of, schema}] {
			return nil
		}
		done[place{of, schema}] = true
		types, err := t.Of(ctx, of, schema)
		if err == nil && types != "" {
			space += t.Catalog.Space(of.Schema+"\x00"+of.Name, types)
		}
		return err
	}
	for s := range plan.AllSeals() {
		if err := add(s.Column.Table, s.Schema); err != nil {
			return nil, err
		}
	}
	for _, set := range plan.Results {
		for _, c := range set.Columns {
			if c.Protected != nil {
				if err := add(c.Protected.Table, c.Protected.Schema); err != nil {
					return nil, err
				}
			}
		}
	}
	return plan.Respelt(space), nil
}

// Of spells the types of the columns of a table that the policy names; empty if
// there is no such table.
func (t Types) Of(ctx context.Context, table *sqlplan.Table, schema string) (string, error) {
	if table.Schema != "" {
		schema = table.Schema
	}
	rel, err := t.Catalog.Relation(ctx, schema, table.Name)
	if err == nil && rel == nil && schema == "" {
		rel, err = t.Catalog.Anywhere(ctx, table.Name)
	}
	if err != nil || rel == nil {
		return "", err
	}
	return table.TypesIn(rel), nil
}

// Changed reads a table again and reports whether its types are others than those that the
// catalog knows.
func (t Types) Changed(ctx context.Context, table *sqlplan.Table, schema string) (bool, error) {
	before, err := t.Of(ctx, table, schema)
	if err != nil || before == "" {
		return false, err
	}
	if table.Schema != "" {
		schema = table.Schema
	}
	now, err := t.Catalog.Read(ctx, schema, table.Name)
	return err == nil && now != nil && table.TypesIn(now) != before, err
}
