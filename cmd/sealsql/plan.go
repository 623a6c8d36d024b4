package main

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
)

func (a *app) planCommand() *cobra.Command {
	var table, column string
	var down bool
	c := &cobra.Command{
		Use: "plan", Short: "Prints the DDL that a policy asks for",
		Long: `plan prints the SQL that prepares tables for the policy, for you to read and run. It runs nothing.

Each searchable column gets the column of its equality terms, with an index, and each searchable path of documents an
index over its terms. Each protected column gets a guard: a CHECK constraint that takes the forms which the policy writes and
reads, and refuses clear text, whoever writes it. The constraint's name carries a digest of what it checks:
lint and report look for that name. A column with plaintext_reads: allow gets none, since clear text may
lie in it; run plan again after the backfill.

With --down plan prints the statements that take all of it away.`,
		Example: `  sealsql plan --dialect postgres > guards.sql
  sealsql plan --dsn "$SEALSQL_DSN" --table accounts
  sealsql plan --dialect mysql --down`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, srv, db, err := a.planning(cmd.Context())
			if err != nil {
				return err
			}
			if db != nil {
				defer func() { _ = db.Close() }()
			}
			list, err := columns(p, table, column)
			if err != nil {
				return err
			}
			steps, err := planSteps(cmd.Context(), p, srv, db, list)
			if err != nil {
				return err
			}
			return a.showPlan(steps, down)
		},
	}
	f := c.Flags()
	f.StringVar(&table, "table", "", "only this table, named as the policy names it")
	f.StringVar(&column, "column", "", "only this column")
	f.BoolVar(&down, "down", false, "print the way back")
	return c
}

// planning returns the policy, the server, and the database if there is one.
func (a *app) planning(ctx context.Context) (*policy.Policy, server.Server, *sql.DB, error) {
	if a.dsn != "" {
		p, db, name, err := a.both(ctx)
		if err != nil {
			return nil, nil, nil, err
		}
		srv, err := server.Named(name)
		return p, srv, db, err
	}
	p, err := a.loadPolicy()
	if err != nil {
		return nil, nil, nil, err
	}
	if a.dialect == "" {
		return nil, nil, nil, usagef("the DDL depends on the server; pass --dialect postgres, --dialect mysql or --dsn")
	}
	name, err := dialectOf("", a.dialect)
	if err != nil {
		return nil, nil, nil, err
	}
	srv, err := server.Named(name)
	return p, srv, nil, err
}

// planStep is the DDL of one column.
type planStep struct {
	Table  string   `json:"table"`
	Column string   `json:"column"`
	Up     []string `json:"up,omitempty"`
	Down   []string `json:"down,omitempty"`
	// Why says why there is none.
	Why string `json:"why,omitempty"`

	term   string // the column of terms that the step adds
	second bool   // of the second key
	path   bool   // the terms lie in documents
}

func planSteps(ctx context.Context, p *policy.Policy, srv server.Server, db *sql.DB, list []place) ([]planStep, error) {
	var out []planStep
	var failed error
	err := eachGuard(ctx, p, srv, db, func(t policy.Table, c policy.Column, g server.Guard, ok bool) {
		table := t.FullName()
		if !slices.Contains(list, place{table, c.Name}) {
			return
		}
		step := planStep{Table: table, Column: c.Name, Why: "plaintext_reads is allow, so clear text may lie in the column; plan again after the backfill"}
		if c.Paths != nil {
			step.Why = "documents stay JSON, of which no guard tells ciphertexts from clear text"
		}
		if ok {
			step = planStep{Table: table, Column: c.Name, Up: srv.AddGuard(g), Down: []string{srv.DropGuard(g)}}
		}
		out = append(append(out, step), termSteps(srv, t, c, g.Schema)...)
		var paths []planStep
		if paths, failed = pathSteps(ctx, srv, db, t, c, g.Schema, failed); failed == nil {
			out = append(out, paths...)
		}
	})
	return out, errors.Join(err, failed)
}

// pathSteps is the DDL of the indexes over the equality terms that lie in a column's
// documents. It does nothing after a failure.
func pathSteps(ctx context.Context, srv server.Server, db *sql.DB, t policy.Table, c policy.Column, schema string, failed error) (out []planStep, err error) {
	columnType := ""
	if db != nil && failed == nil && c.Paths != nil {
		rel, err := srv.Relation(ctx, db, schema, t.Name)
		if err != nil {
			return nil, err
		}
		columnType = typeOf(rel, c.Name)
	}
	for _, p := range c.Paths {
		if p.Equality == nil {
			continue
		}
		term := termPath(schema, t.Name, c.Name, columnType, p)
		step := planStep{Table: t.FullName(), Column: c.Name + strings.TrimPrefix(p.Path, "$"), term: p.Equality.Keys[0].Column, path: true}
		if step.Up = srv.AddTermPath(term); len(step.Up) > 0 {
			step.Down = []string{srv.DropTermPath(term)}
		} else {
			step.Why = "the path has keys with quotes or backslashes; write its index by hand"
		}
		out = append(out, step)
	}
	return out, failed
}

// typeOf is a column's type in the catalog, or empty.
func typeOf(rel *sqlplan.Relation, column string) string {
	if rel != nil {
		for _, rc := range rel.Columns {
			if rc.Name == column {
				return rc.Type
			}
		}
	}
	return ""
}

// termPath is where the documents of a column hold the terms of a path.
func termPath(schema, table, column, columnType string, p policy.DocumentPath) server.TermPath {
	t := server.TermPath{Schema: schema, Table: table, Column: column, Type: columnType, Keys: p.Keys()}
	t.Keys[len(t.Keys)-1] = p.Equality.Keys[0].Column
	return t
}

// termSteps is the DDL of the columns of a column's equality terms. A column of the row
// key is made with its table.
func termSteps(srv server.Server, t policy.Table, c policy.Column, schema string) (out []planStep) {
	if c.Equality == nil || slices.Contains(t.RowKey, c.Name) {
		return nil
	}
	for i, k := range c.Equality.Keys {
		term := server.TermColumn{Schema: schema, Table: t.Name, Column: k.Column, Size: c.Storage.Stored(c.Equality.TermSize()), Text: c.Storage == policy.Base64}
		out = append(out, planStep{Table: t.FullName(), Column: c.Name, Up: srv.AddTerm(term), Down: []string{srv.DropTerm(term)}, term: k.Column, second: i > 0})
	}
	return out
}

func (a *app) showPlan(steps []planStep, down bool) error {
	if a.output == "json" {
		return a.json(steps)
	}
	for _, s := range steps {
		statements := s.Up
		if down {
			statements = s.Down
		}
		a.printf("-- %s.%s: %s\n", s.Table, s.Column, s.says(down))
		for _, text := range statements {
			a.printf("%s;\n", text)
		}
	}
	return nil
}

// says describes the step.
func (s *planStep) says(down bool) string {
	switch {
	case s.Why != "":
		return s.Why
	case down:
		return "the way back"
	case s.path:
		return "an index over the equality terms in " + s.term + "; write what it is over as the application's comparisons do"
	case s.second:
		return "equality terms of the second key in " + s.term + "; where values are unique, drop this index and write CREATE UNIQUE INDEX once report says that no term is missing"
	case s.term != "":
		return "equality terms in " + s.term + "; where values are unique, write CREATE UNIQUE INDEX"
	}
	return "clear text is refused, whoever writes it"
}
