package integration

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gomysql "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sealsql/sealsql/driver"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/testing/corpus"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

var (
	update     = flag.Bool("update", false, "write what the servers' catalogs say into the corpus")
	everyMode  = flag.Bool("corpus.modes", false, "send the whole corpus in every mode, instead of a part of it in each")
	corpusCase = flag.String("corpus.case", "", "run only the cases whose name holds this")
)

const (
	corpusDir = "../sqlplan/testdata/corpus"
	// searchedDir holds the statements that compare searchable columns.
	searchedDir = "../sqlplan/testdata/searched"
)

// plaintexts finds, in the corpus's texts and arguments, the values that may
// not pass: every protected value there is spelled in one of these ways.
var plaintexts = regexp.MustCompile(`9\d\d-\d\d-\d{4}|secret [a-z ]+|77000\d+(?:\.\d+)?|77777777-0000-0000-0000-\d{12}|1977-07-\d\d|(?i:[a-z]+@leak\.example)`)

// world is the corpus's database, protected and as an unprotected twin of the
// same names.
type world struct {
	t      *testing.T
	root   *testing.T // of the whole run: what is opened lives as long
	dir    string     // of the statements
	server *testdb.Server
	policy *policy.Policy
	proxy  *sealtest.LeakProxy
	admin  [2]*sql.DB // bare, of the protected database and of the twin
	names  [2]string
	reset  [2]string // the text that brings the seed back
	tables []string
	// columns are each table's, with those that a star leaves out; stored are those
	// that can be written.
	columns map[string]string
	stored  [2]map[string]string
	newer   []string              // the seed of the tables that not every server has
	absent  []string              // those of these tables that this server lacks
	dbs     map[string][2]*sql.DB // by mode
	// held checks the protected database after a case that changed it; it may be nil.
	held func(*world, *corpus.Case)
}

// mode is a way to send statements.
type mode struct{ name, param string }

func modes(dialect string) []mode {
	if dialect == "postgres" {
		return []mode{{"query", ""}, {"exec", ""}, {"prepared", ""}, {"simple", "default_query_exec_mode=simple_protocol"},
			{"describe", "default_query_exec_mode=cache_describe"}, {"exec mode", "default_query_exec_mode=exec"}, {"describe exec", "default_query_exec_mode=describe_exec"}}
	}
	return []mode{{"query", ""}, {"exec", ""}, {"prepared", ""}, {"interpolate", "interpolateParams=true"}, {"multi", "multiStatements=true&interpolateParams=true"}}
}

func newWorld(t *testing.T, server *testdb.Server, dir string) *world {
	t.Setenv("SEALSQL_CORPUS_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	data, err := os.ReadFile(filepath.Join(dir, "policy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, root: t, dir: dir, server: server, proxy: server.Proxy(t), dbs: map[string][2]*sql.DB{}}
	if w.policy, err = policy.Parse("policy.yaml", data); err != nil {
		t.Fatal(err)
	}
	sealed, twin, err := corpus.Schema(dir, server.Name)
	if err != nil {
		t.Fatal(err)
	}
	newSealed, newTwin, seed, err := corpus.Newer(dir, server.Name, server.AtLeast)
	if err != nil {
		t.Fatal(err)
	}
	w.newer = seed
	if w.absent, err = w.lacks(newSealed); err != nil {
		t.Fatal(err)
	}
	sealed, twin = append(sealed, newSealed...), append(twin, newTwin...)
	for i, ddl := range [2][]string{sealed, twin} {
		w.names[i] = server.NewDatabase(t)
		w.admin[i] = w.openAdmin(w.names[i])
		for _, text := range ddl {
			if _, err := w.admin[i].Exec(text); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if name := created(text); name != "" && !strings.Contains(text, "PARTITION OF") && i == 0 {
				w.tables = append(w.tables, name)
			}
		}
	}
	w.listColumns()
	w.seed()
	return w
}

