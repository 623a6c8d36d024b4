package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
)

// emptinessTests tell empty values from others, and no more.
var emptinessTests = []string{"{c} = ''", "{c} <> ''", "'' = {c}", "{c} != ''", "NOT ({c} = '')", "{c} > ''", "{c} <= ''", "{c} IN ('')", "{c} NOT IN ('')",
	"{c} IS NULL OR {c} = ''", "{c} IS NOT NULL AND {c} <> ''", "COALESCE({c}, '') = ''", "COALESCE({c}, '') <> ''", "coalesce({c}, NULL) = ''",
	"length({c}) > 0", "length({c}) = 0", "char_length({c}) >= 1", "0 < octet_length({c})", "1 > character_length({c})", "length(coalesce({c}, '')) = 0", "bit_length({c}) <> 0",
	"CASE WHEN {c} = '' THEN 1 ELSE 0 END = 1", "({c} = '') IS NULL"}

var emptinessTestsOf = map[string][]string{
	"postgres": {"{c} IS DISTINCT FROM ''", "{c} IS NOT DISTINCT FROM ''", "{c} = ''::text", "accounts.{c} = ''"},
	"mysql":    {"{c} <=> ''", "IFNULL({c}, '') = ''", "`accounts`.`{c}` = ''", `{c} = ""`},
}

// notEmptiness are tests that need more than emptiness.
var notEmptiness = []string{"{c} = 'x'", "{c} > 'a'", "length({c}) > 1", "length({c}) = 1", "char_length({c}) >= 0", "{c} IN ('', 'x')", "COALESCE({c}, 'x') = ''", "lower({c}) = 'x'", "{c} LIKE ''"}

// TestEmptinessIsKnownFromTheCiphertext: tests for the empty string find the rows that they
// find on a column in clear, in both formats and storages, in SELECT, UPDATE and DELETE.
func TestEmptinessIsKnownFromTheCiphertext(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.set("ALTER TABLE accounts ADD COLUMN seen int DEFAULT 0")
		shop := newCompactShop(t, s)
		message := reopen(s, shop.kms, shop.arn, asMessage)
		values := []any{nil, "", "x", " ", "é", "ab", "abc", strings.Repeat("k", 53), strings.Repeat("l", 4095), strings.Repeat("m", 4096), strings.Repeat("n", 8192)}
		if !s.postgres() {
			values = slices.DeleteFunc(values, func(v any) bool { return v == " " }) // '' in most collations
		}
		for i, v := range values {
			for _, db := range []*sql.DB{message, shop.db} {
				if _, err := db.Exec(s.q("INSERT INTO accounts (account_number, tenant_id, name, ssn, note) VALUES (?, 1, ?, ?, ?)"), fmt.Sprintf("%02d %v", i, db == message), v, v, v); err != nil {
					t.Fatal(err)
				}
			}
		}
		ids := func(db *sql.DB, text string) string {
			rows, err := db.Query(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			defer rows.Close()
			var list []string
			for rows.Next() {
				var id, told sql.NullString
				if err := rows.Scan(&id, &told); err != nil {
					t.Fatal(err)
				}
				list = append(list, id.String+" "+told.String)
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			return strings.Join(list, "\n")
		}
		tests := append(slices.Clone(emptinessTests), emptinessTestsOf[s.server.Name]...)
		ran := 0
		for _, test := range tests {
			of := func(text, column string) string {
				return strings.ReplaceAll(strings.ReplaceAll(text, "{test}", test), "{c}", column)
			}
			for _, text := range []string{"SELECT account_number, 1 FROM accounts WHERE {test} ORDER BY 1", "SELECT account_number, CASE WHEN {test} THEN 'yes' ELSE 'no' END FROM accounts ORDER BY 1",
				"SELECT count(*), {test} AS told FROM accounts GROUP BY {test} ORDER BY 1, 2"} {
				want := ids(s.bare, of(text, "name"))
				for _, db := range []*sql.DB{message, shop.db} {
					for _, column := range []string{"ssn", "note"} {
						ran++
						if got := ids(db, of(text, column)); got != want {
							t.Errorf("%s:\n got: %s\nwant: %s", of(text, column), got, want)
						}
					}
				}
			}
			ran++
			want, err := s.bare.Exec(of("UPDATE accounts SET seen = seen + 1 WHERE {test}", "name"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := shop.db.Exec(of("UPDATE accounts SET seen = seen + 1 WHERE {test}", "note"))
			if err != nil {
				t.Fatal(err)
			}
			w, _ := want.RowsAffected()
			if g, _ := got.RowsAffected(); g != w {
				t.Errorf("%s: %d rows were updated, want %d", test, g, w)
			}
		}
		if want := 13 * (len(emptinessTests) + 4); ran != want {
			t.Errorf("%d cases ran, want %d", ran, want)
		}
		for _, test := range notEmptiness {
			text := "SELECT account_number FROM accounts WHERE " + strings.ReplaceAll(test, "{c}", "ssn")
			if _, err := shop.db.Exec(text); !errors.Is(err, driver.ErrRefused) {
				t.Errorf("%s: %v, want a refusal", text, err)
			}
		}
		if _, err := shop.db.Exec(s.q("UPDATE accounts SET note = ? WHERE ssn = ''"), ssn1); err != nil { // row by row or not
			t.Error(err)
		}
		want := ids(s.bare, "SELECT account_number, 1 FROM accounts WHERE name = '' ORDER BY 1")
		if got := ids(shop.db, "SELECT account_number, 1 FROM accounts WHERE note <> '' AND ssn = '' ORDER BY 1"); got != want {
			t.Errorf("the update wrote to %s, want %s", got, want)
		}
		deleted, err := shop.db.Exec("DELETE FROM accounts WHERE ssn = ''")
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := deleted.RowsAffected(); n != 2 {
			t.Errorf("%d rows were deleted, want 2", n)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, e := range s.events {
			if e.Kind != alert.Refused {
				t.Errorf("an event: %+v", e)
			}
		}
	})
}
