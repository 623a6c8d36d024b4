package integration

import (
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestADecimalIsWhatTheServerWouldStore writes numbers in every spelling that numeric
// takes, beside numeric itself.
func TestADecimalIsWhatTheServerWouldStore(t *testing.T) {
	s := newSite(t, testdb.Postgres(t))
	s.set("CREATE TABLE sums (id int PRIMARY KEY, sum bytea, bare numeric)")
	db, _, _ := s.under(strings.SplitAfter(policyText, "tables:\n")[0] + "  sums: {row_key: [id], columns: {sum: {keyring: pii, type: decimal}}}\n")
	spellings := []string{"0", "-0", "-0.00", "7", "+5", "007", "-007.50", "1e3", "1E+3", "1.5e3", "1.50e1", "1.50e-2", "1e-3", ".5", "5.", "+.5e1", " 7.10 ", "0e5", "000.000",
		strings.Repeat("9", 1200), "0." + strings.Repeat("1", 1200), "1e1200", "1e-1200"}
	for i, v := range spellings {
		if _, err := db.Exec("INSERT INTO sums (id, sum, bare) VALUES ($1, $2, $3)", i, v, v); err != nil {
			t.Errorf("%.20q: %v", v, err)
			continue
		}
		var got, want string
		if err := db.QueryRow("SELECT sum, bare::text FROM sums WHERE id = $1", i).Scan(&got, &want); err != nil || got != want {
			t.Errorf("%.20q: got %.30q, want %.30q, %v", v, got, want, err)
		}
	}
	for _, v := range []string{"", "1,5", "1e", "--1", "0x10", "1e999999999", "one"} {
		if _, err := db.Exec("UPDATE sums SET sum = $1 WHERE id = 0", v); err == nil {
			t.Errorf("%q is taken for a number", v)
		}
	}
	if len(spellings) != 23 {
		t.Errorf("%d spellings", len(spellings))
	}
}
