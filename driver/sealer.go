package driver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
)

// ValueSealer seals and opens single values, for code that reaches a protected
// column in another way than through database/sql: COPY, bulk loaders, exports,
// tests. What it makes is what the driver would write; what it opens is verified
// against the row as the driver's reads are, with the same typed errors, events and
// counters. It is safe for concurrent use.
type ValueSealer struct {
	c *Connector
	// owned is true for a connector that exists for this sealer alone.
	owned bool
}

// Row holds the values of a row that encryption contexts draw on, by column
// name: the row key, and every other column that a context names. Any Go type
// that the driver takes as an argument will do; a text in the server's own spelling,
// too. Columns that no context names are ignored.
type Row map[string]any

// Sealer returns the ValueSealer of a sql.DB that was opened through sealsql. It
// follows [Connector.Reload] and works until db is closed.
func Sealer(db *sql.DB) (*ValueSealer, error) {
	c, err := Of(db)
	if err != nil {
		return nil, err
	}
	return c.Sealer(), nil
}

// Sealer returns the connector's ValueSealer. It works until the connector is closed.
func (c *Connector) Sealer() *ValueSealer { return &ValueSealer{c: c} }

// NewSealer returns a ValueSealer over a sql.DB of the base driver, for tools
// that read and write ciphertexts as they are. db serves for the catalog only and stays
// the caller's; with [WithSchema] and [WithDialect] it may be nil. The policy's alerts are not raised: a tool reports what it finds itself;
// sinks set by [WithSink] are told all the same. Close ends it.
func NewSealer(db *sql.DB, opts ...Option) (*ValueSealer, error) {
	s := newSettings(opts)
	p, _, err := s.load()
	if err != nil {
		return nil, err
	}
	if db == nil && (s.dialect == "" || !s.static) {
		return nil, errors.New("sealsql: the sql.DB is nil; pass one, or both WithSchema and WithDialect")
	}
	srv, err := s.recognise(db)
	if err != nil {
		return nil, err
	}
	c := &Connector{server: srv, settings: s, stats: alert.NewCounters(), catalog: borrowedCatalog(srv, db)}
	if s.static {
		c.catalog = &catalog{server: srv, static: s.schema}
	}
	c.keys = c.newKeyrings()
	c.alerts = alert.NewDispatcher(s.codeSinks())
	c.alerts.Start(c.Stats)
	e, err := c.compile(p)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.engine.Store(e)
	return &ValueSealer{c: c, owned: true}, nil
}

// Close ends a sealer made by [NewSealer]; of others it does nothing, their
// sql.DB or Connector is closed instead.
func (s *ValueSealer) Close() error {
	if !s.owned {
		return nil
	}
	return s.c.Close()
}

// Policy returns the policy in force.
func (s *ValueSealer) Policy() *policy.Policy { return s.c.Policy() }

// Dialect is the database's.
func (s *ValueSealer) Dialect() Dialect { return Dialect(s.c.server.Name()) }

// Relation describes a table of the policy as the live catalog shows it, and
// the key types of its columns, in their order. For tools of this module.
func (s *ValueSealer) Relation(ctx context.Context, table string) (*sqlplan.Relation, []server.KeyType, error) {
	e := s.c.engine.Load()
	t, err := e.table(table)
	if err != nil {
		return nil, nil, err
	}
	rel, err := e.catalog.Relation(ctx, t.Schema, t.Name)
	if err != nil {
		return nil, nil, err
	}
	if rel == nil {
		return nil, nil, catalogLacks("table " + table + " of the policy")
	}
	types := make([]server.KeyType, len(rel.Columns))
	for i, c := range rel.Columns {
		types[i] = s.c.server.KeyType(c)
	}
	return rel, types, nil
}

// RowDigest is the [alert.RowKeyDigest] of a row, as events and errors name it; empty
// if the row lacks a column of the row key.
func (s *ValueSealer) RowDigest(ctx context.Context, table string, row Row) string {
	e := s.c.engine.Load()
	t, err := e.table(table)
	if err != nil {
		return ""
	}
	keys, err := e.keyColumns(ctx, t)
	if err != nil {
		return ""
	}
	key := make([]string, len(t.RowKey))
	for i, name := range t.RowKey {
		if key[i], err = e.values().Given(&keys.columns[i], row[name]); err != nil {
			return ""
		}
	}
	return alert.RowKeyDigest(table, key...)
}

