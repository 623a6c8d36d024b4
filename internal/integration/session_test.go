package integration

import (
	"errors"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestEveryWayToUseAnotherDatabase is followed: the table of the same name there may
// have other protected columns.
func TestEveryWayToUseAnotherDatabase(t *testing.T) {
	server := testdb.MySQL(t)
	ways := [][]string{{"USE %"}, {"/* a tag */ USE %"}, {"# a tag\nUSE`%`"}, {"/*!50000 USE % */"}}
	if server.Product == "mariadb" { // MySQL has none of these statements, and prepares no USE
		ways = append(ways, []string{"EXECUTE IMMEDIATE 'USE %'"}, []string{"PREPARE p FROM 'USE %'", "EXECUTE p"},
			[]string{"SET STATEMENT max_statement_time=5 FOR USE %"}, []string{"BEGIN NOT ATOMIC EXECUTE IMMEDIATE 'USE %'; END"})
	}
	for _, use := range ways {
		t.Run(strings.NewReplacer("%", "", "/", "").Replace(use[0]), func(t *testing.T) {
			s := newSite(t, server)
			if err := s.proxy.Watch(ssn1); err != nil {
				t.Fatal(err)
			}
			there := server.NewDatabase(t)
			var here string
			if err := s.bare.QueryRow("SELECT DATABASE()").Scan(&here); err != nil {
				t.Fatal(err)
			}
			s.set("CREATE TABLE twin (id int PRIMARY KEY, ssn blob, note text)", "CREATE TABLE "+there+".twin (id int PRIMARY KEY, ssn text, note blob)")
			s.protect("  " + here + ".twin: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}\n" +
				"  " + there + ".twin: {row_key: [id], columns: {note: {keyring: pii, type: string}}}\n")
			conn, err := s.sealed.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			texts := append([]string{"INSERT INTO twin (id, ssn, note) VALUES (1, '" + ssn1 + "', 'plain')"}, use...)
			texts = append(texts, "INSERT INTO twin (id, ssn, note) VALUES (1, 'plain', '"+ssn1+"')")
			for _, text := range texts {
				if _, err := conn.ExecContext(t.Context(), strings.ReplaceAll(text, "%", there)); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
			}
			var note string
			if err := s.sealed.QueryRow("SELECT note FROM " + there + ".twin").Scan(&note); err != nil || note != ssn1 {
				t.Errorf("%q, %v", note, err)
			}
		})
	}
}

// TestEveryWayToUseAnotherSchema is followed.
func TestEveryWayToUseAnotherSchema(t *testing.T) {
	server := testdb.Postgres(t)
	for _, use := range []string{
		"SET search_path = there", "/* a tag */ SET SCHEMA 'there'", "SELECT set_config('search' || '_path', 'there', false)", `SET U&"search\005fpath" = there`,
		"DO $$ BEGIN SET SCHEMA 'there'; END $$", "DO LANGUAGE plpgsql 'BEGIN SET SCHEMA ''there''; END'", "UPDATE pg_settings SET setting = 'there' WHERE name = 'search_path'",
		"CREATE TEMP TABLE twin (id int PRIMARY KEY, ssn text, note bytea)",
	} {
		t.Run(strings.ReplaceAll(use, "/", ""), func(t *testing.T) {
			s := newSite(t, server)
			if err := s.proxy.Watch(ssn1); err != nil {
				t.Fatal(err)
			}
			s.set("CREATE SCHEMA there", "CREATE TABLE twin (id int PRIMARY KEY, ssn bytea, note text)", "CREATE TABLE there.twin (id int PRIMARY KEY, ssn text, note bytea)")
			s.protect("  public.twin: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}\n" +
				"  there.twin: {row_key: [id], columns: {note: {keyring: pii, type: string}}}\n")
			conn, err := s.sealed.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			temporary := strings.HasPrefix(use, "CREATE TEMP")
			for _, text := range []string{"INSERT INTO twin (id, ssn, note) VALUES (1, '" + ssn1 + "', 'plain')", use, "INSERT INTO twin (id, ssn, note) VALUES (1, 'plain', '" + ssn1 + "')"} {
				_, err := conn.ExecContext(t.Context(), text)
				if temporary && text != use && errors.Is(err, driver.ErrRefused) {
					return // it is neither's
				}
				if err != nil {
					t.Fatalf("%s: %v", text, err)
				}
			}
			var note string
			if err := s.sealed.QueryRow("SELECT note FROM there.twin").Scan(&note); err != nil || note != ssn1 {
				t.Errorf("%q, %v", note, err)
			}
		})
	}
}

// TestCharacterSetsUnderWhichTheServerConvertsArguments: what it converts is no ciphertext
// any more.
func TestCharacterSetsUnderWhichTheServerConvertsArguments(t *testing.T) {
	s := newSite(t, testdb.MySQL(t))
	s.exec("INSERT INTO accounts (account_number, ssn) VALUES ('a1', ?)", ssn1)
	sets := []string{"SET collation_connection = 'latin1_swedish_ci'", "SET character_set_connection = latin1", "SET @@character_set_client = latin1"}
	if s.server.Product == "mariadb" { // MySQL has neither statement
		sets = append(sets, "EXECUTE IMMEDIATE 'SET collation_connection = latin1_bin'", "BEGIN NOT ATOMIC SET character_set_connection = latin1; END")
	}
	for _, set := range sets {
		conn, err := s.sealed.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.ExecContext(t.Context(), set); err != nil {
			t.Fatalf("%s: %v", set, err)
		}
		if _, err := conn.ExecContext(t.Context(), "UPDATE accounts SET ssn = ? WHERE account_number = 'a1'", ssn2); err == nil || !strings.Contains(err.Error(), "SET NAMES") {
			t.Errorf("%s: %v", set, err)
		}
		if _, err := conn.ExecContext(t.Context(), "SET NAMES utf8mb4"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.ExecContext(t.Context(), "UPDATE accounts SET ssn = ? WHERE account_number = 'a1'", ssn1); err != nil {
			t.Errorf("after SET NAMES: %v", err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s.want(ssn1, "SELECT ssn FROM accounts")
}
