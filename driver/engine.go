package driver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/internal/keyrings"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
)

// engine is one policy at work for one Connector: a new policy makes a new
// engine. Everything but the caches is immutable.
type engine struct {
	policy  *policy.Policy
	server  server.Server
	rules   *sqlplan.Rules
	columns map[*sqlplan.Column]*column
	keys    *keyrings.Set
	catalog *catalog
	alerts  *alert.Dispatcher
	stats   *alert.Counters
	plans   *planCache

	readAhead struct{ rows, bytes int }

	// Set by start, before any statement.
	starting chan struct{} // holds a token while start runs
	ready    atomic.Bool
	session  server.Session
	planner  server.Planner

	reread atomic.Int64 // when, by the clock, the catalog was read again for a column not found

	types sync.Map // *sqlplan.Table to *tableTypes
}

type tableTypes struct {
	version uint64
	// columns are the table's context sources, in the order of Table.Sources.
	columns []server.Column
	// capacity is how many bytes columns hold: see [server.Server].
	capacity map[string]int
}

// column is a protected column at work.
type column struct {
	plan           *sqlplan.Column
	table, name    string // as the policy writes them
	typ            policy.ValueType
	base64         bool
	codec          *codec.Codec
	static         codec.Context
	pairs          []pair
	onMismatch     policy.OnMismatch
	plaintextReads policy.Permission
	unverifiable   policy.Unverifiable
	keyring        string // the policy's name of it
	suite          codec.Suite
	required       []string // context keys that are not stored
	legacy         *legacy  // nil: messages alone are read
	// local says that the column's keyring holds its keys, mostly, and keeps
	// nothing of what it is given: no call that was given up may still read it.
	local    bool
	contexts sync.Pool // of codec.Context, if local

	*alert.ColumnCounters
}

// pair is a context pair that draws on a column of the row.
type pair struct {
	key    string
	source int // index into Table.Sources
}

const (
	contextTable  = "sealsql:table"
	contextColumn = "sealsql:column"

	cachedTexts     = 2048
	cachedTextBytes = 16 << 20
)

// newEngine compiles a policy. It reads nothing from the database or from KMS.
func newEngine(p *policy.Policy, d server.Server, cat *catalog, ks *keyrings.Set, alerts *alert.Dispatcher, stats *alert.Counters) (*engine, error) {
	e := &engine{policy: p, server: d, catalog: cat, keys: ks, alerts: alerts, stats: stats,
		rules: &sqlplan.Rules{MaxText: p.Limits().MaxStatementBytes, MaxDepth: p.Limits().MaxNesting}, columns: make(map[*sqlplan.Column]*column),
		plans: newPlanCache(cachedTexts, cachedTextBytes), starting: make(chan struct{}, 1)}
	ahead := p.ReadAhead()
	e.readAhead.rows, e.readAhead.bytes = ahead.MaxRows, int(ahead.MaxBytes)
	for _, t := range p.Tables() {
		if err := e.addTable(t); err != nil {
			return nil, err
		}
	}
	for _, v := range p.Views() {
		for _, t := range e.rules.Tables {
			if tableName(t.Schema, t.Name) == v.Table {
				e.rules.Views = append(e.rules.Views, sqlplan.View{Schema: v.Schema, Name: v.Name, Table: t})
			}
		}
	}
	return e, nil
}

func tableName(schema, name string) string {
	if schema == "" {
		return name
	}
	return schema + "." + name
}