// KMSCalls counts the calls of KMS so far, by Region, operation and outcome.
func (s *ValueSealer) KMSCalls() map[alert.KMSCall]uint64 { return s.c.Stats().KMSCalls }

// Key names the values of a table's row key, in the policy's order.
func (s *ValueSealer) Key(table string, values ...any) (Row, error) {
	t, err := s.c.engine.Load().table(table)
	if err != nil {
		return nil, err
	}
	if len(values) != len(t.RowKey) {
		return nil, fmt.Errorf("%w: the row key of %s has %d columns and %d values were given", ErrValue, table, len(t.RowKey), len(values))
	}
	row := make(Row, len(values))
	for i, name := range t.RowKey {
		row[name] = values[i]
	}
	return row, nil
}

// Seal seals a value of a column for the row: a []byte as a binary column
// stores it, or a string of base64; nil for NULL. table and column are named as the
// policy names them. Errors are [*ValueError] ([ErrValue], [ErrKeyDenied],
// [ErrKeyUnavailable]), or wrap [ErrPolicy] or [ErrCatalog].
func (s *ValueSealer) Seal(ctx context.Context, table, column string, row Row, value any) (any, error) {
	e, col, err := s.at(ctx, table, column)
	if err != nil {
		return nil, err
	}
	plaintext, null, err := encodePlaintext(col.typ, value)
	if err != nil {
		return nil, col.valueError(ErrValue, "", "pass a value of the column's type",
			fmt.Errorf("the value given cannot be stored as %s: %w", col.typ, err))
	}
	if null {
		return nil, nil
	}
	defer clear(plaintext)
	return s.seal(ctx, e, col, row, plaintext)
}

// SealPlaintext seals the plain text form of a value as [ValueSealer.OpenPlaintext]
// returns it: nothing is converted. The caller keeps plaintext.
func (s *ValueSealer) SealPlaintext(ctx context.Context, table, column string, row Row, plaintext []byte) (any, error) {
	e, col, err := s.at(ctx, table, column)
	if err != nil {
		return nil, err
	}
	return s.seal(ctx, e, col, row, plaintext)
}

func (s *ValueSealer) seal(ctx context.Context, e *engine, col *column, row Row, plaintext []byte) (any, error) {
	sources, _, err := e.rowSources(ctx, col, row)
	if err == nil {
		err = e.rowKept(ctx, col, row, sources)
	}
	if errors.Is(err, ErrCatalog) {
		return nil, err
	}
	if err != nil {
		return nil, col.valueError(ErrValue, "", "give the row key a value of its column's type", err)
	}
	return (&binding{engine: e}).seal(ctx, col, plaintext, sources)
}

// EncodePlaintext returns the plain text form in which a column's values are
// sealed: what [ValueSealer.SealPlaintext] takes. null is true for NULL.
func (s *ValueSealer) EncodePlaintext(table, column string, value any) (plaintext []byte, null bool, err error) {
	col, err := s.c.engine.Load().find(table, column)
	if err != nil {
		return nil, false, err
	}
	if plaintext, null, err = encodePlaintext(col.typ, value); err != nil {
		err = col.valueError(ErrValue, "", "mend the value, or the column's type in the policy", fmt.Errorf("the value cannot be stored as %s: %w", col.typ, err))
	}
	return plaintext, null, err
}

// Open opens a stored value of the row: string, []byte, int64, float64, bool or
// time.Time by the column's type, nil for NULL. It verifies as a read of the driver
// does: the same errors, the same events, and the policy's on_mismatch and
// plaintext_reads.
func (s *ValueSealer) Open(ctx context.Context, table, column string, row Row, stored any) (any, error) {
	e, col, err := s.at(ctx, table, column)
	if err != nil || isNull(stored) {
		return nil, err
	}
	sources, known, err := e.rowSources(ctx, col, row)
	if errors.Is(err, ErrCatalog) {
		return nil, err // nothing is known of the row
	}
	if err != nil {
		return e.failed(ctx, finding{col: col, kind: alert.Mismatch, cause: err})
	}
	return e.openValue(ctx, col, stored, sources, known, "", true)
}

