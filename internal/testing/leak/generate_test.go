package leak

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan/plantest"
	"github.com/sealsql/sealsql/internal/testing/corpus"
)

const planners = "../../sqlplan"

// seed is a statement that others are made of.
type seed struct {
	text  string
	first []string
	args  []any
	// refused is true for seeds that sealsql refuses, or that may be such.
	refused bool
	// sure is true if every value that is spelled like a plaintext is a protected one, as
	// the corpus and the hostile statements promise, whatever a text before it does.
	sure bool
}

// readSeeds reads the corpus, the statements that search, the hostile ones, the shapes of
// the planner's tests, and the seeds of this package. Sources whose path holds without are left out.
func readSeeds(t testing.TB, dialect, without string) (list []seed) {
	t.Helper()
	for _, dir := range []string{filepath.Join("testdata/seeds", dialect), filepath.Join(corpusDir, dialect), filepath.Join(searchedDir, dialect)} {
		files, err := corpus.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if without != "" && strings.Contains(f.Path, without) {
				continue
			}
			for _, c := range f.Cases {
				list = append(list, seed{c.Text, c.First, c.Args, c.Refused(), c.Mode == "" && len(c.First) == 0})
			}
		}
	}
	for _, path := range []string{"../../integration/testdata/hostile/both.sql", "../../integration/testdata/hostile/" + dialect + ".sql", filepath.Join(planners, dialect, "testdata/shapes.sql")} {
		if without != "" && strings.Contains(path, without) {
			continue
		}
		for _, text := range plantest.Statements(t, path) {
			list = append(list, seed{text: text, refused: true, sure: true})
		}
	}
	return list
}

// script is what is sent on one connection.
type script struct {
	// first are sent before the text; those that begin with "other:" by another
	// connection, bare, to both databases.
	first []string
	text  string
	args  []any
	// param is a parameter of the DSN; prepared and exec say how the text is sent.
	param          string
	prepared, exec bool
	// planted are markers that mean a protected column: in comparisons that were put into
	// the text as a whole, and in seeds that say so.
	planted []string
	markers []string
}

func (s *script) String() string {
	how := "query"
	if s.exec {
		how = "exec"
	}
	if s.prepared {
		how = "prepared"
	}
	return fmt.Sprintf("%s %s\n  first: %q\n  text:  %s\n  args:  %q", how, s.param, s.first, s.text, s.args)
}

// generator makes scripts.
type generator struct {
	mutator
	trees   *library
	seed    uint64
	changed bool // false: seeds are sent as they are
	exact   bool // of this script, only what the seed protects becomes a marker
	sure    bool // of this script, see seed
}

// Markers of one statement differ in their last digits, and from those of other
// statements. Their second digit tells markers from the texts that stand for
// them when the twin is asked: see relation.
func marker(seed uint64, n int) string { return fmt.Sprintf("97%09d%d7", seed%1e9, n) }

const maxMarkers = 8

// next is a marker that the script does not have yet.
func (s *script) next(seed uint64) string {
	m := marker(seed, len(s.markers))
	s.markers = append(s.markers, m)
	return m
}

// plaintext is what the seeds spell protected values like.
var plaintext = regexp.MustCompile(`9\d\d-\d\d-\d{4}|secret [a-z ]+|77000\d+(?:\.\d+)?|7{8}-0000-0000-0000-\d{12}|1977-07-\d\d|(?i:[a-z]+@leak\.example)`)

