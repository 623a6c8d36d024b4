package leak

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	_ "github.com/sealsql/sealsql/driver/mysql"
	_ "github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/internal/testing/corpus"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

const (
	corpusDir = planners + "/testdata/corpus"
	// searchedDir has the tables whose protected columns can be searched.
	searchedDir = planners + "/testdata/searched"
	ownDir      = "testdata"
)

// schemaDirs hold a schema, a seed and a part of the policy each.
var schemaDirs = []string{corpusDir, searchedDir, ownDir}

// database is the seeds' database, or its twin without protection.
type database struct {
	t      *testing.T
	server *testdb.Server
	name   string
	policy *policy.Policy // nil in the twin
	ddl    []string
	types  *strings.Replacer // of {string} and {base64}, in preludes
	tables []*table
	ofSeed []*table // tables as the seed has them
	reset  string
	clean  string   // the state of the seed, as text
	terms  []string // spellings of the seed's equality terms
	shape  string   // of the schema
	admin  *sql.DB
	pools  map[string]*sql.DB // by a parameter of the DSN
}

// table is a table as the server's catalog has it.
type table struct {
	name      string // quoted, with its schema
	columns   []string
	protected []bool
	terms     []bool // of the columns that hold equality terms
}

func (d *database) mysql() bool { return d.server.Name == "mysql" }

