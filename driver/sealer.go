package driver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/exec/catalog"
	"github.com/sealsql/sealsql/internal/seal"
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
	c := &Connector{server: srv, settings: s, stats: alert.NewCounters(), catalog: catalog.Borrow(srv, db)}
	if s.static {
		c.catalog = catalog.Static(srv, s.schema)
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

// init lets tools of this module ask a sealer's engine for what no user needs.
func init() {
	exec.EngineOf = func(sealer any) *exec.Engine { return sealer.(*ValueSealer).c.engine.Load() }
}

// RowDigest is the [alert.RowKeyDigest] of a row, as events and errors name it; empty
// if the row lacks a column of the row key.
func (s *ValueSealer) RowDigest(ctx context.Context, table string, row Row) string {
	e := s.c.engine.Load()
	if err := e.Start(ctx); err != nil {
		return ""
	}
	t, err := e.Table(table)
	if err != nil {
		return ""
	}
	bound, err := e.Row(ctx, t.KeyColumn(), row, false)
	if err != nil {
		return ""
	}
	return t.Digest(bound)
}

// KMSCalls counts the calls of KMS so far, by Region, operation and outcome.
func (s *ValueSealer) KMSCalls() map[alert.KMSCall]uint64 { return s.c.Stats().KMSCalls }

// Key names the values of a table's row key, in the policy's order.
func (s *ValueSealer) Key(table string, values ...any) (Row, error) {
	t, err := s.c.engine.Load().Table(table)
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
	e, col, err := s.column(ctx, table, column)
	if err != nil {
		return nil, err
	}
	plaintext, null, err := col.Encode(e.Values(), value)
	if err != nil {
		return nil, col.Error(ErrValue, "", "pass a value of the column's type",
			fmt.Errorf("the value given cannot be stored as %s: %w", col.Type, err))
	}
	if null {
		return nil, nil
	}
	defer clear(plaintext)
	return s.seal(ctx, e, col, row, plaintext)
}

// Term returns the equality term of a value of a searchable column, as the column of
// terms stores it: a []byte, or a string of base64; nil for NULL. row need hold only the
// columns that the term depends on: per, and the column that names the branch key.
// Errors are those of [ValueSealer.Seal].
func (s *ValueSealer) Term(ctx context.Context, table, column string, row Row, value any) (any, error) {
	e, col, err := s.column(ctx, table, column)
	if err != nil {
		return nil, err
	}
	term, err := e.Term(ctx, col, 0, row, value)
	if _, typed := errors.AsType[*ValueError](err); err != nil && !typed && !errors.Is(err, ErrCatalog) {
		err = col.Error(ErrValue, "", "pass a value of the column's type", fmt.Errorf("the value given cannot be stored as %s: %w", col.Type, err))
	}
	return term, err
}

// SealPlaintext seals the plain text form of a value as [ValueSealer.OpenPlaintext]
// returns it: nothing is converted. The caller keeps plaintext.
func (s *ValueSealer) SealPlaintext(ctx context.Context, table, column string, row Row, plaintext []byte) (any, error) {
	e, col, err := s.column(ctx, table, column)
	if err != nil {
		return nil, err
	}
	return s.seal(ctx, e, col, row, plaintext)
}

func (s *ValueSealer) seal(ctx context.Context, e *exec.Engine, col *seal.Column, row Row, plaintext []byte) (any, error) {
	stored, err := s.sealOnce(ctx, e, col, row, plaintext)
	if err != nil && e.Reshaped(ctx, col.Table, err) {
		stored, err = s.sealOnce(ctx, e, col, row, plaintext)
	}
	return stored, err
}

// sealOnce seals by what is known of the table.
func (s *ValueSealer) sealOnce(ctx context.Context, e *exec.Engine, col *seal.Column, row Row, plaintext []byte) (any, error) {
	if col.WritesClear() { // who asks for a ciphertext gets no clear text
		return nil, col.Error(ErrPolicy, "", "take writes: clear out of the policy", errors.New("the policy writes the column in clear"))
	}
	bound, err := e.Row(ctx, col, row, true)
	if errors.Is(err, ErrCatalog) {
		return nil, err
	}
	if err != nil {
		return nil, col.Error(ErrValue, "", "give the row key a value of its column's type", err)
	}
	return e.Seal(ctx, col, "", bound, plaintext, "")
}

// EncodePlaintext returns the plain text form in which a column's values are
// sealed: what [ValueSealer.SealPlaintext] takes. null is true for NULL.
func (s *ValueSealer) EncodePlaintext(table, column string, value any) (plaintext []byte, null bool, err error) {
	e := s.c.engine.Load()
	col, err := e.Find(table, column)
	if err != nil {
		return nil, false, err
	}
	if plaintext, null, err = col.Encode(e.Values(), value); err != nil {
		err = col.Error(ErrValue, "", "correct the value, or the column's type in the policy", fmt.Errorf("the value cannot be stored as %s: %w", col.Type, err))
	}
	return plaintext, null, err
}

// Open opens a stored value of the row: string, []byte, int64, float64, bool or
// time.Time (in UTC) by the column's type, nil for NULL. It verifies as a read of the driver
// does: the same errors, the same events, and the policy's on_mismatch and
// plaintext_reads.
func (s *ValueSealer) Open(ctx context.Context, table, column string, row Row, stored any) (any, error) {
	e, col, err := s.column(ctx, table, column)
	if err != nil {
		return nil, err
	}
	r, ok, err := request(ctx, e, col, row, stored, false)
	if err != nil || !ok {
		return nil, err
	}
	return e.Funnel().OpenValue(ctx, r)
}

// OpenPlaintext opens a stored value of the row and returns its plain text form,
// nil for NULL. Nothing that does not verify is returned, whatever the policy
// hands out to applications.
func (s *ValueSealer) OpenPlaintext(ctx context.Context, table, column string, row Row, stored any) ([]byte, error) {
	e, col, err := s.column(ctx, table, column)
	if err != nil {
		return nil, err
	}
	r, ok, err := request(ctx, e, col, row, stored, true)
	if err != nil || !ok {
		return nil, err
	}
	plaintext, _, err := e.Funnel().Open(ctx, r)
	if err == nil {
		col.Opened.Add(1)
	}
	return plaintext, err
}

// Fits reports whether a stored value verifies for the row: false is no error, and
// raises no event. It answers where a value comes from whose own row is another.
func (s *ValueSealer) Fits(ctx context.Context, table, column string, row Row, stored any) (bool, error) {
	e, col, err := s.column(ctx, table, column)
	if err != nil {
		return false, err
	}
	r := seal.Request{Column: col, Stored: stored, Strict: true}
	if r.Row, err = e.Row(ctx, col, row, false); err != nil {
		return false, err
	}
	return e.Funnel().Fits(ctx, r)
}

// request asks for the plaintext of what the row's column holds; ok is false for NULL
// and where the policy has NULL for a row that cannot be made out.
func request(ctx context.Context, e *exec.Engine, col *seal.Column, row Row, stored any, strict bool) (r seal.Request, ok bool, err error) {
	if seal.IsNull(stored) {
		return r, false, nil
	}
	r = seal.Request{Column: col, Stored: stored, First: true, Strict: strict}
	r.Row, err = e.Row(ctx, col, row, false)
	if errors.Is(err, ErrCatalog) {
		return r, false, err // nothing is known of the row
	}
	if err != nil {
		return r, false, e.Funnel().Mismatch(ctx, r, err)
	}
	return r, true, nil
}

// OpenAnywhere opens a stored value under the context that it carries, whatever
// row it was written for: the value is not verified against a row. It is for moving
// values whose context was made wrongly, and for nothing else.
func (s *ValueSealer) OpenAnywhere(ctx context.Context, table, column string, stored any) ([]byte, error) {
	e, col, err := s.column(ctx, table, column)
	if err != nil {
		return nil, err
	}
	return e.Funnel().OpenAnywhere(ctx, col, stored)
}

// column finds a protected column, and starts the engine if it has not been.
func (s *ValueSealer) column(ctx context.Context, table, column string) (*exec.Engine, *seal.Column, error) {
	e := s.c.engine.Load()
	if err := e.Start(ctx); err != nil {
		return nil, nil, err
	}
	col, err := e.Find(table, column)
	return e, col, err
}
