package integration

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// TestColumnTypesOnPostgres: what a protected column reports of itself is what one in clear
// does, for every type of the policy, and no digit of a decimal is lost.
func TestColumnTypesOnPostgres(t *testing.T) {
	t.Setenv("SEALSQL_CORPUS_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	types := [][3]string{{"s", "string", "text"}, {"n", "int64", "bigint"}, {"f", "float64", "float8"}, {"b", "bool", "bool"}, {"at", "timestamp", "timestamptz"},
		{"d", "date", "date"}, {"amount", "decimal", "numeric"}, {"u", "uuid", "uuid"}, {"raw", "bytes", "bytea"}, {"doc", "json", "json"}}
	var ddl [2]string
	columns := ""
	for _, c := range types {
		ddl[0] += ", " + c[0] + " bytea"
		ddl[1] += ", " + c[0] + " " + c[2]
		columns += "\n      " + c[0] + ": {keyring: dev, type: " + c[1] + "}"
	}
	p, err := policy.Parse("types", []byte("version: 1\nkeyrings:\n  dev:\n    raw_aes: {namespace: corpus, name: key, key_env: SEALSQL_CORPUS_KEY}\ntables:\n  t:\n    row_key: [id]\n    columns:"+columns+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	servers := 0
	for _, server := range testdb.Each(t) {
		if server.Name != "postgres" {
			continue
		}
		servers++
		var answers [2]string
		for i := range ddl {
			name := server.NewDatabase(t)
			if _, err := server.Open(t, name).Exec("CREATE TABLE t (id bigint PRIMARY KEY" + ddl[i] + ")"); err != nil {
				t.Fatal(err)
			}
			bare, dsn := server.DSN(server.Addr(), name)
			db := openBare(t, bare, dsn)
			if i == 0 {
				db = open(t, bare, dsn, driver.WithPolicy(p))
			}
			answers[i] = columnTypes(t, db)
		}
		if answers[0] != answers[1] {
			t.Errorf("%s\n got\n%s\nwant\n%s", server, answers[0], answers[1])
		}
		if n := strings.Count(answers[0], "\n"); n != len(types)+3 {
			t.Errorf("%d lines", n)
		}
	}
	if servers == 0 {
		t.Skip("no Postgres")
	}
}

// columnTypes writes a row, and says what its columns report and hold.
func columnTypes(t *testing.T, db *sql.DB) string {
	t.Helper()
	if _, err := db.Exec(`INSERT INTO t VALUES (1, 'a', 5, 1.5, true, '2026-01-02 03:04:05Z', '2026-01-02', 12345678901234567890.1234567890120, '77777777-0000-0000-0000-000000000001', '\x01', '{}')`); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query("SELECT *, length(s) FROM t")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	cells := make([]any, len(types))
	for i := range cells {
		cells[i] = new(any)
	}
	if err := rows.Scan(cells...); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i, c := range types {
		length, limited := c.Length()
		precision, scale, exact := c.DecimalSize()
		nullable, known := c.Nullable()
		fmt.Fprintln(&b, c.Name(), c.DatabaseTypeName(), c.ScanType(), length, limited, precision, scale, exact, nullable, known, fmt.Sprintf("%T %[1]v", *cells[i].(*any)))
	}
	var digits string
	if err := db.QueryRow("SELECT amount FROM t").Scan(&digits); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&b, digits)
	return b.String()
}
