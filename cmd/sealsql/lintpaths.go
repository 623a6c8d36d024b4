package main

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// pathTerms checks the equality terms that lie in a column's documents.
func (c *tableCheck) pathTerms(ctx context.Context, db *sql.DB, pc policy.Column, columnType string) error {
	for _, p := range pc.Paths {
		if p.Equality == nil {
			continue
		}
		object := c.name + "." + pc.Name + strings.TrimPrefix(p.Path, "$")
		indexed, err := c.termIndexed(ctx, db, pc.Name, p.Equality.Keys[0].Column)
		if err != nil {
			return err
		}
		if !indexed {
			c.add(lintWarning, p.Line, "term-not-indexed", object, "no index is over the terms of the path, so that each search reads the whole table", "run what sealsql plan prints")
		}
		text := c.server.TermText(termPath(c.rel.Schema, c.rel.Name, pc.Name, columnType, p))
		if text == "" {
			continue
		}
		if err := c.leaks(ctx, db, p.Equality, object, "NULLIF("+text+", 'null')"); err != nil {
			return err
		}
	}
	return nil
}

// termIndexed reports whether an index, or an indexed column that is computed, reads the member
// of a column's documents.
func (c *tableCheck) termIndexed(ctx context.Context, db *sql.DB, column, member string) (bool, error) {
	list, err := c.server.Dependents(ctx, db, c.rel.Schema, c.rel.Name)
	if err != nil {
		return false, fmt.Errorf("the catalog cannot be read: %w", err)
	}
	for _, d := range list {
		if !mentions(d.Text, column) || !mentions(d.Text, member) {
			continue
		}
		if d.Kind == server.Index {
			return true, nil
		}
		if d.Kind != server.GeneratedColumn {
			continue
		}
		if ok, err := c.indexed(ctx, db, d.Name, ""); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// besidePaths reports whether a definition reads parts of a column's documents alone, none of
// which holds a protected value: the terms that lie beside them, and what is in clear. Documents
// are JSON as long as their values are sealed.
func besidePaths(text string, pc policy.Column) bool {
	if pc.Paths == nil {
		return false
	}
	part := regexp.MustCompile(`(?i)(^|[^\w])["` + "`]?" + regexp.QuoteMeta(pc.Name) + `["` + "`]?" + `\)?(::jsonb?)?\)?\s*(->|#>|\[|,\s*(_[a-z0-9]+)?\\?'\$)`)
	valid := regexp.MustCompile(`(?i)json_valid\(["` + "`]?" + regexp.QuoteMeta(pc.Name) + `["` + "`]?" + `\)`)
	return !mentions(part.ReplaceAllString(valid.ReplaceAllString(text, ""), "$1"), pc.Name) && !slices.ContainsFunc(pc.Paths, func(p policy.DocumentPath) bool {
		keys := p.Keys()
		return mentions(text, keys[len(keys)-1])
	})
}
