package integration

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestAValueIsSealedForTheTableThatTheServerMeans: two tables of one name protect
// different columns. Whatever changes which of them an unqualified name means, at whatever time,
// a statement is refused, or each value lies as its table's policy says: neither in clear
// in a protected column nor sealed in another.
func TestAValueIsSealedForTheTableThatTheServerMeans(t *testing.T) {
	server := testdb.Postgres(t)
	ways := append(postgresWays("search_path", "'there'", "'public'"), postgresWays("search_path", "'there, public'", "'public'")...)
	ways = append(ways,
		change{"SET SCHEMA", []string{"SET SCHEMA 'there'"}},
		change{"SET ROLE", []string{"bare:DROP ROLE IF EXISTS there", "bare:CREATE ROLE there SUPERUSER", "SET ROLE there"}},
		change{"SET SESSION AUTHORIZATION", []string{"bare:DROP ROLE IF EXISTS there", "bare:CREATE ROLE there SUPERUSER", "SET SESSION AUTHORIZATION there"}},
		change{"another session's schema of the user's name", []string{"bare:ALTER SCHEMA there RENAME TO test"}},
		change{"its own schema of the user's name", []string{"ALTER SCHEMA there RENAME TO test"}},
		change{"its own schema of the user's name, by a program", []string{"DO $$ BEGIN EXECUTE 'ALTER SCHEMA ' || 'there RENAME TO test'; END $$"}},
		change{"a transaction that is rolled back", []string{"BEGIN", "SET search_path = there", "INSERT INTO twin (id, ssn, note) VALUES (7, 'plain', 'plain')", "ROLLBACK"}},
		change{"a savepoint that is rolled back", []string{"BEGIN", "SAVEPOINT a", "SET LOCAL search_path = there", "ROLLBACK TO a"}},
		change{"SET LOCAL that ends", []string{"BEGIN", "SET LOCAL search_path = there", "COMMIT"}},
		change{"parameters", []string{"SET search_path = there", "SET search_path = public"}},
	)
	s := newSite(t, server)
	s.set("CREATE SCHEMA there", "CREATE TABLE twin (id int PRIMARY KEY, ssn text, note text)", "CREATE TABLE there.twin (id int PRIMARY KEY, ssn text, note text)")
	s.protect("  public.twin: {row_key: [id], columns: {ssn: {keyring: pii, type: string, storage: base64}}}\n" +
		"  there.twin: {row_key: [id], columns: {note: {keyring: pii, type: string, storage: base64}}}\n" +
		"  test.twin: {row_key: [id], columns: {note: {keyring: pii, type: string, storage: base64}}}\n")
	m := model{settings: "SELECT array_to_string(current_schemas(true), ' ')"}
	written, refused := 0, 0
	for _, w := range ways {
		conn, err := s.sealed.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// The plan is made, and kept, before the name comes to mean another table.
		const text = "INSERT INTO twin (id, ssn, note) VALUES (1, 'for public', 'for there') ON CONFLICT (id) DO NOTHING"
		insert := func() {
			switch _, err := conn.ExecContext(t.Context(), text); {
			case errors.Is(err, driver.ErrRefused):
				refused++
			case err == nil:
				written++
			}
		}
		insert()
		s.lies(w.name)
		conn = w.on(t, s, conn)
		insert()
		s.lies(w.name)
		insert()
		_, _ = conn.ExecContext(t.Context(), "COMMIT") // where one is open
		s.lies(w.name)
		closeForGood(conn)
		m.reset(t, s)
		s.set("DO $$ BEGIN IF EXISTS (SELECT FROM pg_namespace WHERE nspname = 'test') THEN ALTER SCHEMA test RENAME TO there; END IF; END $$",
			"TRUNCATE public.twin", "TRUNCATE there.twin")
	}
	t.Logf("%d ways, %d statements carried out, %d refused", len(ways), written, refused)
	if len(ways) < 40 || written < 2*len(ways) {
		t.Errorf("%d ways, %d statements carried out", len(ways), written)
	}
}

