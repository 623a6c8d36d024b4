package exec

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Session plans the texts of one connection. The zero value is that of a connection
// that was just opened. It is used by one goroutine at a time.
//
// Most connections keep the settings they were opened with, and share plans. A
// connection on which a text changed what names mean or how texts are read (the
// search path, the role, sql_mode, a temporary table) asks its own session whenever a
// text names a protected table: such settings come and go with transactions.
type Session struct {
	changed bool
	db      *sql.DB // lends the connection, to ask its session
}

// Plan returns the plan for a text on the connection, and the engine that made it: e
// itself, or one for the session's settings that serves this statement alone.
func (s *Session) Plan(ctx context.Context, e *Engine, base sqldriver.Conn, d sqldriver.Driver, text string) (*Engine, *sqlplan.Plan, error) {
	plan, err := e.Plan(ctx, text)
	if s.changed && (err != nil || plan.Named) {
		if s.db == nil {
			s.db = Lend(base, d)
		}
		mine, failed := e.forSession(ctx, s.db)
		if failed != nil {
			return nil, nil, failed
		}
		if mine != e {
			e = mine
			plan, err = e.Plan(ctx, text)
		}
	}
	if err == nil {
		s.Note(plan)
	}
	return e, plan, err
}

// Note remembers that a plan's text is about to change the session.
func (s *Session) Note(plan *sqlplan.Plan) {
	if plan.Session {
		s.changed = true
	}
}

// Changed reports whether a text changed the session's settings.
func (s *Session) Changed() bool { return s.changed }

// Close ends the session. It leaves the connection open.
func (s *Session) Close() {
	if s.db != nil {
		_ = s.db.Close() // it holds nothing but the lent connection
	}
}

// forSession returns an engine that plans by the settings and the catalog of the
// session that db reaches: e itself if they are its own.
func (e *Engine) forSession(ctx context.Context, db *sql.DB) (*Engine, error) {
	s, err := e.config.Server.Session(ctx, db)
	if err != nil {
		return nil, err
	}
	if s == e.session {
		return e, nil
	}
	mine := &Engine{config: e.config, funnel: e.funnel, rules: e.rules, columns: e.columns, tables: e.tables,
		plans: newPlanCache(1, cachedTextBytes), maxRows: e.maxRows, maxBytes: e.maxBytes, starting: make(chan struct{}, 1), session: s}
	mine.config.Catalog = e.config.Catalog.of(db)
	mine.planner = e.config.Server.Planner(e.rules, mine.config.Catalog, s)
	mine.values = e.config.Server.Values(s, nil, nil)
	mine.ready.Store(true)
	return mine, nil
}
