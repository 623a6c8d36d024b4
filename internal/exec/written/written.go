// Package written writes values into the texts of templates, in the place of arguments.
package written

import (
	sqldriver "database/sql/driver"
	"strings"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Spell writes the arguments that are spelled into the text.
func Spell(t *sqlplan.Template, args []sqldriver.NamedValue) (string, []sqldriver.NamedValue) {
	var left []sqldriver.NamedValue
	var b strings.Builder
	n := 0
	for p := range t.Pieces() {
		if !p.Hole() {
			b.WriteString(p.Text)
			continue
		}
		if text, ok := Spelled(args[n].Value); ok {
			b.WriteString(strings.Replace(p.Placeholder, "?", text, 1))
		} else {
			b.WriteString(p.Placeholder)
			left = append(left, sqldriver.NamedValue{Ordinal: len(left) + 1, Value: args[n].Value})
		}
		n++
	}
	return b.String(), left
}

// Write returns the template's text with literals for its arguments, unless it is longer
// than most.
func Write(t *sqlplan.Template, args []sqldriver.NamedValue, literal func(v any, sealed bool) (string, bool), most int) (string, bool) {
	n := 0
	var b strings.Builder
	for p := range t.Pieces() {
		if !p.Hole() {
			b.WriteString(p.Text)
			continue
		}
		if n == len(args) || b.Len() > most {
			return "", false
		}
		text, ok := Spelled(args[n].Value)
		if !ok {
			text, ok = literal(args[n].Value, p.Arg.Kind == sqlplan.ArgSeal || p.Arg.Kind == sqlplan.ArgRowSeal)
		}
		if !ok {
			return "", false
		}
		b.WriteString(strings.Replace(p.Placeholder, "?", text, 1))
		n++
	}
	return b.String(), n > 0 && n == len(args)
}

// Spelled returns the literal of a value that is spelled.
func Spelled(v any) (string, bool) {
	text, ok := v.(server.Spelled)
	return string(text), ok
}

// Inline writes the sealed values into the text, for a statement that its
// user sent without arguments: several statements in one text, and base
// drivers that prepare whatever has an argument, then stay as they were.
func Inline(d server.Server, t *sqlplan.Template, sealed []any) (string, bool) {
	n := 0
	for p := range t.Pieces() {
		if p.Hole() && (!p.Literal || p.Arg.Kind != sqlplan.ArgSeal) {
			return "", false
		}
		n += len(p.Text)
	}
	var s strings.Builder
	s.Grow(n)
	for p := range t.Pieces() {
		if !p.Hole() {
			s.WriteString(p.Text)
			continue
		}
		switch v := sealed[p.Arg.Index].(type) {
		case nil:
			s.WriteString(p.Written("NULL"))
		case []byte:
			s.WriteString(d.BytesLiteral(v))
		case string:
			s.WriteString(p.Written(d.TextLiteral(v)))
		}
	}
	return s.String(), true
}