// created is the table that a text creates, or empty.
func created(text string) string {
	_, name, _ := strings.Cut(text, "CREATE TABLE ")
	name, _, _ = strings.Cut(name, " ")
	return name
}

// lacks lists the tables of other servers that are not among those that texts create.
func (w *world) lacks(texts []string) (absent []string, err error) {
	all, _, _, err := corpus.Newer(w.dir, w.server.Name, func(string, int, int) bool { return true })
	for _, text := range all {
		if !slices.Contains(texts, text) {
			absent = append(absent, created(text))
		}
	}
	return absent, err
}

// listColumns asks for each table's columns: those that the application sees, and those
// that each database stores.
func (w *world) listColumns() {
	w.t.Helper()
	w.columns = map[string]string{}
	for i, db := range w.admin {
		w.stored[i] = map[string]string{}
		for _, table := range w.tables {
			all, stored := w.columnsOf(db, table)
			w.columns[table], w.stored[i][table] = all, stored // the twin, which comes last, has no terms
		}
	}
}

// columnsOf lists a table's columns, and those that are not computed.
func (w *world) columnsOf(db *sql.DB, table string) (all, stored string) {
	schema, name, made := "database()", table, "coalesce(generation_expression, '') <> ''"
	if w.server.Name == "postgres" {
		schema, made = "'public'", "is_generated = 'ALWAYS'"
	}
	if before, after, ok := strings.Cut(table, "."); ok {
		schema, name = "'"+before+"'", after
	}
	rows, err := db.Query("SELECT column_name, " + made + " FROM information_schema.columns WHERE table_schema = " + schema + " AND table_name = '" + name + "' ORDER BY ordinal_position")
	if err != nil {
		w.t.Fatal(err)
	}
	var every, kept []string
	for rows.Next() {
		var column string
		var computed bool
		if err := rows.Scan(&column, &computed); err != nil {
			w.t.Fatal(err)
		}
		if every = append(every, column); !computed {
			kept = append(kept, column)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(every, ", "), strings.Join(kept, ", ")
}

func (w *world) openAdmin(name string) *sql.DB {
	bare, dsn := w.server.DSN(w.server.Addr(), name)
	if w.server.Name == "mysql" {
		dsn += "&multiStatements=true"
	}
	return openBare(w.root, bare, dsn)
}

// seed fills both databases and keeps copies of the rows, so that every case
// starts from the same.
func (w *world) seed() {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.dir, "seed.sql"))
	if err != nil {
		w.t.Fatal(err)
	}
	texts := append(strings.Split(strings.TrimSpace(string(data)), ";\n"), w.newer...)
	w.watch(strings.Join(texts, "\n"))
	for i, db := range w.pair("") {
		for _, text := range texts {
			if _, err := db.Exec(text); err != nil {
				w.t.Fatalf("%s: %v", text, err)
			}
		}
		w.keep(i)
	}
}

// keep copies the rows of every table aside.
func (w *world) keep(i int) {
	var reset strings.Builder
	if w.server.Name == "mysql" {
		reset.WriteString("SET foreign_key_checks = 0; ")
	}
	for _, table := range slices.Backward(w.tables) { // those that refer to others first
		reset.WriteString("DELETE FROM " + table + "; ")
	}
	for _, table := range w.tables {
		seed := "seed_" + strings.ReplaceAll(table, ".", "_")
		if _, err := w.admin[i].Exec("CREATE TABLE " + seed + " AS SELECT " + w.stored[i][table] + " FROM " + table); err != nil {
			w.t.Fatal(err)
		}
		overriding := ""
		if w.server.Name == "postgres" {
			overriding = " OVERRIDING SYSTEM VALUE"
		}
		fmt.Fprintf(&reset, "INSERT INTO %s (%s)%s SELECT %[2]s FROM %[4]s; ", table, w.stored[i][table], overriding, seed)
	}
	switch {
	case w.dir == searchedDir || w.dir == fuzzSearchDir: // no row key of theirs is made by the server
	case w.dir == applicationsDir && w.server.Name == "postgres":
		reset.WriteString("SELECT setval('users_id_seq', 10)")
	case w.dir == applicationsDir:
		reset.WriteString("ALTER TABLE users AUTO_INCREMENT = 11")
	case w.dir == writtenDir && w.server.Name == "postgres":
		reset.WriteString("SELECT setval('serials_id_seq', 10)")
	case w.dir == writtenDir:
		reset.WriteString("ALTER TABLE serials AUTO_INCREMENT = 11")
	case w.server.Name == "postgres":
		reset.WriteString("SELECT setval('people_id_seq', 10); SELECT setval('idents_id_seq', 1, false)")
	default:
		reset.WriteString("ALTER TABLE people AUTO_INCREMENT = 11; ALTER TABLE idents AUTO_INCREMENT = 1")
	}
	w.reset[i] = reset.String()
}

