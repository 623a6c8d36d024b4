package sqlplan

import "testing"

// TestALiteralIsWhatTheColumnWouldHold on each server.
func TestALiteralIsWhatTheColumnWouldHold(t *testing.T) {
	bits := func(b ...byte) Literal { return Literal{LiteralBits, string(b)} }
	cases := []struct {
		column          string
		given           Literal
		postgres, mysql string // empty: refused
	}{
		{"string", Literal{LiteralInteger, "7"}, "7", "7"},
		{"string", Literal{LiteralDecimal, ".5"}, "0.5", "0.5"},
		{"string", Literal{LiteralDecimal, "00.50"}, "0.50", "0.50"},
		{"string", Literal{LiteralDecimal, "-007.10"}, "-7.10", "-7.10"},
		{"string", Literal{LiteralDecimal, "-0.0"}, "0.0", "0.0"},
		{"string", Literal{LiteralDecimal, "5."}, "5", "5"},
		{"string", Literal{LiteralFloat, "1e3"}, "1000", "1000"},
		{"string", Literal{LiteralFloat, "1.50e1"}, "15.0", "15"},
		{"string", Literal{LiteralFloat, "-1.5E-3"}, "-0.0015", "-0.0015"},
		{"string", Literal{LiteralFloat, "1e20"}, "100000000000000000000", ""},
		{"string", Literal{LiteralFloat, "1e-7"}, "0.0000001", ""},
		{"string", Literal{LiteralFloat, "0e5"}, "0", "0"},
		{"string", Literal{LiteralBool, "true"}, "true", "1"},
		{"string", Literal{LiteralString, "1e3"}, "1e3", "1e3"},
		{"string", bits('A'), "A", "A"},
		{"bytes", bits('A'), "A", "A"},
		{"int64", Literal{LiteralFloat, "1e3"}, "1000", "1000"},
		{"int64", Literal{LiteralFloat, "1.5e0"}, "2", ""},
		{"int64", Literal{LiteralDecimal, "5.0"}, "5", "5"},
		{"int64", Literal{LiteralDecimal, "1.5"}, "2", "2"},
		{"int64", Literal{LiteralDecimal, "2.5"}, "3", "3"},
		{"int64", Literal{LiteralDecimal, "-1.5"}, "-2", "-2"},
		{"int64", Literal{LiteralDecimal, "-0.4"}, "0", "0"},
		{"int64", Literal{LiteralBool, "true"}, "true", "1"},
		{"int64", bits(0x1f), "\x1f", "31"},
		{"int64", bits(0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "\x7f\xff\xff\xff\xff\xff\xff\xff", "9223372036854775807"},
		{"int64", bits(1, 0, 0, 0, 0, 0, 0, 0, 0), "\x01\x00\x00\x00\x00\x00\x00\x00\x00", "\x01\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"float64", bits(0x1f), "\x1f", "31"},
		{"float64", Literal{LiteralFloat, "1e300"}, "1e300", "1e300"},
		{"decimal", bits(5), "\x05", "5"},
		{"decimal", Literal{LiteralBool, "false"}, "false", "0"},
		{"bool", Literal{LiteralBool, "true"}, "true", "true"},
		{"json", Literal{LiteralBool, "true"}, "true", "true"},
	}
	for _, c := range cases {
		for i, want := range []string{c.postgres, c.mysql} {
			got, ok := c.given.stored(c.column, i == 1)
			if ok != (want != "") || ok && got.Text != want {
				t.Errorf("%q into %s, MySQL %v: %q, %v; want %q", c.given.Text, c.column, i == 1, got.Text, ok, want)
			}
		}
	}
	if len(cases) != 33 {
		t.Errorf("%d cases", len(cases))
	}
}
