package exec

import (
	"context"
	"errors"
	"time"

	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// reshaped reads the run's tables again after an error that rests on what their columns hold:
// a column was too narrow, or a row key had a type that cannot be bound to or would have
// been stored as another. It reports whether a table is another by now.
func (r Run) reshaped(ctx context.Context, err error) bool {
	if !restsOnShape(err) || r.Busy && r.Engine.config.Catalog.Borrowed() {
		return false
	}
	read := map[*sqlplan.Table]bool{}
	for s := range r.Plan.AllSeals() {
		if t := s.Column.Table; !read[t] {
			if read[t] = true; r.Engine.another(ctx, r.Engine.tables[t], s.Schema) {
				return true
			}
		}
	}
	return false
}

// restsOnShape reports whether an error rests on the types of a table's columns.
func restsOnShape(err error) bool {
	_, source := errors.AsType[*seal.SourceError](err)
	_, narrow := errors.AsType[*seal.CapacityError](err)
	return source || narrow
}

// Reshaped reports whether the table is another by now, after an error that rests on the
// types of its columns. What was known of it is forgotten then.
func (e *Engine) Reshaped(ctx context.Context, t *seal.Table, err error) bool {
	return restsOnShape(err) && e.another(ctx, t, "")
}

// Reshape implements [reading.Opener].
func (e *Engine) Reshape(ctx context.Context, t *seal.Table, schema string) (*seal.Shape, error) {
	if !e.config.Catalog.Borrowed() { // rows that are being read keep the connection
		e.another(ctx, t, schema)
	}
	return e.Shape(ctx, t, schema)
}

// another reads a table of the policy again and reports whether it is another by now than
// the catalog knows. schema is as for [Engine.Shape].
func (e *Engine) another(ctx context.Context, t *seal.Table, schema string) bool {
	if t.Schema != "" {
		schema = t.Schema
	}
	known, err := e.config.Catalog.Relation(ctx, schema, t.Name)
	if err == nil && known == nil && schema == "" {
		known, err = e.config.Catalog.Anywhere(ctx, t.Name)
	}
	return err == nil && known != nil && e.changed(ctx, known)
}

// changed reads a relation again, at the rate of [plancache.Rereads.DueFor], and reports
// whether it is another by now. What was known of tables is forgotten then.
func (e *Engine) changed(ctx context.Context, known *sqlplan.Relation) bool {
	if e.config.Catalog.DB() == nil || !e.rereads.DueFor("shape\x00"+known.Schema+"\x00"+known.Name, true, time.Now()) {
		return false
	}
	now, err := e.config.Catalog.Read(ctx, known.Schema, known.Name)
	if err != nil || now.Same(known) {
		return false
	}
	e.TablesChanged()
	return true
}
