package catalog

import "testing"

func TestANameIsNewOnce(t *testing.T) {
	var c Catalog
	for i, tc := range []struct {
		text string
		want bool
	}{
		{"SELECT a FROM t", true}, {"SELECT a FROM t", false}, {"select A from T where a = 17", true}, {"SELECT a FROM t WHERE a = 'a new word'", false},
		{"SELECT a FROM t WHERE a = 'it''s new' AND a = 18", true}, {"SELECT a FROM \"Чеки\"", true}, {"SELECT a FROM \"Чеки\"", false},
		{"SELECT a FROM t2", true}, {"SELECT /* trace 17ab */ a FROM t -- as before\nWHERE a = 1 - 2 / 3", false}, {"SELECT a FROM t /*!99999 hidden */", true},
		{"SELECT a -- here\nFROM t3", true}, {"SELECT a FROM t WHERE a = 'open", false},
	} {
		if got := c.NewName(tc.text); got != tc.want {
			t.Errorf("%d: %s: %v, want %v", i, tc.text, got, tc.want)
		}
	}
}

func TestTextsThatNameNoRelation(t *testing.T) {
	cases := map[string]bool{
		"select 1": false, " SELECT now(), $1::int": false, "SET x = 1": false, "BEGIN": false, "commit": false, "ROLLBACK TO SAVEPOINT a": false, "": true,
		"select * from v": true, "SELECT 1 UNION TABLE v": true, "SELECT a INTO b": true, "TABLE v": true, "INSERT v (a) VALUES (1)": true, "REPLACE v VALUES (1)": true,
		"UPDATE v SET a = 1": true, "CALL p()": true, "WITH q AS (SELECT 1) SELECT 2": true, "/* tag */ select 1": true, "(select 1)": true, "BEGIN; INSERT v VALUES (1)": true,
	}
	for text, want := range cases {
		if got := NamesRelation(text); got != want {
			t.Errorf("%q: %t, want %t", text, got, want)
		}
	}
	if len(cases) != 19 {
		t.Errorf("%d cases", len(cases))
	}
}
