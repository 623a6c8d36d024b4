package integration

import (
	"errors"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// outdated is a statement that is refused until somebody else has changed the schema.
var outdated = []struct {
	name   string
	before string // what makes it refused
	text   string
	change string
}{
	{"a column that is added", "", "INSERT INTO people (id, nickname, ssn) VALUES (?, 'x', ?)", "ALTER TABLE people ADD COLUMN nickname varchar(20)"},
	{"a column that a condition names", "", "UPDATE people SET ssn = ? WHERE grade = 5 AND id = ?", "ALTER TABLE people ADD COLUMN grade int"},
	{"a column that a list without names needs", "", "INSERT INTO people VALUES (?, 'x', ?, 'more')", "ALTER TABLE people ADD COLUMN third varchar(20)"},
	{"a default that is dropped", "ALTER TABLE people ALTER COLUMN ssn SET DEFAULT 'none'", "INSERT INTO people (id) VALUES (77)", "ALTER TABLE people ALTER COLUMN ssn DROP DEFAULT"},
}

// TestNoRefusalOutlivesItsCause: the schema is changed through sealsql. For changes by
// another connection see TestNothingIsRefusedForACatalogThatWas.
func TestNoRefusalOutlivesItsCause(t *testing.T) {
	for _, server := range testdb.Each(t) {
		ran := 0
		for _, c := range outdated {
			t.Run(server.String()+" "+c.name, func(t *testing.T) {
				s := newSite(t, server)
				if server.Name == "mysql" && c.before != "" { // MySQL alters no default of a BLOB
					c.before, c.change = "ALTER TABLE people MODIFY ssn blob DEFAULT ('none')", "ALTER TABLE people MODIFY ssn blob"
				}
				if c.before != "" {
					s.bareExec(c.before)
				}
				args := []any{1, "900-00-0001"}
				switch {
				case c.text[:6] == "UPDATE":
					args = []any{"900-00-0001", 1}
				case c.before != "":
					args = nil
				}
				if _, err := s.sealed.Exec(s.q(c.text), args...); !errors.Is(err, driver.ErrRefused) {
					t.Fatalf("before the change: %v, want a refusal", err)
				}
				s.exec(c.change)
				if _, err := s.sealed.Exec(s.q(c.text), args...); err != nil {
					t.Fatalf("after the change: %v", err)
				}
				ran++
			})
		}
		if ran != 4 {
			t.Errorf("%s: %d cases passed, want 4", server, ran)
		}
	}
}
