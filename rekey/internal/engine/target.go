package engine

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
)

// target is the column that a job works on, and the SQL that reaches it.
type target struct {
	server.JobTable
	jobs          server.Jobs
	table, column string // the policy's names
	policy        policy.Column
	shard, shards int
	terms         *terms // that the job makes or compares; nil for none
	// document is the column of JSON documents with searchable paths, or nil.
	document *seal.Column
}

// withOldSources adds the columns that values under the old policy are bound to.
func (t *target) withOldSources(c *Config, names []string) ([]string, error) {
	if c.OldPolicy == nil {
		return names, nil
	}
	old := target{table: t.table, column: t.column}
	before, err := old.describe(c.OldPolicy)
	if err != nil {
		return nil, fmt.Errorf("the old policy: %w", err)
	}
	for _, name := range before.RowKey {
		names = withSources(before, names, []policy.ContextPair{{Source: name}})
	}
	names = withSources(before, names, old.policy.Context)
	return withSources(before, names, old.policy.LegacyContext), nil
}

func newTarget(ctx context.Context, c *Config, s *driver.ValueSealer) (*target, error) {
	t := &target{table: c.Table, column: c.Column, shard: c.Shard, shards: c.Shards}
	srv, err := server.Named(string(s.Dialect()))
	if err != nil {
		return nil, err
	}
	t.jobs = srv.Jobs()
	described, err := t.describe(c.Policy)
	if err != nil {
		return nil, err
	}
	rel, types, err := exec.EngineOf(s).Relation(ctx, c.Table)
	if err != nil {
		return nil, err
	}
	if rel.View {
		return nil, fmt.Errorf("%w: %s is a view; name its table", ErrConfig, c.Table)
	}
	rowKey := described.KeyColumns()
	if !uniqueKey(rel, rowKey) {
		return nil, fmt.Errorf("%w: the row key of %s is no unique key of columns that are NOT NULL, so its rows cannot be told apart; correct the policy or add a unique index", ErrConfig, c.Table)
	}
	t.Relation = t.jobs.Quote(rel.Name)
	if rel.Schema != "" {
		t.Relation = t.jobs.Quote(rel.Schema) + "." + t.Relation
	}
	t.Value, t.Base64 = t.jobs.Quote(c.Column), t.policy.Storage == policy.Base64
	if err := t.setDocument(c, rel); err != nil {
		return nil, err
	}
	if err := t.setTerms(s, c, described); err != nil {
		return nil, err
	}
	names := withSources(described, slices.Clone(rowKey), t.policy.Context)
	names = withSources(described, names, t.policy.LegacyContext)
	if names, err = t.withOldSources(c, names); err != nil {
		return nil, err
	}
	if t.terms != nil {
		names = t.terms.withSources(names)
	}
	for i, name := range names {
		k, err := t.keyColumn(rel, types, name)
		if err != nil {
			return nil, err
		}
		if i < len(rowKey) {
			t.Key = append(t.Key, k)
		} else {
			t.Sources = append(t.Sources, k)
		}
	}
	switch {
	case c.From != "":
		return t, t.setFrom(rel, types, c.From)
	case t.terms != nil && c.Mode == Reindex:
		t.Value = t.jobs.Quote(t.terms.column)
		return t, t.setFrom(rel, types, c.Column)
	case t.terms != nil:
		return t, t.setFrom(rel, types, t.terms.column)
	}
	return t, nil
}

// setDocument notes the type of a column of JSON documents, and refuses the jobs that do
// not know documents.
func (t *target) setDocument(c *Config, rel *sqlplan.Relation) error {
	if t.policy.Paths == nil {
		return nil
	}
	if c.From != "" || c.FindOrigin {
		return fmt.Errorf("%w: %s.%s holds JSON documents, whose values are sealed in their place; leave out the column in clear and the search for origins", ErrConfig, c.Table, c.Column)
	}
	for _, rc := range rel.Columns {
		if rc.Name == c.Column {
			t.Document = rc.Type
		}
	}
	return nil
}

