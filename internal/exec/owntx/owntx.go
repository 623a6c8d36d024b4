// Package owntx begins and ends transactions of sealsql's own around the texts of one
// statement.
package owntx

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"

	"github.com/sealsql/sealsql/internal/server"
)

// Sender sends a text of sealsql's own.
type Sender interface {
	Exec(ctx context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Result, error)
}

// ownTx is a transaction that the user does not see: it begins and ends as if the
// statement had been one.
type ownTx struct {
	ctx    context.Context
	base   Sender
	texts  server.Transaction
	driver sqldriver.Tx // nil if texts.Begin began it
	close  func() error
}

var _ sqldriver.Tx = (*ownTx)(nil)

// Begin begins a transaction, by begin or by the texts. closed closes the connection.
func Begin(ctx context.Context, base Sender, texts server.Transaction, closed func() error, begin func(context.Context) (sqldriver.Tx, error)) (sqldriver.Tx, error) {
	tx := &ownTx{ctx: context.WithoutCancel(ctx), base: base, texts: texts, close: closed}
	if texts.Begin != "" {
		_, err := base.Exec(ctx, texts.Begin, nil)
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
