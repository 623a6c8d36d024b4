package integration

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// The fault model of the promise that no plaintext reaches the server: the session's
// state is changed in every way that the server's manual names, then the same
// connection sends hostile literals and plain statements. A statement is refused, or
// nothing of it leaves in clear. A change that the server itself rejects does not
// count.

// change is one way to change a session. Its texts run on the connection, or, where
// they begin with "bare:" or "root:", on a bare one. "new:" opens another connection,
// "dsn:" one with further parameters in its DSN, and "app:" one of an account that is
// no administrator. The server answers "fails:" with an error.
type change struct {
	name  string
	texts []string
}

// mysqlWays are the ways to set variables of the session, for the assignments of
// one SET: "a = 1, b = 2".
func mysqlWays(name, assignments string) []change {
	quoted := strings.ReplaceAll(assignments, "'", "''")
	ways := []change{
		{"SET", []string{"SET " + assignments}},
		{"SET SESSION", []string{"SET SESSION " + assignments}},
		{"after a user variable", []string{"SET @x = 1, " + assignments}},
		{"in an executable comment", []string{"SET @x = 1 /*!40101 , " + assignments + " */"}},
		{"as an executable comment", []string{"/*!40101 SET " + assignments + " */"}},
		{"SET in an executable comment", []string{"/*!40101 SET */ " + assignments}},
		{"in an executable comment without a version", []string{"/*! SET " + assignments + " */"}},
		{"in MariaDB's executable comment", []string{"SET @x = 1 /*M!50101 , " + assignments + " */"}},
		{"after a comment", []string{"-- a tag\nSET " + assignments}},
		{"PREPARE and EXECUTE", []string{"PREPARE p FROM 'SET " + quoted + "'", "EXECUTE p"}},
		{"EXECUTE IMMEDIATE", []string{"EXECUTE IMMEDIATE 'SET " + quoted + "'"}},
		{"PREPARE from a variable", []string{"SET @t = 'SET " + quoted + "'", "PREPARE p FROM @t", "EXECUTE p"}},
		{"BEGIN NOT ATOMIC", []string{"BEGIN NOT ATOMIC SET " + assignments + "; END"}},
		{"a procedure", []string{"bare:CREATE PROCEDURE go() BEGIN SET " + assignments + "; END", "CALL go()"}},
		{"a procedure that prepares", []string{"bare:CREATE PROCEDURE go() BEGIN PREPARE p FROM 'SET " + quoted + "'; EXECUTE p; END", "CALL go()"}},
		{"a function", []string{"bare:CREATE FUNCTION go() RETURNS int DETERMINISTIC NO SQL BEGIN SET " + assignments + "; RETURN 1; END", "SELECT go()"}},
		{"DO of a function", []string{"bare:CREATE FUNCTION go() RETURNS int DETERMINISTIC NO SQL BEGIN SET " + assignments + "; RETURN 1; END", "DO go()"}},
		{"a trigger", []string{"bare:CREATE TRIGGER go BEFORE INSERT ON other FOR EACH ROW BEGIN SET " + assignments + "; END", "INSERT INTO other (id) VALUES (1)"}},
		{"SET STATEMENT", []string{"SET STATEMENT " + assignments + " FOR SELECT 1"}},
		{"SET LOCAL", []string{"SET LOCAL " + assignments}},
		{":=", []string{"SET " + strings.Replace(assignments, " = ", " := ", 1)}},
		{"@@local", []string{"SET @@local." + strings.TrimPrefix(assignments, "@@session.")}},
		{"in small letters over several lines", []string{"set\n\t" + strings.ToLower(assignments) + "\n;"}},
		{"in a transaction that is rolled back", []string{"BEGIN", "SET " + assignments, "ROLLBACK"}},
		{"a loop", []string{"BEGIN NOT ATOMIC DECLARE i int DEFAULT 0; WHILE i < 1 DO SET " + assignments + "; SET i = 1; END WHILE; END"}},
		{"a handler", []string{"BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR SQLEXCEPTION SET " + assignments + "; SIGNAL SQLSTATE '45000'; END"}},
		{"a procedure that calls another", []string{"bare:CREATE PROCEDURE go() BEGIN SET " + assignments + "; END", "bare:CREATE PROCEDURE gogo() BEGIN CALL go(); END", "CALL gogo()"}},
		{"a query of a function in a view", []string{"bare:CREATE FUNCTION go() RETURNS int DETERMINISTIC NO SQL BEGIN SET " + assignments + "; RETURN 1; END", "bare:CREATE VIEW vgo AS SELECT go()", "SELECT * FROM vgo"}},
		{"init_connect", []string{"root:SET GLOBAL init_connect = 'SET " + quoted + "'", "app:"}},
	}
	for i := range ways {
		ways[i].name = name + ", " + ways[i].name
	}
	return ways
}

