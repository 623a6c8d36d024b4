package leak

import (
	"context"
	"flag"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

var (
	fuzzTime    = flag.Duration("fuzzleak.time", 0, "how long statements are sent, to each server")
	fuzzSeed    = flag.Uint64("fuzzleak.seed", 1, "the first statement's seed")
	fuzzOne     = flag.Bool("fuzzleak.one", false, "send one statement only, and print what became of it")
	fuzzSeeds   = flag.Bool("fuzzleak.unchanged", false, "send the seeds as they are, with markers in the places of values")
	fuzzScopes  = flag.Bool("fuzzleak.scopes", false, "send only statements about which column a name means")
	fuzzWithout = flag.String("fuzzleak.without", "", "leave out the seeds of files whose path holds this")
	fuzzFinds   = flag.Int("fuzzleak.finds", 5, "stop after so many finds")
)

// TestFuzzLeak sends generated statements through sealsql and looks for their markers
// in the server's statement log. It fails at a leak, and if too few statements were
// carried out or had something sealed to mean anything.
func TestFuzzLeak(t *testing.T) {
	if *fuzzTime == 0 && !*fuzzOne {
		t.Skip("make fuzz-leak runs it")
	}
	servers, logs := testdb.EachLogged(t)
	for i, server := range servers {
		t.Run(server.String(), func(t *testing.T) {
			f := newFuzz(t, server, logs[i])
			until := time.Now().Add(*fuzzTime)
			seed := *fuzzSeed
			defer func() { t.Logf("seeds %d to %d: %s", *fuzzSeed, seed, f.counts) }()
			for ; (time.Now().Before(until) || *fuzzOne) && f.finds < *fuzzFinds; seed++ {
				f.round(seed)
				if *fuzzOne {
					break
				}
			}
			if !*fuzzOne && !*fuzzSeeds && !*fuzzScopes && f.finds == 0 {
				f.enough(t)
			}
		})
	}
}

// fuzz is a server's run.
type fuzz struct {
	t            *testing.T
	log          *testdb.StatementLog
	sealed, twin *database
	gen          *generator
	counts       counts
	finds        int
}

func newFuzz(t *testing.T, server *testdb.Server, log *testdb.StatementLog) *fuzz {
	f := &fuzz{t: t, log: log}
	both := newDatabases(t, server)
	f.sealed, f.twin = both[0], both[1]
	mysql := server.Name == "mysql"
	seeds := readSeeds(t, server.Name, *fuzzWithout)
	var texts []string
	for _, s := range seeds {
		texts = append(texts, s.text)
	}
	g := postgresGrammar
	if mysql {
		g = mysqlGrammar()
	}
	f.gen = &generator{mutator: mutator{mysql: mysql, seeds: seeds}, trees: newLibrary(g, texts), changed: !*fuzzSeeds}
	t.Logf("%d seeds, of which %d have a tree; %d places of the grammar", len(seeds), len(f.gen.trees.texts), len(f.gen.trees.keys))
	return f
}

// round sends the statement of a seed and reports a find.
func (f *fuzz) round(seed uint64) {
	s := f.gen.script(seed)
	if unsafe(s) {
		f.counts.skipped++
		return
	}
	v := f.try(s)
	f.counts.add(v)
	if *fuzzOne {
		f.t.Logf("seed %d: %s\n  refused: %v, logged: %q, error: %v", seed, s, v.refused, v.logged, v.err)
	}
	if v.find == "" {
		return
	}
	f.finds++
	least := f.shrink(s, v)
	f.t.Errorf("FIND, seed %d: %s\n %s\n  error: %v\n least: %s", seed, v.find, s, v.err, least)
}

// harmful finds texts that reach beyond the databases of the test.
var harmful = regexp.MustCompile(`(?i)\b(SHUTDOWN|RESTART|KILL|SYSTEM|USER|GLOBAL|PERSIST|PERSIST_ONLY|PASSWORD|pg_sleep|pg_sleep_for|SLEEP|BENCHMARK|OUTFILE|DUMPFILE|pg_terminate_backend|pg_read_file|lo_import|PROGRAM|FLUSH|LOCK|` +
	`MASTER|SLAVE|REPLICA|REPLICATION|INSTALL|CLONE|PURGE|DATABASE|GRANT|REVOKE|XA|GET_LOCK|TABLESPACE|IMPORT|EXTENSION|SUBSCRIPTION|PUBLICATION|OWNED|LOGFILE|BINLOG|SERVER|ROLE|UNDO|pg_stats|pg_statistic|log_bin|general_log|sql_log_off|log_output|log_statement|log_min\w*|log_duration\w*|log_parameter\w*|READ_ONLY|BACKUP|FUNCTION|generate_series|repeat|lpad|rpad)\b|DROP\s+SCHEMA|EVENT\s+TRIGGER`)

func unsafe(s *script) bool {
	return harmful.MatchString(s.text) || strings.ContainsRune(s.text, 0)
}

// verdict is what became of a script.
type verdict struct {
	refused bool
	err     error
	logged  []string
	sealed  bool // carried out, and a marker was not logged
	wrote   bool
	find    string
}

// try sends a script and judges it.
func (f *fuzz) try(s *script) (v verdict) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	f.read()
	c, err := f.sealed.conn(ctx, s.param)
	if err != nil {
		f.t.Fatalf("connecting: %v", err)
	}
	ran := *s
	ran.first = s.prelude(ctx, c, f.sealed, f.twin)
	rows, err := s.send(ctx, c)
	v.err, v.refused = err, isRefused(err)
	if !v.refused && code(err) == "?" && f.sealed.admin.PingContext(ctx) != nil {
		f.revive(s)
		return v
	}
	if len(s.first) > 0 {
		_, _ = c.ExecContext(ctx, "COMMIT") // of a transaction that the prelude began
	}
	if s.keeps() {
		_ = c.Close()
	} else {
		forGood(c)
	}
	log := f.read()
	v.logged = logged(log, s.markers)
	if len(log) == 0 {
		return v // nothing was sent
	}
	if len(s.first) > 0 {
		defer f.twin.tidy(true)
	}
	defer f.sealed.tidy(s.shaping() && !v.refused || len(s.first) > 0)
	if s.shaping() && !v.refused {
		f.sealed.tables = f.sealed.catalog()
		defer func() { f.sealed.tables = f.sealed.ofSeed }()
	}
	if v.find = f.leak(&ran, v); v.find != "" || err != nil {
		return v
	}
	v.sealed = len(v.logged) < len(s.markers)
	if slices.ContainsFunc(rows, func(r string) bool { return ciphertext.MatchString(r) }) {
		v.find = "a ciphertext was handed out"
		return v
	}
	if !explains.MatchString(s.text) && slices.ContainsFunc(rows, func(r string) bool { return holdsOne(r, f.sealed.terms) }) {
		v.find = "an equality term was handed out"
		return v
	}
	f.after(&ran, &v, slices.ContainsFunc(s.first, isOther))
	return v
}

