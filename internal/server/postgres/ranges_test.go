package postgres

import (
	"testing"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// TestRangesAreWrittenAsTheServerStoresThem holds canonical texts to what Postgres shows
// for SELECT 'text'::type.
func TestRangesAreWrittenAsTheServerStoresThem(t *testing.T) {
	tests := []struct{ typ, given, want string }{
		{"int4range", "[1,5)", "[1,5)"},
		{"int4range", " [ 1 , 4 ] ", "[1,5)"},
		{"int4range", "(0,4]", "[1,5)"},
		{"int4range", `["1","+4"]`, "[1,5)"},
		{"int4range", "(1,2)", "empty"},
		{"int4range", "[3,3)", "empty"},
		{"int4range", "[3,3]", "[3,4)"},
		{"int4range", "EMPTY", "empty"},
		{"int4range", "[,5)", "(,5)"},
		{"int4range", "(,5]", "(,6)"},
		{"int8range", "[3,]", "[3,)"},
		{"int8range", "(,)", "(,)"},
		{"daterange", "[2026-01-01,2026-01-31]", "[2026-01-01,2026-02-01)"},
		{"daterange", "(2026-2-28,20260301)", "empty"},
		{"daterange", "[2026-01-01,infinity]", "[2026-01-01,infinity]"},
		{"numrange", "[1.50,2]", "[1.5,2]"},
		{"numrange", "(1.50,1.5)", "empty"},
		{"numrange", "[1.50,1.5]", "[1.5,1.5]"},
		{"tsrange", `["2026-01-01 10:00:00","2026-01-01 11:00")`, "[2026-01-01T10:00:00,2026-01-01T11:00:00)"},
		{"tstzrange", `["2026-01-01 10:00:00+01",)`, "[2026-01-01T09:00:00Z,)"},
	}
	for _, tt := range tests {
		c := &server.Column{RelationColumn: sqlplan.RelationColumn{Name: "k", Type: tt.typ, Full: tt.typ}}
		c.Key = Server{}.KeyType(c.RelationColumn)
		if got, err := (values{}).Given(c, tt.given); err != nil || got != tt.want {
			t.Errorf("%s %s: %q, %v, want %q", tt.typ, tt.given, got, err, tt.want)
		}
	}
	for _, bad := range []string{"", "[", "[1", "[1,", "[1,2", "1,2)", "[1,2,3)", "[1;2)", "[1,2)x", `["1,2)`, "[a,2)", "[1,9223372036854775807]", "[1 2,3)"} {
		c := &server.Column{RelationColumn: sqlplan.RelationColumn{Name: "k", Type: "int8range", Full: "int8range"}, Key: server.KeyRange}
		if got, err := (values{}).Given(c, bad); err == nil {
			t.Errorf("%q is taken as %q", bad, got)
		}
	}
	c := &server.Column{RelationColumn: sqlplan.RelationColumn{Name: "k", Type: "tstzrange", Full: "tstzrange"}, Key: server.KeyRange}
	if got, err := (values{}).Given(c, "[2026-01-01 10:00,)"); err == nil {
		t.Errorf("a time without a zone is taken as %q", got)
	}
}
