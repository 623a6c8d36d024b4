package exec

import (
	"context"

	"github.com/sealsql/sealsql/internal/exec/lineage"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Describe compares a plan with what the server says of the columns that a text
// returns, before the text is carried out: once for each plan, and only where the base
// driver knows without a further exchange. It does not rely on the planner, and refuses
// where the two differ.
func (r Run) Describe(ctx context.Context, text string) error {
	switch {
	case r.Args.Prepared:
		return r.describe(ctx, text, server.Prepared)
	case r.Batched:
		return r.DescribeNow(ctx, text)
	}
	return r.describe(ctx, text, server.Cached)
}

// describe is Describe by a description that the base driver keeps. Where the two
// differ, the server is asked again: what is kept may be older than the table.
func (r Run) describe(ctx context.Context, text string, from server.Description) error {
	e := r.Engine
	if e.config.Catalog.DB() == nil || len(r.Args.Options) > 0 || e.plans.Described(r.Plan) {
		return nil
	}
	var set sqlplan.ResultSet
	if len(r.Plan.Results) > 0 {
		set = r.Plan.Results[0]
	}
	var differs error
	for _, from := range []server.Description{from, server.Fresh} {
		columns, known, err := e.config.Server.Describe(ctx, r.Conn, text, from)
		if err != nil || !known {
			return err
		}
		if differs, err = lineage.Compare(ctx, e.rules, e.config.Catalog, columns, set.Columns); err != nil {
			return err
		}
		if differs == nil && from != server.Fresh {
			e.plans.NoteDescribed(r.Args.Text, r.Plan)
		}
		if differs == nil {
			return nil
		}
	}
	e.config.Counters.LineageRefused.Add(1)
	return differs
}
