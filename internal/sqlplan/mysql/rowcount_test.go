package mysql

import (
	"slices"
	"testing"
)

func TestRowCountsOfTheFirstStatement(t *testing.T) {
	for _, c := range []struct {
		name, text string
		calls      []string
	}{
		{"a call", "SELECT ROW_COUNT()", []string{"ROW_COUNT()"}},
		{"two calls, in other spellings", "SELECT row_count( ), 1 + Row_Count /* rows */ ()", []string{"row_count( )", "Row_Count /* rows */ ()"}},
		{"in parentheses", "((SELECT ROW_COUNT()))", []string{"ROW_COUNT()"}},
		{"in a write", "INSERT INTO log (n) VALUES (ROW_COUNT())", []string{"ROW_COUNT()"}},
		{"in a second statement", "SELECT 1; SELECT ROW_COUNT()", nil},
		{"before a second statement", "SELECT ROW_COUNT(); SELECT ROW_COUNT()", []string{"ROW_COUNT()"}},
		{"in strings, comments and names", "SELECT 'ROW_COUNT()', \"ROW_COUNT()\", `ROW_COUNT()` /* ROW_COUNT() */ -- ROW_COUNT()", nil},
		{"a column", "SELECT row_count, t.row_count FROM t", nil},
		{"a function of a database", "SELECT shop.ROW_COUNT()", nil},
		{"with an argument", "SELECT ROW_COUNT(1)", nil},
		{"in a program's body", "CREATE PROCEDURE p() SELECT ROW_COUNT()", nil},
		{"a text that cannot be read", "SELECT ROW_COUNT(), 'x", nil},
		{"another text", "SELECT 1", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var calls []string
			for _, at := range RowCounts(c.text, Options{}) {
				calls = append(calls, c.text[at[0]:at[1]])
			}
			if !slices.Equal(calls, c.calls) {
				t.Errorf("%q, want %q", calls, c.calls)
			}
		})
	}
}