func (w *world) watch(text string) {
	for _, v := range plaintexts.FindAllString(text, -1) {
		if err := w.proxy.Watch(v); err != nil {
			w.t.Fatal(err)
		}
	}
}

// pair opens both databases with a parameter of the DSN: the protected one
// through sealsql and the proxy.
func (w *world) pair(param string) [2]*sql.DB {
	w.t.Helper()
	if p, ok := w.dbs[param]; ok {
		return p
	}
	var p [2]*sql.DB
	for i, addr := range []string{w.proxy.Addr(), w.server.Addr()} {
		bare, dsn := w.server.DSN(addr, w.names[i])
		if param != "" {
			dsn += "&" + param
		}
		if i == 0 {
			p[i] = open(w.root, bare, dsn, driver.WithPolicy(w.policy))
		} else {
			p[i] = openBare(w.root, bare, dsn)
		}
	}
	w.dbs[param] = p
	return p
}

// answer is what a statement returned.
type answer struct {
	columns, types, rows []string
	affected, insertID   string
	err                  error
}

// run sends a case on a connection of its own.
func (w *world) run(db *sql.DB, c *corpus.Case, m mode) (a answer) {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	conn, err := db.Conn(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() {
		// What a case does to its session ends with it.
		if len(c.First) > 0 || !reads(c.Text) && !changes(c.Text) {
			_ = conn.Raw(func(any) error { return sqldriver.ErrBadConn })
		}
		_ = conn.Close()
	}()
	for _, first := range c.First {
		if err := drain(ctx, conn, first); err != nil {
			a.err = fmt.Errorf("first: %w", err)
			return a
		}
	}
	defer func() {
		if len(c.First) > 0 && a.err == nil && (strings.HasPrefix(c.First[0], "BEGIN") || strings.HasPrefix(c.First[0], "START") || strings.HasPrefix(c.First[0], "SET autocommit")) {
			_, a.err = conn.ExecContext(ctx, "COMMIT")
		}
	}()
	if m.name == "exec" {
		res, err := conn.ExecContext(ctx, c.Text, c.Args...)
		if err != nil {
			a.err = err
			return a
		}
		n, err := res.RowsAffected()
		a.affected = fmt.Sprint(n, err)
		id, err := res.LastInsertId()
		a.insertID = fmt.Sprint(id, err)
		return a
	}
	var rows *sql.Rows
	if m.name == "prepared" {
		stmt, err := conn.PrepareContext(ctx, c.Text)
		if err != nil {
			a.err = err
			return a
		}
		defer stmt.Close()
		rows, err = stmt.QueryContext(ctx, c.Args...)
		if err != nil {
			a.err = err
			return a
		}
	} else if rows, err = conn.QueryContext(ctx, c.Text, c.Args...); err != nil {
		a.err = err
		return a
	}
	defer rows.Close()
	for {
		a.read(rows)
		if a.err != nil || !rows.NextResultSet() {
			break
		}
	}
	if a.err == nil {
		a.err = rows.Err()
	}
	return a
}

func drain(ctx context.Context, conn *sql.Conn, text string) error {
	rows, err := conn.QueryContext(ctx, text)
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return errors.Join(rows.Err(), rows.Close())
}

// read adds a result set.
func (a *answer) read(rows *sql.Rows) {
	types, err := rows.ColumnTypes()
	if err != nil {
		a.err = err
		return
	}
	for _, t := range types {
		a.columns = append(a.columns, t.Name())
		a.types = append(a.types, t.DatabaseTypeName())
	}
	for rows.Next() {
		cells := make([]any, len(types))
		for i := range cells {
			cells[i] = new(any)
		}
		if err := rows.Scan(cells...); err != nil {
			a.err = err
			return
		}
		line := make([]string, len(cells))
		for i, c := range cells {
			line[i] = spell(*c.(*any))
		}
		a.rows = append(a.rows, strings.Join(line, "|"))
	}
	if err := rows.Err(); err != nil {
		a.err = err
	}
}

// spell writes a value so that the twins' different Go types for one value look
// the same.
func spell(v any) string {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case bool:
		if v {
			return "1"
		}
		return "0"
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}

// class is what identifies a server's error.
func class(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return "SQLSTATE " + e.Code
	}
	if e, ok := errors.AsType[*gomysql.MySQLError](err); ok {
		return fmt.Sprint("error ", e.Number)
	}
	return "another error: " + err.Error()
}

