package driver

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/policy"
)

type accountNumber string

func TestRowKeyValuesHaveOneCanonicalText(t *testing.T) {
	paris := time.FixedZone("", 3600)
	at := time.Date(2024, 2, 29, 13, 30, 0, 123456789, paris)
	uuid := [16]byte{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00}
	n := 7
	tests := []struct {
		name   string
		typ    KeyType
		values []any
		want   string // "" for an error
	}{
		{"integers", KeyInteger, []any{7, int64(7), uint8(7), "7", []byte("7"), "007", " 7 ", "+7", 7.0, &n, sql.NullInt64{Int64: 7, Valid: true}}, "7"},
		{"large integers", KeyInteger, []any{uint64(18446744073709551615), "18446744073709551615"}, "18446744073709551615"},
		{"not integers", KeyInteger, []any{"7a", "", "0x7", "7_0", 7.5, time.Time{}, "+-7", strings.Repeat("9", 50), 1e300}, ""},
		{"text", KeyText, []any{"ab ", []byte("ab "), accountNumber("ab ")}, "ab "},
		{"padded text", KeyPaddedText, []any{"ab ", "ab", []byte("ab   ")}, "ab"},
		{"text that is not UTF-8", KeyText, []any{"\xff", []byte{0xff}}, ""},
		{"NULL", KeyText, []any{nil, (*string)(nil), []byte(nil), sql.NullString{}}, ""},
		{"numerics", KeyNumeric, []any{"7.50", 7.5, "+7.5", "75e-1", "0.75E1", "007.5", []byte("7.500")}, "7.5"},
		{"whole numerics", KeyNumeric, []any{"700", 700, "7e2", "700.000"}, "700"},
		{"negative zero", KeyNumeric, []any{"-0.00", 0, "0"}, "0"},
		{"not numerics", KeyNumeric, []any{"NaN", "", ".", "1e99999", "1.2.3", "e5", "--1"}, ""},
		{"UUIDs", KeyUUID, []any{uuid, uuid[:], "123E4567-E89B-12D3-A456-426614174000", "{123e4567e89b12d3a456426614174000}"}, "123e4567-e89b-12d3-a456-426614174000"},
		{"not UUIDs", KeyUUID, []any{"123", []byte{1}, 7}, ""},
		{"booleans", KeyBool, []any{true, 1, "t", "TRUE", []byte("1")}, "true"},
		{"MySQL's booleans", KeyInteger, []any{true, 1}, "1"},
		{"bytes", KeyBytes, []any{[]byte{0xab, 0}, "\xab\x00"}, "ab00"},
		{"points in time", KeyTimestampTZ, []any{at, at.UTC(), "2024-02-29T13:30:00.123457+01:00", "2024-02-29 12:30:00.123457+00"}, "2024-02-29T12:30:00.123457Z"},
		{"wall clocks", KeyTimestamp, []any{time.Date(2024, 2, 29, 13, 30, 0, 0, time.UTC), "2024-02-29 13:30:00", []byte("2024-02-29T13:30:00")}, "2024-02-29T13:30:00"},
		{"dates", KeyDate, []any{at, "2024-02-29", "2024-02-29 13:30:00"}, "2024-02-29"},
		{"unsupported types", KeyUnsupported, []any{"x"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i, v := range tt.values {
				got, err := canonical(tt.typ, v, time.UTC)
				if tt.want == "" && err == nil || tt.want != "" && (err != nil || got != tt.want) {
					t.Errorf("value %d (%T): got %q, %v; want %q", i, v, got, err, tt.want)
				}
			}
		})
	}
	if len(tests) != 20 {
		t.Fatalf("ran %d tables, want 20", len(tests))
	}
	if got, err := canonical(KeyInteger, true, nil); err == nil {
		t.Errorf("Postgres takes no boolean for an integer, but: %q", got)
	}
}

func TestPlaintextsKeepTheirValueThroughSealingForm(t *testing.T) {
	at := time.Date(2024, 2, 29, 12, 30, 0, 123456789, time.UTC)
	tests := []struct {
		typ  policy.ValueType
		in   any
		form string
		out  any
	}{
		{policy.TypeString, "", "", ""},
		{policy.TypeString, []byte("é"), "é", "é"},
		{policy.TypeInt64, "-42", "-42", int64(-42)},
		{policy.TypeFloat64, 0.1, "0.1", 0.1},
		{policy.TypeBool, int64(1), "true", true},
		{policy.TypeTimestamp, at.In(time.FixedZone("", 7200)), "2024-02-29T12:30:00.123456789Z", at},
		{policy.TypeDate, "2024-02-29", "2024-02-29", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
		{policy.TypeDecimal, "1.50", "1.50", "1.50"},
		{policy.TypeUUID, "123E4567E89B12D3A456426614174000", "123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"},
		{policy.TypeJSON, map[string]int{"a": 1}, `{"a":1}`, `{"a":1}`},
	}
	for _, tt := range tests {
		form, null, err := encodePlaintext(tt.typ, tt.in)
		if err != nil || null || string(form) != tt.form {
			t.Errorf("%s: encoded %q, null %v, %v; want %q", tt.typ, form, null, err, tt.form)
			continue
		}
		if out, err := decodePlaintext(tt.typ, form); err != nil || out != tt.out {
			t.Errorf("%s: decoded %v, %v; want %v", tt.typ, out, err, tt.out)
		}
	}
	if len(tests) != 10 {
		t.Fatalf("ran %d cases, want 10", len(tests))
	}
}

func TestErrorsAboutValuesDoNotHoldThem(t *testing.T) {
	const secret = "900-12-3456"
	cases := 0
	for _, typ := range []policy.ValueType{policy.TypeString, policy.TypeBytes, policy.TypeInt64, policy.TypeFloat64, policy.TypeBool,
		policy.TypeTimestamp, policy.TypeDate, policy.TypeDecimal, policy.TypeUUID, policy.TypeJSON} {
		for _, v := range []any{secret, []byte(secret), accountNumber(secret), struct{ S string }{secret}, []string{secret}} {
			cases++
			b, _, err := encodePlaintext(typ, v)
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("encoding a %T as %s: the error holds the value", v, typ)
			}
			if err != nil {
				continue
			}
			if _, err := decodePlaintext(policy.TypeInt64, b); err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("decoding as int64: %v", err != nil)
			}
		}
	}
	if cases != 50 {
		t.Fatalf("ran %d cases, want 50", cases)
	}
}