// OpenPlaintext opens a stored value of the row and returns its plain text form,
// nil for NULL. Nothing that does not verify is returned, whatever the policy
// hands out to applications.
func (s *ValueSealer) OpenPlaintext(ctx context.Context, table, column string, row Row, stored any) ([]byte, error) {
	e, col, err := s.at(ctx, table, column)
	if err != nil || isNull(stored) {
		return nil, err
	}
	sources, known, err := e.rowSources(ctx, col, row)
	if errors.Is(err, ErrCatalog) {
		return nil, err
	}
	if err != nil {
		_, err = e.failed(ctx, finding{col: col, kind: alert.Mismatch, cause: err, strict: true})
		return nil, err
	}
	plaintext, err := e.openBytes(ctx, col, stored, sources, known, "")
	if err == nil {
		col.Opened.Add(1)
	}
	return plaintext, err
}

// OpenAnywhere opens a stored value under the context that it carries, whatever
// row it was written for: the value is not verified against a row. It is for moving
// values whose context was made wrongly, and for nothing else.
func (s *ValueSealer) OpenAnywhere(ctx context.Context, table, column string, stored any) ([]byte, error) {
	e, col, err := s.at(ctx, table, column)
	if err != nil || isNull(stored) {
		return nil, err
	}
	raw, err := col.ciphertext(stored)
	f := finding{col: col, strict: true}
	if err == nil {
		f.message, err = codec.Parse(raw)
	}
	var plaintext []byte
	if err == nil {
		plaintext, err = col.codec.Decrypt(ctx, nil, f.message, nil)
	}
	if err != nil {
		f.kind, f.cause = kindOf(err), err
		_, err = e.failed(ctx, f)
		return nil, err
	}
	return plaintext, nil
}

func isNull(stored any) bool {
	b, isBytes := stored.([]byte)
	return stored == nil || isBytes && b == nil
}

// at finds a protected column, and starts the engine if it has not been.
func (s *ValueSealer) at(ctx context.Context, table, column string) (*engine, *column, error) {
	e := s.c.engine.Load()
	if err := e.start(ctx); err != nil {
		return nil, nil, err
	}
	col, err := e.find(table, column)
	return e, col, err
}

func (e *engine) table(name string) (*sqlplan.Table, error) {
	for _, t := range e.rules.Tables {
		if tableName(t.Schema, t.Name) == name {
			return t, nil
		}
	}
	return nil, fmt.Errorf("%w: it has no table %s; name it as it stands under tables", ErrPolicy, name)
}

func (e *engine) find(table, name string) (*column, error) {
	t, err := e.table(table)
	if err != nil {
		return nil, err
	}
	for _, c := range t.Columns {
		if c.Name == name {
			return e.columns[c], nil
		}
	}
	return nil, fmt.Errorf("%w: it does not protect a column %s.%s; name table and column as they stand in it", ErrPolicy, table, name)
}

// rowSources returns the canonical text of the sources that the column's
// context draws on, and fails if the row lacks one. known says which sources it has:
// messages open without those of legacy values alone.
func (e *engine) rowSources(ctx context.Context, col *column, row Row) (sources []string, known []bool, err error) {
	t := col.plan.Table
	keys, err := e.keyColumns(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	sources, known = make([]string, len(t.Sources)), make([]bool, len(t.Sources))
	for _, i := range col.plan.Context {
		v, ok := row[t.Sources[i]]
		if ok {
			sources[i], err = e.values().Given(&keys.columns[i], v)
		} else {
			err = errors.New("the row given lacks it")
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s.%s, which the value is bound to, cannot be used: %w", t.Name, t.Sources[i], err)
		}
		known[i] = true
	}
	for _, i := range col.plan.Legacy {
		if v, ok := row[t.Sources[i]]; ok {
			sources[i], err = e.values().Given(&keys.columns[i], v)
			known[i] = err == nil
		}
	}
	return sources, known, nil
}

// rowKept fails if the server would store one of the row's sources as another value.
func (e *engine) rowKept(ctx context.Context, col *column, row Row, sources []string) error {
	t := col.plan.Table
	keys, err := e.keyColumns(ctx, t)
	if err != nil {
		return err
	}
	for _, i := range col.plan.Context {
		if err := e.values().Keeps(&keys.columns[i], row[t.Sources[i]], sources[i]); err != nil {
			return fmt.Errorf("%s.%s, which the value is bound to, cannot be used: %w", t.Name, t.Sources[i], err)
		}
	}
	return nil
}
