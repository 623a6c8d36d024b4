package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

const countedPolicy = `
version: 1
keyrings: {pii: {raw_aes: {namespace: counted, name: key, key_env: SEALSQL_CORPUS_KEY}}}
tables:
  auto:
    row_key: [id]
    columns:
      email: {keyring: pii, type: string, search: {equality: {column: email_eq}}}
      phone: {keyring: pii, type: string, search: {equality: {column: phone_eq}}}
      ssn: {keyring: pii, type: string, storage: base64}
`

// countedTables are the tables of the upserts: the unique keys are on the terms.
var countedTables = []witness{
	{name: "a plain table", ddl: []string{"CREATE TABLE auto (id bigint AUTO_INCREMENT PRIMARY KEY, %c, login varchar(20) UNIQUE, n int NOT NULL DEFAULT 0 CHECK (n < 100), ssn longtext CHARACTER SET ascii)"}},
	{name: "ON UPDATE CURRENT_TIMESTAMP", ddl: []string{"CREATE TABLE auto (id bigint AUTO_INCREMENT PRIMARY KEY, %c, login varchar(20) UNIQUE, n int NOT NULL DEFAULT 0 CHECK (n < 100), ssn longtext CHARACTER SET ascii," +
		" changed datetime(6) NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP(6))"}, seen: []string{"SELECT id, changed IS NULL FROM auto ORDER BY id"}},
}

// countedColumns are the columns beside sealed values, and beside clear text.
var countedColumns = [2]string{
	"email blob, email_eq varbinary(32), UNIQUE KEY email_eq (email_eq), phone blob, phone_eq varbinary(32), UNIQUE KEY phone_eq (phone_eq)",
	"email varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, UNIQUE KEY email_eq (email), phone varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, UNIQUE KEY phone_eq (phone)",
}

