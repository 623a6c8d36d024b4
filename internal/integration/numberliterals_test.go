package integration

import (
	"fmt"
	"strings"
	"testing"
)

// TestNumberLiteralsAreWhatABareColumnHolds: the servers write a number in a text column in
// their own form, and round it in a column of whole numbers.
func TestNumberLiteralsAreWhatABareColumnHolds(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		blob, double := "blob", "double"
		if s.postgres() {
			blob, double = "bytea", "double precision"
		}
		s.set(fmt.Sprintf("CREATE TABLE literals (id int PRIMARY KEY, s %[1]s, n %[1]s, f %[1]s, bare_s text, bare_n bigint, bare_f %[2]s)", blob, double))
		s.protect("  literals: {row_key: [id], columns: {s: {keyring: pii, type: string}, n: {keyring: pii, type: int64}, f: {keyring: pii, type: float64}}}\n")
		text := []string{"1e3", "007", "1.50", ".5", "-007", "00.50", "-1.5e-3", "123456789012345678901234567890", "-0", "-0.0", "+7", "TRUE", "2e0"}
		whole := []string{"1e3", "5.0", "1.5", "2.5", "-1.5", "-0.0", "0.4", "5"}
		float := []string{"1e3", "5", "1.5", "'1e3'"}
		if !s.postgres() {
			text = append(text, "0x414243", "b'1000001'", "_utf8mb4 0x414243", "_binary x'41'")
			whole = append(whole, "TRUE", "0x1F", "0b101", "b'101'", "0x7FFFFFFFFFFFFFFF", "0x00")
			float = append(float, "TRUE", "0x1F")
		}
		id := 0
		for column, list := range map[string][]string{"s": text, "n": whole, "f": float} {
			for _, literal := range list {
				id++
				s.affected(1, fmt.Sprintf("INSERT INTO literals (id, %[1]s, bare_%[1]s) VALUES (%[2]d, %[3]s, %[3]s)", column, id, literal))
				both := s.read(fmt.Sprintf("SELECT %[1]s, bare_%[1]s FROM literals WHERE id = %[2]d", column, id))[0]
				sealed, bare, _ := strings.Cut(both, "|")
				if sealed != bare || bare == "<nil>" {
					t.Errorf("%s into %s: %s, bare %s", literal, column, sealed, bare)
				}
			}
		}
		if want := map[bool]int{true: 25, false: 37}[s.postgres()]; id != want {
			t.Errorf("%d literals, want %d", id, want)
		}
		if !s.postgres() {
			for _, literal := range []string{"1e20", "1e-7"} {
				s.refuses("INSERT INTO literals (id, s) VALUES (1000, " + literal + ")")
			}
		}
	})
}
