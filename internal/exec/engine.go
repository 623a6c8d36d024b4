// Package exec carries out plans: it finds the plan of a text, seals what the plan
// says, sends texts to the base driver by the plan's route, and opens what comes back.
//
// Words of this package:
//
//	engine    one policy at work for one connector, with its catalog and its plans
//	base      the connection beneath, as far as routes need it ([Base])
//	run       one execution of a plan ([Run])
//	route     direct, row by row, server-made key, key check: see [sqlplan.Route]
//	session   what one connection's own settings change in planning ([Session])
//	sealing   values given by a statement, sealed and sent: package sealing
//	reading   rows handed out with their values opened: package reading
//	shape     a protected table as the live catalog shows it ([seal.Shape])
//
// Values pass through [seal.Funnel] alone. A text that the plan does not allow is
// never sent.
package exec

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec/catalog"
	"github.com/sealsql/sealsql/internal/exec/plancache"
	"github.com/sealsql/sealsql/internal/exec/reading"
	"github.com/sealsql/sealsql/internal/keyrings"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
)

// Config is what an engine is made of.
type Config struct {
	Policy   *policy.Policy
	Server   server.Server
	Catalog  *catalog.Catalog
	Keys     *keyrings.Set
	Alerts   *alert.Dispatcher
	Counters *alert.Counters
}

var _ reading.Opener = (*Engine)(nil)

// Engine is one policy at work for one connector. A new policy makes a new engine.
// Everything but the caches is immutable once it has started. It is safe for
// concurrent use.
type Engine struct {
	config  Config
	funnel  *seal.Funnel
	rules   *sqlplan.Rules
	columns map[*sqlplan.Column]*seal.Column
	tables  map[*sqlplan.Table]*seal.Table
	plans   *plancache.Cache
	// outside is true if a name of the policy is not ASCII.
	outside bool
	// ahead bounds what is read ahead.
	ahead reading.Limits

	// Set by Start, before any statement.
	starting chan struct{} // holds a token while Start runs
	ready    atomic.Bool
	session  server.Session
	planner  server.Planner
	values   server.Values // the rules for values that are read, or that no connection carries

	rereads plancache.Rereads
	shapes  sync.Map // *seal.Table or placed to *knownShape
}

var ddlModes = map[policy.DDL]sqlplan.DDLMode{policy.DDLRewrite: sqlplan.DDLRewrite, policy.DDLRefuse: sqlplan.DDLRefuse, policy.DDLSend: sqlplan.DDLSend}

const (
	cachedTexts     = 2048
	cachedPlanBytes = 32 << 20
)

// New compiles a policy. It reads nothing from the database or from a key service.
func New(c Config) (*Engine, error) {
	funnel, err := seal.New(c.Policy, c.Keys, c.Alerts, c.Counters)
	if err != nil {
		return nil, err
	}
	e := &Engine{config: c, funnel: funnel,
		rules:   &sqlplan.Rules{MaxText: c.Policy.Limits().MaxStatementBytes, MaxDepth: c.Policy.Limits().MaxNesting, DDL: ddlModes[c.Policy.DDL()]},
		columns: make(map[*sqlplan.Column]*seal.Column), tables: make(map[*sqlplan.Table]*seal.Table),
		plans: plancache.New(cachedTexts, cachedPlanBytes), starting: make(chan struct{}, 1)}
	e.ahead = reading.Limits{Rows: c.Policy.ReadAhead().MaxRows, Bytes: int(c.Policy.ReadAhead().MaxBytes)}
	for _, t := range funnel.Tables {
		e.addTable(t)
	}
	for _, v := range c.Policy.Views() {
		for _, t := range e.rules.Tables {
			if e.tables[t].Label == v.Table {
				e.outside = e.outside || !ascii(v.Name)
				e.rules.Views = append(e.rules.Views, sqlplan.View{Schema: v.Schema, Name: v.Name, Table: t})
			}
		}
	}
	c.Catalog.SpellAs(e.rules)
	return e, nil
}

func (e *Engine) addTable(t *seal.Table) {
	table := &sqlplan.Table{Schema: t.Schema, Name: t.Name, RowKey: t.RowKey, Sources: t.Sources, MaxRows: t.MaxRows}
	for _, c := range t.Columns {
		col := &sqlplan.Column{Table: table, Name: c.Name, Context: c.Context, Legacy: c.Legacy, Base64: c.Base64(), Type: string(c.Type), Default: c.Default()}
		for _, shape := range c.EmptyShapes() {
			col.Empty = append(col.Empty, sqlplan.EmptyShape(shape))
		}
		e.addPaths(col, c)
		col.Term, col.Other = termOf(c, 0), termOf(c, 1)
		for _, term := range []*sqlplan.Term{col.Term, col.Other} {
			e.outside = e.outside || term != nil && !ascii(term.Column)
		}
		table.Columns = append(table.Columns, col)
		e.columns[col] = c
	}
	e.tables[table] = t
	e.outside = e.outside || !ascii(table.Name) || slices.ContainsFunc(table.Columns, func(c *sqlplan.Column) bool { return !ascii(c.Name) })
	e.rules.Tables = append(e.rules.Tables, table)
}