// mysqlChanges is every way to change how a MySQL or MariaDB session reads texts.
func mysqlChanges() (all []change) {
	for _, set := range []string{"gbk", "sjis", "big5", "cp932", "gb18030", "swe7", "latin1", "binary"} {
		all = append(all, mysqlWays("NAMES "+set, "NAMES "+set)...)
		all = append(all, mysqlWays("CHARACTER SET "+set, "CHARACTER SET "+set)...)
		all = append(all, mysqlWays("character_set_client "+set, "character_set_client = "+set)...)
		all = append(all, mysqlWays("@@character_set_client "+set, "@@character_set_client = '"+set+"'")...)
	}
	for _, mode := range []string{"ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI", "MSSQL", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT"} {
		all = append(all, mysqlWays("sql_mode "+mode, "sql_mode = '"+mode+"'")...)
		all = append(all, mysqlWays("@@session.sql_mode "+mode, "@@session.sql_mode = CONCAT(@@sql_mode, ',"+mode+"')")...)
	}
	for _, scope := range []string{"SET GLOBAL sql_mode = 'ANSI_QUOTES'", "SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES'", "SET PERSIST sql_mode = 'ANSI_QUOTES'",
		"SET @@global.sql_mode = 'ANSI_QUOTES', @@session.sql_mode = 'ANSI_QUOTES'", "SET GLOBAL init_connect = 'SET sql_mode = ''ANSI_QUOTES'''",
		"SET GLOBAL init_connect = 'SET NAMES gbk'", "SET GLOBAL character_set_server = gbk", "SET PERSIST_ONLY sql_mode = 'ANSI_QUOTES'", "SET @@persist.sql_mode = 'NO_BACKSLASH_ESCAPES'",
		"SET GLOBAL character_set_client = gbk", "SET @@global.sql_mode = 'NO_BACKSLASH_ESCAPES', @@persist.sql_mode = DEFAULT"} {
		all = append(all, change{"another connection's " + scope, []string{"root:" + scope, "new:"}}, change{"its own " + scope, []string{scope, "new:"}},
			change{"its own " + scope + ", DEFAULT", []string{scope, "SET SESSION sql_mode = DEFAULT"}}, change{"an application's " + scope, []string{"root:" + scope, "app:"}})
	}
	for _, parameters := range []string{"sql_mode='ANSI_QUOTES'", "sql_mode='NO_BACKSLASH_ESCAPES'", "charset=gbk", "charset=sjis,utf8mb4", "character_set_client=gbk", "character_set_client=big5&sql_mode='ANSI_QUOTES'"} {
		all = append(all, change{"the DSN's " + parameters, []string{"dsn:" + parameters}})
	}
	return all
}

// hostile is a text that holds ssn1.
type hostile struct {
	text string
	// under is a word of the settings under which the text means a protected place; the
	// text is harmless under others, which may send it as it is. Empty means any.
	under string
}

