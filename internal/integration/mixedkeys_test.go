package integration

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// mixedInserts give the keys of some rows and leave those of others to the server.
var mixedInserts = []struct {
	text string
	args []any
}{
	{"INSERT INTO auto (id, email, ssn) VALUES (DEFAULT, 'a@x', '980-00-2001'), (77, 'b@x', '980-00-2002')", nil},
	{"INSERT INTO auto (id, email, ssn) VALUES (90, 'c@x', ?), (NULL, 'd@x', ?)", []any{"980-00-2003", "980-00-2004"}},
	{"INSERT INTO auto (id, email, ssn) VALUES (?, 'e@x', ?), (NULL, 'f@x', ?), (5, 'g@x', ?), (0, 'h@x', ?)", []any{200, "980-00-2005", "980-00-2006", "980-00-2007", "980-00-2008"}},
	{"INSERT INTO auto (ssn, id) VALUES (?, NULL), (?, 300), (NULL, NULL), (?, DEFAULT), ('', NULL)", []any{"980-00-2009", "980-00-2010", "980-00-2011"}},
	{"INSERT INTO auto (email, id, ssn) VALUES ('i@x', DEFAULT, '980-00-2012'), ('a@x', 400, '980-00-2013')", nil}, // 1062
	{"INSERT INTO auto (email, id, ssn) VALUES ('i@x', 400, '980-00-2012'), ('a@x', NULL, '980-00-2013')", nil},    // 1062
	{"INSERT INTO auto (email, id, ssn) VALUES ('i@x', 77, '980-00-2012'), ('j@x', NULL, '980-00-2013')", nil},     // 1062 of the key
	{"INSERT INTO auto (email, id, ssn) VALUES ('i@x', -4, '980-00-2014'), ('j@x', NULL, '980-00-2015')", nil},
	{"INSERT INTO auto (email, id, ssn) VALUES ('k@x', '6', '980-00-2016'), ('l@x', NULL, '980-00-2017')", nil},
	{"REPLACE INTO auto (email, id, ssn) VALUES ('a@x', NULL, '980-00-2018'), ('m@x', 77, '980-00-2019'), ('m@x', DEFAULT, '980-00-2020')", nil},
	{"REPLACE INTO auto (email, id, ssn) VALUES ('a@x', 2, '980-00-2021'), ('l@x', NULL, ?)", []any{"980-00-2022"}},
	{"INSERT INTO auto (id, email, n, ssn) VALUES (DEFAULT, 'n@x', 1000, '980-00-2023'), (500, 'o@x', 1, '980-00-2024')", nil}, // the CHECK fails
	{"INSERT INTO auto (id, email, n, ssn) VALUES (DEFAULT, 'n@x', 1, NULL), (501, 'o@x', 1, '980-00-2024')", nil},
	{"INSERT INTO auto (id, email, n, ssn) VALUES (DEFAULT, 'p@x', 1, '980-00-2025'), (502, 'q@x', 1, NULL), (DEFAULT, 'r@x', 2, '980-00-2026')", nil},
}

// TestSomeRowsGiveTheirCountedKey inserts such rows beside a bare twin, also in
// steps of another size.
func TestSomeRowsGiveTheirCountedKey(t *testing.T) {
	server, p := testdb.MySQL(t), fakePolicy(t, autoPolicy)
	for _, w := range witnesses[:3] {
		for _, settings := range []string{"", "interpolateParams=true&clientFoundRows=true", "auto_increment_increment=5&auto_increment_offset=3"} {
			if settings != "" && w.name != "a plain table" {
				continue
			}
			for _, within := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, in a transaction: %t", w.name, settings, within), func(t *testing.T) {
					a := newAutoTwins(t, server, w, settings, p)
					a.within = within
					for _, s := range mixedInserts {
						a.run(s.text, s.args)
						a.query("SELECT id, email, n, ssn FROM auto ORDER BY id")
					}
					if w.name == "a plain table" {
						a.run("INSERT INTO auto VALUES (NULL, 'w@x', 3, '980-00-2033'), (503, 'x@x', 4, '980-00-2034')", nil)
					}
					if server.Product == "mariadb" {
						a.query("INSERT INTO auto (id, email, ssn) VALUES (NULL, ?, ?), (600, ?, ?) RETURNING id, email, ssn", "s@x", "980-00-2027", "t@x", "980-00-2028")
						a.query("INSERT INTO auto (id, email, ssn) VALUES (601, 'u@x', '980-00-2029'), (DEFAULT, 'v@x', '980-00-2030') RETURNING *")
						a.query("REPLACE INTO auto (id, email, ssn) VALUES (601, 'u@x', '980-00-2031'), (DEFAULT, 'v@x', '980-00-2032') RETURNING ssn")
					}
					a.compare(w)
				})
			}
		}
	}
}

// TestSomeRowsGiveTheirCountedKeyIsRefused sends what would be wrong.
func TestSomeRowsGiveTheirCountedKeyIsRefused(t *testing.T) {
	server, p := testdb.MySQL(t), fakePolicy(t, autoPolicy)
	for _, c := range []struct {
		name, text string
		ddl        []string
		args       []any
		value      bool
	}{
		{name: "an upsert", text: "INSERT INTO auto (id, email, ssn) VALUES (7, 'a@x', '980-00-2101'), (NULL, 'b@x', '980-00-2102') ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)"},
		{name: "IGNORE", text: "INSERT IGNORE INTO auto (id, email, ssn) VALUES (7, 'a@x', '980-00-2101'), (NULL, 'b@x', '980-00-2102')"},
		{name: "an expression", text: "INSERT INTO auto (id, email, ssn) VALUES (3 + 4, 'a@x', '980-00-2101'), (NULL, 'b@x', '980-00-2102')"},
		{name: "fewer values than columns", text: "INSERT INTO auto VALUES (7, 'a@x', '980-00-2101'), (NULL, 'b@x', '980-00-2102')"}, // bare fails with 1136
		{name: "a trigger", text: mixedInserts[0].text, ddl: []string{"CREATE TRIGGER au AFTER UPDATE ON auto FOR EACH ROW SET @x = 1"}},
		{name: "an argument that is NULL", text: "INSERT INTO auto (id, email, ssn) VALUES (?, 'a@x', '980-00-2101'), (NULL, 'b@x', '980-00-2102')", args: []any{nil}, value: true},
		{name: "an argument that is zero", text: "INSERT INTO auto (id, email, ssn) VALUES (?, 'a@x', '980-00-2101'), (NULL, 'b@x', '980-00-2102')", args: []any{0}, value: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAutoTwins(t, server, witness{ddl: append([]string{autoTable + ")"}, c.ddl...)}, "", p)
			_, err := a.sealed.ExecContext(t.Context(), c.text, c.args...)
			if want := driver.ErrRefused; c.value && !errors.Is(err, driver.ErrValue) || !c.value && !errors.Is(err, want) {
				t.Error(err)
			}
			var rows int
			if err := a.admin[0].QueryRow("SELECT COUNT(*) FROM auto").Scan(&rows); err != nil || rows > 0 {
				t.Errorf("%d rows, %v", rows, err)
			}
		})
	}
}
