package mysql

import (
	"database/sql"
	"testing"
	"time"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

func TestAKeyThatTheServerChangesIsRejected(t *testing.T) {
	half := time.Date(2024, 1, 2, 3, 4, 5, 123456500, time.UTC)
	tests := []struct {
		full          string
		kept, changed []any
	}{
		{"year", []any{2024, "2024", 0, "0000"}, []any{24, "24", []byte("24"), "0", []byte("0")}},
		{"datetime(6)", []any{half.Truncate(time.Microsecond), "2024-01-02 03:04:05.123456"}, []any{half, "2024-01-02 03:04:05.1234565", "2024-02-30 00:00:00"}},
		{"datetime", []any{"2024-01-02 03:04:05"}, []any{"2024-01-02 03:04:05.5", half}},
		{"date", []any{"2024-01-02", "2024-01-02 10:00:00", half}, []any{"2024-01-02 23:59:59.5", "2024-02-30"}},
		{"bigint unsigned", []any{uint64(1) << 63, "18446744073709551615"}, []any{-1, "18446744073709551616"}},
		{"decimal(5,2)", []any{"123.45", "1.50"}, []any{"1234.5", "1.005"}},
		{"varbinary(3)", []any{[]byte("007")}, []any{[]byte("0070")}},
	}
	cases := 0
	for _, tt := range tests {
		column := &server.Column{RelationColumn: sqlplan.RelationColumn{Name: "k", Type: tt.full, Full: tt.full}}
		column.Key = Server{}.KeyType(column.RelationColumn)
		rules := Server{}.Values(server.Session{}, nil, nil)
		for want, values := range map[bool][]any{true: tt.kept, false: tt.changed} {
			for _, v := range values {
				cases++
				text, err := rules.Given(column, v)
				if err == nil {
					err = rules.CheckExact(column, v, text)
				}
				if kept := err == nil; kept != want {
					t.Errorf("%s given %v (%T): %v", tt.full, v, v, err)
				}
			}
		}
	}
	if cases != 32 {
		t.Errorf("ran %d cases", cases)
	}
}

func TestADefaultIsWrittenAsTheValueThatTheServerStores(t *testing.T) {
	tests := []struct {
		columnType, shown string
		expression        bool
		want              string
	}{
		{"varbinary(8)", "0x303037", false, "0x303037"},
		{"varchar(8)", "0x303037", false, "'0x303037'"},
		{"varchar(8)", `a\b`, false, "CONVERT(x'615c62' USING utf8mb4)"},
		{"varchar(8)", "it's", false, "'it''s'"},
		{"int", "7", false, "7"},
		{"varchar(8)", "007", false, "'007'"},
		{"varchar(36)", "uuid()", true, "uuid()"},
		{"varchar(36)", "NULL", true, ""},
	}
	for _, tt := range tests {
		if got := defaultSQL(tt.columnType, sql.NullString{String: tt.shown, Valid: true}, tt.expression); got != tt.want {
			t.Errorf("%s DEFAULT %s: %s, want %s", tt.columnType, tt.shown, got, tt.want)
		}
	}
	if len(tests) != 8 {
		t.Errorf("ran %d cases", len(tests))
	}
}

func TestAnExpressionIsReadAsMySQLShowsIt(t *testing.T) {
	tests := []struct{ shown, want string }{
		{"uuid()", "uuid()"},
		{`concat(_utf8mb4\'e\',(1 + 1))`, "concat(_utf8mb4'e',(1 + 1))"},
		{`concat(_utf8mb4\'it\\\'s\')`, "`default`"},
		{`concat(_utf8mb4\'n\\n\')`, "`default`"},
		{`concat(_utf8mb4\'Ã¼\')`, "`default`"},
	}
	for _, tt := range tests {
		if got := readable(unescaped(tt.shown)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.shown, got, tt.want)
		}
	}
	if got := unescaped(`upper(concat(_utf8mb4\'it\\\'s\'))`); got != `upper(concat(_utf8mb4'it\'s'))` {
		t.Errorf("an expression of a generated column is %s", got)
	}
	if len(tests) != 5 {
		t.Errorf("ran %d cases", len(tests))
	}
}
