package exec

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec/catalog"
	"github.com/sealsql/sealsql/internal/exec/plancache"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// lockedAfter is how long a transaction waits for the catalog before its own connection is
// asked.
const lockedAfter = time.Second

// Plan returns the plan for a text, from the cache if it can. A refusal that rests on
// relations which have changed meanwhile is never returned: see outdated.
func (e *Engine) Plan(ctx context.Context, text string) (*sqlplan.Plan, error) {
	return e.planOn(ctx, nil, text)
}

// planOn is Plan for a connection. If its transaction may hold locks for which reading the
// catalog waits, the catalog is given up after lockedAfter.
func (e *Engine) planOn(ctx context.Context, base sqldriver.Conn, text string) (*sqlplan.Plan, error) {
	if e.config.Catalog.Stale() {
		go e.reload()
	}
	if p := e.plans.Get(text); p != nil && !e.outdated(ctx, text, p.Refused) {
		return p.Plan, p.Err
	}
	if base != nil && !e.config.Server.Settled(base) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lockedAfter)
		defer cancel()
	}
	unlisted := e.config.Catalog.Unlisted()
	version, plan, err := e.planAnew(ctx, text)
	refused, _ := errors.AsType[*sqlplan.Refusal](err)
	if e.outdated(ctx, text, refused) {
		version, plan, err = e.planAnew(ctx, text)
	}
	if err == nil && e.doubtsViews(plan, text, unlisted) && e.newViews(ctx) {
		version, plan, err = e.planAnew(ctx, text)
	}
	if err == nil && len(plan.Implied) > 0 {
		var changed bool
		if changed, err = e.reordered(ctx, plan.Implied); changed {
			version, plan, err = e.planAnew(ctx, text)
		}
	}
	if err == nil && len(plan.Attaches) > 0 {
		e.plans.Clear() // texts that name the relation mean another thing now
	}
	refused, _ = errors.AsType[*sqlplan.Refusal](err)
	if err != nil {
		err = planError(err)
		if errors.Is(err, fault.ErrCatalog) || ended(err) {
			return nil, err // it may answer next time
		}
		plan = nil
	}
	if e.keeps(version, plan) {
		e.plans.Put(text, &plancache.Entry{Plan: plan, Err: err, Refused: refused})
	}
	return plan, err
}

// keeps reports whether a plan that was made by the catalog of the version serves again.
// DDL is planned each time by what the catalog says then.
func (e *Engine) keeps(version uint64, plan *sqlplan.Plan) bool {
	return version == e.config.Catalog.Version() && (plan == nil || !plan.Defines)
}

// planAnew plans the text. version is that of the catalog before it was asked.
func (e *Engine) planAnew(ctx context.Context, text string) (version uint64, plan *sqlplan.Plan, err error) {
	version = e.config.Catalog.Version()
	if plan, err = e.planner.Plan(ctx, text); err == nil {
		plan.Version = version
		plan, err = e.types().Respelt(ctx, plan)
	}
	if err == nil {
		err = e.verifiable(plan)
	}
	return version, plan, err
}

// outdated reads the relations again that a refusal of the text rests on, and the list of
// views if the text may name one of them, each at the rate of [plancache.Rereads.DueFor].
// It reports whether one is another by now: somebody may have added the
// column, or dropped the default, that the statement was refused for. What was known
// of tables is forgotten then. A relation that cannot be read counts as unchanged.
func (e *Engine) outdated(ctx context.Context, text string, r *sqlplan.Refusal) bool {
	if r == nil || e.config.Catalog.DB() == nil {
		return false
	}
	for _, x := range r.Asked {
		if !e.rereads.DueFor(x.Schema+"\x00"+x.Name, true, time.Now()) {
			continue
		}
		now, err := e.config.Catalog.Read(ctx, x.Schema, x.Name)
		if err == nil && !now.Same(x.Relation) {
			e.TablesChanged()
			return true
		}
	}
	return (e.config.Catalog.NamesReader(text) || e.rules.NamesAttached(text)) && e.rereads.DueFor(views, true, time.Now()) && e.newViews(ctx)
}

