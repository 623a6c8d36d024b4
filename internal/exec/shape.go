package exec

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

type knownShape struct {
	version uint64
	shape   seal.Shape
}

// placed is a table in one schema: that of the policy, of a text, or of the session.
type placed struct {
	table  *seal.Table
	schema string
}

// Shape describes a table's sources as the live catalog shows them. schema is the one
// that a text names, for a table that the policy means in every schema.
func (e *Engine) Shape(ctx context.Context, t *seal.Table, schema string) (*seal.Shape, error) {
	catalog := e.config.Catalog
	var at any = t // a pointer costs no allocation
	if t.Schema != "" {
		schema = t.Schema
	} else if schema != "" {
		at = placed{t, schema}
	}
	version := catalog.Version()
	if v, ok := e.shapes.Load(at); ok {
		if known := v.(*knownShape); known.version == version {
			return &known.shape, nil
		}
	}
	rel, err := catalog.Relation(ctx, schema, t.Name)
	if err != nil {
		return nil, err
	}
	if rel == nil && schema == "" {
		if rel, err = catalog.Anywhere(ctx, t.Name); err != nil {
			return nil, err
		}
	}
	if rel == nil {
		return nil, lacks("table " + t.Label + " of the policy")
	}
	k := &knownShape{version, e.stored(t, rel)}
	for i, name := range t.Sources {
		j := slices.IndexFunc(rel.Columns, func(c sqlplan.RelationColumn) bool { return c.Name == name })
		if j < 0 && e.changed(ctx, rel) {
			return e.Shape(ctx, t, schema)
		}
		if j < 0 {
			return nil, lacks("column " + t.Name + "." + name + ", which the policy names")
		}
		k.shape.Sources[i] = server.Column{RelationColumn: rel.Columns[j], Key: e.config.Server.KeyType(rel.Columns[j])}
	}
	e.shapes.Store(at, k)
	return &k.shape, nil
}

// stored says what the columns of a relation hold: how much, and which constants in clear.
func (e *Engine) stored(t *seal.Table, rel *sqlplan.Relation) seal.Shape {
	shape := seal.Shape{Sources: make([]server.Column, len(t.Sources)), Capacity: make(map[string]int), Defaults: make(map[string]string)}
	for _, c := range rel.Columns {
		if col := t.Find(c.Name); col != nil && c.Default != "" {
			if text, ok := e.config.Server.ClearText(c.Default); ok && col.MayDefault(text) {
				shape.Defaults[c.Name] = text
			}
		}
		if n, limited := e.config.Server.Capacity(c); limited {
			shape.Capacity[c.Name] = n
		}
	}
	return shape
}

// learn reads the shapes of the tables whose values results show, where the catalog is
// asked on the session's own connection: rows that are read keep it.
func (e *Engine) learn(ctx context.Context, results []sqlplan.ResultSet) error {
	if !e.config.Catalog.Borrowed() {
		return nil
	}
	for _, set := range results {
		for _, c := range set.Columns {
			if c.Protected == nil {
				continue
			}
			if _, err := e.Shape(ctx, e.columns[c.Protected.Column].Table, c.Protected.Schema); err != nil {
				return err
			}
		}
	}
	return nil
}

func lacks(what string) error {
	return fmt.Errorf("%w: the database has no %s; correct the policy or the schema", fault.ErrCatalog, what)
}

// EngineOf returns the engine in force of a driver.ValueSealer, for tools of this
// module. Package driver sets it.
var EngineOf func(sealer any) *Engine

// Relation describes a table of the policy as the live catalog shows it, and the key
// types of its columns, in their order.
func (e *Engine) Relation(ctx context.Context, table string) (*sqlplan.Relation, []server.KeyType, error) {
	t, err := e.Table(table)
	if err != nil {
		return nil, nil, err
	}
	rel, err := e.config.Catalog.Relation(ctx, t.Schema, t.Name)
	if err != nil {
		return nil, nil, err
	}
	if rel == nil {
		return nil, nil, lacks("table " + table + " of the policy")
	}
	types := make([]server.KeyType, len(rel.Columns))
	for i, c := range rel.Columns {
		types[i] = e.config.Server.KeyType(c)
	}
	return rel, types, nil
}

// Row binds a column to a row whose values are given by column name. It fails if the
// row lacks a source that messages need. written says that the row is about to be
// written: a value that the server would store as another is an error.
func (e *Engine) Row(ctx context.Context, c *seal.Column, values map[string]any, written bool) (seal.Row, error) {
	shape, err := e.Shape(ctx, c.Table, "")
	if err != nil {
		return seal.Row{}, err
	}
	row := seal.MakeRow(len(c.Table.Sources))
	return row, c.Bind(row, shape, e.values, true, e.given(ctx, c.Table, values, written))
}

// given returns the sources of a row whose values are given by column name. Where the
// row key is a protected column its value may be given in place of its term.
func (e *Engine) given(ctx context.Context, t *seal.Table, values map[string]any, written bool) func(i int) (seal.Source, error) {
	return func(i int) (seal.Source, error) {
		v, ok := values[t.Sources[i]]
		if key := t.KeyOf(i); !ok && key != nil {
			if v, ok = values[key.Name]; ok {
				var err error
				if v, err = e.Term(ctx, key, 0, values, v); err != nil {
					return seal.Source{}, err
				}
			}
		}
		if !ok {
			return seal.Source{}, errors.New("the row given lacks it")
		}
		return seal.Source{Value: v, From: seal.Given, Written: written}, nil
	}
}

// Term returns a term of a value of a column as its column stores it, nil for NULL. key
// is the index in Search.Terms. The columns that the term depends on are given by name.
func (e *Engine) Term(ctx context.Context, c *seal.Column, key int, values map[string]any, v any) (any, error) {
	plaintext, null, err := c.Encode(e.values, v)
	defer clear(plaintext)
	if err != nil || null {
		return nil, err
	}
	return e.TermOfPlaintext(ctx, c, key, values, plaintext)
}

// TermOfPlaintext is Term for a value's plain text form.
func (e *Engine) TermOfPlaintext(ctx context.Context, c *seal.Column, key int, values map[string]any, plaintext []byte) (any, error) {
	if c.Search() == nil {
		return nil, c.Error(fault.ErrPolicy, "", "give the column search: {equality: …}", errors.New("the column has no equality terms"))
	}
	shape, err := e.Shape(ctx, c.Table, "")
	if err != nil {
		return nil, err
	}
	row := seal.MakeRow(len(c.Table.Sources))
	if err := c.BindTerm(row, shape, e.values, e.given(ctx, c.Table, values, false)); err != nil {
		return nil, c.Error(fault.ErrValue, "", "give the columns that the term depends on", err)
	}
	return e.funnel.Term(ctx, seal.TermRequest{Column: c, Key: key, Plaintext: plaintext, Row: row})
}

// Seal seals a plaintext for a row. schema is as in [sqlplan.Seal].
func (e *Engine) Seal(ctx context.Context, c *seal.Column, schema string, row seal.Row, plaintext []byte, statement string) (any, error) {
	shape, err := e.Shape(ctx, c.Table, schema)
	if err != nil {
		return nil, err
	}
	return e.funnel.Seal(ctx, seal.Value{Column: c, Plaintext: plaintext, Row: row, Capacity: shape.Capacity[c.Name], Statement: statement})
}
