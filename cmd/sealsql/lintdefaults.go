package main

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
)

// defaults looks at the constant that a column has as its DEFAULT, or that the policy names,
// and counts the rows that hold it in clear.
func (c *tableCheck) defaults(ctx context.Context, db *sql.DB, pc policy.Column, rc *sqlplan.RelationColumn) error {
	object := c.name + "." + pc.Name
	if pc.Paths != nil {
		return nil
	}
	live, isText := c.server.ClearText(rc.Default)
	isText = isText && rc.Default != ""
	held := isText && (pc.Default != nil && *pc.Default == live || live == "" && (pc.Type == policy.TypeString || pc.Type == policy.TypeBytes))
	if rc.Default != "" && !held {
		c.add(lintWarning, pc.Line, "column-default", object, "the column has a default, which the server would store in clear", "drop the default")
	}
	if pc.Default != nil {
		live, held = *pc.Default, true
	}
	if !held {
		return nil
	}
	rows, err := c.holding(ctx, db, pc, live)
	switch {
	case err != nil:
		return err
	case rows > 0:
		c.add(lintWarning, pc.Line, "default-in-clear", object, sprintf("%d rows hold the column's default in clear, which ADD COLUMN, or a client other than sealsql, wrote; reads hand it out and count it", rows), "run sealsql backfill")
	case pc.Default != nil && rc.Default == "":
		c.add(lintNote, pc.Line, "default-gone", object, "no row holds the default in clear, and the column has none any more", "take default out of the policy: then nothing in clear is handed out")
	default:
		c.add(lintNote, pc.Line, "default-sealed", object, "no row holds the column's default in clear: what sealsql inserts holds it sealed",
			"once no other client inserts rows, add the guard that sealsql plan prints, or drop the default: then nothing in clear is handed out")
	}
	return nil
}

// holding counts the rows that hold a text in clear.
func (c *tableCheck) holding(ctx context.Context, db *sql.DB, pc policy.Column, text string) (rows int64, err error) {
	jobs := c.server.Jobs()
	var arg any = text
	if pc.Storage == policy.Binary {
		arg = []byte(text)
	}
	query := fmt.Sprintf("SELECT count(*) FROM %s.%s WHERE %s = %s", jobs.Quote(c.rel.Schema), jobs.Quote(c.rel.Name), jobs.Quote(pc.Name), jobs.Placeholder(1))
	if err := db.QueryRowContext(ctx, query, arg).Scan(&rows); err != nil {
		return 0, fmt.Errorf("the rows that hold the default of %s.%s cannot be counted: %w", c.name, pc.Name, err)
	}
	return rows, nil
}

// readersOf names what reads a generated column: indexes, constraints, triggers and other
// generated columns of the table, and views.
func (c *tableCheck) readersOf(ctx context.Context, db *sql.DB, column string, list []server.Dependent) (string, error) {
	var names []string
	for _, d := range list {
		if mentions(d.Text, column) && d.Name != column {
			names = append(names, map[server.DependentKind]string{server.Trigger: "trigger ", server.GeneratedColumn: "column ", server.Check: "constraint ", server.Index: "index "}[d.Kind]+d.Name)
		}
	}
	for _, k := range c.rel.UniqueKeys {
		if slices.Contains(k.Columns, column) {
			names = append(names, "unique key "+k.Name)
		}
	}
	table := &sqlplan.Table{Schema: c.rel.Schema, Name: c.rel.Name}
	table.Columns = []*sqlplan.Column{{Table: table, Name: column}}
	views, err := c.server.Readers(ctx, db, &sqlplan.Rules{Tables: []*sqlplan.Table{table}})
	if err != nil {
		return "", fmt.Errorf("the catalog cannot be read: %w", err)
	}
	for _, v := range views {
		if v.View && v.ReadsProtected != sqlplan.Unseen {
			names = append(names, "view "+v.Name)
		}
	}
	if len(names) == 0 {
		return "", nil
	}
	return "; it is read by " + strings.Join(names, ", "), nil
}