// restore brings the seed back.
func (w *world) restore() {
	w.t.Helper()
	for i, db := range w.admin {
		if _, err := db.Exec(w.reset[i]); err != nil {
			w.t.Fatal(err)
		}
	}
}

// state reads every row of every table.
func (w *world) state(db *sql.DB, c *corpus.Case) []string {
	w.t.Helper()
	var all []string
	for _, table := range w.tables {
		what := w.columns[table]
		if c.Skips("values") {
			what = "count(*)"
		}
		rows, err := db.Query("SELECT " + what + " FROM " + table)
		if err != nil {
			w.t.Errorf("%s: reading %s: %v", c.Name, table, err)
			continue
		}
		var a answer
		a.read(rows)
		_ = rows.Close() // a.err says what went wrong
		if a.err != nil {
			w.t.Errorf("%s: reading %s: %v", c.Name, table, a.err)
		}
		slices.Sort(a.rows)
		for _, r := range a.rows {
			all = append(all, table+": "+r)
		}
	}
	return all
}

// TestCorpusOnServers runs the corpus through sealsql and bare on the twin.
func TestCorpusOnServers(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, corpusDir)
			w.catalog()
			w.runAll(corpus.Size[server.Name])
		})
	}
}

// runAll runs the statements of the world's folder, of which there are want.
func (w *world) runAll(want int) {
	if n := w.eachCase(w.check); n != want {
		w.t.Errorf("ran %d statements, want %d", n, want)
	}
}

// eachCase calls do for the cases of the world's folder that -corpus.case selects, each
// with its number, and returns how many there are.
func (w *world) eachCase(do func(file string, c *corpus.Case, n int)) (n int) {
	w.t.Helper()
	files, err := corpus.Read(filepath.Join(w.dir, w.server.Name))
	if err != nil {
		w.t.Fatal(err)
	}
	refused := 0
	for _, f := range files {
		for _, c := range f.Cases {
			w.watch(c.Text + fmt.Sprint(c.Args...))
			if n++; c.Refused() {
				refused++
			}
			if strings.Contains(c.Name, *corpusCase) {
				do(strings.TrimSuffix(filepath.Base(f.Path), ".txtar"), c, n)
			}
		}
	}
	w.t.Logf("%d statements, of which %d are refused", n, refused)
	return n
}

// check runs a case in the modes that are its turn.
func (w *world) check(file string, c *corpus.Case, n int) {
	all := modes(w.server.Name)
	todo := []mode{all[0], all[1], all[2+n%(len(all)-2)]}
	if *everyMode {
		todo = all
	}
	for _, m := range todo {
		w.t.Run(file+"/"+c.Name+"/"+m.name, func(t *testing.T) {
			w := *w
			w.t = t
			w.compare(c, m)
		})
	}
}