// mysqlHostile are texts that put ssn1 into a protected place if the server
// reads them otherwise than in UTF-8 with backslash escapes and without ANSI_QUOTES.
func mysqlHostile() []hostile {
	list := []hostile{
		{"INSERT INTO accounts (account_number, name, ssn) VALUES ('h1', 'x', '" + ssn1 + "') ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", ""},
		{"UPDATE accounts SET ssn = '" + ssn1 + "' WHERE account_number = 'a1'", ""},
		{`UPDATE accounts SET name = 'a\', ssn = "` + ssn1 + `" -- ', name = 'x'` + "\n WHERE account_number = 'a1'", "NO_BACKSLASH_ESCAPES"},
		{`SELECT name FROM accounts WHERE "ssn" = '` + ssn1 + `'`, "ANSI_QUOTES"},
		{`UPDATE accounts SET name = "a" "ssn", tenant_id = '1' WHERE "ssn" = '` + ssn1 + `'`, "ANSI_QUOTES"},
	}
	for _, set := range []string{"gbk", "sjis", "big5", "cp932", "gb18030"} {
		character := "ぁ"
		if set == "big5" {
			character = "中"
		}
		// The last byte of the character and the backslash are one character.
		list = append(list, hostile{"UPDATE accounts SET name = '" + character + `\', ssn = "` + ssn1 + `" -- ', name = 'x'` + "\n WHERE account_number = 'a1'", set},
			hostile{"SELECT '" + character + `\', name FROM accounts WHERE ssn = "` + ssn1 + `" -- ', name FROM accounts` + "\n", set})
	}
	return list
}

