package integration

import (
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestSystemVersionedTables shows each version of a row with the value that was written
// for it.
func TestSystemVersionedTables(t *testing.T) {
	server := testdb.MySQL(t)
	server.Only(t, "mariadb", "MySQL has no system versioning")
	s := newSite(t, server)
	s.set("CREATE TABLE kept (id int PRIMARY KEY, n int, ssn blob) WITH SYSTEM VERSIONING")
	s.protect("  kept: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}\n")
	s.exec("INSERT INTO kept (id, ssn) VALUES (1, ?), (2, ?)", ssn1, ssn2)
	s.exec("UPDATE kept SET ssn = ? WHERE id = 1", ssn3)
	all := "1|" + ssn1 + "\n1|" + ssn3 + "\n2|" + ssn2
	now := "1|" + ssn3 + "\n2|" + ssn2
	for _, c := range []struct {
		want, text string
		args       []any
	}{
		{all, "SELECT id, ssn FROM kept FOR SYSTEM_TIME ALL ORDER BY id, row_end", nil},
		{all, "SELECT id, ssn FROM kept FOR SYSTEM_TIME BETWEEN '2000-01-01' AND NOW(6) ORDER BY id, ROW_START", nil},
		{all, "SELECT k.id, k.ssn FROM kept FOR SYSTEM_TIME FROM TIMESTAMP'2000-01-01 00:00:00' TO CURRENT_TIMESTAMP(6) + INTERVAL 1 DAY AS k ORDER BY k.id, k.row_end", nil},
		{now, "SELECT id, ssn FROM kept FOR SYSTEM_TIME AS OF NOW(6) ORDER BY id", nil},
		{now, "SELECT id, ssn FROM kept FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP + INTERVAL 1 HOUR ORDER BY id", nil},
		{now, "SELECT id, ssn FROM kept FOR SYSTEM_TIME AS OF ? k ORDER BY id", []any{"2037-01-01 00:00:00"}},
		{"", "SELECT id, ssn FROM kept FOR SYSTEM_TIME AS OF ? WHERE id > ?", []any{"2000-01-01 00:00:00", 0}},
		{ssn1 + "\n" + ssn3, "SELECT q.ssn FROM (SELECT * FROM kept FOR SYSTEM_TIME ALL) q WHERE id = 1 ORDER BY q.id", nil},
		{ssn3, "SELECT a.ssn FROM kept a JOIN kept FOR SYSTEM_TIME ALL b ON a.id = b.id AND b.row_end <= a.row_start", nil},
		{"3", "SELECT count(*) FROM kept FOR SYSTEM_TIME ALL", nil},
	} {
		s.want(c.want, c.text, c.args...)
	}
	s.exec("DELETE HISTORY FROM kept BEFORE SYSTEM_TIME '2000-01-01'")
	s.want("3", "SELECT count(*) FROM kept FOR SYSTEM_TIME ALL")
	s.exec("DELETE HISTORY FROM kept")
	s.want("2", "SELECT count(*) FROM kept FOR SYSTEM_TIME ALL")
	s.refuses("SELECT id, ssn FROM kept FOR SYSTEM_TIME AS OF (SELECT max(ssn) FROM kept)")
}

// TestValuesOfSequencesAsRowKeys asks the sequence first.
func TestValuesOfSequencesAsRowKeys(t *testing.T) {
	server := testdb.MySQL(t)
	server.Only(t, "mariadb", "MySQL has no sequences")
	s := newSite(t, server)
	s.set("CREATE SEQUENCE numbers", "CREATE TABLE numbered (id bigint DEFAULT (NEXT VALUE FOR numbers) PRIMARY KEY, n int, ssn blob)")
	s.protect("  numbered: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}\n")
	s.affected(1, "INSERT INTO numbered (n, ssn) VALUES (1, ?)", ssn1)
	s.affected(2, "INSERT INTO numbered (n, ssn) VALUES (2, ?), (3, ?)", ssn2, ssn3)
	s.affected(1, "INSERT INTO numbered (id, n, ssn) VALUES (NEXT VALUE FOR numbers, 4, ?)", ssn1)
	s.affected(1, "INSERT INTO numbered (id, n, ssn) VALUES (NEXTVAL(numbers), 5, ?)", ssn2)
	s.affected(2, "INSERT INTO numbered (id, n, ssn) VALUES (DEFAULT, 6, ?), (100, 7, ?)", ssn3, ssn1)
	s.want("1|1|"+ssn1+"\n2|2|"+ssn2+"\n3|3|"+ssn3+"\n4|4|"+ssn1+"\n5|5|"+ssn2+"\n6|6|"+ssn3+"\n100|7|"+ssn1, "SELECT id, n, ssn FROM numbered ORDER BY id")
	s.want(ssn1+"|7", "SELECT ssn, NEXTVAL(numbers) FROM numbered WHERE id = 1")
	s.affected(1, "UPDATE numbered SET ssn = ?, n = NEXT VALUE FOR numbers WHERE id = 1", ssn2)
	s.want("8|"+ssn2, "SELECT n, ssn FROM numbered WHERE id = 1")
}

// TestNumbersThatEndInAPoint are numbers of MySQL, which the parser does not read.
func TestNumbersThatEndInAPoint(t *testing.T) {
	s := newSite(t, testdb.MySQL(t))
	s.set("CREATE TABLE amounts (id int PRIMARY KEY, d blob)")
	s.protect("  amounts: {row_key: [id], columns: {d: {keyring: pii, type: decimal}}}\n")
	s.affected(3, "INSERT INTO amounts (id, d) VALUES (1, 5.), (2, -7.), (3, +8.)")
	s.affected(1, "UPDATE amounts SET d = (6.) WHERE id = 3.")
	s.want("1|5|5|6\n2|-7|5|6\n3|6|5|6", "SELECT id, d, 5., 6 FROM amounts ORDER BY id")
}