func (w *world) compare(c *corpus.Case, m mode) {
	t := w.t
	if c.Skips("run") || m.name == "exec" && reads(c.Text) && !c.Refused() {
		return // go-sql-driver v1.10 hangs on Exec of a prepared SELECT of more columns than rows
	}
	param := m.param
	if c.Mode != "" {
		param = strings.TrimPrefix(param+"&sql_mode=%27"+strings.ReplaceAll(c.Mode, ",", "%2C")+"%27", "&")
	}
	dbs := w.pair(param)
	leaks := len(w.proxy.Leaks())
	got := w.run(dbs[0], c, m)
	if len(w.proxy.Leaks()) > leaks {
		t.Errorf("LEAK: %s", c.Text)
	}
	if got.err != nil && plaintexts.MatchString(got.err.Error()) {
		t.Errorf("the error holds a plaintext: %v", got.err)
	}
	if c.Refused() {
		w.refused(c, got)
		return
	}
	want := w.run(dbs[1], c, m)
	if c.Taken(w.server.AtLeast) {
		defer w.after(c)
	}
	w.taken(c, want.err)
	if !c.Taken(w.server.AtLeast) && got.err != nil { // sealsql may say of a table that it is missing what the server would
		return
	}
	if class(got.err) != class(want.err) {
		t.Errorf("%s\n got: %v\nwant: %v", c.Text, got.err, want.err)
		w.restore()
		return
	}
	w.sameAnswers(c, got, want)
}

// sameAnswers compares the answers, and the tables if the case may have changed them.
func (w *world) sameAnswers(c *corpus.Case, got, want answer) {
	same := func(what, got, want string) {
		if got != want && !c.Skips(what) {
			w.t.Errorf("%s: %s\n got: %s\nwant: %s", c.Text, what, got, want)
		}
	}
	if !strings.Contains(strings.ToUpper(c.Text), "ORDER BY") {
		slices.Sort(got.rows)
		slices.Sort(want.rows)
	}
	same("columns", strings.Join(got.columns, ", "), strings.Join(want.columns, ", "))
	same("types", strings.Join(got.types, ", "), strings.Join(want.types, ", "))
	same("rows", strings.Join(got.rows, "\n"), strings.Join(want.rows, "\n"))
	same("affected", got.affected, want.affected)
	same("insertID", got.insertID, want.insertID)
	if !reads(c.Text) {
		w.sameState(c)
	}
}

// taken checks that what the bare driver was answered is what the case says of the server.
func (w *world) taken(c *corpus.Case, err error) {
	switch taken := c.Taken(w.server.AtLeast); {
	case c.Fails:
	case taken && err != nil:
		w.t.Errorf("%s: %s answers the bare driver with an error: %v; name the servers that take it with %%servers, or say why with %%error", c.Text, w.server, err)
	case !taken && err == nil:
		w.t.Errorf("%s: %s takes the statement; name it in %%servers", c.Text, w.server)
	}
}

func reads(text string) bool {
	text = strings.ToUpper(text)
	with := strings.HasPrefix(text, "WITH") && !slices.ContainsFunc([]string{"INSERT ", "UPDATE ", "DELETE ", "MERGE "}, func(verb string) bool { return strings.Contains(text, verb) })
	return (strings.HasPrefix(text, "SELECT") || with) && !strings.Contains(text, ";")
}

