// Package violation tells which protected column a server's error about a constraint is
// of: the server knows the column of its terms alone.
package violation

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sealsql/sealsql/internal/exec/catalog"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Names are what errors are named by.
type Names struct {
	Server  server.Server
	Catalog *catalog.Catalog
	Tables  []*seal.Table
}

// catalogPatience bounds the reading of a table for an error that names its key.
const catalogPatience = 2 * time.Second

// Named returns err. Where it says that a write violated a constraint of a column of
// terms, its text also names the protected column, which the application knows; its type
// and its code stay. text is the statement, empty if it is not known. Nothing is sent over
// a connection of the user's.
func (n Names) Named(ctx context.Context, text string, err error) error {
	v, ok := n.Server.Violation(err)
	if !ok {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), catalogPatience)
	defer cancel()
	var column string
	var facts []string
	for _, t := range n.violated(text, &v) {
		c, fact := n.fact(ctx, t, &v)
		if c != nil && !slices.Contains(facts, fact) {
			column, facts = c.Name, append(facts, fact)
		}
	}
	if len(facts) == 0 {
		return err
	}
	return v.Naming(column, "; "+strings.Join(facts, ", or "))
}

// Moving reports whether an error is of a unique key of terms that are moving to
// another key.
func (n Names) Moving(ctx context.Context, text string, err error) bool {
	v, ok := n.Server.Violation(err)
	if !ok || v.Key == "" {
		return false
	}
	for _, t := range n.violated(text, &v) {
		for _, name := range n.key(ctx, t, &v) {
			if c := t.Holding(name); c != nil && len(c.Search().Terms) > 1 {
				return true
			}
		}
	}
	return false
}

// violated lists the tables with terms whose constraint it may be. Where the server does
// not name the table they are those that the text names, or all: it may name a view.
func (n Names) violated(text string, v *server.Violation) []*seal.Table {
	var all, named []*seal.Table
	text = strings.ToLower(text)
	for _, t := range n.Tables {
		switch {
		case !t.Searches():
		case v.Table == "":
			if all = append(all, t); strings.Contains(text, strings.ToLower(t.Name)) {
				named = append(named, t)
			}
		case strings.EqualFold(t.Name, v.Table) && (t.Schema == "" || v.Schema == "" || t.Schema == v.Schema) || n.holdsRowsOf(v, t):
			named = append(named, t)
		}
	}
	if len(named) > 0 {
		return named
	}
	return all
}

// holdsRowsOf reports whether the relation that the server names is a partition of the
// table.
func (n Names) holdsRowsOf(v *server.Violation, t *seal.Table) bool {
	return slices.ContainsFunc(n.Catalog.Readers(), func(r *sqlplan.Relation) bool {
		return !r.View && r.Schema == v.Schema && r.Name == v.Table && strings.HasPrefix(r.ReadsProtected, t.Name+".")
	})
}

// fact says which protected column's constraint was violated; the column is nil if none
// of the table was.
func (n Names) fact(ctx context.Context, t *seal.Table, v *server.Violation) (*seal.Column, string) {
	if v.Column != "" {
		c := t.Holding(v.Column)
		if c == nil {
			return nil, ""
		}
		return c, "protected column " + t.Label + "." + c.Name + " cannot be NULL here; give it a value"
	}
	key := n.key(ctx, t, v)
	var found *seal.Column
	var others []string
	for _, name := range key {
		if c := t.Holding(name); c != nil {
			found, name = c, c.Name
		}
		others = append(others, name)
	}
	if found == nil {
		return nil, ""
	}
	s := found.Search()
	fact := "protected column " + t.Label + "." + found.Name + ": another row has an equal value"
	if !s.Exact() {
		fact = "protected column " + t.Label + "." + found.Name + ": another row has the same term, which values share"
	}
	if len(others) > 1 {
		fact += " of (" + strings.Join(others, ", ") + ")"
	}
	if len(s.Normalise) > 0 {
		fact += " after " + strings.Join(s.Normalise, ", ")
	}
	if !s.Exact() {
		return found, fact + "; give the column's search 128 bits or more"
	}
	return found, fact + "; find that row by " + found.Name
}

// key returns the columns of the unique key that was violated: as the catalog shows them, or
// as the server named them, if the key was dropped since.
func (n Names) key(ctx context.Context, t *seal.Table, v *server.Violation) []string {
	schema, name := t.Schema, t.Name
	if v.Schema != "" {
		schema, name = v.Schema, v.Table
	}
	for r := range n.Catalog.Recalled(ctx, schema, name) {
		for _, k := range r.UniqueKeys {
			if k.Name == v.Key {
				return k.Columns
			}
		}
	}
	return v.Columns
}
