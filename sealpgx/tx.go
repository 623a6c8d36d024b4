package sealpgx

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sealsql/sealsql/fault"
)

// Tx is a pgx.Tx that seals and opens protected values. It keeps to the policy that was in
// force when it began.
type Tx struct {
	conn *conn
	base pgx.Tx
	// parent is the transaction that the savepoint is part of; nil if there is none.
	parent *Tx
	// release gives the connection back; nil if nobody waits for it.
	release func()
	closed  bool
}

var _ pgx.Tx = (*Tx)(nil)

// begin begins a transaction.
func (c *conn) begin(ctx context.Context, opts pgx.TxOptions) (*Tx, error) {
	for _, text := range []string{opts.BeginQuery, opts.CommitQuery} {
		if err := c.harmless(ctx, text); err != nil {
			return nil, err
		}
	}
	open := c.base.PgConn().TxStatus() != 'I'
	tx, err := c.base.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	c.began(open)
	return &Tx{conn: c, base: tx}, nil
}

// began takes note that a transaction began; open says that there was one already.
func (c *conn) began(open bool) {
	c.session.Began()
	if !open {
		c.pinned = c.host.Engine()
	}
}

// harmless refuses a text of the user's that begins or ends a transaction if it does
// something protected beside.
func (c *conn) harmless(ctx context.Context, text string) error {
	if text == "" {
		return nil
	}
	_, plan, err := c.plan(ctx, text)
	if err == nil && plan.Protected {
		err = &fault.RefusedError{What: "the text that begins or ends a transaction reads or writes a protected table", Hint: "send that statement by itself"}
		c.engine().NoteRefused(ctx, text, err)
	}
	return err
}

// done reports whether the transaction, or that which it is part of, has ended.
func (t *Tx) done() bool { return t.closed || t.parent != nil && t.parent.done() }

// Begin sets a savepoint and returns it as a transaction.
func (t *Tx) Begin(ctx context.Context) (pgx.Tx, error) {
	base, err := t.base.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &Tx{conn: t.conn, base: base, parent: t}, nil
}

// Commit implements pgx.Tx.
func (t *Tx) Commit(ctx context.Context) error {
	if t.done() { // the connection may be another's
		return t.base.Commit(ctx)
	}
	e := t.conn.engine()
	return t.end(e.Named(ctx, "", t.base.Commit(ctx))) // constraints that are deferred are checked now
}

// Rollback implements pgx.Tx.
func (t *Tx) Rollback(ctx context.Context) error {
	if t.done() {
		return t.base.Rollback(ctx)
	}
	err := t.base.Rollback(ctx)
	t.conn.session.RolledBack()
	return t.end(err)
}

func (t *Tx) end(err error) error {
	t.closed = true
	if t.parent == nil {
		t.conn.session.Settled()
	}
	if t.release != nil {
		t.release()
		t.release = nil
	}
	return err
}

// Exec implements pgx.Tx.
func (t *Tx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if t.done() {
		return pgconn.CommandTag{}, pgx.ErrTxClosed
	}
	return t.conn.exec(ctx, sql, args)
}

// Query implements pgx.Tx.
func (t *Tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if t.done() {
		return failedRows{pgx.ErrTxClosed}, pgx.ErrTxClosed
	}
	return t.conn.query(ctx, sql, args, nil)
}

// QueryRow implements pgx.Tx.
func (t *Tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if t.done() {
		return &row{failedRows{pgx.ErrTxClosed}, pgx.ErrTxClosed}
	}
	return t.conn.queryRow(ctx, sql, args)
}

// Prepare implements pgx.Tx.
func (t *Tx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	if t.done() {
		return nil, pgx.ErrTxClosed
	}
	return t.conn.prepare(ctx, name, sql)
}

// SendBatch implements pgx.Tx.
func (t *Tx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if t.done() {
		return pgx.FailedBatchResults(b, pgx.ErrTxClosed)
	}
	return t.conn.sendBatch(ctx, b, t.base.SendBatch)
}

// CopyFrom implements pgx.Tx.
func (t *Tx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, source pgx.CopyFromSource) (int64, error) {
	if t.done() {
		return 0, pgx.ErrTxClosed
	}
	return t.conn.copyFrom(ctx, table, columns, source)
}

// LargeObjects implements pgx.Tx. Large objects are not protected.
func (t *Tx) LargeObjects() pgx.LargeObjects { return t.base.LargeObjects() }

// Conn implements pgx.Tx. What is sent through the connection is neither sealed nor
// opened.
func (t *Tx) Conn() *pgx.Conn {
	if t.done() {
		return t.base.Conn()
	}
	return t.conn.bare()
}
