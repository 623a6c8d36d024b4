package exec

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"unicode/utf8"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec/loan"
	"github.com/sealsql/sealsql/internal/exec/owntx"
	"github.com/sealsql/sealsql/internal/exec/plancache"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Session plans the texts of one connection by the settings that its session has. The
// zero value is that of a connection that was just opened. It is used by one
// goroutine at a time.
//
// The settings are the server's answer, never a guess from texts: the DSN, another
// client, a role or a stored program may have set them. They are asked for before the
// first text that names something protected, and again after each text that may have
// changed them ([sqlplan.Plan.Doubt]). A session like the engine's shares its plans.
type Session struct {
	known server.Session
	// fresh is true while known is what the session has; moved is true from a text
	// that may have changed the session until it was read where nothing takes the
	// change back.
	fresh, moved bool
	// mine plans by known; nil if the engine that it was made from, of, does.
	mine, of *Engine
	version  uint64  // of the catalog of of, when mine was made
	db       *sql.DB // lends the connection, to ask its session
	// failed is true from an error until a transaction was looked for.
	failed bool
	// locked is true while the session may hold table locks, once while what SET
	// TRANSACTION set waits for its transaction.
	locked, once bool
	// own is true while the connection alone may see what its transaction made of tables,
	// or others would wait for the transaction's locks to see it.
	own bool
	// defined are the engines that planned DDL whose transaction may still be open: what
	// they know of tables is forgotten again when it ends.
	defined []*Engine
	counted rowCount
}

// Plan returns the plan for a text on the connection, and the engine that made it: e
// itself, or one for the session's settings.
func (s *Session) Plan(ctx context.Context, e *Engine, base sqldriver.Conn, d sqldriver.Driver, text string) (*Engine, *sqlplan.Plan, error) {
	shared := !s.own || endsTransaction(text)
	var plan *sqlplan.Plan
	var err error
	if shared {
		if plan, err = e.planOn(ctx, base, text); err != nil && ended(err) && ctx.Err() == nil {
			s.Own(true)
			shared = false
		}
	}
	if !shared || err != nil || plan.Named || e.spelt(text) {
		mine, failed := s.engine(ctx, e, base, d)
		if failed == nil && s.known.Charset != "" && e.spelt(text) {
			failed = &fault.RefusedError{What: "the session's character set is " + s.known.Charset + ", in which a name outside ASCII may be spelt otherwise than in the policy", Hint: "use UTF-8 in the DSN"}
		}
		if failed != nil {
			return nil, nil, failed
		}
		if mine != e || !shared {
			e = mine
			plan, err = e.Plan(ctx, text)
		}
	}
	if err == nil {
		s.Note(plan)
	}
	return e, plan, err
}

// engine returns an engine that plans by the session's settings, e itself if they are
// its own. It fails if sealsql cannot work under them.
func (s *Session) engine(ctx context.Context, e *Engine, base sqldriver.Conn, d sqldriver.Driver) (*Engine, error) {
	if e.config.Catalog.DB() == nil {
		return e, nil // nothing is asked of a server
	}
	if !s.Certain(e, base) {
		if s.db == nil {
			s.db = loan.DB(base, d)
		}
		if err := s.ask(ctx, e, base); err != nil {
			return nil, err
		}
	}
	if s.known.Unfit != "" {
		return nil, &fault.RefusedError{What: s.known.Unfit, Hint: s.known.Hint}
	}
	if version := e.config.Catalog.Version(); s.of != e || s.version != version {
		s.of, s.mine, s.version = e, nil, version
		if s.own && s.db == nil {
			s.db = loan.DB(base, d)
		}
		if s.known != e.session || s.own {
			s.mine = e.forSession(s.db, s.known)
		}
	}
	if s.mine != nil {
		return s.mine, nil
	}
	return e, nil
}

// ask reads the session's settings.
func (s *Session) ask(ctx context.Context, e *Engine, base sqldriver.Conn) error {
	known, err := e.config.Server.Session(ctx, s.db)
	if err != nil {
		s.fresh = false
		return err
	}
	settled := !s.moved || e.config.Server.Settled(base)
	s.known, s.fresh, s.moved, s.of, s.mine = known, settled, s.moved && !settled, nil, nil
	return nil
}