// countedUpserts are what an application sends, one after the other.
var countedUpserts = []struct {
	text string
	args []any
}{
	{"INSERT INTO auto (email, phone, ssn) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", []any{"a@x", "1", ssn1}},
	{"INSERT INTO auto (email, phone, ssn) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", []any{"a@x", "1", "980-00-0002"}},
	{"INSERT INTO auto (email, phone, ssn) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE phone = VALUES(phone), ssn = VALUES(ssn), n = n + 1", []any{"a@x", "2", "980-00-0003"}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), ssn = VALUES(ssn)", []any{"a@x", "980-00-0004"}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), ssn = VALUES(ssn)", []any{"b@x", "980-00-0004"}},
	{"INSERT INTO auto (id, email, ssn) VALUES (NULL, ?, ?) ON DUPLICATE KEY UPDATE ssn = ?", []any{"b@x", "980-00-0005", "980-00-0006"}},
	{"INSERT INTO auto (id, email, ssn) VALUES (DEFAULT, ?, ?) ON DUPLICATE KEY UPDATE ssn = ?, email = ?", []any{"b@x", "980-00-0005", "980-00-0007", "b@x"}},
	{"INSERT INTO auto (email, ssn) VALUES ('c@x', '980-00-0008') ON DUPLICATE KEY UPDATE ssn = '980-00-0009'", nil},
	{"INSERT INTO auto (email, ssn) VALUES ('c@x', '980-00-0008') ON DUPLICATE KEY UPDATE ssn = '980-00-0009'", nil},
	{"INSERT INTO auto SET email = ?, ssn = ? ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), n = n + 1", []any{"c@x", "980-00-0010"}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE ssn = COALESCE(ssn, VALUES(ssn)), n = n + 1", []any{"c@x", "980-00-0011"}},
	{"INSERT INTO auto (email, phone) VALUES (?, ?) ON DUPLICATE KEY UPDATE phone = COALESCE(phone, VALUES(phone)), n = n + 1", []any{"c@x", "3"}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE ssn = IF(n > 1, VALUES(ssn), ssn), n = n + 1", []any{"c@x", "980-00-0012"}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE n = IF(VALUES(ssn) = '', n + 10, n + 1), ssn = VALUES(ssn)", []any{"c@x", ""}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE n = IF(ssn = '', n + 10, n + 1), ssn = VALUES(ssn)", []any{"c@x", "980-00-0012"}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE n = IF(VALUES(ssn) = '', n + 10, n + 1)", []any{"c@x", "980-00-0014"}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE n = IF(VALUES(ssn) = '', n + 10, n + 1)", []any{"c@x", ""}},
	{"INSERT INTO auto (email, ssn) VALUES (?, NULLIF(?, '')) ON DUPLICATE KEY UPDATE ssn = COALESCE(VALUES(ssn), ssn), n = n + 1", []any{"c@x", ""}},
	{"INSERT INTO auto (email, ssn) VALUES (?, NULLIF(?, '')) ON DUPLICATE KEY UPDATE ssn = COALESCE(VALUES(ssn), ssn), n = n + 1", []any{"c@x", "980-00-0015"}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE ssn = NULL", []any{"c@x", "980-00-0013"}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), n = n + 1", []any{"c@x", nil}},
	{"INSERT INTO auto (email, ssn) VALUES (?, COALESCE(?, ?)) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), n = n + 1", []any{"c@x", nil, "980-00-0014"}},
	// No unique key is whole: always another row.
	{"INSERT INTO auto (email, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", []any{nil, "980-00-0015"}},
	{"INSERT INTO auto (email, ssn) VALUES (NULL, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", []any{"980-00-0016"}},
	{"INSERT INTO auto (ssn) VALUES (?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", []any{"980-00-0017"}},
	// Several rows.
	{"INSERT INTO auto (email, phone, ssn) VALUES (?, ?, ?), (?, ?, ?), (?, ?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), n = n + 1",
		[]any{"a@x", "2", "980-00-0018", "d@x", "4", "980-00-0019", nil, nil, "980-00-0020"}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?), (?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), n = n + 1", []any{"e@x", "980-00-0021", "e@x", "980-00-0022"}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?), (?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", []any{"a@x", "980-00-0023", "b@x", "980-00-0024"}},
	{"INSERT IGNORE INTO auto (email, ssn) VALUES (?, ?), (?, ?), (?, ?)", []any{"a@x", "980-00-0025", "f@x", "980-00-0026", nil, "980-00-0027"}},
	{"INSERT IGNORE INTO auto (email, ssn) VALUES (?, ?), (?, ?)", []any{"a@x", "980-00-0028", "b@x", "980-00-0029"}},
	{"REPLACE INTO auto (email, phone, ssn) VALUES (?, ?, ?), (?, ?, ?), (?, ?, ?)", []any{"f@x", "5", "980-00-0030", "g@x", "6", "980-00-0031", "f@x", "7", "980-00-0032"}},
	// Another key than the e-mail address fires.
	{"INSERT INTO auto (email, phone, ssn) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), email = VALUES(email)", []any{"h@x", "4", "980-00-0033"}},
	{"INSERT INTO auto (email, login, ssn) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), login = VALUES(login)", []any{"h@x", "h", "980-00-0034"}},
	{"INSERT INTO auto (email, login, ssn) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE email = VALUES(email), ssn = VALUES(ssn)", []any{"i@x", "H", "980-00-0035"}},
	// What the session remembers is another number than the key of the row inserted.
	{"INSERT INTO auto (email, ssn) VALUES (?, ?), (?, ?) ON DUPLICATE KEY UPDATE n = LAST_INSERT_ID(n + 80), ssn = VALUES(ssn)", []any{"a@x", "980-00-0051", nil, "980-00-0052"}},
	{"INSERT INTO auto (email, ssn) VALUES (?, ?), (?, ?) ON DUPLICATE KEY UPDATE n = LAST_INSERT_ID(n + 1), ssn = VALUES(ssn)", []any{nil, "980-00-0053", "a@x", "980-00-0054"}},
	{"INSERT IGNORE INTO auto (email, ssn, n) VALUES (?, ?, LAST_INSERT_ID(96)), (?, ?, 1)", []any{"n@x", "980-00-0055", "o@x", "980-00-0056"}},
	{"INSERT INTO auto (email, ssn, n) VALUES (?, ?, LAST_INSERT_ID(97))", []any{"p@x", "980-00-0057"}},
	// The row takes the key that was counted up for the proposed row.
	{"INSERT INTO auto (email, phone, ssn) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE id = VALUES(id), email = VALUES(email), phone = VALUES(phone), ssn = VALUES(ssn)", []any{"b@x", nil, "980-00-0050"}},
	// Errors of the server's, after which nothing is changed.
	{"INSERT INTO auto (email, n, ssn) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), n = 1000", []any{"a@x", 1, "980-00-0036"}},
	{"INSERT INTO auto (email, phone, ssn) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), phone = VALUES(phone)", []any{"a@x", "7", "980-00-0037"}},
	{"INSERT INTO auto (email, n, ssn) VALUES (?, NULL, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", []any{"a@x", "980-00-0038"}},
	{"INSERT INTO auto (id, email, phone, ssn) VALUES (NULL, ?, ?, ?), (900, ?, ?, ?), (DEFAULT, NULL, NULL, ?)", []any{"q@x", "41", "980-00-0060", "r@x", "42", "980-00-0061", "980-00-0062"}},
	{"INSERT INTO auto (id, email, ssn) VALUES (901, ?, ?), (NULL, ?, ?)", []any{"s@x", "980-00-0063", "r@x", "980-00-0064"}}, // 1062
	{"REPLACE INTO auto (id, email, ssn) VALUES (902, ?, ?), (NULL, ?, ?)", []any{"r@x", "980-00-0065", "q@x", "980-00-0066"}},
}

