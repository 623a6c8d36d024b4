package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// leak is a mutant that takes out what keeps one kind of plaintext from a server. The
// nets that would catch it behind that are taken out with it. make fuzz-leak finds it.
type leak struct {
	what    string
	servers []string // as SEALSQL_POSTGRES or SEALSQL_MYSQL name them
	edits   []edit
}

// edit is a change of a file of the module.
type edit struct{ file, old, new string }

var (
	everyServer = []string{"postgres-15", "mariadb-10.11"}
	postgres18  = []string{"postgres-18"}
	postgres15  = []string{"postgres-15"}
	mariadb     = []string{"mariadb-10.11"}
	mysql97     = []string{"mysql-9.7"}
)

var leaks = []leak{
	{"the list of a row alias is not used", mysql97, []edit{{"internal/sqlplan/insert.go", "if len(s.RowColumns) > 0 {", "if false && len(s.RowColumns) > 0 {"}}},
	{"every character set of a MySQL session counts as readable", mariadb, []edit{{"internal/server/mysql/session.go", "case !planner.ReadableCharset(s.Charset):", "case false && !planner.ReadableCharset(s.Charset):"},
		{"internal/server/mysql/session.go", "case connection != s.Charset &&", "case false && connection != s.Charset &&"}, {"internal/exec/session.go", "if failed == nil && s.known.Charset != \"\" && e.spelt(text) {", "if false {"}}},
	{"a session's sql_mode counts as that of the first connection", mariadb, []edit{{"internal/exec/session.go", "mine.planner = e.config.Server.Planner(e.rules, mine.config.Catalog, s)", "mine.planner = e.planner"}}},
	{"a session's settings are asked for once", everyServer, []edit{{"internal/exec/session.go", "Doubt() { s.fresh, s.moved = false, true }", "Doubt() {}"},
		{"internal/server/mysql/session.go", "return !known || bits&", "return true || !known || bits&"}, {"internal/server/postgres/session.go", "\tif c == nil {\n\t\treturn true", "\tif c == nil || true {\n\t\treturn true"}, {"internal/exec/session.go", "if failed == nil && s.known.Charset != \"\" && e.spelt(text) {", "if false {"}}},
	{"names that only a server folds together are apart", mariadb, []edit{{"internal/sqlplan/tables.go", "if inDoubt(t.Name, c.Name) {", "if false && inDoubt(t.Name, c.Name) {"}}},
	{"an INSERT without a list keeps to the order of columns that was read first", everyServer, []edit{{"internal/exec/planning.go", "if now == nil || !slices.Equal(now.Columns, r.Columns) {", "if false && (now == nil || !slices.Equal(now.Columns, r.Columns)) {"},
		{"internal/sqlplan/site.go", "case len(in.names)+len(in.more) > 0:", "case false:"}}},
	{"names outside ASCII are not looked for", everyServer, []edit{{"internal/sqlplan/names.go", "\tif isASCII(text) {\n\t\treturn false\n\t}\n\tfound := false", "\tif true {\n\t\treturn false\n\t}\n\tfound := false"}}},
	{"what LOAD DATA assigns is not looked at", mariadb, []edit{{"internal/sqlplan/mysql/utility.go", "u.Columns = append(u.Columns, p.namesIn(set, end)...)", "_ = set"}}},
	{"a part of the tree that is not translated is sent", postgres15, []edit{{"internal/sqlplan/planner.go", "\ta.unread()\n", ""}}},
	{"RETURNING * of MERGE shows the target first", postgres18, []edit{{"internal/sqlplan/merge.go", "nodes: []node{source, it}})", "nodes: []node{it, source}})"}, {"internal/exec/lineage/lineage.go", "if len(want) > 0 && len(want) != len(columns) {", "if true {\n\t\treturn nil, nil\n\t}\n\tif len(want) != len(columns) {"}}},
	{"a RIGHT JOIN with USING shows the left side first", mariadb, []edit{{"internal/sqlplan/mysql/dialect.go", "PreservedSideFirst() bool { return true }", "PreservedSideFirst() bool { return false }"}}},
	{"a star that is doubled has the names of its first place", []string{"postgres-15", "mysql-9.7"}, []edit{{"internal/sqlplan/lineage.go", "if r.walk != o.walks {", "if true {"}}},
	{"a star that is doubled has the names of its first place", []string{"postgres-15", "mysql-9.7"}, []edit{{"internal/sqlplan/lineage.go", "if r.walk != o.walks {", "if true {"}}},
	{"a column that is not there counts as another table's", everyServer, []edit{{"internal/sqlplan/scope.go", "\ta.refuse(at, table, \"a column that no table", "\tif true {\n\t\treturn\n\t}\n\ta.refuse(at, table, \"a column that no table"}}},
	{"SQL text that is computed in a program is sent", mariadb, []edit{{"internal/sqlplan/mysql/guard.go", "if !plain {", "if !plain {\n\t\treturn nil\n\t}\n\tif !plain {"}}},
	{"a view that renames a protected column is not looked into", everyServer, []edit{{"internal/sqlplan/view.go", "if it.rel == nil || !it.rel.View", "if true || it.rel == nil || !it.rel.View"}}},
	{"RETURNING's old and new are no rows of the table", postgres18, []edit{{"internal/sqlplan/change.go", "range []string{r.Old, r.New} {", "range []string(nil) {"}}},
	{"subscripts of a target are not looked at", postgres15, []edit{{"internal/sqlplan/change.go", "a.checkAll(c.Subscripts, sc, \"a subscript\")", "_ = c"}}},
	{"a child that the session makes counts from COMMIT on", postgres15, []edit{{"internal/sqlplan/planner.go", "a.p.rules.Attach(a.attached)", ""}, {"internal/exec/ddl.go", "e.rules.Attach(plan.Attaches)", ""}}},
	{"a value that a MERGE source names like a protected column is sent", postgres15, []edit{{"internal/sqlplan/merge.go", "a.namedAlike(it.table, source)", ""}}},
	{"the name of a computed column keeps its literals", []string{"mysql-9.7", "mariadb-10.11"}, []edit{{"internal/sqlplan/query.go", "name, ok := a.d.NameByText(text)", "name, ok := text, true"}}},
	{"a view that was just made is not looked for", everyServer, []edit{{"internal/exec/planning.go", "func (e *Engine) newViews(ctx context.Context) bool {\n", "func (e *Engine) newViews(ctx context.Context) bool {\n\tif ctx != nil {\n\t\treturn false\n\t}\n"}}},
	{"a whole row carries values into a column", postgres15, []edit{{"internal/sqlplan/expr.go", "\tif v.kind == valueWhole {\n\t\tfor _, c := range v.item.known() {", "\tif false {\n\t\tfor _, c := range v.item.known() {"}}},
	{"a test of a value that is searched for elsewhere sends it", []string{"mysql-9.7", "mariadb-10.11"}, []edit{{"internal/sqlplan/params.go", "if a.d.NumberedPlaceholders() || !a.textual(t)", "if true || a.d.NumberedPlaceholders() || !a.textual(t)"},
		{"internal/sqlplan/params.go", "if like := a.searchedNear(list, i); like >= 0", "if like := a.searchedNear(list, i); false && like >= 0"}}},
	{"every client_encoding counts as readable", postgres15, []edit{{"internal/server/postgres/session.go", "case encoding != \"UTF8\" && mixed[strings.ToUpper(encoding)]:", "case false:"}, {"internal/exec/session.go", "if failed == nil && s.known.Charset != \"\" && e.spelt(text) {", "if false {"}}},
}