// postgresWays are the ways to set a setting of the session.
func postgresWays(name, value, usual string) []change {
	const named = "SELECT name FROM accounts"
	ways := []change{
		{"SET", []string{"SET " + name + " = " + value}},
		{"SET TO", []string{"SET " + name + " TO " + value}},
		{"SET SESSION", []string{"/* a tag */ SET SESSION " + name + " = " + value}},
		{"SET LOCAL", []string{"BEGIN", "SET LOCAL " + name + " = " + value}},
		{"a quoted name", []string{`SET U&"` + fmt.Sprintf(`\%04x`, name[0]) + name[1:] + `" = ` + value}},
		{"set_config", []string{"SELECT set_config('" + name + "', " + value + ", false)"}},
		{"pg_settings", []string{"UPDATE pg_settings SET setting = " + value + " WHERE name = '" + name + "'"}},
		{"DO", []string{"DO $$ BEGIN PERFORM set_config('" + name + "', " + value + ", false); END $$"}},
		{"DO that computes", []string{"DO $$ BEGIN EXECUTE 'SET ' || '" + name + "' || ' = ' || quote_literal(" + value + "); END $$"}},
		{"a function", []string{"bare:CREATE FUNCTION go() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('" + name + "', " + value + ", false); RETURN 1; END $$", "SELECT go()"}},
		{"a procedure", []string{"bare:CREATE PROCEDURE go() LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('" + name + "', " + value + ", false); END $$", "CALL go()"}},
		{"a trigger", []string{"bare:CREATE FUNCTION go() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('" + name + "', " + value + ", false); RETURN NEW; END $$",
			"bare:CREATE TRIGGER go BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION go()", "INSERT INTO other (id) VALUES (1)"}},
		{"PREPARE and EXECUTE", []string{"PREPARE p AS SELECT set_config('" + name + "', " + value + ", false)", "EXECUTE p"}},
		{"the role", []string{"bare:ALTER ROLE CURRENT_USER SET " + name + " = " + value, "new:"}},
		{"the database", []string{"bare:DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET " + name + " = %L', current_database(), " + value + "); END $$", "new:"}},
		{"the role, RESET", []string{"bare:ALTER ROLE CURRENT_USER SET " + name + " = " + value, "new:", "RESET " + name, "DISCARD ALL"}},
		{"the role, back by RESET", []string{"bare:ALTER ROLE CURRENT_USER SET " + name + " = " + value, "new:", "SET " + name + " = " + usual, named, "RESET " + name}},
		{"the role, back by RESET ALL", []string{"bare:ALTER ROLE CURRENT_USER SET " + name + " = " + value, "new:", "SET " + name + " = " + usual, named, "RESET ALL"}},
		{"the role, back by DISCARD ALL", []string{"bare:ALTER ROLE CURRENT_USER SET " + name + " = " + value, "new:", "SET " + name + " = " + usual, named, "DISCARD ALL"}},
		{"the role, back by DEFAULT", []string{"bare:ALTER ROLE CURRENT_USER SET " + name + " = " + value, "new:", "SET " + name + " = " + usual, named, "SET " + name + " TO DEFAULT"}},
		{"the role in the database", []string{"bare:DO $$ BEGIN EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I SET " + name + " = %L', current_database(), " + value + "); END $$", "new:"}},
		{"every role", []string{"bare:ALTER ROLE ALL SET " + name + " = " + value, "new:"}},
		{"back by ROLLBACK", []string{"SET " + name + " = " + value, "BEGIN", "SET " + name + " = " + usual, named, "ROLLBACK"}},
		{"back by ROLLBACK TO", []string{"BEGIN", "SET " + name + " = " + value, "SAVEPOINT s", "SET " + name + " = " + usual, named, "ROLLBACK TO s"}},
		{"back by an error", []string{"SET " + name + " = " + value, "BEGIN", "SET LOCAL " + name + " = " + usual, named, "fails:SELECT 1 / 0", "COMMIT"}},
		{"back by COMMIT", []string{"SET " + name + " = " + value, "BEGIN", "SET LOCAL " + name + " = " + usual, named, "COMMIT"}},
		{"set_config for the transaction", []string{"BEGIN", "SELECT pg_catalog.set_config('" + name + "', " + value + ", true)"}},
		{"set_config of a computed name", []string{"SELECT set_config(concat('" + name[:4] + "', '" + name[4:] + "'), " + value + ", false)"}},
		{"set_config from a table", []string{"SELECT set_config(n, v, false) FROM (VALUES ('" + name + "', " + value + ")) t(n, v)"}},
		{"set_config in RETURNING", []string{"INSERT INTO other (id) VALUES (1) RETURNING set_config('" + name + "', " + value + ", false)"}},
		{"pg_settings by a computed name", []string{"UPDATE pg_settings SET setting = " + value + " WHERE name LIKE '" + name[:6] + "%'"}},
		{"pg_settings by its schema", []string{`UPDATE "pg_catalog".U&"pg\005fsettings" SET setting = ` + value + " WHERE name = '" + name + "'"}},
		{"a view over pg_settings", []string{"bare:CREATE VIEW vgo AS SELECT name, setting FROM pg_settings", "UPDATE vgo SET setting = " + value + " WHERE name = '" + name + "'"}},
		{"a function that has the setting", []string{"bare:CREATE FUNCTION go() RETURNS int LANGUAGE sql SET " + name + " = " + value + " AS 'SELECT 1'", "SELECT go()"}},
		{"a function in a view", []string{"bare:CREATE FUNCTION go() RETURNS text LANGUAGE sql AS $$ SELECT set_config('" + name + "', " + value + ", false) $$", "bare:CREATE VIEW vgo AS SELECT go()", "SELECT * FROM vgo"}},
		{"an operator", []string{"bare:CREATE FUNCTION go(int, int) RETURNS boolean LANGUAGE sql AS $$ SELECT set_config('" + name + "', " + value + ", false) IS NOT NULL $$", "bare:CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = go)", "SELECT 1 ### 2"}},
		{"a default", []string{"bare:CREATE FUNCTION go() RETURNS text LANGUAGE sql AS $$ SELECT set_config('" + name + "', " + value + ", false) $$", "bare:CREATE TABLE tgo (id int, v text DEFAULT go())", "INSERT INTO tgo (id) VALUES (1)"}},
		{"a check", []string{"bare:CREATE FUNCTION go() RETURNS text LANGUAGE sql AS $$ SELECT set_config('" + name + "', " + value + ", false) $$", "bare:CREATE TABLE tgo (id int CHECK (go() IS NOT NULL))", "INSERT INTO tgo (id) VALUES (1)"}},
		{"a rule", []string{"bare:CREATE TABLE tgo (id int)", "bare:CREATE RULE rgo AS ON INSERT TO tgo DO ALSO SELECT set_config('" + name + "', " + value + ", false)", "INSERT INTO tgo (id) VALUES (1)"}},
		{"a deferred trigger", []string{"bare:CREATE FUNCTION go() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('" + name + "', " + value + ", false); RETURN NEW; END $$",
			"bare:CREATE TABLE tgo (id int)", "bare:CREATE CONSTRAINT TRIGGER cgo AFTER INSERT ON tgo DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION go()", "BEGIN", "INSERT INTO tgo (id) VALUES (1)", "COMMIT"}},
		{"a cursor", []string{"BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT set_config('" + name + "', " + value + ", false)", "COMMIT", "FETCH 1 FROM c"}},
		{"EXPLAIN ANALYZE", []string{"EXPLAIN ANALYZE SELECT set_config('" + name + "', " + value + ", false)"}},
		{"a CTE", []string{"WITH c AS MATERIALIZED (SELECT set_config('" + name + "', " + value + ", false)) SELECT * FROM c"}},
		{"CREATE TABLE AS", []string{"CREATE TABLE tgo AS SELECT set_config('" + name + "', " + value + ", false) AS v"}},
	}
	for i := range ways {
		ways[i].name = name + " " + value + ", " + ways[i].name
	}
	return ways
}