// revive starts a server again that a statement has brought down.
func (f *fuzz) revive(s *script) {
	f.counts.crashed++
	f.t.Logf("the server went down at %s", s)
	f.sealed.server.Restart(f.t)
	for _, d := range []*database{f.sealed, f.twin} {
		d.build()
	}
}

// read returns what the server has logged since the last call.
func (f *fuzz) read() []byte {
	data, err := f.log.Next()
	if err != nil {
		f.t.Fatal(err)
	}
	return data
}

// leak says in what way a marker that was logged means a protected column.
func (f *fuzz) leak(s *script, v verdict) string {
	if len(v.logged) == 0 {
		return ""
	}
	for _, m := range s.planted {
		if slices.Contains(v.logged, m) && !slices.Contains(meaningless, code(v.err)) {
			return "LEAK of marker " + m + ", which was put in the place of a protected value"
		}
	}
	if slices.Contains(meaningless, code(v.err)) {
		return ""
	}
	if meant := s.corrected(); meant != nil && slices.Contains(noColumn, code(v.err)) {
		if find := f.means(meant, v.logged); find != "" {
			return find + ", but for a misspelt name"
		}
	}
	return f.means(s, v.logged)
}

// means says in what way one of the markers means a protected column on the twin.
func (f *fuzz) means(s *script, markers []string) string {
	stored := f.twin.onTwin(s, "")
	for _, c := range stored.state {
		for _, m := range markers {
			if c.protected && strings.Contains(c.text, m) {
				return "LEAK of marker " + m + ", which the twin stores in " + c.column
			}
		}
	}
	if f.twin.mysql() && s.shaping() {
		return "" // a transaction does not bring a schema back
	}
	for _, m := range markers[:min(2, len(markers))] {
		if !s.shared(m) && f.twin.relation(s, m) {
			return "LEAK of marker " + m + ", on which the twin's result depends where protected columns hold it"
		}
	}
	return ""
}

// after looks at the tables after a statement that was carried out. If another
// connection did something, only what holds a marker is the statement's.
func (f *fuzz) after(s *script, v *verdict, others bool) {
	state, err := f.sealed.state(f.sealed.admin)
	if err != nil {
		return // a table is locked or gone
	}
	v.wrote = f.sealed.text(state, nil) != f.sealed.clean
	if !v.wrote {
		return
	}
	compare := !s.shaping() && !others
	var twin []cell
	if compare {
		o := f.twin.onTwin(s, "")
		compare, twin = o.err == nil, o.state
	}
	if others {
		state = slices.DeleteFunc(state, func(c cell) bool {
			return !slices.ContainsFunc(s.markers, func(m string) bool { return strings.Contains(c.text, m) })
		})
	}
	v.find = misplaced(state, twin, s.markers, compare)
}
