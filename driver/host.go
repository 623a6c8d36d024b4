package driver

import (
	"context"
	sqldriver "database/sql/driver"

	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/exec/loan"
)

// host is a connector as exec.Host.
type host Connector

var _ exec.Host = (*host)(nil)

// init lets packages of this module carry out statements under a connector's policy.
func init() { exec.HostOf = func(connector any) exec.Host { return (*host)(connector.(*Connector)) } }

// Engine implements exec.Host.
func (h *host) Engine() *exec.Engine { return h.engine.Load() }

// Start implements exec.Host.
func (h *host) Start(ctx context.Context) error {
	return (*Connector)(h).startWith(ctx, func(e *exec.Engine) error { return e.Start(ctx) })
}

// start starts the engine in force on a connection, unless it has started. A reload may
// put another engine in force meanwhile: see swap.
func (c *Connector) start(ctx context.Context, base sqldriver.Conn, d sqldriver.Driver) error {
	return c.startWith(ctx, func(e *exec.Engine) error {
		db := loan.DB(base, d)
		defer func() { _ = db.Close() }() // closes nothing but itself
		return e.StartOn(ctx, db)
	})
}

func (c *Connector) startWith(ctx context.Context, start func(*exec.Engine) error) error {
	for e := c.engine.Load(); !e.Started(); e = c.engine.Load() {
		err := start(e)
		if err != nil && ctx.Err() != nil {
			return ctx.Err() // as the base connector says it
		}
		if err != nil {
			return err
		}
	}
	return nil
}
