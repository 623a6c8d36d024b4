package exec

import (
	sqldriver "database/sql/driver"
	"slices"

	"github.com/sealsql/sealsql/internal/exec/packet"
	"github.com/sealsql/sealsql/internal/exec/written"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// maxWritten bounds a text that has its values written into it: a ciphertext is twice as
// long there.
const maxWritten = 1 << 20

// bind fills the holes of a template of a route. Where the base driver would take an
// exchange of its own to prepare a text that has arguments, the values are written into
// the text, if each has a literal that means the same. A term stands in no text: servers
// keep texts in logs and in tables of statistics.
func (s *steps) bind(t *sqlplan.Template, options []sqldriver.NamedValue, sealed []any) (string, []sqldriver.NamedValue) {
	text, args := s.Binding.Bind(t, options, sealed)
	return s.written(t, text, args, len(options))
}

// bindAgain is bind for a text that compares arguments with what they were stored as.
func (s *steps) bindAgain(t *sqlplan.Template, options []sqldriver.NamedValue, sealed []any) (string, []sqldriver.NamedValue) {
	text, args := s.Binding.Bind(t, options, sealed)
	for i := len(options); i < len(args); i++ {
		args[i].Value = s.Values.Again(args[i].Value)
	}
	return s.written(t, text, args, len(options))
}

// written writes arguments into the text, as bind says.
func (s *steps) written(t *sqlplan.Template, text string, args []sqldriver.NamedValue, options int) (string, []sqldriver.NamedValue) {
	if s.run.Engine.config.Catalog.DB() == nil {
		return text, args // the session's character set was not asked for
	}
	if literal := s.run.Engine.config.Server.Literals(s.run.Conn, s.run.Engine.session); literal != nil && !s.sendsTerms(t) {
		most := maxWritten
		if len(args) > packet.MaxParameters {
			most = int(s.run.Engine.session.MaxPacket) // it cannot be sent otherwise
		}
		if inlined, ok := written.Write(t, args[options:], literal, most); ok {
			return inlined, args[:options]
		}
	}
	if slices.ContainsFunc(args, func(a sqldriver.NamedValue) bool { _, ok := written.Spelled(a.Value); return ok }) {
		return written.Spell(t, args)
	}
	return text, args
}

// sendsTerms reports whether a template has a hole for a term, in the place of a value
// that the user did not write into the text.
func (s *steps) sendsTerms(t *sqlplan.Template) bool {
	var room sqlplan.Seal
	return len(s.Params) > 0 && slices.ContainsFunc(t.Args, func(a sqlplan.Arg) bool {
		seals := &s.run.Plan.Seals
		if r, ok := s.run.Plan.Route.(*sqlplan.RowByRow); ok && a.Kind != sqlplan.ArgSeal {
			part := r.Tables[a.Group]
			if seals = &part.Seals; a.Kind == sqlplan.ArgKey {
				return holdsTerms(part.Table, part.Column(int(a.Index)))
			}
		}
		if a.Kind != sqlplan.ArgSeal && a.Kind != sqlplan.ArgRowSeal || int(a.Index) >= seals.Len() {
			return false
		}
		s := seals.At(int(a.Index), &room)
		return s.Term != sqlplan.TermUnused || len(s.Column.Terms) > 0
	})
}

// holdsTerms reports whether a column of the table holds terms.
func holdsTerms(t *sqlplan.Table, name string) bool {
	return slices.ContainsFunc(t.Columns, func(c *sqlplan.Column) bool { return c.Term != nil && c.Term.Column == name })
}
