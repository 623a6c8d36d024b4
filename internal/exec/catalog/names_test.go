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
		{"SELECT a FROM t2", true}, {"SELECT a FROM t WHERE a = 'open", false},
	} {
		if got := c.NewName(tc.text); got != tc.want {
			t.Errorf("%d: %s: %v, want %v", i, tc.text, got, tc.want)
		}
	}
}
