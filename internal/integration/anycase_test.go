package integration

import (
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestColumnsThatThePolicyWritesInAnotherCase are one column to MySQL, in every statement;
// a star shows the table's own spelling.
func TestColumnsThatThePolicyWritesInAnotherCase(t *testing.T) {
	s := newSite(t, testdb.MySQL(t))
	tables := []struct{ columns, key, ssn, context string }{
		{"ID int PRIMARY KEY, Tenant int NOT NULL DEFAULT 7, SSN blob", "id", "ssn", "{id: id, tenant: tenant}"},
		{"id int PRIMARY KEY, tenant int NOT NULL DEFAULT 7, ssn blob", "ID", "Ssn", "{ID: ID, tenant: TENANT}"},
		{"Id int AUTO_INCREMENT PRIMARY KEY, tenant int NOT NULL DEFAULT 7, Ssn blob", "iD", "SSN", "{id: iD, tenant: Tenant}"},
		{"Id varchar(20) PRIMARY KEY, TENANT int NOT NULL DEFAULT 7, Ssn blob", "id", "ssn", "{id: id, tenant: tenant}"},
	}
	for i, c := range tables {
		s.set("DROP TABLE IF EXISTS mixed", "CREATE TABLE mixed ("+c.columns+")")
		s.protect("  mixed: {row_key: [" + c.key + "], columns: {" + c.ssn + ": {keyring: pii, type: string, context: " + c.context + "}}}\n")
		s.exec("INSERT INTO mixed (ID, sSn) VALUES (1, ?)", ssn1)
		s.exec("INSERT INTO mixed VALUES (2, 8, ?)", ssn2)
		s.affected(1, "UPDATE mixed SET ssn = ? WHERE id = 2", ssn3)
		s.affected(1, "UPDATE mixed SET SSN = ? WHERE TENANT = 7", ssn2)
		s.affected(2, "INSERT INTO mixed (iD, SSN) VALUES (1, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(sSN)", ssn1)
		s.want("1|7|"+ssn1+"\n2|8|"+ssn3, "SELECT * FROM mixed ORDER BY id")
		s.want(ssn1+"\n"+ssn3, "SELECT m.SSN FROM (SELECT * FROM mixed) m ORDER BY m.iD")
		s.affected(1, "UPDATE mixed SET id = ? WHERE ID = 2", "3")
		s.want(ssn3, "SELECT ssn FROM mixed WHERE id = 3")
		rows, err := s.sealed.Query("SELECT * FROM mixed")
		if err != nil {
			t.Fatal(err)
		}
		names, err := rows.Columns()
		if closed := rows.Close(); err != nil || closed != nil {
			t.Fatal(err, closed)
		}
		for j, want := range strings.Split(c.columns, ", ") {
			if want, _, _ = strings.Cut(want, " "); names[j] != want {
				t.Errorf("table %d: a star shows %s, want %s", i, names[j], want)
			}
		}
	}
}
