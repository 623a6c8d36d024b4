package seal

import (
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/policy"
)

type accountNumber string

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
		if out, err := decodePlaintext(tt.typ, form, false); err != nil || out != tt.out {
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
			if _, err := decodePlaintext(policy.TypeInt64, b, false); err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("decoding as int64: %v", err != nil)
			}
		}
	}
	if cases != 50 {
		t.Fatalf("ran %d cases, want 50", cases)
	}
}
