package exec

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/server"
)

// ownTx is a transaction of sealsql's own around the texts of one statement. The user
// does not see it: it begins and ends as if the statement had been one.
type ownTx struct {
	ctx    context.Context
	base   Base
	texts  server.Transaction
	driver sqldriver.Tx // nil if texts.Begin began it
	close  func() error
}

var _ sqldriver.Tx = (*ownTx)(nil)

// Begin begins a transaction of sealsql's own, by begin or by texts of the server's.
func (s *Session) Begin(ctx context.Context, srv server.Server, conn sqldriver.Conn, base Base, begin func(context.Context) (sqldriver.Tx, error)) (sqldriver.Tx, error) {
	if s.once {
		return nil, &fault.RefusedError{What: "the statement takes a transaction of its own, which would use up what SET TRANSACTION set for the next one",
			Hint: "begin a transaction after SET TRANSACTION"}
	}
	tx := &ownTx{ctx: context.WithoutCancel(ctx), base: base, texts: srv.Transaction(conn, s.locked), close: conn.Close}
	if tx.texts.Begin != "" {
		_, err := base.Exec(ctx, tx.texts.Begin, nil)
		return tx, err
	}
	var err error
	tx.driver, err = begin(ctx)
	return tx, err
}

// Commit implements driver.Tx.
func (t *ownTx) Commit() error { return t.end(t.texts.Commit, sqldriver.Tx.Commit) }

// Rollback implements driver.Tx.
func (t *ownTx) Rollback() error { return t.end(t.texts.Rollback, sqldriver.Tx.Rollback) }

func (t *ownTx) end(text string, end func(sqldriver.Tx) error) error {
	if text == "" {
		return end(t.driver)
	}
	_, err := t.base.Exec(t.ctx, text, nil)
	if t.texts.After == "" {
		return err
	}
	if _, failed := t.base.Exec(t.ctx, t.texts.After, nil); failed != nil {
		// What the connection carries next would never be committed.
		return errors.Join(err, fmt.Errorf("sealsql: the connection was closed, since its transaction did not end: %w", failed), t.close())
	}
	return err
}
