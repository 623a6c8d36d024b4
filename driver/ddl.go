package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"slices"
	"strings"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// noteDDL takes note of what a plan's text ended in. After DDL nothing holds that was known of
// tables, on this connection and on others, and again when its transaction ends: until then
// the catalog shows others what was.
func (c *conn) noteDDL(ctx context.Context, e *exec.Engine, plan *sqlplan.Plan, text string, err error) {
	switch {
	case plan.Defines && err != sqldriver.ErrSkip:
		for _, planned := range []*exec.Engine{e, c.engine()} {
			if !slices.Contains(c.defined, planned) {
				c.defined = append(c.defined, planned)
			}
		}
		forget(c.defined)
		open := c.inTransaction(ctx)
		if c.session.Own(open); !open {
			c.defined = nil
		}
		if err == nil {
			c.noteLeftOut(ctx, plan, text)
		}
	case len(c.defined) > 0 && endsTransaction(text):
		c.settled()
	}
}

// endsTransaction reports whether the text begins as one that ends a transaction does.
func endsTransaction(text string) bool {
	word, _, _ := strings.Cut(strings.TrimLeft(text, " \t\r\n"), " ")
	switch strings.ToUpper(strings.TrimRight(word, ";\r\n")) {
	case "COMMIT", "ROLLBACK", "END", "ABORT":
		return true
	}
	return false
}

// settled is called when a transaction has ended.
func (c *conn) settled() {
	forget(c.defined)
	c.defined = nil
	c.session.Own(false)
}

// inTransaction reports whether a transaction is open, as far as that can be told.
func (c *conn) inTransaction(ctx context.Context) bool {
	if c.inTx {
		return true
	}
	open, err := c.session.InTx(ctx, c.ctor.server, c.base)
	return err == nil && open
}

func forget(engines []*exec.Engine) {
	for _, e := range engines {
		e.TablesChanged()
	}
}

// noteLeftOut raises an event for each part of DDL that was not sent.
func (c *conn) noteLeftOut(ctx context.Context, plan *sqlplan.Plan, text string) {
	for _, l := range plan.LeftOut {
		table, column := splitObject(l.Object)
		c.ctor.alerts.Raise(ctx, alert.Event{Kind: alert.LeftOut, Table: table, Column: column}, func(e *alert.Event) {
			e.Statement, e.Err = alert.Fingerprint(text), l.What
		})
	}
}
