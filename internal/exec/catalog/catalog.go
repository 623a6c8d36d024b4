// Package catalog reads what the server's catalog says of relations, once, and forgets it
// when a relation may have changed.
package catalog

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Catalog reads the live catalog, lazily and on connections of its own, and
// keeps what it read. It implements sqlplan.Catalog.
type Catalog struct {
	server server.Server
	db     *sql.DB // nil if static
	// borrowed is true for a db that is not the catalog's to close.
	borrowed bool
	// database is what an unqualified name is looked up in; empty for the connections' own.
	database string
	static   map[string]*sqlplan.Relation
	// spellings are the connector's.
	spellings *spellings

	rules *sqlplan.Rules // whose spelling of names counts; nil for the server's own

	version  atomic.Uint64
	due      atomic.Bool // the readers should be read again
	unlisted atomic.Uint64
	names    names

	mu        sync.Mutex
	relations map[string]*sqlplan.Relation // nil entries: known not to be there
	columns   map[uint32]Columns           // by the server's number of the relation
	readers   map[string]*sqlplan.Relation // views that read protected columns
}

// Columns are a relation's name and the names of its columns, by number.
type Columns struct {
	Schema, Name string
	Columns      map[int]string
}

// readersTTL is how old the list of views that read protected columns may
// get before it is read again, in the background.
const readersTTL = time.Minute

// New opens no connection yet. Connections go through base itself, so
// that they carry its credentials and its settings.
func New(d server.Server, base sqldriver.Connector) *Catalog {
	db := sql.OpenDB(base)
	db.SetMaxOpenConns(2)
	db.SetMaxIdleConns(1)
	db.SetConnMaxIdleTime(30 * time.Second)
	return &Catalog{server: d, db: db, spellings: &spellings{}, relations: make(map[string]*sqlplan.Relation)}
}

// Borrow reads through a sql.DB of the base driver that stays its owner's.
func Borrow(d server.Server, db *sql.DB) *Catalog {
	return &Catalog{server: d, db: db, borrowed: true, spellings: &spellings{}, relations: make(map[string]*sqlplan.Relation)}
}

// Static describes the relations given and reads nothing.
func Static(d server.Server, relations []*sqlplan.Relation) *Catalog {
	c := &Catalog{server: d, static: make(map[string]*sqlplan.Relation, len(relations))}
	for _, r := range relations {
		c.static[relationKey(r.Schema, r.Name)] = r
	}
	return c
}

// SpellAs has relations spell the names of columns as the policy does. It is called before
// the catalog is used.
func (c *Catalog) SpellAs(rules *sqlplan.Rules) { c.rules = rules }

// DB reaches the base driver; nil for a static catalog.
func (c *Catalog) DB() *sql.DB { return c.db }

// Borrowed reports whether the catalog reads through connections that are another's.
func (c *Catalog) Borrowed() bool { return c.borrowed }

// Unlisted counts the views that were read and are not among the readers.
func (c *Catalog) Unlisted() uint64 { return c.unlisted.Load() }

// Fork returns a catalog of the same database that knows nothing yet: each
// policy has its own, since what views read depends on what is protected.
func (c *Catalog) Fork() *Catalog {
	return &Catalog{server: c.server, db: c.db, static: c.static, spellings: c.spellings, relations: make(map[string]*sqlplan.Relation)}
}

func relationKey(schema, name string) string {
	return strings.ToLower(schema) + "\x00" + strings.ToLower(name)
}

// Version implements sqlplan.Catalog.
func (c *Catalog) Version() uint64 { return c.version.Load() }

// Relation implements sqlplan.Catalog.
func (c *Catalog) Relation(ctx context.Context, schema, name string) (*sqlplan.Relation, error) {
	// Names that differ in case alone may be two relations: the key keeps it.
	key := schema + "\x00" + name
	c.mu.Lock()
	r, ok := c.relations[key]
	c.mu.Unlock()
	if ok {
		return r, nil
	}
	if c.db == nil {
		if r := c.static[relationKey(schema, name)]; r != nil {
			return r, nil
		}
		return c.static[relationKey("", name)], nil
	}
	version := c.version.Load()
	r, err := c.Read(ctx, schema, name)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// A relation that is not there is not remembered: it may be made at any time.
	if r != nil && r.View && c.readers[relationKey(r.Schema, r.Name)] == nil {
		c.unlisted.Add(1)
	}
	if r != nil && version == c.version.Load() {
		if v := c.readers[relationKey(r.Schema, r.Name)]; v != nil {
			r.ReadsProtected = v.ReadsProtected
		}
		c.relations[key] = r
	}
	return r, nil
}

// Read reads a relation, whatever is known of it.
func (c *Catalog) Read(ctx context.Context, schema, name string) (*sqlplan.Relation, error) {
	if schema == "" {
		schema = c.database
	}
	r, err := asked(ctx, c, func() (*sqlplan.Relation, error) { return c.server.Relation(ctx, c.db, schema, name) })
	if err != nil {
		return nil, fmt.Errorf("%w: reading relation %s: %w", fault.ErrCatalog, name, err)
	}
	if r != nil && c.rules != nil {
		c.rules.Spell(r)
	}
	return r, nil
}

// asked asks the database, and once more after an error: a connection that the catalog
// kept may have been ended since, and reading has no effect. A session's own
// connection is asked once.
func asked[T any](ctx context.Context, c *Catalog, ask func() (T, error)) (T, error) {
	v, err := ask()
	if err == nil || ctx.Err() != nil || c.borrowed && c.database == "" {
		return v, err
	}
	return ask()
}

