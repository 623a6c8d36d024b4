package leak

import "testing"

// TestAParameterOfAPlainColumnIsItsUsersToSend: see docs/SQL.md, "the same parameter for
// several protected columns, and for a plain column". A literal is not.
func TestAParameterOfAPlainColumnIsItsUsersToSend(t *testing.T) {
	const m = "9700000000017"
	for text, want := range map[string]bool{
		"SELECT id FROM members WHERE email = $1 OR nick = $1":                                       true,
		"SELECT id FROM members WHERE email = $1 OR nick LIKE $1":                                    true,
		"SELECT id FROM members WHERE email = $1 OR nick LIKE '9700000000027' || $1 || '%'":          true,
		"SELECT id FROM members WHERE email = $1":                                                    false,
		"SELECT id FROM members WHERE email = $1 OR nick = $2":                                       false,
		"SELECT id FROM members WHERE nick = 'a' OR id IN (SELECT id FROM members WHERE email = $1)": false,
		"SELECT id FROM members WHERE nick = 'a'; SELECT id FROM members WHERE email = $1":           false,
		"SELECT id FROM members WHERE email = '" + m + "' OR nick LIKE '" + m + "' || $2":            false,
	} {
		if got := (&script{text: text, args: []any{m, "other"}}).shared(m); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