// loss is a mutant by which values are lost, or another row's are handed out. A test of
// internal/integration finds it.
type loss struct {
	leak
	test string
}

var losses = []loss{
	{leak{"a parameter's type is not compared with the key's", postgres15, []edit{{"internal/exec/retyped.go", "if as == c.Key ||", "if true || as == c.Key ||"}}}, "TestAKeyThatTheTextTakesAsAnotherType"},
	{leak{"a key that means another under another type has nothing read again", mariadb, []edit{{"internal/exec/retyped.go", "if ambiguity == server.Unambiguous ||", "if true ||"}}}, "TestAKeyOfAnotherType"},
	{leak{"the types that a result shows are not compared with the key's", everyServer, []edit{{"internal/exec/retyped.go", "if !differs ||", "if true || !differs ||"}}}, "TestAValueMovedToAKeyThatTheOldTypeReadsAlike"},
}

// hunt has make fuzz-leak, or a test, find each mutant on each of its servers, and reports
// those that are not found. what selects some of them.
func hunt(ctx context.Context, dir, what, fuzzTime string, more ...string) (ran, lived int) {
	fuzz := append([]string{"./internal/testing/leak", "-run=^TestFuzzLeak$", "-args", "-fuzzleak.time=" + fuzzTime, "-fuzzleak.finds=1"}, more...)
	for _, m := range leaks {
		r, l := m.hunt(ctx, dir, what, find, fuzz)
		ran, lived = ran+r, lived+l
	}
	for _, m := range losses {
		r, l := m.hunt(ctx, dir, what, failed, []string{"./internal/integration", "-run=^" + m.test + "$"})
		ran, lived = ran+r, lived+l
	}
	return ran, lived
}

func (m leak) hunt(ctx context.Context, dir, what string, finds *regexp.Regexp, args []string) (ran, lived int) {
	if !strings.Contains(m.what, what) {
		return 0, 0
	}
	overlay, failure := write(dir, m.edits)
	for _, server := range m.servers {
		ran++
		found, err := "", failure
		if err == nil {
			found, err = run(ctx, overlay, server, finds, args)
		}
		switch {
		case err != nil:
			lived++
			fmt.Printf("ERROR    %s, %s: %v\n", m.what, server, err)
		case found == "":
			lived++
			fmt.Printf("LIVES    %s, %s\n", m.what, server)
		default:
			fmt.Printf("found    %-75s %s: %s\n", m.what, server, found)
		}
	}
	return ran, lived
}

var (
	find   = regexp.MustCompile(`FIND, (seed \d+: .*)|seeds \d+ to \d+: \d+ statements`)
	failed = regexp.MustCompile(`--- FAIL: (Test\S+)|(?m)^ok `)
)

// run returns the first find.
func run(ctx context.Context, overlay, server string, finds *regexp.Regexp, args []string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-vet=off", "-count=1", "-v", "-timeout=0", "-overlay", overlay}, args...)...)
	cmd.Env = append(os.Environ(), "SEALSQL_POSTGRES=none", "SEALSQL_MYSQL="+server)
	if version, is := strings.CutPrefix(server, "postgres-"); is {
		cmd.Env = append(os.Environ(), "SEALSQL_MYSQL=none", "SEALSQL_POSTGRES="+version)
	}
	out, _ := cmd.CombinedOutput() // a find is a failure
	match := finds.FindSubmatch(out)
	if match == nil {
		return "", fmt.Errorf("the tests did not run:\n%s", out[max(0, len(out)-2000):])
	}
	return string(match[1]), nil
}
