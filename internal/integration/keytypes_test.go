package integration

import (
	"errors"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestAKeyOfAnotherType: after an ALTER through the driver, the row key has the new type
// in texts that were planned before, too. It is for MySQL: on Postgres the statements that
// pgx has prepared keep their parameters' types, see docs/SQL.md.
func TestAKeyOfAnotherType(t *testing.T) {
	s := newSite(t, testdb.MySQL(t))
	s.set("CREATE TABLE kt (id int PRIMARY KEY, ssn blob)")
	s.protect("  kt: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}\n")
	const insert = "INSERT INTO kt (id, ssn) VALUES (?, ?)"
	s.exec(insert, "7", ssn1)
	s.want("7|"+ssn1, "SELECT id, ssn FROM kt")
	s.exec("ALTER TABLE kt MODIFY id varchar(20)")
	s.exec(insert, "007", ssn2)
	s.affected(1, "UPDATE kt SET ssn = ? WHERE id = ?", ssn3, "7")
	s.want("007|"+ssn2+"\n7|"+ssn3, "SELECT id, ssn FROM kt ORDER BY id")
}

// TestMergeInsertsAKeyThatTheServerRounds as INSERT does: the value would be sealed for
// another key than is stored.
func TestMergeInsertsAKeyThatTheServerRounds(t *testing.T) {
	s := newSite(t, testdb.Postgres(t))
	s.set("CREATE TABLE rounded (id numeric(10,2) PRIMARY KEY, ssn bytea)")
	s.protect("  rounded: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}\n")
	texts := []string{"INSERT INTO rounded (id, ssn) VALUES (77.125, $1)", "INSERT INTO rounded (id, ssn) SELECT 77.125, $1"}
	if s.server.AtLeast("postgres", 15, 0) {
		texts = append(texts, "MERGE INTO rounded t USING (VALUES (77.125, $1)) v (id, s) ON t.id = v.id WHEN NOT MATCHED THEN INSERT (id, ssn) VALUES (v.id, v.s)",
			"MERGE INTO rounded t USING (SELECT 77.125::numeric AS id) v ON t.id = v.id WHEN NOT MATCHED THEN INSERT (id, ssn) VALUES (77.125, $1)")
	}
	for _, text := range texts {
		if _, err := s.sealed.Exec(text, ssn1); !errors.Is(err, driver.ErrValue) && !errors.Is(err, driver.ErrRefused) {
			t.Errorf("%s: %v", text, err)
		}
	}
	s.want("0", "SELECT count(*) FROM rounded")
	if len(texts) < 2 {
		t.Errorf("%d statements", len(texts))
	}
}
