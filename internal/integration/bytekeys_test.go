package integration

import (
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestBytesAsKeysOfTexts passes []byte for text keys. A driver that interpolates writes a
// binary literal, which MySQL compares otherwise beside the key of the row that was
// locked; a key outside ASCII is spelled for a session of another character set.
func TestBytesAsKeysOfTexts(t *testing.T) {
	server := testdb.MySQL(t)
	k := newKeyed(t, server)
	ran := 0
	for _, settings := range []string{"", "interpolateParams=true", "charset=utf8", "charset=utf8&interpolateParams=true"} {
		for _, key := range []string{"varchar(20)", "char(8)", "varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"} {
			t.Run(settings+"/"+key, func(t *testing.T) {
				k := &keyed{T: t, server: server, name: k.name, bare: k.bare, policy: k.policy}
				k.create("plain_keys", key)
				db := k.open(settings)
				write := func(want int64, text string, args ...any) {
					t.Helper()
					res, err := db.Exec(text, args...)
					if err != nil {
						t.Fatalf("%s: %v", text, err)
					}
					if n, err := res.RowsAffected(); n != want || err != nil {
						t.Errorf("%s: %d rows, %v; want %d", text, n, err, want)
					}
				}
				const upsert = "INSERT INTO plain_keys (k, ssn, n) VALUES (?, ?, 1) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), n = 2"
				write(1, "INSERT INTO plain_keys (k, ssn, n) VALUES ('a', ?, 0)", "980-00-0001")
				write(1, "UPDATE plain_keys SET ssn = ? WHERE k = ?", "980-00-0002", []byte("A"))
				write(1, "UPDATE plain_keys SET k = ? WHERE k = ?", []byte("B1"), []byte("A"))
				write(1, upsert, []byte("é"), "980-00-0003")
				write(2, upsert, []byte("É"), "980-00-0004")
				k.opens(db, "plain_keys", "980-00-0002", "980-00-0004")
				ran++
			})
		}
	}
	if ran != 12 {
		t.Errorf("%d cases ran", ran)
	}
}
