package mysql

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/internal/server"
)

type accountNumber string

func TestRowKeyValuesHaveOneCanonicalText(t *testing.T) {
	paris := time.FixedZone("", 3600)
	at := time.Date(2024, 2, 29, 13, 30, 0, 123456789, paris)
	uuid := [16]byte{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00}
	n := 7
	tests := []struct {
		name   string
		typ    server.KeyType
		values []any
		want   string // "" for an error
	}{
		{"integers", server.KeyInteger, []any{7, int64(7), uint8(7), "7", []byte("7"), "007", " 7 ", "+7", 7.0, &n, sql.NullInt64{Int64: 7, Valid: true}}, "7"},
		{"large integers", server.KeyInteger, []any{uint64(18446744073709551615), "18446744073709551615"}, "18446744073709551615"},
		{"not integers", server.KeyInteger, []any{"7a", "", "0x7", "7_0", 7.5, time.Time{}, "+-7", strings.Repeat("9", 50), 1e300}, ""},
		{"text", server.KeyText, []any{"ab ", []byte("ab "), accountNumber("ab ")}, "ab "},
		{"padded text", server.KeyPaddedText, []any{"ab ", "ab", []byte("ab   ")}, "ab"},
		{"text that is not UTF-8", server.KeyText, []any{"\xff", []byte{0xff}}, ""},
		{"NULL", server.KeyText, []any{nil, (*string)(nil), []byte(nil), sql.NullString{}}, ""},
		{"numerics", server.KeyNumeric, []any{"7.50", 7.5, "+7.5", "75e-1", "0.75E1", "007.5", []byte("7.500")}, "7.5"},
		{"whole numerics", server.KeyNumeric, []any{"700", 700, "7e2", "700.000"}, "700"},
		{"negative zero", server.KeyNumeric, []any{"-0.00", 0, "0"}, "0"},
		{"not numerics", server.KeyNumeric, []any{"NaN", "", ".", "1e99999", "1.2.3", "e5", "--1"}, ""},
		{"UUIDs", server.KeyUUID, []any{uuid, uuid[:], "123E4567-E89B-12D3-A456-426614174000", "{123e4567e89b12d3a456426614174000}"}, "123e4567-e89b-12d3-a456-426614174000"},
		{"not UUIDs", server.KeyUUID, []any{"123", []byte{1}, 7}, ""},
		{"MySQL's booleans", server.KeyInteger, []any{true, 1}, "1"},
		{"bytes", server.KeyBytes, []any{[]byte{0xab, 0}, "\xab\x00"}, "ab00"},
		{"wall clocks", server.KeyTimestamp, []any{time.Date(2024, 2, 29, 13, 30, 0, 0, time.UTC), "2024-02-29 13:30:00", []byte("2024-02-29T13:30:00")}, "2024-02-29T13:30:00"},
		{"dates", server.KeyDate, []any{at, "2024-02-29", "2024-02-29 13:30:00"}, "2024-02-29"},
		{"unsupported types", server.KeyUnsupported, []any{"x"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i, v := range tt.values {
				got, err := Server{}.Values(server.Session{}, nil, nil).Given(&server.Column{Key: tt.typ}, v)
				if tt.want == "" && err == nil || tt.want != "" && (err != nil || got != tt.want) {
					t.Errorf("value %d (%T): got %q, %v; want %q", i, v, got, err, tt.want)
				}
			}
		})
	}
	if len(tests) != 18 {
		t.Fatalf("ran %d tables, want 18", len(tests))
	}
}