// on runs a change's texts and returns the connection, which may be a new one.
func (c change) on(t *testing.T, s *site, conn *sql.Conn) *sql.Conn {
	for _, text := range c.texts {
		switch where, rest, marked := strings.Cut(text, ":"); {
		case marked && where == "bare":
			s.set(rest)
		case marked && where == "new":
			closeForGood(conn)
			var err error
			if conn, err = s.sealed.Conn(t.Context()); err != nil {
				t.Fatal(err)
			}
		case marked && where == "fails":
			if _, err := conn.ExecContext(t.Context(), rest); err == nil {
				t.Errorf("%s: %s did not fail", c.name, rest)
			}
		default:
			if _, err := conn.ExecContext(t.Context(), text); err != nil && !errors.Is(err, driver.ErrRefused) {
				t.Errorf("%s: %s: %v", c.name, text, err)
			}
		}
	}
	return conn
}

// lies checks what lies in both tables.
func (s *site) lies(when string) {
	s.t.Helper()
	rows, err := s.bare.Query("SELECT 'public', ssn, note FROM public.twin WHERE id = 1")
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var where, ssn, note string
		if err := rows.Scan(&where, &ssn, &note); err != nil {
			s.t.Fatal(err)
		}
		if ssn == "for public" || note != "for there" {
			s.t.Errorf("%s: public.twin holds %.20q, %.20q", when, ssn, note)
		}
	}
	var schema, ssn, note string
	if err := s.bare.QueryRow("SELECT nspname FROM pg_namespace WHERE nspname IN ('test', 'there')").Scan(&schema); err != nil {
		s.t.Fatal(err)
	}
	err = s.bare.QueryRow("SELECT ssn, note FROM "+schema+".twin WHERE id = 1").Scan(&ssn, &note)
	if err == nil && (ssn != "for public" || note == "for there") {
		s.t.Errorf("%s: %s.twin holds %.20q, %.20q", when, schema, ssn, note)
	}
}

// TestATemporaryTableThatAProgramMade takes the place of the protected one for unqualified
// names: nothing of a statement may land in clear in the protected table, nor sealed in the
// temporary one.
func TestATemporaryTableThatAProgramMade(t *testing.T) {
	s := newSite(t, testdb.Postgres(t))
	s.set("CREATE TABLE twin (id int PRIMARY KEY, ssn text)",
		"CREATE PROCEDURE make() LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE twin (id int PRIMARY KEY, ssn text); END $$",
		"CREATE FUNCTION makes() RETURNS int LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE twin (id int PRIMARY KEY, ssn text); RETURN 1; END $$")
	s.protect("  public.twin: {row_key: [id], columns: {ssn: {keyring: pii, type: string, storage: base64}}}\n")
	for _, way := range []string{"CALL make()", "SELECT makes()", "DO $$ BEGIN CALL make(); END $$", "CREATE TEMP TABLE twin (id int PRIMARY KEY, ssn text)"} {
		conn, err := s.sealed.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		const text = "INSERT INTO twin (id, ssn) VALUES (1, 'clear') ON CONFLICT (id) DO NOTHING"
		for _, text := range []string{text, way, text} {
			if _, err := conn.ExecContext(context.Background(), text); err != nil && !errors.Is(err, driver.ErrRefused) {
				t.Errorf("%s: %v", text, err)
			}
		}
		var clear, sealed int
		if err := s.bare.QueryRow("SELECT count(*) FROM public.twin WHERE ssn = 'clear'").Scan(&clear); err != nil || clear > 0 {
			t.Errorf("%s: %d values in clear, %v", way, clear, err)
		}
		if err := conn.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_temp.twin WHERE length(ssn) > 20").Scan(&sealed); err == nil && sealed > 0 {
			t.Errorf("%s: %d values sealed in the temporary table", way, sealed)
		}
		closeForGood(conn)
	}
}
