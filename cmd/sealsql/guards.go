package main

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// guardState is what the catalog says of the guard of a column.
type guardState string

const (
	guardHolds       guardState = "holds"
	guardMissing     guardState = "missing"
	guardNotEnforced guardState = "not enforced for every row"
	guardNone        guardState = "none, since plaintext_reads is allow"
	guardDocument    guardState = "none, since documents stay JSON"
)

// eachGuard calls f with the guard of each protected column, in the policy's order; ok
// is false for a column that can have none. With a database, a table without a schema in
// the policy means the table that the session finds, or else the table of each schema.
func eachGuard(ctx context.Context, p *policy.Policy, srv server.Server, db *sql.DB, f func(t policy.Table, c policy.Column, g server.Guard, ok bool)) error {
	for _, t := range p.Tables() {
		schemas, err := schemasOf(ctx, srv, db, t)
		if err != nil {
			return fmt.Errorf("the schemas of %s cannot be read: %w", t.FullName(), err)
		}
		for _, schema := range schemas {
			for _, c := range t.Columns {
				g, ok := server.NewGuard(p, t, c)
				g.Schema = schema
				f(t, c, g, ok)
			}
		}
	}
	return nil
}

func schemasOf(ctx context.Context, srv server.Server, db *sql.DB, t policy.Table) ([]string, error) {
	if t.Schema != "" || db == nil {
		return []string{t.Schema}, nil
	}
	r, err := srv.Relation(ctx, db, "", t.Name)
	if err != nil {
		return nil, err
	}
	if r != nil {
		return []string{r.Schema}, nil
	}
	return srv.SchemasOf(ctx, db, t.Name)
}

// guardStates calls f with the state of the guard of each protected column.
func guardStates(ctx context.Context, p *policy.Policy, srv server.Server, db *sql.DB, f func(t policy.Table, c policy.Column, g server.Guard, s guardState)) error {
	known := map[string]map[string]bool{} // by relation
	var failed error
	err := eachGuard(ctx, p, srv, db, func(t policy.Table, c policy.Column, g server.Guard, ok bool) {
		relation := g.Schema + "." + g.Table
		if known[relation] == nil && failed == nil {
			known[relation], failed = srv.Guards(ctx, db, g.Schema, g.Table)
		}
		state := guardMissing
		switch enforced, found := known[relation][g.Name()]; {
		case c.Paths != nil:
			state = guardDocument
		case !ok:
			state = guardNone
		case found && enforced:
			state = guardHolds
		case found:
			state = guardNotEnforced
		}
		f(t, c, g, state)
	})
	if failed != nil {
		return fmt.Errorf("the constraints cannot be read: %w", failed)
	}
	return err
}

// guards warns of columns into which the server lets clear text.
func (l *linter) guards(ctx context.Context, db *sql.DB, dialect string) error {
	srv, err := server.Named(dialect)
	if err != nil {
		return err
	}
	return guardStates(ctx, l.policy, srv, db, func(t policy.Table, c policy.Column, g server.Guard, s guardState) {
		object := t.FullName() + "." + c.Name
		missing := slices.ContainsFunc(l.findings, func(f lintFinding) bool { return f.Check == "column-missing" && f.Object == object })
		switch {
		case s == guardMissing && !missing:
			l.add(lintWarning, c.Line, "guard-missing", object, "no constraint keeps clear text out of the column", "run what sealsql plan prints")
		case s == guardNotEnforced:
			l.add(lintWarning, c.Line, "guard-not-enforced", object, "the constraint "+g.Name()+" does not hold for every row", "validate it as sealsql plan prints")
		}
	})
}