// Anywhere finds a table of that name in whatever schema has it, for a table that
// the policy means in every schema and that the session's own does not have.
func (c *Catalog) Anywhere(ctx context.Context, name string) (*sqlplan.Relation, error) {
	if c.db == nil {
		return nil, nil
	}
	schemas, err := asked(ctx, c, func() ([]string, error) { return c.server.SchemasOf(ctx, c.db, name) })
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: looking for table %s: %w", fault.ErrCatalog, name, err)
	case len(schemas) == 0:
		return nil, nil
	}
	return c.Relation(ctx, schemas[0], name)
}

// Readers lists the views that read protected columns, as last loaded.
func (c *Catalog) Readers() []*sqlplan.Relation {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]*sqlplan.Relation, 0, len(c.readers))
	for _, r := range c.readers {
		out = append(out, r)
	}
	return out
}

// NamesReader reports whether the name of a view that reads protected columns, or of a
// partition of a protected table, stands in the text.
func (c *Catalog) NamesReader(text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.readers) == 0 {
		return false
	}
	text = strings.ToLower(text)
	for _, r := range c.readers {
		if strings.Contains(text, strings.ToLower(r.Name)) {
			return true
		}
	}
	return false
}

// Load reads the list of views through db. It reports whether the list changed.
func (c *Catalog) Load(ctx context.Context, db *sql.DB, rules *sqlplan.Rules) (changed bool, err error) {
	views, err := asked(ctx, c, func() ([]*sqlplan.Relation, error) { return c.server.Readers(ctx, db, rules) })
	if err != nil {
		return false, fmt.Errorf("%w: listing the views that read protected columns: %w", fault.ErrCatalog, err)
	}
	readers := make(map[string]*sqlplan.Relation, len(views))
	for _, v := range views {
		readers[relationKey(v.Schema, v.Name)] = v
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	changed = len(readers) != len(c.readers)
	for k, v := range readers {
		changed = changed || c.readers[k] == nil || c.readers[k].ReadsProtected != v.ReadsProtected
	}
	c.readers = readers
	return changed, nil
}

// Stale reports whether the list of views should be read again, and claims the
// work for the caller, who ends it with settled. It is asked before each
// statement: it takes no lock and no look at the clock.
func (c *Catalog) Stale() bool {
	return c.due.Load() && c.due.CompareAndSwap(true, false)
}

// Settled has the list read again in readersTTL.
func (c *Catalog) Settled() {
	if c.db != nil {
		time.AfterFunc(readersTTL, func() { c.due.Store(true) })
	}
}

// Forget drops what is known of every relation.
func (c *Catalog) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version.Add(1)
	clear(c.relations)
	clear(c.columns)
}

// ColumnsOf names a relation and its columns. A relation that is not there has none.
func (c *Catalog) ColumnsOf(ctx context.Context, relation uint32) (Columns, error) {
	c.mu.Lock()
	r, ok := c.columns[relation]
	c.mu.Unlock()
	if ok {
		return r, nil
	}
	version := c.version.Load()
	r, err := asked(ctx, c, func() (r Columns, err error) {
		r.Schema, r.Name, r.Columns, err = c.server.Columns(ctx, c.db, relation)
		return r, err
	})
	if err != nil {
		return r, fmt.Errorf("%w: reading the columns of a result: %w", fault.ErrCatalog, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(r.Columns) > 0 && version == c.version.Load() {
		if c.columns == nil {
			c.columns = make(map[uint32]Columns)
		}
		c.columns[relation] = r
	}
	return r, nil
}

// Close closes the connections that the catalog opened.
func (c *Catalog) Close() error {
	if c.db == nil || c.borrowed {
		return nil
	}
	return c.db.Close()
}

// Of is a catalog of a session, which db reaches, with the list of views as last
// read. Where a database in use decides what names mean, the catalog's own
// connections answer: the session's settings bound or convert what it reads.
func (c *Catalog) Of(db *sql.DB, database string) *Catalog {
	c.mu.Lock()
	defer c.mu.Unlock()
	forked := &Catalog{server: c.server, db: db, borrowed: true, spellings: c.spellings, rules: c.rules, relations: make(map[string]*sqlplan.Relation), readers: c.readers}
	if database != "" {
		forked.db, forked.database = c.db, database
	}
	forked.version.Store(c.version.Load())
	return forked
}

// Recalled yields the relations of that name that are known, and then the one that the
// catalog shows now: the key may be new. A session's own connection is not asked: its
// transaction may have failed.
func (c *Catalog) Recalled(ctx context.Context, schema, name string) iter.Seq[*sqlplan.Relation] {
	return func(yield func(*sqlplan.Relation) bool) {
		for _, r := range c.known(schema, name) {
			if !yield(r) {
				return
			}
		}
		if c.db == nil || c.borrowed && c.database == "" {
			return
		}
		if r, err := c.Read(ctx, schema, name); err == nil && r != nil {
			yield(r)
		}
	}
}

// known lists what was read of relations of that name. An empty schema is any.
func (c *Catalog) known(schema, name string) (list []*sqlplan.Relation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.relations
	if c.db == nil {
		all = c.static
	}
	for _, r := range all {
		if r != nil && strings.EqualFold(r.Name, name) && (schema == "" || r.Schema == "" || r.Schema == schema) {
			list = append(list, r)
		}
	}
	return list
}
