package integration

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
)

// TestDefaultsOfKeysAreWhatTheColumnStores leaves a key's column to its default, which
// the server converts to the column's type in the session's zone: the value opens, and
// the column holds what it holds without sealsql.
func TestDefaultsOfKeysAreWhatTheColumnStores(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		cases := []struct{ key, value string }{
			{"datetime DEFAULT CURRENT_TIMESTAMP", "SELECT ABS(TIMESTAMPDIFF(SECOND, MIN(id), NOW())) < 60 FROM kd"},
			{"datetime(3) DEFAULT CURRENT_TIMESTAMP(3)", "SELECT ABS(TIMESTAMPDIFF(SECOND, MIN(id), NOW())) < 60 FROM kd"},
			{"date DEFAULT (CURRENT_DATE)", "SELECT MIN(id) = CURRENT_DATE FROM kd"},
			{"decimal(10,2) DEFAULT '1'", "SELECT MIN(id) = 1 FROM kd"},
			{"int DEFAULT '7'", "SELECT MIN(id) = 7 FROM kd"},
			{"int DEFAULT (3.7)", "SELECT MIN(id) = 4 FROM kd"},
			{"bigint unsigned DEFAULT 18446744073709551615", "SELECT MIN(id) = 18446744073709551615 FROM kd"},
			{"varchar(20) DEFAULT 'é'", "SELECT MIN(id) = 'é' FROM kd"},
		}
		zones := []string{"SET time_zone = '+00:00'", "SET time_zone = '+09:00'", "SET time_zone = '-05:00'"}
		if s.postgres() {
			cases = []struct{ key, value string }{
				{"timestamp DEFAULT now()", "SELECT abs(extract(epoch FROM min(id) - localtimestamp)) < 60 FROM kd"},
				{"timestamp(0) DEFAULT clock_timestamp()", "SELECT abs(extract(epoch FROM min(id) - localtimestamp)) < 60 FROM kd"},
				{"timestamptz DEFAULT localtimestamp", "SELECT abs(extract(epoch FROM min(id) - now())) < 60 FROM kd"},
				{"timestamptz DEFAULT now()", "SELECT abs(extract(epoch FROM min(id) - now())) < 60 FROM kd"},
				{"date DEFAULT now()", "SELECT min(id) = current_date FROM kd"},
				{"date DEFAULT '2024-02-03'", "SELECT min(id) = '2024-02-03' FROM kd"},
				{"numeric DEFAULT '1'", "SELECT min(id) = 1 FROM kd"},
				{"numeric(10,2) DEFAULT 77.125", "SELECT min(id) = 77.13 FROM kd"},
				{"int DEFAULT '7'", "SELECT min(id) = 7 FROM kd"},
				{"int DEFAULT 3.7", "SELECT min(id) = 4 FROM kd"},
				{"text DEFAULT now()", "SELECT min(id) = now()::text OR min(id) LIKE '20%' FROM kd"},
				{"text DEFAULT 12", "SELECT min(id) = '12' FROM kd"},
				{"varchar(40) DEFAULT gen_random_uuid()", "SELECT count(*) = 1 FROM kd"},
				{"uuid DEFAULT 'AB000000-0000-0000-0000-000000000004'", "SELECT count(*) = 1 FROM kd"},
			}
			zones = []string{"SET TIME ZONE 'UTC'", "SET TIME ZONE 'Asia/Tokyo'", "SET TIME ZONE 'America/New_York'"}
		}
		ran := 0
		for _, c := range cases {
			for i, zone := range zones {
				for _, bound := range []string{"{id: id}", "{n: n, id: id}"} {
					ran++
					name := fmt.Sprintf("%s, %s, %s", c.key, zone, bound)
					blob := map[bool]string{true: "bytea", false: "blob"}[s.postgres()]
					s.set("DROP TABLE IF EXISTS kd")
					if _, err := s.bare.Exec("CREATE TABLE kd (id " + strings.Replace(c.key, " DEFAULT", " NOT NULL DEFAULT", 1) + ", n int NOT NULL, ssn " + blob + ", PRIMARY KEY (id))"); err != nil {
						t.Fatal(err)
					}
					s.protect("  kd: {row_key: [id], columns: {ssn: {keyring: pii, type: string, context: " + bound + "}}}\n")
					s.onConn(func(c2 *sql.Conn) {
						s.on(c2, zone)
						if _, err := c2.ExecContext(t.Context(), s.q("INSERT INTO kd (n, ssn) VALUES (1, ?)"), ssn1); err != nil {
							t.Errorf("%s: %v", name, err)
							return
						}
						var right bool
						if err := c2.QueryRowContext(t.Context(), c.value).Scan(&right); err != nil || !right {
							t.Errorf("%s: the column does not hold its default: %v", name, err)
						}
					})
					s.onConn(func(c2 *sql.Conn) {
						s.on(c2, zones[(i+1)%len(zones)])
						var got string
						if err := c2.QueryRowContext(t.Context(), "SELECT ssn FROM kd").Scan(&got); err != nil || got != ssn1 {
							t.Errorf("%s: reading: %v", name, err)
						}
					})
				}
			}
		}
		if want := len(cases) * len(zones) * 2; ran != want {
			t.Errorf("%d cases ran, want %d", ran, want)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, e := range s.events {
			t.Errorf("an event: %+v", e)
		}
	})
}
