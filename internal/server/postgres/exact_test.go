package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

func TestAKeyThatTheServerChangesIsRejected(t *testing.T) {
	half := time.Date(2024, 1, 2, 3, 4, 5, 123456500, time.UTC)
	tests := []struct {
		typ, full     string
		kept, changed []any
	}{
		{"numeric", "numeric(10,-2)", []any{"1500", 0, "-300"}, []any{"1550", "150.00", "7"}},
		{"numeric", "numeric(10,2)", []any{"77.12"}, []any{"77.125"}},
		{"oid", "oid", []any{7, "4294967295"}, []any{-1, "4294967296"}},
		{"name", "name", []any{strings.Repeat("a", 63)}, []any{strings.Repeat("a", 64), strings.Repeat("ä", 32)}},
		{"timestamp without time zone", "timestamp without time zone", []any{half, "2024-01-02 03:04:05.123456"}, []any{"2024-01-02 03:04:05.1234565"}},
		{"timestamp with time zone", "timestamp(3) with time zone", []any{"2024-01-02 03:04:05.123Z"}, []any{"2024-01-02 03:04:05.1234Z", "2024-01-02 03:04:05"}},
	}
	cases := 0
	for _, tt := range tests {
		column := &server.Column{RelationColumn: sqlplan.RelationColumn{Name: "k", Type: tt.typ, Full: tt.full}}
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
	if cases != 21 {
		t.Errorf("ran %d cases", cases)
	}
}
