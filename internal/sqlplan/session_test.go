package sqlplan

import "testing"

// TestOneStatementAtAGlance: what is doubtful gets a closer look.
func TestOneStatementAtAGlance(t *testing.T) {
	cases := map[string]bool{
		"SELECT a FROM t WHERE b = 'c'":        true,
		" \n insert INTO t VALUES (1);":        true,
		"UPDATE `t` SET \"a\" = 'it''s'":       true,
		"DELETE\nFROM t":                       true,
		"SELECT 1; SET role = x":               false,
		"SELECT ';'":                           false,
		"SELECT 'a":                            false,
		"SELECT 'a\\' ":                        false,
		"SELECT 1 /*! INTO OUTFILE 'x' */":     false,
		"SET SESSION TRANSACTION READ ONLY":    false,
		"WITH x AS (SELECT 1) SELECT * FROM x": false,
		"CALL p()":                             false,
		"SELECTED 1":                           false,
		"-- SELECT\nSET a = 1":                 false,
		"SELECT":                               false,
		"":                                     false,
	}
	for text, want := range cases {
		if got := OneStatement(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if len(cases) != 16 {
		t.Errorf("%d cases", len(cases))
	}
}
