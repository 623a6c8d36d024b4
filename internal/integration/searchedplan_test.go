package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestSearchedArrays compares a searchable column with the elements of Go slices, in every
// mode of pgx.
func TestSearchedArrays(t *testing.T) {
	lists := []any{[]string{"ada@leak.example", "BEN@leak.example"}, []string{}, []string(nil), []string{"nobody@leak.example", ""}}
	texts := []string{
		"SELECT id FROM members WHERE email = ANY($1) ORDER BY id",
		"SELECT id FROM members WHERE email = ANY($1::text[]) ORDER BY id",
		"SELECT id FROM members WHERE email <> ALL($1::text[]) ORDER BY id",
		"SELECT id FROM members WHERE NOT email = ANY($1) ORDER BY id",
		"SELECT id FROM members WHERE email IN (SELECT unnest($1::text[])) ORDER BY id",
		"DELETE FROM members WHERE email = ANY($1) RETURNING id",
	}
	ran := 0
	for _, server := range testdb.Each(t) {
		if server.Name != "postgres" {
			continue
		}
		w := newWorld(t, server, searchedDir)
		w.watch("ada@leak.example BEN@leak.example nobody@leak.example")
		for _, m := range modes(server.Name) {
			if m.name == "exec" {
				continue // reads no rows
			}
			t.Run(m.name, func(t *testing.T) {
				for _, text := range texts {
					for _, list := range lists {
						ran++
						var got [2][]string
						var errs [2]error
						for i, db := range w.pair(m.param) {
							got[i], errs[i] = ids(db, text, list)
						}
						if !slices.Equal(got[0], got[1]) || class(errs[0]) != class(errs[1]) {
							t.Errorf("%s with %q:\n got: %v %v\nwant: %v %v", text, list, got[0], errs[0], got[1], errs[1])
						}
						if !reads(text) {
							w.restore()
						}
					}
				}
			})
		}
		if leaks := w.proxy.Leaks(); len(leaks) > 0 {
			t.Errorf("LEAK: %v", leaks)
		}
		if ran != 6*len(texts)*len(lists) {
			t.Errorf("ran %d statements", ran)
		}
	}
}

func ids(db *sql.DB, text string, args ...any) (list []string, err error) {
	rows, err := db.Query(text, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		list = append(list, id)
	}
	slices.Sort(list)
	return list, rows.Err()
}

// TestSearchedNumbers compares a searchable column of text with numbers: MySQL would
// compare both as numbers, and Postgres fails.
func TestSearchedNumbers(t *testing.T) {
	seven := int64(7)
	cases := []struct {
		condition string
		args      []any
	}{
		{"phone = 901", nil}, {"phone IN ('901-11-0001', 901)", nil}, {"901 = phone", nil}, {"coalesce(phone, 7) = '7'", nil},
		{"phone = $1", []any{int64(901)}}, {"phone = $1", []any{uint32(901)}}, {"phone = $1", []any{&seven}}, {"email <> $1", []any{7}}, {"phone = 9.5", nil},
	}
	ran := 0
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, searchedDir)
			for _, c := range cases {
				text := "SELECT id FROM members WHERE " + c.condition
				if server.Name == "mysql" {
					text = strings.ReplaceAll(text, "$1", "?")
				}
				if list, err := ids(w.pair("")[0], text, c.args...); !errors.Is(err, driver.ErrValue) {
					t.Errorf("%s with %v: %v, %v", text, c.args, list, err)
				}
				ran++
			}
		})
	}
	if ran == 0 || ran%len(cases) != 0 {
		t.Errorf("%d comparisons ran", ran)
	}
}

// TestSearchedIndex reads the plans of searches in a table of 100,000 rows: each finds its
// rows by the index of the terms.
func TestSearchedIndex(t *testing.T) {
	texts := []string{
		"SELECT id FROM members WHERE email = $1",
		"SELECT id, email FROM members WHERE email = $1",
		"SELECT * FROM members WHERE email IN ($1, 'b@leak.example')",
		"SELECT m.id FROM members m JOIN invites i ON i.mail = m.email WHERE i.id = 1 AND m.email = $1",
		"SELECT x.id FROM (SELECT id, email FROM members) x WHERE x.email = $1",
		"UPDATE members SET name = 'N' WHERE email = $1",
		"DELETE FROM members WHERE email = $1",
	}
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, searchedDir)
			w.fill(100_000)
			list := texts
			if server.Name == "postgres" {
				list = append(slices.Clone(texts), "SELECT id FROM members WHERE email = ANY(ARRAY[$1, 'b@leak.example'])", "SELECT id FROM members WHERE lower(email) = lower($1)")
			}
			for _, text := range list {
				if server.Name == "mysql" {
					text = strings.ReplaceAll(text, "$1", "?")
				}
				if server.Name == "mysql" { // whose default may be a tree, which knows no UPDATE
					text = "FORMAT=TRADITIONAL " + text
				}
				plan := explain(t, w.pair("")[0], text, "ada@leak.example")
				if !strings.Contains(plan, "members_email_eq") || strings.Contains(plan, "Seq Scan on members") || strings.Contains(plan, "|ALL|") {
					t.Errorf("%s does not use the index:\n%s", text, plan)
				}
			}
		})
	}
}

// fill adds rows with terms of their own.
func (w *world) fill(rows int) {
	w.t.Helper()
	texts := []string{fmt.Sprintf("INSERT INTO members (id, tenant_id, email_eq) SELECT g, 1, sha256(g::text::bytea) FROM generate_series(100, %d) g", rows+100), "ANALYZE members"}
	if w.server.Name == "mysql" {
		texts = []string{"INSERT INTO members (id, tenant_id) VALUES (1000, 1)"}
		for n := 1; n < rows; n *= 2 {
			texts = append(texts, fmt.Sprintf("INSERT INTO members (id, tenant_id) SELECT id + %d, 1 FROM members WHERE id >= 1000", n))
		}
		texts = append(texts, "UPDATE members SET email_eq = unhex(sha2(id, 256)) WHERE id >= 1000", "ANALYZE TABLE members")
	}
	for _, text := range texts {
		if _, err := w.admin[0].Exec(text); err != nil {
			w.t.Fatalf("%s: %v", text, err)
		}
	}
}

// explain returns the server's plan of a statement, its columns parted by bars.
func explain(t *testing.T, db *sql.DB, text string, args ...any) string {
	t.Helper()
	rows, err := db.Query("EXPLAIN "+text, args...)
	if err != nil {
		t.Fatalf("EXPLAIN %s: %v", text, err)
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	var a answer
	a.read(rows)
	if a.err != nil {
		t.Fatal(a.err)
	}
	return strings.Join(a.rows, "\n")
}
