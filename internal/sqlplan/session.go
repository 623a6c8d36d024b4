package sqlplan

import (
	"slices"
	"strings"
)

// ForSession returns the plan of a text that changes its session. A text of
// several statements may not, if it names a protected table: the later ones
// were planned as the session was.
func (p *Plan) ForSession(text string, statements int) (*Plan, error) {
	if statements != 1 && p.Named {
		return nil, Refuse(text, -1, "", "a text that changes what names mean, or how texts are read, and names a protected table", "send its statements one by one")
	}
	own := *p
	own.Session, own.Doubt = true, true
	return &own, nil
}

// Effect is what a text may do to its session beside what the session's settings are.
type Effect struct{ Doubt, Locks, Unlocks, Once bool }

// With returns the plan of a text that has an effect.
func (p *Plan) With(e Effect) *Plan {
	if e == (Effect{}) {
		return p
	}
	own := *p
	own.Doubt, own.Locks, own.Unlocks, own.Once = own.Doubt || e.Doubt, e.Locks, e.Unlocks, e.Once
	return &own
}

// OneStatement reports whether a text is, at a glance, one SELECT, INSERT, UPDATE or
// DELETE: nothing in it separates statements or may be an executable comment, and its
// quotes pair up. If it is false, only a reading of the text tells. Most texts are
// planned without that reading.
func OneStatement(text string) bool {
	text = strings.Trim(text, " \t\r\n;")
	end := strings.IndexAny(text, " \t\r\n")
	if end < 0 || !oneOf(text[:end], "select", "insert", "update", "delete") || strings.Contains(text, "/*") {
		return false
	}
	var quotes [3]int
	for i := range len(text) {
		switch text[i] {
		case ';', '\\':
			return false
		case '\'':
			quotes[0]++
		case '"':
			quotes[1]++
		case '`':
			quotes[2]++
		}
	}
	return quotes[0]%2 == 0 && quotes[1]%2 == 0 && quotes[2]%2 == 0
}

func oneOf(word string, list ...string) bool {
	return slices.ContainsFunc(list, func(w string) bool { return strings.EqualFold(w, word) })
}