func (e *engine) addTable(t policy.Table) error {
	table := &sqlplan.Table{Schema: t.Schema, Name: t.Name, RowKey: t.RowKey, MaxRows: t.MaxRowsPerStatement}
	table.Sources = append(table.Sources, t.RowKey...)
	for _, c := range t.Columns {
		col := &column{table: tableName(t.Schema, t.Name), name: c.Name, typ: c.Type, base64: c.Storage == policy.Base64,
			static: codec.Context{}, onMismatch: c.OnMismatch, plaintextReads: c.PlaintextReads, unverifiable: c.Unverifiable}
		col.ColumnCounters = e.stats.Column(col.table, col.name)
		col.plan = &sqlplan.Column{Table: table, Name: c.Name, Base64: col.base64}
		var required []string
		for _, p := range c.Context {
			if !p.Stored {
				required = append(required, p.Key)
			}
			if p.Source == "" {
				col.static[p.Key] = p.Value
				continue
			}
			i := sourceIndex(table, p.Source)
			col.pairs = append(col.pairs, pair{p.Key, i})
			col.plan.Context = append(col.plan.Context, i)
		}
		if c.BindLocation {
			col.static[contextTable], col.static[contextColumn] = col.table, c.Name
		}
		var err error
		col.keyring, col.required, col.suite = c.Keyring, required, keyrings.Suite(e.policy, c.Keyring)
		if col.codec, err = e.keys.Codec(e.policy, c, required); err != nil {
			return err
		}
		if err = e.addLegacy(col, c); err != nil {
			return err
		}
		col.local = col.legacy == nil && e.keys.Local(e.policy, c.Keyring)
		table.Columns = append(table.Columns, col.plan)
		e.columns[col.plan] = col
	}
	e.rules.Tables = append(e.rules.Tables, table)
	return nil
}

// sourceIndex finds or adds a context source.
func sourceIndex(t *sqlplan.Table, name string) int {
	for i, s := range t.Sources {
		if s == name {
			return i
		}
	}
	t.Sources = append(t.Sources, name)
	return len(t.Sources) - 1
}

// start is startOn over the catalog's own connections.
func (e *engine) start(ctx context.Context) error { return e.startOn(ctx, e.catalog.db) }

