package exec

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"slices"
	"strings"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Defined takes note of what a text ended in, if it is DDL or comes after DDL in a
// transaction. After DDL nothing holds that was known of tables, on this connection and on
// others, and again when its transaction ends: until then the catalog shows others what
// was. e made the plan, and current is the engine in force.
func (s *Session) Defined(ctx context.Context, base Base, e, current *Engine, plan *sqlplan.Plan, text string, err error) {
	switch {
	case plan.Defines && err != sqldriver.ErrSkip:
		for _, planned := range []*Engine{e, current} {
			if !slices.Contains(s.defined, planned) {
				s.defined = append(s.defined, planned)
			}
		}
		s.settle(ctx, base, true)
		if err == nil {
			e.rules.Attach(plan.Attaches)
			e.noteLeftOut(ctx, plan, text)
		}
	case plan.Excludes && err == nil:
		// The catalog's own connections may have to wait for what the text has locked.
		if open, err := base.InTx(ctx); err == nil && open {
			s.Own(true)
		}
	case s.Defines():
		s.settle(ctx, base, endsTransaction(text))
	}
}

// settle forgets what was known of tables if no transaction is open any more, or if the
// text changed it for the one that is.
func (s *Session) settle(ctx context.Context, base Base, changed bool) {
	if open, err := base.InTx(ctx); err != nil || !open {
		s.Settled()
	} else if changed {
		s.forget()
		s.Own(true)
	}
}

// Defines reports whether a transaction may be open that has DDL, or locks of relations.
func (s *Session) Defines() bool { return s.own || len(s.defined) > 0 }

// Settled takes note that no transaction is open any more.
func (s *Session) Settled() {
	s.forget()
	s.defined = nil
	s.Own(false)
}

// RolledBack takes note that a part of the open transaction was taken back.
func (s *Session) RolledBack() { s.forget() }

func (s *Session) forget() {
	for _, e := range s.defined {
		e.TablesChanged()
	}
}

// endsTransaction reports whether the text begins as one that ends a transaction, or a
// part of it, does.
func endsTransaction(text string) bool {
	word, _, _ := strings.Cut(strings.TrimLeft(text, " \t\r\n"), " ")
	switch strings.ToUpper(strings.TrimRight(word, ";\r\n")) {
	case "COMMIT", "ROLLBACK", "END", "ABORT":
		return true
	}
	return false
}

// noteLeftOut raises an event for each part of DDL that was not sent.
func (e *Engine) noteLeftOut(ctx context.Context, plan *sqlplan.Plan, text string) {
	for _, l := range plan.LeftOut {
		e.raise(ctx, alert.LeftOut, l.Object, text, l.What)
	}
}

// NoteRefused counts a statement that was refused, and raises its event: applications
// swallow errors. It does nothing for other errors.
func (e *Engine) NoteRefused(ctx context.Context, text string, err error) {
	r, ok := errors.AsType[*fault.RefusedError](err)
	if !ok {
		return
	}
	e.config.Counters.Refused(r.What)
	e.raise(ctx, alert.Refused, r.Object, text, r.What)
}

// raise raises an event about a statement. object is a table or a column as messages name
// it.
func (e *Engine) raise(ctx context.Context, kind alert.Kind, object, text, what string) {
	table, column := object, ""
	if i := strings.LastIndexByte(object, '.'); i >= 0 {
		table, column = object[:i], object[i+1:]
	}
	e.config.Alerts.Raise(ctx, alert.Event{Kind: kind, Table: table, Column: column}, func(event *alert.Event) {
		event.Statement, event.Err = alert.Fingerprint(text), what
	})
}
