package integration

import (
	"errors"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
)

// renames are statements that take a protected table's rows out of the policy's reach, or
// bring others into it, and statements beside them that do not. ghosts is a table of the
// policy that does not exist, and people one that does.
var renames = []struct {
	on, text string
	refused  bool
}{
	{"", "ALTER TABLE people RENAME TO humans", true},
	{"", "ALTER TABLE other RENAME TO ghosts", true},
	{"", "ALTER TABLE other RENAME TO othered", false},
	{"postgres", `ALTER TABLE IF EXISTS public.other RENAME TO "ghosts"`, true},
	{"postgres", "BEGIN; ALTER TABLE other RENAME TO ghosts; ROLLBACK", true},
	{"postgres", "ALTER VIEW v_other RENAME TO ghosts", true},
	{"postgres", "ALTER VIEW v_other RENAME TO v_another", false},
	{"postgres", "ALTER MATERIALIZED VIEW m_other RENAME TO ghosts", true},
	{"postgres", "ALTER INDEX people_pkey RENAME TO ghosts", false},
	{"postgres", "ALTER TABLE people RENAME COLUMN name TO alias", false},
	{"postgres", "ALTER TABLE people RENAME COLUMN alias TO ghosts", false},
	{"postgres", "ALTER TABLE people RENAME CONSTRAINT people_name_key TO ghosted", false},
	{"postgres", "ALTER TABLE people INHERIT parent", true},
	{"postgres", "ALTER TABLE ranged ATTACH PARTITION people FOR VALUES FROM (1) TO (9)", true},
	{"postgres", "CREATE TABLE ghosts PARTITION OF ranged FOR VALUES FROM (1) TO (9)", true},
	{"postgres", "CREATE TABLE ghosts () INHERITS (parent)", true},
	{"postgres", "CREATE TABLE harmless PARTITION OF ranged FOR VALUES FROM (1) TO (9)", false},
	{"mysql", "ALTER TABLE other RENAME ghosts", true},
	{"mysql", "ALTER TABLE other RENAME AS `ghosts`", true},
	{"mysql", "ALTER TABLE other ADD COLUMN q int, RENAME TO ghosts", true},
	{"mysql", "RENAME TABLE other TO ghosts", true},
	{"mysql", "RENAME TABLE people TO old_people, other TO people", true},
	{"mysql", "RENAME TABLE other TO othered", false},
	{"mysql", "ALTER TABLE ranged EXCHANGE PARTITION one WITH TABLE people", true},
	{"mysql", "ALTER TABLE people RENAME COLUMN name TO ghosts", false},
	{"mysql", "ALTER TABLE people RENAME INDEX name TO ghosts", false},
}

// TestProtectedNamesKeepTheirRows: no table takes or loses a protected name unseen.
func TestProtectedNamesKeepTheirRows(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.protect("  people: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}\n  ghosts: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}\n")
		setup := "CREATE TABLE ranged (id bigint NOT NULL PRIMARY KEY, name varchar(100), ssn blob) PARTITION BY RANGE (id) (PARTITION one VALUES LESS THAN (9))"
		if s.postgres() {
			setup = "CREATE VIEW v_other AS SELECT 1; CREATE MATERIALIZED VIEW m_other AS SELECT 1 AS x; CREATE TABLE parent (id bigint); CREATE TABLE ranged (id bigint NOT NULL, name text, ssn bytea) PARTITION BY RANGE (id)"
		}
		s.statements(setup)
		ran := 0
		for _, c := range renames {
			if c.on != "" && c.on != s.server.Name {
				continue
			}
			ran++
			_, err := s.sealed.Exec(c.text)
			switch {
			case errors.Is(err, driver.ErrRefused) != c.refused:
				t.Errorf("%s: %v, want a refusal: %t", c.text, err, c.refused)
			case c.refused && !strings.Contains(err.Error(), "; "):
				t.Errorf("%s: no hint in %v", c.text, err)
			case !c.refused && err != nil:
				t.Errorf("%s: %v", c.text, err)
			}
			if strings.HasPrefix(c.text, "ALTER TABLE other RENAME TO othered") || strings.HasPrefix(c.text, "RENAME TABLE other TO othered") {
				s.statements("ALTER TABLE othered RENAME TO other")
			}
		}
		if want := map[string]int{"postgres": 17, "mysql": 12}[s.server.Name]; ran != want {
			t.Errorf("%d statements, want %d", ran, want)
		}
	})
}
