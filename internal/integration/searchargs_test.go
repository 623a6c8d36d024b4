package integration

import (
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// mailBox is an application's type of e-mail addresses.
type mailBox struct{ name, host string }

func (a mailBox) Value() (sqldriver.Value, error) {
	if a.host == "" {
		return nil, errors.New("an address without a host")
	}
	return a.name + "@" + a.host, nil
}

type mailName string

// TestSearchedArgumentsOfEveryKind searches by arguments that applications pass, beside
// the bare driver.
func TestSearchedArgumentsOfEveryKind(t *testing.T) {
	ada, none := "ada@leak.example", (*string)(nil)
	adaThere := &ada
	arguments := []any{
		ada, &ada, &adaThere, none, nil, mailName("BEN@leak.example"), sql.NullString{String: ada, Valid: true}, sql.NullString{}, sql.Null[string]{V: ada, Valid: true}, sql.Null[string]{},
		mailBox{"ada", "leak.example"}, &mailBox{"cleo", "leak.example"}, (*mailBox)(nil), mailBox{}, "",
		"e\u0301@leak.example", "\u00e9@leak.example", "ADA@LEAK.EXAMPLE", strings.Repeat("x", 100_000),
	}
	conditions := []string{"email = %s", "email <> %s", "%s = email", "email IN (%s, 'ben@leak.example')", "email NOT IN (%s, 'ben@leak.example')", "NOT (email = %s)", "CASE email WHEN %s THEN id ELSE 0 END = id",
		"phone = %s OR email = %[1]s", "(tenant_id, email) = (1, %s)", "email = %s AND phone IS NOT NULL"}
	ran := 0
	for _, server := range testdb.Each(t) {
		w := newWorld(t, server, searchedDir)
		list := slices.Clone(conditions)
		if server.Name == "postgres" {
			list = append(list, "email IS NOT DISTINCT FROM %s", "email IS DISTINCT FROM %s", "email = ANY(ARRAY[%s, 'cleo@leak.example'])")
		} else {
			list = append(list, "email <=> %s", "NOT email <=> %s")
		}
		for i, m := range modes(server.Name) {
			if m.name == "exec" {
				continue // reads no rows
			}
			if i > 0 {
				list = conditions[:1]
			}
			t.Run(server.String()+"/"+m.name, func(t *testing.T) {
				for _, condition := range list {
					placeholder := "?"
					if server.Name == "postgres" {
						placeholder = "$1"
					}
					text := "SELECT id FROM members WHERE " + fmt.Sprintf(condition, placeholder)
					for _, arg := range arguments {
						ran++
						args := slices.Repeat([]any{arg}, max(1, strings.Count(text, "?")))
						var got [2][]string
						var errs [2]error
						for i, db := range w.pair(m.param) {
							got[i], errs[i] = ids(db, text, args...)
						}
						if !slices.Equal(got[0], got[1]) || (errs[0] == nil) != (errs[1] == nil) {
							t.Errorf("%s with %.60q (%T):\n got: %v %v\nwant: %v %v", text, arg, arg, got[0], errs[0], got[1], errs[1])
						}
					}
				}
			})
		}
	}
	if ran < len(arguments)*len(conditions) {
		t.Errorf("%d searches ran", ran)
	}
}

// TestSearchedLists searches by lists of 10,000 values.
func TestSearchedLists(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, searchedDir)
			var marks []string
			var args []any
			for i := range 10_000 {
				mark := "?"
				if server.Name == "postgres" {
					mark = fmt.Sprintf("$%d", i+1)
				}
				marks, args = append(marks, mark), append(args, fmt.Sprintf("nobody%d@leak.example", i))
			}
			args[9_000] = "ADA@leak.example"
			for _, not := range []string{"", "NOT "} {
				text := "SELECT id FROM members WHERE email " + not + "IN (" + strings.Join(marks, ", ") + ")"
				var got [2][]string
				for i, db := range w.pair("") {
					var err error
					if got[i], err = ids(db, text, args...); err != nil {
						t.Fatal(err)
					}
				}
				if !slices.Equal(got[0], got[1]) || len(got[0]) == 0 {
					t.Errorf("%sIN: got %v, want %v", not, got[0], got[1])
				}
			}
		})
	}
}