func postgresChanges() (all []change) {
	for _, set := range []string{"SJIS", "BIG5", "GBK", "UHC", "GB18030", "JOHAB", "SHIFT_JIS_2004", "LATIN1"} {
		all = append(all, postgresWays("client_encoding", "'"+set+"'", "'UTF8'")...)
		all = append(all, change{"NAMES " + set, []string{"SET NAMES '" + set + "'"}})
		all = append(all, change{"the DSN's client_encoding " + set, []string{"dsn:client_encoding=" + set}}, change{"the DSN's options, " + set, []string{"dsn:options=-c%20client_encoding=" + set}})
	}
	all = append(all, change{"the DSN's standard_conforming_strings", []string{"dsn:standard_conforming_strings=off"}}, change{"the DSN's options", []string{"dsn:options=-c%20standard_conforming_strings=off"}})
	all = append(all, postgresWays("standard_conforming_strings", "'off'", "'on'")...)
	return all
}

// postgresHostile are texts that put ssn1 into a protected place if the server
// reads them otherwise than in UTF-8 with standard strings.
func postgresHostile() []hostile {
	list := []hostile{
		{"INSERT INTO accounts (account_number, name, ssn) VALUES ('h1', 'x', '" + ssn1 + "') ON CONFLICT (account_number) DO UPDATE SET ssn = EXCLUDED.ssn", ""},
		{"UPDATE accounts SET ssn = '" + ssn1 + "' WHERE account_number = 'a1'", ""},
		{`UPDATE accounts SET name = 'a\', ssn = '` + ssn1 + `', note = ' WHERE account_number = '` + "a1'", "off"},
	}
	for _, set := range []string{"SJIS", "BIG5", "GBK", "UHC", "GB18030", "JOHAB", "SHIFT_JIS_2004"} {
		character := "ぁ"
		if set == "BIG5" {
			character = "中"
		}
		list = append(list, hostile{"UPDATE accounts SET name = E'" + character + `\', ssn = $$` + ssn1 + `$$ -- ', name = 'x'` + "\n WHERE account_number = 'a1'", set},
			hostile{"SELECT E'" + character + `\', name FROM accounts WHERE ssn = $$` + ssn1 + `$$ -- ', name FROM accounts` + "\n", set})
	}
	return list
}