// TestUpsertsByATermWithCountedKeys upserts rows whose keys the server counts up and whose
// unique keys are terms, beside a bare twin: keys, results, errors and LAST_INSERT_ID() are
// the same, and every value opens in its row.
func TestUpsertsByATermWithCountedKeys(t *testing.T) {
	server := testdb.MySQL(t)
	t.Setenv("SEALSQL_CORPUS_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	p, err := policy.Parse("test", []byte(countedPolicy))
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, w := range countedTables {
		w.columns = countedColumns
		for _, settings := range []string{"", "interpolateParams=true&clientFoundRows=true"} {
			for _, within := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, in a transaction: %t", w.name, settings, within), func(t *testing.T) {
					a := newAutoTwins(t, server, w, settings, p)
					a.within, a.table = within, "SELECT id, email, phone, login, n, ssn FROM auto ORDER BY id"
					for _, s := range countedUpserts {
						a.run(s.text, s.args)
						a.query(a.table)
						cases++
					}
					if server.Product == "mariadb" {
						const upsert = "INSERT INTO auto (email, ssn) VALUES (?, ?), (?, ?), (?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn) RETURNING "
						a.query(upsert+"id, n", "a@x", ssn1, "j@x", ssn1, nil, ssn1)
						a.query(upsert+"ssn, email", "a@x", "980-00-0040", "k@x", "980-00-0041", "k@x", "980-00-0042")
						if len(w.seen) == 0 { // else a star shows the time
							a.query(upsert+"*", "a@x", "980-00-0040", "l@x", "980-00-0041", "l@x", nil)
						}
						a.query("INSERT IGNORE INTO auto (email, ssn) VALUES (?, ?), (?, ?) RETURNING id, email", "a@x", ssn1, "m@x", ssn1)
						a.query("REPLACE INTO auto (email, ssn) VALUES (?, ?), (?, ?) RETURNING id, email", "m@x", ssn1, "m@x", ssn1)
					}
					a.compare(w)
					a.query("SELECT id FROM auto WHERE email = ?", "h@x")
					a.query("SELECT id, phone FROM auto WHERE phone = ?", "4")
				})
			}
		}
	}
	t.Run("two writers of each row at the same moment", func(t *testing.T) { countedRaces(t, server, p) })
	if want := len(countedTables) * 4 * len(countedUpserts); cases != want {
		t.Errorf("%d cases, want %d", cases, want)
	}
}

