package integration

import (
	"bytes"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// termAttack changes terms or values behind sealsql's back.
type termAttack struct {
	name   string
	texts  []string // sent bare
	search string   // the value whose search then finds a changed row
	want   error
}

// termAttacks change the row of Ben, number 2. Those that leave no row to be found by
// search are in TestTermsThatFindNothing.
var termAttacks = []termAttack{
	{"a term copied from another row", []string{"UPDATE members SET email_eq = «email_eq of members 1» WHERE id = 2"}, "ada@leak.example", driver.ErrIndexMismatch},
	{"terms swapped", []string{"UPDATE members SET email_eq = «email_eq of members 2» WHERE id IN (1, 6)", "UPDATE members SET email_eq = «email_eq of members 1» WHERE id = 2"}, "ada@leak.example", driver.ErrIndexMismatch},
	{"a term copied from another table of the group", []string{"UPDATE members SET email_eq = «mail_eq of invites 1» WHERE id = 2"}, "ada@leak.example", driver.ErrIndexMismatch},
	{"a value that is gone beside its term", []string{"UPDATE members SET email = NULL WHERE id = 2"}, "ben@leak.example", driver.ErrIndexMismatch},
	{"another row's value", []string{"UPDATE members SET email = «email of members 3» WHERE id = 2"}, "ben@leak.example", driver.ErrMismatch},
	{"another row's value and term", []string{"UPDATE members SET email = «email of members 1», email_eq = «email_eq of members 1» WHERE id = 2"}, "ada@leak.example", driver.ErrMismatch},
	{"another column's value", []string{"UPDATE members SET email = «phone of members 2» WHERE id = 2"}, "ben@leak.example", driver.ErrMismatch},
	{"a value that was cut off", []string{"UPDATE members SET email = substring(email, 1, 60) WHERE id = 2"}, "ben@leak.example", driver.ErrTampered},
	{"an empty value", []string{"UPDATE members SET email = '' WHERE id = 2"}, "ben@leak.example", driver.ErrNotCiphertext},
	{"a value in clear", []string{"UPDATE members SET email = 'ben@open.example' WHERE id = 2"}, "ben@leak.example", driver.ErrNotCiphertext},
}

// bare fills in what «column of table id» holds.
func (a termAttack) bare(t *testing.T, server *testdb.Server, db *sql.DB) {
	t.Helper()
	type change struct {
		text string
		args []any
	}
	var all []change
	for _, text := range a.texts {
		c := change{text: text}
		for strings.Contains(c.text, "«") {
			before, rest, _ := strings.Cut(c.text, "«")
			what, after, _ := strings.Cut(rest, "»")
			f := strings.Fields(what)
			var held []byte
			if err := db.QueryRow("SELECT " + f[0] + " FROM " + f[2] + " WHERE id = " + f[3]).Scan(&held); err != nil {
				t.Fatal(err)
			}
			c.text, c.args = before+"?"+after, append(c.args, held)
		}
		all = append(all, c)
	}
	for _, c := range all {
		if _, err := db.Exec((&site{server: server}).q(c.text), c.args...); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAttacksOnTermsInEveryShape changes a row behind sealsql's back and finds it in every
// shape that holds rows to their terms: directly, prepared, in a transaction, and behind
// another statement of one text. No shape hands the row out.
func TestAttacksOnTermsInEveryShape(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, searchedDir)
			ran := 0
			for _, a := range termAttacks {
				a.bare(t, server, w.admin[0])
				for _, x := range shapes {
					if !x.held || x.only != "" && x.only != server.Name {
						continue
					}
					if a.search == "ben@leak.example" && strings.Contains(x.text, "i.mail") && a.want != driver.ErrIndexMismatch {
						continue // the join finds no invitation
					}
					ran++
					emitted.secret(a.search)
					text := (&site{server: server}).q(x.text)
					for way, send := range waysToViolate {
						if way == "exec" {
							continue // hands out no rows
						}
						if err := send(w.pair("")[0], text, []any{a.search}); !errors.Is(err, a.want) {
							t.Errorf("%s, %s, %s: %v", a.name, x.name, way, err)
						}
					}
				}
				w.restore()
			}
			if ran < 150 {
				t.Errorf("%d attacks ran", ran)
			}
		})
	}
}