// setTerms chooses the terms that the job makes or compares.
func (t *target) setTerms(s *driver.ValueSealer, c *Config, described policy.Table) (err error) {
	of, err := exec.EngineOf(s).Find(c.Table, c.Column)
	if err != nil {
		return err
	}
	if t.policy.Paths != nil && len(of.TermPaths()) > 0 {
		t.document = of
		return nil
	}
	if c.Mode != Reindex && c.Mode != Verify && c.Mode != Backfill {
		return nil
	}
	if t.terms, err = termsOf(s, c, described); err != nil || t.terms == nil || c.Mode != Backfill {
		return err
	}
	for _, k := range t.policy.Equality.Keys {
		t.Terms = append(t.Terms, t.jobs.Quote(k.Column))
	}
	return nil
}

// describe finds the column in the policy.
func (t *target) describe(p *policy.Policy) (policy.Table, error) {
	for _, table := range p.Tables() {
		if table.FullName() != t.table {
			continue
		}
		for _, c := range table.Columns {
			if c.Name == t.column {
				t.policy = c
				return table, nil
			}
		}
	}
	return policy.Table{}, fmt.Errorf("%w: the policy protects no column %s.%s; name table and column as it does", ErrConfig, t.table, t.column)
}

func withSources(t policy.Table, names []string, pairs []policy.ContextPair) []string {
	for _, p := range pairs {
		if name := t.InClear(p.Source); p.Source != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// uniqueKey reports whether some unique key of columns that are not NULL lies
// within the row key.
func uniqueKey(rel *sqlplan.Relation, rowKey []string) bool {
	for _, k := range rel.UniqueKeys {
		ok := !k.Partial && len(k.Columns) > 0
		for _, name := range k.Columns {
			at := slices.IndexFunc(rel.Columns, func(c sqlplan.RelationColumn) bool { return c.Name == name })
			ok = ok && at >= 0 && rel.Columns[at].NotNull && slices.Contains(rowKey, name)
		}
		if ok {
			return true
		}
	}
	return false
}

func (t *target) keyColumn(rel *sqlplan.Relation, types []server.KeyType, name string) (server.JobColumn, error) {
	at := slices.IndexFunc(rel.Columns, func(c sqlplan.RelationColumn) bool { return c.Name == name })
	if at < 0 {
		return server.JobColumn{}, fmt.Errorf("%w: the database has no column %s.%s, which the policy names", ErrConfig, t.table, name)
	}
	k := server.JobColumn{Name: name, Quoted: t.jobs.Quote(name), Inexact: rel.Columns[at].Inexact, Hex: types[at] == server.KeyBytes}
	if err := t.jobs.Describe(&k, server.Column{RelationColumn: rel.Columns[at], Key: types[at]}); err != nil {
		return k, fmt.Errorf("%w: %s.%s: %w", ErrConfig, t.table, name, err)
	}
	return k, nil
}

// setFrom chooses how the column in clear is read: bytes as they are, every
// other type as the server's text of it.
func (t *target) setFrom(rel *sqlplan.Relation, types []server.KeyType, name string) error {
	at := slices.IndexFunc(rel.Columns, func(c sqlplan.RelationColumn) bool { return c.Name == name })
	if at < 0 || t.jobs.Quote(name) == t.Value {
		return fmt.Errorf("%w: the database has no other column %s.%s", ErrConfig, t.table, name)
	}
	t.From = t.jobs.Quote(name)
	t.FromExpr = t.jobs.Clear(t.From, types[at] == server.KeyBytes)
	return nil
}

// bound returns the row as package driver takes it.
func (t *target) bound(r *server.JobRow) (driver.Row, error) {
	out := make(driver.Row, len(t.Key)+len(t.Sources))
	put := func(k *server.JobColumn, text string, null bool) error {
		switch {
		case null:
			out[k.Name] = nil
		case k.Hex:
			b, err := hex.DecodeString(text)
			if err != nil {
				return fmt.Errorf("rekey: the server's hexadecimal of %s cannot be read", k.Name)
			}
			out[k.Name] = b
		default:
			out[k.Name] = text
		}
		return nil
	}
	for i := range t.Key {
		if err := put(&t.Key[i], r.Key[i], false); err != nil {
			return nil, err
		}
	}
	for i := range t.Sources {
		if err := put(&t.Sources[i], r.Sources[i], r.Null[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