// model is one server's part of the fault model.
type model struct {
	changes []change
	hostile []hostile
	// check is a query of the settings that are changed.
	settings string
	least    int // changes that take effect
}

func TestNoStateOfASessionLetsAPlaintextOut(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			m := model{postgresChanges(), postgresHostile(), "SELECT current_setting('client_encoding') || (SELECT setting FROM pg_settings WHERE name LIKE 'standard_conforming%')", 300}
			if server.Name == "mysql" {
				m = model{mysqlChanges(), mysqlHostile(), "SELECT CONCAT(@@character_set_client, ' ', @@sql_mode)", 250}
			}
			m.run(t, newSite(t, server))
		})
	}
}

func (m *model) run(t *testing.T, s *site) {
	if err := s.proxy.Watch(ssn1); err != nil {
		t.Fatal(err)
	}
	s.exec("INSERT INTO accounts (account_number, name, ssn) VALUES ('a1', 'x', ?)", ssn2)
	var before string
	if err := s.sealed.QueryRow(m.settings).Scan(&before); err != nil {
		t.Fatal(err)
	}
	effective, sent, refused := 0, 0, 0
	for _, c := range m.changes {
		leaks := len(s.proxy.Leaks())
		changed, n, no := m.try(t, s, c, before)
		if changed {
			effective++
		}
		sent, refused = sent+n, refused+no
		if after := s.proxy.Leaks(); len(after) > leaks {
			t.Errorf("%s: %d leaks: %s", c.name, len(after)-leaks, after[leaks])
		}
	}
	t.Logf("%d changes, of which %d took effect; %d hostile texts, of which %d were refused", len(m.changes), effective, sent, refused)
	if effective < m.least {
		t.Errorf("only %d changes took effect, want at least %d", effective, m.least)
	}
}

// try makes one change on a connection of its own and sends the hostile texts.
func (m *model) try(t *testing.T, s *site, c change, before string) (changed bool, sent, refused int) {
	ctx := t.Context()
	db := s.sealed
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { closeForGood(conn) }()
	defer m.reset(t, s)
	for _, text := range c.texts {
		where, rest, marked := strings.Cut(text, ":")
		switch {
		case marked && where == "bare", marked && where == "root":
			if _, err := s.bare.Exec(rest); err != nil {
				return false, sent, refused // the server has no such way
			}
		case marked && slices.Contains([]string{"new", "dsn", "app"}, where):
			closeForGood(conn)
			if where != "new" {
				db = s.opened(where == "app", rest)
			}
			if conn, err = db.Conn(ctx); err != nil {
				return true, 1, 1 // refused as a whole
			}
		default:
			_, _ = conn.ExecContext(ctx, strings.TrimPrefix(text, "fails:")) // what it changed is looked at below
		}
	}
	var after string
	err = conn.QueryRowContext(ctx, m.settings).Scan(&after)
	changed = err == nil && after != before
	for _, h := range m.hostile {
		if h.under != "" && (!changed || !strings.Contains(after, h.under)) {
			continue
		}
		_, err := conn.ExecContext(ctx, h.text)
		sent++
		if errors.Is(err, driver.ErrRefused) {
			refused++
		}
		_, _ = conn.ExecContext(ctx, "SELECT 1") // the connection lives on, whatever it said
	}
	return changed, sent, refused
}

