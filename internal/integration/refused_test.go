package integration

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sealsql/sealsql/driver"
)

// deadlock reports whether the server broke a deadlock, as it would for the
// bare driver.
func deadlock(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "40P01"
	}
	e, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && e.Number == 1213
}

// refused are statements that must not be sent, on either server.
var refused = []string{
	"SELECT account_number FROM accounts WHERE ssn = '900-12-3456'",
	"SELECT upper(ssn) FROM accounts",
	"SELECT max(ssn) FROM accounts",
	"SELECT account_number FROM accounts ORDER BY ssn",
	"SELECT count(*) FROM accounts GROUP BY ssn",
	"SELECT DISTINCT ssn FROM accounts",
	"SELECT ssn FROM accounts UNION SELECT name FROM accounts",
	"SELECT a.name FROM accounts a JOIN people p ON a.ssn = p.ssn",
	"SELECT a.name FROM accounts a WHERE a.ssn IN (SELECT ssn FROM people)",
	"INSERT INTO accounts (account_number, ssn) VALUES ('r1', concat('900', '-12-3456'))",
	"INSERT INTO accounts (account_number, ssn) VALUES ('r1', '900-12-3456', 'more')",
	"INSERT INTO accounts VALUES ('r1', 1, 'n', '900-12-3456', 'x', 'y', 'z')",
	"INSERT INTO accounts (account_number, ssn) SELECT account_number, ssn FROM people",
	"INSERT INTO other (text_column) SELECT ssn FROM accounts",
	"UPDATE accounts SET name = ssn",
	"UPDATE accounts SET ssn = note",
	"UPDATE accounts SET ssn = name",
	"UPDATE accounts SET ssn = concat(ssn, 'x')",
	"UPDATE other SET text_column = (SELECT ssn FROM accounts LIMIT 1)",
	"DELETE FROM accounts WHERE ssn = '900-12-3456'",
	"CREATE TABLE copy1 AS SELECT * FROM accounts",
	"CREATE VIEW v1 AS SELECT ssn FROM accounts",
	"CREATE UNIQUE INDEX i1 ON accounts (ssn)",
}

var refusedBy = map[string][]string{
	"postgres": {
		"COPY accounts TO STDOUT",
		"DO $$ BEGIN UPDATE accounts SET ssn = '900-12-3456'; END $$",
		"PREPARE p1 AS INSERT INTO accounts (account_number, ssn) VALUES ($1, $2)",
		"SELECT query_to_xml('SELECT ssn FROM accounts', true, true, '')",
		"SELECT accounts FROM accounts",
		"SELECT to_json(a) FROM accounts a",
		"SELECT ssn::varchar(3) FROM accounts",
		"SELECT ssn || 'x' FROM accounts",
		"UPDATE accounts SET (name, ssn) = (SELECT 'a', 'b')",
		"INSERT INTO accounts (account_number, ssn) VALUES ('r1', '900-12-3456') ON CONFLICT (name) DO UPDATE SET ssn = EXCLUDED.ssn",
		"SELECT ssn FROM accounts WHERE (",
		"SELECT U&\"\\0073sn\" FROM accounts WHERE U&\"\\0073sn\" = '900-12-3456'",
		"SET standard_conforming_strings = off",
	},
	"mysql": {
		"SELECT ssn INTO OUTFILE '/tmp/x' FROM accounts",
		"HANDLER accounts OPEN",
		"LOAD DATA INFILE '/tmp/x' INTO TABLE accounts",
		"PREPARE p1 FROM 'SELECT ssn FROM accounts'",
		"SELECT CONCAT(ssn, 'x') FROM accounts",
		"SELECT ssn INTO @x FROM accounts",
		"UPDATE accounts SET ssn = @x",
		"INSERT INTO people (name, ssn) VALUES ('a', '900-12-3456') ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), name = 'b'",
		"SELECT ssn FROM accounts WHERE (",
		"SELECT GROUP_CONCAT(ssn) FROM accounts",
		"SELECT `ssn` FROM accounts WHERE /*! ssn = '900-12-3456' */",
	},
}

func TestRefusedBeforeAnythingIsSent(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch("900-12-3456", "900"+"', '-12-3456"); err != nil {
			t.Fatal(err)
		}
		s.exec("INSERT INTO accounts (account_number, name) VALUES ('r0', 'x')") // warms up the catalog
		texts := append(append([]string(nil), refused...), refusedBy[s.server.Name]...)
		for _, text := range texts {
			_, err := s.sealed.Exec(text)
			if !errors.Is(err, driver.ErrRefused) {
				t.Errorf("%s\n   not refused: %v", text, err)
				continue
			}
			if strings.Contains(err.Error(), "900-12") {
				t.Errorf("%s: the error holds the value", text)
			}
		}
		if want := map[string]int{"postgres": 36, "mysql": 34}[s.server.Name]; len(texts) != want {
			t.Errorf("ran %d statements, want %d", len(texts), want)
		}
	})
}

// TestTheProxyWouldCatchALeak sends a plaintext through the proxy by the bare driver.
func TestTheProxyWouldCatchALeak(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		quiet := s.server
		p, err := newQuietProxy(quiet)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if err := p.Watch("900-12-3456"); err != nil {
			t.Fatal(err)
		}
		name, dsn := quiet.DSN(p.Addr(), "")
		db := openBare(t, name, dsn)
		if err := db.QueryRow("SELECT '900-12-3456'").Scan(new(string)); err != nil {
			t.Fatal(err)
		}
		if len(p.Leaks()) < 2 {
			t.Errorf("found %v, want the value in both directions", p.Leaks())
		}
		s.exec("INSERT INTO accounts (account_number) VALUES ('x')") // so that something passes the site's own proxy
	})
}
