package integration

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
)

// TestHostileStatements sends statements that were written to get a plaintext
// past the analysis. Whatever becomes of each, the proxy must not see the
// plaintext, and no row may hold it.
func TestHostileStatements(t *testing.T) {
	counts := map[string]int{"postgres": 211, "mysql": 238}
	onBoth(t, func(t *testing.T, s *site) {
		const plaintext = "900-12-3456"
		if err := s.proxy.Watch(plaintext); err != nil {
			t.Fatal(err)
		}
		s.set("CREATE VIEW v_accounts AS SELECT * FROM accounts")
		s.exec("INSERT INTO accounts (account_number, name, ssn) VALUES ('h1', 'x', '900-99-0000')")
		ran, sent := 0, 0
		for _, file := range []string{"both.sql", s.server.Name + ".sql"} {
			data, err := os.ReadFile("testdata/hostile/" + file)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range strings.Split(strings.TrimSpace(string(data)), "\n;;\n") {
				ran++
				before := len(s.proxy.Leaks())
				_, err := s.sealed.Exec(text)
				if len(s.proxy.Leaks()) > before {
					t.Errorf("LEAK: %s", text)
				}
				if err == nil {
					sent++
				} else if !errors.Is(err, driver.ErrRefused) && testing.Verbose() {
					t.Logf("%s\n   %v", text, err)
				}
				if err != nil && strings.Contains(err.Error(), plaintext) {
					t.Errorf("the error holds the value: %s", text)
				}
			}
		}
		if ran != counts[s.server.Name] {
			t.Errorf("ran %d statements, want %d", ran, counts[s.server.Name])
		}
		t.Logf("%d of %d statements were carried out", sent, ran)
		for _, r := range s.read("SELECT ssn, note FROM accounts") { // every value verifies
			_ = r
		}
		var n int
		like := "SELECT count(*) FROM accounts WHERE encode(ssn, 'escape') LIKE '%900-12%' OR note LIKE '%900-12%'"
		if !s.postgres() {
			like = "SELECT count(*) FROM accounts WHERE ssn LIKE '%900-12%' OR note LIKE '%900-12%'"
		}
		if err := s.bare.QueryRow(like).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows hold the plaintext, %v", n, err)
		}
	})
}
