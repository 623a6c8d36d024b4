package main

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
)

// fewValues is the number of distinct values below which terms tell too much: AWS's
// and CipherSweet's guidance for blind indexes warns of columns with few values.
const fewValues = 32

// terms checks the columns that hold a column's equality terms.
func (c *tableCheck) terms(ctx context.Context, db *sql.DB, pc policy.Column) error {
	e := pc.Equality
	if e == nil {
		return nil
	}
	if e.Per != "" {
		if rc, _ := c.column(e.Per); rc == nil {
			c.add(lintError, e.Line, "column-missing", c.name+"."+e.Per, "the table has no such column, which the terms of "+pc.Name+" depend on", "correct the name")
		}
	}
	found := true
	for _, k := range e.Keys {
		ok, err := c.termColumn(ctx, db, pc, k.Column)
		if err != nil {
			return err
		}
		found = found && ok
	}
	if !found {
		return nil
	}
	c.moving(pc)
	return c.leakage(ctx, db, pc)
}

// termColumn checks the column of the terms of one key.
func (c *tableCheck) termColumn(ctx context.Context, db *sql.DB, pc policy.Column, name string) (found bool, err error) {
	e, object := pc.Equality, c.name+"."+name
	rc, _ := c.column(name)
	if rc == nil {
		c.add(lintError, e.Line, "term-missing", object, "the table lacks the column that holds the terms of "+pc.Name, "run what sealsql plan prints")
		return false, nil
	}
	kind, width := storageOf(rc.Type)
	want, size := "binary", pc.Storage.Stored(e.TermSize())
	if pc.Storage == policy.Base64 {
		want = "text"
	}
	inKey := slices.Contains(c.t.KeyColumns(), name)
	switch {
	case kind != want:
		c.add(lintError, e.Line, "term-type", object, sprintf("the column is %s, and storage: %s needs another type for terms", rc.Type, pc.Storage), "run what sealsql plan prints")
	case width > 0 && width < size:
		c.add(lintError, e.Line, "term-width", object, sprintf("the column holds %d bytes, and a term has %d", width, size), "make it wider")
	case strings.HasPrefix(rc.Type, "binary(") && width != size:
		c.add(lintError, e.Line, "term-width", object, sprintf("the server fills the column up to %d bytes, and a term has %d", width, size), sprintf("make it VARBINARY(%d)", size))
	case rc.Folded:
		c.add(lintError, e.Line, "term-collation", object, "the column's collation takes different terms for equal", "make it binary, or give it a collation that compares bytes")
	case rc.NotNull && !inKey:
		c.add(lintError, e.Line, "term-not-null", object, "the column is NOT NULL, and a row without a value has no term", "let it be NULL")
	}
	if rc.Default != "" || rc.Generated {
		c.add(lintError, e.Line, "term-default", object, "the server makes a value of its own for the column", "take the default away")
	}
	if !e.Exact() && c.unique(name) {
		c.add(lintError, e.Line, "term-unique", object, sprintf("the column is in a unique key, and several values share a term of %d bits", e.Bits), "give the search 128 bits or more, or make the index without UNIQUE")
	}
	indexed, err := c.indexed(ctx, db, name, e.Per)
	if err == nil && !indexed && name == e.Keys[0].Column {
		c.add(lintWarning, e.Line, "term-not-indexed", object, "no index begins with the column, so that each search reads the whole table", "run what sealsql plan prints")
	}
	return true, err
}

// moving compares the columns of two keys, while terms move from one to the other:
// statements ask for the first, and so does ON CONFLICT.
func (c *tableCheck) moving(pc policy.Column) {
	keys := pc.Equality.Keys
	if len(keys) == 2 && c.unique(keys[1].Column) && !c.unique(keys[0].Column) {
		c.add(lintError, pc.Equality.Line, "term-unique", c.name+"."+keys[0].Column, "the terms of the second key are in a unique key, and those of the first, which statements ask for, are not", "make the index of "+keys[0].Column+" unique")
	}
}

// unique reports whether a unique key holds the column.
func (c *tableCheck) unique(name string) bool {
	return slices.ContainsFunc(c.rel.UniqueKeys, func(k sqlplan.UniqueKey) bool { return slices.Contains(k.Columns, name) })
}

// indexed reports whether an index begins with the column, or with the column that its
// terms depend on.
func (c *tableCheck) indexed(ctx context.Context, db *sql.DB, name, per string) (bool, error) {
	begins := func(columns []string) bool {
		if len(columns) > 1 && per != "" && columns[0] == per {
			columns = columns[1:]
		}
		return len(columns) > 0 && columns[0] == name
	}
	for _, k := range c.rel.UniqueKeys {
		if begins(k.Columns) {
			return true, nil
		}
	}
	list, err := c.server.Dependents(ctx, db, c.rel.Schema, c.rel.Name)
	if err != nil {
		return false, fmt.Errorf("the catalog cannot be read: %w", err)
	}
	return slices.ContainsFunc(list, func(d server.Dependent) bool { return d.Kind == server.Index && begins(indexColumns(d.Text)) }), nil
}

// indexColumns are the columns of an index's definition, as far as they are plain.
func indexColumns(text string) (list []string) {
	if _, after, ok := strings.Cut(text, "("); ok {
		text, _, _ = strings.Cut(after, ")")
	}
	for column := range strings.SplitSeq(text, ",") {
		column, _, _ = strings.Cut(strings.TrimSpace(column), " ") // what follows is its order
		list = append(list, strings.Trim(column, "\"`"))
	}
	return list
}

// leakage compares the number of rows R and of distinct terms D with the published
// rules: a short term should leave between 2·√R and R/2 terms (CipherSweet's coincidences,
// AWS's guidance on beacons).
func (c *tableCheck) leakage(ctx context.Context, db *sql.DB, pc policy.Column) error {
	return c.leaks(ctx, db, pc.Equality, c.name+"."+pc.Name, c.server.Jobs().Quote(pc.Equality.Keys[0].Column))
}

// leaks is leakage for the terms that an expression shows.
func (c *tableCheck) leaks(ctx context.Context, db *sql.DB, e *policy.Equality, object, column string) error {
	jobs := c.server.Jobs()
	table := jobs.Quote(c.rel.Schema) + "." + jobs.Quote(c.rel.Name)
	var rows, distinct int64
	if err := db.QueryRowContext(ctx, fmt.Sprintf("SELECT count(%s), count(DISTINCT %s) FROM %s", column, column, table)).Scan(&rows, &distinct); err != nil {
		return fmt.Errorf("the terms of %s cannot be counted: %w", object, err)
	}
	if rows >= fewValues && distinct < fewValues && !e.AcceptLeak {
		c.add(lintError, e.Line, "term-leak", object, sprintf("%d rows have %d distinct terms: who sees how often each occurs can guess the values", rows, distinct), "leave search out, or write accept_leak: true if that is meant")
		return nil
	}
	if e.Exact() || rows < 100 {
		return nil
	}
	least, most := 2*math.Sqrt(float64(rows)), float64(rows)/2
	if n := math.Pow(2, float64(e.Bits)); n < least || n > most {
		c.add(lintWarning, e.Line, "term-bits", object, sprintf("terms of %d bits are %.0f for %d rows; the rules ask for %.0f to %.0f", e.Bits, n, rows, least, most),
			sprintf("bits from %.0f to %.0f fit, or 256 for exact terms", math.Ceil(math.Log2(least)), math.Floor(math.Log2(most))))
	}
	return nil
}