// countedRaces has sessions upsert the same few rows at the same moment. Each row is there
// once, and opens.
func countedRaces(t *testing.T, server *testdb.Server, p *policy.Policy) {
	w := countedTables[0]
	w.columns = countedColumns
	a := newAutoTwins(t, server, w, "", p)
	base, dsn := server.DSN(server.Addr(), a.names[0])
	db := open(t, base, dsn, driver.WithPolicy(p))
	const writers, rounds = 6, 20
	var all sync.WaitGroup
	var deadlocks atomic.Int64
	const upsert = "INSERT INTO auto (email, ssn) VALUES (?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), n = n + 1"
	prepared, err := db.Prepare(upsert)
	if err != nil {
		t.Fatal(err)
	}
	defer prepared.Close()
	for n := range writers {
		all.Go(func() {
			for round := range rounds {
				for tries := 0; ; tries++ {
					args := []any{fmt.Sprintf("%d@x", round/2), fmt.Sprint(n)}
					send := prepared.Exec
					if n%2 == 0 {
						send = func(args ...any) (sql.Result, error) { return db.Exec(upsert, args...) }
					}
					_, err := send(args...)
					if err == nil {
						break
					}
					if class(err) != "error 1213" || tries > 50 {
						t.Error(err)
						return
					}
					deadlocks.Add(1) // the bare driver's application sends it again, too
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d deadlocks", deadlocks.Load())
	var rows, written int
	if err := db.QueryRow("SELECT count(*), sum(n + 1) FROM auto").Scan(&rows, &written); err != nil || rows != rounds/2 || written != writers*rounds {
		t.Errorf("%d rows and %d writes, %v", rows, written, err)
	}
	values, err := db.Query("SELECT email, ssn FROM auto")
	if err != nil {
		t.Fatal(err)
	}
	defer values.Close()
	if lines := strings.Count(allRows(t, values), "\n"); lines != rounds/2 {
		t.Errorf("%d rows open", lines)
	}
}

// TestIgnoredRowKeysAreNotEmpty gives NULL for a protected row key to INSERT IGNORE, which
// would store an empty term.
func TestIgnoredRowKeysAreNotEmpty(t *testing.T) {
	t.Setenv("SEALSQL_CORPUS_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	p, err := policy.Parse("test", []byte(`
version: 1
keyrings: {pii: {raw_aes: {namespace: counted, name: key, key_env: SEALSQL_CORPUS_KEY}}}
tables: {auto: {row_key: [code], columns: {code: {keyring: pii, type: string, search: {equality: {column: code_eq}}}}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	server := testdb.MySQL(t)
	a := newAutoTwins(t, server, witness{ddl: []string{"CREATE TABLE auto (%c, n int)"}, columns: [2]string{"code blob, code_eq varbinary(32) PRIMARY KEY", "code varchar(20) PRIMARY KEY"}}, "", p)
	var none *string
	for _, code := range []any{nil, sql.NullString{}, none} {
		if _, err := a.sealed.ExecContext(t.Context(), "INSERT IGNORE INTO auto (code, n) VALUES (?, 1), (?, 2)", "a", code); !errors.Is(err, driver.ErrValue) {
			t.Errorf("%v: %v", code, err)
		}
	}
	for _, text := range []string{"INSERT IGNORE INTO auto (code, n) VALUES (NULL, 1)", "INSERT IGNORE INTO auto (n) VALUES (1)"} {
		if _, err := a.sealed.ExecContext(t.Context(), text); !errors.Is(err, driver.ErrRefused) {
			t.Errorf("%s: %v", text, err)
		}
	}
	a.run("INSERT INTO auto (code, n) VALUES (?, 1)", []any{nil}) // 1048
	a.run("INSERT IGNORE INTO auto (code, n) VALUES (?, 1), (?, 2)", []any{"a", "a"})
	a.query("SELECT code, n FROM auto")
}
