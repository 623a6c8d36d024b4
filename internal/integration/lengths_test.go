package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

const lengthsPolicy = `
version: 1
keyrings: {dev: {raw_aes: {namespace: lengths, name: key, key_env: SEALSQL_CORPUS_KEY}}}
tables:
  words:
    row_key: [id]
    columns:
      s: {keyring: dev, type: string}
      n: {keyring: dev, type: string, storage: base64, search: {equality: {column: n_eq}}}
      b: {keyring: dev, type: bytes}
      k: {keyring: dev, type: int64}
`

// lengthsOf are lengths in a select list, of a column {s} of strings or {b} of bytes.
var lengthsOf = map[string][]string{
	"postgres": {"length({s})", "char_length({s})", "CHARACTER_LENGTH ( {s} )", "octet_length({s})", "bit_length({s})", "length({b})", "octet_length({b})", "bit_length({b})",
		"length({s}) AS l", "coalesce(length({s}), -1)", "COALESCE(octet_length({b}), 0) AS n", "length(w.{s})", "\"length\"({s})"},
	"mysql": {"length({s})", "char_length({s})", "CHARACTER_LENGTH({s})", "octet_length({s})", "bit_length({s})", "length({b})", "char_length({b})", "octet_length({b})",
		"length({s}) AS l", "coalesce(length({s}), -1)", "ifnull(char_length({s}), 0) x", "LENGTH(w.{s})", "length(`{b}`)"},
}

// TestLengthsInTheSelectList: a length of a protected column is that of its value, as the
// server counts it of a column in clear, with the name and the type that the server gives.
func TestLengthsInTheSelectList(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			sealed, bare := lengths(t, server)
			ran := 0
			typed := server.Name == "postgres" // MySQL and MariaDB differ in the type of a length
			for _, length := range lengthsOf[server.Name] {
				for _, rest := range []string{"SELECT {} FROM words w ORDER BY id", "SELECT id, {}, {s}, {} FROM words w ORDER BY id", "SELECT {} FROM words w WHERE id > " + placeholder(server, 1) + " ORDER BY id"} {
					text := strings.ReplaceAll(rest, "{}", length)
					of := func(s, b string) string { return strings.NewReplacer("{s}", s, "{b}", b).Replace(text) }
					var args []any
					if strings.Contains(text, placeholder(server, 1)) {
						args = []any{2}
					}
					want := typedAnswer(t, bare, typed, of("cs", "cb"), args...)
					for _, column := range []string{"s", "n"} {
						ran++
						got := typedAnswer(t, sealed, typed, of(column, "b"), args...)
						if got = strings.NewReplacer("("+column+")", "(cs)", "w."+column+")", "w.cs)", "( "+column+" )", "( cs )", "(b)", "(cb)", "`b`", "`cb`", " "+column+" ", " cs ").Replace(got); got != want {
							t.Errorf("%s:\n got %s\nwant %s", of(column, "b"), got, want)
						}
					}
				}
			}
			if ran != 78 {
				t.Errorf("%d cases ran", ran)
			}
			refused := []string{"SELECT id FROM words WHERE length(s) > 5", "SELECT id FROM words WHERE char_length(n) BETWEEN 1 AND 3", "SELECT length(s) FROM words ORDER BY 1", "SELECT id FROM words ORDER BY length(s)",
				"SELECT length(s) + 1 FROM words", "SELECT sum(length(s)) FROM words", "SELECT max(octet_length(b)) FROM words", "SELECT DISTINCT length(s) FROM words", "SELECT x FROM (SELECT length(s) AS x FROM words) q", "SELECT length(s) FROM words UNION SELECT 1",
				"SELECT length(k) FROM words", "SELECT length(lower(s)) FROM words", "SELECT coalesce(length(s), id) FROM words", "INSERT INTO words (id) SELECT length(s) FROM words", "SELECT length(s) > 5 FROM words", "SELECT count(*) FROM words GROUP BY length(s)"}
			if server.Name == "postgres" {
				refused = append(refused, "SELECT char_length(b) FROM words")
			}
			for _, text := range refused {
				if _, err := sealed.Exec(text); !errors.Is(err, driver.ErrRefused) {
					t.Errorf("%s: %v, want a refusal", text, err)
				}
			}
		})
	}
}

// lengths opens a table of words with protected columns and columns in clear.
func lengths(t *testing.T, server *testdb.Server) (sealed, bare *sql.DB) {
	t.Helper()
	name := server.NewDatabase(t)
	bare = server.Open(t, name)
	t.Setenv("SEALSQL_CORPUS_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	p, err := policy.Parse("test", []byte(lengthsPolicy))
	if err != nil {
		t.Fatal(err)
	}
	bareName, dsn := server.DSN(server.Proxy(t).Addr(), name)
	sealed = open(t, bareName, dsn, driver.WithPolicy(p))
	bytes := map[string]string{"postgres": "bytea", "mysql": "longblob"}[server.Name]
	if _, err := sealed.Exec("CREATE TABLE words (id int PRIMARY KEY, s text, n text, b " + bytes + ", k int, cs text, cb " + bytes + ")"); err != nil {
		t.Fatal(err)
	}
	insert := "INSERT INTO words (id, s, n, b, k, cs, cb) VALUES ("
	for i := range 7 {
		insert += placeholder(server, i+1) + ", "
	}
	for id, v := range []any{nil, "", "x", " pad ", "é", "naïve ☕", "🙂🙂", "e\u0301", strings.Repeat("ü", 4100), "tab\tnew\nline\\'"} {
		raw := v
		if s, ok := v.(string); ok {
			raw = []byte(s)
		}
		if _, err := sealed.Exec(strings.TrimSuffix(insert, ", ")+")", id, v, v, raw, id, v, raw); err != nil {
			t.Fatal(err)
		}
	}
	return sealed, bare
}

func placeholder(server *testdb.Server, n int) string {
	if server.Name == "mysql" {
		return "?"
	}
	return fmt.Sprintf("$%d", n)
}

// typedAnswer spells names, types and rows of what a query returns.
func typedAnswer(t *testing.T, db *sql.DB, typed bool, text string, args ...any) string {
	t.Helper()
	rows, err := db.Query(text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	var b strings.Builder
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range types {
		switch {
		case i == 2: // the column itself
		case typed:
			fmt.Fprintf(&b, "%s %s %v\n", c.Name(), c.DatabaseTypeName(), c.ScanType())
		default:
			fmt.Fprintln(&b, c.Name())
		}
	}
	for rows.Next() {
		row := make([]any, len(types))
		for i := range row {
			row[i] = new(any)
		}
		if err := rows.Scan(row...); err != nil {
			t.Fatal(err)
		}
		for i := range row {
			if v := *row[i].(*any); i != 2 {
				fmt.Fprintf(&b, "%T %v|", v, v)
			}
		}
		b.WriteString("\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return b.String()
}