// Certain reports whether the settings of the session are known without asking.
func (s *Session) Certain(e *Engine, base sqldriver.Conn) bool {
	return e.config.Catalog.DB() == nil || s.fresh && e.config.Server.Reported(base, s.known)
}

// PlanCurrent reports whether the engine that made a prepared statement's plan would
// still plan the text for this session. made is that engine, e is the engine in force.
func (s *Session) PlanCurrent(plan *sqlplan.Plan, made, e *Engine, base sqldriver.Conn) bool {
	switch {
	case e.config.Catalog.DB() == nil:
		return made == e
	case !plan.Named:
		return made == e && plan.Version == made.config.Catalog.Version()
	case s.of != e || s.version != e.config.Catalog.Version() || plan.Version != made.config.Catalog.Version() || !s.Certain(e, base):
		return false
	case s.mine != nil:
		return made == s.mine
	}
	return made == e
}

// Note remembers that a plan's text is about to be sent, which may change the session.
func (s *Session) Note(plan *sqlplan.Plan) {
	if plan.Session || plan.Doubt {
		s.Doubt()
	}
	s.locked = s.locked || plan.Locks
}

// Doubt has the session asked before the next text that names something protected.
func (s *Session) Doubt() { s.fresh, s.moved = false, true }

// Sent takes note of what a plan's text, or its route, ended in. An error may hide that
// a transaction began or ended.
func (s *Session) Sent(plan *sqlplan.Plan, err error) {
	if err != sqldriver.ErrSkip {
		s.Uncounted()
	}
	switch {
	case err == sqldriver.ErrSkip:
	case err != nil:
		s.failed = true
	case plan.Unlocks:
		s.Began()
	case plan.Once:
		s.once = true
	case !plan.Doubt: // SET keeps it for the next transaction
		s.once = false
	}
}

// Own has the connection itself asked what tables are, while its transaction has DDL that
// no other connection sees.
func (s *Session) Own(own bool) {
	if s.own != own {
		s.own, s.of = own, nil
	}
}

// Began takes note that a transaction of the user's began, or that table locks were given
// up.
func (s *Session) Began() {
	s.locked, s.once = false, false
	s.Uncounted()
}

// InTx reports whether the connection is in a transaction that database/sql does not
// know of.
func (s *Session) InTx(ctx context.Context, srv server.Server, base sqldriver.Conn) (bool, error) {
	open, err := srv.InTransaction(ctx, base, s.failed)
	if err == nil {
		s.failed = false
	}
	return open, err
}

// Waits reports whether SET TRANSACTION waits for its transaction, or the session may hold
// table locks.
func (s *Session) Waits() bool { return s.once || s.locked }

// Begin begins a transaction of sealsql's own, by begin or by texts of the server's.
func (s *Session) Begin(ctx context.Context, srv server.Server, conn sqldriver.Conn, base Base, begin func(context.Context) (sqldriver.Tx, error)) (sqldriver.Tx, error) {
	if s.once {
		return nil, &fault.RefusedError{What: "the statement takes a transaction of its own, which would use up what SET TRANSACTION set for the next one",
			Hint: "begin a transaction after SET TRANSACTION"}
	}
	return owntx.Begin(ctx, base, srv.Transaction(conn, s.locked), conn.Close, begin)
}

// Close ends the session. It leaves the connection open.
func (s *Session) Close() {
	if s.db != nil {
		_ = s.db.Close() // it holds nothing but the lent connection
	}
}

// forSession returns an engine that plans by the settings of a session, and by its
// catalog, which db reaches.
func (e *Engine) forSession(db *sql.DB, s server.Session) *Engine {
	mine := &Engine{config: e.config, funnel: e.funnel, rules: e.rules, columns: e.columns, tables: e.tables, outside: e.outside,
		plans: plancache.New(cachedTexts/16, cachedPlanBytes/16), ahead: e.ahead, starting: make(chan struct{}, 1), session: s}
	mine.config.Catalog = e.config.Catalog.Of(db, s.Database)
	mine.planner = e.config.Server.Planner(e.rules, mine.config.Catalog, s)
	mine.values = e.config.Server.Values(s, nil, nil)
	mine.ready.Store(true)
	return mine
}

// spelt reports whether a text may spell one of the policy's names outside ASCII: a
// session in another character set than UTF-8 has other bytes for it.
func (e *Engine) spelt(text string) bool {
	return e.outside && !ascii(text)
}

func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