// opened is the site's database opened with further parameters, as the account of an
// application or as the tests' own.
func (s *site) opened(app bool, parameters string) *sql.DB {
	var name string
	current := "SELECT current_database()"
	if !s.postgres() {
		current = "SELECT DATABASE()"
	}
	if err := s.bare.QueryRow(current).Scan(&name); err != nil {
		s.t.Fatal(err)
	}
	driverName, dsn := s.server.DSN(s.proxy.Addr(), name)
	if app {
		s.set("CREATE USER IF NOT EXISTS app@'%'", "GRANT ALL ON "+name+".* TO app@'%'")
		_, at, _ := strings.Cut(dsn, "@")
		dsn = "app@" + at
	}
	if parameters != "" {
		dsn += "&" + parameters
	}
	k, arn := kms()
	s.t.Setenv("SEALSQL_TEST_KEY", arn)
	return open(s.t, driverName, dsn, driver.WithPolicy(s.parse(policyText)), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
}

// closeForGood keeps a connection from going back to the pool.
func closeForGood(c *sql.Conn) {
	if c == nil {
		return // it was not opened
	}
	_ = c.Raw(func(any) error { return errLeaveThePool })
	_ = c.Close()
}

// reset takes back what a change left on the server.
func (m *model) reset(t *testing.T, s *site) {
	t.Helper()
	if s.postgres() {
		s.set("ALTER ROLE CURRENT_USER RESET ALL", "ALTER ROLE ALL RESET ALL", "DROP TRIGGER IF EXISTS go ON other", "DROP VIEW IF EXISTS vgo", "DROP TABLE IF EXISTS tgo",
			"DROP OPERATOR IF EXISTS ### (int, int)", "DROP ROUTINE IF EXISTS go")
		var name string
		if err := s.bare.QueryRow("SELECT current_database()").Scan(&name); err != nil {
			t.Fatal(err)
		}
		s.set("ALTER DATABASE "+name+" RESET ALL", "ALTER ROLE CURRENT_USER IN DATABASE "+name+" RESET ALL")
		return
	}
	s.set("DROP TRIGGER IF EXISTS go", "DROP PROCEDURE IF EXISTS gogo", "DROP PROCEDURE IF EXISTS go", "DROP VIEW IF EXISTS vgo", "DROP FUNCTION IF EXISTS go", "SET GLOBAL init_connect = ''",
		"SET GLOBAL sql_mode = DEFAULT", "SET GLOBAL character_set_server = utf8mb4", "SET GLOBAL character_set_client = utf8mb4")
	if s.server.Product == "mysql" {
		s.set("RESET PERSIST")
	}
}

// TestACharacterSetOfTheDSNInWhichABackslashMayBeHalfACharacter is noticed though no
// text set it.
func TestACharacterSetOfTheDSNInWhichABackslashMayBeHalfACharacter(t *testing.T) {
	server := testdb.MySQL(t)
	s := newSite(t, server)
	if err := s.proxy.Watch(ssn1); err != nil {
		t.Fatal(err)
	}
	var name string
	if err := s.bare.QueryRow("SELECT DATABASE()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	k, _ := kms()
	for _, charset := range []string{"gbk", "sjis", "big5", "cp932"} {
		t.Run(charset, func(t *testing.T) {
			driverName, dsn := server.DSN(s.proxy.Addr(), name)
			db := open(t, driverName, dsn+"&charset="+charset, driver.WithPolicy(s.parse(policyText)), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
			for _, h := range mysqlHostile() {
				if _, err := db.ExecContext(context.Background(), h.text); !errors.Is(err, driver.ErrRefused) || !strings.Contains(err.Error(), "utf8mb4") {
					t.Errorf("%q: %v", h.text, err)
				}
			}
			if _, err := db.Exec("INSERT INTO other (id) VALUES (1)"); err != nil {
				t.Errorf("a text that names nothing protected: %v", err)
			}
		})
	}
}

func (s *site) parse(text string) *policy.Policy {
	s.t.Helper()
	p, err := policy.Parse("test", []byte(text))
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

var errLeaveThePool = sqldriver.ErrBadConn