// script makes the script of a seed number. The first numbers are those of the seeds
// as they are, with markers in the places of values.
func (g *generator) script(number uint64) *script {
	g.Rand = rand.New(rand.NewPCG(number, 15))
	g.seed = number
	n := uint64(len(g.seeds))
	if g.exact = !g.changed || number <= n; g.exact {
		from := g.seeds[(number-1)%n]
		g.sure = from.sure
		s := &script{first: from.first, text: from.text, args: slices.Clone(from.args)}
		g.mark(s)
		g.mode(s)
		return s
	}
	g.sure = false
	if *fuzzScopes || g.IntN(12) == 0 {
		s := g.scopes(number)
		g.mode(s)
		return s
	}
	from := g.seeds[g.IntN(len(g.seeds))]
	for from.refused && g.IntN(4) > 0 { // most changes of a refused one are refused
		from = g.seeds[g.IntN(len(g.seeds))]
	}
	s := &script{first: from.first, text: from.text, args: slices.Clone(from.args)}
	if g.IntN(10) > 0 {
		s.text = g.change(s.text)
	}
	if len(s.first) == 0 && g.IntN(8) == 0 {
		s.first = g.seeds[g.IntN(len(g.seeds))].first
	}
	if g.IntN(6) == 0 {
		g.plant(s)
	}
	g.mark(s)
	g.mode(s)
	return s
}

// change recombines the text's tree, or cuts and joins its tokens, or does both.
func (g *generator) change(text string) string {
	n := 1 + g.IntN(2)
	if g.IntN(2) == 0 {
		if made, ok := g.trees.recombine(g.Rand, text, n); ok {
			text = made
		}
		n = g.IntN(2)
	}
	for range n {
		text = g.mutate(text)
	}
	return text
}

// plants are comparisons that name their own table. The last ones have a column that
// does not exist: the server logs them as failed statements.
var plants = []string{
	"(SELECT 1 FROM accounts WHERE accounts.ssn = '%s')",
	"(EXISTS (SELECT 1 FROM other WHERE id IN (SELECT 1 FROM accounts a WHERE '%s' = a.ssn)))",
	"(SELECT CASE q.secret WHEN '%s' THEN 1 END FROM order_lines q)",
	"(SELECT count(*) FROM (SELECT ssn AS z FROM accounts) q WHERE q.z LIKE '%s')",
	"(SELECT count(*) FROM members WHERE members.email = '%s')",
	"(EXISTS (SELECT 1 FROM tokens q WHERE q.token IN ('%s', 'x')))",
	"(SELECT max(q.id) FROM members q WHERE q.tenant_id = 1 AND q.code = '%s')",
	"(SELECT 1 FROM members q WHERE q.pin <> '%s')",
	"(SELECT 1 FROM accounts q WHERE lower(q.ssm) = '%s')",
	"(SELECT 1 FROM accounts q WHERE coalesce(q.ssm, '') = '%s')",
	"(SELECT 1 FROM people q WHERE CASE q.ssm WHEN '%s' THEN 1 = 1 END)",
}

// containsPlant reports whether a marker's plant is whole.
func containsPlant(text, marker string) bool {
	return slices.ContainsFunc(plants, func(p string) bool { return strings.Contains(text, fmt.Sprintf(p, marker)) })
}

// hides finds what may make a plant mean another table, or nothing at all.
var hides = regexp.MustCompile(`(?is)\b(accounts|people|order_lines|other|members|tokens)["` + "`" + `]?\s*(\([^)]*\))?\s+AS\s+(NOT\s+)?(MATERIALIZED\s*)?\(|/\*M?!|/\*([^*]|\*[^/])*/\*|TEMP`)

// plant puts a plant into the place of a token.
func (g *generator) plant(s *script) {
	list := tokens(s.text, g.mysql)
	at := append(values(list), words(list)...)
	if len(at) == 0 {
		return
	}
	i := at[g.IntN(len(at))]
	m := s.next(g.seed)
	s.text = join(replace(list, i, i+1, fmt.Sprintf(plants[g.IntN(len(plants))], m)))
	if !hides.MatchString(s.text) {
		s.planted = append(s.planted, m)
	}
}

// mark puts markers into the places of values, and binds some of them.
func (g *generator) mark(s *script) {
	list := tokens(s.text, g.mysql)
	b := &binder{generator: g, script: s, on: g.IntN(3) == 0 && !strings.Contains(s.text, ";"), last: lastParam(list)}
	for i := range list {
		if list[i].kind == kindParam {
			b.given()
			continue
		}
		if m := g.markValue(s, &list[i]); m != "" && b.on {
			b.bind(&list[i], m)
		}
	}
	s.text = join(list)
	b.finish()
}