// newDatabases makes the protected database and the twin.
func newDatabases(t *testing.T, server *testdb.Server) (both [2]*database) {
	t.Helper()
	t.Setenv("SEALSQL_CORPUS_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	p := readPolicy(t)
	notePolicy(p)
	var sealed, twin []string
	for _, dir := range schemaDirs {
		moreSealed, moreTwin, err := corpus.Schema(dir, server.Name)
		if err != nil {
			t.Fatal(err)
		}
		sealed, twin = append(sealed, moreSealed...), append(twin, moreTwin...)
	}
	binary := "bytea"
	if server.Name == "mysql" {
		binary = "blob"
	}
	both[0] = &database{t: t, server: server, name: server.NewDatabase(t), policy: p, ddl: sealed, types: strings.NewReplacer("{string}", binary, "{base64}", "text")}
	both[1] = &database{t: t, server: server, name: server.NewDatabase(t), ddl: twin, types: strings.NewReplacer("{string}", "text", "{base64}", "text")}
	for _, d := range both {
		t.Cleanup(d.close)
		d.build()
		d.fill()
	}
	return both
}

// readPolicy joins the policies of the schemas: their tables, and the views of the last.
func readPolicy(t *testing.T) *policy.Policy {
	t.Helper()
	var text strings.Builder
	for i, dir := range schemaDirs {
		data, err := os.ReadFile(filepath.Join(dir, "policy.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		part := string(data)
		if dir != ownDir {
			part, _, _ = strings.Cut(part, "views:")
		}
		if i > 0 && dir != ownDir {
			_, part, _ = strings.Cut(part, "tables:\n")
		}
		text.WriteString(part)
	}
	p, err := policy.Parse("policy.yaml", []byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (d *database) keep() string {
	if d.mysql() {
		return d.name + "_keep"
	}
	return "keep"
}

// build makes the schema anew.
func (d *database) build() {
	d.close()
	d.admin = d.dial("", false)
	var texts []string
	if d.mysql() {
		root := d.server.Open(d.t, "")
		for _, text := range []string{"DROP DATABASE " + d.name, "CREATE DATABASE " + d.name, "CREATE DATABASE IF NOT EXISTS " + d.keep()} {
			if _, err := root.Exec(text); err != nil {
				d.t.Fatalf("%s: %v", text, err)
			}
		}
		_ = root.Close()
	} else {
		var drop sql.NullString
		if err := d.admin.QueryRow("SELECT 'DROP SCHEMA ' || string_agg(quote_ident(nspname), ', ') || ' CASCADE' FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', 'keep')").Scan(&drop); err != nil {
			d.t.Fatal(err)
		}
		if drop.Valid {
			texts = append(texts, drop.String)
		}
		texts = append(texts, "CREATE SCHEMA public", "CREATE SCHEMA IF NOT EXISTS keep", "ALTER DATABASE "+d.name+" RESET ALL", "ALTER ROLE CURRENT_USER RESET ALL")
	}
	if text := strings.Join(append(texts, d.ddl...), ";\n"); text != "" {
		if _, err := d.admin.Exec(text); err != nil {
			d.t.Fatalf("%s: %v", text, err)
		}
	}
	d.tables = d.catalog()
	d.ofSeed = d.tables
	if d.reset != "" {
		if err := d.restore(); err != nil {
			d.t.Fatalf("bringing the rows back: %v", err)
		}
	}
	d.shape = d.schema()
}

// ownCollations has the copies' columns do without the schema's collation, which goes with
// the schema and would take them along.
const ownCollations = `DO $$ DECLARE c record; BEGIN
	FOR c IN SELECT a.attrelid::regclass AS copied, a.attname FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid JOIN pg_collation l ON l.oid = a.attcollation
		WHERE r.relnamespace = 'keep'::regnamespace AND l.collname = 'no_case' LOOP
		EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE text COLLATE "default"', c.copied, c.attname);
	END LOOP; END $$`

// fill writes the seed's rows and keeps copies of them.
func (d *database) fill() {
	for _, dir := range schemaDirs {
		data, err := os.ReadFile(filepath.Join(dir, "seed.sql"))
		if err != nil {
			d.t.Fatal(err)
		}
		for text := range strings.SplitSeq(strings.TrimSpace(string(data)), ";\n") {
			if _, err := d.pool("").Exec(text); err != nil {
				d.t.Fatalf("%s: %v", text, err)
			}
		}
	}
	var reset strings.Builder
	overriding := " OVERRIDING SYSTEM VALUE"
	if d.mysql() {
		reset.WriteString("SET foreign_key_checks = 0; ")
		overriding = ""
	}
	for i, t := range d.tables {
		copied := fmt.Sprintf("%s.t%d", d.keep(), i)
		if _, err := d.admin.Exec("CREATE TABLE " + copied + " AS SELECT * FROM " + t.name); err != nil {
			d.t.Fatal(err)
		}
		fmt.Fprintf(&reset, "DELETE FROM %s; INSERT INTO %s%s SELECT * FROM %s; ", t.name, t.name, overriding, copied)
	}
	if !d.mysql() {
		if _, err := d.admin.Exec(ownCollations); err != nil {
			d.t.Fatal(err)
		}
	}
	if d.mysql() {
		reset.WriteString("ALTER TABLE people AUTO_INCREMENT = 11; ALTER TABLE idents AUTO_INCREMENT = 1")
	} else {
		reset.WriteString("SELECT setval('public.people_id_seq', 10); SELECT setval('public.idents_id_seq', 1, false)")
	}
	d.reset = reset.String()
	state, err := d.state(d.admin)
	if err != nil {
		d.t.Fatal(err)
	}
	d.clean, d.terms = d.text(state, nil), spellings(state)
}

// dial opens the database, through sealsql or bare.
func (d *database) dial(param string, seal bool) *sql.DB {
	name, dsn := d.server.DSN(d.server.Addr(), d.name)
	limits := "statement_timeout=3000&lock_timeout=1000"
	switch {
	case param == "" && !seal && !d.mysql():
		limits = "statement_timeout=20000&lock_timeout=2000" // the tests' own
	case d.server.Product == "mariadb":
		limits = "max_statement_time=3&innodb_lock_wait_timeout=1&lock_wait_timeout=1"
	case d.mysql():
		limits = "max_execution_time=3000&innodb_lock_wait_timeout=1&lock_wait_timeout=1"
	}
	dsn += "&" + limits
	if d.mysql() && param == "" && !seal {
		param = "multiStatements=true"
	}
	if param != "" {
		dsn += "&" + param
	}
	bare, err := sql.Open(name, dsn)
	if err != nil {
		d.t.Fatal(err)
	}
	if !seal {
		return bare
	}
	defer bare.Close()
	base, err := bare.Driver().(sqldriver.DriverContext).OpenConnector(dsn)
	if err != nil {
		d.t.Fatal(err)
	}
	c, err := driver.NewConnector(base, driver.WithPolicy(d.policy), driver.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		d.t.Fatal(err)
	}
	return sql.OpenDB(c)
}

// pool is the database opened with a parameter of the DSN: through sealsql, but for the twin.
func (d *database) pool(param string) *sql.DB {
	if d.pools == nil {
		d.pools = map[string]*sql.DB{}
	}
	if d.pools[param] == nil {
		d.pools[param] = d.dial(param, d.policy != nil)
	}
	return d.pools[param]
}

func (d *database) close() {
	for _, db := range d.pools {
		_ = db.Close()
	}
	d.pools = nil
	if d.admin != nil {
		_ = d.admin.Close()
		d.admin = nil
	}
}

// restore brings the seed's rows back.
func (d *database) restore() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err := d.admin.ExecContext(ctx, d.reset)
	return err
}

// querier is a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

// lines reads a query's rows as text.
func (d *database) lines(q querier, text string) (list []string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	rows, err := q.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s sql.NullString
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		list = append(list, s.String)
	}
	return list, rows.Err()
}

func (d *database) must(text string) []string {
	d.t.Helper()
	list, err := d.lines(d.admin, text)
	if err != nil {
		d.t.Fatalf("%s: %v", text, err)
	}
	return list
}

// schema is a text that changes with the schema.
func (d *database) schema() string {
	if d.mysql() {
		return strings.Join(d.must("SELECT CONCAT_WS(' ', table_name, column_name, ordinal_position, column_type, column_default, extra) FROM information_schema.columns WHERE table_schema = DATABASE() "+
			"UNION ALL SELECT CONCAT_WS(' ', trigger_name, event_object_table) FROM information_schema.triggers WHERE trigger_schema = DATABASE() "+
			"UNION ALL SELECT CONCAT_WS(' ', routine_name, routine_type) FROM information_schema.routines WHERE routine_schema = DATABASE() "+
			"UNION ALL SELECT CONCAT_WS(' ', event_name) FROM information_schema.events WHERE event_schema = DATABASE() "+
			"UNION ALL SELECT CONCAT_WS(' ', table_name, index_name, column_name) FROM information_schema.statistics WHERE table_schema = DATABASE() ORDER BY 1"), "\n")
	}
	const user = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'keep')"
	return strings.Join(d.must("SELECT concat_ws(' ', c.oid, c.relname, c.relkind, c.relhasrules, c.relhastriggers, c.relrowsecurity, c.relpersistence) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "+user+
		" UNION ALL SELECT concat_ws(' ', a.attrelid, a.attname, a.atttypid, a.attnum, a.attisdropped, a.atthasdef, a.attnotnull) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "+user+
		" UNION ALL SELECT concat_ws(' ', p.proname, p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE "+user+
		" UNION ALL SELECT concat_ws(' ', t.typname, t.oid) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE "+user+
		" UNION ALL SELECT concat_ws(' ', t.conname, t.oid) FROM pg_constraint t JOIN pg_namespace n ON n.oid = t.connamespace WHERE "+user+
		" UNION ALL SELECT n.nspname::text FROM pg_namespace n WHERE "+user+
		" UNION ALL SELECT concat_ws(' ', t.tgname, t.tgenabled) FROM pg_trigger t UNION ALL SELECT polname::text FROM pg_policy UNION ALL SELECT d.oid::text FROM pg_attrdef d"+
		" UNION ALL SELECT concat_ws(' ', setdatabase, setrole, setconfig::text) FROM pg_db_role_setting"+
		" ORDER BY 1"), "\n")
}

// catalog lists the tables. A column is protected if its table has a policy's name,
// or inherits from such a table.
func (d *database) catalog() (list []*table) {
	text := `WITH RECURSIVE kin (root, rel) AS (SELECT s.nspname || '.' || c.relname, c.oid FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND s.nspname NOT IN ('pg_catalog', 'information_schema', 'keep') UNION SELECT k.root, i.inhrelid FROM kin k JOIN pg_inherits i ON i.inhparent = k.rel)
		SELECT json_build_array(quote_ident(n.nspname) || '.' || quote_ident(c.relname), a.attname, (SELECT string_agg(k.root, ' ') FROM kin k WHERE k.rel = c.oid))::text
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relkind = 'r' AND (n.nspname NOT LIKE 'pg\_%' OR n.nspname LIKE 'pg\_temp\_%') AND n.nspname NOT IN ('information_schema', 'keep') ORDER BY c.oid, a.attnum`
	if d.mysql() {
		text = "SELECT JSON_ARRAY(CONCAT('`', table_schema, '`.`', table_name, '`'), column_name, CONCAT(table_schema, '.', table_name)) FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name) " +
			"WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' ORDER BY table_name, ordinal_position"
	}
	named := policyNames(d.t)
	for _, line := range d.must(text) {
		var x [3]string
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			d.t.Fatal(err)
		}
		if len(list) == 0 || list[len(list)-1].name != x[0] {
			list = append(list, &table{name: x[0]})
		}
		t := list[len(list)-1]
		t.columns = append(t.columns, x[1])
		is := func(kind string) bool {
			return slices.ContainsFunc(strings.Fields(x[2]), func(root string) bool {
				name := strings.ToLower(root + "." + x[1])
				return named[name] == kind || named[name[strings.IndexByte(name, '.'):]] == kind
			})
		}
		t.protected, t.terms = append(t.protected, is(isProtected)), append(t.terms, is(isTerm))
	}
	return list
}

// cell is a value in a row of a table; shown is its text, or its bytes in hexadecimal.
type cell struct {
	column    string // table.column
	protected bool
	term      bool
	null      bool
	text      string
}

// state reads every row of every table.
func (d *database) state(q querier) (all []cell, err error) {
	var parts []string
	for i, t := range d.tables {
		var columns []string
		for _, c := range t.columns {
			if d.mysql() {
				columns = append(columns, "IFNULL(CONCAT('x', HEX(CONVERT(`"+strings.ReplaceAll(c, "`", "``")+"`, BINARY))), 'n')")
			} else {
				columns = append(columns, "t.\""+strings.ReplaceAll(c, `"`, `""`)+"\"::text")
			}
		}
		if d.mysql() {
			parts = append(parts, fmt.Sprintf("SELECT CONCAT_WS(' ', %d, %s) FROM %s", i, strings.Join(columns, ", "), t.name))
		} else {
			parts = append(parts, fmt.Sprintf("SELECT json_build_array('%d', %s)::text FROM ONLY %s t", i, strings.Join(columns, ", "), t.name))
		}
	}
	lines, err := d.lines(q, strings.Join(parts, " UNION ALL "))
	if err != nil {
		return nil, err
	}
	slices.Sort(lines)
	for _, line := range lines {
		all = append(all, d.cells(line)...)
	}
	return all, nil
}

func (d *database) cells(line string) (list []cell) {
	var values []*string
	if d.mysql() {
		for f := range strings.FieldsSeq(line) {
			v := &f
			if f == "n" {
				v = nil
			} else if text, ok := strings.CutPrefix(f, "x"); ok {
				raw := unhex(text)
				v = &raw
			}
			values = append(values, v)
		}
	} else if err := json.Unmarshal([]byte(line), &values); err != nil {
		d.t.Fatal(err)
	}
	n := 0
	if _, err := fmt.Sscan(*values[0], &n); err != nil {
		d.t.Fatal(err)
	}
	t := d.tables[n]
	for i, v := range values[1:] {
		c := cell{column: t.name + "." + t.columns[i], protected: t.protected[i], term: t.terms[i], null: v == nil}
		if v != nil {
			c.text = *v
		}
		list = append(list, c)
	}
	return list
}

// text joins a state's cells.
func (d *database) text(all []cell, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	var b strings.Builder
	for _, c := range all {
		fmt.Fprintf(&b, "%s=%v %s\n", c.column, c.null, c.text)
	}
	return b.String()
}

// tidy brings the database back to the seed. It looks at the schema if the text may
// have changed it.
func (d *database) tidy(schema bool) {
	if schema && d.schema() != d.shape {
		d.build()
		return
	}
	if d.text(d.state(d.admin)) != d.clean {
		if d.restore() != nil || d.text(d.state(d.admin)) != d.clean {
			d.build()
		}
	}
}

var errGone = errors.New("the connection was given up")

// forGood closes a connection that must not go back to its pool.
func forGood(c *sql.Conn) {
	_ = c.Raw(func(any) error { return errors.Join(sqldriver.ErrBadConn, errGone) })
	_ = c.Close()
}
