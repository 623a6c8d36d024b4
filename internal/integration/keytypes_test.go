package integration

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// keyTypeModes are the ways in which the base drivers send arguments.
var keyTypeModes = map[string][]string{
	"postgres": {"default_query_exec_mode=cache_statement", "default_query_exec_mode=cache_describe", "default_query_exec_mode=describe_exec",
		"default_query_exec_mode=exec", "default_query_exec_mode=simple_protocol"},
	"mysql": {"interpolateParams=false", "interpolateParams=true"},
}

const keyTypePolicy = `
version: 1
keyrings: {pii: {kms: {keys: ["${SEALSQL_TEST_KEY}"]}}}
tables:
  kt: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}
`

// inKeyTypeModes runs a test in each mode of the base drivers, with a table kt whose row
// key has the type.
func inKeyTypeModes(t *testing.T, keyType string, servers []*testdb.Server, f func(s *site, on func() *sql.DB)) {
	ran, want := 0, 0
	for _, server := range servers {
		for _, mode := range keyTypeModes[server.Name] {
			want++
			t.Run(server.String()+"/"+mode, func(t *testing.T) {
				ran++
				s := newSite(t, server)
				s.set("CREATE TABLE kt (id " + keyType + " PRIMARY KEY, code int, ssn " + map[bool]string{true: "bytea", false: "blob"}[s.postgres()] + ")")
				on := func() *sql.DB {
					k, _ := kms()
					bareName, dsn := server.DSN(s.proxy.Addr(), s.database())
					return open(t, bareName, dsn+"&"+mode, driver.WithPolicy(s.parse(keyTypePolicy)), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
				}
				s.sealed = on()
				f(s, on)
			})
		}
	}
	if ran != want || ran == 0 {
		t.Errorf("ran %d modes, want %d", ran, want)
	}
}

// retyped is the text that changes the type of the row key of kt.
func (s *site) retyped(to string) string {
	if s.postgres() {
		return "ALTER TABLE kt ALTER COLUMN id TYPE " + to + " USING id::text::" + to
	}
	return "ALTER TABLE kt MODIFY id " + to
}

// TestAKeyOfAnotherType: after an ALTER, through the driver or by another session, values
// are sealed for the key that the column stores, in texts that were planned, prepared and
// described before, too.
func TestAKeyOfAnotherType(t *testing.T) {
	for _, by := range []string{"the driver", "another session"} {
		t.Run("text, by "+by, func(t *testing.T) {
			inKeyTypeModes(t, "int", testdb.Each(t), func(s *site, on func() *sql.DB) {
				insert := s.preparedInsert()
				insert("7", "8")
				s.want("7|"+ssn1, "SELECT id, ssn FROM kt WHERE id = 7")
				s.alteredBy(by, s.retyped("varchar(20)"))
				insert("007", "008")
				s.affected(1, "UPDATE kt SET ssn = ? WHERE id = ?", ssn3, "7")
				s.affected(1, "UPDATE kt SET code = 1 WHERE id = ?", "7")
				const all = "SELECT id, ssn FROM kt ORDER BY id"
				want := "007|" + ssn1 + "\n008|" + ssn2 + "\n7|" + ssn3 + "\n8|" + ssn2
				s.want(want, all)
				s.sealed = on()
				s.want(want, all)
			})
		})
		t.Run("a number, by "+by, func(t *testing.T) {
			inKeyTypeModes(t, "varchar(20)", testdb.Each(t), func(s *site, on func() *sql.DB) {
				insert := s.preparedInsert()
				insert("7", "8")
				s.alteredBy(by, s.retyped("int"))
				insert("017", "018")
				const all = "SELECT id, ssn FROM kt ORDER BY id"
				want := "7|" + ssn1 + "\n8|" + ssn2 + "\n17|" + ssn1 + "\n18|" + ssn2
				s.want(want, all)
				s.sealed = on()
				s.want(want, all)
			})
		})
	}
}

// TestKeysOfTextThatBecomeOther: after another session made dates, bytes or UUIDs of the row
// keys of a table that was read before, or written a moment ago, values are sealed for the
// key that the column stores.
func TestKeysOfTextThatBecomeOther(t *testing.T) {
	changes := []struct {
		to     map[string]string
		keys   []string
		stored string // empty if the keys are refused
		wrote  bool   // such a key was written a moment ago
	}{
		{map[string]string{"postgres": "date", "mysql": "date"}, []string{"1999-1-2", "19990103"}, "1999-01-02, 1999-01-03", false},
		{map[string]string{"postgres": "date", "mysql": "date"}, []string{"1999/1/2", "1999.01.03"}, "", false},
		{map[string]string{"postgres": "bytea", "mysql": "varbinary(20)"}, []string{"ACC-1", "17"}, "17, ACC-1", false},
		{map[string]string{"postgres": "int", "mysql": "int"}, []string{"0017", "00018"}, "17, 18", true},
	}
	for _, c := range changes {
		t.Run("text to "+c.to["postgres"]+" as "+c.keys[0], func(t *testing.T) {
			inKeyTypeModes(t, "varchar(20)", testdb.Each(t), func(s *site, on func() *sql.DB) {
				const insert = "INSERT INTO kt (id, ssn) VALUES (?, ?)"
				s.want("", "SELECT ssn FROM kt WHERE id = ?", "x")
				if c.wrote {
					s.exec(insert, c.keys[0], ssn2)
				}
				s.set("DELETE FROM kt", s.retyped(c.to[s.server.Name]))
				for _, k := range c.keys {
					if _, err := s.sealed.Exec(s.q(insert), k, ssn1); err != nil && (c.stored != "" || !errors.Is(err, driver.ErrValue)) {
						s.t.Errorf("%s: %v", k, err)
					}
				}
				s.sealed = on()
				if c.stored == "" {
					s.want("0", "SELECT count(*) FROM kt") // sealsql takes fewer forms of dates than the servers
					return
				}
				want := strings.ReplaceAll(c.stored, ", ", "|"+ssn1+"\n") + "|" + ssn1
				id := map[bool]string{true: "id::text", false: "CAST(id AS CHAR)"}[s.postgres()]
				if s.postgres() && c.to["postgres"] == "bytea" {
					id = "encode(id, 'escape')"
				}
				s.want(want, "SELECT "+id+", ssn FROM kt ORDER BY kt.id")
			})
		})
	}
}

// TestTwoTablesOfOneNameWithKeysOfTwoTypes: a session that comes to another schema sends
// the same text, which the base driver has described for the other table.
func TestTwoTablesOfOneNameWithKeysOfTwoTypes(t *testing.T) {
	inKeyTypeModes(t, "int", testdb.Each(t), func(s *site, on func() *sql.DB) {
		other := "elsewhere"
		if !s.postgres() {
			other = s.database() + "_elsewhere"
			defer s.set("DROP DATABASE " + other)
		}
		s.set("CREATE SCHEMA "+other, "CREATE TABLE "+other+".kt (id varchar(20) PRIMARY KEY, ssn "+map[bool]string{true: "bytea", false: "blob"}[s.postgres()]+")")
		to := map[bool]string{true: "SET search_path TO ", false: "USE "}[s.postgres()]
		s.onConn(func(c *sql.Conn) {
			const insert = "INSERT INTO kt (id, ssn) VALUES (?, ?)"
			prepared, err := c.PrepareContext(s.t.Context(), s.q(insert))
			if err != nil {
				s.t.Fatal(err)
			}
			defer prepared.Close()
			for i, in := range []string{"", other, "", other} {
				if in = cmp.Or(in, map[bool]string{true: "public", false: s.database()}[s.postgres()]); i > 0 {
					s.on(c, to+in)
				}
				s.on(c, s.q(insert), fmt.Sprintf("0%d", i), ssn1)
				if _, err := prepared.Exec(fmt.Sprintf("01%d", i), ssn2); err != nil {
					s.t.Fatal(err)
				}
			}
		})
		s.sealed = on()
		s.want("0|"+ssn1+"\n2|"+ssn1+"\n10|"+ssn2+"\n12|"+ssn2, "SELECT id, ssn FROM kt ORDER BY id")
		s.want("01|"+ssn1+"\n011|"+ssn2+"\n013|"+ssn2+"\n03|"+ssn1, "SELECT id, ssn FROM "+other+".kt ORDER BY id")
	})
}

// TestAKeyThatTheTextTakesAsAnotherType: Postgres takes a parameter as the type that its
// first use in the text has.
func TestAKeyThatTheTextTakesAsAnotherType(t *testing.T) {
	inKeyTypeModes(t, "varchar(20)", []*testdb.Server{testdb.Postgres(t)}, func(s *site, on func() *sql.DB) {
		texts := []string{
			"INSERT INTO kt (id, ssn) SELECT $1, $2 WHERE $1::int > 0",
			"INSERT INTO kt (ssn, id) SELECT $2, $1 FROM (SELECT 1) AS one (n) WHERE n <= $1::int",
			"INSERT INTO kt (code, id, ssn) VALUES ($1::int, $1, $2)",
			"INSERT INTO kt (id, ssn) VALUES ($1::int, $2)",
			"INSERT INTO kt (id, ssn) SELECT $1::int::text, $2",
			"WITH w AS (SELECT 1 WHERE $1::int > 0) INSERT INTO kt (id, ssn) SELECT $1, $2 FROM w",
		}
		written := 0
		for i, text := range texts {
			for _, key := range []string{fmt.Sprintf("00%d", i+1), fmt.Sprint(i + 1)} {
				switch _, err := s.sealed.Exec(text, key, ssn1); {
				case err == nil:
					written++
				case !errors.Is(err, driver.ErrValue) && !errors.Is(err, driver.ErrRefused) && !strings.Contains(err.Error(), "SQLSTATE"):
					s.t.Errorf("%s: %v", text, err)
				}
			}
		}
		if rows := s.read("SELECT id, ssn FROM kt"); len(rows) != written || written < 2 {
			s.t.Errorf("%d rows written, %d read", written, len(rows))
		}
	})
}

// TestAValueMovedToAKeyThatTheOldTypeReadsAlike: after another session changed the type
// of the row key, '007' is not 7.
func TestAValueMovedToAKeyThatTheOldTypeReadsAlike(t *testing.T) {
	inKeyTypeModes(t, "int", testdb.Each(t), func(s *site, _ func() *sql.DB) {
		insert := s.preparedInsert()
		insert("7", "8")
		s.want("7|"+ssn1+"\n8|"+ssn2, "SELECT id, ssn FROM kt ORDER BY id")
		prepared, err := s.sealed.Prepare("SELECT ssn FROM kt ORDER BY id")
		if err != nil {
			s.t.Fatal(err)
		}
		defer prepared.Close()
		s.bareExec(s.retyped("varchar(20)"))
		s.bareExec("UPDATE kt SET id = '007' WHERE id = '7'")
		for range 2 {
			for name, query := range map[string]func() (*sql.Rows, error){
				"a text":              func() (*sql.Rows, error) { return s.sealed.Query("SELECT id, ssn FROM kt ORDER BY id") },
				"without the key":     func() (*sql.Rows, error) { return s.sealed.Query("SELECT ssn FROM kt ORDER BY id") },
				"a new text":          func() (*sql.Rows, error) { return s.sealed.Query("SELECT ssn, id FROM kt ORDER BY id") },
				"a prepared one":      func() (*sql.Rows, error) { return prepared.Query() },
				"a new transaction's": func() (*sql.Rows, error) { return s.sealed.Query("SELECT k.ssn FROM kt k ORDER BY k.id") },
			} {
				rows, err := query()
				if err == nil {
					for rows.Next() {
					}
					err = errors.Join(rows.Err(), rows.Close())
				}
				if err == nil {
					s.t.Errorf("%s: a value of row 7 opens in row 007", name)
				}
			}
		}
	})
}

// TestRowsOfAKeyOfAnotherTypeThatAreWrittenRowByRow: the rows that are locked show the type
// that their key has now.
func TestRowsOfAKeyOfAnotherTypeThatAreWrittenRowByRow(t *testing.T) {
	inKeyTypeModes(t, "int", testdb.Each(t), func(s *site, on func() *sql.DB) {
		s.exec("INSERT INTO kt (id, code, ssn) VALUES (7, 1, ?), (8, 2, ?)", ssn1, ssn1)
		const update, upsert = "UPDATE kt SET ssn = ? WHERE code = ?", "UPDATE kt SET ssn = ?, code = code + 10 WHERE code IN (?, 2)"
		prepared, err := s.sealed.Prepare(s.q(upsert))
		if err != nil {
			s.t.Fatal(err)
		}
		defer prepared.Close()
		s.affected(1, update, ssn2, 1)
		s.bareExec(s.retyped("varchar(20)"))
		s.bareExec("UPDATE kt SET id = '007' WHERE id = '7'")
		s.affected(1, update, ssn2, 1)
		s.bareExec("UPDATE kt SET id = '008' WHERE id = '8'")
		if _, err := prepared.Exec(ssn3, 3); err != nil {
			s.t.Fatal(err)
		}
		s.sealed = on()
		s.want("007|"+ssn2+"\n008|"+ssn3, "SELECT id, ssn FROM kt ORDER BY id")
	})
}

// preparedInsert returns a function that inserts a row by a text, and one by a prepared
// statement.
func (s *site) preparedInsert() func(first, second string) {
	s.t.Helper()
	const insert = "INSERT INTO kt (id, ssn) VALUES (?, ?)"
	prepared, err := s.sealed.Prepare(s.q(insert))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = prepared.Close() })
	return func(first, second string) {
		s.t.Helper()
		s.exec(insert, first, ssn1)
		if _, err := prepared.Exec(second, ssn2); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *site) alteredBy(by, text string) {
	s.t.Helper()
	if by == "the driver" {
		s.exec(text)
		return
	}
	s.bareExec(text)
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