// addPaths adds the protected paths of a column of documents, and the paths that lead to
// them.
func (e *Engine) addPaths(col *sqlplan.Column, c *seal.Column) {
	shown := map[*seal.Column]*sqlplan.Column{c: col}
	for _, p := range slices.Concat(c.Parts(), c.Within()) {
		e.addPart(shown, p, col)
	}
	paths := func(parts []*seal.Part) (list []sqlplan.DocumentPath) {
		for _, p := range parts {
			list = append(list, sqlplan.DocumentPath{Path: p.Path, Value: shown[p.Value], Text: shown[p.Text]})
		}
		return list
	}
	for from, to := range shown {
		to.Terms, to.Paths, to.Within = from.TermPaths(), paths(from.Parts()), paths(from.Within())
	}
}

// addPart makes the columns that stand for a part of a document where a result shows it.
func (e *Engine) addPart(shown map[*seal.Column]*sqlplan.Column, p *seal.Part, whole *sqlplan.Column) {
	for _, c := range []*seal.Column{p.Value, p.Text} {
		own := *whole
		own.Name, own.Of, own.Default, own.Text = c.Name, whole, nil, c == p.Text
		if own.Text {
			own.Type, own.Term = string(p.Type), termOf(c, 0)
		}
		shown[c], e.columns[&own] = &own, c
	}
}

// Start is StartOn over the catalog's own connections.
func (e *Engine) Start(ctx context.Context) error { return e.StartOn(ctx, e.config.Catalog.DB()) }

// StartOn reads from the database, through db, what planning depends on. It is
// called before the first connection is handed out, and again until it succeeds.
func (e *Engine) StartOn(ctx context.Context, db *sql.DB) error {
	if e.ready.Load() {
		return nil
	}
	release, err := e.Hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	if e.ready.Load() {
		return nil
	}
	catalog := e.config.Catalog
	if catalog.DB() != nil {
		var err error
		if e.session, err = e.config.Server.Session(ctx, db); err != nil {
			return err
		}
		if _, err := catalog.Load(ctx, db, e.rules); err != nil {
			return err
		}
	}
	catalog.Settled()
	e.planner = e.config.Server.Planner(e.rules, catalog, e.session)
	if err := e.planner.Check(); err != nil {
		return err
	}
	e.values = e.config.Server.Values(e.session, nil, nil)
	e.ready.Store(true)
	return nil
}

// Values are the rules for values that no connection carries; nil before the engine
// has started.
func (e *Engine) Values() server.Values {
	if !e.ready.Load() {
		return nil
	}
	return e.values
}

// Started reports whether the engine has started.
func (e *Engine) Started() bool { return e.ready.Load() }

// Hold keeps the engine from starting until release is called.
func (e *Engine) Hold(ctx context.Context) (release func(), err error) {
	select {
	case e.starting <- struct{}{}:
		return func() { <-e.starting }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Policy returns the engine's policy.
func (e *Engine) Policy() *policy.Policy { return e.config.Policy }

// Funnel returns the engine's way to values.
func (e *Engine) Funnel() *seal.Funnel { return e.funnel }

// Column returns the protected column that a plan names.
func (e *Engine) Column(c *sqlplan.Column) *seal.Column { return e.columns[c] }

// SealedTable returns the table that a plan names.
func (e *Engine) SealedTable(t *sqlplan.Table) *seal.Table { return e.tables[t] }

// ReadAhead bounds what readers read ahead.
func (e *Engine) ReadAhead() reading.Limits { return e.ahead }

// CountAhead counts a row that was read ahead.
func (e *Engine) CountAhead() { e.config.Counters.RowsAhead.Add(1) }

// TypeName is the DatabaseTypeName that plaintexts of a policy's type report.
func (e *Engine) TypeName(of string) string { return e.config.Server.TypeName(of) }

// ColumnType is what plaintexts of a policy's type report beside their type's name.
func (e *Engine) ColumnType(of string) server.ColumnType { return e.config.Server.ColumnType(of) }

// ExecsRows is [server.Server.ExecsRows] of the engine's server.
func (e *Engine) ExecsRows() bool { return e.config.Server.ExecsRows() }

// Table returns the table that the policy names so.
func (e *Engine) Table(name string) (*seal.Table, error) {
	for _, t := range e.funnel.Tables {
		if t.Label == name {
			return t, nil
		}
	}
	return nil, fmt.Errorf("%w: it has no table %s; name it as it stands under tables", fault.ErrPolicy, name)
}

// Find returns the protected column that the policy names so.
func (e *Engine) Find(table, name string) (*seal.Column, error) {
	t, err := e.Table(table)
	if err != nil {
		return nil, err
	}
	if c := t.Find(name); c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("%w: it does not protect a column %s.%s; name table and column as they stand in it", fault.ErrPolicy, table, name)
}

// Report adds to s what the engine counted.
func (e *Engine) Report(s *alert.Snapshot) {
	s.Plans.Entries = e.plans.Len()
	s.Plans.Hits, s.Plans.Misses = e.plans.Lookups()
	for _, t := range e.funnel.Tables {
		for _, c := range t.Columns {
			s.Columns = append(s.Columns, c.Stats())
			for _, p := range c.Parts() {
				s.Columns = append(s.Columns, p.Value.Stats())
			}
		}
	}
}
