package exec

import (
	"cmp"
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"strings"
	"time"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec/coltypes"
	"github.com/sealsql/sealsql/internal/exec/sealing"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// stale reports whether a statement failed for what was known of tables alone, before it
// wrote anything that stays.
func (r Run) stale(ctx context.Context, err error) bool {
	if errors.Is(err, sealing.ErrRetyped) || r.reshaped(ctx, err) {
		return true
	}
	if direct(r.Plan) || !r.Engine.noteStale(err) {
		return false
	}
	open, err := r.Base.InTx(ctx)
	return err == nil && !open
}

// replanned returns the run, after [sealing.ErrRetyped], with a plan by what the tables are now.
func (r Run) replanned(ctx context.Context) (Run, error) {
	var err error
	if r.Plan, err = r.Engine.Plan(ctx, r.Args.Text); err == nil && !r.Plan.Protected {
		err = sealing.ErrRetyped
	}
	return r, err
}

// retyped reads a table again and reports whether the types of the columns that the
// policy names are others by now. What was known of tables is forgotten then.
func (e *Engine) retyped(ctx context.Context, t *sqlplan.Table, schema string) (bool, error) {
	changed, err := e.types().Changed(ctx, t, schema)
	if changed {
		e.TablesChanged()
	}
	return changed, err
}

func (e *Engine) types() coltypes.Types { return coltypes.Types{Catalog: e.config.Catalog} }

// sure fails with [sealing.ErrRetyped] if a given value of a source may be another key in a
// column of another type, and the column has another type by now. The table is read again
// for it.
func (r Run) sure(ctx context.Context, s *sqlplan.Seal, c *server.Column, v any) error {
	e, t, ambiguity := r.Engine, s.Column.Table, server.AmbiguityOf(c, v)
	if ambiguity == server.Unambiguous || e.config.Catalog.DB() == nil || r.Busy && e.config.Catalog.Borrowed() ||
		!e.rereads.DueFor("types\x00"+s.Schema+"\x00"+t.Schema+"\x00"+t.Name, ambiguity == server.Ambiguous, time.Now()) {
		return nil
	}
	if changed, err := e.retyped(ctx, t, s.Schema); err != nil || !changed {
		return err
	}
	return sealing.ErrRetyped
}

// typed fails before a text is sent whose parameters the server takes as other types than
// the columns that they are given for, if that makes other keys of their values:
// a text may have a type of its own for a parameter, and a table another type by now.
func (r Run) typed(ctx context.Context, b *sealing.Binding, text string, t *sqlplan.Template, seals sqlplan.Seals) error {
	if len(b.Params) == 0 {
		return nil
	}
	var types []server.KeyType // by the user's parameters
	for _, s := range seals.All() {
		for k, o := range s.Sources {
			if o.Kind != sqlplan.OperandParam || o.Of != nil {
				continue
			}
			if types == nil {
				list, err := r.parameters(ctx, text, t)
				if err != nil || list == nil {
					return err
				}
				types = sqlplan.ByUser(t, list, len(b.Params))
			}
			if err := r.typedAs(ctx, b, s, k, types[o.Param]); err != nil {
				return err
			}
		}
	}
	return nil
}

// typedAs is typed for one source.
func (r Run) typedAs(ctx context.Context, b *sealing.Binding, s *sqlplan.Seal, k int, as server.KeyType) error {
	shape, err := r.Engine.Shape(ctx, r.Engine.tables[s.Table], s.Schema)
	if err != nil {
		return err
	}
	c := shape.Sources[k]
	if as == c.Key || as == server.KeyUnsupported || c.Key == server.KeyUnsupported {
		return nil
	}
	v := b.Params[s.Sources[k].Param].Value
	stored, err := b.Values.Given(&c, v)
	if err != nil {
		return nil // it was bound already, or the value is not used
	}
	sent, err := b.Values.Given(&server.Column{Key: as}, v)
	if err == nil && sent == stored {
		return nil
	}
	if changed, err := r.Engine.retyped(ctx, s.Column.Table, s.Schema); err != nil || changed {
		return cmp.Or(err, sealing.ErrRetyped)
	}
	col := r.Engine.columns[s.Column]
	return col.Error(fault.ErrValue, "", "pass the value as the column stores it, or cast the parameter to the column's type where else the text uses it",
		&seal.SourceError{Table: col.Table.Name, Source: col.Table.Sources[k], Cause: errors.New("the server takes the argument as another type than the column's, and would store another value")})
}

// parameters returns what the server takes the arguments of a text as; nil where it takes
// none. Where the base driver keeps no description, the server is asked for that of the
// plan's own text once.
func (r Run) parameters(ctx context.Context, text string, t *sqlplan.Template) ([]server.KeyType, error) {
	e := r.Engine
	if e.config.Catalog.DB() == nil || r.Busy {
		return nil, nil
	}
	main := t == &r.Plan.Main
	if main {
		if types, ok := e.plans.Parameters(r.Plan).([]server.KeyType); ok {
			return types, nil
		}
	}
	from := server.Cached
	switch {
	case r.Batched:
		from = server.Fresh
	case r.Args.Prepared && main && direct(r.Plan):
		from = server.Prepared
	}
	types, kept, err := e.config.Server.Parameters(ctx, r.Conn, text, from, r.Args.Options)
	if err == nil && main && types != nil && !kept {
		e.plans.NoteParameters(r.Args.Text, r.Plan, types)
	}
	return types, err
}

// shownAs fails with [sealing.ErrRetyped] if a result shows a column, which values are verified
// against, in another type than the table had when it was read.
func (r Run) shownAs(ctx context.Context, base sqldriver.Rows) error {
	if len(r.Plan.Results) == 0 {
		return nil
	}
	for _, c := range r.Plan.Results[0].Columns {
		if p := c.Protected; p != nil {
			if err := r.readAs(ctx, base, p.Table, p.Schema, p.Sources); err != nil {
				return err
			}
		}
	}
	return nil
}

// lockedAs is shownAs for the rows of a table that were locked.
func (r Run) lockedAs(ctx context.Context, base sqldriver.Rows, p *sqlplan.LockedTable) error {
	if p.Seals.Len() == 0 {
		return nil
	}
	at := make([]int, len(p.Table.Sources))
	for k := range at {
		at[k] = len(p.Table.RowKey) + k
	}
	return r.readAs(ctx, base, p.Table, p.Seals.At(0, &sqlplan.Seal{}).Schema, at)
}

// readAs compares the types in which a result shows a table's sources, at the columns
// given, with those that the catalog knows. What a text casts is compared once for each
// plan.
func (r Run) readAs(ctx context.Context, base sqldriver.Rows, t *sqlplan.Table, schema string, at []int) error {
	e := r.Engine
	named, ok := base.(sqldriver.RowsColumnTypeDatabaseTypeName)
	if !ok || e.config.Catalog.DB() == nil || r.Busy && e.config.Catalog.Borrowed() {
		return nil
	}
	shape, err := e.Shape(ctx, e.tables[t], schema)
	if err != nil {
		return err
	}
	differs, seen := false, ""
	for k, column := range at {
		if column < 0 {
			continue
		}
		name := named.ColumnTypeDatabaseTypeName(column)
		key := e.config.Server.KeyType(sqlplan.RelationColumn{Type: strings.ToLower(strings.TrimPrefix(name, "UNSIGNED "))})
		if differs = differs || key != shape.Sources[k].Key; differs {
			seen += name + "\x00"
		}
	}
	if !differs || e.plans.ShownAs(r.Plan, t, seen) {
		return nil
	}
	if changed, err := e.retyped(ctx, t, schema); err != nil || changed {
		return cmp.Or(err, sealing.ErrRetyped)
	}
	e.plans.NoteShownAs(r.Args.Text, r.Plan, t, seen)
	return nil
}