func changes(text string) bool {
	verb, _, _ := strings.Cut(strings.ToUpper(text), " ")
	return slices.Contains([]string{"INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "WITH"}, verb) && !strings.Contains(text, ";")
}

// sameState compares all rows, opened and verified by sealsql, with the twin's,
// and brings the seed back.
func (w *world) sameState(c *corpus.Case) {
	dbs := w.pair("")
	if got, want := strings.Join(w.state(dbs[0], c), "\n"), strings.Join(w.state(dbs[1], c), "\n"); got != want {
		w.t.Errorf("%s: the tables differ\n got:\n%s\nwant:\n%s", c.Text, got, want)
	}
	if w.held != nil {
		w.held(w, c)
	}
	w.restore()
}

func (w *world) after(c *corpus.Case) {
	for _, text := range c.After {
		for _, db := range w.admin {
			if _, err := db.Exec(text); err != nil {
				w.t.Errorf("%s: %v", text, err)
			}
		}
	}
}

// refused checks that the statement was refused as the corpus says.
func (w *world) refused(c *corpus.Case, got answer) {
	if !c.Taken(w.server.AtLeast) && got.err != nil {
		return // a table that it names is missing here, say
	}
	what := strings.TrimPrefix(c.Want, "refused: ")
	if !errors.Is(got.err, driver.ErrRefused) || !strings.Contains(got.err.Error(), what) {
		w.t.Errorf("%s\n got: %v\nwant a refusal: %s", c.Text, got.err, what)
		w.restore()
	}
}

// catalog compares what the servers say of the schema with the corpus's file.
func (w *world) catalog() {
	schemas := []string{"", "crm"}
	if w.server.Name == "mysql" {
		schemas = []string{""}
	}
	d, err := server.Named(w.server.Name)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx := context.Background()
	cat := &corpus.Catalog{}
	names := append([]string{"v_accounts", "v_hidden", "v_names"}, w.tables...)
	if w.server.Name == "postgres" {
		names = append(names, "events_eu", "events_us")
	}
	for _, schema := range schemas {
		for _, name := range names {
			if _, bare, ok := strings.Cut(name, "."); ok {
				name = bare
			}
			r, err := d.Relation(ctx, w.admin[0], schema, name)
			if err != nil {
				w.t.Fatal(err)
			}
			if r != nil && !slices.ContainsFunc(cat.Relations, func(x *sqlplan.Relation) bool { return x.Schema == r.Schema && x.Name == r.Name }) {
				cat.Relations = append(cat.Relations, r)
			}
		}
	}
	if cat.Views, err = d.Readers(ctx, w.admin[0], corpus.Rules(w.policy)); err != nil {
		w.t.Fatal(err)
	}
	if w.server.Name == "mysql" { // other tests' databases are on the server too
		cat.Views = slices.DeleteFunc(cat.Views, func(v *sqlplan.Relation) bool { return v.Schema != w.names[0] })
	}
	// A MariaDB server shows the views of every database, other tests' too.
	cat.Views = slices.DeleteFunc(cat.Views, func(r *sqlplan.Relation) bool { return w.server.Name == "mysql" && r.Schema != w.names[0] })
	slices.SortFunc(cat.Views, func(a, b *sqlplan.Relation) int { return strings.Compare(a.Schema+"."+a.Name, b.Schema+"."+b.Name) })
	path := corpus.CatalogPath(corpusDir, w.server.Product)
	want, err := corpus.ReadCatalog(corpusDir, w.server.Product)
	if err != nil {
		w.t.Fatal(err)
	}
	got := w.spelled(cat)
	if *update { // what this server lacks stays
		all := slices.DeleteFunc(slices.Clone(want.Relations), func(r *sqlplan.Relation) bool { return !slices.Contains(w.absent, r.Name) })
		cat.Relations = append(cat.Relations, all...)
		if err := os.WriteFile(path, []byte(w.spelled(cat)), 0o644); err != nil {
			w.t.Fatal(err)
		}
		return
	}
	want.Relations = slices.DeleteFunc(want.Relations, func(r *sqlplan.Relation) bool { return slices.Contains(w.absent, r.Name) })
	if want := w.spelled(want); want != got {
		w.t.Errorf("%s is not what the server says; run the test with -update\n%s", path, got)
	}
}

// spelled writes a catalog as the file does, with the same name for every run's database.
func (w *world) spelled(cat *corpus.Catalog) string {
	data, err := json.MarshalIndent(cat, "", " ")
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), `"`+w.names[0]+`"`, `"db"`) + "\n"
}
