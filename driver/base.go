package driver

//lint:file-ignore SA1019 a wrapper exposes whatever the base has, older interfaces too

import (
	"context"
	sqldriver "database/sql/driver"

	"github.com/sealsql/sealsql/internal/exec"
)

// connBase is a conn as routes use it: for texts of sealsql's own, past the
// analysis.
type connBase conn

var _ exec.Base = (*connBase)(nil)

// Exec implements exec.Base.
func (c *connBase) Exec(ctx context.Context, text string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	if x, ok := c.base.(sqldriver.ExecerContext); ok {
		if res, err := x.ExecContext(ctx, text, args); err != sqldriver.ErrSkip {
			return res, err
		}
	}
	s, err := exec.Prepare(ctx, c.base, text)
	if err != nil {
		return nil, err
	}
	res, err := execStmt(ctx, s, args)
	return res, firstError(err, s.Close())
}

// Query implements exec.Base.
func (c *connBase) Query(ctx context.Context, text string, args []sqldriver.NamedValue, read func(sqldriver.Rows) error) error {
	if x, ok := c.base.(sqldriver.QueryerContext); ok {
		rows, err := x.QueryContext(ctx, text, args)
		if err == nil {
			return firstError(read(rows), rows.Close())
		}
		if err != sqldriver.ErrSkip {
			return err
		}
	}
	s, err := exec.Prepare(ctx, c.base, text)
	if err != nil {
		return err
	}
	rows, err := queryStmt(ctx, s, args)
	if err != nil {
		return firstError(err, s.Close())
	}
	return firstError(read(rows), rows.Close(), s.Close())
}

// Begin implements exec.Base.
func (c *connBase) Begin(ctx context.Context) (sqldriver.Tx, error) {
	return c.session.Begin(ctx, c.ctor.server, c.base, c, c.begin)
}

func (c *connBase) begin(ctx context.Context) (sqldriver.Tx, error) {
	if x, ok := c.base.(sqldriver.ConnBeginTx); ok {
		return x.BeginTx(ctx, sqldriver.TxOptions{})
	}
	return c.base.Begin()
}

// Waits implements exec.Base.
func (c *connBase) Waits() bool { return c.session.Waits() }

// InTx implements exec.Base. It knows of transactions that database/sql does not
// know of (BEGIN sent as text).
func (c *connBase) InTx(ctx context.Context) (bool, error) {
	if c.inTx {
		return true, nil
	}
	return c.session.InTx(ctx, c.ctor.server, c.base)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