// startOn reads from the database, through db, what planning depends on. It is
// called before the first connection is handed out, and again until it succeeds.
func (e *engine) startOn(ctx context.Context, db *sql.DB) error {
	if e.ready.Load() {
		return nil
	}
	select {
	case e.starting <- struct{}{}:
		defer func() { <-e.starting }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if e.ready.Load() {
		return nil
	}
	if e.catalog.db != nil {
		var err error
		if e.session, err = e.server.Session(ctx, db); err != nil {
			return err
		}
		if _, err := e.catalog.load(ctx, db, e.rules); err != nil {
			return err
		}
	}
	e.catalog.settled()
	e.planner = e.server.Planner(e.rules, e.catalog, e.session)
	e.ready.Store(true)
	return nil
}

// plan returns the plan for a text, from the cache if it can.
func (e *engine) plan(ctx context.Context, text string) (*sqlplan.Plan, error) {
	if e.catalog.stale() {
		go e.reload()
	}
	if p := e.plans.get(text); p != nil {
		return p.plan, p.err
	}
	version := e.catalog.Version()
	plan, err := e.planner.Plan(ctx, text)
	if r, ok := errors.AsType[*sqlplan.Refusal](err); ok && r.Stale && e.rereads() {
		version = e.catalog.Version()
		plan, err = e.planner.Plan(ctx, text)
	}
	if err == nil && !plan.Protected && e.namesColumn(text) && e.newViews(ctx) {
		version = e.catalog.Version()
		plan, err = e.planner.Plan(ctx, text)
	}
	if err == nil && len(plan.Implied) > 0 {
		var changed bool
		if changed, err = e.reordered(ctx, plan.Implied); changed {
			version = e.catalog.Version()
			plan, err = e.planner.Plan(ctx, text)
		}
	}
	if err == nil {
		err = e.verifiable(plan)
	}
	if err != nil {
		err = planError(err)
		if errors.Is(err, ErrCatalog) {
			return nil, err // it may answer next time
		}
		plan = nil
	}
	if version == e.catalog.Version() {
		e.plans.put(text, plan, err)
	}
	return plan, err
}

// namesColumn reports whether a protected column's name occurs in the text.
func (e *engine) namesColumn(text string) bool {
	text = strings.ToLower(text)
	for _, t := range e.rules.Tables {
		for _, c := range t.Columns {
			if strings.Contains(text, strings.ToLower(c.Name)) {
				return true
			}
		}
	}
	return false
}

// reordered reads relations again whose columns a text names by their order alone,
// as INSERT without a column list does, and reports whether one has other columns by
// now: a value would be sent in clear to a column that another one's place
// was taken by.
func (e *engine) reordered(ctx context.Context, list []*sqlplan.Relation) (bool, error) {
	if e.catalog.db == nil {
		return false, nil
	}
	for _, r := range list {
		now, err := e.server.Relation(ctx, e.catalog.db, r.Schema, r.Name)
		if err != nil {
			return false, fmt.Errorf("%w: reading relation %s: %w", ErrCatalog, r.Name, err)
		}
		if now == nil || !slices.Equal(now.Columns, r.Columns) {
			e.tablesChanged()
			return true, nil
		}
	}
	return false, nil
}

// newViews reads the list of views that read protected columns again, for a text
// that names such a column and no protected relation: its relation may be a view that
// somebody has just made. It reports whether the list changed.
func (e *engine) newViews(ctx context.Context) bool {
	if e.catalog.db == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return e.readViews(ctx)
}

// readViews reads the list of views again and reports whether it changed. If it
// cannot be read, the list as last read serves.
func (e *engine) readViews(ctx context.Context) bool {
	changed, err := e.catalog.load(ctx, e.catalog.db, e.rules)
	if err != nil || !changed {
		return false
	}
	e.tablesChanged()
	return true
}

// reload reads the list of views again, in the background.
func (e *engine) reload() {
	defer e.catalog.settled()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	e.readViews(ctx)
}

// rereads forgets what is known of tables, at most once a second, so that
// misspelt texts do not keep every plan from being cached.
func (e *engine) rereads() bool {
	now := time.Now().UnixNano()
	last := e.reread.Load()
	if now-last < int64(time.Second) || !e.reread.CompareAndSwap(last, now) {
		return false
	}
	e.tablesChanged()
	return true
}

// tablesChanged forgets what was known of tables, and every plan made with it.
func (e *engine) tablesChanged() {
	e.catalog.forget()
	e.plans.clear()
}

// verifiable refuses a plan that shows a value whose row it does not show,
// where the policy says so.
func (e *engine) verifiable(plan *sqlplan.Plan) error {
	for _, set := range plan.Results {
		for _, c := range set.Columns {
			p := c.Protected
			if p == nil || !p.Unverifiable {
				continue
			}
			if col := e.columns[p.Column]; col.unverifiable == policy.UnverifiableError {
				return &sqlplan.Refusal{Object: col.table + "." + col.name,
					What: "the statement's shape hides which row a protected value belongs to",
					Hint: "select the row key beside it without DISTINCT, GROUP BY or set operations, or set unverifiable: alert for the column"}
			}
		}
	}
	return nil
}

// values are the rules for values that are read, or that no connection carries.
func (e *engine) values() server.Values { return e.server.Values(e.session, nil, nil) }

// keyColumns describes a table's context sources as the live catalog shows them.
func (e *engine) keyColumns(ctx context.Context, t *sqlplan.Table) (tableTypes, error) {
	version := e.catalog.Version()
	if v, ok := e.types.Load(t); ok {
		if known := v.(*tableTypes); known.version == version {
			return *known, nil
		}
	}
	rel, err := e.catalog.Relation(ctx, t.Schema, t.Name)
	if err != nil {
		return tableTypes{}, err
	}
	if rel == nil && t.Schema == "" {
		if rel, err = e.catalog.anywhere(ctx, t.Name); err != nil {
			return tableTypes{}, err
		}
	}
	if rel == nil {
		return tableTypes{}, catalogLacks("table " + tableName(t.Schema, t.Name) + " of the policy")
	}
	k := tableTypes{version, make([]server.Column, len(t.Sources)), make(map[string]int)}
	for _, c := range rel.Columns {
		if n, limited := e.server.Capacity(c); limited {
			k.capacity[c.Name] = n
		}
	}
	for i, s := range t.Sources {
		found := false
		for _, c := range rel.Columns {
			if c.Name == s {
				k.columns[i], found = server.Column{RelationColumn: c, Key: e.server.KeyType(c)}, true
			}
		}
		if !found {
			return tableTypes{}, catalogLacks("column " + t.Name + "." + s + ", which the policy names")
		}
	}
	e.types.Store(t, &k)
	return k, nil
}
