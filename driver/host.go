package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"strings"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec"
)

// host is a connector as exec.Host.
type host Connector

var _ exec.Host = (*host)(nil)

// init lets packages of this module carry out statements under a connector's policy.
func init() { exec.HostOf = func(connector any) exec.Host { return (*host)(connector.(*Connector)) } }

// Engine implements exec.Host.
func (h *host) Engine() *exec.Engine { return h.engine.Load() }

// Start implements exec.Host.
func (h *host) Start(ctx context.Context, base sqldriver.Conn, d sqldriver.Driver) error {
	return (*Connector)(h).start(ctx, base, d)
}

// NoteRefused implements exec.Host.
func (h *host) NoteRefused(ctx context.Context, text string, err error) {
	(*Connector)(h).noteRefused(ctx, text, err)
}

// start starts the engine in force on a connection, unless it has started. A reload may
// put another engine in force meanwhile: see swap.
func (c *Connector) start(ctx context.Context, base sqldriver.Conn, d sqldriver.Driver) error {
	for e := c.engine.Load(); !e.Started(); e = c.engine.Load() {
		db := exec.Lend(base, d)
		err := e.StartOn(ctx, db)
		_ = db.Close() // closes nothing but itself
		if err != nil && ctx.Err() != nil {
			return ctx.Err() // as the base connector says it
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// noteRefused counts a statement that is not sent and raises its event: applications
// swallow errors.
func (c *Connector) noteRefused(ctx context.Context, text string, err error) {
	r, ok := errors.AsType[*fault.RefusedError](err)
	if !ok {
		return
	}
	c.stats.Refused(r.What)
	table, column := splitObject(r.Object)
	c.alerts.Raise(ctx, alert.Event{Kind: alert.Refused, Table: table, Column: column}, func(e *alert.Event) {
		e.Statement, e.Err = alert.Fingerprint(text), r.What
	})
}

// splitObject returns the table and the column that a message names.
func splitObject(object string) (table, column string) {
	if i := strings.LastIndexByte(object, '.'); i >= 0 {
		return object[:i], object[i+1:]
	}
	return object, ""
}
