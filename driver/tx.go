package driver

import (
	"context"
	sqldriver "database/sql/driver"
)

// tx wraps a transaction, to know when it ends, and to name protected columns in the
// error that it ends in.
type tx struct {
	base sqldriver.Tx
	conn *conn
}

var _ sqldriver.Tx = (*tx)(nil)

func (c *conn) began(base sqldriver.Tx, err error) (sqldriver.Tx, error) {
	if err != nil {
		return nil, err
	}
	c.session.Began()
	c.inTx, c.pinned = true, c.ctor.engine.Load()
	return &tx{base: base, conn: c}, nil
}

// ended is called when the transaction, if there was one, is no more.
func (c *conn) ended() { c.inTx, c.pinned = false, nil }

// finished is called when a text of the base driver's ended the transaction.
func (c *conn) finished() {
	c.ended()
	c.session.Uncounted()
}

// Unwrap returns the base driver's transaction.
func (t *tx) Unwrap() any { return t.base }

// Commit implements driver.Tx. Constraints that are deferred are checked now.
func (t *tx) Commit() error {
	e := t.conn.engine()
	t.conn.finished()
	defer t.conn.session.Settled()
	return e.Named(context.Background(), "", t.base.Commit())
}

func (t *tx) Rollback() error {
	t.conn.finished()
	defer t.conn.session.Settled()
	return t.base.Rollback()
}