// TestTermsThatFindNothing: a row whose term is gone, forged, or of another column is in no
// answer, and a row that is found by its key is handed out as it is.
func TestTermsThatFindNothing(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, searchedDir)
			db, q := w.pair("")[0], (&site{server: server}).q
			for name, term := range map[string]any{"gone": nil, "forged": bytes.Repeat([]byte{7}, 32), "cut off": []byte{1}, "empty": []byte{}} {
				if _, err := w.admin[0].Exec(q("UPDATE members SET email_eq = ? WHERE id = 2"), term); err != nil {
					t.Fatal(err)
				}
				for _, text := range []string{"SELECT id FROM members WHERE email = ?", "SELECT count(*) FROM members WHERE email = ? HAVING count(*) > 0", "SELECT i.id FROM invites i JOIN members m ON m.email = i.mail WHERE m.email = ?"} {
					if got, err := ids(db, q(text), "ben@leak.example"); err != nil || len(got) > 0 {
						t.Errorf("%s: %s: %v, %v", name, text, got, err)
					}
				}
				var email string
				if err := db.QueryRow("SELECT email FROM members WHERE id = 2").Scan(&email); err != nil || email != "Ben@Leak.example" {
					t.Errorf("%s: %q, %v", name, email, err)
				}
				emitted.secret("fay@leak.example")
				if err := drained(db.Query(q("SELECT id FROM members WHERE email = ? OR id = 2"), "fay@leak.example")); !errors.Is(err, driver.ErrIndexMismatch) {
					t.Errorf("%s, beside a search: %v", name, err)
				}
			}
			w.restore()
		})
	}
}

// TestAttacksOnProtectedRowKeys moves the terms that are row keys: the values beside them
// are bound to the terms.
func TestAttacksOnProtectedRowKeys(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, searchedDir)
			db, q, site := w.pair("")[0], (&site{server: server}).q, w.admin[0]
			swap := []string{"UPDATE tokens SET used = 7 WHERE used = 1", "UPDATE tokens SET token_eq = 'x' WHERE used = 7", "UPDATE tokens SET token_eq = ? WHERE used = 0 AND secret IS NOT NULL", "UPDATE tokens SET token_eq = ? WHERE used = 7"}
			var one, two []byte
			if err := errors.Join(site.QueryRow("SELECT token_eq FROM tokens WHERE used = 0 AND secret IS NOT NULL").Scan(&one), site.QueryRow("SELECT token_eq FROM tokens WHERE used = 1").Scan(&two)); err != nil {
				t.Fatal(err)
			}
			for i, text := range swap {
				var args []any
				if i >= 2 {
					args = []any{[][]byte{two, one}[i-2]}
				}
				if _, err := site.Exec(q(text), args...); err != nil {
					t.Fatal(err)
				}
			}
			for _, text := range []string{"SELECT secret FROM tokens WHERE token = ?", "SELECT token FROM tokens WHERE token = ?", "SELECT used FROM tokens WHERE token = ?", "SELECT * FROM tokens WHERE token = ? FOR UPDATE", "SELECT x.secret FROM (SELECT secret, token FROM tokens) x WHERE x.token = ?"} {
				for _, token := range []string{"904-44-0001", "904-44-0002"} {
					emitted.secret(token)
					if err := drained(db.Query(q(text), token)); !errors.Is(err, driver.ErrMismatch) && !errors.Is(err, driver.ErrIndexMismatch) {
						t.Errorf("%s: %v", text, err)
					}
				}
			}
			w.restore()
		})
	}
}

// TestTriggersOnTermsAndValues: a trigger that changes one of value and term leaves a row
// that no search hands out.
func TestTriggersOnTermsAndValues(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, searchedDir)
			db, q := w.pair("")[0], (&site{server: server}).q
			triggers := []struct {
				body  string
				found string // the value by which the row is found, "" if by none
			}{
				{"NEW.email_eq = OLD.email_eq", "ben@leak.example"},
				{"NEW.email = OLD.email", "new@leak.example"},
				{"NEW.email_eq = NULL", ""},
				{"NEW.email = NULL", "new@leak.example"},
				{"NEW.email_eq = NEW.phone_eq", ""},
			}
			for _, tr := range triggers {
				create, drop := []string{"CREATE TRIGGER spoils BEFORE UPDATE ON members FOR EACH ROW SET " + tr.body}, []string{"DROP TRIGGER spoils"}
				if server.Name == "postgres" {
					create = []string{"CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + strings.Replace(tr.body, " = ", " := ", 1) + "; RETURN NEW; END $$",
						"CREATE TRIGGER spoils BEFORE UPDATE ON members FOR EACH ROW EXECUTE FUNCTION spoil()"}
					drop = []string{"DROP TRIGGER spoils ON members", "DROP FUNCTION spoil()"}
				}
				for _, text := range create {
					if _, err := w.admin[0].Exec(text); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := db.Exec(q("UPDATE members SET email = ? WHERE id = 2"), "new@leak.example"); err != nil {
					t.Errorf("%s: %v", tr.body, err)
				}
				for _, value := range []string{"ben@leak.example", "new@leak.example"} {
					emitted.secret(value)
					got, err := ids(db, q("SELECT id FROM members WHERE email = ?"), value)
					if value == tr.found && !errors.Is(err, driver.ErrIndexMismatch) || value != tr.found && (err != nil || len(got) > 0) {
						t.Errorf("%s: %s finds %v, %v", tr.body, value, got, err)
					}
				}
				for _, text := range drop {
					if _, err := w.admin[0].Exec(text); err != nil {
						t.Fatal(err)
					}
				}
				w.restore()
			}
		})
	}
}