// reordered reads relations again whose columns a text names by their order alone,
// as INSERT without a column list does, and reports whether one has other columns by
// now: a value would be sent in clear to the column that took another column's place.
func (e *Engine) reordered(ctx context.Context, list []*sqlplan.Relation) (bool, error) {
	if e.config.Catalog.DB() == nil {
		return false, nil
	}
	for _, r := range list {
		now, err := e.config.Catalog.Read(ctx, r.Schema, r.Name)
		if err != nil {
			return false, err
		}
		if now == nil || !slices.Equal(now.Columns, r.Columns) {
			e.TablesChanged()
			return true, nil
		}
	}
	return false, nil
}

// doubtsViews reports whether a text may read or write a view that somebody has just made:
// it names a protected column and no protected relation, or a view that is not in the
// list. Any other text that touches nothing protected has the list read again if it has
// a word that no text had before, or if that was not done lately. unlisted is the number of
// views outside the list before it was planned.
func (e *Engine) doubtsViews(plan *sqlplan.Plan, text string, unlisted uint64) bool {
	c := e.config.Catalog
	switch {
	case c.Unlisted() != unlisted:
		return true
	case plan.Protected || c.DB() == nil || !catalog.NamesRelation(text):
		return false
	}
	return e.rules.NamesColumn(text) || c.NewName(text) || e.rereads.Due(views, time.Now())
}

// views is the name under which the list of views is due to be read again.
const views = ""

// newViews reads the list of views that read protected columns again. It reports whether
// the list changed.
func (e *Engine) newViews(ctx context.Context) bool {
	if e.config.Catalog.DB() == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return e.readViews(ctx)
}

// readViews reads the list of views again and reports whether it changed. If it
// cannot be read, the list as last read serves.
func (e *Engine) readViews(ctx context.Context) bool {
	undone := e.detached(ctx)
	changed, err := e.config.Catalog.Load(ctx, e.config.Catalog.DB(), e.rules)
	if err != nil {
		return false
	}
	listed := e.rules.Listed(e.config.Catalog.Readers())
	if changed = e.rules.Undone(undone) || listed || changed; !changed {
		return false
	}
	e.TablesChanged()
	return true
}

// detached are the relations that planned texts attached to protected tables and that no
// transaction attaches now. What the catalog lists afterwards was committed.
func (e *Engine) detached(ctx context.Context) []sqlplan.Attached {
	return slices.DeleteFunc(e.rules.Attached(), func(x sqlplan.Attached) bool {
		pending, err := e.config.Server.Attaching(ctx, e.config.Catalog.DB(), x.Parent)
		return pending || err != nil
	})
}

// reload reads the list of views again, in the background.
func (e *Engine) reload() {
	defer e.config.Catalog.Settled()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	e.readViews(ctx)
}

// TablesChanged forgets what was known of tables, and every plan made with it.
func (e *Engine) TablesChanged() {
	e.config.Catalog.Forget()
	e.plans.Clear()
}

// verifiable refuses a plan that shows a value whose row it does not show,
// where the policy says so.
func (e *Engine) verifiable(plan *sqlplan.Plan) error {
	for _, set := range plan.Results {
		for _, c := range set.Columns {
			p := c.Protected
			if p == nil || !p.Unverifiable {
				continue
			}
			if col := e.columns[p.Column]; col.HidesRejected() {
				return &sqlplan.Refusal{Asked: plan.Asked, Object: col.Table.Label + "." + col.Name,
					What: "the statement's shape hides which row a protected value belongs to",
					Hint: "select the row key beside it without DISTINCT, GROUP BY or set operations, or set unverifiable: alert for the column"}
			}
		}
	}
	return nil
}

// planError turns what the planner returned into what users see.
func planError(err error) error {
	if r, ok := errors.AsType[*sqlplan.Refusal](err); ok {
		refused := &fault.RefusedError{Line: r.Line, Column: r.Column, Object: r.Object, What: r.What, Hint: r.Hint}
		if r.Apart != nil {
			return &apartError{refused, r.Apart}
		}
		return refused
	}
	if errors.Is(err, fault.ErrCatalog) || ended(err) {
		return err
	}
	return fmt.Errorf("%w: %w", fault.ErrCatalog, err)
}

// ended reports whether an error is that of a context.
func ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
