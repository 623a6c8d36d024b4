package exec

import (
	"database/sql"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/internal/exec/catalog"
	"github.com/sealsql/sealsql/internal/exec/plancache"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// NewDescribing returns an engine that can do no more than compare plans with what a
// server describes.
func NewDescribing(s server.Server, db *sql.DB, rules *sqlplan.Rules) (*Engine, *alert.Counters) {
	c := alert.NewCounters()
	return &Engine{config: Config{Server: s, Catalog: catalog.Borrow(s, db), Counters: c}, rules: rules, plans: plancache.New(10, 1<<20)}, c
}

// Keep puts a plan into the engine's cache.
func (e *Engine) Keep(text string, plan *sqlplan.Plan) {
	e.plans.Put(text, &plancache.Entry{Plan: plan})
}

// Described reports whether the engine remembers that a plan agrees.
func (e *Engine) Described(plan *sqlplan.Plan) bool { return e.plans.Described(plan) }
