package exec

import (
	"context"

	"github.com/sealsql/sealsql/internal/exec/violation"
)

// Named returns err, the error of a statement: see [violation.Names.Named].
func (e *Engine) Named(ctx context.Context, text string, err error) error {
	if err == nil {
		return nil
	}
	if e.config.Server.NoRelation(err) {
		e.plans.Drop(text) // a view of the name may be made
		e.rereads.Doubt(views)
	}
	return e.names().Named(ctx, text, err)
}

func (e *Engine) names() violation.Names {
	return violation.Names{Server: e.config.Server, Catalog: e.config.Catalog, Tables: e.funnel.Tables}
}
