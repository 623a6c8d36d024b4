package sqlplan_test

import (
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/sqlplan/mysql"
	"github.com/sealsql/sealsql/internal/sqlplan/postgres"
)

// refusedDDL stands for a refusal, sentDDL for the text as it is written.
const (
	refusedDDL = "refused"
	sentDDL    = "sent"
)

// TestModesOfDDL: refuse refuses what has the server work with a protected column, and
// send sends all but values in clear and expressions over protected columns.
func TestModesOfDDL(t *testing.T) {
	cases := []struct {
		text         string
		refuse, send string
	}{
		{"CREATE TABLE members (id int PRIMARY KEY, email varchar(99) NOT NULL, phone text)", sentDDL, sentDDL},
		{"ALTER TABLE people ADD COLUMN extra int DEFAULT 3", sentDDL, sentDDL},
		{"ALTER TABLE people DROP COLUMN email", sentDDL, sentDDL},
		{"ALTER TABLE people ALTER COLUMN email DROP DEFAULT", sentDDL, sentDDL},
		{"CREATE TABLE members (id int PRIMARY KEY, email varchar(99) UNIQUE)", refusedDDL, sentDDL},
		{"CREATE TABLE members (id int, email varchar(99), PRIMARY KEY (email))", refusedDDL, sentDDL},
		{"CREATE INDEX i ON people (email)", refusedDDL, sentDDL},
		{"CREATE UNIQUE INDEX i ON people (tenant_id, note)", refusedDDL, sentDDL},
		{"ALTER TABLE people ADD CONSTRAINT u UNIQUE (email)", refusedDDL, sentDDL},
		{"CREATE INDEX i ON people ((lower(email)))", refusedDDL, refusedDDL},
		{"ALTER TABLE people ADD CHECK (email <> '')", refusedDDL, refusedDDL},
		{"ALTER TABLE people ADD CHECK (email IS NOT NULL)", sentDDL, sentDDL},
		{"CREATE TABLE members (id int PRIMARY KEY, phone varchar(99) DEFAULT '900-55-1234')", refusedDDL, refusedDDL},
		{"ALTER TABLE people ALTER COLUMN email SET DEFAULT 'none'", refusedDDL, refusedDDL},
		{"CREATE TABLE members (id int PRIMARY KEY, phone varchar(99) DEFAULT '')", refusedDDL, sentDDL},
		{"CREATE TABLE members (id int PRIMARY KEY, phone varchar(99), p varchar(99) GENERATED ALWAYS AS (lower(phone)) STORED)", refusedDDL, refusedDDL},
	}
	for _, dialect := range []string{"postgres", "mysql"} {
		for _, mode := range []sqlplan.DDLMode{sqlplan.DDLRefuse, sqlplan.DDLSend} {
			rules := ddlRules()
			rules.DDL = mode
			var p planner = postgres.New(rules, searchCatalog(dialect))
			if dialect == "mysql" {
				p = mysql.New(rules, searchCatalog(dialect), mysql.Options{})
			}
			for _, c := range cases {
				want := map[sqlplan.DDLMode]string{sqlplan.DDLRefuse: c.refuse, sqlplan.DDLSend: c.send}[mode]
				plan, err := p.Plan(t.Context(), c.text)
				got := sentDDL
				switch {
				case err != nil && strings.Contains(err.Error(), "900-55-1234"):
					t.Errorf("%s: the error quotes a value: %v", c.text, err)
				case err != nil:
					got = refusedDDL
				case plan.Protected && plan.Main.Text != c.text:
					got = plan.Main.Text
				}
				if got != want {
					t.Errorf("%s, %s, mode %v: %s, want %s (%v)", dialect, c.text, mode, got, want, err)
				}
			}
		}
	}
}
