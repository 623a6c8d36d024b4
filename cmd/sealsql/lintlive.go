package main

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// live looks for triggers, generated columns, indexes and constraints over a
// protected column.
func (c *tableCheck) live(ctx context.Context, db *sql.DB, pc policy.Column) error {
	list, err := c.server.Dependents(ctx, db, c.rel.Schema, c.rel.Name)
	if err != nil {
		return fmt.Errorf("the catalog cannot be read: %w", err)
	}
	object := c.name + "." + pc.Name
	for _, d := range list {
		named := mentions(d.Text, pc.Name) && (d.Kind == server.Trigger || !besidePaths(d.Text, pc))
		switch {
		case d.Kind == server.Trigger:
			if named || d.Opaque {
				c.add(lintWarning, pc.Line, "trigger", object, "the trigger "+d.Name+" sees the column's ciphertext, and what it writes is not sealed", "make sure that it neither reads nor writes the column")
			}
		case !named:
		case d.Kind == server.GeneratedColumn:
			readers, err := c.readersOf(ctx, db, d.Name, list)
			if err != nil {
				return err
			}
			c.add(lintError, pc.Line, "generated-column", object, "the column "+d.Name+" is computed from it, and would be computed from the ciphertext"+readers, "drop it; compute it in the application")
		case d.Kind == server.Check && strings.HasPrefix(d.Name, server.GuardPrefix):
			// It is there for ciphertexts; guards looks for the right one.
		case d.Kind == server.Check && onlyTestsNull(d.Text, pc.Name):
			// A ciphertext is NULL where its value is.
		case d.Kind == server.Check:
			c.add(lintError, pc.Line, "check-constraint", object, "the constraint "+d.Name+" looks into the column, and would see the ciphertext", "drop it; check in the application")
		case d.Kind == server.Index:
			c.add(lintWarning, pc.Line, "index-on-ciphertext", object, "the index "+d.Name+" holds the column: ciphertexts have no order, and no two are equal", "drop it, or index another column")
		}
	}
	return nil
}

// onlyTestsNull reports whether a condition does nothing with the column but test it for
// NULL.
func onlyTestsNull(text, column string) bool {
	test := regexp.MustCompile(`(?i)(^|[(\s])["` + "`]?" + regexp.QuoteMeta(column) + `["` + "`]?" + ` is (not )?null\b`)
	return !mentions(test.ReplaceAllString(text, "$1"), column)
}

// mentions reports whether a definition names the column.
func mentions(text, column string) bool {
	isWord := func(r byte) bool {
		return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80
	}
	text, column = strings.ToLower(text), strings.ToLower(column)
	for at := 0; ; {
		i := strings.Index(text[at:], column)
		if i < 0 {
			return false
		}
		i += at
		end := i + len(column)
		if (i == 0 || !isWord(text[i-1])) && (end == len(text) || !isWord(text[end])) {
			return true
		}
		at = i + 1
	}
}