// markValue puts a marker into a literal's place. It returns the marker if it is the
// whole of the literal.
func (g *generator) markValue(s *script, t *token) string {
	switch {
	case len(s.markers) >= maxMarkers || t.kind != kindString && t.kind != kindNumber && t.kind != kindGarbage:
		return ""
	case plaintext.MatchString(t.text):
		m := s.next(g.seed)
		g.promise(s, m)
		t.text = plaintext.ReplaceAllLiteralString(t.text, m)
		if t.text != "'"+m+"'" {
			return ""
		}
		return m
	case t.kind == kindString && (t.text == "'m'" || t.text == "'m%'" || !g.exact && g.IntN(4) == 0):
		m := s.next(g.seed)
		t.text = "'" + m + "'"
		return m
	case t.kind == kindNumber && len(t.text) < 13 && !g.exact && g.IntN(10) == 0:
		t.text = s.next(g.seed)
		return t.text
	}
	return ""
}

// promise notes that a marker took the place of a plaintext.
func (g *generator) promise(s *script, marker string) {
	if g.sure {
		s.planted = append(s.planted, marker)
	}
}

// binder gives a script its arguments.
type binder struct {
	*generator
	script *script
	on     bool
	last   int   // the highest parameter of Postgres
	args   []any // of MySQL
	used   int   // of the seed's arguments
}

func lastParam(list []token) (last int) {
	for _, t := range list {
		if i, err := strconv.Atoi(strings.TrimPrefix(t.text, "$")); t.kind == kindParam && err == nil {
			last = max(last, min(i, 40))
		}
	}
	return last
}

// given takes the seed's argument for a parameter of MySQL.
func (b *binder) given() {
	if b.mysql {
		b.args = append(b.args, b.argument(b.script, b.used))
		b.used++
	}
}

// bind makes a parameter of a literal.
func (b *binder) bind(t *token, marker string) {
	if b.mysql {
		t.text, b.args = "?", append(b.args, marker)
		return
	}
	b.last++
	b.script.args = append(extend(b.script.args, b.last-1)[:b.last-1], marker)
	t.text = fmt.Sprintf("$%d", b.last)
}

// finish sets the script's arguments.
func (b *binder) finish() {
	s := b.script
	if b.mysql {
		s.args = b.args
		return
	}
	s.args = extend(s.args, b.last)[:b.last]
	for i, a := range s.args {
		if text, ok := a.(string); !ok || !slices.Contains(s.markers, text) {
			s.args[i] = b.argument(s, i)
		}
	}
}

// extend gives a list of arguments a length.
func extend(args []any, n int) []any {
	for len(args) < n {
		args = append(args, nil)
	}
	return args
}

// argument returns the seed's argument, or a marker in its place.
func (g *generator) argument(s *script, i int) any {
	var given any
	if i < len(s.args) {
		given = s.args[i]
	}
	if len(s.markers) >= maxMarkers || given != nil && !plaintext.MatchString(fmt.Sprint(given)) && (g.exact || g.IntN(5) > 0) {
		return given
	}
	m := s.next(g.seed)
	if plaintext.MatchString(fmt.Sprint(given)) {
		g.promise(s, m)
	}
	if _, number := given.(int64); number || given == nil && g.IntN(4) == 0 {
		v, _ := strconv.ParseInt(m, 10, 64)
		return v
	}
	return m
}

// mode chooses how the script is sent.
func (g *generator) mode(s *script) {
	params := []string{"", "", "default_query_exec_mode=simple_protocol", "default_query_exec_mode=exec", "default_query_exec_mode=cache_describe"}
	if g.mysql {
		params = []string{"", "", "interpolateParams=true", "multiStatements=true&interpolateParams=true", "multiStatements=true"}
	}
	s.param = params[g.IntN(len(params))]
	switch g.IntN(3) {
	case 0:
		s.prepared = true
	case 1:
		verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(s.text)), " ")
		s.exec = slices.Contains([]string{"INSERT", "UPDATE", "DELETE", "REPLACE"}, verb) && !strings.Contains(strings.ToUpper(s.text), "RETURNING")
	}
}
