package integration

import (
	"errors"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestMySQLsGeneratedRowKeys writes to a table whose row key is a generated column, beside
// a bare twin. A value whose row's key is not known is refused, with a way out that works.
func TestMySQLsGeneratedRowKeys(t *testing.T) {
	server, p := testdb.MySQL(t), fakePolicy(t, autoPolicy)
	for _, stored := range []string{"STORED", "VIRTUAL"} {
		w := witness{ddl: []string{"CREATE TABLE auto (uid varchar(40) NOT NULL UNIQUE, id varchar(40) AS (upper(uid)) " + stored + ", email varchar(40), n int NOT NULL DEFAULT 0, ssn %s, UNIQUE (id))"}}
		a := newAutoTwins(t, server, w, "", p)
		for _, c := range []struct{ text, hint string }{
			{"INSERT INTO auto (uid, ssn) VALUES ('n1', '980-00-4001')", "insert the row with NULL and UPDATE it"},
			{"INSERT INTO auto (uid, id, ssn) VALUES ('n1', DEFAULT, '980-00-4001')", "insert the row with NULL and UPDATE it"},
			{"INSERT INTO auto SET uid = 'n1', ssn = '980-00-4001'", "insert the row with NULL and UPDATE it"},
			{"REPLACE INTO auto (uid, ssn) VALUES ('n1', '980-00-4001')", "insert the row with NULL and UPDATE it"},
			{"INSERT INTO auto (uid, ssn) SELECT 'n1', '980-00-4001'", "insert the row with NULL and UPDATE it"},
			{"INSERT INTO auto (uid, ssn) VALUES ('n1', '980-00-4001') ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", "insert the row with NULL and UPDATE it"},
			{"INSERT INTO auto (uid, ssn) VALUES ('n1', NULL), ('n2', NULL), ('n3', NULL)", ""},
			{"UPDATE auto SET ssn = '980-00-4001' WHERE uid = 'n1'", ""},
			{"UPDATE auto SET ssn = '980-00-4002' WHERE id = 'N2'", ""},
			{"UPDATE auto SET ssn = '980-00-4003' WHERE id = 'n3'", ""},
			{"UPDATE auto SET ssn = CASE uid WHEN 'n1' THEN '980-00-4004' ELSE ssn END WHERE n = 0 AND uid <> 'n3'", ""},
			{"INSERT INTO auto (uid, email) VALUES ('n1', 'a@x') ON DUPLICATE KEY UPDATE email = VALUES(email)", ""},
			{"INSERT INTO auto (uid, id, ssn) VALUES ('n4', 'N4', '980-00-4005')", ""}, // 1906, 3105
			{"UPDATE auto SET uid = 'n9' WHERE uid = 'n1'", "delete the row and insert it anew"},
			{"UPDATE auto SET uid = 'n9', ssn = '980-00-4006' WHERE uid = 'n1'", "delete the row and insert it anew"},
			{"INSERT INTO auto (uid, email) VALUES ('n1', 'a@x') ON DUPLICATE KEY UPDATE uid = 'n9'", "delete the row and insert it anew"},
			{"DELETE FROM auto WHERE uid = 'n2'", ""},
		} {
			if c.hint == "" {
				a.exec(c.text)
				continue
			}
			_, err := a.sealed.ExecContext(t.Context(), c.text)
			if refused, ok := errors.AsType[*driver.RefusedError](err); !ok || !strings.Contains(refused.Hint, c.hint) {
				t.Errorf("%s: %v", c.text, err)
			}
		}
		a.query("SELECT uid, id, email, ssn FROM auto ORDER BY uid")
	}
}
