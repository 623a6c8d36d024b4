package postgres

import (
	"strings"
	"testing"
)

// TestDoThatComputes tells programs that show what they run from those that
// put it together.
func TestDoThatComputes(t *testing.T) {
	const found = "DECLARE r record; BEGIN FOR r IN SELECT tablename FROM pg_tables LOOP EXECUTE %s; END LOOP; END"
	tests := []struct {
		name, operand string
		runs          bool
	}{
		{"one string", "'DROP TABLE a'", true},
		{"one string in dollars", "$q$ INSERT INTO a VALUES ('1') $q$", true},
		{"one string in brackets", "('DROP TABLE a')", true},
		{"one string, and where its result goes", "'SELECT 1' INTO r USING r.tablename", true},
		{"a comment before it", "-- careful\n 'DROP TABLE a'", true},
		{"a name by format", "format('TRUNCATE TABLE %I.%I CASCADE', r.a, r.b)", true},
		{"a name by its number", "format('DROP TABLE IF EXISTS %1$I', r.a)", true},
		{"format of nothing", "format('DROP TABLE a')", true},
		{"a name by quote_ident", "'DROP TABLE IF EXISTS ' || quote_ident(r.tablename) || ' CASCADE'", true},
		{"two statements", "'DROP TABLE ' || quote_ident(r.a) || '; DROP VIEW ' || quote_ident(r.b)", true},
		{"a function and its arguments", "format('DROP FUNCTION %I(int, text)', r.a)", true},
		{"a grant on what is found", "format('GRANT SELECT ON %I TO %I', r.a, r.b)", true},
		{"a sequence", "format('ALTER SEQUENCE %I RESTART', r.a)", true},

		{"a variable", "r.tablename", false},
		{"a name without quotes", "'DROP TABLE ' || r.tablename", false},
		{"a name put together", "'UPDATE acc' || 'ounts SET ssn = NULL'", false},
		{"a name on two lines", "'UPDATE acc'\n'ounts SET ssn = NULL'", false},
		{"a string with escapes", `E'UPDATE acc\x6funts SET ssn = NULL'`, false},
		{"a text that format takes", "format('DROP TABLE %s', r.tablename)", false},
		{"a value that format quotes", "format('COMMENT ON TABLE a IS %L', r.tablename)", false},
		{"a pattern put together", "format('DROP ' || 'TABLE %I', r.a)", false},
		{"a pattern that is not a constant", "format(r.a, r.b)", false},
		{"a statement with a value", "format('INSERT INTO %I VALUES (1)', r.a)", false},
		{"a query", "format('SELECT * FROM %I', r.a)", false},
		{"a setting", "format('SET search_path TO %I', r.a)", false},
		{"a name within quotes", `'DROP TABLE "' || quote_ident(r.a) || '"'`, false},
		{"a name in a comment", "'DROP TABLE a -- ' || quote_ident(r.a)", false},
		{"a part of a name", "'DROP TABLE a_' || quote_ident(r.a)", false},
		{"a name as the statement", "quote_ident(r.a) || ' TABLE a'", false},
		{"quote_literal", "'DROP TABLE ' || quote_literal(r.a)", false},
		{"another operator", "'DROP TABLE ' | quote_ident(r.a)", false},
		{"a bracket that is a name", `quote_ident "(" 'a' ")"`, false},
		{"nothing", "", false},
		{"a choice", "CASE WHEN true THEN 'DROP TABLE a' ELSE 'DROP TABLE b' END", false},
		{"a variable named function", "function", false},
		{"a variable named procedure, into", "procedure INTO r", false},
		{"DO within", "$q$ DO $x$ BEGIN EXECUTE 'UPDATE acc' || 'ounts SET ssn = NULL'; END $x$ $q$", false},
		{"an end that is missing", "$q$ DROP TABLE a", false},
	}
	p := shopPlanner()
	for _, tt := range tests {
		body := strings.Replace(found, "%s", tt.operand, 1)
		for _, text := range []string{"DO $do$ " + body + " $do$", "SELECT 1; DO LANGUAGE plpgsql '" + strings.ReplaceAll(body, "'", "''") + "'"} {
			if _, err := p.Plan(t.Context(), text); (err == nil) != tt.runs {
				t.Errorf("%s: %v\n%s", tt.name, err, text)
			}
		}
	}
}

// TestDoThatSaysExecute: the word alone makes no program compute its SQL, in
// the language that is known.
func TestDoThatSaysExecute(t *testing.T) {
	tests := []struct {
		name, text string
		runs       bool
	}{
		{"a column's name", "DO $$ BEGIN UPDATE other SET executed_at = now(); END $$", true},
		{"a grant", "DO $$ BEGIN GRANT EXECUTE ON FUNCTION f() TO app; END $$", true},
		{"a trigger", "DO $$ BEGIN CREATE TRIGGER t BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION f(); END $$", true},
		{"a trigger of old", "DO $$ BEGIN CREATE TRIGGER t BEFORE INSERT ON other FOR EACH ROW EXECUTE PROCEDURE s.f(); END $$", true},
		{"a message", "DO $$ BEGIN RAISE NOTICE 'execute % twice', 1; END $$", true},
		{"a comment", "DO $$ BEGIN /* execute a || b */ NULL; -- execute a || b\n END $$", true},
		{"a statement after it", "DO $$ BEGIN NULL; END $$; SELECT 'execute', 'a' || 'b'", true},
		{"another language", `DO $$ plpy.execute("UPDATE acc" + "ounts") $$ LANGUAGE plpython3u`, false},
		{"another language, hidden from this one's lexer", "DO LANGUAGE 'plpython3u' $$ # '\nplpy.execute(\"UPDATE acc\" + \"ounts\") # '\n $$", false},
		{"a program with escapes", `DO E'BEGIN EXECUTE ''DROP TABLE a''; END'`, false},
	}
	p := shopPlanner()
	for _, tt := range tests {
		if _, err := p.Plan(t.Context(), tt.text); (err == nil) != tt.runs {
			t.Errorf("%s: %v\n%s", tt.name, err, tt.text)
		}
	}
}
